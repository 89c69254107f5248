//! Findings as workflow commands of GitHub Actions: `::error file=…,line=…::message`.

use hoist::appspec::{Finding, Report};

use crate::cli::render::diagnostic::shown;
use crate::cli::render::github::annotation;

/// One line for each finding.
pub(crate) fn commands(report: &Report) -> String {
    let findings = report.findings.iter();
    findings.map(|finding| command(report, finding)).collect()
}

/// One finding, on its lines of the file.
pub(crate) fn command(report: &Report, finding: &Finding) -> String {
    let path = shown(&report.path).display().to_string();
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
