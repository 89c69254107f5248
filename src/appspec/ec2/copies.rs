//! Two files for one place: agent 1.x stops at Install when it is told to copy the second.
//!
//! Directories are copied with all that is in them, so two of them clash if their destinations are one, or
//! one within the other, and both have a file of the same name there. The bundle is asked for names one
//! by one, no list of copies is made; and after [`MOST`] questions there are no more.

use super::Os;
use crate::appspec::bundle::Bundle;
use crate::appspec::check::{Check, quote};
use crate::appspec::report::{Rule, Span};

/// Names that are looked up, and pairs that are compared.
const MOST: usize = 200_000;

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
    /// What it becomes: for a file the file, for a directory the directory. With `/` at its end.
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
                // Above the root is the root; above where the agent stands is a guess.
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

/// Finds destinations that two files have.
pub(super) fn check(check: &mut Check<'_>, copies: &[Copy]) {
    let Some(bundle) = check.bundle else { return };
    let mut sorted: Vec<&Copy> = copies.iter().collect();
    sorted.sort_by(|a, b| (&a.to, a.span).cmp(&(&b.to, b.span)));
    let mut asked = 0;
    for (index, outer) in sorted.iter().enumerate() {
        // What is in a directory follows it.
        let inner = sorted[index + 1..].iter();
        for inner in inner.take_while(|inner| inner.to.starts_with(&outer.to)) {
            asked += 1;
            if asked >= MOST {
                return;
            }
            let Some(twice) = clash(bundle, outer, inner, &mut asked) else {
                continue;
            };
            let (first, second) = if outer.span < inner.span {
                (outer, inner)
            } else {
                (inner, outer)
            };
            let (What::File(other) | What::Directory(other)) = &first.what;
            check.find_with(
                Rule::DuplicateDestination,
                second.span,
                format!(
                    "{} is copied twice: from {} before, and from here",
                    quote(twice.trim_end_matches('/')),
                    quote(if other.is_empty() { "/" } else { other })
                ),
                "agent 1.x stops at Install when two sources have one destination",
            );
            break;
        }
    }
}

/// A destination that both have; `inner` is where `outer` is, or in it.
fn clash(bundle: &dyn Bundle, outer: &Copy, inner: &Copy, asked: &mut usize) -> Option<String> {
    let below = inner.to.get(outer.to.len()..)?;
    match (&outer.what, &inner.what) {
        (What::File(_), What::File(_)) => below.is_empty().then(|| outer.to.clone()),
        // A file where a directory is: whether that is one on the instance, who knows.
        (What::File(_), What::Directory(_)) => None,
        (What::Directory(from), What::File(_)) => {
            let name = join(from, below.trim_end_matches('/'));
            bundle.find(name.as_bytes()).map(|_| inner.to.clone())
        }
        (What::Directory(from), What::Directory(other)) => {
            let here = join(from, below.trim_end_matches('/'));
            // Of the two, look up the names of the smaller.
            let (few, many) = if bundle.below(&here).len() < bundle.below(other).len() {
                (&here, other)
            } else {
                (other, &here)
            };
            let start = if few.is_empty() { 0 } else { few.len() + 1 };
            for index in bundle.below(few) {
                *asked += 1;
                if *asked >= MOST {
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
