//! Checks what matters only on Windows: names that it takes for one, and the length of paths.

use crate::appspec::check::Check;
use crate::appspec::rules::Rule;
use crate::appspec::tree::Node;

/// The longest path, in UTF-16 units, that is not reported. `MAX_PATH` is 260 with the zero at the end;
/// `C:\ProgramData\Amazon\CodeDeploy\`, the ids of the deployment group and the deployment, and
/// `deployment-archive\` take 101 of them.
const MAX_PATH_LEN: usize = 158;

/// Checks the names of the bundle. `os` is the value to which findings point.
pub(super) fn check(check: &mut Check<'_>, os: Node<'_>) {
    let Some(bundle) = check.bundle else { return };
    let (one, others) = bundle.collision();
    if let Some((name, other)) = one {
        let more = match others {
            0 => String::new(),
            others => format!(", and so are {others} more"),
        };
        let message = format!("{name} and {other} are one name on Windows{more}");
        check.report_with_help(Rule::CaseCollision, os, message, "rename one of them");
    }
    let long = |name: &&[u8]| {
        // Windows counts UTF-16 units. A name has at most as many of them as bytes.
        name.len() > MAX_PATH_LEN
            && String::from_utf8_lossy(name).encode_utf16().count() > MAX_PATH_LEN
    };
    let names = (0..bundle.len()).map(|index| bundle.name(index));
    let mut names = names.filter(long);
    if let Some(first) = names.next() {
        let first = String::from_utf8_lossy(first).into_owned();
        let message = match names.count() {
            0 => format!("{first} is too long for Windows"),
            more => format!("{first} is too long for Windows, and so are {more} more paths"),
        };
        check.report(Rule::LongPath, os, message);
    }
}
