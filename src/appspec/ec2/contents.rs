//! Looks at the files that `files` installs, for what fails at a later deployment or has no end: names
//! that end with white space, and kept symbolic links.

use super::copies::{Copy, What, join};
use crate::appspec::bundle::{Bundle, resolve_link};
use crate::appspec::check::{Check, quote};
use crate::appspec::report::Rule;

/// The most links to directories above them that are compared with each other.
const MAX_LOOPS: usize = 64;

/// A kept link to a directory above it.
struct Loop {
    name: String,
    target: String,
}

/// Reports at most one finding of each rule for each entry of `files`. `replaces` tells that files which
/// are there already do not stop the deployment.
pub(super) fn check(check: &mut Check<'_>, copies: &[Copy], replaces: bool) {
    let Some(bundle) = check.bundle else { return };
    for copy in copies {
        let files = match &copy.what {
            What::File(name) => {
                let index = bundle.find(name.as_bytes());
                index.map_or(0..0, |index| index..index + 1)
            }
            What::Directory(name) => bundle.below(name),
        };
        if !replaces
            && let Some(name) = files
                .clone()
                .map(|index| bundle.name(index))
                .find(|name| ends_in_space(name))
        {
            let name = quote(&String::from_utf8_lossy(name));
            let message = format!(
                "the name {name} ends with white space: the agents do not remove the file before the next \
                 deployment, which then fails"
            );
            let help = "rename it, or write file_exists_behavior: OVERWRITE";
            check.report_with_help(Rule::TrailingSpace, copy.span, message, help);
        }
        check_links(check, bundle, copy, files);
    }
}

/// Whether a line with the name becomes another by Ruby's `String#strip`.
fn ends_in_space(name: &[u8]) -> bool {
    matches!(name.last(), Some(b' ' | b'\t'..=b'\r' | 0))
}

fn check_links(
    check: &mut Check<'_>,
    bundle: &dyn Bundle,
    copy: &Copy,
    files: std::ops::Range<usize>,
) {
    let mut loops: Vec<Loop> = Vec::new();
    let mut kept: Option<String> = None;
    for index in files {
        let Some(text) = bundle.link(index) else {
            continue;
        };
        let name = bundle.name(index);
        let Some(target) = resolve_link(name, text) else {
            continue;
        };
        let name = String::from_utf8_lossy(name).into_owned();
        if target.is_empty() || !bundle.below(&target).is_empty() {
            if loops.len() < MAX_LOOPS && is_below(&name, &target) {
                loops.push(Loop { name, target });
            }
        } else if kept.is_none() && bundle.find(target.as_bytes()).is_some() {
            kept = Some(name);
        }
    }
    if let Some(name) = kept {
        let message = format!(
            "the link {} is kept: agent 2.x does not remove it once its target is gone, and fails at the \
             next deployment",
            quote(&name)
        );
        let help = "pack the file instead of the link: leave out --symlinks preserve";
        check.report_with_help(Rule::KeptLink, copy.span, message, help);
    }
    // Each of two links leads to a directory above both.
    let other = loops.iter().enumerate().find_map(|(at, one)| {
        let others = &loops[at + 1..];
        let other = others
            .iter()
            .find(|other| is_below(&one.name, &other.target) && is_below(&other.name, &one.target));
        other.map(|other| (one, other))
    });
    let help = "remove the link, or leave it out of the bundle";
    if let Some((one, other)) = other {
        let message = format!(
            "the links {} and {} lead to directories above them: their copies have no end",
            quote(&one.name),
            quote(&other.name)
        );
        check.report_with_help(Rule::LinkLoops, copy.span, message, help);
    } else if let Some(one) = loops.first() {
        let message = format!(
            "the link {} leads to a directory above it, which is copied about forty times",
            quote(&one.name)
        );
        check.report_with_help(Rule::LinkLoop, copy.span, message, help);
    }
}

/// Whether a name is in a directory, or below it.
fn is_below(name: &str, directory: &str) -> bool {
    let directory = join(directory, "");
    directory.is_empty()
        || name
            .strip_prefix(directory.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
}
