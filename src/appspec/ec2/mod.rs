//! AppSpec files for EC2 and on-premises instances, as the agents read them.
//!
//! The measure is agent 1.8 (`application_specification.rb`, `installer.rb`, `hook_executor.rb` of
//! aws-codedeploy-agent 1.8.1): what it refuses, or crashes at, is an error, and so is what it can only
//! fail at later because the bundle lacks it. What it runs is a warning at most. It refuses to guess
//! what is on an instance.

mod copies;
mod files;
mod hooks;
mod permissions;
mod security;
mod windows;

use super::check::{Check, Keys, Map, quote};
use super::report::Rule;
use super::scalar::Value;
use super::tree::{Node, Shape};

const KEYS: [&str; 6] = [
    "version",
    "os",
    "file_exists_behavior",
    "files",
    "permissions",
    "hooks",
];

/// What an AppSpec is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Os {
    Linux,
    Windows,
}

/// Checks the document.
pub(super) fn check(check: &mut Check<'_>, root: Node<'_>) {
    if root.is_false() {
        let message = "the file says nothing; the least is version: 0.0 and os: linux";
        return check.find(Rule::Empty, root.span(), message);
    }
    let Some(map) = check.map(root, &Keys::Exactly(&KEYS)) else {
        if root.shape() != Shape::Map {
            check.wrong(root, "an AppSpec", Shape::Map);
        }
        return;
    };
    version(check, &map);
    let os = os(check, &map);
    if let (Os::Windows, Some(node)) = (os, map.get("os")) {
        windows::check(check, node);
    }
    files::check(check, &map, os);
    permissions::check(check, &map, os);
    hooks::check(check, &map, os);
    file_exists_behavior(check, &map);
}

fn version(check: &mut Check<'_>, map: &Map<'_>) {
    let Some(node) = map.get("version") else {
        let help = "begin with version: 0.0";
        return check.find_with(Rule::Version, map.head, "there is no version", help);
    };
    let message = match node.value() {
        Some(Value::Int(0) | Value::Float(0.0) | Value::Unknown) => return,
        Some(Value::Text(text)) if matches!(text.trim(), "0.0" | "0") => {
            "version must be the bare number 0.0; remove the quotes".to_owned()
        }
        _ => format!(
            "version must be the number 0.0, not {}",
            quote(node.text().unwrap_or(node.shape().name()))
        ),
    };
    check.find_with(Rule::Version, node.span(), message, "write version: 0.0");
}

fn os(check: &mut Check<'_>, map: &Map<'_>) -> Os {
    let Some(node) = map.get("os") else {
        let help = "write os: linux, or os: windows";
        check.find_with(Rule::Os, map.head, "there is no os", help);
        return Os::Linux;
    };
    let text = match node.value() {
        Some(Value::Text("linux") | Value::Unknown) => return Os::Linux,
        Some(Value::Text("windows")) => return Os::Windows,
        _ => node.text().unwrap_or(node.shape().name()),
    };
    let os = if text.trim().eq_ignore_ascii_case("windows") {
        Os::Windows
    } else {
        Os::Linux
    };
    check.find(
        Rule::Os,
        node.span(),
        format!(
            "os must be linux or windows, lower case, not {}",
            quote(text)
        ),
    );
    os
}

fn file_exists_behavior(check: &mut Check<'_>, map: &Map<'_>) {
    const KNOWN: [&str; 3] = ["DISALLOW", "OVERWRITE", "RETAIN"];
    let Some(node) = map.get("file_exists_behavior") else {
        return;
    };
    match node.value() {
        None => check.wrong(node, "file_exists_behavior", Shape::Scalar),
        Some(Value::Nil | Value::Unknown) => {}
        Some(Value::Text(text)) if KNOWN.contains(&text) => {}
        Some(_) => check.find(
            Rule::FileExistsBehavior,
            node.span(),
            format!(
                "file_exists_behavior must be DISALLOW, OVERWRITE or RETAIN, upper case, not {}",
                quote(node.text().unwrap_or_default())
            ),
        ),
    }
}

/// A path below the root of the bundle, as a name in it. None if it leads out.
fn inside(path: &str, os: Os) -> Option<String> {
    let is_separator = |c: char| c == '/' || os == Os::Windows && c == '\\';
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(is_separator) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Ruby's `String#strip`.
fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '\0' | '\u{B}'))
}

/// What is known about a name that the bundle does not have: text to go behind "is not in the bundle".
fn why_missing(check: &Check<'_>, name: &str, os: Os) -> Option<String> {
    use super::bundle::Absence;

    let bundle = check.bundle?;
    if let Some(other) = bundle.find_ignoring_case(name) {
        return Some(format!(
            "{} is there; names are case-sensitive",
            quote(&other)
        ));
    }
    match bundle.absence(name) {
        Some(Absence::BelowLink) => {
            return Some(
                "it is below a symbolic link to a directory, which is left out of the bundle"
                    .to_owned(),
            );
        }
        Some(Absence::Hidden) => {
            return Some(
                "it is in the source, but left out: names that start with a dot are \
                 (--ignore-hidden-files)"
                    .to_owned(),
            );
        }
        Some(Absence::LeftOut) => {
            return Some("it is in the source, but left out of the bundle, or empty".to_owned());
        }
        None => {}
    }
    if os == Os::Linux && name.contains('\\') {
        let slashes = name.replace('\\', "/");
        if bundle.find(slashes.as_bytes()).is_some() || !bundle.below(&slashes).is_empty() {
            return Some(format!("write {}", quote(&slashes)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_names() {
        for (path, name) in [
            ("a/b", Some("a/b")),
            ("/a//./b/", Some("a/b")),
            ("/", Some("")),
            ("a/../b", Some("b")),
            ("..", None),
            ("a/../../b", None),
        ] {
            assert_eq!(inside(path, Os::Linux).as_deref(), name, "{path}");
        }
        assert_eq!(inside("a\\b", Os::Linux).as_deref(), Some("a\\b"));
        assert_eq!(inside("\\a\\b", Os::Windows).as_deref(), Some("a/b"));
    }
}
