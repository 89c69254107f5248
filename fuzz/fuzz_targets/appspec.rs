//! The AppSpec parser and all checks on any bytes: they may report anything, but must not panic, nor point
//! outside of the text or into the middle of a character. A second run reports the same.

#![no_main]

use std::path::Path;

use hoist::appspec::{Absence, Bundle, Kind, kind, lint};
use libfuzzer_sys::fuzz_target;

/// A bundle with fixed names.
struct Fixed;

const NAMES: [(&str, u32); 8] = [
    ("appspec.yml", 0o644),
    ("scripts/a.sh", 0o755),
    ("scripts/crlf.sh", 0o755),
    ("scripts/plain.sh", 0o644),
    ("site/index.html", 0o644),
    ("site/link", 0o777),
    ("site/scripts/a.sh", 0o755),
    ("site/scripts/up", 0o777),
];

impl Bundle for Fixed {
    fn len(&self) -> usize {
        NAMES.len()
    }

    fn name(&self, index: usize) -> &[u8] {
        NAMES[index].0.as_bytes()
    }

    fn mode(&self, index: usize) -> u32 {
        NAMES[index].1
    }

    fn link(&self, index: usize) -> Option<&[u8]> {
        match NAMES[index].0 {
            "site/link" => Some(b"index.html"),
            "site/scripts/up" => Some(b".."),
            _ => None,
        }
    }

    fn absence(&self, name: &str) -> Option<Absence> {
        name.starts_with('.').then_some(Absence::Hidden)
    }

    fn collision(&self) -> (Option<(String, String)>, usize) {
        (Some(("a".to_owned(), "A".to_owned())), 1)
    }

    fn head(&self, index: usize) -> Option<Vec<u8>> {
        (index == 2).then(|| b"#!/bin/sh\r\n".to_vec())
    }
}

fuzz_target!(|data: (u8, &[u8])| {
    let (choice, bytes) = data;
    let wanted = [None, Some(Kind::Instances), Some(Kind::Resources)][usize::from(choice % 3)];
    let path = Path::new(["appspec.yml", "appspec.json"][usize::from(choice / 3 % 2)]);
    let bundle: Option<&dyn Bundle> = if choice / 6 % 2 == 0 {
        Some(&Fixed)
    } else {
        None
    };
    _ = kind(bytes);
    let report = lint(path, bytes, wanted, bundle);
    for finding in &report.findings {
        let span = finding.span;
        assert!(span.start <= span.end, "{finding:?}");
        assert!(
            report.text.get(span.start..span.end).is_some(),
            "{finding:?}"
        );
        let (start, end) = report.range(finding);
        assert!(
            (start.line, start.column) <= (end.line, end.column),
            "{finding:?}"
        );
        assert!(
            !finding.message.is_empty() && !finding.message.contains('\n'),
            "{finding:?}"
        );
    }
    assert_eq!(lint(path, bytes, wanted, bundle), report);
});
