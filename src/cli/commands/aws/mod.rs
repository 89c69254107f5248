//! The commands that talk to S3 and CodeDeploy.

mod clean;
mod push;
mod register;
mod verify;

use std::path::Path;

use clap::Subcommand;
use hoist::aws::access::{Access, Clients, connect};
use hoist::cancel::Cancel;
#[cfg(feature = "local")]
use hoist::endpoint::{self, Endpoint};

use crate::cli::Failure;
use crate::cli::render::push::advice;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bundle a directory, upload it to Amazon S3 and register it as a revision with AWS CodeDeploy
    #[command(args_override_self = true)]
    Push(Box<push::PushArgs>),
    /// Register an object that is already in Amazon S3 as a revision with AWS CodeDeploy
    #[command(args_override_self = true)]
    Register(Box<register::RegisterArgs>),
    /// Read an archive back, from Amazon S3 or the disk, and check every byte of it
    #[command(args_override_self = true)]
    Verify(Box<verify::VerifyArgs>),
    /// Abort unfinished multipart uploads, and so free the parts that they hold
    #[command(args_override_self = true)]
    Clean(Box<clean::CleanArgs>),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Push(arguments) => push::run(*arguments),
            Self::Register(arguments) => register::run(*arguments),
            Self::Verify(arguments) => verify::run(&arguments),
            Self::Clean(arguments) => clean::run(&arguments),
        }
    }
}

/// An endpoint in this process, and what must exist there before the first request.
pub(super) struct Local<'a> {
    pub(super) dir: &'a Path,
    pub(super) bucket: &'a str,
    pub(super) application: &'a str,
}

/// Connects to AWS and does `work`. With `local`, it starts an endpoint, connects to that, and ends
/// it after `work`.
pub(super) async fn with_clients<T>(
    access: Access,
    local: Option<Local<'_>>,
    cancel: &Cancel,
    work: impl AsyncFnOnce(Clients) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let connected = async |access: &Access| {
        let connected = cancel.run_until_cancelled(connect(access)).await;
        let connected = connected.ok_or_else(|| Failure::other("stopped"))?;
        connected.map_err(|error| advice::not_connected(&error))
    };
    match local {
        None => work(connected(&access).await?).await,
        #[cfg(feature = "local")]
        Some(local) => {
            let failed = |error: endpoint::Error| Failure::other(error);
            let endpoint = Endpoint::start(local.dir, 0).await.map_err(failed)?;
            let access = Access {
                endpoint_url: Some(endpoint.url().to_owned()),
                anonymous: true,
                ..access
            };
            let done = async {
                let clients = connected(&access).await?;
                let prepared = endpoint.prepare(local.bucket, &clients.region, local.application);
                prepared.map_err(failed)?;
                work(clients).await
            };
            let done = done.await;
            endpoint.shutdown().await;
            done
        }
        #[cfg(not(feature = "local"))]
        Some(Local {
            dir,
            bucket,
            application,
        }) => Err(Failure::other(format!(
            "this hoist was built without an endpoint, which would keep {bucket} and {application} in {}",
            dir.display()
        ))),
    }
}
