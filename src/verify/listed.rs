//! Compares a manifest with the central directory, before any content is read.
//!
//! A manifest is in the order of its paths, so one pass over both finds entries that are missing and
//! entries that should not be there. Each entry's BLAKE3 is kept, to be compared when its content is
//! read.

use std::cmp::Ordering;
use std::io::BufRead;

use super::index::{Index, Record};
use super::{Error, Report};
use crate::archive::manifest::{self, Kind, Reader};
use crate::archive::zip::Shown;

/// The bits of `st_mode` that hold the file type, and its values.
const TYPE: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
const SYMLINK: u16 = 0o120_000;
const DIRECTORY: u16 = 0o040_000;

/// After this many lines, other tasks of the runtime get a turn.
const TURN: u64 = 1024;

/// The BLAKE3 that each entry's content should have, in the order of the data. None for an entry that
/// the manifest lacks, or that differs from it already.
pub(super) struct Listed(Vec<Option<[u8; 32]>>);

impl Listed {
    /// Reads the manifest, and compares all that the central directory holds.
    pub(super) async fn compare(
        index: &Index,
        manifest: &mut (dyn BufRead + Send),
        report: &mut Report,
    ) -> Result<Self, Error> {
        let mut listed = Self(vec![None; index.len()]);
        let mut names = index.in_name_order().peekable();
        let mut reader = Reader::new(manifest)?;
        let mut lines = 0;
        while let Some(entry) = reader.entry()? {
            let mut found = false;
            while let Some((at, name, record)) = names.next_if(|(_, name, _)| *name <= entry.path) {
                if name.cmp(entry.path) == Ordering::Less {
                    report.differs(Some(name), "it is not in the manifest");
                    continue;
                }
                found = true;
                let same = (record.crc32, record.uncompressed) == (entry.crc32, entry.size);
                // The digest of a content that differs already would be reported once more.
                if let Some(blake3) = listed.0.get_mut(at).filter(|_| same) {
                    *blake3 = Some(*entry.blake3.as_bytes());
                }
                if let Some(what) = difference(name, record, &entry) {
                    report.differs(Some(name), what);
                }
            }
            if !found {
                report.differs(Some(entry.path), "it is missing");
            }
            lines += 1;
            if lines % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        for (_, name, _) in names {
            report.differs(Some(name), "it is not in the manifest");
        }
        if let Some((first, then)) = index.out_of_order() {
            let first = Shown::new(first);
            report.differs(
                Some(then),
                format_args!("it comes after {first}, and in the manifest before it"),
            );
        }
        report.digest = reader.totals().map(|totals| totals.digest);
        Ok(listed)
    }

    /// The BLAKE3 that the entry at `at` should have, if it is to be compared.
    pub(super) fn blake3(&self, at: usize) -> Option<[u8; 32]> {
        self.0.get(at).copied().flatten()
    }
}

/// The first field in which an entry differs from the manifest.
fn difference(name: &[u8], record: &Record, entry: &manifest::Entry<'_>) -> Option<String> {
    let kind = match record.mode & TYPE {
        SYMLINK => Kind::Symlink,
        DIRECTORY => Kind::Directory,
        0 | REGULAR if name.ends_with(b"/") => Kind::Directory,
        0 | REGULAR => Kind::File,
        other => {
            return Some(format!(
                "it is of type {other:o}, which no archive should hold"
            ));
        }
    };
    if kind != entry.kind {
        let (is, listed) = (with_article(kind), with_article(entry.kind));
        return Some(format!("it is {is}, and {listed} in the manifest"));
    }
    let mode = u32::from(record.mode & 0o7777);
    // hoist leaves out setuid, setgid and sticky bits; another archiver may have kept them.
    if mode != entry.mode & 0o777 && mode != entry.mode {
        let listed = entry.mode & 0o777;
        return Some(format!(
            "its permissions are {mode:04o}, and {listed:04o} in the manifest"
        ));
    }
    if record.uncompressed != entry.size {
        return Some(format!(
            "it has {} bytes, and {} in the manifest",
            record.uncompressed, entry.size
        ));
    }
    (record.crc32 != entry.crc32).then(|| {
        format!(
            "its CRC-32 is {:08x}, and {:08x} in the manifest",
            record.crc32, entry.crc32
        )
    })
}

fn with_article(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a file",
        Kind::Symlink => "a symbolic link",
        Kind::Directory => "a directory",
    }
}
