//! Finds files that would be copied to one place: agent 1.x stops at Install when it copies the second.
//!
//! A directory is copied with everything in it. So two directories clash if one destination is the other
//! or lies within it, and both have a file of the same name there. Names are looked up in the bundle one by
//! one, without a list of all copies, and the search ends after [`MAX_LOOKUPS`] lookups.

use super::Os;
use crate::appspec::bundle::Bundle;
use crate::appspec::check::{Check, quote};
use crate::appspec::report::{Rule, Span};

/// The most names that are looked up and pairs that are compared.
const MAX_LOOKUPS: usize = 200_000;

/// A file or directory of the bundle, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    File(String),
    Directory(String),
}

/// One entry of `files`.
#[derive(Debug)]
pub(super) struct Copy {
    what: What,
    /// The path of the copied file or directory, with a `/` at its end.
    to: String,
    span: Span,
}

impl Copy {
    pub(super) fn new(what: What, destination: &str, span: Span, os: Os) -> Self {
        let is_separator = |c: char| c == '/' || os == Os::Windows && c == '\\';
        let mut to = String::new();
        if destination.starts_with(is_separator) {
            to.push('/');
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in destination.split(is_separator) {
            match part {
                "" | "." => {}
                // The parent of `/` is `/`; the parent of the agent's working directory is unknown.
                ".." if to == "/" || parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        if let What::File(name) = &what {
            parts.extend(name.rsplit('/').next());
        }
        for part in parts {
            to.push_str(part);
            to.push('/');
        }
        Self { what, to, span }
    }
}

/// Reports destinations that two files share.
pub(super) fn check(check: &mut Check<'_>, copies: &[Copy]) {
    let Some(bundle) = check.bundle else { return };
    let mut sorted: Vec<&Copy> = copies.iter().collect();
    sorted.sort_by(|a, b| (&a.to, a.span).cmp(&(&b.to, b.span)));
    let mut lookups = 0;
    for (index, outer) in sorted.iter().enumerate() {
        // In sorted order, a directory is followed by what is inside of it.
        let inner = sorted[index + 1..].iter();
        for inner in inner.take_while(|inner| inner.to.starts_with(&outer.to)) {
            lookups += 1;
            if lookups >= MAX_LOOKUPS {
                return;
            }
            let Some(twice) = clash(bundle, outer, inner, &mut lookups) else {
                continue;
            };
            let (first, second) = if outer.span < inner.span {
                (outer, inner)
            } else {
                (inner, outer)
            };
            let (What::File(other) | What::Directory(other)) = &first.what;
            let message = format!(
                "{} is copied twice: from {} before, and from here",
                quote(twice.trim_end_matches('/')),
                quote(if other.is_empty() { "/" } else { other })
            );
            let help = "agent 1.x stops at Install when two sources have one destination";
            check.report_with_help(Rule::DuplicateDestination, second.span, message, help);
            break;
        }
    }
}

/// A destination that both share. `inner` has the destination of `outer`, or one within it.
fn clash(bundle: &dyn Bundle, outer: &Copy, inner: &Copy, lookups: &mut usize) -> Option<String> {
    let below = inner.to.get(outer.to.len()..)?;
    match (&outer.what, &inner.what) {
        (What::File(_), What::File(_)) => below.is_empty().then(|| outer.to.clone()),
        // Whether the instance has a directory where the file goes is unknown.
        (What::File(_), What::Directory(_)) => None,
        (What::Directory(from), What::File(_)) => {
            let name = join(from, below.trim_end_matches('/'));
            bundle.find(name.as_bytes()).map(|_| inner.to.clone())
        }
        (What::Directory(from), What::Directory(other)) => {
            let here = join(from, below.trim_end_matches('/'));
            // The names of the smaller directory are looked up in the larger one.
            let (few, many) = if bundle.below(&here).len() < bundle.below(other).len() {
                (&here, other)
            } else {
                (other, &here)
            };
            let start = if few.is_empty() { 0 } else { few.len() + 1 };
            for index in bundle.below(few) {
                *lookups += 1;
                if *lookups >= MAX_LOOKUPS {
                    return None;
                }
                let rest = std::str::from_utf8(bundle.name(index).get(start..)?).ok()?;
                if bundle.find(join(many, rest).as_bytes()).is_some() {
                    return Some(format!("{}{rest}", inner.to));
                }
            }
            None
        }
    }
}

fn join(directory: &str, rest: &str) -> String {
    match (directory, rest) {
        ("", rest) => rest.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, rest) => format!("{directory}/{rest}"),
    }
}
