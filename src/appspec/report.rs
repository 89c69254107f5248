//! What was found in an AppSpec file, and where.
//!
//! Places are ranges of bytes; lines and columns are counted when somebody asks. It refuses to draw
//! or to print: that is for whoever shows it.

use std::path::PathBuf;

pub use super::rules::{Rule, Severity};

/// Bytes of a text: from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first.
    pub start: usize,
    /// Behind the last.
    pub end: usize,
}

/// A place in a text as editors count it: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

/// One thing that is wrong, or that may surprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub rule: Rule,
    /// Where.
    pub span: Span,
    /// What it is, as a fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    /// Whether it stops a push.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }
}

/// All that was found in one file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file, as the user would name it.
    pub path: PathBuf,
    /// What it says. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings of this severity there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.severity() == severity)
            .count()
    }

    /// Whether an agent, or the service, would refuse the file.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The line and column of a byte.
    #[must_use]
    pub fn position(&self, at: usize) -> Position {
        let at = at.min(self.text.len());
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let start = before.iter().rposition(|&byte| byte == b'\n');
        let start = start.map_or(0, |newline| newline + 1);
        // Every byte of UTF-8 but those that go on begins a character.
        let begun = before[start..].iter().filter(|&&byte| byte & 0xC0 != 0x80);
        // A byte-order mark is no column to an editor.
        let mark = usize::from(start == 0 && before.starts_with("\u{FEFF}".as_bytes()));
        Position {
            line,
            column: begun.count() + 1 - mark,
        }
    }

    /// Where a finding begins and ends.
    #[must_use]
    pub fn range(&self, finding: &Finding) -> (Position, Position) {
        let Span { start, end } = finding.span;
        (self.position(start), self.position(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_editors_count_them() {
        let report = Report {
            path: PathBuf::new(),
            text: "\u{FEFF}é: b\r\nos: \"x\"\n".into(),
            findings: Vec::new(),
        };
        let at = |text: &str| {
            let position = report.position(report.text.find(text).unwrap());
            (position.line, position.column)
        };
        assert_eq!(at("é"), (1, 1));
        assert_eq!(at("b"), (1, 4));
        assert_eq!(at("os"), (2, 1));
        assert_eq!(at("\"x"), (2, 5));
        let end = report.position(usize::MAX);
        assert_eq!((end.line, end.column), (3, 1));
    }
}
