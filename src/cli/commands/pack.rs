//! `hoist pack`: a bundle as a local file.

use std::path::PathBuf;

use clap::Args;
use hoist::archive::limits::{DEFAULT_CONCURRENCY, Limits};
use hoist::archive::manifest::{self, Draft};
use hoist::archive::pack::{self, Packed, pack_to_file};
use hoist::archive::plan::{self, Plan};
use hoist::cancel::Cancel;
use hoist::progress::Progress;

use crate::cli::args::{BundleArgs, keep_apart};
use crate::cli::render::progress::Display;
use crate::cli::render::timings::Setup;
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure};

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
    arguments.bundle.keep_manifest_apart()?;
    let absolute = |path: &PathBuf| std::path::absolute(path).ok();
    let manifest = arguments.bundle.manifest.as_ref();
    if manifest.is_some_and(|manifest| absolute(manifest) == absolute(&arguments.output)) {
        return Err(Failure::usage(
            "--output and --manifest name the same file; choose another for one of them",
        ));
    }
    let stop = Cancel::new();
    let watch = Watch::start({
        let stop = stop.clone();
        move || stop.cancel()
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
    stop: &Cancel,
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
        level: level.into(),
        limits,
        digest: false,
    };
    let manifest = bundle.manifest.as_deref().map(Draft::create);
    let mut manifest = manifest.transpose().map_err(failure)?;
    let mut list = manifest
        .as_mut()
        .map(|draft| move |entry: &manifest::Entry<'_>| Ok(draft.entry(entry)?));
    let list = list.as_mut().map(|list| list as &mut pack::List<'_>);
    let packed =
        pack_to_file(&plan, &arguments.output, &options, list, stop, progress).map_err(failure)?;
    if let Some(draft) = manifest {
        let kept = draft.finish().and_then(manifest::Finished::keep);
        kept.map_err(|error| {
            Failure::new(
                Exit::Failure,
                format!("the archive is complete, but: {error}"),
            )
        })?;
    }
    Ok((packed, plan))
}

fn failure(error: impl ToString) -> Failure {
    Failure::new(Exit::Failure, error)
}
