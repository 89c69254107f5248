//! The commands that talk to S3 and CodeDeploy.

mod clean;
mod deploy;
mod deploy_to;
mod deploying;
mod places;
mod push;
mod register;
mod verify;

use std::path::Path;

use clap::Subcommand;
use hoist::aws::access::{Access, Clients, connect};
use hoist::aws::codedeploy::Platform;
use hoist::bundle::BundleType;
use hoist::cancel::Cancel;
#[cfg(feature = "local")]
use hoist::endpoint::Endpoint;
use hoist::error::shown;

use crate::cli::Failure;
use crate::cli::render::progress::warn;
use crate::cli::render::push::advice;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bundle a directory, upload it to Amazon S3 and register it as a revision with AWS CodeDeploy
    #[command(args_override_self = true)]
    Push(Box<push::PushArgs>),
    /// Register an object that is already in Amazon S3 as a revision with AWS CodeDeploy
    #[command(args_override_self = true)]
    Register(Box<register::RegisterArgs>),
    /// Deploy a revision with AWS CodeDeploy, wait for its end, and show why it failed
    #[command(args_override_self = true)]
    Deploy(Box<deploy::DeployArgs>),
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
            Self::Deploy(arguments) => deploy::run(*arguments),
            Self::Verify(arguments) => verify::run(&arguments),
            Self::Clean(arguments) => clean::run(&arguments),
        }
    }
}

/// An endpoint in this process.
#[cfg_attr(
    not(feature = "local"),
    allow(dead_code, reason = "there is no endpoint")
)]
pub(super) struct Local<'a> {
    pub(super) dir: &'a Path,
    /// What must exist there before the first request. None: the state must exist already.
    pub(super) needs: Option<Needs<'a>>,
}

/// What an endpoint in this process makes if it is missing.
#[cfg_attr(
    not(feature = "local"),
    allow(dead_code, reason = "there is no endpoint")
)]
pub(super) struct Needs<'a> {
    pub(super) bucket: &'a str,
    pub(super) application: &'a str,
    /// What the application deploys to. None: an AppSpec file does not tell, so that either will do.
    pub(super) platform: Option<Platform>,
}

impl<'a> Local<'a> {
    /// The endpoint of a command that reads or removes what another command stored.
    pub(super) fn existing(dir: Option<&'a Path>) -> Result<Option<Self>, Failure> {
        #[cfg(feature = "local")]
        if let Some(dir) = dir.filter(|dir| !Endpoint::is_state(dir)) {
            return Err(Failure::other(format!(
                "{} has no state of an endpoint; hoist push --local DIR makes it",
                shown(dir)
            )));
        }
        Ok(dir.map(|dir| Self { dir, needs: None }))
    }
}

/// Warns if the ending of a key stands for another type than the object's: the type is registered, but
/// people and programs go by the name.
pub(super) fn warn_of_key(key: &str, bundle: BundleType) {
    if let Some(named) = BundleType::of_name(key).filter(|named| *named != bundle) {
        warn(&format!(
            "the key {} ends like {named}, and the revision is {bundle}; choose a key that ends \
             in {}",
            shown(key),
            bundle.ending()
        ));
    }
}

/// Refuses the name of a bucket that the store cannot have, before any work is done for it.
pub(super) fn check_bucket(clients: &Clients, name: &str) -> Result<(), Failure> {
    let warning = clients.s3.check_bucket(name).map_err(Failure::usage)?;
    if let Some(warning) = warning {
        warn(&warning);
    }
    Ok(())
}

/// The endpoint that a command uses.
pub(super) struct Services<'a> {
    #[cfg(feature = "local")]
    endpoint: Option<Endpoint>,
    cancel: &'a Cancel,
}

impl Services<'_> {
    /// Connects. An endpoint in this process first makes what is needed there.
    pub(super) async fn connected(
        &self,
        access: Access,
        needs: Option<&Needs<'_>>,
    ) -> Result<Clients, Failure> {
        #[cfg(feature = "local")]
        let access = match &self.endpoint {
            Some(endpoint) => Access {
                endpoint_url: Some(endpoint.url().to_owned()),
                anonymous: true,
                ..access
            },
            None => access,
        };
        let connected = self.cancel.run_until_cancelled(connect(&access)).await;
        let connected = connected.ok_or_else(|| Failure::other("stopped"))?;
        let clients = connected.map_err(|error| advice::not_connected(&error))?;
        #[cfg(feature = "local")]
        if let (Some(endpoint), Some(needs)) = (&self.endpoint, needs) {
            let platform = needs.platform.as_ref().unwrap_or(&Platform::Lambda);
            let platform = platform.to_string();
            let (bucket, application) = (needs.bucket, needs.application);
            let region = &clients.region;
            let prepared = endpoint.prepare_for(bucket, region, application, &platform);
            prepared.map_err(Failure::other)?;
        }
        #[cfg(not(feature = "local"))]
        let _ = needs;
        Ok(clients)
    }

    /// Makes the deployment groups that an endpoint in this process lacks, so that a trial needs no
    /// preparation.
    pub(super) fn make_groups(
        &self,
        region: &str,
        application: &str,
        groups: &[String],
    ) -> Result<(), Failure> {
        #[cfg(feature = "local")]
        if let Some(endpoint) = &self.endpoint {
            for group in groups {
                let made = endpoint.prepare_group(region, application, group);
                made.map_err(|error| {
                    let hint = "check --application-name and --region";
                    Failure::new(crate::cli::Exit::Service, error).and(Some(hint))
                })?;
            }
        }
        #[cfg(not(feature = "local"))]
        let _ = (region, application, groups);
        Ok(())
    }
}

/// Does `work` with AWS or, if there is a `local` directory, with an endpoint that is started before and ended
/// afterwards.
pub(super) async fn with_services<T>(
    local: Option<&Path>,
    cancel: &Cancel,
    work: impl AsyncFnOnce(&Services<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    #[cfg(not(feature = "local"))]
    if let Some(dir) = local {
        return Err(Failure::other(format!(
            "this hoist was built without an endpoint, so it cannot use {}",
            shown(dir)
        )));
    }
    let services = Services {
        #[cfg(feature = "local")]
        endpoint: match local {
            Some(dir) => Some(Endpoint::start(dir, 0).await.map_err(Failure::other)?),
            None => None,
        },
        cancel,
    };
    let done = work(&services).await;
    #[cfg(feature = "local")]
    if let Some(endpoint) = services.endpoint {
        endpoint.shutdown().await;
    }
    done
}

/// Connects to AWS, or with `local` to an endpoint of this process, and does `work`.
pub(super) async fn with_clients<T>(
    access: Access,
    local: Option<Local<'_>>,
    cancel: &Cancel,
    work: impl AsyncFnOnce(Clients) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let dir = local.as_ref().map(|local| local.dir);
    with_services(dir, cancel, async |services| {
        let needs = local.and_then(|local| local.needs);
        work(services.connected(access, needs.as_ref()).await?).await
    })
    .await
}
