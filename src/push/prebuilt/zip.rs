//! The names in a zip that anybody made, from its central directory.
//!
//! The repository's own checker accepts only what hoist writes and wants the whole archive in memory;
//! this one forgives what the agents' readers forgive, and holds one record at a time.

use std::fs::File;

use rawzip::{
    CompressionMethod, ErrorKind, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, RECOMMENDED_BUFFER_SIZE,
    ZipArchive,
};

use super::Unreadable;
use super::root::Root;
use crate::cancel::Cancel;

impl From<rawzip::Error> for Unreadable {
    fn from(error: rawzip::Error) -> Self {
        match error.kind() {
            ErrorKind::IO(error) => std::io::Error::from(error.kind()).into(),
            kind => Self::Damaged(kind.to_string()),
        }
    }
}

/// Shows all names to `root`.
pub(super) fn names(file: &File, root: &mut Root, stop: &Cancel) -> Result<(), Unreadable> {
    let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE.max(RECOMMENDED_BUFFER_SIZE)];
    let archive = ZipArchive::from_file(file.try_clone()?, &mut buffer)?;
    let expected = archive.entries_hint();
    let mut entries = archive.entries(&mut buffer);
    let mut count = 0;
    while let Some(entry) = entries.next_entry()? {
        if stop.is_cancelled() {
            return Err(Unreadable::Stopped);
        }
        count += 1;
        let (name, method) = (entry.file_path(), entry.compression_method());
        let name: &[u8] = name.as_ref();
        // rubyzip and the zip crate, which the agents fall back to, know no others.
        if method != CompressionMethod::STORE && method != CompressionMethod::DEFLATE {
            let how = method.name().unwrap_or("an unknown method");
            let name = String::from_utf8_lossy(name);
            return Err(Unreadable::Damaged(format!(
                "{name} is compressed with {how}; make it with deflate"
            )));
        }
        root.see(name, entry.is_dir());
    }
    if count != expected {
        return Err(Unreadable::Damaged(format!(
            "its directory has {count} entries and says {expected}"
        )));
    }
    Ok(())
}
