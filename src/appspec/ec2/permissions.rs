//! Checks `permissions`: owners, modes, access control lists and SELinux contexts of the copied files.

use super::security;
use super::{Os, strip};
use crate::appspec::check::{Check, Keys, Map, quote};
use crate::appspec::report::Rule;
use crate::appspec::scalar::Value;
use crate::appspec::tree::{Node, Shape};

const KEYS: [&str; 9] = [
    "object", "pattern", "except", "owner", "group", "mode", "acls", "context", "type",
];

pub(super) fn check(check: &mut Check<'_>, map: &Map<'_>, os: Os) {
    let items = check.list(map, "permissions");
    if os == Os::Windows {
        if let (false, Some(span)) = (items.is_empty(), map.key("permissions")) {
            let message = "the agents refuse permissions for Windows";
            check.report_with_help(Rule::PermissionsOnWindows, span, message, "remove them");
        }
        return;
    }
    for (index, item) in items.into_iter().enumerate() {
        if !check.count_step(item.span()) {
            return;
        }
        let what = format!("permissions[{index}]");
        let Some(permission) = check.required_map(item, &what, &Keys::Exactly(&KEYS)) else {
            continue;
        };
        check_object(check, &permission, &what);
        let except = permission.get("except").filter(|node| !node.is_false());
        if let Some(except) = except.filter(|node| node.shape() != Shape::List) {
            report_not_a_list(check, except, &format!("{what}.except"));
        }
        check_types(check, &permission, &what);
        if let Some(node) = permission.get("mode") {
            check_mode(check, node, &what);
        }
        if let Some(node) = permission
            .get("acls")
            .filter(|node| node.value() != Some(Value::Nil))
        {
            check_acls(check, node, &what);
        }
        if let Some(node) = permission.get("context") {
            check_context(check, node, &what);
        }
    }
}

/// Reports a value that is not a list. Agent 1.x takes an empty mapping for an empty list.
fn report_not_a_list(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let is_empty = node.pairs().is_some_and(|pairs| pairs.len() == 0);
    if !is_empty && node.value() != Some(Value::Unknown) {
        check.report_wrong_type(node, what, Shape::List);
    }
}

fn check_object(check: &mut Check<'_>, permission: &Map<'_>, what: &str) {
    let Some(node) = permission.get("object") else {
        let message = format!("{what} has no object");
        return check.report(Rule::NoObject, permission.head, message);
    };
    let wrong = match node.value() {
        Some(Value::Nil) => "empty",
        Some(Value::Text(text)) if strip(text).is_empty() => "blank",
        _ => return,
    };
    let message = format!("{what}.object is {wrong}");
    check.report(Rule::NoObject, node, message);
}

fn check_types(check: &mut Check<'_>, permission: &Map<'_>, what: &str) {
    let Some(node) = permission.get("type").filter(|node| !node.is_false()) else {
        return;
    };
    let Some(items) = node.items() else {
        return report_not_a_list(check, node, &format!("{what}.type"));
    };
    for item in items {
        let is_known = matches!(
            item.value(),
            Some(Value::Text("file" | "directory") | Value::Unknown)
        );
        if !is_known {
            let text = item.text_or_shape();
            let message = format!("a type is file or directory, not {}", quote(text));
            check.report(Rule::ObjectType, item, message);
        }
    }
}

fn check_mode(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let number;
    let mode = match node.value() {
        Some(Value::Nil | Value::Date | Value::Unknown | Value::Symbol) => return,
        Some(Value::Text(text)) => text,
        Some(Value::Int(value)) => {
            number = value.to_string();
            &number
        }
        Some(Value::Bool(_) | Value::Float(_)) => node.text().unwrap_or_default(),
        None => return check.report_wrong_type(node, &format!("{what}.mode"), Shape::Scalar),
    };
    let is_number = !matches!(node.value(), Some(Value::Bool(_) | Value::Float(_)));
    // Agent 1.x pads the number with zeros to three digits.
    let is_good = is_number
        && mode.chars().count() <= 4
        && mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let written = node.plain().unwrap_or(mode);
    let is_other = written.trim_start_matches('0') != mode.trim_start_matches('0');
    let digits = written.trim_start_matches('0');
    let help = format!("write \"{written}\", or {digits} without quotes");
    match (is_good, is_other) {
        (true, false) => {}
        (true, true) => check.report_with_help(
            Rule::ChangedMode,
            node,
            format!("mode {written}: agent 1.x reads it as octal and applies {mode:0>4}"),
            help,
        ),
        (false, true) if is_number => check.report_with_help(
            Rule::OctalMode,
            node,
            format!("mode {written}: agent 1.x reads it as octal and refuses {mode}"),
            help,
        ),
        (false, _) => check.report(
            Rule::Mode,
            node,
            format!("mode {} is not one to four octal digits", quote(written)),
        ),
    }
}

fn check_acls(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let Some(items) = node.items() else {
        return report_not_a_list(check, node, &format!("{what}.acls"));
    };
    for item in items {
        report_refused(check, item, Rule::Acl, "entry", security::ace);
    }
}

/// Reports a value that the agents refuse because `parse` does.
fn report_refused(
    check: &mut Check<'_>,
    node: Node<'_>,
    rule: Rule,
    name: &str,
    parse: fn(&str) -> Result<(), &'static str>,
) {
    let wrong = match node.value() {
        Some(Value::Unknown) => return,
        Some(Value::Text(text)) => parse(text).err(),
        _ => Some("it is not text; put it in quotes"),
    };
    if let Some(wrong) = wrong {
        let text = quote(node.text_or_shape());
        let message = format!("the {name} {text} is refused: {wrong}");
        check.report(rule, node, message);
    }
}

fn check_context(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    const KEYS: [&str; 4] = ["user", "name", "type", "range"];
    if matches!(node.value(), Some(Value::Nil | Value::Unknown)) {
        return;
    }
    let name = format!("{what}.context");
    let Some(context) = check.required_map(node, &name, &Keys::Exactly(&KEYS)) else {
        return;
    };
    match context.get("type") {
        Some(node) if node.value() != Some(Value::Nil) => {}
        _ => check.report(
            Rule::Context,
            context.head,
            format!("{what}.context has no type"),
        ),
    }
    if let Some(span) = context.key("user") {
        let message = "both agents ignore user, although it is documented";
        let help = "agent 1.x reads the user from name";
        check.report_with_help(Rule::ContextUser, span, message, help);
    }
    let Some(range) = context.get("range") else {
        return;
    };
    match range.value() {
        Some(Value::Nil | Value::Date) => {}
        _ => report_refused(check, range, Rule::Context, "range", security::range),
    }
}
