//! What an ECS service must say: the task, and which container the load balancer sends traffic to.

use super::check::{Check, Keys, quote};
use super::report::{Rule, Span};
use super::resources::{expect, is_placeholder, properties, required};
use super::scalar::Value;
use super::tree::{Node, Shape};

pub(super) const TYPE: &str = "AWS::ECS::Service";

/// When hooks run.
pub(super) const EVENTS: [&str; 5] = [
    "BeforeInstall",
    "AfterInstall",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
];

const KEYS: [&str; 5] = [
    "TaskDefinition",
    "LoadBalancerInfo",
    "PlatformVersion",
    "NetworkConfiguration",
    "CapacityProviderStrategy",
];

pub(super) fn check(check: &mut Check<'_>, node: Option<Node<'_>>, head: Span) {
    let Some(map) = properties(check, node, head, &KEYS) else {
        return;
    };
    if let Some(node) = required(check, &map, "TaskDefinition") {
        expect(check, node, "TaskDefinition", Shape::Scalar);
    }
    if let Some(node) = required(check, &map, "LoadBalancerInfo") {
        load_balancer(check, node);
    }
    if let Some(node) = map.get_in_any_case("NetworkConfiguration") {
        network(check, node);
    }
    if let Some(node) = map.get_in_any_case("CapacityProviderStrategy")
        && expect(check, node, "CapacityProviderStrategy", Shape::List)
    {
        const KEYS: [&str; 3] = ["CapacityProvider", "Base", "Weight"];
        for item in node.items().into_iter().flatten() {
            if check.map(item, &Keys::InAnyCase(&KEYS)).is_none() {
                expect(
                    check,
                    item,
                    "an item of CapacityProviderStrategy",
                    Shape::Map,
                );
            }
        }
    }
}

fn load_balancer(check: &mut Check<'_>, node: Node<'_>) {
    let Some(map) = check.map(node, &Keys::InAnyCase(&["ContainerName", "ContainerPort"])) else {
        expect(check, node, "LoadBalancerInfo", Shape::Map);
        return;
    };
    required(check, &map, "ContainerName");
    let Some(port) = required(check, &map, "ContainerPort") else {
        return;
    };
    let message = match port.value() {
        Some(Value::Int(1..=65535) | Value::Unknown) => return,
        _ if is_placeholder(port) => return,
        Some(Value::Text(text)) if text.parse::<u16>().is_ok_and(|port| port > 0) => {
            format!("ContainerPort should be the bare number {text}; remove the quotes")
        }
        _ => format!(
            "ContainerPort should be a number from 1 to 65535, not {}",
            quote(port.text().unwrap_or(port.shape().name()))
        ),
    };
    check.find(Rule::Property, port.span(), message);
}

fn network(check: &mut Check<'_>, node: Node<'_>) {
    const KEYS: [&str; 3] = ["Subnets", "SecurityGroups", "AssignPublicIp"];
    if node.is_false() {
        return;
    }
    let Some(map) = check.map(node, &Keys::InAnyCase(&["AwsvpcConfiguration"])) else {
        expect(check, node, "NetworkConfiguration", Shape::Map);
        return;
    };
    let Some(node) = map.get_in_any_case("AwsvpcConfiguration") else {
        return;
    };
    let Some(map) = check.map(node, &Keys::InAnyCase(&KEYS)) else {
        expect(check, node, "AwsvpcConfiguration", Shape::Map);
        return;
    };
    let missing: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| map.get_in_any_case(key).is_none_or(Node::is_false))
        .collect();
    if !missing.is_empty() && missing.len() < KEYS.len() {
        check.find(
            Rule::Property,
            node.span(),
            format!(
                "AwsvpcConfiguration needs all of {}, or none; there is no {}",
                KEYS.join(", "),
                missing.join(" and no ")
            ),
        );
    }
}
