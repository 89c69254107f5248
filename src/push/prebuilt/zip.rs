//! The names in a zip that another program made, from its central directory.
//!
//! It accepts what the agents' readers accept, also an archive with other bytes before or after it.

use std::fs::File;

use super::Unreadable;
use super::root::Root;
use crate::archive::plan::{NoticeKind, Noticed};
use crate::archive::zip::{Directory, DirectoryReader, ReadError, end_window};
use crate::cancel::Cancel;
use crate::system;

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Shows all names to `root`, and what the agents' readers change to `noticed`. `size` is the file's.
pub(super) fn names(
    file: &File,
    size: u64,
    root: &mut Root,
    noticed: &mut Noticed,
    stop: &Cancel,
) -> Result<(), Unreadable> {
    let window = end_window(size);
    let mut tail = vec![0; usize::try_from(size - window.start).unwrap_or(0)];
    system::read_exact_at(file, &mut tail, window.start)?;
    let mut directory = Directory::find(&tail, size)?;
    if directory.gap > 0 {
        let mut signature = [0; 4];
        system::read_exact_at(file, &mut signature, directory.start)?;
        directory = directory.moved_unless_found(signature);
    }
    let mut reader = DirectoryReader::new(&directory);
    let mut entries = 0;
    while let Some((offset, piece)) = reader.next_piece()? {
        if stop.is_cancelled() {
            return Err(Unreadable::Stopped);
        }
        system::read_exact_at(file, piece, offset)?;
        while let Some(central) = reader.next_header()? {
            let header = central.header;
            entries += 1;
            // rubyzip and the zip crate, with which the agents read, know only stored and deflate.
            if !matches!(header.method, 0 | 8) {
                let name = String::from_utf8_lossy(header.name);
                return Err(Unreadable::Damaged(format!(
                    "{name} is compressed with method {}; make it with deflate",
                    header.method
                )));
            }
            root.see(header.name, header.name.ends_with(b"/"));
            noticed.see_name(header.name);
            if central.name_depends_on_locale() {
                noticed.add(NoticeKind::ExtraName, header.name);
            }
        }
    }
    if entries != directory.entries {
        return Err(Unreadable::Damaged(format!(
            "its directory has {entries} entries and says {}",
            directory.entries
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};

    use super::*;

    /// What is said of an archive with these bytes before and after it.
    fn checked(before: &[u8], archive: &[u8], after: &[u8]) -> Result<bool, String> {
        let mut file = tempfile::tempfile().unwrap();
        for bytes in [before, archive, after] {
            file.write_all(bytes).unwrap();
        }
        let size = file.seek(SeekFrom::End(0)).unwrap();
        let mut root = Root::default();
        let mut noticed = Noticed::default();
        match names(&file, size, &mut root, &mut noticed, &Cancel::new()) {
            Ok(()) => Ok(root.has_appspec()),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    fn archive() -> Vec<u8> {
        let mut zip = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = ::zip::write::SimpleFileOptions::default();
        for name in ["appspec.yml", "site/index.html"] {
            zip.start_file(name, options).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn an_archive_is_read_with_other_bytes_before_and_after_it() {
        let archive = archive();
        for (before, after) in [("", ""), ("#!/bin/sh\n", ""), ("", "junk"), ("#!", "junk")] {
            let found = checked(before.as_bytes(), &archive, after.as_bytes());
            assert_eq!(found, Ok(true), "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_the_agents_cannot_read_is_refused() {
        let good = archive();
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            checked(b"", &bytes, b"").unwrap_err()
        };
        let end = good.len() - 22;
        let start = u32::from_le_bytes(good[end + 16..end + 20].try_into().unwrap()) as usize;
        assert!(
            changed(start + 10, 12).contains("compressed with method 12; make it with deflate")
        );
        assert!(changed(start + 1, b'Q').contains("no central header"));
        let mut one_more = good.clone();
        (one_more[end + 8], one_more[end + 10]) = (3, 3);
        let error = checked(b"", &one_more, b"").unwrap_err();
        assert!(error.contains("2 entries and says 3"), "{error}");
        assert!(
            checked(b"", &good[..end], b"")
                .unwrap_err()
                .contains("no end record")
        );
        assert!(checked(b"", b"", b"").is_err());
    }
}
