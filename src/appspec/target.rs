//! What an AppSpec file of CodeDeploy itself deploys: a Lambda function or an ECS service.
//!
//! An application is for one of the two, so a push must know which before it sends the file. The checks
//! report what is wrong with a file; this only reads the type of its first resource.

use super::parse;
use super::tree::Node;
use super::{MAX_BYTES, ecs, lambda, resources_key};

/// What the first resource of an AppSpec file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Lambda function.
    Lambda,
    /// An ECS service.
    Ecs,
}

/// What an AppSpec file deploys. None if it has no list of resources, or if the type of the first is
/// unknown. A template of CloudFormation has a mapping of resources, so it deploys nothing here.
#[must_use]
pub fn target(bytes: &[u8]) -> Option<Target> {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    let tree = parse::parse(&text).tree?;
    let (_, written) = first_resource(tree.root()?)?;
    [
        (lambda::KIND.name, Target::Lambda),
        (ecs::KIND.name, Target::Ecs),
    ]
    .into_iter()
    .find_map(|(name, target)| (name == written).then_some(target))
}

/// The first resource of an AppSpec file, and its type.
pub(super) fn first_resource(root: Node<'_>) -> Option<(Node<'_>, &str)> {
    let key = resources_key(root)?.text()?;
    let (_, first) = value(root, key)?.items()?.next()?.pairs()?.next()?;
    Some((first, value(first, "Type")?.text()?))
}

/// The value of a key in upper or lower case.
pub(super) fn value<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    let mut pairs = node.pairs()?;
    pairs.find_map(|(key, value)| {
        let is_it = key.text()?.eq_ignore_ascii_case(name);
        is_it.then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_the_first_resource_is_the_target() {
        let yaml = |kind: &str| format!("version: 0.0\nresources:\n  - x:\n      type: {kind}\n");
        for (text, found) in [
            (yaml("AWS::Lambda::Function"), Some(Target::Lambda)),
            (yaml("\"AWS::ECS::Service\""), Some(Target::Ecs)),
            (
                r#"{"Resources": [{"T": {"Type": "AWS::ECS::Service"}}]}"#.to_owned(),
                Some(Target::Ecs),
            ),
            (yaml("AWS::EC2::Instance"), None),
            // CloudFormation.
            (
                "Resources:\n  F:\n    Type: AWS::Lambda::Function\n".to_owned(),
                None,
            ),
            ("version: 0.0\nos: linux\n".to_owned(), None),
            ("Resources:\n".to_owned(), None),
            ("Resources: []\n".to_owned(), None),
            (String::new(), None),
            ("a: [".to_owned(), None),
        ] {
            assert_eq!(target(text.as_bytes()), found, "{text}");
        }
    }
}
