//! Runs as CSV, one line each. No field contains a comma or a quote, so none is quoted (RFC 4180).

use std::time::Duration;

use hoist::progress::{Stage, Wait};

use super::Report;
use super::json::key;

/// The header. Times are in seconds, sizes in bytes.
pub(crate) fn header() -> String {
    let mut columns: Vec<String> = [
        "run", "level", "threads", "cores", "files", "content", "archive", "wall", "cpu",
        "peak_rss",
    ]
    .map(str::to_owned)
    .into();
    columns.extend(Stage::ALL.map(|stage| format!("{}_busy", stage.name())));
    columns.extend(Wait::ALL.map(|wait| format!("{}_wait", key(wait))));
    columns.join(",")
}

/// One run.
pub(crate) fn run(report: &Report, run: usize) -> String {
    let seconds = |time: Duration| format!("{:.6}", time.as_secs_f64());
    let mut fields = vec![
        run.to_string(),
        report.setup.level.clone(),
        report.setup.threads.to_string(),
        report.cores.to_string(),
        report.files.to_string(),
        report.content.to_string(),
        report.archive.to_string(),
        seconds(report.wall),
        report.cpu.map(seconds).unwrap_or_default(),
        report
            .peak_rss
            .map(|rss| rss.to_string())
            .unwrap_or_default(),
    ];
    fields.extend(Stage::ALL.map(|stage| seconds(report.totals.stage(stage).busy)));
    fields.extend(Wait::ALL.map(|wait| seconds(report.totals.wait(wait))));
    fields.join(",")
}

#[cfg(test)]
mod tests {
    use super::super::testing::report;
    use super::*;

    #[test]
    fn a_run_has_as_many_fields_as_there_are_columns() {
        let (header, run) = (header(), run(&report(1.0), 3));
        assert_eq!(header.split(',').count(), run.split(',').count());
        assert!(
            run.starts_with("3,5,8,2,1000,419430400,104857600,1.000000,"),
            "{run}"
        );
    }
}
