//! Options of the commands that talk to S3 and CodeDeploy.

pub(crate) mod access;
pub(crate) mod asked;
pub(crate) mod bucket;
pub(crate) mod deploy_to;
pub(crate) mod deployment;
pub(crate) mod destination;
pub(crate) mod local;
pub(crate) mod object;
pub(crate) mod output;
pub(crate) mod paramfile;
pub(crate) mod revision;
pub(crate) mod shorthand;
pub(crate) mod structure;
pub(crate) mod upload;
pub(crate) mod wait;

use clap::Args;
use hoist::aws::call::DEFAULT_ATTEMPTS;

#[derive(Clone, Debug, Args)]
pub(crate) struct AttemptsArgs {
    /// How often each request is tried before the command fails, with longer and longer pauses in
    /// between
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ATTEMPTS, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) max_attempts: u32,
}
