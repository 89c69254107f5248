//! What only matters where the revision goes to Windows: which names it takes for one, and how long a
//! path may be.

use crate::appspec::check::Check;
use crate::appspec::rules::Rule;
use crate::appspec::tree::Node;

/// The longest path, in UTF-16, that is not spoken of. `MAX_PATH` is 260 with the zero at the end, of
/// which `C:\ProgramData\Amazon\CodeDeploy\`, a deployment group's id, a deployment's, and
/// `deployment-archive\` take 101.
const LONG: usize = 158;

/// Looks at the names of the bundle. `os` is where the file says that it is for Windows.
pub(super) fn check(check: &mut Check<'_>, os: Node<'_>) {
    let Some(bundle) = check.bundle else { return };
    let (one, others) = bundle.collision();
    if let Some((name, other)) = one {
        let more = match others {
            0 => String::new(),
            others => format!(", and so are {others} more"),
        };
        let message = format!("{name} and {other} are one name on Windows{more}");
        check.find_with(
            Rule::CaseCollision,
            os.span(),
            message,
            "rename one of them",
        );
    }
    let long = |name: &&[u8]| {
        // As Windows counts. No name has more of these than bytes.
        name.len() > LONG && String::from_utf8_lossy(name).encode_utf16().count() > LONG
    };
    let names = (0..bundle.len()).map(|index| bundle.name(index));
    let mut names = names.filter(long);
    if let Some(first) = names.next() {
        let first = String::from_utf8_lossy(first).into_owned();
        let message = match names.count() {
            0 => format!("{first} is too long for Windows"),
            more => format!("{first} is too long for Windows, and so are {more} more paths"),
        };
        check.find(Rule::LongPath, os.span(), message);
    }
}
