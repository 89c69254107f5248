//! `--local`: an endpoint in this process instead of AWS.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Testing")]
pub(crate) struct LocalArgs {
    /// Use an S3 and CodeDeploy inside this process that keep their data below DIR, instead of AWS
    #[cfg_attr(
        feature = "local",
        arg(id = "local", long = "local", value_name = "DIR", conflicts_with_all = ["endpoint_url", "profile"])
    )]
    #[cfg_attr(not(feature = "local"), arg(skip))]
    pub(crate) dir: Option<PathBuf>,
}
