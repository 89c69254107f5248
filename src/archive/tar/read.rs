//! Reads the headers of any tar: old Unix tar, ustar, pax and GNU tar, which differ in long names and large
//! numbers.
//!
//! It reads one block or one extended header at a time, and never panics.

use std::ops::Range;

use super::{BLOCK, checksum, field};

/// Why bytes are not a tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// The sum of a header's bytes is not its checksum.
    #[error("a header's checksum is wrong")]
    Checksum,
    /// A field does not hold a number.
    #[error("a header's {0} is not a number")]
    Number(&'static str),
    /// A pax extended header does not consist of records.
    #[error("a pax extended header is damaged")]
    Pax,
}

/// What a header block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The entry's path, prefix and name joined. A header before it may have a longer one.
    pub name: Vec<u8>,
    /// The target of a link, or empty.
    pub link: Vec<u8>,
    /// The type: `0` or zero a file, `5` a directory, `2` a symbolic link, `x` a pax header.
    pub kind: u8,
    /// The permissions, and any other bits of the field.
    pub mode: u64,
    /// The numbers of the user and the group that own it; 0 if the field is no number.
    pub owner: (u64, u64),
    /// Bytes of content that follow, before padding.
    pub size: u64,
    /// Seconds since 1970, UTC.
    pub mtime: i64,
}

/// Reads a header. None for a block of zeros, which ends an archive.
///
/// # Errors
///
/// [`TarError`] if the block is not a header.
pub fn parse(block: &[u8; BLOCK]) -> Result<Option<Header>, TarError> {
    if block.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    let sum = number(block, field::CHECKSUM, "checksum")?;
    if u64::try_from(sum) != Ok(checksum(block)) {
        return Err(TarError::Checksum);
    }
    let unsigned = |field, what| {
        let number = number(block, field, what)?;
        u64::try_from(number).map_err(|_| TarError::Number(what))
    };
    let mut name = text(block, field::PREFIX).to_vec();
    // GNU's format has times in place of the prefix.
    if !block[field::MAGIC].starts_with(b"ustar\0") {
        name.clear();
    }
    if !name.is_empty() {
        name.push(b'/');
    }
    name.extend_from_slice(text(block, field::NAME));
    Ok(Some(Header {
        name,
        link: text(block, field::LINK).to_vec(),
        kind: block[field::TYPE],
        mode: unsigned(field::MODE, "mode")?,
        owner: (
            unsigned(field::UID, "user").unwrap_or(0),
            unsigned(field::GID, "group").unwrap_or(0),
        ),
        size: unsigned(field::SIZE, "size")?,
        mtime: number(block, field::MTIME, "time")?,
    }))
}

/// The records of a pax extended header: keys and values.
///
/// # Errors
///
/// [`TarError::Pax`] for the first bytes that are not a record. The iterator ends there.
pub fn pax(body: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), TarError>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let record = record(rest);
        rest = record.map_or(&[], |(_, _, rest)| rest);
        Some(
            record
                .map(|(key, value, _)| (key, value))
                .ok_or(TarError::Pax),
        )
    })
}

/// The first key and value of `body`, and the rest.
fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = body.iter().position(|&byte| byte == b' ')?;
    let len: usize = std::str::from_utf8(&body[..space]).ok()?.parse().ok()?;
    let (record, rest) = (body.get(space + 1..len)?, &body[len..]);
    let record = record.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

/// The field up to its first zero byte.
fn text(block: &[u8; BLOCK], field: Range<usize>) -> &[u8] {
    let text = &block[field];
    let end = text.iter().position(|&byte| byte == 0);
    &text[..end.unwrap_or(text.len())]
}

/// A number in octal digits, between spaces and zero bytes; no digits are 0. Or, if the top bit is set, a
/// number in base 256.
fn number(block: &[u8; BLOCK], field: Range<usize>, what: &'static str) -> Result<i64, TarError> {
    let bytes = &block[field];
    let fail = TarError::Number(what);
    if bytes[0] & 0x80 != 0 {
        // Two's complement, after the top bit.
        let sign = if bytes[0] & 0x40 == 0 { 0 } else { -1 };
        let first = i128::from(bytes[0] & 0x3F) | (sign << 6);
        let number = bytes[1..].iter().try_fold(first, |number, &byte| {
            let number = number.checked_mul(256)? | i128::from(byte);
            Some(number)
        });
        return number
            .and_then(|number| i64::try_from(number).ok())
            .ok_or(fail);
    }
    let digits = bytes
        .iter()
        .skip_while(|&&byte| byte == b' ')
        .take_while(|&&byte| byte != b' ' && byte != 0);
    digits
        .copied()
        .try_fold(0_i64, |number, digit| match digit {
            b'0'..=b'7' => number
                .checked_mul(8)
                .and_then(|number| number.checked_add(i64::from(digit - b'0')))
                .ok_or(fail),
            _ => Err(fail),
        })
}
