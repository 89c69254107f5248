//! For tests: accepts only archives that are, byte for byte, what the zip writer makes.
//!
//! Other readers ignore much: gaps, fields that contradict each other, bytes at the end. This one reads
//! the entries with `rawzip`, which shares no code with hoist, renders all records again, and compares
//! every byte outside the entries' data. So a fault in the order of parts or in the offsets cannot
//! hide. Whether the data inflates to the recorded CRC-32 is for the caller to check.
//!
//! The tests in `tests/` and the fuzz targets include this file by its path.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "included in several places"
)]

use std::io::{self, Read, Seek, SeekFrom};

use super::{
    CentralDirectory, Entry, Method, NonUtf8, Sizes, check_name, check_order, local_header,
    local_header_len,
};

/// Bytes of a local header before the name.
const LOCAL_FIXED: u64 = 30;

/// 1980-01-01, the first time of the MS-DOS fields.
const DOS_FIRST: i64 = 315_532_800;

/// An entry of an archive that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    pub name: &'a [u8],
    /// File type and permissions, as in `st_mode`.
    pub mode: u32,
    /// Seconds since 1970, UTC. Without an extended timestamp, those of the MS-DOS fields.
    pub mtime: i64,
    pub method: Method,
    pub crc32: u32,
    pub compressed: u64,
    pub uncompressed: u64,
    pub header_offset: u64,
    pub data_offset: u64,
    /// The data; None where it is not at hand.
    pub data: Option<&'a [u8]>,
}

/// Checks a whole archive. Returns its entries in order, or the first fault.
pub fn check(archive: &[u8]) -> Result<Vec<Checked<'_>>, String> {
    check_sparse(&[(0, archive)])
}

/// Checks an archive that begins at `start`: its offsets count from 0.
pub fn check_from(archive: &[u8], start: u64) -> Result<Vec<Checked<'_>>, String> {
    check_sparse(&[(start, archive)])
}

/// Checks an archive of which only some pieces are at hand, each with its offset, in order. Whatever
/// lies between them must be entries' data.
pub fn check_sparse<'a>(pieces: &[(u64, &'a [u8])]) -> Result<Vec<Checked<'a>>, String> {
    let image = Sparse::new(pieces);
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = rawzip::ZipArchive::from_seekable(image.clone(), &mut buffer);
    let archive = archive.map_err(|error| error.to_string())?;
    let mut records = archive.entries(&mut buffer);
    let mut entries = Vec::new();
    let mut headers = Vec::new();
    let mut position = pieces.first().map_or(0, |(start, _)| *start);
    while let Some(record) = records.next_entry().map_err(|error| error.to_string())? {
        let timestamp = record.extra_fields().find_map(|(id, field)| {
            let time = field.get(1..5)?.try_into().ok()?;
            (id.as_u16() == 0x5455).then_some(i64::from(i32::from_le_bytes(time)))
        });
        let name = record.file_path();
        let name = name.as_bytes();
        // The same bytes, which live longer.
        let name = image.get(position + LOCAL_FIXED, name.len() as u64);
        let name = name.ok_or_else(|| format!("another local header is due at {position}"))?;
        let mut entry = Checked {
            name,
            mode: record.mode().value(),
            mtime: timestamp.unwrap_or_else(|| dos_seconds(&record)),
            method: match record.compression_method().as_u16() {
                0 => Method::Stored,
                8 => Method::Deflate,
                other => return Err(format!("method {other}")),
            },
            crc32: record.crc32(),
            compressed: record.compressed_size_hint(),
            uncompressed: record.uncompressed_size_hint(),
            header_offset: record.local_header_offset(),
            data_offset: 0,
            data: None,
        };
        check_name(entry.name, NonUtf8::Raw).map_err(|error| error.to_string())?;
        check_sizes(&entry)?;
        // A header of a giant is rendered before its sizes are known, and may be wider than needed.
        let wide = image.get(position + 18, 8) == Some(&[0xFF; 8][..]);
        let sizes = if wide {
            let open = Sizes::open(entry.uncompressed, u64::MAX);
            open.close(entry.crc32, entry.compressed)
        } else {
            Sizes::known(entry.crc32, entry.compressed, entry.uncompressed)
        };
        let len = local_header_len(&entry.written(timestamp), &sizes) as u64;
        let mut local = Vec::new();
        local_header(&mut local, &entry.written(timestamp), &sizes);
        if entry.header_offset != position || image.get(position, len) != Some(&local[..]) {
            return Err(format!("another local header is due at {position}"));
        }
        entry.data_offset = position + len;
        entry.data = image.get(entry.data_offset, entry.compressed);
        let end = entry.data_offset.checked_add(entry.compressed);
        position = end.ok_or("the data ends beyond 64 bits")?;
        headers.push((timestamp, sizes));
        entries.push(entry);
    }
    check_order(entries.iter().map(|entry| entry.name)).map_err(|error| error.to_string())?;
    let mut directory = CentralDirectory::new(position);
    let mut end = Vec::new();
    for (entry, (timestamp, sizes)) in entries.iter().zip(&headers) {
        let written = entry.written(*timestamp);
        directory.entry(&mut end, &written, sizes, entry.header_offset);
    }
    directory.finish(&mut end);
    let len = end.len() as u64;
    if image.end() - position != len || image.get(position, len) != Some(&end[..]) {
        return Err(format!("another directory is due at {position}"));
    }
    Ok(entries)
}

/// Rules of sizes, which rendering does not show.
fn check_sizes(entry: &Checked<'_>) -> Result<(), String> {
    let is_directory = entry.name.ends_with(b"/");
    let fault = match entry.method {
        Method::Stored if entry.compressed != entry.uncompressed => "stored data has one size",
        Method::Stored if entry.uncompressed == 0 && entry.crc32 != 0 => "no data has CRC 0",
        Method::Deflate if entry.compressed == 0 => "a deflate stream is not empty",
        Method::Deflate if is_directory => "a directory is stored",
        Method::Stored if is_directory && entry.compressed > 0 => "a directory is empty",
        _ => return Ok(()),
    };
    Err(fault.to_owned())
}

impl Checked<'_> {
    /// What the writer was given. A time at the start of the MS-DOS fields without an extended timestamp
    /// is one before 1901.
    fn written(&self, timestamp: Option<i64>) -> Entry<'_> {
        let clamped = timestamp.is_none() && self.mtime == DOS_FIRST;
        Entry {
            name: self.name,
            mode: self.mode,
            mtime: if clamped { i64::MIN } else { self.mtime },
            method: self.method,
        }
    }
}

/// Seconds since 1970 of the MS-DOS date and time fields, taken for UTC (Howard Hinnant's
/// `days_from_civil`).
fn dos_seconds(record: &rawzip::ZipFileHeaderRecord<'_>) -> i64 {
    let time = record.last_modified_dos();
    let (year, month) = (i64::from(time.year()), i64::from(time.month()));
    let year = year - i64::from(month <= 2);
    let from_march = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    let days =
        365 * year + leap_days + (153 * from_march + 2) / 5 + i64::from(time.day()) - 719_469;
    let hours = days * 24 + i64::from(time.hour());
    (hours * 60 + i64::from(time.minute())) * 60 + i64::from(time.second())
}

/// An archive of which only some pieces exist. All else reads as zeros.
#[derive(Clone)]
pub struct Sparse<'a> {
    pieces: Vec<(u64, &'a [u8])>,
    at: u64,
}

impl<'a> Sparse<'a> {
    pub fn new(pieces: &[(u64, &'a [u8])]) -> Self {
        let pieces = pieces.to_vec();
        Sparse { pieces, at: 0 }
    }

    fn end(&self) -> u64 {
        let last = self.pieces.last();
        last.map_or(0, |(start, bytes)| start.saturating_add(bytes.len() as u64))
    }

    /// The bytes of a range, if one piece has them all.
    fn get(&self, offset: u64, len: u64) -> Option<&'a [u8]> {
        let after = self.pieces.partition_point(|(start, _)| *start <= offset);
        let (start, bytes) = self.pieces.get(after.checked_sub(1)?)?;
        let from = usize::try_from(offset - start).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        bytes.get(from..to)
    }
}

impl Read for Sparse<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let piece = self
            .pieces
            .iter()
            .find(|(start, bytes)| self.at < start.saturating_add(bytes.len() as u64));
        let Some((start, bytes)) = piece else {
            return Ok(0);
        };
        let size = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
        let len = if self.at < *start {
            let len = size(start - self.at).min(buf.len());
            buf[..len].fill(0);
            len
        } else {
            let rest = &bytes[size(self.at - start)..];
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            len
        };
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Sparse<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(by) => self.end().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
