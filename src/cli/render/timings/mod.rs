//! Where the time of a run went: `hoist bench`, `--timings` and `--trace` show it as text, tables, a
//! plot and a timeline.
//!
//! The library counts (see `hoist::progress`). This module reads the counters while a command runs and
//! evaluates them at its end. What it says about the bottleneck follows from the figures beside it.

mod bottleneck;
pub(crate) mod csv;
pub(crate) mod json;
mod machine;
pub(crate) mod plot;
mod sampler;
pub(crate) mod table;
mod trace;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hoist::archive::pack::Packed;
use hoist::error::shown;
use hoist::progress::{Progress, Snapshot, Stage, Totals, Wait};

use self::machine::{Machine, Ticks};
use self::sampler::Sampler;
use crate::cli::Failure;
use crate::cli::render::progress::{aside, warn};
use crate::cli::render::units::mib;

/// How a run was set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// As `--level` writes it.
    pub(crate) level: String,
    /// The number of workers.
    pub(crate) threads: usize,
    /// Whether parts are sent to a store.
    pub(crate) sends: bool,
    /// The bandwidth limit, in bytes per second.
    pub(crate) bandwidth: Option<u64>,
}

/// What a run did, and how long everything took.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) setup: Setup,
    pub(crate) cores: usize,
    pub(crate) files: u64,
    /// Bytes of content.
    pub(crate) content: u64,
    /// Bytes of the archive.
    pub(crate) archive: u64,
    pub(crate) wall: Duration,
    /// Processor time of the whole process, an embedded endpoint included, if the system tells it.
    pub(crate) cpu: Option<Duration>,
    /// The share of all processors' time that other programs used, and the share that nothing used, if
    /// the system tells it.
    pub(crate) machine: Option<Machine>,
    /// The peak memory of the process, in bytes.
    pub(crate) peak_rss: Option<u64>,
    pub(crate) totals: Totals,
    pub(crate) samples: Vec<Snapshot>,
}

/// The depth of a queue over time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Depth {
    pub(crate) mean: f64,
    pub(crate) most: u64,
}

impl Report {
    /// MiB of content a second.
    pub(crate) fn rate(&self) -> f64 {
        mib(self.content) / seconds(self.wall)
    }

    /// The share of the cores' time that the process used.
    pub(crate) fn cpu_share(&self) -> Option<f64> {
        let cpu = self.cpu?.as_secs_f64();
        Some(cpu / (self.cores as f64 * seconds(self.wall)))
    }

    /// How long a stage worked, as a share of the time that its threads or requests had.
    pub(crate) fn share(&self, stage: Stage) -> f64 {
        let lanes = match stage {
            Stage::Read | Stage::Hash | Stage::Compress => self.setup.threads as f64,
            // The most requests that ran at a time.
            Stage::Send => self.depth(|now| now.parts_in_flight).most.max(1) as f64,
            Stage::Walk | Stage::Assemble => 1.0,
        };
        self.totals.stage(stage).busy.as_secs_f64() / (lanes * seconds(self.wall))
    }

    /// How long a thread waited for this, as a share of the wall time.
    pub(crate) fn waited(&self, wait: Wait) -> f64 {
        self.totals.wait(wait).as_secs_f64() / seconds(self.wall)
    }

    /// Size of the archive per size of the content; None without content.
    pub(crate) fn ratio(&self) -> Option<f64> {
        (self.content > 0).then(|| self.archive as f64 / self.content as f64)
    }

    /// Mean and maximum of a queue.
    pub(crate) fn depth(&self, of: impl Fn(&Snapshot) -> u64 + Copy) -> Depth {
        let depths = self.samples.iter().map(of);
        let count = self.samples.len().max(1) as f64;
        Depth {
            mean: depths.clone().map(|depth| depth as f64).sum::<f64>() / count,
            most: depths.max().unwrap_or(0),
        }
    }

    /// One sentence: what limits the run, and which option would help.
    pub(crate) fn bottleneck(&self) -> String {
        bottleneck::sentence(self)
    }
}

/// Never zero, since others divide by it.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().max(1e-9)
}

/// A run that is being measured.
pub(crate) struct Recording {
    progress: Arc<Progress>,
    sampler: Sampler,
    started: Instant,
    cpu: Option<Duration>,
    machine: Option<Ticks>,
}

impl Recording {
    /// Starts the counters and the clock.
    pub(crate) fn start(trace: bool) -> Result<(Arc<Progress>, Self), Failure> {
        let progress = Arc::new(if trace {
            Progress::traced()
        } else {
            Progress::new()
        });
        let sampler = Sampler::start(&progress)
            .map_err(|error| Failure::other(format!("cannot start threads: {error}")))?;
        let recording = Self {
            progress: Arc::clone(&progress),
            sampler,
            started: Instant::now(),
            cpu: processor_time(),
            machine: Ticks::now(),
        };
        Ok((progress, recording))
    }

    /// Ends the measurement. `packed` is None if the run failed.
    pub(crate) fn end(self, setup: Setup, packed: Option<&Packed>) -> Report {
        let (wall, cpu) = (self.started.elapsed(), processor_time());
        let cpu = cpu.zip(self.cpu);
        let cpu = cpu.map(|(now, then)| now.saturating_sub(then));
        let ticks = Ticks::now().zip(self.machine).zip(cpu);
        let now = self.progress.snapshot();
        let mut samples = self.sampler.end();
        if !setup.sends {
            // The counter only falls when a part is sent.
            for sample in &mut samples {
                sample.parts_waiting = 0;
            }
        }
        Report {
            setup,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            files: packed.map_or(now.files_packed, |packed| packed.files),
            content: packed.map_or(now.bytes_packed, |packed| packed.content),
            archive: packed.map_or(now.bytes_out, |packed| packed.archive),
            wall,
            cpu,
            machine: ticks.and_then(|((now, then), cpu)| now.since(&then, cpu, wall)),
            peak_rss: peak_rss(),
            totals: self.progress.totals(),
            samples,
        }
    }
}

/// What `--timings` and `--trace` want of a command that is running.
pub(crate) struct TimingReport {
    timings: bool,
    trace: Option<PathBuf>,
    progress: Arc<Progress>,
    recording: Option<Recording>,
}

impl TimingReport {
    /// Starts the counters, and measures if a report or a trace is wanted.
    pub(crate) fn start(timings: bool, trace: Option<&Path>) -> Result<Self, Failure> {
        let (progress, recording) = if timings || trace.is_some() {
            let (progress, recording) = Recording::start(trace.is_some())?;
            (progress, Some(recording))
        } else {
            (Arc::new(Progress::new()), None)
        };
        Ok(Self {
            timings,
            trace: trace.map(Path::to_owned),
            progress,
            recording,
        })
    }

    /// The counters of the command.
    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Prints the report on standard error and writes the trace. A run that failed has a trace, too. A
    /// trace that cannot be written is only a warning, since the command's work is done.
    pub(crate) fn end(self, setup: Setup, packed: Option<&Packed>) {
        let Some(recording) = self.recording else {
            return;
        };
        let report = recording.end(setup, packed);
        if self.timings && packed.is_some() {
            // If standard error is closed, the report is lost.
            let text = table::run(&report, None);
            aside(|| {
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
            });
        }
        if let Some(file) = &self.trace
            && let Err(error) = write_trace(file, &report, &self.progress)
        {
            warn(&error);
        }
    }
}

/// Writes the timeline of a run.
pub(crate) fn write_trace(file: &Path, report: &Report, progress: &Progress) -> Result<(), String> {
    trace::write(file, &progress.spans(), &report.samples)
        .map_err(|error| format!("cannot write the trace {}: {error}", shown(file)))
}

#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::ProcessCPUTime);
    Some(Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    ))
}

/// The standard library does not tell it.
#[cfg(windows)]
fn processor_time() -> Option<Duration> {
    None
}

/// `VmHWM` of Linux's `/proc/self/status` (proc_pid_status(5)).
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A run of one second on two cores with eight workers, of 400 MiB of content.
    pub(crate) fn report(cpu: f64) -> Report {
        Report {
            setup: Setup {
                level: "5".into(),
                threads: 8,
                sends: false,
                bandwidth: None,
            },
            cores: 2,
            files: 1000,
            content: 400 << 20,
            archive: 100 << 20,
            wall: Duration::from_secs(1),
            cpu: Some(Duration::from_secs_f64(cpu)),
            machine: None,
            peak_rss: Some(50 << 20),
            totals: Totals::default(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn rates_and_shares_follow_from_the_figures() {
        let mut report = report(1.5);
        for parts_in_flight in [0, 4, 8] {
            report.samples.push(Snapshot {
                parts_in_flight,
                ..Snapshot::default()
            });
        }
        assert!((report.rate() - 400.0).abs() < 1e-9);
        assert!((report.cpu_share().unwrap() - 0.75).abs() < 1e-9);
        assert_eq!(report.ratio(), Some(0.25));
        let depth = report.depth(|now| now.parts_in_flight);
        assert!((depth.mean - 4.0).abs() < 1e-9);
        assert_eq!(depth.most, 8);
    }

    #[test]
    fn this_process_has_memory_and_processor_time() {
        if cfg!(target_os = "linux") {
            assert!(peak_rss().unwrap() > 100_000);
        }
        assert!(processor_time().is_none_or(|time| time > Duration::ZERO));
    }
}
