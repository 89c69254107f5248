//! `hoist serve`: the embedded S3 and CodeDeploy for other clients.

use std::path::PathBuf;

use clap::Args;
use hoist::endpoint::Endpoint;

use crate::cli::Failure;
use crate::cli::render::print;
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Directory for buckets, objects, applications and revisions
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// Port on 127.0.0.1; 0 chooses a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
}

pub(crate) fn run(arguments: &ServeArgs) -> Result<(), Failure> {
    let run = Run::start()?;
    run.block_on(async {
        let endpoint = Endpoint::start(&arguments.dir, arguments.port)
            .await
            .map_err(Failure::other)?;
        // A line that a shell can evaluate, and from which a program can read the port.
        print(format!("export AWS_ENDPOINT_URL={}\n", endpoint.url()))?;
        run.cancel().cancelled().await;
        endpoint.shutdown().await;
        Ok(())
    })
}
