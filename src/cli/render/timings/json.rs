//! A run as JSON. Later versions may add names, and keep those that are there. Times are in seconds,
//! sizes in bytes.

use hoist::progress::{Stage, Wait};
use serde_json::{Map, Value, json};

use super::Report;
use super::table::queues;

/// One run. `run` is the number of the repetition, from 1.
pub(crate) fn run(report: &Report, run: usize) -> Value {
    let stages = Stage::ALL.map(|stage| {
        let total = report.totals.stage(stage);
        let value = json!({
            "busy": total.busy.as_secs_f64(),
            "bytes": total.bytes,
            "count": total.count,
            "share": report.share(stage),
        });
        (stage.name().to_owned(), value)
    });
    let waits = Wait::ALL.map(|wait| {
        let waited = report.totals.wait(wait).as_secs_f64();
        (key(wait).to_owned(), json!(waited))
    });
    let queues = queues().map(|(name, of)| {
        let depth = report.depth(of);
        (
            name.to_owned(),
            json!({"mean": depth.mean, "max": depth.most}),
        )
    });
    json!({
        "run": run,
        "level": report.setup.level,
        "threads": report.setup.threads,
        "cores": report.cores,
        "files": report.files,
        "content": report.content,
        "archive": report.archive,
        "wall": report.wall.as_secs_f64(),
        "cpu": report.cpu.map(|cpu| cpu.as_secs_f64()),
        "others": report.machine.map(|machine| machine.others),
        "peak_rss": report.peak_rss,
        "stages": Map::from_iter(stages),
        "waits": Map::from_iter(waits),
        "queues": Map::from_iter(queues),
        "bottleneck": report.bottleneck(),
    })
}

pub(super) fn key(wait: Wait) -> &'static str {
    match wait {
        Wait::Budget => "budget",
        Wait::Job => "job",
        Wait::Sink => "sink",
        Wait::Part => "part",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::report;
    use super::*;

    #[test]
    fn the_json_has_every_stage_wait_and_queue() {
        let value = run(&report(1.0), 2);
        assert_eq!(value["run"], 2);
        assert_eq!(value["content"], 400_u64 << 20);
        for stage in ["walk", "read", "hash", "compress", "assemble", "send"] {
            assert!(value["stages"][stage]["busy"].is_f64(), "{stage}");
        }
        for wait in ["budget", "job", "sink", "part"] {
            assert!(value["waits"][wait].is_f64(), "{wait}");
        }
        assert_eq!(value["queues"].as_object().unwrap().len(), 4);
    }
}
