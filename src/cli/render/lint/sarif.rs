//! SARIF 2.1.0, as GitHub's code scanning and other viewers take it.
//!
//! One run with all rules, so that a viewer knows also those that found nothing. Paths are relative to
//! the directory that the command ran in, which a viewer takes for the root of the repository.

use hoist::appspec::{Report, Rule, Severity};
use serde_json::{Value, json};

use crate::cli::render::diagnostic::shown;

/// The whole log.
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

/// A path as a reference (RFC 3986, 3.3 and 4.2).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("dir/appspec.yml"), "dir/appspec.yml");
        assert_eq!(uri("a b/é:%.yml"), "a%20b/%C3%A9%3A%25.yml");
    }
}
