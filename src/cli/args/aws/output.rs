//! What `push` and `clean` say on standard output.

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Lines for people; push prints those of `aws deploy push`
    // Scripts may ask for the other formats of the AWS CLI. `aws deploy push` prints the same text
    // for each of them.
    #[default]
    #[value(aliases = ["table", "yaml", "yaml-stream", "off"])]
    Text,
    /// One JSON object; that of push has the arguments of create-deployment
    Json,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Format of the result on standard output
    #[arg(
        id = "output",
        long = "output",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    pub(crate) format: Output,
}
