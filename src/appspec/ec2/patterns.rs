//! Checks `pattern` and `except`, and matches them as agent 1.x does (`linux_permission_info.rb` of
//! aws-codedeploy-agent 1.8.1): `*` stands for any characters, and all other characters for themselves.

use crate::appspec::check::{Check, quote};
use crate::appspec::report::Rule;
use crate::appspec::tree::Node;

/// Reports what the agents read in different ways, and returns whether there is something. `is_except` tells
/// which key the pattern is of.
pub(super) fn check(check: &mut Check<'_>, node: Node<'_>, pattern: &str, is_except: bool) -> bool {
    let shown = quote(pattern);
    if pattern.contains('/') {
        let then = if is_except {
            "the permission holds for what it should leave out"
        } else {
            "nothing"
        };
        let message = match pattern.starts_with('/') {
            true => {
                format!("{shown} matches nothing: patterns are compared with names, not with paths")
            }
            false if is_except => format!("agent 1.x matches {shown} with nothing, so {then}"),
            false => format!("agent 1.x matches {shown} with {then}"),
        };
        let help = "patterns are for names right below the object; write a permission for the subdirectory";
        check.report_with_help(Rule::PatternSlash, node, message, help);
    } else if pattern.contains('*') && pattern.contains(['?', '[', ']', '{', '}', '\\']) {
        let message =
            format!("in {shown}, only * is a wildcard to agent 1.x, and others are to agent 2.x");
        check.report_with_help(Rule::GlobCharacters, node, message, "use * alone");
    } else if is_except && pattern == "**" {
        let message =
            "agent 1.x takes ** for the names right below the object, agent 2.x for all below it";
        check.report_with_help(Rule::GlobCharacters, node, message, "use *");
    } else {
        return false;
    }
    true
}

/// Whether a pattern matches a path below the object.
pub(in crate::appspec) fn matches(pattern: &str, path: &str) -> bool {
    !path.contains('/') && matches_name(pattern.as_bytes(), path.as_bytes())
}

/// Matches from left to right. At a mismatch, the last `*` takes one more byte.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_star_is_a_wildcard_and_a_slash_matches_nothing() {
        for (pattern, path) in [
            ("*", "a"),
            ("*.sh", "a.sh"),
            ("a*b*c", "axbybc"),
            ("a", "a"),
            ("?*", "?x"),
            ("**", "a"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*", "a/b"),
            ("a/b", "a/b"),
            ("*.sh", "a.shx"),
            ("a*b", "ac"),
            ("?", "a"),
            ("", "a"),
            ("*a", ""),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
