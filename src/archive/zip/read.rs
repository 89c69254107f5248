//! Reads the records of any zip, not only of those that hoist writes.
//!
//! `hoist verify` reads stored archives with it, and `hoist push` archives that another program made.
//! Both use this one reader, so that they agree on what a zip is. It does no I/O: it says which bytes
//! it needs next, and the caller reads them from a file or as ranges of an S3 object.
//!
//! It takes what other archivers make: comments, extra fields of any kind, data descriptors, any
//! compression method. It refuses archives that are split into several disks, and records that are cut
//! short or are not where another record says. It trusts no size, never panics, and holds at most
//! [`PIECE`] bytes and one header of a directory.

use std::fmt;
use std::ops::Range;

const END: [u8; 4] = *b"PK\x05\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

const END_LEN: usize = 22;
const LOCATOR_LEN: usize = 20;
const ZIP64_END_LEN: usize = 56;

/// Bytes of a central header without name, extra fields and comment (4.3.12).
pub const CENTRAL_LEN: usize = 46;

/// Bytes of a local header without name and extra fields (4.3.7).
pub const LOCAL_LEN: usize = 30;

/// Bytes of the directory that are read at a time.
const PIECE: u64 = 256 << 10;

/// General purpose flag (4.4.4, bit 3): CRC-32 and sizes follow the data, in a descriptor.
pub const FLAG_DESCRIPTOR: u16 = 1 << 3;

/// General purpose flag (bit 0): the data is encrypted.
pub const FLAG_ENCRYPTED: u16 = 1;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Before an entry's data (4.3.7).
    LocalHeader,
    /// In the central directory (4.3.12).
    CentralHeader,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Record::LocalHeader => "local header",
            Record::CentralHeader => "central header",
        })
    }
}

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

/// The last bytes of an archive of `archive` bytes: enough to find its directory, since they hold the
/// end records and the longest comment.
#[must_use]
pub fn end_window(archive: u64) -> Range<u64> {
    const MAX: usize = ZIP64_END_LEN + LOCATOR_LEN + END_LEN + u16::MAX as usize;
    archive.saturating_sub(MAX as u64)..archive
}

/// Where the central directory is, as the end records say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Offset of its first header.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Number of headers.
    pub entries: u64,
    /// Bytes between its end and the end record. In an archive that was appended to other bytes (a
    /// self-extracting one) all offsets are too small by this number.
    pub gap: u64,
    /// Bytes after the end record and its comment.
    pub trailing: u64,
}

impl Directory {
    /// Finds the directory of an archive of `archive` bytes. `tail` is its [`end_window`].
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the end records are missing or contradict each other.
    pub fn find(tail: &[u8], archive: u64) -> Result<Self, ReadError> {
        let base = archive.saturating_sub(tail.len() as u64);
        let (at, trailing) = find_end(tail).ok_or(ReadError::NoEnd)?;
        let mut end = Fields(&tail[at + 4..]);
        let fields = (|| {
            let disks = (end.u16()?, end.u16()?);
            Some((disks, end.u16()?, end.u16()?, end.u32()?, end.u32()?))
        })();
        let (disks, here, entries, len, start) = fields.ok_or(ReadError::NoEnd)?;
        let mut directory = Self {
            start: start.into(),
            len: len.into(),
            entries: entries.into(),
            gap: 0,
            trailing: trailing as u64,
        };
        let zip64 = at.checked_sub(LOCATOR_LEN).and_then(|at| {
            let mut locator = Fields(&tail[at..]);
            (locator.signature(ZIP64_LOCATOR) && locator.skip(4).is_some()).then_some(())?;
            locator.u64()
        });
        let mut limit = base + at as u64;
        let is_wide = entries == u16::MAX || len == u32::MAX || start == u32::MAX;
        let zip64 = zip64.filter(|_| is_wide);
        if let Some(offset) = zip64 {
            directory.read_zip64_end(tail, base, offset)?;
            limit = offset;
        } else if !is_wide && (disks != (0, 0) || here != entries) {
            return Err(ReadError::Disks);
        }
        let end = directory.start.checked_add(directory.len);
        let end = end.unwrap_or(u64::MAX);
        let gap = limit.checked_sub(end);
        let gap = gap.ok_or(ReadError::Directory { end, limit })?;
        // A zip64 record was where the locator says, so nothing was put before the archive.
        directory.gap = if zip64.is_some() { 0 } else { gap };
        Ok(directory)
    }

    fn read_zip64_end(&mut self, tail: &[u8], base: u64, offset: u64) -> Result<(), ReadError> {
        let at = offset
            .checked_sub(base)
            .and_then(|at| usize::try_from(at).ok());
        let mut end = Fields(at.and_then(|at| tail.get(at..)).ok_or(ReadError::Zip64)?);
        // Signature; size of the record, versions, two disks, entries on this one.
        if !end.signature(ZIP64_END) || end.skip(8 + 2 + 2 + 4 + 4 + 8).is_none() {
            return Err(ReadError::Zip64);
        }
        let mut next = || end.u64().ok_or(ReadError::Zip64);
        (self.entries, self.len, self.start) = (next()?, next()?, next()?);
        Ok(())
    }

    /// The directory, moved by [`gap`](Self::gap) if the four bytes at its recorded start are not those
    /// of a central header.
    #[must_use]
    pub fn moved_unless_found(self, signature: [u8; 4]) -> Self {
        if signature == CENTRAL {
            return self;
        }
        let start = self.start + self.gap;
        Self {
            start,
            gap: 0,
            ..self
        }
    }
}

/// Where the end record begins in `tail`, and how many bytes follow its comment. Data may contain the
/// signature, so of several places the one with the fewest bytes after it counts.
fn find_end(tail: &[u8]) -> Option<(usize, usize)> {
    let places = (0..=tail.len().saturating_sub(END_LEN)).rev();
    let ends = places.filter_map(|at| {
        let mut end = Fields(tail.get(at..)?);
        end.signature(END).then_some(())?;
        end.skip(16)?;
        let comment = usize::from(end.u16()?);
        Some((at, end.0.len().checked_sub(comment)?))
    });
    ends.min_by_key(|(_, trailing)| *trailing)
}

/// Reads a central directory header by header, from pieces that the caller reads.
///
/// ```text
/// while let Some((offset, piece)) = reader.next_piece()? {
///     // fill `piece` with the archive's bytes from `offset` on
///     while let Some(central) = reader.next_header()? { … }
/// }
/// ```
#[derive(Debug)]
pub struct DirectoryReader {
    /// The bytes of the directory that are not read yet.
    rest: Range<u64>,
    /// The last piece, and before it the part of a header that came with the piece before.
    buffer: Vec<u8>,
    /// How much of `buffer` was parsed.
    parsed: usize,
}

impl DirectoryReader {
    /// Reads from the first header on.
    #[must_use]
    pub fn new(directory: &Directory) -> Self {
        Self {
            rest: directory.start..directory.start.saturating_add(directory.len),
            buffer: Vec::new(),
            parsed: 0,
        }
    }

    /// The next bytes of the archive to read: their offset, and where to put them. None at the end of
    /// the directory. All headers of the piece before must have been taken.
    ///
    /// # Errors
    ///
    /// [`ReadError::Truncated`] if the directory ends within a header.
    pub fn next_piece(&mut self) -> Result<Option<(u64, &mut [u8])>, ReadError> {
        self.buffer.drain(..self.parsed);
        self.parsed = 0;
        let (offset, had) = (self.rest.start, self.buffer.len());
        let len = (self.rest.end - offset).min(PIECE);
        if len == 0 {
            let record = Record::CentralHeader;
            return match had {
                0 => Ok(None),
                _ => Err(ReadError::Truncated { record }),
            };
        }
        self.rest.start += len;
        self.buffer
            .resize(had + usize::try_from(len).unwrap_or(0), 0);
        Ok(self.buffer.get_mut(had..).map(|piece| (offset, piece)))
    }

    /// The next header. None if the piece has no further complete one.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the bytes are not a central header.
    pub fn next_header(&mut self) -> Result<Option<Central<'_>>, ReadError> {
        let bytes = self.buffer.get(self.parsed..).unwrap_or_default();
        let Some((central, len)) = central_header(bytes)? else {
            return Ok(None);
        };
        self.parsed += len;
        Ok(Some(central))
    }
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
    /// The name, byte for byte.
    pub name: &'a [u8],
}

/// What a central header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Central<'a> {
    /// What the local header should say too.
    pub header: Header<'a>,
    /// The host that made it, in the upper half (4.4.2): 3 is Unix.
    pub made_by: u16,
    /// External attributes (4.4.15): of a Unix host, `st_mode` in the upper half.
    pub attributes: u32,
    /// Offset of the local header.
    pub offset: u64,
    /// Whether it has an extra field.
    pub has_extra: bool,
}

/// General purpose flag (4.4.4, bit 11): the name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;

impl Central<'_> {
    /// Whether Info-ZIP's `unzip` 6.0 changes the name where it runs in the C locale: of a name that the
    /// flag marks as UTF-8 it writes the numbers of the characters (`caf#U00e9`) if the header has an
    /// extra field, and the bytes if it has none.
    #[must_use]
    pub fn name_depends_on_locale(&self) -> bool {
        self.has_extra && self.header.flags & FLAG_UTF8 != 0 && !self.header.name.is_ascii()
    }
}

/// Reads the central header at the start of `bytes`, and its length. None if there are too few bytes.
fn central_header(bytes: &[u8]) -> Result<Option<(Central<'_>, usize)>, ReadError> {
    let record = Record::CentralHeader;
    if bytes.len() < CENTRAL_LEN {
        return Ok(None);
    }
    let mut fields = Fields(bytes);
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
        let (attributes, offset) = (fields.u32()?, u64::from(fields.u32()?));
        let header = fixed.header(fields.take(fixed.name_len)?);
        let extra = fields.take(fixed.extra_len)?;
        fields.skip(comment)?;
        let central = Central {
            header,
            made_by,
            attributes,
            offset,
            has_extra: !extra.is_empty(),
        };
        Some((central, extra))
    })();
    let Some((mut central, extra)) = parsed else {
        return Ok(None);
    };
    let Central { header, offset, .. } = &mut central;
    let wide_offset = (*offset == u64::from(u32::MAX)).then_some(offset);
    let widened = header.widen(extra, wide_offset);
    widened.ok_or(ReadError::Extra { record })?;
    Ok(Some((central, bytes.len() - fields.0.len())))
}

/// The length of the local header that begins with `fixed`.
///
/// # Errors
///
/// [`ReadError::Signature`] if `fixed` is not the beginning of a local header.
pub fn local_header_size(fixed: &[u8; LOCAL_LEN]) -> Result<usize, ReadError> {
    if !Fields(fixed).signature(LOCAL) {
        return Err(ReadError::Signature {
            record: Record::LocalHeader,
        });
    }
    let len = |at: usize| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
    Ok(LOCAL_LEN + len(26) + len(28))
}

/// Reads a whole local header.
///
/// # Errors
///
/// [`ReadError`] if `bytes` are not one.
pub fn read_local_header(bytes: &[u8]) -> Result<Header<'_>, ReadError> {
    let record = Record::LocalHeader;
    let mut fields = Fields(bytes);
    if !fields.signature(LOCAL) {
        return Err(ReadError::Signature { record });
    }
    let parsed = (|| {
        fields.skip(2)?;
        let fixed = Fixed::read(&mut fields)?;
        let header = fixed.header(fields.take(fixed.name_len)?);
        Some((header, fields.take(fixed.extra_len)?))
    })();
    let (mut header, extra) = parsed.ok_or(ReadError::Truncated { record })?;
    let widened = header.widen(extra, None);
    widened.ok_or(ReadError::Extra { record })?;
    Ok(header)
}

/// The most bytes of a data descriptor (4.3.9): signature, CRC-32, two sizes of 64 bits.
pub const MAX_DESCRIPTOR: usize = 24;

/// The length of the data descriptor at the start of `bytes`, if it agrees with `header`. Some writers
/// leave out the signature, and some write sizes of 64 bits; nothing in the archive says which.
#[must_use]
pub fn descriptor_len(bytes: &[u8], header: &Header<'_>) -> Option<usize> {
    [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .find_map(|(signed, wide)| {
            let mut fields = Fields(bytes);
            if signed && !fields.signature(DESCRIPTOR) {
                return None;
            }
            let crc32 = fields.u32()?;
            let mut size = || match wide {
                true => fields.u64(),
                false => fields.u32().map(u64::from),
            };
            let (compressed, uncompressed) = (size()?, size()?);
            let agrees = (crc32, compressed, uncompressed)
                == (header.crc32, header.compressed, header.uncompressed);
            agrees.then(|| bytes.len() - fields.0.len())
        })
}

/// The fields that both headers have in a row.
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
    /// Takes the sizes and the offset that do not fit into 32 bits from the zip64 extra field (4.5.3),
    /// which has them in this order. None if that field is too short for them.
    fn widen(&mut self, extra: &[u8], wide_offset: Option<&mut u64>) -> Option<()> {
        let mut fields = Fields(extra);
        // Some writers pad the extra fields with bytes that are not a field.
        while fields.0.len() >= 4 {
            let (id, len) = (fields.u16()?, fields.u16()?);
            let Some(body) = fields.take(len.into()) else {
                return Some(());
            };
            if id != 1 {
                continue;
            }
            let mut body = Fields(body);
            let sizes = [&mut self.uncompressed, &mut self.compressed];
            for value in sizes.into_iter().chain(wide_offset) {
                if *value == u64::from(u32::MAX) {
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

    /// Whether `signature` comes next. If so, it is skipped.
    fn signature(&mut self, signature: [u8; 4]) -> bool {
        let rest = self.0.strip_prefix(&signature);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
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
