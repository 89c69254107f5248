//! Which names an archive may hold.
//!
//! If a reader rejected, shortened or changed a name, another tree than the pushed one would be deployed.
//! Names come sorted and in millions, so [`check_order`] keeps a few lengths instead of a set.
//!
//! A backslash is allowed, since Unix readers keep it. .NET takes it for a separator, so callers warn about
//! it.

use std::fmt;

/// The most bytes of one component of a name. Linux file systems accept no more, and `unzip` exits with 50,
/// "disk full".
pub const MAX_COMPONENT: usize = 255;

/// The most bytes of a whole name: `PATH_MAX` on Linux.
pub const MAX_PATH: usize = 4096;

/// What to do about a name that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonUtf8 {
    /// Refuse it: readers would guess an encoding, and Java fails.
    Refuse,
    /// Write its bytes, which `unzip` restores exactly.
    Raw,
}

/// Why an archive cannot hold a name, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum NameError {
    #[error("a name is empty; every entry needs one")]
    Empty,
    #[error("{name} is absolute; name it from the bundle's root")]
    Absolute { name: Shown },
    #[error("{name} has an empty component; remove the doubled '/'")]
    EmptyComponent { name: Shown },
    #[error("{name} has a '.' or '..' component; name it from the bundle's root")]
    DotComponent { name: Shown },
    #[error("{name} has a component of {len} bytes, above 255; shorten it")]
    LongComponent { name: Shown, len: usize },
    #[error("{name} is {len} bytes long, above 4096; shorten it")]
    LongPath { name: Shown, len: usize },
    #[error("{name} holds the byte {byte:#04x}, which unzip drops; rename it")]
    Control { name: Shown, byte: u8 },
    #[error("{name} ends like a VMS version, which unzip cuts off; rename it")]
    Version { name: Shown },
    #[error("{name} is not UTF-8; rename it, or allow raw names")]
    NonUtf8 { name: Shown },
    #[error("{name} occurs twice; leave one out")]
    Duplicate { name: Shown },
    #[error("{name} comes after {previous}; sort names by their bytes")]
    Unsorted { name: Shown, previous: Shown },
    #[error("{name} needs {file} to be a directory, but it is a file; leave one out")]
    Clash { name: Shown, file: Shown },
}

/// Checks one name. A trailing `/` marks a directory.
///
/// # Errors
///
/// The first rule that the name breaks.
pub fn check_name(name: &[u8], non_utf8: NonUtf8) -> Result<(), NameError> {
    let shown = || Shown::new(name);
    let Some(&first) = name.first() else {
        return Err(NameError::Empty);
    };
    if first == b'/' {
        return Err(NameError::Absolute { name: shown() });
    }
    if name.len() > MAX_PATH {
        let (name, len) = (shown(), name.len());
        return Err(NameError::LongPath { name, len });
    }
    if let Some(&byte) = name.iter().find(|byte| is_dropped(**byte)) {
        let name = shown();
        return Err(NameError::Control { name, byte });
    }

    let path = name.strip_suffix(b"/").unwrap_or(name);
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" => return Err(NameError::EmptyComponent { name: shown() }),
            b"." | b".." => return Err(NameError::DotComponent { name: shown() }),
            long if long.len() > MAX_COMPONENT => {
                let (name, len) = (shown(), long.len());
                return Err(NameError::LongComponent { name, len });
            }
            _ => {}
        }
    }

    if ends_in_version(name) {
        return Err(NameError::Version { name: shown() });
    }
    if non_utf8 == NonUtf8::Refuse && std::str::from_utf8(name).is_err() {
        return Err(NameError::NonUtf8 { name: shown() });
    }
    Ok(())
}

/// Control characters, NUL among them, and 0xFF, which UTF-8 does not have: Info-ZIP `unzip` 6.0 silently
/// leaves them out of the file name.
fn is_dropped(byte: u8) -> bool {
    byte.is_ascii_control() || byte == 0xFF
}

/// Whether a file's name ends in `;` and digits: without `-V`, `unzip` 6.0 silently extracts `a;1` as `a`. It
/// keeps the names of directories.
fn ends_in_version(name: &[u8]) -> bool {
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    name.get(..name.len() - digits)
        .is_some_and(|rest| rest.ends_with(b";"))
}

/// Checks all names of an archive: they ascend by bytes, none occurs twice, and no file is where another
/// name needs a directory (`a` with `a/` or `a/b`, also if other names are between them).
///
/// Time is linear in the bytes; memory is one length for each file name that is a prefix of the name before.
///
/// # Errors
///
/// The first name that breaks a rule.
pub fn check_order<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Result<(), NameError> {
    let mut previous: &[u8] = b"";
    // Rising lengths of the files so far whose names are prefixes of `previous`. Sorted names with a
    // common prefix are neighbours: once a name lacks it, no later one has it.
    let mut files: Vec<usize> = Vec::new();
    for name in names {
        if name <= previous {
            return Err(out_of_order(name, previous));
        }
        let shared = previous
            .iter()
            .zip(name)
            .take_while(|(a, b)| a == b)
            .count();
        while files.last().is_some_and(|length| *length > shared) {
            files.pop();
        }
        // Up to `shared`, this name equals the last one, which had no clash.
        if files.last() == Some(&shared) && name.get(shared) == Some(&b'/') {
            return Err(NameError::Clash {
                name: Shown::new(name),
                file: Shown::new(previous.get(..shared).unwrap_or(previous)),
            });
        }
        if !name.ends_with(b"/") {
            files.push(name.len());
        }
        previous = name;
    }
    Ok(())
}

fn out_of_order(name: &[u8], previous: &[u8]) -> NameError {
    if name.is_empty() {
        return NameError::Empty;
    }
    let shown = Shown::new(name);
    if name == previous {
        NameError::Duplicate { name: shown }
    } else {
        NameError::Unsorted {
            name: shown,
            previous: Shown::new(previous),
        }
    }
}

/// A name that is safe in a terminal or a log: quoted, escaped and shortened.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(Box<[u8]>);

impl Shown {
    /// The most bytes that are shown; an ellipsis stands for the rest.
    const MAX: usize = 160;

    /// Copies a name, for showing it later.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        Shown(name.into())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..Self::MAX).unwrap_or(&self.0);
        f.write_str("\"")?;
        for chunk in shown.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        f.write_str(if shown.len() < self.0.len() {
            "\u{2026}\""
        } else {
            "\""
        })
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn fault(name: &[u8]) -> String {
        check_name(name, NonUtf8::Refuse).unwrap_err().to_string()
    }

    #[test]
    fn names_that_every_reader_keeps_are_accepted() {
        let long = format!("{0}/{0}/", "x".repeat(MAX_COMPONENT));
        let longest = "abc/".repeat(MAX_PATH / 4);
        for name in [
            "a",
            "a/",
            "a/b/c.txt",
            "...",
            ".hidden/..x",
            "a b",
            " ",
            "-rf",
            "back\\slash",
            "C:",
            "a;b",
            "a;1b",
            "a;1/",
            "a;1/b",
            "1",
            "*?[]<>|\"'",
            "\u{e9}\u{1F4E6}",
            "\u{85}", // a control character, but not a byte that readers drop
            &long,
            &longest,
        ] {
            assert_eq!(check_name(name.as_bytes(), NonUtf8::Refuse), Ok(()));
            assert_eq!(check_name(name.as_bytes(), NonUtf8::Raw), Ok(()));
        }
    }

    #[test]
    fn names_that_some_reader_rejects_or_changes_are_refused() {
        for (name, part) in [
            ("", "is empty"),
            ("/", "is absolute"),
            ("/a", "is absolute"),
            ("//", "is absolute"),
            ("a//b", "empty component"),
            ("a//", "empty component"),
            (".", "'.' or '..'"),
            ("./", "'.' or '..'"),
            ("./a", "'.' or '..'"),
            ("a/./b", "'.' or '..'"),
            ("..", "'.' or '..'"),
            ("a/..", "'.' or '..'"),
            ("a/../b", "'.' or '..'"),
            ("a\0", "0x00"),
            ("a\nb", "0x0a"),
            ("\x1b[31m", "0x1b"),
            ("a\x7f/b", "0x7f"),
            ("a;1", "VMS version"),
            ("a;1;22", "VMS version"),
            ("d/a;", "VMS version"),
            (";7", "VMS version"),
        ] {
            assert!(fault(name.as_bytes()).contains(part), "{name:?}");
        }
        let component = format!("d/{}/a", "x".repeat(256));
        let long = "component of 256 bytes, above 255; shorten it";
        assert!(fault(component.as_bytes()).ends_with(long));
        let path = format!("{}x", "abc/".repeat(1024));
        let long = "is 4097 bytes long, above 4096; shorten it";
        assert!(fault(path.as_bytes()).ends_with(long));
    }

    #[test]
    fn names_that_are_not_utf8_are_accepted_only_as_raw_names() {
        let name = b"caf\xE9/\x80";
        assert_eq!(
            fault(name),
            r#""caf\xe9/\x80" is not UTF-8; rename it, or allow raw names"#
        );
        assert_eq!(check_name(name, NonUtf8::Raw), Ok(()));
        // unzip drops this byte, so raw names cannot have it.
        let dropped = check_name(b"a\xFF", NonUtf8::Raw).unwrap_err();
        assert!(dropped.to_string().contains("0xff"));
    }

    #[test]
    fn shown_names_are_escaped_and_shortened() {
        let shown = |name: &[u8]| Shown::new(name).to_string();
        assert_eq!(shown(b"a\x1b[2J\n\xffb"), r#""a\u{1b}[2J\n\xffb""#);
        assert_eq!(shown("\u{202e}\u{e9}".as_bytes()), "\"\\u{202e}\u{e9}\"");
        let long = shown(&[b'x'; 5000]);
        assert_eq!(long, format!("\"{}\u{2026}\"", "x".repeat(160)));
    }

    fn order(names: &[&str]) -> Result<(), NameError> {
        check_order(names.iter().map(|name| name.as_bytes()))
    }

    #[test]
    fn ascending_names_without_clashes_are_accepted() {
        for names in [
            &[][..],
            &["a"],
            &["a", "b"],
            &["a/", "a/b", "a/b-c", "a/c"],
            &["a", "a-b", "a.b", "a0"],
            &["a", "aa", "aaa", "aab"],
            &["a-", "a-b/c", "a/b"],
            &["a/b", "a0/b"],
            &["ab", "ab-/c", "abc/d"],
        ] {
            assert_eq!(order(names), Ok(()), "{names:?}");
        }
    }

    #[test]
    fn a_file_where_another_name_needs_a_directory_is_refused() {
        for (names, file) in [
            (&["a", "a/"][..], "a"),
            (&["a", "a/b"], "a"),
            (&["a", "a-b", "a.b", "a/b"], "a"),
            (&["a", "a-", "a-/b"], "a-"),
            (&["a", "a-", "a--", "a--/b"], "a--"),
            (&["a", "a-", "a--", "a-/b"], "a-"),
            (&["d/", "d/a", "d/a!", "d/a-b/c", "d/a/"], "d/a"),
        ] {
            let name = Shown::new(names[names.len() - 1].as_bytes());
            let file = Shown::new(file.as_bytes());
            assert_eq!(order(names), Err(NameError::Clash { name, file }));
        }
    }

    #[test]
    fn names_that_do_not_ascend_are_refused() {
        let shown = |name: &str| Shown::new(name.as_bytes());
        assert_eq!(order(&["a", ""]), Err(NameError::Empty));
        assert_eq!(
            order(&["a", "b", "b"]),
            Err(NameError::Duplicate { name: shown("b") })
        );
        assert_eq!(
            order(&["a/", "a-"]),
            Err(NameError::Unsorted {
                name: shown("a-"),
                previous: shown("a/"),
            })
        );
    }

    /// The rules of `check_order`, stated plainly.
    fn is_ordered(names: &[String]) -> bool {
        let ascending = names.windows(2).all(|pair| pair[0] < pair[1]);
        let clash = names.iter().any(|file| {
            !file.ends_with('/') && names.iter().any(|n| n.starts_with(&format!("{file}/")))
        });
        ascending && !clash && names.iter().all(|name| !name.is_empty())
    }

    proptest! {
        #[test]
        fn order_agrees_with_the_plain_rules(
            mut names in prop::collection::vec("[ab/.-]{0,5}", 0..12),
            sorted in prop::bool::weighted(0.9),
        ) {
            if sorted {
                names.sort();
                names.dedup();
            }
            let result = check_order(names.iter().map(|name| name.as_bytes()));
            prop_assert_eq!(result.is_ok(), is_ordered(&names), "{:?}", names);
        }

        #[test]
        fn a_good_name_has_only_good_components(name in "[a./;1\n\u{e9}]{0,7}") {
            let path = name.strip_suffix('/').unwrap_or(&name);
            let file = !name.ends_with('/');
            let good = path.split('/').all(|part| !["", ".", ".."].contains(&part))
                && !name.contains('\n')
                && !(file && name.trim_end_matches('1').ends_with(';'));
            prop_assert_eq!(check_name(name.as_bytes(), NonUtf8::Refuse).is_ok(), good);
        }
    }
}
