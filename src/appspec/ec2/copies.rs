//! Finds files that would be copied to one place, and places that are both a file and a directory: the
//! agents stop at Install when they come to the second.
//!
//! A directory is copied with everything in it. So two directories clash if one destination is the other
//! or lies within it, and both have an entry of one name there, of which one is a file. Names are looked up in the bundle one by
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
    pub(super) what: What,
    /// The path of the copied file or directory, with a `/` at its end.
    pub(super) to: String,
    /// Where the source is written.
    pub(super) span: Span,
}

/// What two entries of `files` make of one path.
#[derive(Debug)]
enum Clash {
    /// Two files.
    Files(String),
    /// A file and a directory.
    Mixed(String),
}

impl Copy {
    pub(super) fn new(what: What, destination: &str, span: Span, os: Os) -> Self {
        let mut to = normalized(destination, os);
        if let What::File(name) = &what {
            to.extend(name.rsplit('/').next());
            to.push('/');
        }
        Self { what, to, span }
    }
}

/// A path without `.`, `..` and double slashes, with a slash at its end.
pub(super) fn normalized(path: &str, os: Os) -> String {
    let is_separator = |c: char| c == '/' || os == Os::Windows && c == '\\';
    let mut to = String::new();
    if path.starts_with(is_separator) {
        to.push('/');
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(is_separator) {
        match part {
            "" | "." => {}
            // The parent of `/` is `/`; the parent of the agent's working directory is unknown.
            ".." if to == "/" || parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    for part in parts {
        to.push_str(part);
        to.push('/');
    }
    to
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
            let other = quote(if other.is_empty() { "/" } else { other });
            let path = |path: &str| quote(path.trim_end_matches('/'));
            let (rule, message) = match &twice {
                Clash::Files(twice) => (
                    Rule::DuplicateDestination,
                    format!(
                        "{} is copied twice: from {other} before, and from here",
                        path(twice)
                    ),
                ),
                Clash::Mixed(both) => (
                    Rule::DestinationClash,
                    format!(
                        "{} is both a file and a directory: one is from {other}, and one from here",
                        path(both)
                    ),
                ),
            };
            let help = "the agents stop at Install when two sources have one destination";
            check.report_with_help(rule, second.span, message, help);
            break;
        }
    }
}

/// A destination that both share, or that one takes for a file and the other for a directory. `inner` has the destination of `outer`, or one within it.
fn clash(bundle: &dyn Bundle, outer: &Copy, inner: &Copy, lookups: &mut usize) -> Option<Clash> {
    let below = inner.to.get(outer.to.len()..)?;
    match (&outer.what, &inner.what) {
        (What::File(_), What::File(_)) if below.is_empty() => Some(Clash::Files(outer.to.clone())),
        (What::File(_), _) => Some(Clash::Mixed(outer.to.clone())),
        (What::Directory(from), what) => {
            let here = below.trim_end_matches('/');
            // The directories above the inner destination are made, and one of them may be a file of the
            // outer directory.
            let above = here.match_indices('/').map(|(slash, _)| &here[..slash]);
            let above = above.chain(matches!(what, What::Directory(_)).then_some(here));
            for path in above.filter(|path| !path.is_empty()) {
                *lookups += 1;
                if bundle.find(join(from, path).as_bytes()).is_some() {
                    return Some(Clash::Mixed(format!("{}{path}", outer.to)));
                }
            }
            let name = join(from, here);
            match what {
                What::File(_) if bundle.find(name.as_bytes()).is_some() => {
                    Some(Clash::Files(inner.to.clone()))
                }
                What::File(_) if !bundle.below(&name).is_empty() => {
                    Some(Clash::Mixed(inner.to.clone()))
                }
                What::File(_) => None,
                What::Directory(other) => {
                    both_directories(bundle, &name, other, lookups).map(|clash| match clash {
                        Clash::Files(rest) => Clash::Files(format!("{}{rest}", inner.to)),
                        Clash::Mixed(rest) => Clash::Mixed(format!("{}{rest}", inner.to)),
                    })
                }
            }
        }
    }
}

/// The names below two directories that clash when both are copied to one place.
fn both_directories(
    bundle: &dyn Bundle,
    one: &str,
    other: &str,
    lookups: &mut usize,
) -> Option<Clash> {
    // The names of the smaller directory are looked up in the larger one.
    let (few, many) = if bundle.below(one).len() < bundle.below(other).len() {
        (one, other)
    } else {
        (other, one)
    };
    if bundle.below(many).is_empty() {
        return None;
    }
    let start = if few.is_empty() { 0 } else { few.len() + 1 };
    for index in bundle.below(few) {
        let rest = std::str::from_utf8(bundle.name(index).get(start..)?).ok()?;
        for end in rest.match_indices('/').map(|(slash, _)| slash) {
            *lookups += 1;
            if bundle.find(join(many, &rest[..end]).as_bytes()).is_some() {
                return Some(Clash::Mixed(rest[..end].to_owned()));
            }
        }
        *lookups += 2;
        if *lookups >= MAX_LOOKUPS {
            return None;
        }
        let name = join(many, rest);
        if rest.ends_with('/') {
            continue;
        }
        if bundle.find(name.as_bytes()).is_some() {
            return Some(Clash::Files(rest.to_owned()));
        }
        if !bundle.below(&name).is_empty() {
            return Some(Clash::Mixed(rest.to_owned()));
        }
    }
    None
}

pub(super) fn join(directory: &str, rest: &str) -> String {
    match (directory, rest) {
        ("", rest) => rest.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, rest) => format!("{directory}/{rest}"),
    }
}
