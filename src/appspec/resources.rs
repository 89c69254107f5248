//! AppSpec files for Lambda and ECS: `Resources` with one function or service, and hooks that are
//! functions.
//!
//! CodeDeploy reads these files itself, and nobody outside knows how strictly. An error is what the
//! documentation ("AppSpec file structure", AWS CodeDeploy user guide) has no meaning for: no resource,
//! or none of the two types, or a required property that is not there. The guide writes keys both as
//! `resources` and as `Resources`, so case does not count. Placeholders that a pipeline fills in
//! (`<TASK_DEFINITION>`) are as good as values.

use super::check::{Check, Keys, Map, nearest, quote};
use super::report::{Rule, Span};
use super::scalar::Value;
use super::tree::{Node, Shape};
use super::{ecs, lambda};

const KEYS: [&str; 3] = ["version", "Resources", "Hooks"];

/// Checks the document.
pub(super) fn check(check: &mut Check<'_>, root: Node<'_>) {
    let Some(map) = check.map(root, &Keys::InAnyCase(&KEYS)) else {
        return;
    };
    version(check, &map);
    let Some(resources) = map.get_in_any_case("Resources") else {
        return;
    };
    let events = list(check, resources);
    if let Some(hooks) = map.get_in_any_case("Hooks") {
        look_at_hooks(check, hooks, events);
    }
}

fn version(check: &mut Check<'_>, map: &Map<'_>) {
    let node = map.get_in_any_case("version");
    let is_good = matches!(
        node.map(Node::value),
        Some(Some(
            Value::Int(0) | Value::Float(0.0) | Value::Text("0.0") | Value::Unknown
        ))
    );
    if !is_good {
        let span = node.map_or(map.head, Node::span);
        let message = "version should be 0.0, the only one that there is";
        check.find_with(
            Rule::ResourceVersion,
            span,
            message,
            "begin with version: 0.0",
        );
    }
}

/// Checks the resources. Returns the events that their hooks may have.
fn list(check: &mut Check<'_>, node: Node<'_>) -> &'static [&'static str] {
    let items: Vec<Node<'_>> = node.items().into_iter().flatten().collect();
    let Some(first) = items.first() else {
        let message = "Resources must be a list with one resource";
        check.find(Rule::Resource, node.span(), message);
        return &ecs::EVENTS;
    };
    if let Some(second) = items.get(1) {
        let message = "the documentation knows one resource only";
        check.find(Rule::SeveralResources, second.span(), message);
    }
    let events = resource(check, *first);
    for item in &items[1..] {
        if !check.step(item.span()) {
            break;
        }
        resource(check, *item);
    }
    events
}

fn resource(check: &mut Check<'_>, item: Node<'_>) -> &'static [&'static str] {
    const HELP: &str =
        "below Resources: a list item with a name, and below the name Type and Properties";
    let named = check.map(item, &Keys::Any);
    let body = named.as_ref().and_then(|named| named.pairs().next());
    let body = body.map(|(_, body)| body);
    let known = Keys::InAnyCase(&["Type", "Properties"]);
    let Some(body) = body.and_then(|body| check.map(body, &known)) else {
        let message = "a resource must have a name with Type and Properties below it";
        check.find_with(Rule::Resource, item.span(), message, HELP);
        return &ecs::EVENTS;
    };
    let node = body.get_in_any_case("Type");
    let properties = body.get_in_any_case("Properties");
    match node.and_then(Node::value) {
        Some(Value::Text(lambda::TYPE)) => {
            lambda::check(check, properties, body.head);
            &lambda::EVENTS
        }
        Some(Value::Text(ecs::TYPE)) => {
            ecs::check(check, properties, body.head);
            &ecs::EVENTS
        }
        _ => {
            let span = node.map_or(body.head, Node::span);
            let types = [lambda::TYPE, ecs::TYPE];
            let message = format!("Type must be {} or {}", lambda::TYPE, ecs::TYPE);
            let text = node.and_then(Node::text).unwrap_or_default();
            match nearest(text, &types) {
                Some(meant) => {
                    let help = format!("did you mean {meant}?");
                    check.find_with(Rule::Resource, span, message, help);
                }
                None => check.find(Rule::Resource, span, message),
            }
            &ecs::EVENTS
        }
    }
}

fn look_at_hooks(check: &mut Check<'_>, hooks: Node<'_>, events: &[&str]) {
    if hooks.is_false() {
        return;
    }
    let Some(items) = hooks.items() else {
        let message = format!(
            "Hooks should be a list, and this is {}",
            hooks.shape().name()
        );
        return check.find(Rule::Property, hooks.span(), message);
    };
    for item in items {
        let Some(hook) = check.map(item, &Keys::Any) else {
            let message = "a hook should be an event, a colon, and a function";
            check.find(Rule::Property, item.span(), message);
            continue;
        };
        for (key, function) in hook.pairs() {
            let event = key.text().unwrap_or_default();
            if !events.contains(&event) {
                let message = format!("{} is no event of this kind of deployment", quote(event));
                let help = match nearest(event, events) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("the events are {}", events.join(", ")),
                };
                check.find_with(Rule::UnknownHook, key.span(), message, help);
            }
            let names_one = match function.value() {
                Some(Value::Text(text)) => !text.trim().is_empty(),
                Some(value) => !value.is_false(),
                None => false,
            };
            if !names_one {
                let message = "a hook names a Lambda function, and this names none";
                check.find(Rule::Property, function.span(), message);
            }
        }
    }
}

/// The properties of a resource.
pub(super) fn properties<'a>(
    check: &mut Check<'_>,
    node: Option<Node<'a>>,
    head: Span,
    known: &[&str],
) -> Option<Map<'a>> {
    let map = node.and_then(|node| check.map(node, &Keys::InAnyCase(known)));
    if map.is_none() {
        let span = node.map_or(head, Node::span);
        check.find(Rule::NoProperty, span, "the resource has no Properties");
    }
    map
}

/// The value of a property that must be there.
pub(super) fn required<'a>(check: &mut Check<'_>, map: &Map<'a>, name: &str) -> Option<Node<'a>> {
    let node = map.get_in_any_case(name);
    let is_there = match node.map(Node::value) {
        None | Some(Some(Value::Nil)) => false,
        Some(Some(Value::Text(text))) => !text.trim().is_empty(),
        Some(_) => true,
    };
    if is_there {
        return node;
    }
    let span = node.map_or(map.head, Node::span);
    check.find(
        Rule::NoProperty,
        span,
        format!("the property {name} is missing"),
    );
    None
}

/// Says that a property that is a list, or a map, is something else.
pub(super) fn expect(check: &mut Check<'_>, node: Node<'_>, name: &str, shape: Shape) -> bool {
    if node.shape() == shape {
        return true;
    }
    let message = format!(
        "{name} should be {}, and this is {}",
        shape.name(),
        node.shape().name()
    );
    if !is_placeholder(node) {
        check.find(Rule::Property, node.span(), message);
    }
    false
}

/// Whether something else puts the value in.
pub(super) fn is_placeholder(node: Node<'_>) -> bool {
    node.text().is_some_and(|text| {
        text.contains('<') && text.contains('>')
            || ["${", "$(", "{{", "%("]
                .iter()
                .any(|start| text.contains(start))
    })
}
