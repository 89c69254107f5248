//! Checks AppSpec files for EC2 and on-premises instances, as the agents read them.
//!
//! Two agents decide: 1.x (`application_specification.rb`, `installer.rb`, `hook_executor.rb` of
//! aws-codedeploy-agent 1.8.1) and 2.x (`application_specification`, `installer` and `lifecycle_event` of
//! 2.1.0). An error is a file that 1.8 refuses to read, and what both fail at later. What one of them runs
//! is at most a warning. The checks take an instance for new: nothing is in the place of what is installed.

mod contents;
mod copies;
mod files;
mod hooks;
mod installed;
mod patterns;
mod permissions;
mod scripts;
mod security;
mod shebang;
mod shell;
mod windows;

pub(super) use self::patterns::matches;

use super::bundle::{Absence, normalized};
use super::check::{Check, Keys, Map, quote};
use super::report::Rule;
use super::scalar::{Value, is_plain_zero};
use super::tree::{Node, Shape};

const KEYS: [&str; 6] = [
    "version",
    "os",
    "file_exists_behavior",
    "files",
    "permissions",
    "hooks",
];

/// Keys that no agent reads, but other programs do: the CodeDeploy action of webfactory for GitHub.
const OTHERS: [&str; 1] = ["branch_config"];

/// The operating system that the AppSpec is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Os {
    Linux,
    Windows,
}

/// Checks the document.
pub(super) fn check(check: &mut Check<'_>, root: Node<'_>) {
    if root.is_false() {
        let message = "the file is empty; it must have at least version: 0.0 and os: linux";
        return check.report(Rule::Empty, root, message);
    }
    let Some(map) = check.required_map(root, "an AppSpec", &Keys::Also(&KEYS, &OTHERS)) else {
        return;
    };
    check_version(check, &map);
    let os = read_os(check, &map);
    if let (Os::Windows, Some(node)) = (os, map.get("os")) {
        windows::check(check, node);
    }
    let mut installed = files::check(check, &map, os);
    permissions::check(check, &map, os, &mut installed);
    hooks::check(check, &map, os);
    check_file_exists_behavior(check, &map);
}

fn check_version(check: &mut Check<'_>, map: &Map<'_>) {
    let Some(node) = map.get("version") else {
        let help = "begin with version: 0.0";
        return check.report_with_help(Rule::Version, map.head, "there is no version", help);
    };
    let message = match node.value() {
        Some(Value::Unknown) => return,
        Some(Value::Int(0) | Value::Float(0.0)) => {
            if !node.plain().is_some_and(is_plain_zero) {
                let shown = quote(node.text().unwrap_or_default());
                let message =
                    format!("agent 1.x takes the version {shown} for 0, agent 2.x refuses it");
                check.report_with_help(Rule::VersionForm, node, message, "write version: 0.0");
            }
            return;
        }
        Some(Value::Text(text)) if matches!(text.trim(), "0.0" | "0") => {
            "version must be the bare number 0.0; remove the quotes".to_owned()
        }
        _ => format!(
            "version must be the number 0.0, not {}",
            quote(node.text_or_shape())
        ),
    };
    check.report_with_help(Rule::Version, node, message, "write version: 0.0");
}

fn read_os(check: &mut Check<'_>, map: &Map<'_>) -> Os {
    let Some(node) = map.get("os") else {
        let help = "write os: linux, or os: windows";
        check.report_with_help(Rule::Os, map.head, "there is no os", help);
        return Os::Linux;
    };
    let text = match node.value() {
        Some(Value::Text("linux") | Value::Unknown) => return Os::Linux,
        Some(Value::Text("windows")) => return Os::Windows,
        _ => node.text_or_shape(),
    };
    let os = if text.trim().eq_ignore_ascii_case("windows") {
        Os::Windows
    } else {
        Os::Linux
    };
    let message = format!(
        "os must be linux or windows, lower case, not {}",
        quote(text)
    );
    check.report(Rule::Os, node, message);
    os
}

fn check_file_exists_behavior(check: &mut Check<'_>, map: &Map<'_>) {
    const KNOWN: [&str; 3] = ["DISALLOW", "OVERWRITE", "RETAIN"];
    let Some(node) = map.get("file_exists_behavior") else {
        return;
    };
    match node.value() {
        None => check.report_wrong_type(node, "file_exists_behavior", Shape::Scalar),
        Some(Value::Nil | Value::Unknown) => {}
        Some(Value::Text(text)) if KNOWN.contains(&text) => {}
        Some(_) => check.report(
            Rule::FileExistsBehavior,
            node,
            format!(
                "file_exists_behavior must be DISALLOW, OVERWRITE or RETAIN, upper case, not {}",
                quote(node.text().unwrap_or_default())
            ),
        ),
    }
}

/// The name in the bundle that a path leads to. None if the path leads out of the bundle.
fn inside(path: &str, os: Os) -> Option<String> {
    let is_separator = |c: char| c == '/' || os == Os::Windows && c == '\\';
    normalized(path.split(is_separator))
}

/// Ruby's `String#strip`.
fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '\0' | '\u{B}'))
}

/// The advice for a name that the bundle lacks.
fn why_missing(check: &Check<'_>, name: &str, os: Os) -> Option<String> {
    let bundle = check.bundle?;
    if let Some(other) = bundle.find_ignoring_case(name) {
        return Some(format!(
            "{} is there; names are case-sensitive",
            quote(&other)
        ));
    }
    if let Some(absence) = bundle.absence(name) {
        let why = match absence {
            Absence::BelowLink => {
                "it is below a symbolic link to a directory, which is left out of the bundle"
            }
            Absence::Hidden => {
                "it is in the source, but hidden: names that start with a dot are left out"
            }
            Absence::LeftOut => "it is in the source, but left out of the bundle, or empty",
        };
        return Some(why.to_owned());
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
    fn a_path_becomes_a_name_in_the_bundle_unless_it_leads_out() {
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
