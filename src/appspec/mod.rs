//! Finds and checks the AppSpec file, which turns a directory into a revision.
//!
//! The CodeDeploy agent looks for `appspec.yml` at the root of the bundle and nowhere else ("AppSpec
//! file", AWS CodeDeploy user guide). A push without that file, or with one that the agent refuses,
//! would fail later on every instance. The checks therefore look at the plan and not at the disk: a
//! file that is left out of the bundle does not count as present.
//!
//! ```text
//!  bytes ──▶ parse ──▶ tree ──▶ ec2, or resources (lambda, ecs) ──▶ findings, each with its place
//!            libyaml   nodes    against a Bundle: the plan's names
//! ```
//!
//! [`lint`] only reports; the caller decides whether an error stops the push. What both agents run is
//! never an error. This module changes no file, uses no network, and keeps nothing of a file but its
//! text.

mod bundle;
mod candidates;
mod check;
mod content;
mod ec2;
mod ecs;
mod hardened;
mod lambda;
mod parse;
mod report;
mod resources;
mod rules;
mod scalar;
mod target;
#[cfg(test)]
mod tests;
mod tree;

use std::path::{Component, Path, PathBuf};

pub use self::bundle::{Absence, Bundle};
pub use self::candidates::{Candidate, candidates};
pub use self::content::{Copy, Instructions, Mode, Resource, resource};
pub use self::hardened::harden;
pub use self::parse::MAX_BYTES;
pub use self::report::{Finding, Position, Report, Rule, Severity, Span};
pub use self::target::{Target, target};

use self::check::Check;
use self::parse::Parsed;
use self::tree::Node;
use crate::archive::plan::Plan;
use crate::error::{FileError, shown};

/// The only name that the agent reads.
const APPSPEC: &str = "appspec.yml";

/// Names that the agent does not read, in any case, and the right name in another case.
const MISNAMED: [&str; 5] = [
    "appspec.yaml",
    "appspec.yml",
    "appspec.json",
    "appspec.yml.txt",
    "app-spec.yml",
];

/// The kinds of resource that an AppSpec file for CodeDeploy itself can describe.
const RESOURCE_KINDS: [&resources::Kind; 2] = [&lambda::KIND, &ecs::KIND];

/// What an AppSpec file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EC2 and on-premises instances: an agent reads the file from its bundle.
    Instances,
    /// Lambda or ECS: CodeDeploy reads the file, which is the whole revision.
    Resources,
}

/// The source has no AppSpec file at its root.
///
/// The text is that of `aws deploy push`; the fields say what the source has instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} was not found", shown(path))]
pub struct Missing {
    /// Where the file should be.
    pub path: PathBuf,
    /// The file at the root of the bundle that was perhaps meant.
    pub misnamed: Option<String>,
    /// Whether the source has the file, and it is left out of the bundle.
    pub excluded: bool,
    /// The directory below the source that has an AppSpec file.
    pub elsewhere: Option<PathBuf>,
}

/// Checks that the bundle has an AppSpec file.
///
/// # Errors
///
/// [`Missing`] if it has no AppSpec file.
pub fn require(plan: &Plan) -> Result<(), Missing> {
    if plan.find(APPSPEC.as_bytes()).is_some() {
        return Ok(());
    }
    let source = std::path::absolute(plan.source()).unwrap_or_else(|_| plan.source().to_owned());
    // The path as the user would type it.
    let elsewhere = directory_with_appspec(plan).map(|directory| match plan.source() {
        source if source == Path::new(".") => directory,
        source => source.join(directory),
    });
    Err(Missing {
        path: normalized(&source).join(APPSPEC),
        misnamed: misnamed(plan),
        excluded: plan.source().join(APPSPEC).is_file(),
        elsewhere,
    })
}

/// The file at the root that was perhaps meant to be the AppSpec file.
fn misnamed(plan: &Plan) -> Option<String> {
    let names = (0..plan.len()).map(|index| plan.entry(index).name);
    let mut names = names.filter_map(|name| str::from_utf8(name).ok());
    let is = |name: &&str| {
        MISNAMED
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    names.find(is).map(str::to_owned)
}

/// The directory nearest to the root that has an AppSpec file.
fn directory_with_appspec(plan: &Plan) -> Option<PathBuf> {
    let ending = format!("/{APPSPEC}");
    let names = (0..plan.len()).map(|index| plan.entry(index).name);
    let directories = names.filter_map(|name| name.strip_suffix(ending.as_bytes()));
    let depth = |name: &[u8]| name.iter().filter(|&&byte| byte == b'/').count();
    let directory = directories.min_by_key(|name| depth(name))?;
    Some(PathBuf::from(String::from_utf8_lossy(directory).as_ref()))
}

/// Checks the AppSpec file of a bundle. `kind` is what the revision needs; without it, the file is
/// checked as what it is.
///
/// # Errors
///
/// [`FileError`] if the file cannot be read.
pub fn lint_bundle(plan: &Plan, kind: Option<Kind>) -> Result<Report, FileError> {
    lint_archive(plan, kind, None)
}

/// As [`lint_bundle`], for a bundle that is packed as `bundle_type`: `zip`, `tar` or `tgz`.
///
/// # Errors
///
/// [`FileError`] if the file cannot be read.
pub fn lint_archive(
    plan: &Plan,
    kind: Option<Kind>,
    bundle_type: Option<&'static str>,
) -> Result<Report, FileError> {
    let Some(index) = plan.find(APPSPEC.as_bytes()) else {
        return Ok(not_found(plan.source().join(APPSPEC)));
    };
    let bytes = bundle::read(plan, index, MAX_BYTES + 1)?;
    Ok(report(
        &plan.path(index),
        &bytes,
        kind,
        Some(plan),
        bundle_type,
    ))
}

/// Checks only whether agents unpack an archive of type `bundle_type` where its AppSpec file says that it is
/// deployed. For an archive of another program, whose files are not looked up.
#[must_use]
pub fn lint_bundle_type(path: &Path, bytes: &[u8], bundle_type: &'static str) -> Report {
    let mut report = report(path, bytes, Some(Kind::Instances), None, Some(bundle_type));
    report
        .findings
        .retain(|finding| finding.rule == Rule::BundleType);
    report
}

/// The report of an AppSpec file that does not exist.
#[must_use]
pub fn not_found(path: PathBuf) -> Report {
    let message = format!("there is no {APPSPEC} at the root of the bundle");
    Report {
        path,
        text: String::new(),
        findings: vec![Finding::new(Rule::NotFound, Span::default(), message, None)],
    }
}

/// Checks the AppSpec file at `path`, whose content is `bytes`. `kind` is what the revision needs;
/// without it, the file is checked as what it is. `bundle` has the files that an AppSpec file for
/// instances may name.
#[must_use]
pub fn lint(path: &Path, bytes: &[u8], kind: Option<Kind>, bundle: Option<&dyn Bundle>) -> Report {
    report(path, bytes, kind, bundle, None)
}

fn report(
    path: &Path,
    bytes: &[u8],
    kind: Option<Kind>,
    bundle: Option<&dyn Bundle>,
    bundle_type: Option<&'static str>,
) -> Report {
    let (text, mut findings) = check_bytes(path, bytes, kind, bundle, bundle_type);
    drop_dates(&mut findings);
    findings.sort_by_key(|finding| (finding.span, finding.rule));
    Report {
        path: path.to_owned(),
        text,
        findings,
    }
}

/// Drops the warning about a date that is an error for another reason, in its place.
fn drop_dates(findings: &mut Vec<Finding>) {
    if !findings.iter().any(|finding| finding.rule == Rule::Date) {
        return;
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Error);
    let errors: std::collections::HashSet<_> = errors.map(|finding| finding.span.start).collect();
    findings.retain(|finding| finding.rule != Rule::Date || !errors.contains(&finding.span.start));
}

/// Returns the text that was checked and what was found in it.
fn check_bytes(
    path: &Path,
    bytes: &[u8],
    kind: Option<Kind>,
    bundle: Option<&dyn Bundle>,
    bundle_type: Option<&'static str>,
) -> (String, Vec<Finding>) {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file is not checked: it has more than {MAX_BYTES} bytes");
        let finding = Finding::new(Rule::NotChecked, Span::default(), message, None);
        return (String::new(), vec![finding]);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            return (text, vec![not_utf8(bytes, error.valid_up_to())]);
        }
    };
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if is_json && let Some(finding) = json_error(text) {
        return (text.to_owned(), vec![finding]);
    }
    let Parsed { tree, mut findings } = parse::parse(text);
    if is_json {
        // Some JSON is not YAML: an escaped pair of surrogates, for example.
        for finding in &mut findings {
            if matches!(finding.rule, Rule::Syntax | Rule::Tab) {
                finding.rule = Rule::NotChecked;
                finding.message = format!("the file is not checked: {}", finding.message);
            }
        }
    }
    let Some(tree) = tree else {
        return (text.to_owned(), findings);
    };
    let mut check = Check::new(bundle);
    check.bundle_type = bundle_type;
    match tree.root() {
        Some(root) => check_document(&mut check, root, kind),
        None => {
            let message = "the file is empty; it must have at least version: 0.0 and os: linux";
            check.report(Rule::Empty, Span::default(), message);
        }
    }
    findings.append(&mut check.findings);
    (text.to_owned(), findings)
}

fn not_utf8(bytes: &[u8], start: usize) -> Finding {
    let is_utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let message = if is_utf16 {
        "the file is UTF-16, not UTF-8".to_owned()
    } else {
        let byte = bytes.get(start).unwrap_or(&0);
        format!("the byte {byte:#04x} is not UTF-8")
    };
    // In the report's text, the replacement character stands in place of the byte.
    let end = start + '\u{FFFD}'.len_utf8();
    let help = Some("save the file as UTF-8");
    Finding::new(Rule::NotUtf8, Span { start, end }, message, help)
}

fn check_document(check: &mut Check<'_>, root: Node<'_>, wanted: Option<Kind>) {
    let kind = kind_of(root);
    match (kind, wanted.unwrap_or(kind)) {
        (Kind::Instances, Kind::Instances) => ec2::check(check, root),
        (Kind::Resources, Kind::Resources) => resources::check(check, root, &RESOURCE_KINDS),
        (Kind::Resources, Kind::Instances) => check.report_with_help(
            Rule::Platform,
            resources_key(root).map_or(root.span(), Node::span),
            "this is a Lambda/ECS AppSpec (Resources:); push bundles are for EC2/On-Premises",
            "push the file alone, under a key that ends in .yaml, .yml or .json",
        ),
        (Kind::Instances, Kind::Resources) => {
            let first = root.pairs().and_then(|mut pairs| pairs.next());
            let message =
                "the file has no Resources:, so it is not an AppSpec file for Lambda or ECS";
            let help = "for EC2 or on-premises instances, push the directory that the file is in";
            check.report_with_help(
                Rule::Platform,
                first.map_or(root.span(), |(key, _)| key.span()),
                message,
                help,
            );
        }
    }
}

/// The key `Resources`, in upper or lower case.
fn resources_key(root: Node<'_>) -> Option<Node<'_>> {
    let mut keys = root.pairs()?.map(|(key, _)| key);
    keys.find(|key| {
        key.text()
            .is_some_and(|text| text.eq_ignore_ascii_case("Resources"))
    })
}

/// A file with `Resources` is for Lambda or ECS, whatever else it has.
fn kind_of(root: Node<'_>) -> Kind {
    match resources_key(root) {
        Some(_) => Kind::Resources,
        None => Kind::Instances,
    }
}

/// What an AppSpec file is for. If it cannot be parsed, the word `resources` in it decides.
#[must_use]
pub fn kind(bytes: &[u8]) -> Kind {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    match parse::parse(&text).tree {
        Some(tree) => tree.root().map_or(Kind::Instances, kind_of),
        None if text.to_ascii_lowercase().contains("resources") => Kind::Resources,
        None => Kind::Instances,
    }
}

/// The first error of a text that should be JSON.
fn json_error(text: &str) -> Option<Finding> {
    let content = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let offset = text.len() - content.len();
    let error = serde_json::from_str::<serde_json::Value>(content).err()?;
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let lines_before = content
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let line: usize = lines_before.map(str::len).sum();
    // serde_json counts columns in bytes.
    let at = offset + line + error.column().saturating_sub(1);
    let start = text.floor_char_boundary(at.min(text.len()));
    let len = text[start..].chars().next().map_or(0, char::len_utf8);
    let span = Span {
        start,
        end: start + len,
    };
    let rule = match message.contains("recursion limit") {
        true => Rule::NotChecked,
        false => Rule::JsonSyntax,
    };
    Some(Finding::new(rule, span, message, None))
}

/// `path` without `.` and `..`, computed without the disk, as Python's `os.path.abspath` does.
fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normalized.pop();
            }
            other => normalized.push(other),
        }
    }
    normalized
}
