//! One sentence: what limits a run, and which option would help.

use hoist::progress::{Snapshot, Stage, Wait};

use super::Report;
use crate::cli::render::units::{per_second, rate};

/// A run that uses this share of the cores' time is limited by them.
const CPU_BOUND: f64 = 0.85;
/// Cores that are idle for less than this share of the time are all taken.
const TAKEN: f64 = 0.15;
/// While a run sends this share of its bandwidth limit, it is limited by that.
const LIMITED: f64 = 0.8;
/// A share of the wall time above this is large.
const MUCH: f64 = 0.3;

pub(super) fn sentence(report: &Report) -> String {
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let sink = report.waited(Wait::Sink);
    if let Some(sentence) = limited(report) {
        return sentence;
    }
    let Some(cpu) = report.cpu_share() else {
        return "the bottleneck is not known, since this system does not tell the processor time"
            .to_owned();
    };
    let walk = report.share(Stage::Walk);
    if let Some(machine) = &report.machine
        && machine.idle < TAKEN
        && machine.others > MUCH
        && sink < MUCH
    {
        return format!(
            "other programs are the bottleneck: they used {} of the cores, and hoist {}; run it when they \
             are done",
            percent(machine.others),
            percent(cpu)
        );
    }
    if sink > MUCH && cpu < CPU_BOUND {
        let sink = percent(sink);
        return if report.setup.sends {
            format!(
                "the network is the bottleneck: the packer waited {sink} of the time for a part to \
                 be taken; more requests (--concurrency) help if each is slow, smaller bytes \
                 (--level 9, or auto) if the link is full"
            )
        } else {
            format!(
                "writing the archive is the bottleneck: the packer waited {sink} of the time for \
                 it; a higher --level writes less"
            )
        };
    }
    if walk > MUCH && walk > 1.0 - walk {
        return format!(
            "listing the tree is the bottleneck, with {} of the time; --threads is the number of \
             directories read at once",
            percent(walk)
        );
    }
    if cpu < CPU_BOUND && report.setup.threads < report.cores {
        return format!(
            "workers are the bottleneck: there were {} for {} cores; raise --threads",
            report.setup.threads, report.cores
        );
    }
    let workers = report.totals.workers().as_secs_f64().max(1e-9);
    let of_work = |stage| report.totals.stage(stage).busy.as_secs_f64() / workers;
    let compresses = of_work(Stage::Compress) >= of_work(Stage::Read);
    // Workers that compress most of the time are the bottleneck, even if other processes use the
    // cores as well.
    if compresses && (cpu >= CPU_BOUND || report.share(Stage::Compress) > MUCH) {
        return format!(
            "compressing is the bottleneck: the cores were busy {} of the time, and {} of the \
             workers' work was deflate; {}, and more cores would help as much as there are",
            percent(cpu),
            percent(of_work(Stage::Compress)),
            faster(&report.setup.level)
        );
    }
    if cpu >= CPU_BOUND {
        return format!(
            "reading is the bottleneck: the cores were busy {} of the time, and {} of the \
             workers' work was opening and reading files; only more cores would help",
            percent(cpu),
            percent(of_work(Stage::Read))
        );
    }
    let read = report.share(Stage::Read);
    if read > MUCH {
        return format!(
            "the disk is the bottleneck: workers spent {} of their time reading while the cores \
             were busy only {}; --threads {} would read more at once",
            percent(read),
            percent(cpu),
            report.setup.threads * 2
        );
    }
    if report.share(Stage::Assemble) > MUCH * 2.0 {
        return format!(
            "putting the archive together is the bottleneck: its one thread was busy {} of the \
             time; a higher --level gives it less to do",
            percent(report.share(Stage::Assemble))
        );
    }
    format!(
        "nothing stands out: the cores were busy {} of the time and no thread waited for long; in a \
         run this short, the start and the end take most of the time",
        percent(cpu)
    )
}

/// Whether the user's own limit is what the packer waited for.
fn limited(report: &Report) -> Option<String> {
    let limit = report.setup.bandwidth.filter(|_| report.setup.sends)?;
    // The beginning and the end of an upload send nothing, but take time.
    let sent = |now: &Snapshot| now.bytes_sent + now.bytes_under_way;
    let end = sent(report.samples.last()?);
    let first = report.samples.iter().find(|now| sent(now) > 0)?;
    let last = report.samples.iter().find(|now| sent(now) >= end)?;
    let time = last.at.saturating_sub(first.at);
    let sent = per_second(end - sent(first).min(end), time);
    let reached = sent as f64 >= limit as f64 * LIMITED && time > report.wall.mul_f64(MUCH);
    reached.then(|| {
        format!(
            "--bandwidth-limit is the bottleneck: {} of at most {} were sent; raise it, or send less \
             (--level 9)",
            rate(sent),
            rate(limit)
        )
    })
}

fn faster(level: &str) -> &'static str {
    match level {
        "0" | "1" => "nothing but --level 0 is faster",
        _ => "--level fast takes less",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hoist::progress::Totals;

    use super::super::machine::Machine;
    use super::super::testing::report;
    use super::*;

    fn totals(stages: &[(Stage, f64)], waits: &[(Wait, f64)]) -> Totals {
        let mut totals = Totals::default();
        for &(stage, busy) in stages {
            totals.stage_mut(stage).busy = Duration::from_secs_f64(busy);
        }
        for &(wait, time) in waits {
            *totals.wait_mut(wait) = Duration::from_secs_f64(time);
        }
        totals
    }

    #[test]
    fn each_bottleneck_is_named_with_the_option_that_helps() {
        use Stage::{Assemble, Compress, Read, Walk};
        let cases: [(f64, &[_], &[_], bool, &str, &str); 9] = [
            (
                1.9,
                &[(Compress, 6.0), (Read, 1.0)],
                &[],
                false,
                "compressing",
                "--level fast",
            ),
            (
                1.9,
                &[(Compress, 1.0), (Read, 6.0)],
                &[],
                false,
                "reading is",
                "more cores",
            ),
            (
                0.5,
                &[(Compress, 1.0)],
                &[(Wait::Sink, 0.7)],
                true,
                "the network",
                "--concurrency",
            ),
            (
                0.5,
                &[(Compress, 1.0)],
                &[(Wait::Sink, 0.7)],
                false,
                "writing",
                "--level",
            ),
            (
                0.4,
                &[(Read, 6.0), (Compress, 0.5)],
                &[],
                false,
                "the disk",
                "--threads 16",
            ),
            // Other processes use the cores.
            (
                1.2,
                &[(Compress, 6.0), (Read, 1.0)],
                &[],
                false,
                "compressing",
                "--level fast",
            ),
            (1.0, &[(Walk, 0.6)], &[], false, "listing", "--threads"),
            (1.2, &[(Assemble, 0.9)], &[], false, "together", "--level"),
            (0.3, &[], &[], false, "nothing stands out", "short"),
        ];
        for (cpu, stages, waits, sends, what, flag) in cases {
            let mut report = report(cpu);
            report.setup.sends = sends;
            report.totals = totals(stages, waits);
            let said = sentence(&report);
            assert!(said.contains(what) && said.contains(flag), "{what}: {said}");
        }
    }

    #[test]
    fn a_bandwidth_limit_that_was_reached_is_named_and_another_is_not() {
        let mut report = report(0.2);
        report.setup.sends = true;
        report.setup.bandwidth = Some(8 << 20);
        report.totals = totals(&[(Stage::Compress, 0.1)], &[(Wait::Sink, 0.1)]);
        // Nothing is sent in the first 300 ms, and 7 MiB in half a second.
        report.samples = (0..10)
            .map(|n| Snapshot {
                at: Duration::from_millis(n * 100),
                bytes_sent: n.clamp(3, 8).saturating_sub(3) * (7 << 20) / 10,
                ..Snapshot::default()
            })
            .collect();
        let said = sentence(&report);
        assert!(said.contains("--bandwidth-limit"), "{said}");
        assert!(said.contains("7.00 MiB/s of at most 8.00 MiB/s"), "{said}");
        report.setup.bandwidth = Some(80 << 20);
        assert!(!sentence(&report).contains("--bandwidth-limit"));
    }

    #[test]
    fn programs_that_take_the_cores_are_named_and_idle_cores_are_not() {
        let mut report = report(0.6);
        report.totals = totals(&[(Stage::Compress, 6.0), (Stage::Read, 1.0)], &[]);
        for (idle, named) in [(0.02, true), (0.6, false)] {
            report.machine = Some(Machine { others: 0.68, idle });
            let said = sentence(&report);
            assert_eq!(said.contains("other programs are"), named, "{said}");
            assert!(!named || said.contains("used 68% of the cores, and hoist 30%"));
        }
    }

    #[test]
    fn too_few_workers_are_named_as_the_bottleneck() {
        let mut report = report(1.0);
        report.setup.threads = 1;
        report.totals = totals(&[(Stage::Compress, 0.9)], &[]);
        assert!(sentence(&report).contains("there were 1 for 2 cores"));
    }
}
