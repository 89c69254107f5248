//! A tree as each kind of archive, read back by crates that hoist does not use.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Tree, hoist, run};

/// One entry of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// `st_mode`.
    pub(crate) mode: u32,
    pub(crate) mtime: i64,
    /// A file's content, or a link's text.
    pub(crate) content: Vec<u8>,
}

pub(crate) type All = BTreeMap<Vec<u8>, Held>;

pub(crate) fn pack(tree: &Tree, out: &Path, options: &[&str]) -> Command {
    let mut command = hoist();
    command.args(["pack", "--source"]).arg(tree.path());
    command.arg("--output").arg(out).args(options);
    command
}

/// Packs each kind of archive and reads it back. All hold the same.
#[track_caller]
pub(crate) fn packed(tree: &Tree, options: &[&str]) -> All {
    packed_with(tree, options, |_| {})
}

#[track_caller]
pub(crate) fn packed_with(tree: &Tree, options: &[&str], set: impl Fn(&mut Command)) -> All {
    let dir = tempfile::tempdir().unwrap();
    let mut all: Vec<All> = Vec::new();
    for name in ["a.zip", "a.tar", "a.tgz"] {
        let out = dir.path().join(name);
        let mut bytes = Vec::new();
        for threads in ["1", "7"] {
            let mut command = pack(tree, &out, options);
            set(command.args(["--threads", threads]));
            run(&mut command);
            bytes.push(fs::read(&out).unwrap());
        }
        assert!(bytes[0] == bytes[1], "{name}: threads show");
        all.push(match name {
            "a.zip" => unzip(&bytes[0]),
            "a.tar" => untar(&bytes[0]),
            _ => {
                let mut tar = Vec::new();
                let mut gzip = flate2::bufread::GzDecoder::new(&bytes[0][..]);
                gzip.read_to_end(&mut tar).unwrap();
                untar(&tar)
            }
        });
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1], all[2]);
    all.swap_remove(0)
}

/// By the reader of the second agent.
fn unzip(bytes: &[u8]) -> All {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut all = All::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let time = entry.extra_data_fields().find_map(|field| match field {
            zip::ExtraField::ExtendedTimestamp(time) => time.mod_time(),
            _ => None,
        });
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let held = Held {
            mode: entry.unix_mode().unwrap(),
            mtime: i64::from(time.unwrap_or(0)),
            content,
        };
        assert!(all.insert(entry.name_raw().to_vec(), held).is_none());
    }
    all
}

fn untar(bytes: &[u8]) -> All {
    let mut all = All::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let (kind, name) = (entry.header().entry_type(), entry.path_bytes().into_owned());
        let kind = match kind {
            tar::EntryType::Regular => 0o100_000,
            tar::EntryType::Directory => 0o040_000,
            tar::EntryType::Symlink => {
                content = entry.link_name_bytes().unwrap().into_owned();
                0o120_000
            }
            other => panic!("{other:?}"),
        };
        let ascii = name.is_ascii();
        let held = Held {
            mode: kind | entry.header().mode().unwrap(),
            // A zip holds exact times for these only.
            mtime: if ascii {
                i64::try_from(entry.header().mtime().unwrap()).unwrap()
            } else {
                0
            },
            content,
        };
        assert!(all.insert(name, held).is_none());
    }
    all
}
