//! What a Lambda function must say: which it is, and from which version to which traffic goes.

use super::check::{Check, quote};
use super::report::{Rule, Span};
use super::resources::{is_placeholder, properties, required};
use super::scalar::Value;
use super::tree::{Node, Shape};

pub(super) const TYPE: &str = "AWS::Lambda::Function";

/// When hooks run.
pub(super) const EVENTS: [&str; 2] = ["BeforeAllowTraffic", "AfterAllowTraffic"];

const KEYS: [&str; 4] = ["Name", "Alias", "CurrentVersion", "TargetVersion"];

pub(super) fn check(check: &mut Check<'_>, node: Option<Node<'_>>, head: Span) {
    let Some(map) = properties(check, node, head, &KEYS) else {
        return;
    };
    for name in ["Name", "Alias"] {
        if let Some(node) = required(check, &map, name) {
            super::resources::expect(check, node, name, Shape::Scalar);
        }
    }
    for name in ["CurrentVersion", "TargetVersion"] {
        let Some(node) = required(check, &map, name) else {
            continue;
        };
        let is_version = match node.value() {
            Some(Value::Int(version)) => version > 0,
            Some(Value::Text(text)) => text.parse::<u64>().is_ok_and(|version| version > 0),
            Some(Value::Unknown) => true,
            _ => false,
        };
        if !is_version && !is_placeholder(node) {
            let text = node.text().unwrap_or(node.shape().name());
            check.find(
                Rule::Property,
                node.span(),
                format!(
                    "{name} should be the number of a published version, not {}",
                    quote(text)
                ),
            );
        }
    }
}
