//! The commands that talk to S3 and CodeDeploy.

mod clean;
pub(crate) mod push;
mod register;
mod verify;

use clap::Subcommand;

use crate::cli::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bundle a directory, upload it to Amazon S3 and register it as a revision with AWS CodeDeploy
    #[command(args_override_self = true)]
    Push(Box<push::PushArgs>),
    /// Register an object that is in Amazon S3 already as a revision with AWS CodeDeploy
    #[command(args_override_self = true)]
    Register(Box<register::RegisterArgs>),
    /// Read an archive back, from Amazon S3 or the disk, and check every byte of it
    #[command(args_override_self = true)]
    Verify(Box<verify::VerifyArgs>),
    /// Abort multipart uploads that nobody will finish, and free their parts
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
