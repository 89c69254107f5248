//! `--local`: an endpoint in this process instead of AWS.

use std::path::PathBuf;

use clap::Args;

use super::access::AccessArgs;

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
    const ENDPOINT: &str = "http://127.0.0.1:PORT";

    /// Options with which the AWS CLI reaches the endpoint when `hoist serve --dir` serves its directory,
    /// on a port that is not known yet.
    pub(crate) fn words_of_the_aws_cli(&self) -> Option<Vec<String>> {
        let words = ["--endpoint-url", Self::ENDPOINT].map(str::to_owned);
        self.dir.as_ref().map(|_| words.into())
    }

    /// The same option for another command line of hoist.
    pub(crate) fn words(&self) -> Vec<String> {
        let dir = self.dir.as_ref().map(|dir| dir.display().to_string());
        let words = dir.map(|dir| ["--local".to_owned(), dir]);
        words.into_iter().flatten().collect()
    }

    /// The options with which the AWS CLI reaches the CodeDeploy of this command.
    pub(crate) fn words_of_a_deployment(&self, access: &AccessArgs) -> Vec<String> {
        let mut words = access.words_of_a_deployment();
        words.extend(self.words_of_the_aws_cli().into_iter().flatten());
        words
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn commands_of_the_aws_cli_ask_the_region_of_this_command_at_the_endpoint() {
        let command = AccessArgs::augment_args(Command::new("hoist"));
        let matches = command.get_matches_from(["hoist", "--region", "us-west-2"]);
        let access = AccessArgs::from_arg_matches(&matches).unwrap();
        let local = LocalArgs {
            dir: Some("state".into()),
        };
        let words = local.words_of_a_deployment(&access).join(" ");
        assert_eq!(
            words,
            "--region us-west-2 --endpoint-url http://127.0.0.1:PORT"
        );
        assert_eq!(local.words(), ["--local", "state"]);
        let aws = LocalArgs { dir: None };
        assert_eq!(
            aws.words_of_a_deployment(&access),
            ["--region", "us-west-2"]
        );
        assert!(aws.words().is_empty());
    }
}
