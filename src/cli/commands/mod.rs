//! The commands, one a file.

#[cfg(feature = "push")]
pub(crate) mod aws;
mod bench;
mod describe;
pub(crate) mod lint;
mod pack;
#[cfg(feature = "local")]
mod serve;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::Failure;

/// Push AWS CodeDeploy revisions: a directory becomes a zip on all cores and streams to S3 while it
/// is made.
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
    /// Bundle a directory into a local archive, byte for byte what push uploads
    Pack(pack::PackArgs),
    /// Check an AppSpec file: what an agent would refuse, and what would surprise
    #[command(args_override_self = true)]
    Lint(lint::LintArgs),
    /// Measure the pipeline on a directory: where the time goes, and what would move it
    Bench(bench::BenchArgs),
    /// Print what a shell needs to complete arguments
    Completions(describe::CompletionsArgs),
    /// Print the manual page
    Man(describe::ManArgs),
    /// Serve Amazon S3 and AWS CodeDeploy from a directory, on this machine only
    #[cfg(feature = "local")]
    Serve(serve::ServeArgs),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "push")]
            Self::Aws(command) => command.run(),
            Self::Pack(arguments) => pack::run(&arguments),
            Self::Lint(arguments) => lint::run(&arguments),
            Self::Bench(arguments) => bench::run(&arguments),
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
