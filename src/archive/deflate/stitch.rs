//! Joins deflate streams that were compressed separately, so that many cores can work on one file.
//!
//! libdeflate marks the last block of every stream as final (`BFINAL`, RFC 1951 section 3.2.3) and has
//! no flush. [`unfinish`] turns such a stream into one that another can follow: it clears the mark and,
//! unless the stream ends on a byte boundary, appends an empty stored block, which does. For this it
//! needs two places that a stream does not name: where its last block begins, and the bit at which it
//! ends.
//!
//! [`scan`] finds them by skipping every symbol. It is many times as fast as inflating, because it needs
//! only the lengths of the symbols: it writes nothing and follows no distance.
//!
//! It refuses what zlib refuses, except for a distance that reaches back past the start of the data,
//! which only inflating shows.

mod bits;
mod codes;
#[cfg(test)]
mod tests;

use bits::Bits;
use codes::{Codes, FIXED};

/// Why bytes are not a deflate stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end before the final block does.
    #[error("the deflate stream is cut short")]
    Truncated,
    /// A block has type 3, which is reserved.
    #[error("the deflate stream has a block of the reserved type 3")]
    BlockType,
    /// A stored block's length is not followed by its complement.
    #[error("the deflate stream has a stored block of doubtful length")]
    StoredLength,
    /// A dynamic block's header does not describe usable Huffman codes.
    #[error("the deflate stream has a block with unusable codes")]
    CodeLengths,
    /// Some bits are not a code.
    #[error("the deflate stream has a code without a meaning")]
    Code,
    /// The stream ends before the bytes do.
    #[error("the deflate stream is followed by other bytes")]
    Trailing,
}

/// Two places in a deflate stream, in bits from its start. The low bit of a byte comes first (RFC
/// 1951 section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The header of the last block, which begins with `BFINAL`.
    pub last_block: u64,
    /// One past the last bit of that block.
    pub end: u64,
}

impl Ends {
    /// The length of the stream in bytes. It may use only a part of the last one.
    pub fn len_bytes(self) -> u64 {
        self.end.div_ceil(8)
    }
}

/// Finds the ends of the raw deflate stream at the start of `bytes`. Bytes after it are not read.
///
/// # Errors
///
/// [`Malformed`] if there is no complete stream.
pub fn scan(bytes: &[u8]) -> Result<Ends, Malformed> {
    let mut bits = Bits::new(bytes);
    let mut dynamic = Codes::new();
    loop {
        let last_block = bits.position();
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits.skip_stored()?,
            1 => FIXED.skip_symbols(&mut bits)?,
            2 => {
                dynamic.read(&mut bits)?;
                dynamic.skip_symbols(&mut bits)?;
            }
            _ => return Err(Malformed::BlockType),
        }
        if last {
            return Ok(Ends {
                last_block,
                end: bits.position(),
            });
        }
    }
}

/// Turns `out[start..]`, a finished raw deflate stream, into one that another can follow: none of its
/// blocks is final, and it ends on a byte boundary. It grows by five bytes at most.
///
/// # Errors
///
/// [`Malformed`] if that is not exactly one stream. `out` is then unchanged.
pub fn unfinish(out: &mut Vec<u8>, start: usize) -> Result<(), Malformed> {
    let stream = out.get_mut(start..).unwrap_or_default();
    let ends = scan(stream)?;
    if ends.len_bytes() != stream.len() as u64 {
        return Err(Malformed::Trailing);
    }
    let header = usize::try_from(ends.last_block / 8).ok();
    if let Some(byte) = header.and_then(|at| stream.get_mut(at)) {
        *byte &= !(1 << (ends.last_block % 8));
    }
    let used = ends.end % 8;
    if used == 0 {
        return Ok(());
    }
    // Three zero bits say "not final, stored"; zero bits pad the byte; then the length, 0, and its
    // complement (RFC 1951 section 3.2.4).
    if let Some(byte) = stream.last_mut() {
        *byte &= (1 << used) - 1;
    }
    if used > 5 {
        out.push(0);
    }
    out.extend_from_slice(&[0x00, 0x00, 0xff, 0xff]);
    Ok(())
}
