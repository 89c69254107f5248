//! Checks AppSpec files for Lambda and ECS: `Resources` with one function or service, and hooks that
//! name Lambda functions.
//!
//! CodeDeploy reads these files itself, and how strictly it does so is not documented. So an error is
//! only what the documentation ("AppSpec file structure", AWS CodeDeploy user guide) gives no meaning:
//! a file without a resource, a resource of an unknown type, or a missing required property. The guide
//! writes keys both as `resources` and as `Resources`, so case is ignored. A placeholder that a
//! pipeline fills in (`<TASK_DEFINITION>`) is accepted in place of any value.

use super::check::{Check, Keys, Map, nearest, quote};
use super::report::Rule;
use super::scalar::Value;
use super::tree::{Node, Shape};

const KEYS: [&str; 3] = ["version", "Resources", "Hooks"];

/// A kind of resource, such as a Lambda function.
pub(super) struct Kind {
    /// The value of `Type`.
    pub(super) name: &'static str,
    /// The events at which hooks run.
    pub(super) events: &'static [&'static str],
    /// The keys of `Properties`.
    pub(super) keys: &'static [&'static str],
    /// Checks `Properties`.
    pub(super) check: fn(&mut Check<'_>, &Map<'_>),
}

/// Checks a document whose resources are of one of `kinds`, the last of which is taken if the
/// document does not tell.
pub(super) fn check(check: &mut Check<'_>, root: Node<'_>, kinds: &[&Kind; 2]) {
    let Some(map) = check.map(root, &Keys::InAnyCase(&KEYS)) else {
        return;
    };
    check_version(check, &map);
    let Some(resources) = map.get("Resources") else {
        return;
    };
    let kind = check_resources(check, resources, kinds);
    if let Some(hooks) = map.get("Hooks") {
        check_hooks(check, hooks, kind.unwrap_or(kinds[1]).events);
    }
}

fn check_version(check: &mut Check<'_>, map: &Map<'_>) {
    let node = map.get("version");
    let is_good = matches!(
        node.and_then(Node::value),
        Some(Value::Int(0) | Value::Float(0.0) | Value::Text("0.0") | Value::Unknown)
    );
    if !is_good {
        let span = node.map_or(map.head, Node::span);
        let message = "version should be 0.0, the only version that exists";
        let help = "begin with version: 0.0";
        check.report_with_help(Rule::ResourceVersion, span, message, help);
    }
}

/// Checks the resources. Returns the kind of the first.
fn check_resources<'k>(
    check: &mut Check<'_>,
    node: Node<'_>,
    kinds: &[&'k Kind; 2],
) -> Option<&'k Kind> {
    let items: Vec<Node<'_>> = node.items().into_iter().flatten().collect();
    let Some(first) = items.first() else {
        let message = "Resources must be a list with one resource";
        check.report(Rule::Resource, node, message);
        return None;
    };
    if let Some(second) = items.get(1) {
        let message = "the documentation allows only one resource";
        check.report(Rule::SeveralResources, *second, message);
    }
    let kind = check_resource(check, *first, kinds);
    for item in &items[1..] {
        if !check.count_step(item.span()) {
            break;
        }
        check_resource(check, *item, kinds);
    }
    kind
}

fn check_resource<'k>(
    check: &mut Check<'_>,
    item: Node<'_>,
    kinds: &[&'k Kind; 2],
) -> Option<&'k Kind> {
    const HELP: &str =
        "below Resources: a list item with a name, and below the name Type and Properties";
    let named = check.map(item, &Keys::Any);
    let body = named.as_ref().and_then(|named| named.pairs().next());
    let known = Keys::InAnyCase(&["Type", "Properties"]);
    let Some(body) = body.and_then(|(_, body)| check.map(body, &known)) else {
        let message = "a resource must have a name with Type and Properties below it";
        check.report_with_help(Rule::Resource, item, message, HELP);
        return None;
    };
    let node = body.get("Type");
    let written = match node.and_then(Node::value) {
        Some(Value::Text(text)) => text,
        _ => "",
    };
    let Some(kind) = kinds.iter().find(|kind| kind.name == written) else {
        let span = node.map_or(body.head, Node::span);
        let names = kinds.map(|kind| kind.name);
        let message = format!("Type must be {}", names.join(" or "));
        let text = node.and_then(Node::text).unwrap_or_default();
        match nearest(text, &names) {
            Some(meant) => {
                let help = format!("did you mean {meant}?");
                check.report_with_help(Rule::Resource, span, message, help);
            }
            None => check.report(Rule::Resource, span, message),
        }
        return None;
    };
    let node = body.get("Properties");
    match node.and_then(|node| check.map(node, &Keys::InAnyCase(kind.keys))) {
        Some(properties) => (kind.check)(check, &properties),
        None => {
            let span = node.map_or(body.head, Node::span);
            check.report(Rule::NoProperty, span, "the resource has no Properties");
        }
    }
    Some(kind)
}

fn check_hooks(check: &mut Check<'_>, hooks: Node<'_>, events: &[&str]) {
    if hooks.is_false() {
        return;
    }
    let Some(items) = hooks.items() else {
        let shape = hooks.shape().name();
        let message = format!("Hooks should be a list, and this is {shape}");
        return check.report(Rule::Property, hooks, message);
    };
    for item in items {
        let Some(hook) = check.map(item, &Keys::Any) else {
            let message = "a hook should be an event, a colon, and a function";
            check.report(Rule::Property, item, message);
            continue;
        };
        for (key, function) in hook.pairs() {
            let event = key.text_or_shape();
            if !events.contains(&event) {
                let message = format!("this kind of deployment has no event {}", quote(event));
                let help = match nearest(event, events) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("the events are {}", events.join(", ")),
                };
                check.report_with_help(Rule::UnknownHook, key, message, help);
            }
            let names_function = match function.value() {
                Some(Value::Text(text)) => !text.trim().is_empty(),
                Some(value) => !value.is_false(),
                None => false,
            };
            if !names_function {
                let message = "a hook must name a Lambda function, and this one does not";
                check.report(Rule::Property, function, message);
            }
        }
    }
}

/// The value of a required property. Reports it if it is missing.
pub(super) fn required<'a>(check: &mut Check<'_>, map: &Map<'a>, name: &str) -> Option<Node<'a>> {
    let node = map.get(name);
    let is_there = match node.map(Node::value) {
        None | Some(Some(Value::Nil)) => false,
        Some(Some(Value::Text(text))) => !text.trim().is_empty(),
        Some(_) => true,
    };
    if is_there {
        return node;
    }
    let span = node.map_or(map.head, Node::span);
    let message = format!("the property {name} is missing");
    check.report(Rule::NoProperty, span, message);
    None
}

/// Whether a property has the shape that it needs. Reports it if it has another.
pub(super) fn has_shape(check: &mut Check<'_>, node: Node<'_>, name: &str, shape: Shape) -> bool {
    if node.shape() == shape {
        return true;
    }
    if !is_placeholder(node) {
        let (needed, found) = (shape.name(), node.shape().name());
        let message = format!("{name} should be {needed}, and this is {found}");
        check.report(Rule::Property, node, message);
    }
    false
}

/// Reads the mapping that a property must be. Reports the property if it is something else.
pub(super) fn mapping<'a>(
    check: &mut Check<'_>,
    node: Node<'a>,
    name: &str,
    keys: &[&str],
) -> Option<Map<'a>> {
    let map = check.map(node, &Keys::InAnyCase(keys));
    if map.is_none() {
        has_shape(check, node, name, Shape::Map);
    }
    map
}

/// Reports a property that does not look right. `wanted` completes "NAME should be …".
pub(super) fn report_property(check: &mut Check<'_>, node: Node<'_>, name: &str, wanted: &str) {
    let text = quote(node.text_or_shape());
    let message = format!("{name} should be {wanted}, not {text}");
    check.report(Rule::Property, node, message);
}

/// Whether a pipeline fills in the value later.
pub(super) fn is_placeholder(node: Node<'_>) -> bool {
    let starts = ["${", "$(", "{{", "%("];
    node.text().is_some_and(|text| {
        text.contains('<') && text.contains('>') || starts.iter().any(|start| text.contains(start))
    })
}
