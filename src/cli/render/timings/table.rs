//! A run as a table for people, with a sentence about its bottleneck.

use std::fmt::Write as _;
use std::time::Duration;

use hoist::progress::{Snapshot, Stage, Wait};

use super::Report;
use crate::cli::render::units::mib;

/// One run, or the median of several whose wall times lie in `range`.
pub(crate) fn run(report: &Report, range: Option<(Duration, Duration)>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_run(&mut text, report, range);
    text
}

fn write_run(
    text: &mut String,
    report: &Report,
    range: Option<(Duration, Duration)>,
) -> std::fmt::Result {
    let seconds = |time: Duration| time.as_secs_f64();
    write!(
        text,
        "level {}, {} threads: {:.3} s",
        report.setup.level,
        report.setup.threads,
        seconds(report.wall)
    )?;
    if let Some((least, most)) = range {
        write!(text, " ({:.3} to {:.3})", seconds(least), seconds(most))?;
    }
    writeln!(
        text,
        ", {:.1} MiB/s read; {} files, {:.1} MiB to {:.1} MiB{}",
        report.rate(),
        report.files,
        mib(report.content),
        mib(report.archive),
        report
            .ratio()
            .map(|ratio| format!(" ({:.1}%)", ratio * 100.0))
            .unwrap_or_default()
    )?;
    match (report.cpu, report.cpu_share()) {
        (Some(cpu), Some(share)) => write!(
            text,
            "  processor {:.2} s, {:.0}% of {} cores",
            seconds(cpu),
            share * 100.0,
            report.cores
        )?,
        _ => write!(text, "  {} cores", report.cores)?,
    }
    if let Some(machine) = &report.machine {
        write!(text, ", other programs {:.0}%", machine.others * 100.0)?;
    }
    if let Some(rss) = report.peak_rss {
        write!(text, "; peak memory of the process {} MiB", rss >> 20)?;
    }
    writeln!(text)?;
    writeln!(text, "  stage        busy s       MiB     MiB/s   share")?;
    for stage in Stage::ALL {
        let total = report.totals.stage(stage);
        if total.count == 0 {
            continue;
        }
        write!(text, "  {:<9} {:>9.3}", stage.name(), seconds(total.busy))?;
        if total.bytes > 0 {
            write!(
                text,
                " {:>9.1} {:>9.1}",
                mib(total.bytes),
                mib(total.bytes) / seconds(total.busy).max(1e-9)
            )?;
        } else {
            write!(text, " {:>9} {:>9}", "", "")?;
        }
        writeln!(text, " {:>6.1}%", report.share(stage) * 100.0)?;
    }
    for wait in Wait::ALL {
        let waited = report.totals.wait(wait);
        if !waited.is_zero() {
            writeln!(
                text,
                "  {:<17} {:>9.3} s {:>6.1}%",
                wait.name(),
                seconds(waited),
                report.waited(wait) * 100.0
            )?;
        }
    }
    for (name, of) in queues() {
        let depth = report.depth(of);
        if depth.most > 0 {
            writeln!(
                text,
                "  {name:<21} mean {:>6.1}, at most {}",
                depth.mean, depth.most
            )?;
        }
    }
    let sentence = report.bottleneck();
    let mut letters = sentence.chars();
    let first = letters.next().unwrap_or_default().to_ascii_uppercase();
    writeln!(text, "  {first}{}.", letters.as_str())
}

/// A queue's name and how to read its depth.
type Queue = (&'static str, fn(&Snapshot) -> u64);

/// The queues that are sampled over time.
pub(super) fn queues() -> [Queue; 4] {
    [
        ("budget in use, MiB", |now| now.budget_used >> 20),
        ("jobs given away", |now| now.tickets),
        ("parts waiting", |now| now.parts_waiting),
        ("parts in flight", |now| now.parts_in_flight),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::testing::report;
    use super::*;

    #[test]
    fn a_run_is_a_table_and_a_sentence() {
        let mut report = report(1.9);
        let compress = report.totals.stage_mut(Stage::Compress);
        compress.busy = Duration::from_secs(4);
        (compress.bytes, compress.count) = (400 << 20, 1000);
        *report.totals.wait_mut(Wait::Job) = Duration::from_millis(300);
        report.samples.push(Snapshot {
            budget_used: 9 << 20,
            ..Snapshot::default()
        });
        let range = (Duration::from_millis(900), Duration::from_millis(1100));
        assert_eq!(
            run(&report, Some(range)),
            "level 5, 8 threads: 1.000 s (0.900 to 1.100), 400.0 MiB/s read; 1000 files, 400.0 MiB \
             to 100.0 MiB (25.0%)
  processor 1.90 s, 95% of 2 cores; peak memory of the process 50 MiB
  stage        busy s       MiB     MiB/s   share
  compress      4.000     400.0     100.0   50.0%
  wait for a job        0.300 s   30.0%
  budget in use, MiB    mean    9.0, at most 9
  Compressing is the bottleneck: the cores were busy 95% of the time, and 100% of the workers' work \
             was deflate; --level fast takes less, and more cores would help as much as there are.
"
        );
    }
}
