//! Renders the records of a tar.
//!
//! A tar has no directory and no checksums of contents, so the length of each entry is known before its
//! content is read. Its records can be rendered on any thread, in any order, from names, sizes, modes and
//! times.
//!
//! ```text
//! header | content | zeros up to 512 | header | ... | two blocks of zeros | zeros up to 10,240
//! ```
//!
//! Headers are POSIX ustar. Values that do not fit go into a pax extended header before them: names and
//! link targets that are too long or not ASCII, sizes from 8 GiB on, times before 1970 or after 2242. The
//! machine does not show: owner and group are 0 and have no names, as GNU tar's `--owner=0 --group=0
//! --numeric-owner` writes them; times are whole seconds; of the mode, only the nine permission bits are
//! kept. The end is padded to records of 10,240 bytes, as GNU tar's.
//!
//! Refused here: I/O; writing GNU's extensions; hard links, devices and sparse files. [`parse`] and
//! [`pax`] read the headers of any tar.
//!
//! Sources: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar's
//! manual, "Basic Tar Format", for base-256 numbers and the record size.

mod read;
#[cfg(test)]
mod tests;

pub use self::read::{Header, TarError, parse, pax};

/// Bytes of a block. A header is one block; contents are padded to whole blocks.
pub const BLOCK: usize = 512;

/// The whole archive is padded to a multiple of this: 20 blocks.
const RECORD: u64 = 20 * BLOCK as u64;

/// Two blocks of zeros end an archive.
const END: u64 = 2 * BLOCK as u64;

/// The places of a header's fields.
mod field {
    use std::ops::Range;

    pub(super) const NAME: Range<usize> = 0..100;
    pub(super) const MODE: Range<usize> = 100..108;
    pub(super) const UID: Range<usize> = 108..116;
    pub(super) const GID: Range<usize> = 116..124;
    pub(super) const SIZE: Range<usize> = 124..136;
    pub(super) const MTIME: Range<usize> = 136..148;
    pub(super) const CHECKSUM: Range<usize> = 148..156;
    pub(super) const TYPE: usize = 156;
    pub(super) const LINK: Range<usize> = 157..257;
    pub(super) const MAGIC: Range<usize> = 257..265;
    pub(super) const DEV_MAJOR: Range<usize> = 329..337;
    pub(super) const DEV_MINOR: Range<usize> = 337..345;
    pub(super) const PREFIX: Range<usize> = 345..500;
}

/// The type of a pax extended header.
const PAX: u8 = b'x';

/// The name that Python's tarfile gives to pax headers. Readers that know pax do not show it.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// The largest number that eleven octal digits hold: a size of 8 GiB - 1, or a time in 2242.
const MAX_OCTAL: u64 = (1 << 33) - 1;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A file. Its content follows the header.
    File,
    /// A directory. Its name ends in `/`.
    Directory,
    /// A symbolic link, and its target.
    Symlink(&'a [u8]),
}

/// What a header is rendered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path inside the archive, without a zero byte; a directory's ends in `/`.
    pub name: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
    /// `st_mode`. Only the nine permission bits are written.
    pub mode: u32,
    /// Seconds since 1970, UTC.
    pub mtime: i64,
    /// Bytes of content: 0 unless it is a file.
    pub size: u64,
}

/// Appends the header of `entry`: a multiple of [`BLOCK`] bytes.
pub fn header(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let records = Records::of(entry);
    let body = records.len();
    if body > 0 {
        let mut block = Block::new(PAX);
        block.text(field::NAME, PAX_NAME);
        block.octal(field::MODE, 0o644);
        block.octal(field::SIZE, body);
        block.octal(field::MTIME, 0);
        block.write(out);
        records.write(out);
        pad(out, body);
    }
    let (kind, link) = match entry.kind {
        Kind::File => (b'0', &[][..]),
        Kind::Directory => (b'5', &[][..]),
        Kind::Symlink(target) => (b'2', target),
    };
    let mut block = Block::new(kind);
    // As much as fits, for readers that do not know pax.
    let (prefix, name) = split(entry.name).unwrap_or((&[], entry.name));
    block.text(field::PREFIX, prefix);
    block.text(field::NAME, name);
    block.text(field::LINK, link);
    block.octal(field::MODE, u64::from(entry.mode & 0o777));
    block.size(entry.size);
    let mtime = u64::try_from(entry.mtime).unwrap_or(0);
    block.octal(field::MTIME, mtime.min(MAX_OCTAL));
    block.write(out);
}

/// The number of bytes that [`header`] appends.
#[must_use]
pub fn header_len(entry: &Entry<'_>) -> u64 {
    let block = BLOCK as u64;
    match Records::of(entry).len() {
        0 => block,
        body => block + body.next_multiple_of(block) + block,
    }
}

/// The number of zeros after `size` bytes of content, less than [`BLOCK`].
#[must_use]
pub fn padding(size: u64) -> usize {
    let over = size % BLOCK as u64;
    // It fits: it is less than a block.
    usize::try_from(over).map_or(0, |over| (BLOCK - over) % BLOCK)
}

/// The number of zeros after the last entry, which ends at `position`.
#[must_use]
pub fn end_len(position: u64) -> u64 {
    let end = position.saturating_add(END);
    END + (RECORD - end % RECORD) % RECORD
}

/// The pax records of an entry: the values that do not fit its header.
#[derive(Debug, Default)]
struct Records<'a> {
    /// Whether a text is not UTF-8, which pax assumes unless a record says otherwise.
    binary: bool,
    link: Option<&'a [u8]>,
    mtime: Option<i64>,
    path: Option<&'a [u8]>,
    size: Option<u64>,
}

impl<'a> Records<'a> {
    fn of(entry: &Entry<'a>) -> Self {
        let link = match entry.kind {
            Kind::Symlink(target) if target.len() > field::LINK.len() || names_text(target) => {
                Some(target)
            }
            _ => None,
        };
        let fits = u64::try_from(entry.mtime).is_ok_and(|mtime| mtime <= MAX_OCTAL);
        let path = split(entry.name).is_none() || names_text(entry.name);
        let path = path.then_some(entry.name);
        let texts = link.into_iter().chain(path);
        Self {
            binary: texts
                .into_iter()
                .any(|text| std::str::from_utf8(text).is_err()),
            link,
            mtime: (!fits).then_some(entry.mtime),
            path,
            size: (entry.size > MAX_OCTAL).then_some(entry.size),
        }
    }

    /// Calls `take` with each key and value, in the order of the keys.
    fn each(&self, mut take: impl FnMut(&[u8], &[u8])) {
        if self.binary {
            take(b"hdrcharset", b"BINARY");
        }
        if let Some(link) = self.link {
            take(b"linkpath", link);
        }
        if let Some(mtime) = self.mtime {
            take(b"mtime", mtime.to_string().as_bytes());
        }
        if let Some(path) = self.path {
            take(b"path", path);
        }
        if let Some(size) = self.size {
            take(b"size", size.to_string().as_bytes());
        }
    }

    fn len(&self) -> u64 {
        let mut len = 0;
        self.each(|key, value| len += record_len(key, value) as u64);
        len
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.each(|key, value| {
            out.extend_from_slice(record_len(key, value).to_string().as_bytes());
            out.push(b' ');
            out.extend_from_slice(key);
            out.push(b'=');
            out.extend_from_slice(value);
            out.push(b'\n');
        });
    }
}

/// The length of `LEN key=value\n`, where `LEN` is this length.
fn record_len(key: &[u8], value: &[u8]) -> usize {
    let rest = key.len() + value.len() + 3;
    let digits = |number: usize| number.ilog10() as usize + 1;
    let mut len = rest + digits(rest);
    // The digit that was added may need another digit.
    if rest + digits(len) != len {
        len = rest + digits(len);
    }
    len
}

/// Whether a name has characters that only UTF-8 defines. pax says that it is UTF-8; ustar does not.
/// Names that are not UTF-8 stand in the header byte for byte.
fn names_text(name: &[u8]) -> bool {
    !name.is_ascii() && std::str::from_utf8(name).is_ok()
}

/// The name's prefix and rest, which a reader joins with a slash. The prefix is as short as possible. None
/// if the name does not fit a header.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let room = field::NAME.len();
    if name.len() <= room {
        return Some((&[], name));
    }
    // The slash is in neither of them.
    let from = name.len() - room - 1;
    let slash = from + name[from..].iter().position(|&byte| byte == b'/')?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    (prefix.len() <= field::PREFIX.len() && !prefix.is_empty() && !rest.is_empty())
        .then_some((prefix, rest))
}

/// Appends the zeros that follow `size` bytes.
fn pad(out: &mut Vec<u8>, size: u64) {
    out.resize(out.len() + padding(size), 0);
}

/// A header that is being filled in.
struct Block([u8; BLOCK]);

impl Block {
    fn new(kind: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.0[field::TYPE] = kind;
        block.text(field::MAGIC, b"ustar\x0000");
        for field in [field::UID, field::GID, field::DEV_MAJOR, field::DEV_MINOR] {
            block.octal(field, 0);
        }
        block
    }

    /// Puts as much of `text` into the field as fits.
    fn text(&mut self, field: std::ops::Range<usize>, text: &[u8]) {
        for (place, &byte) in self.0[field].iter_mut().zip(text) {
            *place = byte;
        }
    }

    /// Puts the number into the field, in octal digits and a zero byte. It must fit.
    fn octal(&mut self, field: std::ops::Range<usize>, number: u64) {
        let mut left = number;
        for place in self.0[field].iter_mut().rev().skip(1) {
            *place = b'0' + (left & 7) as u8;
            left >>= 3;
        }
        debug_assert_eq!(left, 0, "a number fits its field");
    }

    /// Puts in the size, in base 256 if the octal digits are too few: a reader that does not know pax would
    /// otherwise take content for headers.
    fn size(&mut self, size: u64) {
        if size <= MAX_OCTAL {
            return self.octal(field::SIZE, size);
        }
        let place = &mut self.0[field::SIZE];
        place[0] = 0x80;
        place[4..].copy_from_slice(&size.to_be_bytes());
    }

    fn write(mut self, out: &mut Vec<u8>) {
        let sum = checksum(&self.0);
        self.octal(field::CHECKSUM.start..field::CHECKSUM.end - 1, sum);
        self.0[field::CHECKSUM.end - 1] = b' ';
        out.extend_from_slice(&self.0);
    }
}

/// The sum of a header's bytes, with spaces in place of the checksum.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let spaces = u64::from(b' ') * field::CHECKSUM.len() as u64;
    sum(block) - sum(&block[field::CHECKSUM]) + spaces
}
