//! Errors of files, with one text wherever they happen, names that are safe to print, and words for the
//! shell.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A system call on a file or directory failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", shown(path))]
pub struct FileError {
    /// What was tried, as a verb: "open", "read".
    pub action: &'static str,
    /// The file or directory, as the user named it.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn new(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            action,
            path: path.into(),
            source: source.into(),
        }
    }
}

/// A path, key or name from outside as messages show it: as it is, or in quotes and escaped if it has
/// control characters or is not UTF-8.
///
/// A name with a line end would otherwise begin a line of its own in a log, where CI services look for
/// commands (`::error::` in GitHub Actions), and an escape sequence would reach the terminal.
pub fn shown<T: AsRef<OsStr> + ?Sized>(name: &T) -> ShownName<'_> {
    ShownName(name.as_ref())
}

/// What [`shown`] returns.
#[derive(Clone, Copy)]
pub struct ShownName<'a>(&'a OsStr);

impl fmt::Display for ShownName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Some(text) if !text.contains(is_unsafe) => f.write_str(text),
            _ => {
                f.write_str("\"")?;
                for chunk in self.0.as_encoded_bytes().utf8_chunks() {
                    write!(f, "{}", chunk.valid().escape_debug())?;
                    write!(f, "{}", chunk.invalid().escape_ascii())?;
                }
                f.write_str("\"")
            }
        }
    }
}

impl fmt::Debug for ShownName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a character may begin a line or change how the text around it is shown.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A word for a shell, in quotes if it needs them. With control characters it is written as bash, zsh and
/// ksh read it (`$'a\nb'`), so that it stays on one line.
#[must_use]
pub fn quoted(word: &str) -> String {
    if word.contains(is_unsafe) {
        let mut text = String::from("$'");
        for c in word.chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\'' | '\\' => text.extend(['\\', c]),
                c if is_unsafe(c) => {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        text.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => text.push(c),
            }
        }
        text.push('\'');
        return text;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=+:@%,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_safe_stay_as_they_are_and_others_are_escaped() {
        for name in ["a", "a b/c\"d'", "back\\slash", "ünï", ""] {
            assert_eq!(shown(name).to_string(), name);
        }
        assert_eq!(shown("a\n::error::x").to_string(), r#""a\n::error::x""#);
        assert_eq!(shown("a\r\u{1b}[2J").to_string(), r#""a\r\u{1b}[2J""#);
        assert_eq!(shown("a\u{85}b").to_string(), r#""a\u{85}b""#);
        assert_eq!(shown("a\u{2028}b").to_string(), r#""a\u{2028}b""#);
        assert_eq!(shown("a\u{202e}b").to_string(), r#""a\u{202e}b""#);
    }

    #[cfg(unix)]
    #[test]
    fn a_quoted_word_is_the_word_again_to_bash() {
        for word in [
            "a b",
            "it's",
            "a\n::error::x",
            "\r'\\\u{1b}\u{2028}é",
            "x\u{85}1",
            "",
        ] {
            let quoted = quoted(word);
            assert!(!quoted.contains(is_unsafe), "{quoted}");
            let script = format!("printf %s {quoted}");
            let Ok(done) = std::process::Command::new("bash")
                .args(["-c", &script])
                .output()
            else {
                return;
            };
            assert_eq!(String::from_utf8(done.stdout).unwrap(), word, "{quoted}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        use std::os::unix::ffi::OsStrExt as _;
        let name = OsStr::from_bytes(b"a\xff");
        assert_eq!(shown(name).to_string(), r#""a\xff""#);
    }
}
