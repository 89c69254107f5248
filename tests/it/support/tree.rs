//! A source tree in a temporary directory, and what any directory holds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt as _, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// An AppSpec file of a revision for servers.
pub(crate) const APPSPEC: &str =
    "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// A directory to pack. It is removed on drop.
///
/// Modes and times are set, never inherited, so that a tree is the same under any umask and at
/// any hour.
pub(crate) struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    /// The mode of a file without [`Tree::mode`].
    pub(crate) const MODE: u32 = 0o644;
    /// The time of a file without [`Tree::mtime`]: an odd second of a winter day.
    pub(crate) const MTIME: i64 = 1_705_320_001;

    pub(crate) fn new() -> Tree {
        Tree {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A tree with an AppSpec file.
    pub(crate) fn revision() -> Tree {
        let tree = Tree::new();
        tree.file("appspec.yml", APPSPEC);
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, and the directories above it.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> &Tree {
        let path = self.place(name);
        fs::write(&path, contents).unwrap();
        self.mode(name, Tree::MODE).mtime(name, Tree::MTIME)
    }

    /// Makes a directory, and those above it.
    pub(crate) fn dir(&self, name: &str) -> &Tree {
        fs::create_dir_all(self.dir.path().join(name)).unwrap();
        self
    }

    /// Makes a symbolic link whose text is `target`.
    pub(crate) fn symlink(&self, name: &str, target: &str) -> &Tree {
        std::os::unix::fs::symlink(target, self.place(name)).unwrap();
        self
    }

    /// Makes a file of `zeros` bytes that take no room on the disk, and `end`.
    pub(crate) fn sparse(&self, name: &str, zeros: u64, end: &[u8]) -> &Tree {
        let file = fs::File::create(self.place(name)).unwrap();
        file.set_len(zeros).unwrap();
        file.write_all_at(end, zeros).unwrap();
        self.mtime(name, Tree::MTIME)
    }

    /// Sets the permission bits of a file.
    pub(crate) fn mode(&self, name: &str, mode: u32) -> &Tree {
        let path = self.dir.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Sets the modification time of a file, in seconds since 1970.
    pub(crate) fn mtime(&self, name: &str, seconds: i64) -> &Tree {
        let span = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            UNIX_EPOCH - span
        } else {
            UNIX_EPOCH + span
        };
        let file = fs::File::open(self.dir.path().join(name)).unwrap();
        file.set_modified(time).unwrap();
        self
    }

    fn place(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}

/// The sorted names of what is in a directory.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// One regular file or symbolic link of a directory tree.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A file's bytes, or a link's text.
    pub(crate) contents: Vec<u8>,
    /// Permission bits, and `0o120000` for a link.
    pub(crate) mode: u32,
    /// Modification time in seconds since 1970.
    pub(crate) mtime: i64,
}

/// The files and links below a directory, by the bytes of their `/`-separated names.
pub(crate) type Entries = BTreeMap<Vec<u8>, Entry>;

/// Reads everything below `root`. Directories count only through what they hold.
pub(crate) fn entries(root: &Path) -> Entries {
    let mut found = Entries::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for child in fs::read_dir(&dir).unwrap() {
            let path = child.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                open.push(path);
                continue;
            }
            let (contents, kind) = if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                (target.as_os_str().as_bytes().to_vec(), 0o120_000)
            } else {
                (fs::read(&path).unwrap(), 0)
            };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
            let entry = Entry {
                contents,
                mode: meta.mode() & 0o777 | kind,
                mtime: meta.mtime(),
            };
            found.insert(name.to_vec(), entry);
        }
    }
    found
}

/// `len` bytes that do not compress, the same for the same `seed`.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&splitmix(&mut state).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// `len` bytes of words and lines, the same for the same `seed`. About a quarter of its size
/// when deflated.
pub(crate) fn text(len: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "revision", "bundle", "the", "of", "deploy", "server", "a", "and", "instance", "<p>",
        "function", "return", "$value", "=>", "null;", "hook",
    ];
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 16);
    while bytes.len() < len {
        let bits = splitmix(&mut state);
        bytes.extend_from_slice(WORDS[(bits % 16) as usize].as_bytes());
        bytes.push(if bits >> 60 == 0 { b'\n' } else { b' ' });
    }
    bytes.truncate(len);
    bytes
}

/// Vigna's SplitMix64: every seed is a good one.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
