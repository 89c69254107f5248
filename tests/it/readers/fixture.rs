//! The tree that the reader matrix packs, its archives, and what a reader must make of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use crate::support::{Entries, Entry, Run as _, Tree, entries, hoist, noise, text};

/// New York is five hours behind UTC in winter, when the files whose times depend on it were
/// changed.
const NEW_YORK: i64 = 5 * 3600;
/// What DOS fields can say, in UTC: 1980-01-01 00:00:00 and 2107-12-31 23:59:58.
const DOS_FIRST: i64 = 315_532_800;
const DOS_LAST: i64 = 4_354_819_198;
const MARCH_2100: i64 = 4_107_542_400;

/// One tree and its archives, made once for all tests that run at the same time.
pub(crate) struct Fixture {
    pub(crate) tree: Tree,
    /// The tree as an archive keeps it: links to files are files.
    pub(crate) expected: Entries,
    pub(crate) archives: Vec<PathBuf>,
    _dir: tempfile::TempDir,
}

/// Whether a program that extracts to the file system restores modes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Modes {
    Not,
    Restored,
}

/// Whether such a program restores times.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Times {
    Not,
    /// As the UT field says, else the DOS fields taken for local time.
    Restored,
    /// As [`Restored`](Self::Restored), but counting a 29 February 2100, which there will not be.
    RestoredWithLeap2100,
}

/// What a program that only reports says of an entry besides its name.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Tells {
    Name,
    Mode,
    ModeAndTime,
}

pub(crate) fn fixture() -> Arc<Fixture> {
    // A static value is never dropped, and the directories must be.
    static SHARED: Mutex<Weak<Fixture>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let made = Arc::new(Fixture::new());
        *shared = Arc::downgrade(&made);
        made
    })
}

impl Fixture {
    fn new() -> Fixture {
        let tree = mixed_tree();
        let dir = tempfile::tempdir().unwrap();
        let default = dir.path().join("default.zip");
        pack(tree.path(), &default, &["--threads", "3"]);
        let stored = dir.path().join("stored.zip");
        pack(tree.path(), &stored, &["--level", "0"]);

        let mut expected = entries(tree.path());
        let linked = expected[b"real.txt".as_slice()].clone();
        expected.insert(b"link.txt".to_vec(), linked);
        Fixture {
            tree,
            expected,
            archives: vec![default, stored],
            _dir: dir,
        }
    }

    /// Asserts that `out` holds the tree.
    #[track_caller]
    pub(crate) fn assert_extracted(&self, archive: &Path, out: &Path, modes: Modes, times: Times) {
        let found = entries(out);
        self.assert_names(archive, found.keys());
        for (name, wanted) in &self.expected {
            let (entry, name_shown) = (&found[name], show(name));
            assert_contents(archive, name, wanted, &entry.contents);
            if modes == Modes::Restored {
                let modes = [entry.mode, wanted.mode].map(|mode| format!("{mode:o}"));
                assert_eq!(
                    modes[0],
                    modes[1],
                    "mode of {name_shown} in {}",
                    archive.display()
                );
            }
            if times != Times::Not {
                let (mut mtime, exact) = time_in_archive(name, wanted.mtime);
                if !exact {
                    mtime += NEW_YORK;
                }
                if times == Times::RestoredWithLeap2100 && mtime > MARCH_2100 {
                    mtime += 24 * 3600;
                }
                let place = archive.display();
                assert_eq!(entry.mtime, mtime, "time of {name_shown} in {place}");
            }
        }
    }

    /// Runs one of the programs of `tests/it/readers` over all archives and compares what it wrote
    /// and said, for each of its `ways` to read one.
    #[track_caller]
    pub(crate) fn assert_told(&self, reader: &mut Command, ways: &[&str], tells: Tells) {
        let out = tempfile::tempdir().unwrap();
        let said = reader.arg(out.path()).args(&self.archives).quiet().stdout;
        let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split(' ').collect()).collect();
        for (index, archive) in self.archives.iter().enumerate() {
            for way in ways {
                let label = format!("{index}/{way}");
                let lines: Vec<_> = lines.iter().filter(|line| line[0] == label).collect();
                let names: Vec<_> = lines.iter().map(|line| unhex(line[2])).collect();
                self.assert_names(archive, names.iter());
                for (line, name) in lines.iter().zip(&names) {
                    let wanted = &self.expected[name];
                    let contents = fs::read(out.path().join(&label).join(line[1])).unwrap();
                    assert_contents(archive, name, wanted, &contents);
                    // A stream has no central directory, which is where modes are.
                    if tells != Tells::Name && *way == "file" {
                        let mode = format!("{:o}", wanted.mode);
                        assert_eq!(line[3], mode, "mode of {}", show(name));
                    }
                    if tells == Tells::ModeAndTime {
                        let (mtime, _) = time_in_archive(name, wanted.mtime);
                        assert_eq!(line[4], mtime.to_string(), "time of {}", show(name));
                    }
                }
            }
        }
    }

    /// Asserts that `found` are the tree's names, in archive order.
    #[track_caller]
    fn assert_names<'a>(&self, archive: &Path, found: impl Iterator<Item = &'a Vec<u8>>) {
        let found: Vec<_> = found.collect();
        let only_found = found
            .iter()
            .filter(|name| !self.expected.contains_key(**name));
        let only_wanted = self.expected.keys().filter(|name| !found.contains(name));
        let only_found: Vec<_> = only_found.map(|name| show(name)).collect();
        let only_wanted: Vec<_> = only_wanted.map(|name| show(name)).collect();
        assert!(
            found.iter().copied().eq(self.expected.keys()),
            "{}: too many: {only_found:?}, missing: {only_wanted:?}, or in disorder",
            archive.display(),
        );
    }
}

/// Without dumping mebibytes.
#[track_caller]
fn assert_contents(archive: &Path, name: &[u8], wanted: &Entry, found: &[u8]) {
    assert!(
        found == wanted.contents,
        "{} in {}: {} bytes became {}, and differ",
        show(name),
        archive.display(),
        wanted.contents.len(),
        found.len(),
    );
}

/// The time that an archive holds, and whether it is exact. Otherwise it is in DOS fields only,
/// which know no zone: hoist writes UTC, and most readers take it for local time.
///
/// A UT field has 32 bits. A name outside ASCII gets none, because with any extra field `unzip`
/// renames the file in a locale without UTF-8.
fn time_in_archive(name: &[u8], mtime: i64) -> (i64, bool) {
    if name.is_ascii() && i32::try_from(mtime).is_ok() {
        (mtime, true)
    } else {
        (
            (mtime - mtime.rem_euclid(2)).clamp(DOS_FIRST, DOS_LAST),
            false,
        )
    }
}

/// Small files of all kinds and a few of more than a MiB, which are packed by several threads.
fn mixed_tree() -> Tree {
    let tree = Tree::new();
    tree.file(
        "appspec.yml",
        "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: scripts/install.sh\n",
    );
    tree.file("scripts/install.sh", "#!/bin/sh\nexit 0\n")
        .mode("scripts/install.sh", 0o755);
    tree.file("empty", "")
        .file(".hidden", "h")
        .file(".well-known/security.txt", "s");
    tree.file("one.byte", "1")
        .file("page.txt", text(40_000, 1))
        .file("photo.bin", noise(50_000, 2));
    for n in 0..150 {
        tree.file(
            &format!("many/{:02}/{n}.php", n % 7),
            text(n * 37, n as u64),
        );
    }

    // Names.
    for name in [
        "caf\u{e9}/na\u{ef}ve.html",
        "\u{65e5}\u{672c}\u{8a9e}/\u{7d22}\u{5f15}.txt",
        "\u{1f680}.svg",
        "names/with space",
        "names/-dash",
        "names/~home$HOME%41;&'\"[a-c]*?!.#",
        "names/Case",
        "names/case",
    ] {
        tree.file(name, name);
    }
    tree.file(&format!("names/{}", "n".repeat(255)), "the longest name");
    tree.file(&format!("{}bottom", "deep/".repeat(60)), "the deepest file");

    // Modes.
    for mode in [
        0o400, 0o444, 0o600, 0o640, 0o664, 0o666, 0o700, 0o750, 0o777,
    ] {
        let name = format!("modes/{mode:o}");
        tree.file(&name, &name).mode(&name, mode);
    }

    // Times, all in winter. The last second of 32 bits, and one more.
    for (name, mtime) in [
        ("times/1970", 1),
        ("times/1975", 157_939_201),
        ("times/1979", DOS_FIRST - 1),
        ("times/1980", DOS_FIRST + 1),
        ("times/even", 1_705_320_000),
        ("times/2038", 2_147_483_647),
        ("times/2038-after", 2_147_483_648),
        ("times/2107", DOS_LAST + 1),
        ("times/2200", 7_258_118_401),
        ("caf\u{e9}/1975", 157_939_201),
    ] {
        tree.file(name, name).mtime(name, mtime);
    }

    // More than one thread's share.
    tree.file("giant/mebibyte.txt", text(1 << 20, 3));
    tree.file("giant/text.txt", text((3 << 20) + 12_345, 4))
        .mode("giant/text.txt", 0o755);
    tree.file("giant/noise.bin", noise((2 << 20) + 1, 5))
        .mtime("giant/noise.bin", 1_700_000_003);
    tree.file("giant/\u{e9}.bin", noise((1 << 20) + 1, 6));
    let both = [noise(1 << 20, 7), text(1 << 20, 8), vec![0; 1 << 20]].concat();
    tree.file("giant/both", both);

    tree.file("real.txt", "linked")
        .symlink("link.txt", "real.txt");
    tree
}

/// Packs `source` with the binary under test.
#[track_caller]
pub(crate) fn pack(source: &Path, archive: &Path, options: &[&str]) {
    let mut command = hoist();
    command.args(["pack", "-q", "--source"]).arg(source);
    command.arg("--output").arg(archive).args(options);
    // The archive must not depend on where it is made either.
    command.env("TZ", "Asia/Tokyo").silent();
}

pub(crate) fn show(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
