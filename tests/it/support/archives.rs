//! Archives, read by crates that hoist does not use.

use std::collections::BTreeMap;
use std::io::Read as _;

/// One entry of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// `st_mode`.
    pub(crate) mode: u32,
    pub(crate) mtime: i64,
    /// A file's content, or a link's text.
    pub(crate) content: Vec<u8>,
}

/// The entries of an archive, by their names.
pub(crate) type All = BTreeMap<Vec<u8>, Held>;

/// All that an archive holds, whose type its name ends with.
pub(crate) fn unpacked(name: &str, bytes: &[u8]) -> All {
    match name.rsplit('.').next() {
        Some("zip") => unzip(bytes),
        Some("tar") => untar(bytes),
        _ => {
            let mut tar = Vec::new();
            let mut gzip = flate2::bufread::GzDecoder::new(bytes);
            gzip.read_to_end(&mut tar).unwrap();
            assert!(gzip.into_inner().is_empty(), "a tgz is one member");
            untar(&tar)
        }
    }
}

/// By the crate that version 2 of the agent reads zips with.
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
        let name = entry.path_bytes().into_owned();
        let kind = match entry.header().entry_type() {
            tar::EntryType::Regular => 0o100_000,
            tar::EntryType::Directory => 0o040_000,
            tar::EntryType::Symlink => {
                content = entry.link_name_bytes().unwrap().into_owned();
                0o120_000
            }
            other => panic!("{other:?}"),
        };
        // A zip has exact times for these names only.
        let time = entry.header().mtime().unwrap() * u64::from(name.is_ascii());
        let held = Held {
            mode: kind | entry.header().mode().unwrap(),
            mtime: time.cast_signed(),
            content,
        };
        assert!(all.insert(name, held).is_none());
    }
    all
}
