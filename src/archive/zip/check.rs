//! Reads an archive back and accepts only what this room writes.
//!
//! Other readers forgive much, each something else. This one forgives nothing:
//! every byte outside the entries' data must be the one that the rules ask for,
//! so a fault in the writer, or in the order of parts, cannot hide. It shares
//! the name rules with the writer and nothing else, above all no rendering.
//!
//! It checks structure. Inflating the data and comparing CRCs is the caller's
//! part. It never panics, whatever the bytes.

mod fields;
#[cfg(test)]
mod tests;

pub use self::fields::{CheckError, Record};
use self::fields::{Fields, Image};
use super::Method;
use super::names::{NonUtf8, check_name, check_order};

/// An entry of an archive that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    /// Path inside the archive; a directory's ends in `/`.
    pub name: &'a [u8],
    /// File type and permissions, as in `st_mode`.
    pub mode: u32,
    /// Seconds since 1970, UTC. Without an extended timestamp, those of the
    /// MS-DOS fields: even, and within 1980..=2107.
    pub mtime: i64,
    /// How the data is kept.
    pub method: Method,
    /// CRC-32 of the uncompressed data, as recorded.
    pub crc32: u32,
    /// Bytes of data in the archive.
    pub compressed: u64,
    /// Bytes of data once extracted, as recorded.
    pub uncompressed: u64,
    /// Offset of the local header in the archive.
    pub header_offset: u64,
    /// Offset of the data in the archive.
    pub data_offset: u64,
    /// The data, `compressed` bytes; `None` where it is not at hand.
    pub data: Option<&'a [u8]>,
}

/// Checks a whole archive. Entries come in archive order, which is that of
/// their names.
///
/// # Errors
///
/// The first broken rule.
pub fn check(archive: &[u8]) -> Result<Vec<Checked<'_>>, CheckError> {
    check_sparse(&[(0, archive)])
}

/// Checks an archive whose bytes before `start_offset` are imagined: the first
/// local header is there, and all offsets count from the imagined start.
///
/// # Errors
///
/// The first broken rule.
pub fn check_from(tail: &[u8], start_offset: u64) -> Result<Vec<Checked<'_>>, CheckError> {
    check_sparse(&[(start_offset, tail)])
}

/// Checks an archive of which only some pieces are at hand, each with its
/// offset, in order. Whatever lies between them must be entries' data.
///
/// # Errors
///
/// The first broken rule.
pub fn check_sparse<'a>(pieces: &[(u64, &'a [u8])]) -> Result<Vec<Checked<'a>>, CheckError> {
    let image = Image(pieces);
    let (end, directory) = directory(image)?;
    let mut entries = Vec::new();
    let mut at = directory.start;
    let mut header_offset = image.start();
    while at < directory.end {
        let (entry, next) = entry(image, at, header_offset)?;
        at = next;
        header_offset = entry.data_offset + entry.compressed;
        entries.push(entry);
    }
    end.equal("end of the directory", at, directory.end)?;
    end.equal("entry count", directory.count, entries.len() as u64)?;
    end.equal("directory offset", directory.start, header_offset)?;
    check_order(entries.iter().map(|entry| entry.name))?;
    Ok(entries)
}

/// Where the central headers are.
struct Directory {
    start: u64,
    end: u64,
    count: u64,
}

/// Reads the end record, and the zip64 record and locator if it asks for them.
fn directory<'a, 'p>(image: Image<'a, 'p>) -> Result<(Fields<'a, 'p>, Directory), CheckError> {
    // Nothing follows the end record, nor does it hold a comment.
    let end_offset = image.end().saturating_sub(22);
    let mut end = Fields::open(image, Record::End, end_offset, *b"PK\x05\x06")?;
    end.expect_u16("disk", 0)?;
    end.expect_u16("directory disk", 0)?;
    let count = end.u16()?;
    end.expect_u16("entry count", count)?;
    let (len, start) = (end.u32()?, end.u32()?);
    end.expect_u16("comment length", 0)?;

    let mut directory = Directory {
        start: start.into(),
        end: end_offset,
        count: count.into(),
    };
    let mut directory_len = u64::from(len);
    if count == 0xFFFF || len == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
        let locator_offset = end_offset.saturating_sub(20);
        let zip64_offset = locator_offset.saturating_sub(56);
        let mut locator =
            Fields::open(image, Record::Zip64Locator, locator_offset, *b"PK\x06\x07")?;
        locator.expect_u32("zip64 record disk", 0)?;
        locator.expect_u64("zip64 record offset", zip64_offset)?;
        locator.expect_u32("disks", 1)?;

        let mut zip64 = Fields::open(image, Record::Zip64End, zip64_offset, *b"PK\x06\x06")?;
        zip64.expect_u64("record size", 44)?;
        zip64.expect_u16("version made by", 0x033F)?;
        zip64.expect_u16("version needed", 45)?;
        zip64.expect_u32("disk", 0)?;
        zip64.expect_u32("directory disk", 0)?;
        directory.count = zip64.u64()?;
        zip64.expect_u64("entry count", directory.count)?;
        directory_len = zip64.u64()?;
        directory.start = zip64.u64()?;
        directory.end = zip64_offset;

        // The end record holds each value that fits, or else the sentinel.
        let fitting = |value: u64, sentinel: u64| value.min(sentinel);
        let (count, len, start) = (count.into(), len.into(), start.into());
        end.equal("entry count", count, fitting(directory.count, 0xFFFF))?;
        end.equal("directory size", len, fitting(directory_len, 0xFFFF_FFFF))?;
        end.equal(
            "directory offset",
            start,
            fitting(directory.start, 0xFFFF_FFFF),
        )?;
    }
    end.require(
        directory.start.checked_add(directory_len) == Some(directory.end),
        "the directory does not end where the end records start",
    )?;
    Ok((end, directory))
}

/// Reads the central header at `at` and the local header it must point to.
/// Returns the entry and the offset of the next central header.
fn entry<'a>(
    image: Image<'a, '_>,
    at: u64,
    header_offset: u64,
) -> Result<(Checked<'a>, u64), CheckError> {
    let mut fields = Fields::open(image, Record::CentralHeader, at, *b"PK\x01\x02")?;
    fields.expect_u16("version made by", 0x033F)?;
    let fixed = Fixed::read(&mut fields)?;
    fields.expect_u16("comment length", 0)?;
    fields.expect_u16("disk", 0)?;
    fields.expect_u16("internal attributes", 0)?;
    let attributes = fields.u32()?;
    let offset_32 = fields.u32()?;
    let name = fields.bytes(fixed.name_len.into())?;
    let extra = Extra::read(&mut fields, &fixed, Some(offset_32))?;

    check_name(name, NonUtf8::Raw)?;
    let offset = extra.offset.unwrap_or(offset_32.into());
    fields.equal("local header offset", offset, header_offset)?;
    let method = fixed.method(&fields)?;
    let zip64 = extra.sizes.is_some() || extra.offset.is_some();
    fixed.check_version_and_flags(&fields, name, zip64)?;
    let (uncompressed, compressed) = extra
        .sizes
        .unwrap_or((fixed.uncompressed.into(), fixed.compressed.into()));
    match method {
        Method::Stored => {
            fields.equal("compressed size", compressed, uncompressed)?;
            fields.require(uncompressed > 0 || fixed.crc32 == 0, "no data has CRC 0")?;
        }
        Method::Deflate => fields.require(compressed > 0, "a deflate stream is not empty")?,
    }
    if name.ends_with(b"/") {
        fields.require(method == Method::Stored, "a directory is stored")?;
        fields.equal("directory's size", uncompressed, 0)?;
    }
    let mode = mode(&fields, name, attributes)?;
    let mtime = mtime(&fields, name, fixed.dos_time, extra.timestamp)?;

    let data_offset = local(image, offset, name, &fixed, &extra)?;
    let data_end = data_offset.checked_add(compressed);
    fields.require(data_end.is_some(), "the data ends beyond 64 bits")?;
    let checked = Checked {
        name,
        mode,
        mtime,
        method,
        crc32: fixed.crc32,
        compressed,
        uncompressed,
        header_offset,
        data_offset,
        data: image.get(data_offset, compressed),
    };
    Ok((checked, fields.at()))
}

/// Holds a local header against its central one. Returns where the data starts.
fn local(
    image: Image<'_, '_>,
    offset: u64,
    name: &[u8],
    central: &Fixed,
    central_extra: &Extra,
) -> Result<u64, CheckError> {
    let mut fields = Fields::open(image, Record::LocalHeader, offset, *b"PK\x03\x04")?;
    let fixed = Fixed::read(&mut fields)?;
    fields.equal("name length", fixed.name_len, central.name_len)?;
    let local_name = fields.bytes(fixed.name_len.into())?;
    fields.require(local_name == name, "the name differs from the central one")?;
    let extra = Extra::read(&mut fields, &fixed, None)?;

    // A zip64 offset raises the central version only.
    fixed.check_version_and_flags(&fields, name, extra.sizes.is_some())?;
    fields.equal("method", fixed.method, central.method)?;
    fields.equal("time", fixed.dos_time, central.dos_time)?;
    fields.equal("CRC-32", fixed.crc32, central.crc32)?;
    fields.equal("compressed size", fixed.compressed, central.compressed)?;
    fields.equal(
        "uncompressed size",
        fixed.uncompressed,
        central.uncompressed,
    )?;
    fields.require(
        extra.sizes == central_extra.sizes,
        "zip64 sizes differ from the central ones",
    )?;
    fields.require(
        extra.timestamp == central_extra.timestamp,
        "the extended timestamp differs from the central one",
    )?;
    Ok(fields.at())
}

/// The fields that both headers have in a row.
struct Fixed {
    version_needed: u16,
    flags: u16,
    method: u16,
    dos_time: u32,
    crc32: u32,
    compressed: u32,
    uncompressed: u32,
    name_len: u16,
    extra_len: u16,
}

impl Fixed {
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, CheckError> {
        Ok(Fixed {
            version_needed: fields.u16()?,
            flags: fields.u16()?,
            method: fields.u16()?,
            dos_time: fields.u32()?,
            crc32: fields.u32()?,
            compressed: fields.u32()?,
            uncompressed: fields.u32()?,
            name_len: fields.u16()?,
            extra_len: fields.u16()?,
        })
    }

    fn method(&self, fields: &Fields<'_, '_>) -> Result<Method, CheckError> {
        match self.method {
            8 => Ok(Method::Deflate),
            other => {
                fields.equal("method", other, 0)?;
                Ok(Method::Stored)
            }
        }
    }

    fn check_version_and_flags(
        &self,
        fields: &Fields<'_, '_>,
        name: &[u8],
        zip64: bool,
    ) -> Result<(), CheckError> {
        let version = if zip64 {
            45
        } else if self.method == 8 || name.ends_with(b"/") {
            20
        } else {
            10
        };
        let utf8 = !name.is_ascii() && std::str::from_utf8(name).is_ok();
        fields.equal("version needed", self.version_needed, version)?;
        fields.equal("flags", self.flags, if utf8 { 0x0800 } else { 0 })
    }
}

/// What the extra fields hold: a zip64 extra with exactly the values whose
/// fields show the sentinel, then an extended timestamp; nothing else.
struct Extra {
    /// Uncompressed and compressed.
    sizes: Option<(u64, u64)>,
    offset: Option<u64>,
    timestamp: Option<i32>,
}

impl Extra {
    fn read(
        fields: &mut Fields<'_, '_>,
        fixed: &Fixed,
        offset_32: Option<u32>,
    ) -> Result<Self, CheckError> {
        let end = fields.at().saturating_add(fixed.extra_len.into());
        let mut extra = Extra {
            sizes: None,
            offset: None,
            timestamp: None,
        };

        let sizes = fixed.uncompressed == u32::MAX;
        fields.require(
            sizes == (fixed.compressed == u32::MAX),
            "one size is zip64, the other not",
        )?;
        let offset = offset_32 == Some(u32::MAX);
        if sizes || offset {
            let len = 16 * u16::from(sizes) + 8 * u16::from(offset);
            fields.expect_u16("zip64 extra's id", 0x0001)?;
            fields.expect_u16("zip64 extra's length", len)?;
        }
        if sizes {
            extra.sizes = Some((fields.u64()?, fields.u64()?));
        }
        if offset {
            let value = fields.u64()?;
            fields.require(value >= 0xFFFF_FFFF, "a zip64 offset fits 32 bits")?;
            extra.offset = Some(value);
        }

        if fields.at() < end {
            fields.expect_u16("extended timestamp's id", 0x5455)?;
            fields.expect_u16("extended timestamp's length", 5)?;
            fields.expect_u8("extended timestamp's flags", 1)?;
            extra.timestamp = Some(fields.u32()?.cast_signed());
        }
        fields.equal("end of the extra fields", fields.at(), end)?;
        Ok(extra)
    }
}

/// The mode in the external attributes, which hold nothing else but the MS-DOS
/// directory bit.
fn mode(fields: &Fields<'_, '_>, name: &[u8], attributes: u32) -> Result<u32, CheckError> {
    let (mode, dos) = (attributes >> 16, attributes & 0xFFFF);
    let directory = name.ends_with(b"/");
    fields.equal("MS-DOS attributes", dos, if directory { 0x10 } else { 0 })?;
    // Above the permissions: the file type, and no setuid, setgid or sticky bit.
    let kind = match mode >> 9 {
        0o040 => directory,
        0o100 | 0o120 => !directory,
        _ => false,
    };
    fields.require(kind, "the mode is not that of a directory, file or link")?;
    Ok(mode)
}

/// The modification time, on which the MS-DOS fields and the extended timestamp
/// agree. The latter is there whenever the rules allow it.
fn mtime(
    fields: &Fields<'_, '_>,
    name: &[u8],
    dos_time: u32,
    timestamp: Option<i32>,
) -> Result<i64, CheckError> {
    const FIRST: i64 = 315_532_800; // 1980
    let dos = unix_time(dos_time);
    fields.require(dos.is_some(), "the time is not in the calendar")?;
    let dos = dos.unwrap_or(FIRST);
    if let Some(timestamp) = timestamp {
        let time = i64::from(timestamp);
        fields.require(name.is_ascii(), "a timestamp, but the name is not ASCII")?;
        fields.require(dos == time.max(FIRST) & !1, "the two times differ")?;
        return Ok(time);
    }
    // Left out because the time did not fit: after 2038, or clamped to 1980.
    fields.require(
        !name.is_ascii() || dos > i64::from(i32::MAX) || dos == FIRST,
        "the extended timestamp is missing",
    )?;
    Ok(dos)
}

/// Seconds since 1970 of the MS-DOS date and time fields, taken for UTC.
fn unix_time(dos_time: u32) -> Option<i64> {
    let field = |from: u32, bits: u32| i64::from(dos_time >> from & ((1 << bits) - 1));
    let (year, month, day) = (1980 + field(25, 7), field(21, 4), field(16, 5));
    let (hour, minute, second) = (field(11, 5), field(5, 6), 2 * field(0, 5));

    let leap = year % 4 == 0 && year != 2100;
    let (before, length) = match month {
        1 => (0, 31),
        2 => (31, if leap { 29 } else { 28 }),
        3 => (59, 31),
        4 => (90, 30),
        5 => (120, 31),
        6 => (151, 30),
        7 => (181, 31),
        8 => (212, 31),
        9 => (243, 30),
        10 => (273, 31),
        11 => (304, 30),
        12 => (334, 31),
        _ => return None,
    };
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Leap days before this one: those of past years, and this year's.
    let leap_days = (year - 1969) / 4 - i64::from(year > 2100) + i64::from(leap && month > 2);
    let days = (year - 1970) * 365 + leap_days + before + day - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}
