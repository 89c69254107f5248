//! `hoist lint`: checks an AppSpec file, for people, programs and pull requests.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hoist::appspec::{self, Kind, MAX_BYTES, Report};
use hoist::archive::limits::default_threads;
use hoist::archive::plan::{self, Plan};
use hoist::bundle::BundleType;
use hoist::error::shown;

use crate::cli::args::color::Color;
use crate::cli::args::source::SourceArgs;
use crate::cli::render::advice;
use crate::cli::render::lint::{github, in_json, sarif, text};
use crate::cli::render::print;
use crate::cli::run::Run;
use crate::cli::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// AppSpec file to check by itself, without the bundle that it belongs to
    #[arg(value_name = "FILE", conflicts_with = "source")]
    file: Option<PathBuf>,

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
    // Bad options are refused even if the file does not need them.
    let options = arguments.source.options(default_threads())?;
    let path = arguments.file.as_ref().unwrap_or(&arguments.source.dir);
    // Opening a file that is missing fails below, with a message that names it.
    let report = if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        directory(path, &options, arguments.format)?
    } else {
        file(path, None)?
    };
    let colored = match arguments.color {
        Color::On => true,
        Color::Off => false,
        Color::Auto => io::stdout().is_terminal() && console::colors_enabled(),
    };
    let text = match arguments.format {
        Format::Text => text(&report, colored),
        Format::Json => format!("{:#}\n", in_json(&report)),
        Format::Github => github::commands(&report),
        Format::Sarif => format!("{:#}\n", sarif::log(&report)),
    };
    print(text)?;
    let failed = report.has_errors() || arguments.strict && !report.findings.is_empty();
    if failed {
        return Err(Failure::silent(Exit::Failure));
    }
    Ok(())
}

/// Checks the AppSpec file of a directory, or the one for Lambda or ECS that it holds instead.
fn directory(source: &Path, options: &plan::Options, format: Format) -> Result<Report, Failure> {
    let run = Run::start()?;
    let plan = Plan::scan(source, options, run.cancel())
        .map_err(|error| Failure::other(advice::unlisted(&error)));
    let plan = run.finish(plan)?;
    let Err(missing) = appspec::require(&plan) else {
        return appspec::lint_bundle(&plan, None).map_err(Failure::other);
    };
    for name in ["appspec.yaml", "appspec.json"] {
        let path = source.join(name);
        if path.is_file() && appspec::kind(&read(&path)?) == Kind::Resources {
            return file(&path, Some(Kind::Resources));
        }
    }
    let hint = advice::missing_appspec(&missing);
    if format == Format::Text {
        return Err(Failure::other(&missing).and(hint));
    }
    let mut report = appspec::not_found(source.join("appspec.yml"));
    if let Some(finding) = report.findings.first_mut() {
        finding.help = hint;
    }
    Ok(report)
}

fn file(path: &Path, kind: Option<Kind>) -> Result<Report, Failure> {
    let name = path.to_string_lossy();
    if let Some(BundleType::Archive(_)) = BundleType::of_name(&name) {
        return Err(Failure::usage(format!(
            "{name} is an archive; give an AppSpec file, or with --source the directory to bundle"
        )));
    }
    Ok(appspec::lint(path, &read(path)?, kind, None))
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
            shown(path)
        ))),
    }
}
