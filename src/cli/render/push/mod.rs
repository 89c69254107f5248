//! What a push says when it ends.

pub(crate) mod advice;
pub(crate) mod github;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod several;
pub(crate) mod sites;

use std::io::Write as _;

use hoist::appspec::Report;

use super::diagnostic::draw;
use super::lint::github::command;
use super::progress::aside;
use super::write_out;
use crate::cli::{Failure, render};

/// Shows all findings on standard error: in a step of a GitHub workflow, as annotations of their lines.
/// If standard error is closed, they are lost.
pub(crate) fn show(report: &Report) {
    let text = if render::github::is_running() {
        let findings = report.findings.iter();
        findings.map(|finding| command(report, finding)).collect()
    } else {
        draw(report, None, console::colors_enabled_stderr())
    };
    aside(|| {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    });
}

/// Writes the result of a command that has registered a revision.
pub(crate) fn print_registered(text: &str) -> Result<(), Failure> {
    write_out(text.as_bytes())
        .map_err(|error| Failure::other(format!("the revision is registered, but: {error}")))
}

/// The ending of a noun.
pub(crate) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
