//! Findings as workflow commands of GitHub Actions: `::error file=…,line=…::message`.
//!
//! GitHub shows ten annotations of a kind for each step and drops the others. So errors of all files
//! come before warnings, a notice says how many do not fit, and the summary of the job has all of them.

use std::fmt::Write as _;

use hoist::appspec::{Finding, Report, Severity};

use super::{Linted, counted};
use crate::cli::render::diagnostic::name;
use crate::cli::render::github::{annotation, append_summary, cell, path_of};

/// How many annotations of a kind GitHub shows for a step.
const SHOWN: usize = 10;

/// One line for each finding, errors first. Writes the summary, too, if the runner wants one.
pub(crate) fn commands(linted: &Linted) -> String {
    append_summary(&summary(linted));
    let errors = of(linted, Severity::Error);
    let mut text: String = errors.chain(of(linted, Severity::Warning)).collect();
    let hidden = [Severity::Error, Severity::Warning].map(|severity| {
        let count = linted.count(severity);
        count.saturating_sub(SHOWN)
    });
    if let Some(hidden) = counted(hidden) {
        let message = format!(
            "GitHub shows {SHOWN} annotations of a kind for each step; {hidden} more are in the log of \
             this step only"
        );
        text.push_str(&annotation("notice", &[("title", "hoist lint")], &message));
    }
    text
}

fn of(linted: &Linted, severity: Severity) -> impl Iterator<Item = String> + '_ {
    linted.reports.iter().flat_map(move |report| {
        let findings = report.findings.iter();
        let findings = findings.filter(move |finding| finding.severity() == severity);
        findings.map(move |finding| command(report, finding))
    })
}

/// One finding, on its lines of the file.
pub(crate) fn command(report: &Report, finding: &Finding) -> String {
    let path = path_of(&report.path);
    let (start, end) = report.range(finding);
    let number = |number: usize| number.to_string();
    let (line, end_line) = (number(start.line), number(end.line));
    let (column, end_column) = (number(start.column), number(end.column));
    let mut properties = vec![
        ("file", path.as_str()),
        ("line", &line),
        ("endLine", &end_line),
        ("col", &column),
    ];
    // The runner accepts a last column only within one line.
    if start.line == end.line && end.column > start.column {
        properties.push(("endColumn", &end_column));
    }
    properties.push(("title", finding.rule.id()));
    let mut message = finding.message.clone();
    if let Some(help) = &finding.help {
        message.push('\n');
        message.push_str(help);
    }
    annotation(finding.severity().name(), &properties, &message)
}

/// All findings as a table of Markdown, errors first.
fn summary(linted: &Linted) -> String {
    let counts = [Severity::Error, Severity::Warning].map(|severity| linted.count(severity));
    let mut text = String::from("### AppSpec files\n\n");
    let files = linted.reports.len();
    let Some(counted) = counted(counts) else {
        let _ = writeln!(text, "{files} checked, nothing to complain about\n");
        return text;
    };
    let _ = writeln!(text, "{files} checked: {counted}\n");
    text.push_str("| | Rule | Place | Finding |\n|---|---|---|---|\n");
    for severity in [Severity::Error, Severity::Warning] {
        for report in &linted.reports {
            let findings = report.findings.iter();
            for finding in findings.filter(|finding| finding.severity() == severity) {
                let (start, _) = report.range(finding);
                let place = format!("{}:{}", name(&report.path), start.line);
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} |",
                    severity.name(),
                    finding.rule.id(),
                    cell(&place),
                    cell(&finding.message)
                );
            }
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hoist::appspec::{Rule, Span};

    use super::*;

    fn finding(rule: Rule) -> Finding {
        Finding {
            rule,
            span: Span { start: 17, end: 18 },
            message: "a\n::error::x|".into(),
            help: None,
        }
    }

    #[test]
    fn errors_come_first_and_what_does_not_fit_is_counted() {
        let report = |path: &str, rule| Report {
            path: PathBuf::from(path),
            text: "version: 0.0\nos: x\n".into(),
            findings: vec![finding(rule); 7],
        };
        let linted = Linted {
            reports: vec![
                report("a", Rule::UnknownKey),
                report("b", Rule::Os),
                report("c", Rule::Os),
            ],
            failures: Vec::new(),
        };
        let text = commands(&linted);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 22);
        assert!(
            lines[..14]
                .iter()
                .all(|line| line.starts_with("::error file="))
        );
        assert!(
            lines[14..21]
                .iter()
                .all(|line| line.starts_with("::warning file=a,"))
        );
        assert_eq!(
            lines[21],
            "::notice title=hoist lint::GitHub shows 10 annotations of a kind for each step; 4 errors \
             more are in the log of this step only"
        );
        let table = summary(&linted);
        assert_eq!(
            table
                .lines()
                .filter(|line| line.starts_with("| error |"))
                .count(),
            14
        );
        assert!(!table.contains("\n::error"), "{table}");
    }
}
