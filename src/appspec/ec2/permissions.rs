//! `permissions`: owners, modes, access control lists and SELinux contexts of what was copied.

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
            check.find_with(Rule::PermissionsOnWindows, span, message, "remove them");
        }
        return;
    }
    for (index, item) in items.into_iter().enumerate() {
        if !check.step(item.span()) {
            return;
        }
        let what = format!("permissions[{index}]");
        let Some(permission) = check.map(item, &Keys::Exactly(&KEYS)) else {
            if item.shape() != Shape::Map {
                check.wrong(item, &what, Shape::Map);
            }
            continue;
        };
        object(check, &permission, &what);
        let except = permission.get("except").filter(|node| !node.is_false());
        if let Some(except) = except.filter(|node| node.shape() != Shape::List) {
            wrong_list(check, except, &format!("{what}.except"));
        }
        types(check, &permission, &what);
        if let Some(node) = permission.get("mode") {
            mode(check, node, &what);
        }
        if let Some(node) = permission
            .get("acls")
            .filter(|node| node.value() != Some(Value::Nil))
        {
            acls(check, node, &what);
        }
        if let Some(node) = permission.get("context") {
            context(check, node, &what);
        }
    }
}

/// Something stands where a list should. An empty map is as good as an empty list to agent 1.x.
fn wrong_list(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let is_empty = node.pairs().is_some_and(|pairs| pairs.len() == 0);
    if !is_empty && node.value() != Some(Value::Unknown) {
        check.wrong(node, what, Shape::List);
    }
}

fn object(check: &mut Check<'_>, permission: &Map<'_>, what: &str) {
    let node = permission.get("object");
    match node.map(|node| (node, node.value())) {
        None => check.find(
            Rule::NoObject,
            permission.head,
            format!("{what} has no object"),
        ),
        Some((node, Some(Value::Nil))) => {
            check.find(
                Rule::NoObject,
                node.span(),
                format!("{what}.object is empty"),
            );
        }
        Some((node, Some(Value::Text(text)))) if strip(text).is_empty() => {
            check.find(
                Rule::NoObject,
                node.span(),
                format!("{what}.object is blank"),
            );
        }
        Some(_) => {}
    }
}

fn types(check: &mut Check<'_>, permission: &Map<'_>, what: &str) {
    let Some(node) = permission.get("type").filter(|node| !node.is_false()) else {
        return;
    };
    let Some(items) = node.items() else {
        return wrong_list(check, node, &format!("{what}.type"));
    };
    for item in items {
        let is_known = matches!(
            item.value(),
            Some(Value::Text("file" | "directory") | Value::Unknown)
        );
        if !is_known {
            let text = item.text().unwrap_or(item.shape().name());
            check.find(
                Rule::ObjectType,
                item.span(),
                format!("a type is file or directory, not {}", quote(text)),
            );
        }
    }
}

fn mode(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let number;
    let mode = match node.value() {
        Some(Value::Nil | Value::Date | Value::Unknown | Value::Symbol) => return,
        Some(Value::Text(text)) => text,
        Some(Value::Int(value)) => {
            number = value.to_string();
            &number
        }
        Some(Value::Bool(_) | Value::Float(_)) => node.text().unwrap_or_default(),
        None => return check.wrong(node, &format!("{what}.mode"), Shape::Scalar),
    };
    let is_number = !matches!(node.value(), Some(Value::Bool(_) | Value::Float(_)));
    // Agent 1.x fills up with noughts to three digits.
    let is_good = is_number
        && mode.chars().count() <= 4
        && mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let written = node.plain().unwrap_or(mode);
    let is_other = written.trim_start_matches('0') != mode.trim_start_matches('0');
    let digits = written.trim_start_matches('0');
    let help = format!("write \"{written}\", or {digits} without quotes");
    match (is_good, is_other) {
        (true, false) => {}
        (true, true) => check.find_with(
            Rule::ChangedMode,
            node.span(),
            format!("mode {written}: agent 1.x reads it as octal and applies {mode:0>4}"),
            help,
        ),
        (false, true) if is_number => check.find_with(
            Rule::OctalMode,
            node.span(),
            format!("mode {written}: agent 1.x reads it as octal and refuses {mode}"),
            help,
        ),
        (false, _) => check.find(
            Rule::Mode,
            node.span(),
            format!("mode {} is not one to four octal digits", quote(written)),
        ),
    }
}

fn acls(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let Some(items) = node.items() else {
        return wrong_list(check, node, &format!("{what}.acls"));
    };
    for item in items {
        let wrong = match item.value() {
            Some(Value::Text(text)) => security::ace(text).err(),
            Some(Value::Unknown) => None,
            _ => Some("it is not text; put it in quotes"),
        };
        if let Some(wrong) = wrong {
            let text = item.text().unwrap_or(item.shape().name());
            check.find(
                Rule::Acl,
                item.span(),
                format!("the entry {} is refused: {wrong}", quote(text)),
            );
        }
    }
}

fn context(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    const KEYS: [&str; 4] = ["user", "name", "type", "range"];
    if matches!(node.value(), Some(Value::Nil | Value::Unknown)) {
        return;
    }
    let Some(context) = check.map(node, &Keys::Exactly(&KEYS)) else {
        if node.shape() != Shape::Map {
            check.wrong(node, &format!("{what}.context"), Shape::Map);
        }
        return;
    };
    match context.get("type") {
        Some(node) if node.value() != Some(Value::Nil) => {}
        _ => check.find(
            Rule::Context,
            context.head,
            format!("{what}.context has no type"),
        ),
    }
    if let Some(span) = context.key("user") {
        check.find_with(
            Rule::ContextUser,
            span,
            "both agents ignore user, although it is documented",
            "agent 1.x reads the user from name",
        );
    }
    let Some(range) = context.get("range") else {
        return;
    };
    let wrong = match range.value() {
        Some(Value::Nil | Value::Date | Value::Unknown) => None,
        Some(Value::Text(text)) => security::range(text).err(),
        _ => Some("it is not text; put it in quotes"),
    };
    if let Some(wrong) = wrong {
        let text = range.text().unwrap_or(range.shape().name());
        check.find(
            Rule::Context,
            range.span(),
            format!("the range {} is refused: {wrong}", quote(text)),
        );
    }
}
