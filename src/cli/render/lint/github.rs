//! Workflow commands of GitHub Actions: `::error file=…,line=…::message`.

use std::fmt::Write as _;

use hoist::appspec::Report;

use crate::cli::render::diagnostic::shown;

/// One line for each finding.
pub(crate) fn commands(report: &Report) -> String {
    let path = property(&shown(&report.path).display().to_string());
    let mut text = String::new();
    for finding in &report.findings {
        let (start, end) = report.range(finding);
        let _ = write!(
            text,
            "::{} file={path},line={},endLine={},col={}",
            finding.severity().name(),
            start.line,
            end.line,
            start.column,
        );
        // The runner accepts a last column only within one line.
        if start.line == end.line && end.column > start.column {
            let _ = write!(text, ",endColumn={}", end.column);
        }
        let title = property(finding.rule.id());
        let mut message = finding.message.clone();
        if let Some(help) = &finding.help {
            message.push('\n');
            message.push_str(help);
        }
        let _ = writeln!(text, ",title={title}::{}", data(&message));
    }
    text
}

/// Escapes the message of a command (`escapeData` of actions/toolkit).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property (`escapeProperty` of actions/toolkit).
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hoist::appspec::{Finding, Rule, Span};

    use super::*;

    #[test]
    fn the_text_of_a_finding_cannot_end_its_command() {
        let report = Report {
            path: PathBuf::from("a,b:c/appspec.yml"),
            text: "version: 0.0\nos: x\n".into(),
            findings: vec![Finding {
                rule: Rule::Os,
                span: Span { start: 17, end: 18 },
                message: "100%\r".into(),
                help: Some("::error::x".into()),
            }],
        };
        assert_eq!(
            commands(&report),
            "::error file=a%2Cb%3Ac/appspec.yml,line=2,endLine=2,col=5,endColumn=6,title=os\
             ::100%25%0D%0A::error::x\n"
        );
    }
}
