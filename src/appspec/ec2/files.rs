//! Checks `files`: what is copied from the bundle, and to which place.

use super::copies::{self, Copy, What};
use super::installed::Installed;
use super::{Os, contents, inside, why_missing, windows};
use crate::appspec::bundle::Bundle;
use crate::appspec::check::{Check, Keys, Map, quote};
use crate::appspec::report::Rule;
use crate::appspec::scalar::Value;
use crate::appspec::tree::{Node, Shape};

const KEYS: [&str; 2] = ["source", "destination"];

/// Returns what is installed, for the permissions.
pub(super) fn check(check: &mut Check<'_>, map: &Map<'_>, os: Os) -> Installed {
    let mut copies = Vec::new();
    let mut unknown = Vec::new();
    for (index, item) in check.list(map, "files").into_iter().enumerate() {
        if !check.count_step(item.span()) {
            break;
        }
        let what = format!("files[{index}]");
        let Some(file) = check.required_map(item, &what, &Keys::Exactly(&KEYS)) else {
            continue;
        };
        let source = read_path(check, &file, "source", &what);
        let destination = read_path(check, &file, "destination", &what);
        if let Some((node, to)) = destination {
            check_destination(check, node, to, os);
        }
        let found = source.and_then(|(node, from)| check_source(check, node, from, &what, os));
        if let Some(node) = file.get("destination").filter(is_path_in_list) {
            // Agent 1.x joins the items, unless it takes the path for a directory first.
            match found {
                Some(What::File(_)) => report_list(check, node, &format!("{what}.destination")),
                _ => check.report_wrong_type(node, &format!("{what}.destination"), Shape::Scalar),
            }
        }
        let Some((node, to)) = destination else {
            continue;
        };
        match (source, found) {
            (Some((source, _)), Some(found)) => {
                check_is_directory(check, &found, node, to, os);
                copies.push(Copy::new(found, to, source.span(), os));
            }
            _ => unknown.push(Copy::new(
                What::Directory(String::new()),
                to,
                node.span(),
                os,
            )),
        }
    }
    copies::check(check, &copies);
    if os == Os::Linux {
        contents::check(check, &copies, replaces_files(map));
    }
    Installed::new(copies, unknown)
}

/// Whether files that are already there are replaced or kept, and do not stop the deployment.
fn replaces_files(map: &Map<'_>) -> bool {
    let behavior = map.get("file_exists_behavior").and_then(Node::value);
    matches!(behavior, Some(Value::Text("OVERWRITE" | "RETAIN")))
}

/// Reports a destination that looks like the path of a file: it is always a directory.
fn check_is_directory(check: &mut Check<'_>, found: &What, node: Node<'_>, to: &str, os: Os) {
    let is_separator = |c: char| c == '/' || os == Os::Windows && c == '\\';
    let (What::File(from), Some(last)) = (found, to.rsplit(is_separator).next()) else {
        return;
    };
    let name = from.rsplit('/').next().unwrap_or_default();
    if name == last {
        let message = format!(
            "a destination is a directory: the file becomes {}",
            quote(&format!("{to}/{name}"))
        );
        let help = "name the directory for the file; if this is meant, put a slash at its end";
        check.report_with_help(Rule::FileAsDirectory, node, message, help);
    }
}

/// The value of a key that must have a text.
fn read_path<'a>(
    check: &mut Check<'_>,
    file: &Map<'a>,
    key: &str,
    what: &str,
) -> Option<(Node<'a>, &'a str)> {
    let missing = match key {
        "source" => Rule::NoSource,
        _ => Rule::NoDestination,
    };
    let Some(node) = file.get(key) else {
        check.report(missing, file.head, format!("{what} has no {key}"));
        return None;
    };
    let what = format!("{what}.{key}");
    if node.value() == Some(Value::Nil) {
        check.report(missing, node, format!("{what} is empty"));
    }
    if is_path_in_list(&node) {
        if key == "source" {
            report_list(check, node, &what);
        }
        return None;
    }
    check.text(node, &what).map(|text| (node, text))
}

/// Whether a value is a list of texts, which Ruby joins to a path.
fn is_path_in_list(node: &Node<'_>) -> bool {
    let is_text = |node: Node<'_>| matches!(node.value(), Some(Value::Text(_)));
    node.items().is_some_and(|mut items| items.all(is_text))
}

fn report_list(check: &mut Check<'_>, node: Node<'_>, what: &str) {
    let message =
        format!("{what} is a list: agent 1.x joins its items to a path, agent 2.x refuses it");
    check.report_with_help(Rule::NotText, node, message, "write the path as one text");
}

fn check_destination(check: &mut Check<'_>, node: Node<'_>, to: &str, os: Os) {
    if os == Os::Windows {
        windows::check_escapes(check, node, to);
    }
    if to.starts_with('~') {
        let message = format!(
            "the destination {} begins with a tilde, which the agents expand only for some steps of Install",
            quote(to)
        );
        let help = "write the path of the directory";
        return check.report_with_help(Rule::TildeDestination, node, message, help);
    }
    if to.is_empty() {
        let message =
            "the destination is blank: agent 1.x copies files to /, agent 2.x refuses the AppSpec";
        return check.report(Rule::BlankDestination, node, message);
    }
    let is_absolute = match os {
        Os::Linux => to.starts_with('/'),
        Os::Windows => {
            let drive = matches!(to.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
            drive || to.starts_with(['/', '\\'])
        }
    };
    if !is_absolute {
        let to = quote(to);
        let message = format!(
            "the destination {to} is not absolute: it depends on the agent's working directory"
        );
        let help = match os {
            Os::Linux => "begin it with /",
            Os::Windows => "begin it with a drive, such as c:\\",
        };
        check.report_with_help(Rule::RelativeDestination, node, message, help);
    }
}

/// Returns the file or directory that a source is in the bundle, if that is known.
fn check_source(
    check: &mut Check<'_>,
    node: Node<'_>,
    from: &str,
    what: &str,
    os: Os,
) -> Option<What> {
    if os == Os::Windows {
        windows::check_escapes(check, node, from);
    }
    if from.is_empty() {
        let message =
            "the source is blank: agent 1.x copies the whole bundle, agent 2.x refuses the AppSpec";
        check.report(Rule::BlankSource, node, message);
        return None;
    }
    let Some(name) = inside(from, os) else {
        let message = format!("{what}.source {} leads out of the bundle", quote(from));
        check.report(Rule::SourceOutside, node, message);
        return None;
    };
    let is_wild = |name: &str| name.contains(['*', '?']);
    let wild = |check: &mut Check<'_>| {
        let message = format!("{what}.source {}: wildcards are not expanded", quote(from));
        let help = "name the directory: its content is copied, without the directory itself";
        check.report_with_help(Rule::Wildcard, node, message, help);
    };
    let Some(bundle) = check.bundle else {
        if is_wild(from) {
            wild(check);
        } else if from.trim().is_empty() {
            let message = format!("{what}.source {} is not the name of a file", quote(from));
            check.report(Rule::SourceNotFound, node, message);
        }
        return None;
    };
    let found = match look_up(bundle, &name) {
        None if os == Os::Windows => bundle
            .find_ignoring_case(&name)
            .and_then(|name| look_up(bundle, &name)),
        exact => exact,
    };
    match found {
        Some(What::File(_)) if os == Os::Linux && from.ends_with('/') => {
            let message = format!("{what}.source {} is a file, not a directory", quote(from));
            let help = "remove the slash at its end";
            check.report_with_help(Rule::SourceNotFound, node, message, help);
            None
        }
        None if is_wild(from) => {
            wild(check);
            None
        }
        None => {
            let message = format!("{what}.source {} is not in the bundle", quote(from));
            match why_missing(check, &name, os) {
                Some(help) => check.report_with_help(Rule::SourceNotFound, node, message, help),
                None => check.report(Rule::SourceNotFound, node, message),
            }
            None
        }
        found => found,
    }
}

fn look_up(bundle: &dyn Bundle, name: &str) -> Option<What> {
    if name.is_empty() || !bundle.below(name).is_empty() {
        return Some(What::Directory(name.to_owned()));
    }
    bundle
        .find(name.as_bytes())
        .map(|_| What::File(name.to_owned()))
}
