//! `hoist lint`: what is wrong with an AppSpec file, for people, programs and pull requests.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use hoist::appspec::{self, Kind, MAX_BYTES, Report};
use hoist::archive::limits::default_threads;
use hoist::archive::plan::{self, Plan};
use hoist::bundle::BundleType;
use hoist::cancel::Cancel;

use crate::cli::args::color::Color;
use crate::cli::args::source::SelectArgs;
use crate::cli::render::advice;
use crate::cli::render::lint::{github, in_json, sarif, text};
use crate::cli::signals::Watch;
use crate::cli::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// An AppSpec file to look at alone, without the bundle that it is for
    #[arg(value_name = "FILE", conflicts_with = "source")]
    file: Option<PathBuf>,

    /// Directory whose bundle is to be checked
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,

    #[command(flatten)]
    select: SelectArgs,

    /// How to say what was found
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,

    /// Fail on warnings too
    #[arg(long, action = ArgAction::SetTrue)]
    strict: bool,

    /// Use colors
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    color: Color,
}

/// For whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each finding with its line
    #[default]
    Text,
    /// One object
    Json,
    /// Workflow commands, which GitHub Actions shows on the lines of a pull request
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

pub(crate) fn run(arguments: &LintArgs) -> Result<(), Failure> {
    // Wrong options are wrong for a file, too.
    let options = arguments.select.options(default_threads())?;
    let path = arguments.file.as_ref().unwrap_or(&arguments.source);
    // What is not there, whoever opens it says.
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
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Failure, error))?;
    let failed = report.has_errors() || arguments.strict && !report.findings.is_empty();
    if failed {
        return Err(Failure::silent(Exit::Failure));
    }
    Ok(())
}

/// Checks the AppSpec file of a directory, or the one for Lambda or ECS that it holds instead.
fn directory(source: &Path, options: &plan::Options, format: Format) -> Result<Report, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failure, error);
    let stop = Cancel::new();
    let watch = Watch::start({
        let stop = stop.clone();
        move || stop.cancel()
    })?;
    let plan = Plan::scan(source, options, &stop).map_err(|error| match watch.exit() {
        Some(exit) => Failure::new(exit, "stopped"),
        None => failed(&advice::unlisted(&error)),
    })?;
    let Err(missing) = appspec::require(&plan) else {
        return appspec::lint_bundle(&plan, None).map_err(|error| failed(&error));
    };
    for name in ["appspec.yaml", "appspec.json"] {
        let path = source.join(name);
        if path.is_file() && appspec::kind(&read(&path)?) == Kind::Resources {
            return file(&path, Some(Kind::Resources));
        }
    }
    let hint = hint(&missing);
    if format == Format::Text {
        let failure = failed(&missing);
        return Err(match hint {
            Some(hint) => failure.and(hint),
            None => failure,
        });
    }
    let mut report = appspec::not_found(source.join("appspec.yml"));
    if let Some(finding) = report.findings.first_mut() {
        finding.help = hint;
    }
    Ok(report)
}

/// What the user can do about a missing AppSpec file.
pub(crate) fn hint(missing: &appspec::Missing) -> Option<String> {
    if missing.misnamed {
        return Some(
            "there is an appspec.yaml, which the CodeDeploy agent does not read: rename it"
                .to_owned(),
        );
    }
    let found = missing.elsewhere.as_ref()?.display();
    Some(format!("found in {found}/; did you mean --source {found}?"))
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

/// As much of a file as is looked at.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let text = format!("cannot read {}: {error}", path.display());
            Err(Failure::new(Exit::Failure, text))
        }
    }
}
