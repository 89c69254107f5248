//! Checks `permissions`: owners, modes, access control lists and SELinux contexts of the copied files.

use super::installed::{self, Installed, Reached, Selection};
use super::{Os, patterns, security, strip};
use crate::appspec::check::{Check, Keys, Map, quote};
use crate::appspec::report::Rule;
use crate::appspec::scalar::Value;
use crate::appspec::tree::{Node, Shape};

const KEYS: [&str; 9] = [
    "object", "pattern", "except", "owner", "group", "mode", "acls", "context", "type",
];

pub(super) fn check(check: &mut Check<'_>, map: &Map<'_>, os: Os, installed: &mut Installed) {
    let items = check.list(map, "permissions");
    if os == Os::Windows {
        if let (false, Some(span)) = (items.is_empty(), map.key("permissions")) {
            let message = "the agents refuse permissions for Windows";
            check.report_with_help(Rule::PermissionsOnWindows, span, message, "remove them");
        }
        return;
    }
    installed.are_several = items.len() > 1;
    for (index, item) in items.into_iter().enumerate() {
        if !check.count_step(item.span()) {
            return;
        }
        let what = format!("permissions[{index}]");
        let Some(permission) = check.required_map(item, &what, &Keys::Exactly(&KEYS)) else {
            continue;
        };
        let object = check_object(check, &permission, &what);
        let mut is_reported = false;
        let pattern = check_pattern(check, &permission, &what, &mut is_reported);
        let except = check_except(check, &permission, &what, &mut is_reported);
        let types = check_types(check, &permission, &what);
        for key in ["owner", "group"] {
            if let Some(node) = permission.get(key) {
                check_owner(check, node, key, &what);
            }
        }
        if let Some(node) = permission.get("mode") {
            check_mode(check, node, &what);
        }
        let mut default = None;
        if let Some(node) = permission
            .get("acls")
            .filter(|node| node.value() != Some(Value::Nil))
        {
            default = check_acls(check, node, &what);
        }
        if let Some(node) = permission.get("context") {
            check_context(check, node, &what);
        }
        // What the checks cannot read was reported.
        if let (Some((node, text)), Some(pattern), Some(except), Some((files, directories))) =
            (object, pattern, except, types)
        {
            let selection = Selection {
                object: Selection::object_of(text),
                pattern,
                except,
                files,
                directories,
                to_shell: ["acls", "context"]
                    .iter()
                    .any(|key| permission.get(key).is_some_and(|node| !node.is_false())),
            };
            let reached = installed::reach(installed, check.bundle, index, &selection);
            report_reached(check, &permission, &selection, &reached);
            // What the agents make of a pattern was reported, and that it selects nothing follows from it.
            if reached.anything || !(is_reported && reached.anything_but_for_names) {
                report_object(check, node, text, &selection, &reached);
            }
            if let (Some(node), Some(file)) = (default, &reached.file) {
                let message = format!(
                    "only a directory has a default entry, and this one reaches the file {}",
                    quote(file)
                );
                let help = "write type: [directory]";
                check.report_with_help(Rule::DefaultAcl, node, message, help);
            }
        }
    }
}

/// Reports what is wrong with what a permission reaches.
fn report_reached(
    check: &mut Check<'_>,
    permission: &Map<'_>,
    selection: &Selection<'_>,
    reached: &Reached,
) {
    let key = |name: &str| permission.key(name).unwrap_or(permission.head);
    if reached.is_file && selection.files {
        let is_other = selection.pattern != "**";
        if is_other || !selection.except.is_empty() {
            let name = if is_other { "pattern" } else { "except" };
            let message = format!(
                "the object is a file, so {name} has no meaning: the agents stop at Install"
            );
            let help = "write the directory of the file as object";
            check.report_with_help(Rule::PatternOnFile, key(name), message, help);
        }
    }
    if let Some((path, first)) = &reached.twice {
        let message = format!(
            "{} gets permissions twice: from permissions[{first}], and from here",
            quote(path)
        );
        let help = "a permission for a directory holds for all that is below it; leave the file out with \
                    except, pattern or type";
        check.report_with_help(Rule::PermissionTwice, key("object"), message, help);
    }
    let is_set = |name: &str| permission.get(name).is_some_and(|node| !node.is_false());
    let program = [("acls", "setfacl"), ("context", "semanage")];
    let program = program.iter().find(|(name, _)| is_set(name));
    if let (Some(path), Some((name, program))) = (&reached.unquoted, program) {
        let message = format!(
            "agent 1.x gives the name {} to {program} without quotes and fails",
            quote(path)
        );
        check.report_with_help(Rule::UnquotedName, key(name), message, "rename the file");
    }
}

/// Reports an object that reaches nothing, or that agent 2.x does not find.
fn report_object(
    check: &mut Check<'_>,
    node: Node<'_>,
    text: &str,
    selection: &Selection<'_>,
    reached: &Reached,
) {
    let shown = quote(text);
    if !reached.anything {
        let help = if text.contains('*') {
            "an object has no wildcards: name the directory, and write a pattern"
        } else if !text.starts_with('/') {
            "write an absolute path, which is a destination of files or below one"
        } else if selection.has_all() {
            "agents change only what files installs; a directory itself is not changed, only what is below it"
        } else {
            "check pattern, except and type: patterns are compared with names right below the object"
        };
        let message = format!("the permission for {shown} reaches nothing that is installed");
        return check.report_with_help(Rule::ReachesNothing, node, message, help);
    }
    let plain = selection
        .object
        .strip_suffix('/')
        .unwrap_or(&selection.object);
    let written = text.strip_suffix('/').unwrap_or(text);
    if (written != plain || !text.starts_with('/')) && !reached.is_file {
        let message = format!("agent 2.x does not find what is below the object {shown}");
        let plain = crate::appspec::check::plain(plain);
        let help = format!("write {}", if plain.is_empty() { "/" } else { &plain });
        check.report_with_help(Rule::ObjectForm, node, message, help);
    }
}

/// Reports a value that is not a list. Agent 1.x takes an empty mapping for an empty list.
fn report_not_a_list(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let is_empty = node.pairs().is_some_and(|pairs| pairs.len() == 0);
    if is_empty {
        let message = format!(
            "{what} is not a list: agent 1.x takes it for an empty one, agent 2.x refuses it"
        );
        check.report_with_help(Rule::EmptyValue, node, message, "write []");
    } else if node.value() != Some(Value::Unknown) {
        check.report_wrong_type(node, what, Shape::List);
    }
}

/// The list at a key. None if it is something else, which is reported.
fn optional_list<'a>(
    check: &mut Check<'_>,
    permission: &Map<'a>,
    key: &str,
    what: &str,
) -> Option<Option<Vec<Node<'a>>>> {
    let what = format!("{what}.{key}");
    let Some(node) = permission.get(key) else {
        return Some(None);
    };
    match node.value() {
        Some(Value::Nil) => Some(None),
        Some(Value::Bool(false)) => {
            let message = format!("agent 1.x takes {what} for an empty list, agent 2.x refuses it");
            check.report_with_help(Rule::EmptyValue, node, message, "remove it");
            Some(None)
        }
        _ => match node.items() {
            Some(items) => Some(Some(items.collect())),
            None => {
                report_not_a_list(check, node, &what);
                None
            }
        },
    }
}

/// The object as it is written, without the white space around it.
fn check_object<'a>(
    check: &mut Check<'_>,
    permission: &Map<'a>,
    what: &str,
) -> Option<(Node<'a>, &'a str)> {
    let Some(node) = permission.get("object") else {
        let message = format!("{what} has no object");
        check.report(Rule::NoObject, permission.head, message);
        return None;
    };
    let wrong = match node.value() {
        Some(Value::Nil) => "empty",
        Some(Value::Text(text)) if strip(text).is_empty() => "blank",
        Some(Value::Text(text)) => return Some((node, strip(text))),
        // A number is the text that it is written as.
        Some(Value::Int(_)) => return node.plain().map(|text| (node, text)),
        _ => {
            check.text(node, &format!("{what}.object"));
            return None;
        }
    };
    let message = format!("{what}.object is {wrong}");
    check.report(Rule::NoObject, node, message);
    None
}

/// The pattern, which is `**` if there is none. Notes in `is_reported` whether agents read it differently.
fn check_pattern<'a>(
    check: &mut Check<'_>,
    permission: &Map<'a>,
    what: &str,
    is_reported: &mut bool,
) -> Option<&'a str> {
    let node = permission.get("pattern");
    let Some(node) = node.filter(|node| node.value() != Some(Value::Nil)) else {
        return Some("**");
    };
    let pattern = check.text(node, &format!("{what}.pattern"))?;
    *is_reported |= patterns::check(check, node, pattern, false);
    Some(pattern)
}

fn check_except<'a>(
    check: &mut Check<'_>,
    permission: &Map<'a>,
    what: &str,
    is_reported: &mut bool,
) -> Option<Vec<&'a str>> {
    let items = optional_list(check, permission, "except", what)?.unwrap_or_default();
    let mut except = Some(Vec::new());
    for item in items {
        if item.value() == Some(Value::Nil) {
            let message = "agent 1.x crashes at an item of except that is empty";
            check.report_with_help(
                Rule::NotText,
                item,
                message,
                "remove it, or put it in quotes",
            );
        }
        let Some(pattern) = check.text(item, &format!("an item of {what}.except")) else {
            except = None;
            continue;
        };
        *is_reported |= patterns::check(check, item, pattern, true);
        if let Some(except) = &mut except {
            except.push(pattern);
        }
    }
    except
}

/// Whether the permission is for files, and for directories.
fn check_types(check: &mut Check<'_>, permission: &Map<'_>, what: &str) -> Option<(bool, bool)> {
    let Some(items) = optional_list(check, permission, "type", what)? else {
        return Some((true, true));
    };
    let has = |name: &str| {
        items
            .iter()
            .any(|item| item.value() == Some(Value::Text(name)))
    };
    let found = (has("file"), has("directory"));
    let mut are_known = true;
    for item in items {
        let is_known = matches!(
            item.value(),
            Some(Value::Text("file" | "directory") | Value::Unknown)
        );
        if !is_known {
            let text = item.text_or_shape();
            let message = format!("a type is file or directory, not {}", quote(text));
            check.report(Rule::ObjectType, item, message);
            are_known = false;
        }
    }
    are_known.then_some(found)
}

/// Checks the name of an owner or group.
fn check_owner(check: &mut Check<'_>, node: Node<'_>, key: &str, what: &str) {
    let text = match node.value() {
        Some(Value::Nil | Value::Date | Value::Unknown) => return,
        Some(Value::Text(text)) => text,
        Some(_) => "",
        None => return check.report_wrong_type(node, &format!("{what}.{key}"), Shape::Scalar),
    };
    let is_name = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ':' | '/' | ',');
    if text.is_empty()
        || !text.chars().all(is_name)
        || text.bytes().all(|byte| byte.is_ascii_digit())
    {
        let shown = quote(node.text_or_shape());
        let message = format!(
            "{what}.{key} {shown} is not a name: agent 1.x fails at Install, agent 2.x ignores it"
        );
        let help = format!("write the name of the {key}, in quotes if it looks like another value");
        check.report_with_help(Rule::OwnerName, node, message, help);
    }
}

fn check_mode(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let number;
    let mode = match node.value() {
        Some(Value::Nil | Value::Unknown) => return,
        Some(Value::Text(text)) => text,
        // Agent 1.x drops the colon, and agent 2.x refuses it.
        Some(Value::Symbol) => node.text().unwrap_or_default().trim_start_matches(':'),
        Some(Value::Int(value)) => {
            number = value.to_string();
            &number
        }
        Some(Value::Bool(_) | Value::Float(_) | Value::Date) => node.text().unwrap_or_default(),
        None => return check.report_wrong_type(node, &format!("{what}.mode"), Shape::Scalar),
    };
    let is_number = !matches!(
        node.value(),
        Some(Value::Bool(_) | Value::Float(_) | Value::Date)
    );
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
            format!("mode {written}: agent 1.x reads it as a number and applies {mode:0>4}"),
            help,
        ),
        (false, true) if is_number => check.report_with_help(
            Rule::OctalMode,
            node,
            format!("mode {written}: agent 1.x reads it as a number and refuses {mode}"),
            help,
        ),
        (false, _) => check.report(
            Rule::Mode,
            node,
            format!("mode {} is not one to four octal digits", quote(written)),
        ),
    }
}

/// Returns the first entry that is for the files that a directory will get.
fn check_acls<'a>(check: &mut Check<'_>, node: Node<'a>, what: &str) -> Option<Node<'a>> {
    let Some(items) = node.items() else {
        report_not_a_list(check, node, &format!("{what}.acls"));
        return None;
    };
    let mut first = None;
    for item in items {
        let is_default = report_refused(check, item, Rule::Acl, "entry", security::ace);
        if is_default == Some(true) {
            first = first.or(Some(item));
        }
        let text = item.text().unwrap_or_default();
        if is_default.is_some() && !security::is_ace_2(text) {
            let message = format!("agent 2.x refuses the entry {}", quote(text));
            let help = "write [default:]user|group|mask|other, the name and the permissions, with colons between";
            check.report_with_help(Rule::AclForm, item, message, help);
        }
    }
    first
}

/// Reports a value that the agents refuse because `parse` does. Returns what it is otherwise.
fn report_refused<T>(
    check: &mut Check<'_>,
    node: Node<'_>,
    rule: Rule,
    name: &str,
    parse: fn(&str) -> Result<T, &'static str>,
) -> Option<T> {
    let wrong = match node.value() {
        Some(Value::Unknown) => return None,
        Some(Value::Text(text)) => match parse(text) {
            Ok(parsed) => return Some(parsed),
            Err(wrong) => wrong,
        },
        _ => "it is not text; put it in quotes",
    };
    let text = quote(node.text_or_shape());
    let message = format!("the {name} {text} is refused: {wrong}");
    check.report(rule, node, message);
    None
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
    let has_type = context
        .get("type")
        .is_some_and(|node| node.value() != Some(Value::Nil));
    for key in ["name", "type"] {
        if let Some(node) = context.get(key).filter(|node| node.value().is_none()) {
            check.report_wrong_type(node, &format!("{name}.{key}"), Shape::Scalar);
        }
    }
    if !has_type {
        let message = format!("{what}.context has no type");
        check.report(Rule::Context, context.head, message);
    }
    if let Some(span) = context.key("user") {
        let message = "both agents ignore user, although it is documented";
        let help = "agent 1.x reads the user from name";
        check.report_with_help(Rule::ContextUser, span, message, help);
    }
    let range = context.get("range");
    let Some(range) = range.filter(|range| range.value() != Some(Value::Nil)) else {
        if !has_type {
            return;
        }
        let message = format!("{what}.context has no range: agent 1.x crashes at Install");
        let help = "write range: s0";
        return check.report_with_help(Rule::ContextRange, context.head, message, help);
    };
    let parsed = report_refused(check, range, Rule::Context, "range", security::range);
    let text = range.text().unwrap_or_default();
    if parsed.is_some() && !security::is_range_2(text) {
        let message = format!("agent 2.x refuses the range {}", quote(text));
        let help = "sensitivities end at s255, and no part of the list is empty";
        check.report_with_help(Rule::RangeForm, range, message, help);
    }
}
