//! What `hoist lint` says: text for people, JSON for programs, and the formats of pull requests.

pub(crate) mod github;
pub(crate) mod sarif;

use hoist::appspec::{Finding, Report, Severity};
use hoist::error;
use serde_json::{Value, json};

use super::diagnostic::{draw, shown};

pub(crate) fn text(report: &Report, colored: bool) -> String {
    let mut text = draw(report, None, colored);
    let path = error::shown(&*shown(&report.path)).to_string();
    text.push_str(&match counted(report) {
        Some(counted) => format!("{path}: {counted}\n"),
        None => format!("{path}: nothing to complain about\n"),
    });
    text
}

/// "2 errors, 1 warning".
pub(crate) fn counted(report: &Report) -> Option<String> {
    let counts: Vec<String> = [Severity::Error, Severity::Warning]
        .into_iter()
        .filter_map(|severity| match report.count(severity) {
            0 => None,
            1 => Some(format!("1 {}", severity.name())),
            count => Some(format!("{count} {}s", severity.name())),
        })
        .collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

pub(crate) fn in_json(report: &Report) -> Value {
    json!({
        "file": shown(&report.path).display().to_string(),
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "findings": findings(report, None),
    })
}

/// Findings for programs. Later versions may add names, and keep those that are there.
pub(crate) fn findings(report: &Report, only: Option<Severity>) -> Vec<Value> {
    let path = shown(&report.path).display().to_string();
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.retain(|finding| only.is_none_or(|severity| severity == finding.severity()));
    findings
        .into_iter()
        .map(|finding| {
            let (start, end) = report.range(finding);
            json!({
                "file": path,
                "line": start.line,
                "column": start.column,
                "end_line": end.line,
                "end_column": end.column,
                "rule": finding.rule.id(),
                "severity": finding.severity().name(),
                "message": finding.message,
                "help": finding.help,
            })
        })
        .collect()
}
