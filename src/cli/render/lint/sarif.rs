//! SARIF 2.1.0, for GitHub's code scanning and other viewers.
//!
//! The run lists all rules, so that a viewer also knows those without findings. Paths are relative to
//! the working directory, which viewers take for the root of the repository.

use hoist::appspec::{Report, Rule, Severity};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::cli::render::diagnostic::shown;

/// All characters but the unreserved ones (RFC 3986, 2.3) and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The SARIF log of a report.
pub(crate) fn log(report: &Report) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "hoist",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": Rule::ALL.iter().map(|rule| described(*rule)).collect::<Vec<_>>(),
                },
            },
            // Columns are counted in characters.
            "columnKind": "unicodeCodePoints",
            "results": results(report),
        }],
    })
}

fn described(rule: Rule) -> Value {
    json!({
        "id": rule.id(),
        "shortDescription": {"text": rule.summary()},
        "defaultConfiguration": {"level": level(rule.severity())},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn results(report: &Report) -> Vec<Value> {
    let uri = uri(&shown(&report.path).display().to_string());
    report
        .findings
        .iter()
        .map(|finding| {
            let (start, end) = report.range(finding);
            let mut text = finding.message.clone();
            if let Some(help) = &finding.help {
                text.push_str(". ");
                text.push_str(help);
            }
            json!({
                "ruleId": finding.rule.id(),
                "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
                "level": level(finding.severity()),
                "message": {"text": text},
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": {"uri": uri},
                        "region": {
                            "startLine": start.line,
                            "startColumn": start.column,
                            "endLine": end.line,
                            "endColumn": end.column,
                        },
                    },
                }],
            })
        })
        .collect()
}

/// A path as a relative reference (RFC 3986, 4.2).
fn uri(path: &str) -> String {
    utf8_percent_encode(path, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_reference() {
        assert_eq!(uri("dir/appspec.yml"), "dir/appspec.yml");
        assert_eq!(uri("a b/é:%.yml"), "a%20b/%C3%A9%3A%25.yml");
    }
}
