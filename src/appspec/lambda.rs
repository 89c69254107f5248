//! What a Lambda function needs in an AppSpec file: its name and alias, and the versions between which
//! traffic moves.

use super::check::{Check, Map};
use super::resources::{Kind, has_shape, is_placeholder, report_property, required};
use super::scalar::Value;
use super::tree::Shape;

pub(super) const KIND: Kind = Kind {
    name: "AWS::Lambda::Function",
    events: &["BeforeAllowTraffic", "AfterAllowTraffic"],
    keys: &["Name", "Alias", "CurrentVersion", "TargetVersion"],
    check,
};

fn check(check: &mut Check<'_>, map: &Map<'_>) {
    for name in ["Name", "Alias"] {
        if let Some(node) = required(check, map, name) {
            has_shape(check, node, name, Shape::Scalar);
        }
    }
    for name in ["CurrentVersion", "TargetVersion"] {
        let Some(node) = required(check, map, name) else {
            continue;
        };
        let is_version = match node.value() {
            Some(Value::Int(version)) => version > 0,
            Some(Value::Text(text)) => text.parse::<u64>().is_ok_and(|version| version > 0),
            Some(Value::Unknown) => true,
            _ => false,
        };
        if !is_version && !is_placeholder(node) {
            report_property(check, node, name, "the number of a published version");
        }
    }
}
