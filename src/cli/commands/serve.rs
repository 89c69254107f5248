//! `hoist serve`: the embedded endpoint for other clients.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use hoist::endpoint::Endpoint;
use tokio_util::sync::CancellationToken;

use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure, runtime};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to keep buckets, objects, applications and revisions
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
}

pub(crate) fn run(arguments: &ServeArgs) -> Result<(), Failure> {
    let cancel = CancellationToken::new();
    let failed = |error: std::io::Error| Failure::new(Exit::Failure, error);
    let _watch = Watch::start({
        let cancel = cancel.clone();
        move || cancel.cancel()
    })?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let endpoint = Endpoint::start(&arguments.dir, arguments.port)
            .await
            .map_err(|error| Failure::new(Exit::Failure, error))?;
        // A line that a shell can evaluate, and a program can read the port from.
        let mut out = std::io::stdout().lock();
        writeln!(out, "export AWS_ENDPOINT_URL={}", endpoint.url())
            .and_then(|()| out.flush())
            .map_err(failed)?;
        drop(out);
        cancel.cancelled().await;
        endpoint.shutdown().await;
        Ok(())
    })
}
