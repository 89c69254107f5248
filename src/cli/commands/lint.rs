//! `hoist lint`: checks AppSpec files, for people, programs and pull requests.
//!
//! One run checks any number of directories and files and gives one document, because code scanning
//! takes one for each run. A directory without an AppSpec file is an error: leaving it out silently
//! would turn a check that checks nothing green.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::slice;

use clap::{Args, ValueEnum};
use hoist::appspec::{self, Candidate, Kind, MAX_BYTES, Report, Severity};
use hoist::archive::limits::default_threads;
use hoist::archive::plan::{self, NoticeKind, Plan};
use hoist::bundle::BundleType;

use crate::cli::args::color::Color;
use crate::cli::args::source::SourceArgs;
use crate::cli::render::advice;
use crate::cli::render::diagnostic::{name, relative};
use crate::cli::render::lint::{Linted, github, in_json, sarif, text};
use crate::cli::render::print;
use crate::cli::render::progress::warn;
use crate::cli::run::Run;
use crate::cli::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Directories to check as the bundles that they become, and AppSpec files to check by themselves
    #[arg(value_name = "PATH", conflicts_with = "source")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    /// Format of the findings
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    format: Format,

    /// Fail on warnings, too
    #[arg(long, help_heading = "Output")]
    strict: bool,

    /// Report what agent 2.x refuses with its hardening settings (reject_..._in_bundle), too
    #[arg(long, help_heading = "Output")]
    hardened: bool,

    /// When to use colors
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for people: each finding with its lines
    #[default]
    Text,
    /// One JSON object
    Json,
    /// Workflow commands, which GitHub Actions shows on the lines of a pull request
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

pub(crate) fn run(arguments: &LintArgs) -> Result<(), Failure> {
    // Bad options are refused even if no path needs them.
    let options = arguments.source.options(default_threads())?;
    let paths = match arguments.paths.as_slice() {
        [] => slice::from_ref(&arguments.source.dir),
        paths => paths,
    };
    paths.iter().try_for_each(|path| refuse_archive(path))?;
    let run = Run::start()?;
    // People read a missing file in the words of a push.
    let as_a_push = arguments.format == Format::Text && paths.len() == 1;
    let mut linted = Linted::default();
    let (mut lines, mut seen) = (Vec::new(), HashSet::new());
    for path in paths.iter().filter(|path| seen.insert(relative(path))) {
        // Opening a file that is missing fails, with a message that names it.
        let checked = if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            directory(path, &options, arguments.hardened, as_a_push, &run)
        } else {
            file(path, None, arguments.hardened).map(|report| vec![report])
        };
        match run.finish(checked) {
            Ok(reports) => linted.reports.extend(reports),
            Err(failure) if matches!(failure.exit, Exit::Signal(_)) => return Err(failure),
            Err(failure) => {
                linted.failures.extend(failure.lines.first().cloned());
                lines.extend(failure.lines);
            }
        }
    }
    print(document(arguments, &linted))?;
    if linted.failures.is_empty() && !fails(arguments, &linted) {
        return Ok(());
    }
    Err(Failure {
        exit: Exit::Failure,
        lines,
    })
}

fn document(arguments: &LintArgs, linted: &Linted) -> String {
    let colored = match arguments.color {
        Color::On => true,
        Color::Off => false,
        Color::Auto => io::stdout().is_terminal() && console::colors_enabled(),
    };
    match arguments.format {
        Format::Text => text(linted, colored),
        Format::Json => format!("{:#}\n", in_json(linted)),
        Format::Github => github::commands(linted),
        Format::Sarif => format!("{:#}\n", sarif::log(linted)),
    }
}

fn fails(arguments: &LintArgs, linted: &Linted) -> bool {
    let count = |severity| linted.count(severity);
    count(Severity::Error) > 0 || arguments.strict && count(Severity::Warning) > 0
}

/// Checks the AppSpec file of a directory, or those for Lambda or ECS that it holds instead.
fn directory(
    source: &Path,
    options: &plan::Options,
    hardened: bool,
    as_a_push: bool,
    run: &Run,
) -> Result<Vec<Report>, Failure> {
    let plan = Plan::scan(source, options, run.cancel())
        .map_err(|error| Failure::other(advice::unlisted(&error)))?;
    // A push says this, too, and what else it notices about the source.
    let private = plan
        .notices()
        .iter()
        .filter(|notice| notice.kind == NoticeKind::Private);
    private.for_each(|notice| warn(&advice::notice(notice)));
    let Err(missing) = appspec::require(&plan) else {
        let mut report = appspec::lint_bundle(&plan, None).map_err(Failure::other)?;
        if hardened {
            appspec::harden(&mut report, Some(&plan));
        }
        return Ok(vec![report]);
    };
    // A push sends the one that is named like its key, or the only one.
    let found = appspec::candidates(source);
    if !found.is_empty() {
        let check = |found: &Candidate| file(&found.path, Some(Kind::Resources), false);
        return found.iter().map(check).collect();
    }
    let hint = advice::missing_appspec(&missing);
    if as_a_push {
        return Err(Failure::other(&missing).and(Some(hint)));
    }
    let mut report = appspec::not_found(source.join("appspec.yml"));
    if let Some(finding) = report.findings.first_mut() {
        finding.help = Some(hint);
    }
    Ok(vec![report])
}

fn file(path: &Path, kind: Option<Kind>, hardened: bool) -> Result<Report, Failure> {
    let mut report = appspec::lint(path, &read(path)?, kind, None);
    if hardened {
        appspec::harden(&mut report, None);
    }
    Ok(report)
}

/// An archive is a bundle whose AppSpec file a push looks up; its content is not checked.
fn refuse_archive(path: &Path) -> Result<(), Failure> {
    let named = BundleType::of_name(&path.to_string_lossy());
    if let Some(BundleType::Archive(_)) = named
        && !path.is_dir()
    {
        let name = name(path);
        return Err(Failure::usage(format!(
            "{name} is an archive; give an AppSpec file, or the directory to bundle"
        )));
    }
    Ok(())
}

/// Reads a file, up to the size at which the check refuses it.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::other(format!(
            "cannot read {}: {error}",
            name(path)
        ))),
    }
}
