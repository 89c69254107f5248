//! Checks what matters only on Windows: names that it takes for one or refuses, the length of paths, and
//! backslashes in double quotes. How the agents behave on Windows was read from their source, not run.

use crate::appspec::check::{Check, quote, quote_part};
use crate::appspec::rules::Rule;
use crate::appspec::tree::Node;

/// The longest path, in UTF-16 units, that is not reported. `MAX_PATH` is 260 with the zero at the end;
/// `C:\ProgramData\Amazon\CodeDeploy\`, the ids of the deployment group and the deployment, and
/// `deployment-archive\` take 101 of them.
const MAX_PATH_LEN: usize = 158;

/// Checks the names of the bundle. `os` is the value to which findings point.
pub(super) fn check(check: &mut Check<'_>, os: Node<'_>) {
    check_bundle_type(check, os);
    let Some(bundle) = check.bundle else { return };
    let (one, others) = bundle.collision();
    if let Some((name, other)) = one {
        let more = match others {
            0 => String::new(),
            others => format!(", and so are {others} more"),
        };
        let (name, other) = (quote(&name), quote(&other));
        let message = format!("{name} and {other} are one name on Windows{more}");
        check.report_with_help(Rule::CaseCollision, os, message, "rename one of them");
    }
    let long = |name: &[u8]| {
        // Windows counts UTF-16 units. A name has at most as many of them as bytes.
        name.len() > MAX_PATH_LEN
            && String::from_utf8_lossy(name).encode_utf16().count() > MAX_PATH_LEN
    };
    if let Some(names) = listed(check, long, "too long for Windows") {
        check.report(Rule::LongPath, os, names);
    }
    if let Some(names) = listed(check, is_refused, "not a name that Windows allows") {
        check.report_with_help(Rule::WindowsName, os, names, "rename it, or leave it out");
    }
}

/// A message with the first name for which `is_wrong` holds, and how many more there are.
fn listed(check: &Check<'_>, is_wrong: impl Fn(&[u8]) -> bool, what: &str) -> Option<String> {
    let bundle = check.bundle?;
    let names = (0..bundle.len()).map(|index| bundle.name(index));
    let mut names = names.filter(|name| is_wrong(name));
    // Windows has no longer paths.
    let first = quote_part(&String::from_utf8_lossy(names.next()?), 32_768);
    Some(match names.count() {
        0 => format!("{first} is {what}"),
        more => format!("{first} is {what}, and so are {more} more paths"),
    })
}

/// Whether a part of the path is a device, has a character that Windows refuses, or ends with one that it
/// drops.
fn is_refused(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    name.split(|&byte| byte == b'/').any(|part| {
        let base = part.split(|&byte| byte == b'.').next().unwrap_or_default();
        let base = base.trim_ascii_end().to_ascii_uppercase();
        let is_device = matches!(
            base.as_slice(),
            b"CON"
                | b"PRN"
                | b"AUX"
                | b"NUL"
                | [b'C', b'O', b'M', b'1'..=b'9']
                | [b'L', b'P', b'T', b'1'..=b'9']
        );
        is_device
            || part.ends_with(b".")
            || part.ends_with(b" ")
            || part
                .iter()
                .any(|&byte| byte < 0x20 || b"<>:\"|?*\\".contains(&byte))
    })
}

/// Reports a path in which a backslash in double quotes became another character.
pub(super) fn check_escapes(check: &mut Check<'_>, node: Node<'_>, path: &str) {
    let is_escape = |c: char| c.is_control() || matches!(c, '\u{A0}' | '\u{2028}' | '\u{2029}');
    if path.contains(is_escape) {
        let message = format!(
            "the path {} has a control character: in double quotes, a backslash begins an escape",
            quote(path)
        );
        let help = "write the path in single quotes or without quotes";
        check.report_with_help(Rule::WindowsEscape, node, message, help);
    }
}

/// Reports a bundle that agents on Windows may not unpack. `os` is the value to which the finding points.
fn check_bundle_type(check: &mut Check<'_>, os: Node<'_>) {
    if let Some(name) = check.bundle_type.filter(|name| *name != "zip") {
        let message = format!("the bundle is a {name}, which agent 1.x may not unpack on Windows");
        check.report_with_help(Rule::BundleType, os, message, "push a zip");
    }
}
