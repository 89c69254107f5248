//! `hoist pack`: a bundle as a local file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use hoist::archive::limits::{DEFAULT_CONCURRENCY, Limits};
use hoist::archive::manifest::{self, Draft};
use hoist::archive::pack::{self, Packed, pack_to_file};
use hoist::archive::plan::{self, Plan};
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::progress::Progress;

use crate::cli::Failure;
use crate::cli::args::archive::{ArchiveArgs, level_name, refuse_auto};
use crate::cli::args::output::ReportArgs;
use crate::cli::args::source::{SourceArgs, keep_apart};
use crate::cli::render::advice;
use crate::cli::render::progress::{Display, View, say, unless_stopped, warn_of};
use crate::cli::render::summary::summary;
use crate::cli::render::timings::{Setup, TimingReport};
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// Archive to write; an existing file is replaced when the archive is complete
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    report: ReportArgs,
}

pub(crate) fn run(arguments: &PackArgs) -> Result<(), Failure> {
    let (source, manifest) = (&arguments.source.dir, &arguments.archive.manifest);
    let options = arguments.source.options(arguments.archive.threads())?;
    keep_apart(source, &arguments.output, "--output")?;
    arguments.archive.keep_manifest_apart(source)?;
    let absolute = |path: &PathBuf| std::path::absolute(path).ok();
    if manifest
        .as_ref()
        .is_some_and(|path| absolute(path) == absolute(&arguments.output))
    {
        return Err(Failure::usage(
            "--output and --manifest name the same file; choose another for one of them",
        ));
    }
    let run = Run::start()?;
    let (timings, trace) = (arguments.report.timings, arguments.report.trace.as_deref());
    let timing = TimingReport::start(timings, trace)?;
    let setup = Setup {
        level: level_name(arguments.archive.level),
        threads: options.threads,
        sends: false,
        bandwidth: None,
    };
    let (quiet, progress) = (arguments.report.quiet, Arc::clone(timing.progress()));
    let form = arguments.report.progress.form(quiet, false);
    let view = move || View::pack(&progress.snapshot());
    let display = Display::start(form, unless_stopped(run.stopping(), view));
    let started = Instant::now();
    let packed = pack(arguments, &options, run.cancel(), timing.progress());
    display.end();
    match packed {
        Ok((packed, plan)) => {
            if !quiet {
                warn_of(plan.notices());
                if let Some(notice) = packed.notice(plan.notices()) {
                    warn_of(std::slice::from_ref(&notice));
                }
                say(&summary(&packed, started.elapsed(), None));
            }
            timing.end(setup, Some(&packed));
            Ok(())
        }
        Err(failure) => {
            timing.end(setup, None);
            run.finish(Err(if run.cancel().is_cancelled() {
                Failure::other("stopped; nothing was written")
            } else {
                failure
            }))
        }
    }
}

fn pack(
    arguments: &PackArgs,
    options: &plan::Options,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<(Packed, Plan), Failure> {
    let archive = &arguments.archive;
    refuse_auto(archive.level)?;
    let mut plan = progress
        .walk(|| Plan::scan(&arguments.source.dir, options, cancel))
        .map_err(|error| Failure::other(advice::unlisted(&error)))?;
    let name = arguments.output.to_string_lossy();
    let format = archive.bundle_type.format(&name);
    if format == Format::Zip {
        plan.note_zip_names();
    }
    let worst_case = pack::worst_case(&plan, format);
    let limits = Limits::for_archive(worst_case, options.threads, DEFAULT_CONCURRENCY)
        .map_err(Failure::other)?;
    let options = pack::Options {
        format,
        level: archive.level,
        limits,
        digest: false,
    };
    let manifest = archive.manifest.as_deref().map(Draft::create);
    let mut manifest = manifest.transpose().map_err(Failure::other)?;
    let mut list = manifest
        .as_mut()
        .map(|draft| move |entry: &manifest::Entry<'_>| Ok(draft.entry(entry)?));
    let list = list.as_mut().map(|list| list as &mut pack::List<'_>);
    let packed = pack_to_file(&plan, &arguments.output, &options, list, cancel, progress)
        .map_err(|error| Failure::other(advice::unpacked(&error)))?;
    if let Some(draft) = manifest {
        let kept = draft.finish().and_then(manifest::Finished::keep);
        kept.map_err(|error| Failure::other(format!("the archive is complete, but: {error}")))?;
    }
    Ok((packed, plan))
}
