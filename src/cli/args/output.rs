//! What a command that packs says on standard error.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportArgs {
    /// Show no progress and no summary
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Report where the time went: stages, waits, queues and the bottleneck
    #[arg(long)]
    pub(crate) timings: bool,

    /// Write a timeline of workers, parts and waits, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}
