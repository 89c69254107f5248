//! Workflow commands of GitHub Actions, which become annotations: `::warning file=a.yml,line=3::text`.
//!
//! The runner takes any line of a step's output for a command if it begins with `::`, on both streams.
//! So whatever comes from outside is escaped here, as actions/toolkit does (`escapeData`,
//! `escapeProperty`), and a message takes one line.

use std::env;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::cli::render::diagnostic::relative;
use crate::cli::render::progress::warn;

/// Names the file for the summary, if the runner wants one.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// The most bytes of a step's summary. GitHub shows none at all of a larger one.
const MAX_SUMMARY: usize = 1 << 20;

/// Whether this process runs in a step of a workflow ("Default environment variables", GitHub Actions).
pub(crate) fn is_running() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The path of a file as GitHub looks it up: relative to the root of the repository. Steps may run in
/// another directory of it. Without a repository, relative to the working directory.
pub(crate) fn path_of(path: &Path) -> String {
    let root = env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    let root = root.filter(|root| root.is_absolute());
    let absolute = std::path::absolute(path).ok();
    let below = root.zip(absolute).and_then(|(root, path)| {
        let path = relative_to(&root, &path)?;
        Some(path.display().to_string())
    });
    below.unwrap_or_else(|| relative(path).display().to_string())
}

/// `path` below `root`, with links resolved if the texts do not show that it is below.
fn relative_to(root: &Path, path: &Path) -> Option<PathBuf> {
    let below = |root: &Path, path: &Path| path.strip_prefix(root).ok().map(Path::to_owned);
    let is_plain = !path.components().any(|part| part == Component::ParentDir);
    below(root, path)
        .filter(|_| is_plain)
        .or_else(|| below(&root.canonicalize().ok()?, &path.canonicalize().ok()?))
}

/// A command with its line end. `level` is `error`, `warning` or `notice`.
pub(crate) fn annotation(level: &str, properties: &[(&str, &str)], message: &str) -> String {
    let mut text = format!("::{level}");
    for (index, (name, value)) in properties.iter().enumerate() {
        text.push(if index == 0 { ' ' } else { ',' });
        text.push_str(name);
        text.push('=');
        text.push_str(&property(value));
    }
    text.push_str("::");
    text.push_str(&data(message));
    text.push('\n');
    text
}

/// Escapes the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The file that an environment variable of the runner names.
pub(crate) fn named(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable).filter(|path| !path.is_empty());
    path.map(PathBuf::from)
}

pub(crate) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// A line that gives a value to an output of the step. The value may come from an untrusted source, so it
/// stands between delimiters that it does not contain.
#[cfg(feature = "push")]
pub(crate) fn output(name: &str, value: &str) -> String {
    let end = delimiter(value);
    format!("{name}<<{end}\n{value}\n{end}\n")
}

/// A line that `value` does not contain.
#[cfg(feature = "push")]
fn delimiter(value: &str) -> String {
    loop {
        let delimiter = format!("hoist_{:016x}", fastrand::u64(..));
        if !value.contains(&delimiter) {
            return delimiter;
        }
    }
}

/// Adds Markdown to the summary of the job, if the runner wants one, up to the size that GitHub shows. A
/// file that cannot be written is only a warning, since the summary says what the output says.
pub(crate) fn append_summary(text: &str) {
    let Some(path) = named(SUMMARY) else { return };
    let written = path.metadata().map_or(0, |metadata| metadata.len());
    let room = MAX_SUMMARY.saturating_sub(usize::try_from(written).unwrap_or(MAX_SUMMARY));
    if let Err(error) = append(&path, &fitting(text, room)) {
        let path = path.display();
        warn(&format!("the summary in {path} cannot be written: {error}"));
    }
}

/// As many whole lines of `text` as fit into `room` bytes, and how many are left out.
fn fitting(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let note = |lines: usize| format!("\n{lines} more lines are in the log of this step.\n");
    let room = room.saturating_sub(note(usize::MAX).len());
    let mut fits = String::new();
    let mut lines = text.split_inclusive('\n');
    let mut left_out = lines.clone().count();
    while let Some(line) = lines.next().filter(|line| fits.len() + line.len() <= room) {
        fits.push_str(line);
        left_out -= 1;
    }
    if fits.is_empty() {
        return fits;
    }
    let _ = write!(fits, "{}", note(left_out));
    fits
}

/// Text in a cell of a Markdown table, which Markdown does not interpret.
pub(crate) fn cell(text: &str) -> String {
    let mut escaped = String::from("<code>");
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '~' | '[' | ']' | '\\' | '@' | '#' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped.push_str("</code>");
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_its_command() {
        let properties = [("file", "a,b:c/appspec.yml"), ("line", "2")];
        assert_eq!(
            annotation("error", &properties, "100%\r\n::error::x"),
            "::error file=a%2Cb%3Ac/appspec.yml,line=2::100%25%0D%0A::error::x\n"
        );
        assert_eq!(annotation("warning", &[], "a, b"), "::warning::a, b\n");
    }

    #[cfg(feature = "push")]
    #[test]
    fn a_value_cannot_contain_its_delimiter() {
        let value = "a\nhoist_0\nb";
        let end = delimiter(value);
        assert!(!value.contains(&end));
        assert_ne!(delimiter(value), delimiter(value));
    }

    #[test]
    fn text_in_a_cell_cannot_end_the_cell() {
        assert_eq!(cell("a|b\n<c>"), "<code>a&#124;b &lt;c&gt;</code>");
    }

    #[test]
    fn a_summary_is_cut_at_a_line_below_the_limit() {
        let text = "| a line of the table |\n".repeat(100_000);
        assert_eq!(fitting("a\nb\n", 4), "a\nb\n");
        let cut = fitting(&text, MAX_SUMMARY);
        assert!(cut.len() <= MAX_SUMMARY && cut.len() > MAX_SUMMARY - 200);
        let left_out = 100_000 - cut.lines().filter(|line| line.starts_with("| a")).count();
        let note = format!("\n\n{left_out} more lines are in the log of this step.\n");
        assert!(cut.ends_with(&note), "{}", &cut[cut.len() - 100..]);
        assert_eq!(fitting(&text, 10), "");
    }
}
