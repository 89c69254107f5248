//! The log of a script, safe to print.
//!
//! A script may print anything: escape sequences, which a terminal would follow, and lines that CI services
//! take for commands. Here a log becomes lines without either. A line is printed behind a mark, so that it
//! never begins a line of hoist's output.

use console::strip_ansi_codes;
use hoist::error::is_unsafe;

use crate::cli::render::message::disarmed;

/// What stands before each line of a log.
pub(super) const MARK: &str = "  | ";

/// The lines of a log, without those at both ends that are empty.
pub(super) fn lines(log: &str) -> Vec<String> {
    let log = log.replace("\r\n", "\n");
    // A progress bar goes back to the beginning of its line; each of its states becomes a line.
    let lines = log.split([
        '\n', '\r', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}',
    ]);
    let mut lines: Vec<String> = lines.map(line).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    let first = lines.iter().position(|line| !line.is_empty());
    lines.drain(..first.unwrap_or(lines.len()));
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// One line, without colors and with other control characters escaped.
fn line(text: &str) -> String {
    let text = strip_ansi_codes(text);
    let mut safe = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\t' => safe.push_str("    "),
            c if is_unsafe(c) => safe.extend(c.escape_debug()),
            c => safe.push(c),
        }
    }
    disarmed(&safe).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_lines_without_what_a_terminal_or_a_ci_service_would_follow() {
        let log = "\n[stdout]ok\r\n\u{1b}[31mred\u{1b}[0m\tx\n::error::y\n50%\r100%\n\n\n\u{1b}]0;t\u{7}z\u{202e}\n\n";
        assert_eq!(
            lines(log),
            [
                "[stdout]ok",
                "red    x",
                "::error::y",
                "50%",
                "100%",
                "",
                "z\\u{202e}"
            ]
        );
        assert_eq!(
            lines("##[add-mask]x\n##vso[task]y"),
            ["##\\[add-mask]x", "##vso\\[task]y"]
        );
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("\n\r\n \n"), [""; 0]);
    }

    #[test]
    fn no_line_of_any_log_has_a_control_character() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let bytes: Vec<u8> = (0..4096).map(|_| random.u8(..)).collect();
            for line in lines(&String::from_utf8_lossy(&bytes)) {
                assert!(!line.contains(is_unsafe), "{line:?}");
            }
        }
    }
}
