//! The zip reader on any bytes: it may refuse them, but not panic, nor ask for bytes outside of them.
//! Archives that the strict judge accepts, it must read in the same way.

#![no_main]

use hoist::archive::zip::*;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/archive/zip/strict.rs"]
mod strict;

fuzz_target!(|archive: &[u8]| {
    let checked = strict::check(archive);
    let len = archive.len() as u64;
    let size = |offset| usize::try_from(offset).unwrap();
    let tail = &archive[size(end_window(len).start)..];
    let directory = match Directory::find(tail, len) {
        Ok(directory) => directory,
        Err(error) => {
            assert!(checked.is_err(), "{error}");
            return;
        }
    };
    let mut signature = [0; 4];
    if directory.gap > 0 {
        signature.copy_from_slice(&archive[size(directory.start)..][..4]);
    }
    for directory in [directory, directory.moved_unless_found(signature)] {
        let read = headers(archive, &directory);
        if let Ok(checked) = &checked {
            let read = read.unwrap();
            assert_eq!(directory.entries, checked.len() as u64);
            assert_eq!(read.len(), checked.len());
            for (read, checked) in read.iter().zip(checked) {
                let sizes = (checked.crc32, checked.compressed, checked.uncompressed);
                assert_eq!((&read.0[..], read.1), (checked.name, sizes));
                assert_eq!((read.2, read.3), (checked.header_offset, checked.mode));
            }
        }
    }
});

type Read = (Vec<u8>, (u32, u64, u64), u64, u32);

/// Name, CRC-32 and sizes, offset and mode of every entry.
fn headers(archive: &[u8], directory: &Directory) -> Result<Vec<Read>, ReadError> {
    let size = |offset| usize::try_from(offset).unwrap();
    let mut reader = DirectoryReader::new(directory);
    let mut found = Vec::new();
    while let Some((offset, piece)) = reader.next_piece()? {
        piece.copy_from_slice(&archive[size(offset)..][..piece.len()]);
        while let Some(central) = reader.next_header()? {
            let header = &central.header;
            let local = usize::try_from(central.offset).ok();
            if let Some(local) = local.and_then(|offset| archive.get(offset..)) {
                _ = read_local_header(local);
                _ = descriptor_len(local, header);
                _ = local.first_chunk::<LOCAL_LEN>().map(local_header_size);
            }
            let sizes = (header.crc32, header.compressed, header.uncompressed);
            let mode = central.attributes >> 16;
            found.push((header.name.to_vec(), sizes, central.offset, mode));
        }
    }
    Ok(found)
}
