//! What a command that packs says on standard error.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::render::progress::Form;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shows {
    /// A bar on a terminal, plain lines elsewhere and in CI
    #[default]
    Auto,
    /// A bar, also where there is no terminal
    Bar,
    /// A line every ten seconds
    Plain,
    /// Nothing
    None,
}

/// How a command shows how far it is.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ProgressArgs {
    /// Show progress as a bar, or as a line every ten seconds
    #[arg(
        long = "progress",
        value_name = "HOW",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    shows: Shows,
}

impl ProgressArgs {
    /// How to show progress. With `quiet` nothing is shown, and with `logs` no bar is drawn between the lines
    /// of another output unless it was asked for.
    pub(crate) fn form(self, quiet: bool, logs: bool) -> Form {
        match self.shows {
            _ if quiet => Form::None,
            Shows::None => Form::None,
            Shows::Bar => Form::Bar,
            Shows::Plain => Form::Plain,
            Shows::Auto if logs => Form::Plain,
            Shows::Auto => Form::that_suits_standard_error(),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportArgs {
    /// Show no progress and no summary
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) progress: ProgressArgs,

    /// Report where the time went: stages, waits, queues and the bottleneck
    #[arg(long)]
    pub(crate) timings: bool,

    /// Write a timeline of workers, parts and waits, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}
