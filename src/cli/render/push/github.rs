//! Outputs for later steps of a GitHub workflow, and a summary of the job.
//!
//! A step writes both to files that the runner names ("Workflow commands for GitHub Actions": setting
//! an output parameter; adding a job summary).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hoist::error::shown;

use crate::cli::Failure;
use crate::cli::render::github::{self, append, append_summary, cell, named};
use crate::cli::render::progress::warn;
use crate::cli::render::push::report::Done;
use crate::cli::render::push::several::{Row, rows_json};
use crate::cli::render::units::{size, took};

/// Names the file for outputs.
const OUTPUT: &str = "GITHUB_OUTPUT";

/// The file for outputs. It is looked up before anything is sent.
pub(crate) fn output_file() -> Result<PathBuf, Failure> {
    named(OUTPUT).ok_or_else(|| {
        Failure::usage(
            "--github-output writes to the file that GITHUB_OUTPUT names, and that variable is not set",
        )
    })
}

/// Writes the outputs of a push that failed in some of its destinations.
pub(crate) fn write_rows(rows: &[Row<'_>], output: Option<&Path>) {
    append_outputs(&destinations(rows), output);
    append_summary(&table(rows));
}

/// Writes the outputs, and the summary if the runner wants one. A file that cannot be written is only a
/// warning, since the push is done.
pub(crate) fn write(done: &Done<'_>, output: Option<&Path>) {
    append_outputs(&outputs(done), output);
    append_summary(&summary(done));
}

fn append_outputs(text: &str, output: Option<&Path>) {
    if let Some(path) = output
        && let Err(error) = append(path, text)
    {
        let path = shown(path);
        warn(&format!(
            "the revision is registered, but {path} cannot be written: {error}"
        ));
    }
}

fn outputs(done: &Done<'_>) -> String {
    let revision = &done.delivered.revision;
    let stored = &revision.stored;
    let mut text: String = [
        ("application", done.application),
        ("bucket", &revision.location.bucket),
        ("key", &revision.location.key),
        ("bundle-type", revision.bundle.name()),
        ("etag", &stored.etag),
        ("version", stored.version.as_deref().unwrap_or_default()),
        ("s3-location", &revision.shorthand()),
    ]
    .into_iter()
    .map(|(name, value)| github::output(name, value))
    .collect();
    if !done.rows.is_empty() {
        text += &destinations(done.rows);
    }
    text
}

/// The output about several destinations.
fn destinations(rows: &[Row<'_>]) -> String {
    github::output("destinations", &rows_json(rows).to_string())
}

fn summary(done: &Done<'_>) -> String {
    let revision = &done.delivered.revision;
    let packed = &done.pushed.packed;
    let version = revision.stored.version.as_deref();
    let rows = [
        ("Application", cell(done.application)),
        ("Revision", cell(&revision.location.to_string())),
        ("Kind", revision.bundle.name().to_owned()),
        ("ETag", cell(&revision.stored.etag)),
        ("Version", version.map(cell).unwrap_or_default()),
        ("Files", packed.files.to_string()),
        (
            "Size",
            format!("{} of {}", size(packed.archive), size(packed.content)),
        ),
        ("Time", took(done.took)),
    ];
    let mut text = String::from("### CodeDeploy revision\n\n| | |\n|---|---|\n");
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text.push('\n');
    text + &table(done.rows)
}

/// A table of several destinations.
fn table(rows: &[Row<'_>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "### CodeDeploy destinations\n\n| Destination | Application | Revision | ETag | Version | |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in rows {
        let target = &row.site.target;
        let stored = row.revision.map(|revision| &revision.stored);
        let version = stored.and_then(|stored| stored.version.as_deref());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&row.site.name),
            cell(&target.application),
            cell(&target.location.to_string()),
            stored.map(|stored| cell(&stored.etag)).unwrap_or_default(),
            version.map(cell).unwrap_or_default(),
            match &row.error {
                _ if row.is_registered => "registered".to_owned(),
                Some(error) => format!("not registered: {}", cell(error)),
                None => "not registered".to_owned(),
            },
        );
    }
    text.push('\n');
    text
}
