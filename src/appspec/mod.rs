//! The AppSpec file, which makes a directory a revision: whether it is there, and what is wrong with it.
//!
//! The CodeDeploy agent looks for `appspec.yml` at the root of the bundle and for nothing else
//! ("AppSpec file", AWS CodeDeploy user guide), so a push without one could only fail later, on
//! every instance; and so could one whose AppSpec the agent refuses. Looks at the plan, not at the disk:
//! a file that is filtered out is not there.
//!
//! ```text
//!  bytes ──▶ parse ──▶ tree ──▶ ec2, or resources (lambda, ecs) ──▶ findings, each with its place
//!            libyaml   nodes    against a Bundle: the plan's names
//! ```
//!
//! [`lint`] refuses nothing by itself: it reports, and whoever pushes stops at an error. An AppSpec that
//! the agent of version 1.8 runs has none. It refuses to change a file, to ask a network, and to keep
//! more of one than its text.

mod bundle;
mod check;
mod ec2;
mod ecs;
mod lambda;
mod parse;
mod report;
mod resources;
mod rules;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;

use std::path::{Component, Path, PathBuf};

pub use self::bundle::{Absence, Bundle};
pub use self::parse::MAX_BYTES;
pub use self::report::{Finding, Position, Report, Rule, Severity, Span};

use self::check::Check;
use self::parse::Parsed;
use self::tree::Node;
use crate::archive::plan::Plan;
use crate::error::FileError;

/// Where the agent looks.
const APPSPEC: &str = "appspec.yml";

/// A common slip, which the agent does not forgive.
const MISNAMED: &str = "appspec.yaml";

/// What an AppSpec is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EC2 and on-premises instances: an agent reads it, in its bundle.
    Instances,
    /// Lambda or ECS: CodeDeploy reads it, and it is all that there is.
    Resources,
}

/// There is no AppSpec file at the root of the source.
///
/// The text is that of `aws deploy push`; [`Missing::hint`] says more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} was not found", path.display())]
pub struct Missing {
    /// Where it should be.
    pub path: PathBuf,
    /// Whether there is an `appspec.yaml`.
    pub misnamed: bool,
    /// The directory below the source that has one.
    pub elsewhere: Option<PathBuf>,
}

impl Missing {
    /// What the source has instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if self.misnamed {
            return Some(
                "there is an appspec.yaml, which the CodeDeploy agent does not read: rename it"
                    .to_owned(),
            );
        }
        let found = self.elsewhere.as_ref()?.display();
        Some(format!("found in {found}/; did you mean --source {found}?"))
    }
}

/// Checks that the bundle has an AppSpec file.
///
/// # Errors
///
/// [`Missing`] if not.
pub fn require(plan: &Plan) -> Result<(), Missing> {
    if plan.find(APPSPEC.as_bytes()).is_some() {
        return Ok(());
    }
    let source = std::path::absolute(plan.source()).unwrap_or_else(|_| plan.source().to_owned());
    let elsewhere = directory_with_one(plan).map(|directory| {
        // As it would be typed.
        match plan.source() {
            source if source == Path::new(".") => directory,
            source => source.join(directory),
        }
    });
    Err(Missing {
        path: cleaned(&source).join(APPSPEC),
        misnamed: plan.find(MISNAMED.as_bytes()).is_some(),
        elsewhere,
    })
}

/// The directory nearest to the root that has an AppSpec file.
fn directory_with_one(plan: &Plan) -> Option<PathBuf> {
    let ending = format!("/{APPSPEC}");
    let names = (0..plan.len()).map(|index| plan.entry(index).name);
    let directories = names.filter_map(|name| name.strip_suffix(ending.as_bytes()));
    let depth = |name: &[u8]| name.iter().filter(|&&byte| byte == b'/').count();
    let directory = directories.min_by_key(|name| depth(name))?;
    Some(PathBuf::from(String::from_utf8_lossy(directory).as_ref()))
}

/// Checks the AppSpec file of a bundle, which must have one: as one for `kind`, or as what it is.
///
/// # Errors
///
/// [`FileError`] if it cannot be read.
pub fn lint_bundle(plan: &Plan, kind: Option<Kind>) -> Result<Report, FileError> {
    let Some(index) = plan.find(APPSPEC.as_bytes()) else {
        return Ok(not_found(plan.source().join(APPSPEC)));
    };
    let bytes = bundle::read(plan, index, MAX_BYTES + 1)?;
    Ok(lint(&plan.path(index), &bytes, kind, Some(plan)))
}

/// The report of a file that is not there.
#[must_use]
pub fn not_found(path: PathBuf) -> Report {
    let finding = Finding {
        rule: Rule::NotFound,
        span: Span::default(),
        message: format!("there is no {APPSPEC} at the root of the bundle"),
        help: None,
    };
    Report {
        path,
        text: String::new(),
        findings: vec![finding],
    }
}

/// Checks the AppSpec file at `path`, whose content is `bytes`: as one for `kind`, or as what it is. Of
/// one for instances, `bundle` has the files that it may speak of.
#[must_use]
pub fn lint(path: &Path, bytes: &[u8], kind: Option<Kind>, bundle: Option<&dyn Bundle>) -> Report {
    let (text, mut findings) = read(path, bytes, kind, bundle);
    findings.sort_by_key(|finding| (finding.span, finding.rule));
    Report {
        path: path.to_owned(),
        text,
        findings,
    }
}

fn read(
    path: &Path,
    bytes: &[u8],
    kind: Option<Kind>,
    bundle: Option<&dyn Bundle>,
) -> (String, Vec<Finding>) {
    let alone = |rule, span, message: String, help: Option<&str>| {
        vec![Finding {
            rule,
            span,
            message,
            help: help.map(str::to_owned),
        }]
    };
    if bytes.len() > MAX_BYTES {
        let message = format!("nothing is looked at: the file has more than {MAX_BYTES} bytes");
        let finding = alone(Rule::NotChecked, Span::default(), message, None);
        return (String::new(), finding);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.valid_up_to();
            // What stands in its place.
            let span = Span {
                start,
                end: start + '\u{FFFD}'.len_utf8(),
            };
            let wide = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
            let message = if wide {
                "the file is UTF-16, not UTF-8".to_owned()
            } else {
                format!(
                    "the byte {:#04x} is not UTF-8",
                    bytes.get(start).unwrap_or(&0)
                )
            };
            let text = String::from_utf8_lossy(bytes).into_owned();
            let finding = alone(Rule::NotUtf8, span, message, Some("save the file as UTF-8"));
            return (text, finding);
        }
    };
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if is_json && let Some(finding) = json(text) {
        return (text.to_owned(), vec![finding]);
    }
    let Parsed { tree, mut findings } = parse::parse(text);
    if is_json {
        // There is JSON that is no YAML: a pair of escaped surrogates.
        for finding in &mut findings {
            if matches!(finding.rule, Rule::Syntax | Rule::Tab) {
                finding.rule = Rule::NotChecked;
                finding.message = format!("nothing is looked at: {}", finding.message);
            }
        }
    }
    let Some(tree) = tree else {
        return (text.to_owned(), findings);
    };
    let mut check = Check::new(bundle);
    match tree.root() {
        Some(root) => look_at(&mut check, root, kind),
        None => {
            let message = "the file says nothing; the least is version: 0.0 and os: linux";
            check.find(Rule::Empty, Span::default(), message);
        }
    }
    findings.append(&mut check.findings);
    (text.to_owned(), findings)
}

fn look_at(check: &mut Check<'_>, root: Node<'_>, wanted: Option<Kind>) {
    let is = kind_of(root);
    match (is, wanted.unwrap_or(is)) {
        (Kind::Instances, Kind::Instances) => ec2::check(check, root),
        (Kind::Resources, Kind::Resources) => resources::check(check, root),
        (Kind::Resources, Kind::Instances) => check.find_with(
            Rule::Platform,
            resources_key(root).map_or(root.span(), Node::span),
            "this is a Lambda/ECS AppSpec (Resources:); push bundles are for EC2/On-Premises",
            "push the file alone: end the key of --s3-location with .yaml, .yml or .json",
        ),
        (Kind::Instances, Kind::Resources) => check.find_with(
            Rule::Platform,
            root.pairs()
                .and_then(|mut pairs| pairs.next())
                .map_or(root.span(), |(key, _)| key.span()),
            "this has no Resources:, so it is no AppSpec file for Lambda or ECS",
            "for EC2 or on-premises instances, give the directory that it is in",
        ),
    }
}

/// The key `Resources`, in any case.
fn resources_key(root: Node<'_>) -> Option<Node<'_>> {
    let mut keys = root.pairs()?.map(|(key, _)| key);
    keys.find(|key| {
        key.text()
            .is_some_and(|text| text.eq_ignore_ascii_case("Resources"))
    })
}

/// What is an AppSpec for an instance to agent 1.x is one here, whatever else it says.
fn kind_of(root: Node<'_>) -> Kind {
    let has_os = || {
        let keys = root.pairs().into_iter().flatten();
        keys.into_iter().any(|(key, _)| key.text() == Some("os"))
    };
    if resources_key(root).is_some() && !has_os() {
        Kind::Resources
    } else {
        Kind::Instances
    }
}

/// What an AppSpec file is for. One that is not even YAML is for whatever its words say.
#[must_use]
pub fn kind(bytes: &[u8]) -> Kind {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    let tree = parse::parse(&text).tree;
    match tree.as_ref().map(|tree| tree.root().map(kind_of)) {
        Some(kind) => kind.unwrap_or(Kind::Instances),
        None if text.to_ascii_lowercase().contains("resources") => Kind::Resources,
        None => Kind::Instances,
    }
}

/// What is wrong with a text that should be JSON.
fn json(text: &str) -> Option<Finding> {
    let content = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let offset = text.len() - content.len();
    let error = serde_json::from_str::<serde_json::Value>(content).err()?;
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
    let line: usize = content
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    // Its columns count bytes.
    let at = offset + line + error.column().saturating_sub(1);
    let mut start = at.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let len = text[start..].chars().next().map_or(0, char::len_utf8);
    let too_deep = message.contains("recursion limit");
    Some(Finding {
        rule: if too_deep {
            Rule::NotChecked
        } else {
            Rule::JsonSyntax
        },
        span: Span {
            start,
            end: start + len,
        },
        message,
        help: None,
    })
}

/// `path` without `.` and `..`, without asking the disk, as Python's `os.path.abspath` does.
fn cleaned(path: &Path) -> PathBuf {
    path.components()
        .fold(PathBuf::new(), |mut cleaned, component| {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    cleaned.pop();
                }
                other => cleaned.push(other),
            }
            cleaned
        })
}
