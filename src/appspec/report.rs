//! What was found in an AppSpec file, and where.
//!
//! Places are ranges of bytes; lines and columns are counted on demand. The command line draws and
//! prints the report.

use std::path::PathBuf;

pub use super::rules::{Rule, Severity};

/// A range of bytes in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A place in a text as editors count it: lines and columns begin at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of the line.
    pub line: usize,
    /// The number of the character in its line.
    pub column: usize,
}

/// A mistake in the file, or something that may behave unexpectedly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub rule: Rule,
    /// The part of the text that it is about.
    pub span: Span,
    /// What was found, as a fragment of a sentence.
    pub message: String,
    /// What the user can do about it.
    pub help: Option<String>,
}

impl Finding {
    pub(super) fn new(
        rule: Rule,
        span: Span,
        message: impl Into<String>,
        help: Option<&str>,
    ) -> Self {
        Self {
            rule,
            span,
            message: message.into(),
            help: help.map(str::to_owned),
        }
    }

    /// The severity of its rule.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }
}

/// Everything that was found in one file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The path of the file, as the user would type it.
    pub path: PathBuf,
    /// The content of the file. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// The findings.
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
        // In UTF-8, every byte but a continuation byte begins a character.
        let characters = before[start..].iter().filter(|&&byte| byte & 0xC0 != 0x80);
        // Editors do not count a byte-order mark as a column.
        let mark = usize::from(start == 0 && before.starts_with("\u{FEFF}".as_bytes()));
        Position {
            line,
            column: characters.count() + 1 - mark,
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
    fn columns_count_characters_and_skip_a_byte_order_mark() {
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
