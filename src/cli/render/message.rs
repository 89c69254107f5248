//! Lines for people on standard error: what failed, warnings and notes. In a workflow of GitHub, warnings
//! and notes are annotations, so that they are seen without reading the log; GitHub shows ten of a kind.

use std::io::Write as _;

use hoist::archive::plan::Notice;

use super::github;
use super::progress::aside;

/// Prints a line on standard error. If that is closed, the line is lost.
pub(crate) fn say(text: &str) {
    write(&format!("hoist: {text}\n"));
}

/// Prints a warning.
pub(crate) fn warn(text: &str) {
    told("warning", "warning", text);
}

/// Prints what should be known and is no reason to worry.
pub(crate) fn note(text: &str) {
    told("notice", "note", text);
}

/// Prints warnings about the source.
pub(crate) fn warn_of(notices: &[Notice]) {
    for notice in notices {
        warn(&notice.to_string());
    }
}

fn told(level: &str, word: &str, text: &str) {
    if github::is_running() {
        write(&github::annotation(level, &[("title", "hoist")], text));
    } else {
        say(&format!("{word}: {text}"));
    }
}

fn write(line: &str) {
    aside(|| {
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    });
}
