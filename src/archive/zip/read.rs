//! Reads the records of any zip that somebody may push, not only of our own.
//!
//! Where [`check`](super::check) accepts nothing but what this room writes, this takes what pushers make:
//! comments, extra fields of any kind, sizes that come after the data, other methods. What follows
//! from that is the caller's to say. It refuses what no reader could find its way in: several disks,
//! records that are cut short or are not where another says that they are. It never panics, whatever
//! the bytes, and takes no memory for them.

use super::check::Record;

const END: [u8; 4] = *b"PK\x05\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

const END_LEN: usize = 22;
const LOCATOR_LEN: usize = 20;
const ZIP64_END_LEN: usize = 56;
const CENTRAL_LEN: usize = 46;

/// Bytes of a local header without name and extra fields (4.3.7).
pub const LOCAL_LEN: usize = 30;

/// The last bytes of an archive that are enough to find its directory: end records, zip64 records
/// and the longest comment.
pub const END_WINDOW: u64 = (END_LEN + u16::MAX as usize + LOCATOR_LEN + ZIP64_END_LEN) as u64;

/// Sizes come after the data, in a descriptor (4.4.4, bit 3).
pub const FLAG_DESCRIPTOR: u16 = 1 << 3;

/// The data is encrypted (bit 0).
pub const FLAG_ENCRYPTED: u16 = 1;

/// Why an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ReadError {
    #[error("it has no end record: it is no zip, or is cut short")]
    NoEnd,
    #[error("it spans several disks")]
    Disks,
    #[error("its zip64 end record is not where the locator says")]
    Zip64,
    #[error("its central directory would end at {end}, behind its end record at {limit}")]
    Directory { end: u64, limit: u64 },
    #[error("there is no {record} where one should be")]
    Signature { record: Record },
    #[error("a {record} is cut short")]
    Truncated { record: Record },
    #[error("a {record} has a damaged zip64 field")]
    Extra { record: Record },
}

/// Where the central directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Offset of its first header.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Headers, as the end record says.
    pub entries: u64,
}

/// What local and central headers both say of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// General purpose flags (4.4.4).
    pub flags: u16,
    /// Compression method (4.4.5): 0 is stored, 8 is deflate.
    pub method: u16,
    /// Date and time (4.4.6), the time in the lower half.
    pub dos_time: u32,
    /// CRC-32 of the content.
    pub crc32: u32,
    /// Bytes of data in the archive.
    pub compressed: u64,
    /// Bytes of content.
    pub uncompressed: u64,
    /// The name, as it is.
    pub name: &'a [u8],
}

/// What a central header says besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Central<'a> {
    /// What both say.
    pub header: Header<'a>,
    /// The host that made it, in the upper half (4.4.2): 3 is Unix.
    pub made_by: u16,
    /// External attributes (4.4.15): of a Unix host, `st_mode` in the upper half.
    pub attributes: u32,
    /// Offset of the local header.
    pub offset: u64,
}

/// Finds the central directory of an archive of `archive` bytes, of which `tail` is the end:
/// [`END_WINDOW`] bytes, or all.
///
/// # Errors
///
/// [`ReadError`] if it is no zip.
pub fn find_directory(tail: &[u8], archive: u64) -> Result<Directory, ReadError> {
    let base = archive.saturating_sub(tail.len() as u64);
    let at = (0..=tail.len().saturating_sub(END_LEN))
        .rev()
        .find(|&at| {
            let mut end = Fields(tail.get(at..).unwrap_or_default());
            // The comment must reach to the last byte: otherwise these are some entry's data.
            end.signature(END)
                && end.skip(16).is_some()
                && end
                    .u16()
                    .is_some_and(|comment| end.0.len() == usize::from(comment))
        })
        .ok_or(ReadError::NoEnd)?;
    let mut end = Fields(&tail[at + 4..]);
    let cut = ReadError::Truncated {
        record: Record::End,
    };
    let (disk, directory_disk) = (end.u16().ok_or(cut)?, end.u16().ok_or(cut)?);
    let (here, entries) = (end.u16().ok_or(cut)?, end.u16().ok_or(cut)?);
    let (len, start) = (end.u32().ok_or(cut)?, end.u32().ok_or(cut)?);
    let mut directory = Directory {
        start: start.into(),
        len: len.into(),
        entries: entries.into(),
    };
    let mut limit = base + at as u64;
    let zip64 = at.checked_sub(LOCATOR_LEN).and_then(|at| {
        let mut locator = Fields(&tail[at..]);
        (locator.signature(ZIP64_LOCATOR) && locator.skip(4).is_some()).then_some(())?;
        locator.u64()
    });
    if entries == u16::MAX || len == u32::MAX || start == u32::MAX {
        if let Some(offset) = zip64 {
            directory = zip64_end(tail, base, offset)?;
            limit = offset;
        }
    } else if disk != 0 || directory_disk != 0 || here != entries {
        return Err(ReadError::Disks);
    }
    match directory.start.checked_add(directory.len) {
        Some(end) if end <= limit => Ok(directory),
        end => Err(ReadError::Directory {
            end: end.unwrap_or(u64::MAX),
            limit,
        }),
    }
}

fn zip64_end(tail: &[u8], base: u64, offset: u64) -> Result<Directory, ReadError> {
    let at = offset
        .checked_sub(base)
        .and_then(|at| usize::try_from(at).ok());
    let mut end = Fields(at.and_then(|at| tail.get(at..)).ok_or(ReadError::Zip64)?);
    // Signature; size of the record, versions, two disks, entries on this one.
    if !end.signature(ZIP64_END) || end.skip(8 + 2 + 2 + 4 + 4 + 8).is_none() {
        return Err(ReadError::Zip64);
    }
    let mut next = || end.u64().ok_or(ReadError::Zip64);
    let (entries, len, start) = (next()?, next()?, next()?);
    Ok(Directory {
        start,
        len,
        entries,
    })
}

/// Reads the central header that `bytes` begin with, and its length. None: there are too few bytes.
///
/// # Errors
///
/// [`ReadError`] if it is none.
pub fn central_header(bytes: &[u8]) -> Result<Option<(Central<'_>, usize)>, ReadError> {
    let record = Record::CentralHeader;
    let mut fields = Fields(bytes);
    if bytes.len() < CENTRAL_LEN {
        return Ok(None);
    }
    if !fields.signature(CENTRAL) {
        return Err(ReadError::Signature { record });
    }
    let parsed = (|| {
        let made_by = fields.u16()?;
        fields.skip(2)?;
        let fixed = Fixed::read(&mut fields)?;
        let comment = usize::from(fields.u16()?);
        // First disk, internal attributes.
        fields.skip(4)?;
        let (attributes, offset) = (fields.u32()?, fields.u32()?);
        Some((made_by, fixed, comment, attributes, offset))
    })();
    let Some((made_by, fixed, comment, attributes, offset)) = parsed else {
        return Ok(None);
    };
    let (Some(name), Some(extra), Some(())) = (
        fields.take(fixed.name_len),
        fields.take(fixed.extra_len),
        fields.skip(comment),
    ) else {
        return Ok(None);
    };
    let mut offset = u64::from(offset);
    let mut header = fixed.header(name);
    let wide = offset == u64::from(u32::MAX);
    header
        .widen(extra, wide.then_some(&mut offset))
        .ok_or(ReadError::Extra { record })?;
    let central = Central {
        header,
        made_by,
        attributes,
        offset,
    };
    Ok(Some((
        central,
        CENTRAL_LEN + fixed.name_len + fixed.extra_len + comment,
    )))
}

/// How long the local header is that begins with `fixed`.
///
/// # Errors
///
/// [`ReadError`] if it is none.
pub fn local_header_size(fixed: &[u8; LOCAL_LEN]) -> Result<usize, ReadError> {
    if !Fields(fixed).signature(LOCAL) {
        return Err(ReadError::Signature {
            record: Record::LocalHeader,
        });
    }
    let len = |at: usize| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
    Ok(LOCAL_LEN + len(26) + len(28))
}

/// Reads a local header, all of it.
///
/// # Errors
///
/// [`ReadError`] if it is none.
pub fn read_local_header(bytes: &[u8]) -> Result<Header<'_>, ReadError> {
    let record = Record::LocalHeader;
    let mut fields = Fields(bytes);
    if !fields.signature(LOCAL) {
        return Err(ReadError::Signature { record });
    }
    let parsed = (|| {
        fields.skip(2)?;
        let fixed = Fixed::read(&mut fields)?;
        Some((
            fixed,
            fields.take(fixed.name_len)?,
            fields.take(fixed.extra_len)?,
        ))
    })();
    let (fixed, name, extra) = parsed.ok_or(ReadError::Truncated { record })?;
    let mut header = fixed.header(name);
    header
        .widen(extra, None)
        .ok_or(ReadError::Extra { record })?;
    Ok(header)
}

/// The most bytes that a data descriptor takes (4.3.9): signature, CRC-32, two sizes of 64 bits.
pub const MAX_DESCRIPTOR: usize = 24;

/// How long the data descriptor is that `bytes` begin with, if it says the same as `header`.
/// Writers leave the signature out or not, and make sizes 32 or 64 bits wide, without a sign.
#[must_use]
pub fn descriptor_len(bytes: &[u8], header: &Header<'_>) -> Option<usize> {
    [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .find_map(|(signed, wide)| {
            let mut fields = Fields(bytes);
            let all = bytes.len();
            if signed && !fields.signature(DESCRIPTOR) {
                return None;
            }
            let crc32 = fields.u32()?;
            let mut size = || {
                if wide {
                    fields.u64()
                } else {
                    fields.u32().map(u64::from)
                }
            };
            let (compressed, uncompressed) = (size()?, size()?);
            let same = (crc32, compressed, uncompressed)
                == (header.crc32, header.compressed, header.uncompressed);
            same.then(|| all - fields.0.len())
        })
}

/// The fields that both headers have in the same order, after what differs.
#[derive(Clone, Copy)]
struct Fixed {
    flags: u16,
    method: u16,
    dos_time: u32,
    crc32: u32,
    compressed: u32,
    uncompressed: u32,
    name_len: usize,
    extra_len: usize,
}

impl Fixed {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            flags: fields.u16()?,
            method: fields.u16()?,
            dos_time: fields.u32()?,
            crc32: fields.u32()?,
            compressed: fields.u32()?,
            uncompressed: fields.u32()?,
            name_len: fields.u16()?.into(),
            extra_len: fields.u16()?.into(),
        })
    }

    fn header<'a>(&self, name: &'a [u8]) -> Header<'a> {
        Header {
            flags: self.flags,
            method: self.method,
            dos_time: self.dos_time,
            crc32: self.crc32,
            compressed: self.compressed.into(),
            uncompressed: self.uncompressed.into(),
            name,
        }
    }
}

impl Header<'_> {
    /// Puts in what a zip64 extra holds (4.5.3): of the sizes and the offset those that do not fit
    /// into 32 bits, in this order. None if it is damaged.
    fn widen(&mut self, extra: &[u8], offset: Option<&mut u64>) -> Option<()> {
        let mut fields = Fields(extra);
        // Some writers fill up with bytes that are no field.
        while fields.0.len() >= 4 {
            let (id, len) = (fields.u16()?, fields.u16()?);
            let Some(body) = fields.take(len.into()) else {
                return Some(());
            };
            if id != 1 {
                continue;
            }
            let mut body = Fields(body);
            let full = u64::from(u32::MAX);
            for value in [
                Some(&mut self.uncompressed),
                Some(&mut self.compressed),
                offset,
            ]
            .into_iter()
            .flatten()
            {
                if *value == full {
                    *value = body.u64()?;
                }
            }
            return Some(());
        }
        Some(())
    }
}

/// Bytes that are read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    fn signature(&mut self, signature: [u8; 4]) -> bool {
        let found = self.0.starts_with(&signature);
        if found {
            self.0 = &self.0[4..];
        }
        found
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
