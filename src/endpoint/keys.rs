//! Maps object keys to relative paths and back.
//!
//! A key is any Unicode string of up to 1,024 bytes; a path is not. The mapping is reversible,
//! keeps ordinary keys readable (`releases/app-1.2.zip` stays itself) and ensures that no key
//! leaves its directory, shares a file with another key, or is both a file and a directory.
//!
//! The rules:
//!
//! - Bytes other than `A-Z a-z 0-9 - _ . + = @ ,` become `%xx`, and so do a segment's leading and
//!   trailing dot. Where file systems ignore case (macOS, Windows) upper-case letters become `%xx`
//!   too.
//! - The name of a file that has no dot gets a `%` appended; the name of a directory that has a dot,
//!   or is empty, gets `%%`. So the key `a` (file `a%`) can lie beside `a/b.zip` (directory `a`).
//! - A segment longer than [`PIECE`] bytes becomes nested directories whose names end in `%-`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest name before its mark, in bytes: file systems allow 255, and `.json` needs room.
const PIECE: usize = 200;

/// Whether `A` and `a` name one file on this system.
const FOLDS_CASE: bool = cfg!(any(windows, target_os = "macos"));

const FILE_MARK: &str = "%";
const DIRECTORY_MARK: &str = "%%";
const PIECE_MARK: &str = "%-";

/// What a listing with `encoding-type=url` escapes.
const LISTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// The relative path of the file that holds the object `key`.
pub(super) fn to_path(key: &str) -> PathBuf {
    path_of(key, FOLDS_CASE)
}

fn path_of(key: &str, folds_case: bool) -> PathBuf {
    let mut path = PathBuf::new();
    let mut segments = key.split('/').peekable();
    while let Some(segment) = segments.next() {
        let escaped = escape(segment, folds_case);
        let mut rest = escaped.as_str();
        while rest.len() > PIECE {
            // Escaped text is ASCII, so any byte is a boundary.
            let (piece, tail) = rest.split_at(PIECE);
            path.push(format!("{piece}{PIECE_MARK}"));
            rest = tail;
        }
        let is_file = segments.peek().is_none();
        let mark = match (is_file, rest.contains('.')) {
            (true, false) => FILE_MARK,
            (false, has_dot) if has_dot || rest.is_empty() => DIRECTORY_MARK,
            _ => "",
        };
        path.push(format!("{rest}{mark}"));
    }
    path
}

/// The key of the object kept in the relative path `path`, or `None` if no key maps to that path.
pub(super) fn from_path(path: &Path) -> Option<String> {
    let names: Vec<&str> = path
        .iter()
        .map(|name| name.to_str())
        .collect::<Option<_>>()?;
    let (file, directories) = names.split_last()?;
    let mut escaped = String::new();
    for name in directories {
        if let Some(piece) = name.strip_suffix(PIECE_MARK) {
            escaped.push_str(piece);
        } else {
            escaped.push_str(name.strip_suffix(DIRECTORY_MARK).unwrap_or(name));
            escaped.push('/');
        }
    }
    escaped.push_str(file.strip_suffix(FILE_MARK).unwrap_or(file));
    let key = unescape(&escaped)?;
    // Any other spelling of the key is a file that the endpoint has not written.
    (to_path(&key) == path).then_some(key)
}

fn escape(segment: &str, folds_case: bool) -> String {
    let last = segment.len().saturating_sub(1);
    let mut out = String::with_capacity(segment.len());
    for (at, byte) in segment.bytes().enumerate() {
        let plain = match byte {
            b'A'..=b'Z' => !folds_case,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'=' | b'@' | b',' => true,
            b'.' => at != 0 && at != last,
            _ => false,
        };
        if plain {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail. The digits are of lower case on every file system.
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// Undoes percent-encoding; `None` if the result is not UTF-8. A `%` without two digits stays.
pub(super) fn unescape(escaped: &str) -> Option<String> {
    let decoded = percent_decode_str(escaped).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Percent-encodes a key for a listing with `encoding-type=url`; `/` stays.
pub(super) fn url_encode(key: &str) -> String {
    utf8_percent_encode(key, LISTED).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn text(key: &str) -> String {
        path_of(key, false).to_str().unwrap().to_owned()
    }

    #[test]
    fn ordinary_keys_stay_readable() {
        for key in [
            "app.zip",
            "releases/app-1.2.3.zip",
            "team_a/2026/x+y=z@1,2.tar.gz",
            "releases/App.zip",
        ] {
            assert_eq!(text(key), key);
        }
        assert_eq!(text("v1.2/app.zip"), "v1.2%%/app.zip");
        assert_eq!(text("bundle"), "bundle%");
        assert_eq!(text("a b.zip"), "a%20b.zip");
        assert_eq!(text(".env"), "%2eenv%");
    }

    #[test]
    fn difficult_keys_stay_in_their_directory_apart_and_reversible() {
        let long = "é".repeat(512);
        let keys = [
            "a",
            "a/b",
            "a/b/c",
            "a/",
            "a//b",
            "a//",
            "/",
            "//",
            "//k",
            "/k",
            "k",
            "../x",
            "..",
            ".",
            "./x",
            "x/..",
            "x/../y",
            "..%2fx",
            "%",
            "%%",
            "%-",
            "a%",
            "a%%",
            "%2e",
            "a.",
            "a./b",
            "a.b",
            "a.b/c",
            "a.b%%",
            "a.json",
            "a.json/b",
            "\0",
            "a\0b",
            "a\\b",
            "C:\\x",
            "C:/x",
            "CON",
            "nul.zip",
            "ü",
            "u\u{308}",
            "A",
            "日本/語.zip",
            "a\nb",
            " ",
            "a ",
            "A.zip",
            "a.zip",
            &long,
        ];
        let mut seen = HashMap::new();
        for key in keys {
            for folds_case in [false, true] {
                let path = path_of(key, folds_case);
                assert!(
                    path.components()
                        .all(|part| matches!(part, Component::Normal(_))),
                    "{key:?} -> {path:?}"
                );
                assert!(
                    path.iter().all(|name| name.len() <= 210),
                    "{key:?} -> {path:?}"
                );
            }
            let path = to_path(key);
            assert_eq!(from_path(&path).as_deref(), Some(key));
            if let Some(other) = seen.insert(path.clone(), key) {
                assert_eq!(other, key, "two keys at {path:?}");
            }
        }
        // No file may be the directory of another.
        for path in seen.keys() {
            for directory in path.ancestors().skip(1) {
                assert!(
                    !seen.contains_key(directory),
                    "{directory:?} is a file and a directory"
                );
            }
        }
    }

    #[test]
    fn keys_that_differ_in_case_have_different_files_where_case_is_ignored() {
        let lower = |key: &str| path_of(key, true).to_str().unwrap().to_lowercase();
        assert_ne!(lower("App.zip"), lower("app.zip"));
        assert_eq!(path_of("App.zip", true), Path::new("%41pp.zip"));
    }

    #[test]
    fn files_with_other_names_have_no_key() {
        for path in [
            "a",
            "a.zip%",
            "%2E.zip",
            "%zz.zip",
            "x%%/a.zip",
            ".hidden.zip",
            "%4",
            "%ff.zip",
        ] {
            assert_eq!(from_path(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn what_is_not_percent_encoded_stays() {
        assert_eq!(unescape("a%2fb").as_deref(), Some("a/b"));
        for as_it_is in ["%+f", "%-1", "%", "%f", "%é"] {
            assert_eq!(unescape(as_it_is).as_deref(), Some(as_it_is));
        }
        assert_eq!(unescape("%ff"), None);
    }

    #[test]
    fn listed_keys_are_percent_encoded_as_s3_does() {
        assert_eq!(url_encode("a b/ü+~.zip"), "a%20b/%C3%BC%2B~.zip");
    }

    proptest! {
        /// Keys of NUL, line ends and all other text.
        #[test]
        fn any_key_stays_below_its_directory(key in prop::collection::vec(
            prop_oneof![Just('/'), Just('.'), Just('\\'), Just('\0'), Just('%'), any::<char>()],
            1..120,
        )) {
            let key: String = key.into_iter().collect();
            for folds_case in [false, true] {
                let path = path_of(&key, folds_case);
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert!(path.iter().all(|name| name.len() <= 210));
                prop_assert!(!path.as_os_str().as_encoded_bytes().contains(&0));
            }
            prop_assert_eq!(from_path(&to_path(&key)), Some(key));
        }

        /// A file that was put there by hand has at most one key.
        #[test]
        fn any_path_has_at_most_one_key(path in "[a.%/-]{1,12}|[0-9a-f%./-]{1,20}") {
            if let Some(key) = from_path(Path::new(&path)) {
                prop_assert_eq!(to_path(&key), Path::new(&path));
            }
        }

        #[test]
        fn any_key_is_found_again_from_its_path(key in ".{1,300}") {
            let path = to_path(&key);
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(from_path(&path), Some(key));
        }

        #[test]
        fn two_keys_never_share_a_path(a in "[a./%-]{1,8}", b in "[a./%-]{1,8}") {
            let (x, y) = (to_path(&a), to_path(&b));
            prop_assert_eq!(a == b, x == y);
            if a != b {
                prop_assert!(!x.starts_with(&y) && !y.starts_with(&x), "{:?} {:?}", x, y);
            }
        }
    }
}
