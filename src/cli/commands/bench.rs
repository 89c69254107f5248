//! `hoist bench`: measures the pipeline on a tree, as often and with as many settings as asked.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hoist::archive::limits::{DEFAULT_CONCURRENCY, Limits, default_threads};
use hoist::archive::pack::{self, Packed};
use hoist::archive::plan::{self, Plan};
use hoist::cancel::Cancel;
use hoist::progress::Progress;

use crate::cli::args::archive::BundleTypeArgs;
use crate::cli::args::{LevelArg, level, threads};
use crate::cli::render::timings::{Recording, Report, Setup, csv, json, plot, table, write_trace};
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Directory to pack
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,

    /// Leave out files and directories whose name starts with a dot
    #[arg(long)]
    ignore_hidden_files: bool,

    /// Where the archive goes: null drops it, pack writes a temporary file, local sends it to an
    /// endpoint in this process, s3://BUCKET/KEY to Amazon S3, where it stays (the last two need an
    /// appspec.yml at the root)
    #[arg(long, value_name = "SINK", default_value = "null", value_parser = sink)]
    sink: Sink,

    #[command(flatten)]
    bundle_type: BundleTypeArgs,

    /// Levels to try, as --level has them
    #[arg(long, value_name = "LEVEL,…", default_value = "default", value_delimiter = ',',
          value_parser = level)]
    levels: Vec<LevelArg>,

    /// Numbers of threads to try [default: as hoist push]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = threads)]
    threads: Vec<usize>,

    /// Runs of each; the median is told
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,

    /// How to tell it: table gives medians, json and csv every run
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,

    /// Draw rates and queues over time of the first setting's median run
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,

    /// Write a timeline of that run, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sink {
    Null,
    Pack,
    #[cfg(all(feature = "push", feature = "local"))]
    Local,
    #[cfg(feature = "push")]
    S3(hoist::aws::s3::S3Location),
}

fn sink(text: &str) -> Result<Sink, String> {
    match text {
        "null" => Ok(Sink::Null),
        "pack" => Ok(Sink::Pack),
        #[cfg(all(feature = "push", feature = "local"))]
        "local" => Ok(Sink::Local),
        #[cfg(feature = "push")]
        url if url.starts_with("s3://") => url
            .parse()
            .map(Sink::S3)
            .map_err(|error: hoist::aws::s3::BadLocation| error.to_string()),
        #[cfg(not(all(feature = "push", feature = "local")))]
        "local" => Err("this hoist was built without an endpoint".into()),
        #[cfg(not(feature = "push"))]
        url if url.starts_with("s3://") => Err("this hoist was built without S3".into()),
        _ => Err("choose null, pack, local or s3://BUCKET/KEY".into()),
    }
}

/// One run: what it did, and its counters.
struct Run {
    report: Report,
    progress: Arc<Progress>,
}

pub(crate) fn run(arguments: &BenchArgs) -> Result<(), Failure> {
    let stop = Cancel::new();
    let watch = Watch::start({
        let stop = stop.clone();
        move || stop.cancel()
    })?;
    let counts = if arguments.threads.is_empty() {
        vec![default_threads()]
    } else {
        arguments.threads.clone()
    };
    let settings: Vec<(LevelArg, usize)> = arguments
        .levels
        .iter()
        .flat_map(|&level| counts.iter().map(move |&threads| (level, threads)))
        .collect();
    let mut runs: Vec<Vec<Run>> = settings.iter().map(|_| Vec::new()).collect();
    // All settings in turn, and again: what else the machine does hits them all alike.
    for _ in 0..arguments.repeat {
        for (setting, runs) in settings.iter().zip(&mut runs) {
            let run = one(arguments, *setting, &stop).map_err(|failure| match watch.exit() {
                Some(exit) => Failure::new(exit, "stopped"),
                None => failure,
            })?;
            runs.push(run);
        }
    }
    let text = tell(arguments.format, &mut runs)?;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Failure, error))?;
    let Some(run) = runs.first_mut().map(|runs| median(runs)) else {
        return Ok(());
    };
    if let Some(file) = &arguments.plot {
        plot::write(file, &run.report).map_err(|error| Failure::new(Exit::Failure, error))?;
    }
    if let Some(file) = &arguments.trace {
        write_trace(file, &run.report, &run.progress)
            .map_err(|error| Failure::new(Exit::Failure, error))?;
    }
    Ok(())
}

fn one(
    arguments: &BenchArgs,
    (level, threads): (LevelArg, usize),
    stop: &Cancel,
) -> Result<Run, Failure> {
    let setup = |sends| Setup {
        level: level.to_string(),
        threads,
        sends,
    };
    match &arguments.sink {
        Sink::Null => {
            let (progress, recording) = Recording::start(arguments.trace.is_some())?;
            let packed = packed(arguments, level, threads, stop, &progress, None)?;
            let report = recording.end(setup(false), Some(&packed));
            Ok(Run { report, progress })
        }
        Sink::Pack => {
            let dir = temporary()?;
            let file = dir.path().join("bench.zip");
            let (progress, recording) = Recording::start(arguments.trace.is_some())?;
            let packed = packed(arguments, level, threads, stop, &progress, Some(&file))?;
            let report = recording.end(setup(false), Some(&packed));
            Ok(Run { report, progress })
        }
        #[cfg(all(feature = "push", feature = "local"))]
        Sink::Local => sending::local(arguments, level, setup(true), stop),
        #[cfg(feature = "push")]
        Sink::S3(location) => sending::s3(arguments, level, setup(true), location, stop),
    }
}

fn temporary() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(|error| {
        let text =
            format!("cannot make a temporary directory: {error}; set TMPDIR to another place");
        Failure::new(Exit::Failure, text)
    })
}

/// Packs into `file`, or into nothing.
fn packed(
    arguments: &BenchArgs,
    level: LevelArg,
    threads: usize,
    stop: &Cancel,
    progress: &Progress,
    file: Option<&Path>,
) -> Result<Packed, Failure> {
    let failure = |error: &dyn ToString| Failure::new(Exit::Failure, error.to_string());
    let level = level.fixed()?;
    let options = plan::Options {
        ignore_hidden: arguments.ignore_hidden_files,
        threads,
        ..plan::Options::default()
    };
    let plan = progress
        .walk(|| Plan::scan(&arguments.source, &options, stop))
        .map_err(|error| failure(&error))?;
    let format = arguments.bundle_type.format("");
    let worst_case = pack::worst_case(&plan, format);
    let limits = Limits::for_archive(worst_case, threads, DEFAULT_CONCURRENCY)
        .map_err(|error| failure(&error))?;
    let options = pack::Options {
        format,
        level: level.into(),
        limits,
        digest: false,
    };
    let packed = match file {
        Some(file) => pack::pack_to_file(&plan, file, &options, None, stop, progress),
        None => pack::pack(&plan, &options, stop, progress, &mut |_| Ok(())),
    };
    packed.map_err(|error| failure(&error))
}

#[cfg(feature = "push")]
mod sending {
    //! Sinks that parts are sent to. Nothing is registered.

    use hoist::aws::access::{Access, Clients, connect};
    use hoist::aws::s3::S3Location;
    use hoist::aws::s3::S3Store;
    use hoist::bundle::Content;
    use hoist::push::{Destination, Observer, Packing, Request, Source, Uploading, push};

    use super::*;
    use crate::cli::args::aws::access::refused;
    use crate::cli::runtime;

    #[cfg(feature = "local")]
    pub(super) fn local(
        arguments: &BenchArgs,
        level: LevelArg,
        setup: Setup,
        stop: &Cancel,
    ) -> Result<Run, Failure> {
        let dir = temporary()?;
        let failed = |error: hoist::endpoint::Error| Failure::new(Exit::Failure, error);
        runtime()?.block_on(async {
            let endpoint = hoist::endpoint::Endpoint::start(dir.path(), 0)
                .await
                .map_err(failed)?;
            let access = Access {
                endpoint_url: Some(endpoint.url().to_owned()),
                anonymous: true,
                ..Access::default()
            };
            let location = S3Location {
                bucket: "hoist-bench".into(),
                key: "bench.zip".into(),
            };
            let clients = clients(&access).await?;
            endpoint
                .prepare(&location.bucket, &clients.region, "hoist-bench")
                .map_err(failed)?;
            let run = sent(arguments, level, setup, clients, &location, stop).await;
            endpoint.shutdown().await;
            run
        })
    }

    pub(super) fn s3(
        arguments: &BenchArgs,
        level: LevelArg,
        setup: Setup,
        location: &S3Location,
        stop: &Cancel,
    ) -> Result<Run, Failure> {
        runtime()?.block_on(async {
            let clients = clients(&Access::default()).await?;
            sent(arguments, level, setup, clients, location, stop).await
        })
    }

    async fn clients(access: &Access) -> Result<Clients, Failure> {
        connect(access).await.map_err(|error| refused(&error))
    }

    async fn sent(
        arguments: &BenchArgs,
        level: LevelArg,
        setup: Setup,
        clients: Clients,
        location: &S3Location,
        stop: &Cancel,
    ) -> Result<Run, Failure> {
        let request = Request {
            source: Source {
                path: arguments.source.clone(),
                content: Content::Archive(arguments.bundle_type.format(&location.key)),
                select: plan::Options {
                    ignore_hidden: arguments.ignore_hidden_files,
                    ..plan::Options::default()
                },
                lint: false,
            },
            packing: Packing {
                level: level.policy(),
                threads: setup.threads,
                ..Packing::default()
            },
            uploading: Uploading::default(),
        };
        let store = S3Store::new(clients.s3, location.clone(), clients.sign_payload);
        let (progress, recording) = Recording::start(arguments.trace.is_some())?;
        let observer = Observer {
            progress: Arc::clone(&progress),
            ..Observer::default()
        };
        let destination = Destination::new(store, location.clone());
        let sent = push(&request, &destination, &observer, stop).await;
        let sent = sent.map_err(|error| {
            let failure = Failure::new(Exit::Failure, &error);
            match error.left() {
                Some(left) => failure.and(left),
                None => failure,
            }
        })?;
        let report = recording.end(setup, Some(&sent.packed));
        Ok(Run { report, progress })
    }
}

/// The run in the middle, by wall time.
fn median(runs: &mut [Run]) -> &Run {
    runs.sort_by_key(|run| run.report.wall);
    &runs[runs.len() / 2]
}

fn tell(format: Format, runs: &mut [Vec<Run>]) -> Result<String, Failure> {
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
            let text = text.map_err(|error| Failure::new(Exit::Failure, error))?;
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
