//! The reader of other people's archives on any bytes: it may refuse them, not panic, nor point outside
//! of them. And what the strict checker accepts, it must read the same.

#![no_main]

use hoist::archive::zip::{
    LOCAL_LEN, central_header, check, descriptor_len, find_directory, local_header_size,
    read_local_header,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    let checked = check(archive);
    let directory = match find_directory(archive, archive.len() as u64) {
        Ok(directory) => directory,
        Err(error) => {
            assert!(checked.is_err(), "{error}");
            return;
        }
    };
    let start = usize::try_from(directory.start).unwrap();
    let mut rest = &archive[start..start + usize::try_from(directory.len).unwrap()];
    let mut entries = Vec::new();
    while let Ok(Some((central, len))) = central_header(rest) {
        rest = &rest[len..];
        let local = usize::try_from(central.offset)
            .ok()
            .and_then(|offset| archive.get(offset..));
        if let Some(local) = local {
            _ = read_local_header(local);
            _ = descriptor_len(local, &central.header);
            if let Some(fixed) = local.first_chunk::<LOCAL_LEN>() {
                _ = local_header_size(fixed);
            }
        }
        entries.push(central);
    }
    if let Ok(checked) = checked {
        assert_eq!(directory.entries, checked.len() as u64);
        assert_eq!(entries.len(), checked.len());
        for (read, checked) in entries.iter().zip(&checked) {
            let header = &read.header;
            assert_eq!(header.name, checked.name);
            assert_eq!(header.crc32, checked.crc32);
            assert_eq!(header.compressed, checked.compressed);
            assert_eq!(header.uncompressed, checked.uncompressed);
            assert_eq!(read.offset, checked.header_offset);
            assert_eq!(read.attributes >> 16, checked.mode);
        }
    }
});
