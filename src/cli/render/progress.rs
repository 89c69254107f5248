//! What a running command shows: a progress bar on a terminal, and one line at the end.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hoist::archive::pack::Packed;
use hoist::archive::plan::Notice;
use hoist::error::is_unsafe;
use hoist::progress::{Progress, Snapshot};
use indicatif::{BinaryBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use crate::cli::render::{advice, github};

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

/// The most important figures come first, since a narrow terminal cuts the end off.
const BAR: &str = "{percent:>3}% {bar:10.cyan/blue} {eta} left, {msg}";

/// Shows how far a command is.
pub(crate) struct Display {
    started: Instant,
    quiet: bool,
    bar: Option<Bar>,
}

struct Bar {
    bar: ProgressBar,
    end: Sender<()>,
    drawer: JoinHandle<()>,
}

impl Display {
    /// Starts a bar on standard error, if that is a terminal and `bar` allows it.
    pub(crate) fn start(progress: &Arc<Progress>, quiet: bool, bar: bool) -> Self {
        let bar = bar && !quiet && std::io::stderr().is_terminal();
        Self {
            started: Instant::now(),
            quiet,
            bar: bar.then(|| Bar::start(Arc::clone(progress))).flatten(),
        }
    }

    /// What prints lines while the bar is drawn.
    pub(crate) fn above(&self) -> Above {
        Above(self.bar.as_ref().map(|bar| bar.bar.clone()))
    }

    /// Removes the bar. Prints warnings and a summary, if the command is done.
    pub(crate) fn end(self, done: Option<(&Packed, &[Notice], &str)>) {
        if let Some(bar) = self.bar {
            bar.stop();
        }
        if self.quiet {
            return;
        }
        if let Some((packed, notices, verb)) = done {
            warn_of(notices);
            say(&summary(packed, self.started.elapsed(), verb));
        }
    }
}

/// Prints lines on standard error above the bar, if there is one.
#[derive(Clone)]
pub(crate) struct Above(Option<ProgressBar>);

impl Above {
    pub(crate) fn print(&self, print: impl FnOnce()) {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Bar {
    fn start(progress: Arc<Progress>) -> Option<Self> {
        let style = ProgressStyle::with_template(BAR)
            .ok()?
            .progress_chars("━╸ ");
        let bar = ProgressBar::no_length().with_style(style);
        let (end, ended) = channel();
        let drawn = bar.clone();
        let started = Instant::now();
        let drawer = thread::Builder::new()
            .name("hoist-progress".into())
            .spawn(move || {
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    let snapshot = progress.snapshot();
                    drawn.set_length(snapshot.bytes_planned.max(1));
                    drawn.set_position(snapshot.bytes_packed);
                    drawn.set_message(line(&snapshot, started.elapsed()));
                }
            })
            .ok()?;
        Some(Self { bar, end, drawer })
    }

    fn stop(self) {
        drop(self.end);
        // The thread only draws, so a panic in it loses nothing.
        let _ = self.drawer.join();
        self.bar.finish_and_clear();
    }
}

/// The text beside the bar.
fn line(snapshot: &Snapshot, elapsed: Duration) -> String {
    if snapshot.bytes_planned == 0 && snapshot.files_planned == 0 {
        return "listing files".to_owned();
    }
    format!(
        "{} to {} ({}), {}/s, {}/{} files",
        BinaryBytes(snapshot.bytes_packed),
        BinaryBytes(snapshot.bytes_out),
        percent(snapshot.bytes_out, snapshot.bytes_packed),
        BinaryBytes(rate(snapshot.bytes_packed, elapsed)),
        HumanCount(snapshot.files_packed),
        HumanCount(snapshot.files_planned),
    )
}

/// The line at the end of a command.
fn summary(packed: &Packed, elapsed: Duration, verb: &str) -> String {
    let took = if elapsed < Duration::from_secs(60) {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        HumanDuration(elapsed).to_string()
    };
    let files = if packed.files == 1 { "file" } else { "files" };
    format!(
        "{verb} {} {files}, {} to {} ({}) in {took}, {}/s",
        HumanCount(packed.files),
        BinaryBytes(packed.content),
        BinaryBytes(packed.archive),
        percent(packed.archive, packed.content),
        BinaryBytes(rate(packed.content, elapsed)),
    )
}

/// A share in percent, or `-` if there is no content or the archive is ten times as large, as it is
/// with empty files.
fn percent(part: u64, whole: u64) -> String {
    match u128::from(part) * 1000 / u128::from(whole.max(1)) {
        tenths if whole == 0 || tenths >= 10_000 => "-".to_owned(),
        tenths => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

/// Bytes a second.
fn rate(bytes: u64, elapsed: Duration) -> u64 {
    let millis = elapsed.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX)
}

/// Prints warnings about the source.
pub(crate) fn warn_of(notices: &[Notice]) {
    for notice in notices {
        warn(&advice::notice(notice));
    }
}

/// Prints a warning on standard error: in a step of a GitHub workflow, as an annotation of the run.
pub(crate) fn warn(text: &str) {
    if github::is_running() {
        let command = github::annotation("warning", &[("title", "hoist")], text);
        let _ = std::io::stderr().lock().write_all(command.as_bytes());
    } else {
        say(&format!("warning: {text}"));
    }
}

/// Prints a line on standard error. If that is closed, the line is lost.
pub(crate) fn say(text: &str) {
    let line = format!("hoist: {}\n", in_one_line(text));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// A text with its control characters escaped. Messages quote names from outside; this also covers what
/// services, the system and other crates say, so that no text begins a line of its own.
pub(crate) fn in_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.trim_end().chars() {
        match is_unsafe(c) {
            true => escaped.extend(c.escape_debug()),
            false => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(in_one_line("plain \"é\" \\n"), "plain \"é\" \\n");
        assert_eq!(
            in_one_line("a\r\n::error::x\u{1b}[0m\n"),
            "a\\r\\n::error::x\\u{1b}[0m"
        );
    }

    #[test]
    fn a_summary_is_one_line() {
        let packed = Packed {
            files: 51_933,
            content: 644 << 20,
            archive: 151_844_576,
            digest: None,
            zip64_names: 0,
        };
        assert_eq!(
            summary(&packed, Duration::from_millis(4000), "packed"),
            "packed 51,933 files, 644.00 MiB to 144.81 MiB (22.4%) in 4.0 s, 161.00 MiB/s"
        );
    }

    #[test]
    fn one_file_is_written_in_the_singular() {
        let packed = Packed {
            files: 1,
            content: 78,
            archive: 209,
            digest: None,
            zip64_names: 0,
        };
        let said = summary(&packed, Duration::from_millis(100), "pushed");
        assert!(said.starts_with("pushed 1 file, 78 B to "), "{said}");
    }

    #[test]
    fn no_content_and_no_time_are_not_divided_by() {
        assert_eq!(percent(22, 0), "-");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1000, 3), "-");
        assert_eq!(rate(1000, Duration::ZERO), 1_000_000);
        assert_eq!(line(&Snapshot::default(), Duration::ZERO), "listing files");
    }
}
