//! What an ECS service needs in an AppSpec file: the task, and the container to which the load balancer
//! sends traffic.

use super::check::{Check, Map};
use super::report::Rule;
use super::resources::{Kind, has_shape, is_placeholder, mapping, report_property, required};
use super::scalar::Value;
use super::tree::{Node, Shape};

pub(super) const KIND: Kind = Kind {
    name: "AWS::ECS::Service",
    events: &[
        "BeforeInstall",
        "AfterInstall",
        "AfterAllowTestTraffic",
        "BeforeAllowTraffic",
        "AfterAllowTraffic",
    ],
    keys: &[
        "TaskDefinition",
        "LoadBalancerInfo",
        "PlatformVersion",
        "NetworkConfiguration",
        "CapacityProviderStrategy",
    ],
    check,
};

fn check(check: &mut Check<'_>, map: &Map<'_>) {
    const STRATEGY: &str = "CapacityProviderStrategy";
    if let Some(node) = required(check, map, "TaskDefinition") {
        has_shape(check, node, "TaskDefinition", Shape::Scalar);
    }
    if let Some(node) = required(check, map, "LoadBalancerInfo") {
        check_load_balancer(check, node);
    }
    if let Some(node) = map.get("NetworkConfiguration") {
        check_network(check, node);
    }
    if let Some(node) = map.get(STRATEGY)
        && has_shape(check, node, STRATEGY, Shape::List)
    {
        const KEYS: [&str; 3] = ["CapacityProvider", "Base", "Weight"];
        for item in node.items().into_iter().flatten() {
            mapping(check, item, &format!("an item of {STRATEGY}"), &KEYS);
        }
    }
}

fn check_load_balancer(check: &mut Check<'_>, node: Node<'_>) {
    const KEYS: [&str; 2] = ["ContainerName", "ContainerPort"];
    let Some(map) = mapping(check, node, "LoadBalancerInfo", &KEYS) else {
        return;
    };
    required(check, &map, "ContainerName");
    let Some(port) = required(check, &map, "ContainerPort") else {
        return;
    };
    match port.value() {
        Some(Value::Int(1..=65535) | Value::Unknown) => {}
        _ if is_placeholder(port) => {}
        Some(Value::Text(text)) if text.parse::<u16>().is_ok_and(|port| port > 0) => {
            let message =
                format!("ContainerPort should be the bare number {text}; remove the quotes");
            check.report(Rule::Property, port, message);
        }
        _ => report_property(check, port, "ContainerPort", "a number from 1 to 65535"),
    }
}

fn check_network(check: &mut Check<'_>, node: Node<'_>) {
    const AWSVPC: &str = "AwsvpcConfiguration";
    const KEYS: [&str; 3] = ["Subnets", "SecurityGroups", "AssignPublicIp"];
    if node.is_false() {
        return;
    }
    let Some(map) = mapping(check, node, "NetworkConfiguration", &[AWSVPC]) else {
        return;
    };
    let Some(node) = map.get(AWSVPC) else {
        let message = format!("NetworkConfiguration should have {AWSVPC}");
        return check.report(Rule::Property, node, message);
    };
    let Some(map) = mapping(check, node, AWSVPC, &KEYS) else {
        return;
    };
    let mut missing = KEYS.to_vec();
    let is_missing = |node: Node<'_>| node.value() == Some(Value::Nil);
    missing.retain(|key| map.get(key).is_none_or(is_missing));
    if !missing.is_empty() && missing.len() < KEYS.len() {
        let (all, missing) = (KEYS.join(", "), missing.join(" and no "));
        let message = format!("{AWSVPC} needs either all or none of {all}; it has no {missing}");
        check.report(Rule::Property, node, message);
    }
    for name in ["Subnets", "SecurityGroups"] {
        if let Some(node) = map.get(name).filter(|node| !is_missing(*node)) {
            check_ids(check, node, name);
        }
    }
    let public = map.get("AssignPublicIp").filter(|node| !is_missing(*node));
    if let Some(node) = public {
        let is_known = matches!(
            node.value(),
            Some(Value::Text("ENABLED" | "DISABLED") | Value::Unknown)
        );
        if !is_known && !is_placeholder(node) {
            report_property(
                check,
                node,
                "AssignPublicIp",
                "ENABLED or DISABLED, upper case",
            );
        }
    }
}

/// Checks a list of subnets or security groups.
fn check_ids(check: &mut Check<'_>, node: Node<'_>, name: &str) {
    if !has_shape(check, node, name, Shape::List) {
        return;
    }
    let items: Vec<Node<'_>> = node.items().into_iter().flatten().collect();
    if items.is_empty() {
        check.report(
            Rule::Property,
            node,
            format!("{name} should have at least one item"),
        );
    }
    for item in items {
        let is_id = matches!(item.value(), Some(Value::Text(text)) if !text.trim().is_empty());
        if !is_id && item.value() != Some(Value::Unknown) && !is_placeholder(item) {
            report_property(
                check,
                item,
                &format!("an item of {name}"),
                "the id of one, as text",
            );
        }
    }
}
