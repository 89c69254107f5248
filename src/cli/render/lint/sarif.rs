//! SARIF 2.1.0, for GitHub's code scanning and other viewers.
//!
//! One run has the findings of all files. It lists all rules, so that a viewer also knows those without
//! findings. Paths are relative to the root of the repository in a step of a GitHub workflow, elsewhere to
//! the working directory, which viewers take for the root.

use hoist::appspec::{Report, Rule, Severity};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Linted;
use super::help::{self, Help};
use crate::cli::render::github::path_of;

/// All characters but the unreserved ones (RFC 3986, 2.3) and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The SARIF log of one run.
pub(crate) fn log(linted: &Linted) -> Value {
    let notifications = linted.failures.iter().map(|failure| {
        json!({
            "level": "error",
            "message": {"text": failure},
        })
    });
    let rules = Rule::ALL.iter().map(|rule| described(*rule));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "hoist",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "informationUri": help::uri(),
                    "rules": rules.collect::<Vec<_>>(),
                },
            },
            "invocations": [{
                "executionSuccessful": linted.failures.is_empty(),
                "toolExecutionNotifications": notifications.collect::<Vec<_>>(),
            }],
            // Columns are counted in characters.
            "columnKind": "unicodeCodePoints",
            "results": linted.reports.iter().flat_map(results).collect::<Vec<_>>(),
        }],
    })
}

fn described(rule: Rule) -> Value {
    let mut described = json!({
        "id": rule.id(),
        "shortDescription": {"text": rule.summary()},
        "defaultConfiguration": {"level": level(rule.severity())},
        "helpUri": help::uri(),
        "properties": {"problem.severity": level(rule.severity())},
    });
    if let Some(help) = Help::of(rule) {
        described["fullDescription"] =
            json!({"text": format!("{}: {}", rule.summary(), help.plain_reason())});
        described["help"] = json!({"text": help.text(), "markdown": help.markdown(rule)});
    }
    described
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn results(report: &Report) -> impl Iterator<Item = Value> + '_ {
    let uri = uri(&path_of(&report.path));
    report.findings.iter().map(move |finding| {
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
}

/// A path as a reference (RFC 3986, 4.2), an absolute one as a URL of the scheme `file`.
fn uri(path: &str) -> String {
    let path = if cfg!(windows) {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    };
    let escaped = utf8_percent_encode(&path, ESCAPED);
    match path.as_bytes() {
        [b'/', ..] => format!("file://{escaped}"),
        [_, b':', b'/', ..] if cfg!(windows) => format!("file:///{escaped}"),
        _ => escaped.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_reference() {
        assert_eq!(uri("dir/appspec.yml"), "dir/appspec.yml");
        assert_eq!(uri("a b/é:%.yml"), "a%20b/%C3%A9%3A%25.yml");
        assert_eq!(uri("/a b/c"), "file:///a%20b/c");
    }
}
