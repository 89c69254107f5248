//! What `hoist lint` says: text for people, JSON for programs, and the formats of pull requests.

pub(crate) mod github;
pub(crate) mod help;
pub(crate) mod sarif;

use std::fmt::Write as _;

use hoist::appspec::{Finding, Report, Severity};
use serde_json::{Value, json};

use super::diagnostic::{draw, name, relative};

/// What one run of `hoist lint` found.
#[derive(Debug, Default)]
pub(crate) struct Linted {
    /// One for each file, in the order of the command line.
    pub(crate) reports: Vec<Report>,
    /// Why the others could not be checked.
    pub(crate) failures: Vec<String>,
}

impl Linted {
    /// How many findings of this severity there are in all files.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.reports
            .iter()
            .map(|report| report.count(severity))
            .sum()
    }
}

pub(crate) fn text(linted: &Linted, colored: bool) -> String {
    let mut text = String::new();
    for report in &linted.reports {
        text.push_str(&draw(report, None, colored));
        let counts = [Severity::Error, Severity::Warning].map(|severity| report.count(severity));
        let counted = counted(counts).unwrap_or_else(|| "nothing to complain about".to_owned());
        let _ = writeln!(text, "{}: {counted}", name(&report.path));
    }
    let files = linted.reports.len();
    if files > 1 {
        let counts = [Severity::Error, Severity::Warning].map(|severity| linted.count(severity));
        let counted = counted(counts).unwrap_or_else(|| "nothing to complain about".to_owned());
        let _ = writeln!(text, "{files} files: {counted}");
    }
    text
}

/// "2 errors, 1 warning", of the numbers of errors and warnings.
pub(crate) fn counted(counts: [usize; 2]) -> Option<String> {
    let counts: Vec<String> = [Severity::Error, Severity::Warning]
        .into_iter()
        .zip(counts)
        .filter_map(|(severity, count)| match count {
            0 => None,
            1 => Some(format!("1 {}", severity.name())),
            count => Some(format!("{count} {}s", severity.name())),
        })
        .collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

/// One object for all files. `file` is null if there are several.
pub(crate) fn in_json(linted: &Linted) -> Value {
    let file = |report: &Report| relative(&report.path).display().to_string();
    let files = linted.reports.iter().map(|report| {
        json!({
            "file": file(report),
            "errors": report.count(Severity::Error),
            "warnings": report.count(Severity::Warning),
        })
    });
    let found = linted
        .reports
        .iter()
        .flat_map(|report| findings(report, None));
    json!({
        "file": match &*linted.reports {
            [report] => Some(file(report)),
            _ => None,
        },
        "files": files.collect::<Vec<_>>(),
        "failures": linted.failures,
        "errors": linted.count(Severity::Error),
        "warnings": linted.count(Severity::Warning),
        "findings": found.collect::<Vec<_>>(),
    })
}

/// Findings for programs. Later versions may add names, and keep those that are there.
pub(crate) fn findings(report: &Report, only: Option<Severity>) -> Vec<Value> {
    let path = relative(&report.path).display().to_string();
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
