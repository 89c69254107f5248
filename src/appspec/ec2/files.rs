//! Checks `files`: what is copied from the bundle, and to which place.

use super::copies::{self, Copy, What};
use super::{Os, inside, why_missing};
use crate::appspec::bundle::Bundle;
use crate::appspec::check::{Check, Keys, Map, quote};
use crate::appspec::report::Rule;
use crate::appspec::scalar::Value;
use crate::appspec::tree::{Node, Shape};

const KEYS: [&str; 2] = ["source", "destination"];

pub(super) fn check(check: &mut Check<'_>, map: &Map<'_>, os: Os) {
    let mut copies = Vec::new();
    for (index, item) in check.list(map, "files").into_iter().enumerate() {
        if !check.count_step(item.span()) {
            return;
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
        let Some((node, from)) = source else { continue };
        let found = check_source(check, node, from, &what, os);
        if let (Some(found), Some((_, to))) = (found, destination) {
            copies.push(Copy::new(found, to, node.span(), os));
        }
    }
    copies::check(check, &copies);
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
    match node.value() {
        Some(Value::Text(text)) => return Some((node, text)),
        Some(Value::Nil) => check.report(missing, node, format!("{what}.{key} is empty")),
        Some(Value::Date | Value::Unknown) => {}
        Some(_) => {
            let text = quote(node.text().unwrap_or_default());
            let message =
                format!("{what}.{key} must be text, and agent 1.x does not take {text} for text");
            check.report_with_help(Rule::WrongType, node, message, "put it in quotes");
        }
        // Ruby joins the items of a list to a path.
        None if node.shape() == Shape::List => {}
        None => check.report_wrong_type(node, &format!("{what}.{key}"), Shape::Scalar),
    }
    None
}

fn check_destination(check: &mut Check<'_>, node: Node<'_>, to: &str, os: Os) {
    if to.trim().is_empty() {
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
    if from.trim().is_empty() {
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
