//! Lines for people on standard error: what failed, warnings and notes. In a workflow of GitHub, warnings
//! and notes are annotations, so that they are seen without reading the log; GitHub shows ten of a kind.

use std::borrow::Cow;
use std::io::Write as _;

use hoist::archive::plan::Notice;
use hoist::error::is_unsafe;

use super::progress::aside;
use super::{advice, github};

/// Prints a line on standard error. If that is closed, the line is lost.
pub(crate) fn say(text: &str) {
    write(&format!("hoist: {}\n", in_one_line(text)));
}

/// Prints a warning.
pub(crate) fn warn(text: &str) {
    told("warning", "warning", text);
}

/// Prints what should be known and is no reason to worry.
#[cfg(feature = "push")]
pub(crate) fn note(text: &str) {
    told("notice", "note", text);
}

/// Prints warnings about the source.
pub(crate) fn warn_of<'a>(notices: impl IntoIterator<Item = &'a Notice>) {
    for notice in notices {
        warn(&advice::notice(notice));
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

/// A text with its control characters escaped. Messages quote names from outside; this also covers what
/// services, the system and other crates say, so that no text begins a line of its own.
pub(crate) fn in_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return disarmed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.trim_end().chars() {
        match is_unsafe(c) {
            true => escaped.extend(c.escape_debug()),
            false => escaped.push(c),
        }
    }
    Cow::Owned(disarmed(&escaped).into_owned())
}

/// A text in which no CI service finds a command within a line. The runner of GitHub Actions takes
/// `##[add-mask]x` anywhere in a line for one (actions/runner, ActionCommand.cs), Azure Pipelines
/// `##vso[…]x`, and TeamCity `##teamcity[…]`. A backslash before the bracket ends that.
pub(crate) fn disarmed(text: &str) -> Cow<'_, str> {
    if !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for piece in text.split_inclusive('[') {
        safe.push_str(piece);
        let before = piece.strip_suffix('[').unwrap_or_default();
        let before = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        if before.ends_with("##") {
            safe.insert(safe.len() - 1, '\\');
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ci_service_finds_a_command_within_a_message() {
        for (text, safe) in [
            ("a ##[set-output name=x]y", "a ##\\[set-output name=x]y"),
            ("##vso[task.setvariable]", "##vso\\[task.setvariable]"),
            ("###[a]", "###\\[a]"),
            ("# ## [a] ##é[ #", "# ## [a] ##é[ #"),
        ] {
            assert_eq!(in_one_line(text), safe);
        }
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(in_one_line("plain \"é\" \\n"), "plain \"é\" \\n");
        assert_eq!(
            in_one_line("a\r\n::error::x\u{1b}[0m\n"),
            "a\\r\\n::error::x\\u{1b}[0m"
        );
    }
}
