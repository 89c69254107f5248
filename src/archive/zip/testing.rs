//! For tests of this module: archives, and the `zip` crate as a reader that shares no code with hoist.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Seek, Write};

use super::{CentralDirectory, Entry, Method, Sizes, local_header, local_header_len};

/// An entry with its content. `giant` is the worst case of a giant, whose header is rendered before its
/// data and closed after it.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    pub(super) mtime: i64,
    pub(super) method: Method,
    pub(super) content: Vec<u8>,
    pub(super) giant: Option<u64>,
}

impl File {
    pub(super) fn new(name: &str, content: &[u8]) -> Self {
        let directory = name.ends_with('/');
        File {
            name: name.as_bytes().to_vec(),
            mode: if directory { 0o040_755 } else { 0o100_644 },
            mtime: 1_700_000_001,
            method: Method::Stored,
            content: content.to_vec(),
            giant: None,
        }
    }

    pub(super) fn deflated(self) -> Self {
        let method = Method::Deflate;
        File { method, ..self }
    }

    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            name: &self.name,
            mode: self.mode,
            mtime: self.mtime,
            method: self.method,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self.method {
            Method::Stored => self.content.clone(),
            Method::Deflate => deflate(&self.content),
        }
    }
}

pub(super) fn deflate(content: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::fast();
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An archive of these files, which begins at `start`.
pub(super) fn archive(start: u64, files: &[File]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut written = Vec::new();
    for file in files {
        let entry = file.entry();
        let at = out.len();
        let data = file.data();
        let (compressed, uncompressed) = (data.len() as u64, file.content.len() as u64);
        let crc32 = crc32fast::hash(&file.content);
        let sizes = if let Some(worst_case) = file.giant {
            let open = Sizes::open(uncompressed, worst_case.max(compressed));
            local_header(&mut out, &entry, &open);
            let closed = open.close(crc32, compressed);
            let mut header = Vec::new();
            local_header(&mut header, &entry, &closed);
            out[at..].copy_from_slice(&header);
            closed
        } else {
            let sizes = Sizes::known(crc32, compressed, uncompressed);
            local_header(&mut out, &entry, &sizes);
            sizes
        };
        assert_eq!(out.len() - at, local_header_len(&entry, &sizes));
        out.extend_from_slice(&data);
        written.push((entry, sizes, start + at as u64));
    }
    out.extend_from_slice(&directory(start + out.len() as u64, &written));
    out
}

/// The central directory and end records of these entries.
pub(super) fn directory(start: u64, entries: &[(Entry<'_>, Sizes, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = CentralDirectory::new(start);
    for (entry, sizes, offset) in entries {
        directory.entry(&mut out, entry, sizes, *offset);
    }
    directory.finish(&mut out);
    out
}

/// An entry as a reader sees it. `content` is None if it is large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    /// Date and time fields.
    pub(super) dos_time: (u16, u16),
    pub(super) timestamp: Option<i32>,
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
    pub(super) header_offset: u64,
    pub(super) content: Option<Vec<u8>>,
}

/// Date and time fields of a calendar date and a time of day.
pub(super) fn dos_time([year, month, day, hour, minute, second]: [u16; 6]) -> (u16, u16) {
    let date = (year - 1980) * 512 + month * 32 + day;
    (date, hour * 2048 + minute * 32 + second / 2)
}

const MOST_CONTENT: u64 = 1 << 20;

/// Lets the `zip` crate hold local headers against central ones and look for
/// gaps and overlaps.
pub(super) fn validate_with_zip(archive: &[u8]) {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    archive.validate_header_consistency().unwrap();
}

/// Reads with the `zip` crate, which compares contents with their CRC-32.
pub(super) fn read_with_zip(archive: impl Read + Seek) -> Vec<Seen> {
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    assert_eq!(archive.offset(), 0);
    assert_eq!(archive.comment(), b"");
    (0..archive.len())
        .map(|index| {
            let file = archive.by_index_raw(index).unwrap();
            let time = file.last_modified().unwrap();
            let mut seen = Seen {
                name: file.name_raw().to_vec(),
                mode: file.unix_mode().unwrap(),
                dos_time: (time.datepart(), time.timepart()),
                timestamp: file.extra_data_fields().find_map(|field| match field {
                    zip::ExtraField::ExtendedTimestamp(time) => {
                        Some(time.mod_time().unwrap().cast_signed())
                    }
                    _ => None,
                }),
                method: match file.compression() {
                    zip::CompressionMethod::Stored => Method::Stored,
                    zip::CompressionMethod::Deflated => Method::Deflate,
                    other => panic!("{other:?}"),
                },
                crc32: file.crc32(),
                compressed: file.compressed_size(),
                uncompressed: file.size(),
                header_offset: file.header_start(),
                content: None,
            };
            drop(file);
            if seen.compressed < MOST_CONTENT {
                let mut content = Vec::new();
                let mut file = archive.by_index(index).unwrap();
                file.read_to_end(&mut content).unwrap();
                seen.content = Some(content);
            }
            seen
        })
        .collect()
}
