//! The commands: one file, or one folder, each.

#[cfg(feature = "push")]
mod aws;
mod bench;
mod describe;
pub(crate) mod lint;
mod pack;
#[cfg(feature = "local")]
mod serve;
#[cfg(feature = "push")]
mod wrapper;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::Failure;

/// Push AWS CodeDeploy revisions: pack a directory on all cores, and upload the archive to S3 while it
/// is packed
#[derive(Debug, Parser)]
#[command(
    name = "hoist",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "push")]
    #[command(flatten)]
    Aws(aws::Command),
    /// Bundle a directory into a local archive, byte for byte the one that push uploads
    Pack(pack::PackArgs),
    /// Check an AppSpec file for errors and for surprises
    #[command(args_override_self = true)]
    Lint(lint::LintArgs),
    /// Measure where the time of packing a directory goes, and which option would help
    Bench(bench::BenchArgs),
    /// Print a shell function that runs hoist for `aws deploy push`, with all its options
    #[cfg(feature = "push")]
    AwsWrapper(wrapper::WrapperArgs),
    /// Print the completions of a shell
    Completions(describe::CompletionsArgs),
    /// Print the manual page
    Man(describe::ManArgs),
    /// Serve Amazon S3 and AWS CodeDeploy from a directory, on this machine only
    #[cfg(feature = "local")]
    Serve(serve::ServeArgs),
}

impl Command {
    /// Whether it has the options of the AWS CLI about regions, credentials and endpoints.
    #[cfg(feature = "push")]
    pub(crate) fn reaches_aws(&self) -> bool {
        matches!(self, Self::Aws(_))
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "push")]
            Self::Aws(command) => command.run(),
            Self::Pack(arguments) => pack::run(&arguments),
            Self::Lint(arguments) => lint::run(&arguments),
            Self::Bench(arguments) => bench::run(&arguments),
            #[cfg(feature = "push")]
            Self::AwsWrapper(arguments) => wrapper::run(&arguments),
            Self::Completions(arguments) => describe::completions(&arguments, Arguments::command()),
            Self::Man(arguments) => describe::man(&arguments, Arguments::command()),
            #[cfg(feature = "local")]
            Self::Serve(arguments) => serve::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
