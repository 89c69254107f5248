//! `hoist bench`: measures the pipeline on a directory, as often and with as many settings as asked.

#[cfg_attr(not(feature = "push"), path = "no_sending.rs")]
mod sending;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use hoist::archive::limits::{DEFAULT_CONCURRENCY, Limits, default_threads};
use hoist::archive::pack::{self, LevelPolicy, Packed};
use hoist::archive::plan::{self, Plan};
use hoist::cancel::Cancel;
use hoist::progress::Progress;

use crate::cli::Failure;
use crate::cli::args::archive::{BundleTypeArgs, level, level_name, refuse_auto, threads};
use crate::cli::args::output::ProgressArgs;
use crate::cli::render::advice;
use crate::cli::render::print;
use crate::cli::render::progress::{Display, Doing, View, unless_stopped};
use crate::cli::render::timings::{Recording, Report, Setup, csv, json, plot, table, write_trace};
use crate::cli::run::Run;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Directory to pack
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Source")]
    source: PathBuf,

    /// Leave out files and directories whose name starts with a dot
    #[arg(long, help_heading = "Source")]
    ignore_hidden_files: bool,

    /// Where the archive goes: null discards it, pack writes a temporary file, local sends it to an
    /// endpoint in this process, s3://BUCKET/KEY to Amazon S3, where it stays (the last two need an
    /// appspec.yml at the root)
    #[arg(long, value_name = "SINK", default_value = "null", value_parser = sink, help_heading = "Settings")]
    sink: Sink,

    #[command(flatten, next_help_heading = "Settings")]
    bundle_type: BundleTypeArgs,

    /// Compression levels to measure, as --level of hoist push takes them
    #[arg(long, value_name = "LEVEL,…", default_value = "default", value_delimiter = ',',
          value_parser = level, help_heading = "Settings")]
    levels: Vec<LevelPolicy>,

    /// Numbers of threads to measure [default: as hoist push]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = threads, help_heading = "Settings")]
    threads: Vec<usize>,

    /// With a sink that sends: send at most this many bytes a second, as hoist push does
    #[cfg(feature = "push")]
    #[arg(long, value_name = "RATE", value_parser = crate::cli::args::aws::upload::rate, help_heading = "Settings")]
    bandwidth_limit: Option<u64>,

    /// Runs of each setting; the table shows the median run
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Settings")]
    repeat: u32,

    /// Format of the result: table has the median runs, json and csv every run
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        help_heading = "Output"
    )]
    format: Format,

    /// Draw rates and queues over time, of the first setting's median run
    #[arg(long, value_name = "FILE.svg", help_heading = "Output")]
    plot: Option<PathBuf>,

    /// Write a timeline of that run, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    progress: ProgressArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

#[derive(Clone, Debug)]
enum Sink {
    Null,
    Pack,
    Send(sending::Target),
}

fn sink(text: &str) -> Result<Sink, String> {
    match text {
        "null" => Ok(Sink::Null),
        "pack" => Ok(Sink::Pack),
        _ if text == "local" || text.starts_with("s3://") => sending::target(text).map(Sink::Send),
        _ => Err("choose null, pack, local or s3://BUCKET/KEY".into()),
    }
}

/// One run: its figures and its counters.
struct Sample {
    report: Report,
    progress: Arc<Progress>,
}

pub(crate) fn run(arguments: &BenchArgs) -> Result<(), Failure> {
    let run = Run::start()?;
    let counts = if arguments.threads.is_empty() {
        vec![default_threads()]
    } else {
        arguments.threads.clone()
    };
    let settings: Vec<(LevelPolicy, usize)> = arguments
        .levels
        .iter()
        .flat_map(|&level| counts.iter().map(move |&threads| (level, threads)))
        .collect();
    let mut samples: Vec<Vec<Sample>> = settings.iter().map(|_| Vec::new()).collect();
    let current = Current::default();
    let (shown, runs) = (current.clone(), settings.len() * arguments.repeat as usize);
    let sends = matches!(arguments.sink, Sink::Send(_));
    let form = arguments.progress.form(false, false);
    let view = move || shown.view(runs, sends);
    let display = Display::start(form, unless_stopped(run.stopping(), view));
    // All settings take turns, so that other load on the machine hits each of them alike.
    for _ in 0..arguments.repeat {
        for (setting, samples) in settings.iter().zip(&mut samples) {
            let sample = measure(arguments, *setting, &run, &current);
            samples.push(run.finish(sample)?);
        }
    }
    display.end();
    print(tell(arguments.format, &mut samples)?)?;
    let Some(sample) = samples.first_mut().map(|samples| median(samples)) else {
        return Ok(());
    };
    if let Some(file) = &arguments.plot {
        plot::write(file, &sample.report).map_err(Failure::other)?;
    }
    if let Some(file) = &arguments.trace {
        write_trace(file, &sample.report, &sample.progress).map_err(Failure::other)?;
    }
    Ok(())
}

/// The run that is under way, for the display. Clones share it.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<(usize, Option<Arc<Progress>>)>>);

impl Current {
    /// The next run begins.
    fn begin(&self, progress: &Arc<Progress>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Some(Arc::clone(progress)));
    }

    fn view(&self, runs: usize, sends: bool) -> View {
        let (number, progress) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(progress) = progress else {
            return View::of(Doing::text("starting"));
        };
        let view = if sends {
            View::push(&progress.snapshot())
        } else {
            View::pack(&progress.snapshot())
        };
        View {
            label: format!("run {number} of {runs}"),
            // Each run begins at zero.
            round: number as u64,
            ..view
        }
    }
}

fn measure(
    arguments: &BenchArgs,
    (level, threads): (LevelPolicy, usize),
    run: &Run,
    current: &Current,
) -> Result<Sample, Failure> {
    let setup = Setup {
        level: level_name(level),
        threads,
        sends: matches!(arguments.sink, Sink::Send(_)),
        #[cfg(feature = "push")]
        bandwidth: arguments.bandwidth_limit,
        #[cfg(not(feature = "push"))]
        bandwidth: None,
    };
    if let Sink::Send(target) = &arguments.sink {
        return sending::measure(arguments, level, setup, target, run, current);
    }
    let dir = match arguments.sink {
        Sink::Pack => Some(temporary()?),
        _ => None,
    };
    let file = dir.as_ref().map(|dir| dir.path().join("bench.zip"));
    let (progress, recording) = Recording::start(arguments.trace.is_some())?;
    current.begin(&progress);
    let packed = packed(
        arguments,
        level,
        threads,
        run.cancel(),
        &progress,
        file.as_deref(),
    )?;
    let report = recording.end(setup, Some(&packed));
    Ok(Sample { report, progress })
}

fn temporary() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(|error| {
        Failure::other(format!(
            "cannot make a temporary directory: {error}; set TMPDIR to another place"
        ))
    })
}

/// Packs into `file`, or discards the archive.
fn packed(
    arguments: &BenchArgs,
    level: LevelPolicy,
    threads: usize,
    cancel: &Cancel,
    progress: &Progress,
    file: Option<&Path>,
) -> Result<Packed, Failure> {
    refuse_auto(level)?;
    let options = plan::Options {
        ignore_hidden: arguments.ignore_hidden_files,
        threads,
        ..plan::Options::default()
    };
    let plan = progress
        .walk(|| Plan::scan(&arguments.source, &options, cancel))
        .map_err(|error| Failure::other(advice::unlisted(&error)))?;
    let format = arguments.bundle_type.format("");
    let worst_case = pack::worst_case(&plan, format);
    let limits = Limits::for_archive(worst_case, threads, DEFAULT_CONCURRENCY);
    let options = pack::Options {
        format,
        level,
        limits: limits.map_err(Failure::other)?,
        digest: false,
    };
    let packed = match file {
        Some(file) => pack::pack_to_file(&plan, file, &options, None, cancel, progress),
        None => pack::pack(&plan, &options, cancel, progress, &mut |_| Ok(())),
    };
    packed.map_err(|error| Failure::other(advice::unpacked(&error)))
}

/// The median run, by wall time.
fn median(runs: &mut [Sample]) -> &Sample {
    runs.sort_by_key(|run| run.report.wall);
    &runs[runs.len() / 2]
}

fn tell(format: Format, runs: &mut [Vec<Sample>]) -> Result<String, Failure> {
    let all = runs
        .iter()
        .flat_map(|runs| runs.iter().zip(1..))
        .map(|(run, number)| (&run.report, number));
    match format {
        Format::Json => {
            let values: Vec<_> = all
                .map(|(report, number)| json::run(report, number))
                .collect();
            let text = serde_json::to_string_pretty(&values);
            let text = text.map_err(Failure::other)?;
            Ok(text + "\n")
        }
        Format::Csv => {
            let lines = all.map(|(report, number)| csv::run(report, number));
            let lines: Vec<_> = std::iter::once(csv::header()).chain(lines).collect();
            Ok(lines.join("\n") + "\n")
        }
        Format::Table => Ok(runs
            .iter_mut()
            .map(|runs| {
                let walls = runs.iter().map(|run| run.report.wall);
                let range = walls.clone().min().zip(walls.max());
                table::run(&median(runs).report, range)
            })
            .collect::<Vec<_>>()
            .join("\n")),
    }
}
