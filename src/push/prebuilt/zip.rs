//! The names in a zip that another program made, from its central directory.
//!
//! It accepts what the agents' readers accept, also an archive with other bytes before or after it.

use std::fs::File;

use super::Unreadable;
use super::root::Root;
use crate::archive::zip::{Directory, DirectoryReader, ReadError, end_window};
use crate::cancel::Cancel;
use crate::system;

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Shows all names to `root`. `size` is the file's.
pub(super) fn names(
    file: &File,
    size: u64,
    root: &mut Root,
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
