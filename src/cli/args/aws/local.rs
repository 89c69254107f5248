//! `--local`: an endpoint in this process instead of AWS.

use std::path::PathBuf;

use clap::Args;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Testing")]
pub(crate) struct LocalArgs {
    /// Use an S3 and CodeDeploy inside this process that keep their data below DIR, instead of AWS
    #[cfg_attr(
        feature = "local",
        arg(
            id = "local",
            long = "local",
            value_name = "DIR",
            conflicts_with_all = ["endpoint_url", "s3_endpoint_url", "codedeploy_endpoint_url", "profile"]
        )
    )]
    #[cfg_attr(not(feature = "local"), arg(skip))]
    pub(crate) dir: Option<PathBuf>,
}

impl LocalArgs {
    /// Where `hoist serve` listens, on a port that is not known yet.
    pub(crate) const ENDPOINT: &str = "http://127.0.0.1:PORT";

    /// Options with which the AWS CLI reaches the endpoint when `hoist serve --dir` serves its directory,
    /// on a port that is not known yet.
    pub(crate) fn words_of_the_aws_cli(&self) -> Option<Vec<String>> {
        let words = ["--endpoint-url", Self::ENDPOINT].map(str::to_owned);
        self.dir.as_ref().map(|_| words.into())
    }
}
