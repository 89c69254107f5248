//! `hoist pack`: a bundle as a local file.

use std::path::PathBuf;

use clap::Args;
use hoist::limits::{DEFAULT_CONCURRENCY, Limits};
use hoist::pack::{self, Packed, pack_to_file};
use hoist::plan::{self, Plan};
use hoist::progress::Progress;
use hoist::stop::Stop;

use super::progress::Display;
use super::signals::Watch;
use super::timings::Setup;
use super::{BundleArgs, Exit, Failure, keep_apart};

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The archive to write; an existing one is replaced when the new one is complete
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    bundle: BundleArgs,
}

pub(crate) fn run(arguments: &PackArgs) -> Result<(), Failure> {
    let options = arguments.bundle.plan_options()?;
    keep_apart(&arguments.bundle.source, &arguments.output, "--output")?;
    let stop = Stop::new();
    let watch = Watch::start({
        let stop = stop.clone();
        move || stop.set()
    })?;
    let told = arguments.bundle.timing.start()?;
    let setup = Setup {
        level: arguments.bundle.level.to_string(),
        threads: options.threads,
        sends: false,
    };
    let display = Display::start(told.progress(), arguments.bundle.quiet);
    match pack(arguments, &options, &stop, told.progress()) {
        Ok((packed, plan)) => {
            display.end(Some((&packed, plan.notices(), "packed")));
            told.end(setup, Some(&packed));
            Ok(())
        }
        Err(failure) => {
            display.end(None);
            told.end(setup, None);
            Err(match watch.exit() {
                Some(exit) => Failure::new(exit, "stopped; nothing was written"),
                None => failure,
            })
        }
    }
}

fn pack(
    arguments: &PackArgs,
    options: &plan::Options,
    stop: &Stop,
    progress: &Progress,
) -> Result<(Packed, Plan), Failure> {
    let bundle = &arguments.bundle;
    let level = bundle.level.fixed()?;
    let plan = progress
        .walk(|| Plan::scan(&bundle.source, options, stop))
        .map_err(failure)?;
    let format = bundle
        .bundle_type
        .format(&arguments.output.to_string_lossy());
    let worst_case = pack::worst_case(&plan, format);
    let limits =
        Limits::for_archive(worst_case, options.threads, DEFAULT_CONCURRENCY).map_err(failure)?;
    let options = pack::Options {
        format,
        level,
        limits,
        auto: false,
        digest: false,
    };
    let packed =
        pack_to_file(&plan, &arguments.output, &options, stop, progress).map_err(failure)?;
    Ok((packed, plan))
}

fn failure(error: impl ToString) -> Failure {
    Failure::new(Exit::Failure, error)
}
