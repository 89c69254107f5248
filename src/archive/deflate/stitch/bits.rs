//! A position in a deflate stream, and the bits from there on.

use super::Malformed;

/// Bits in the buffer after a refill. Whole bytes go in, so up to seven of its 64 stay empty.
pub(super) const REFILL_BITS: u32 = 56;

/// Reads a stream from the low bit of its first byte on (RFC 1951 section 3.1.1).
///
/// `buffer` has the next `count` bits. Above them it has the bits that follow, or zeros. Adding those
/// again changes nothing, so a refill is a load, a shift and an or.
pub(super) struct Bits<'a> {
    stream: &'a [u8],
    /// The first byte that `count` leaves out.
    next: usize,
    pub(super) buffer: u64,
    /// At most 63.
    pub(super) count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Self {
        Self {
            stream,
            next: 0,
            buffer: 0,
            count: 0,
        }
    }

    /// Bits read so far.
    pub(super) fn position(&self) -> u64 {
        self.next as u64 * 8 - u64::from(self.count)
    }

    /// The next `n` bits, 1 to 16 of them. There are zeros past the end.
    pub(super) fn peek(&mut self, n: u32) -> u16 {
        self.refill();
        let [low, high, ..] = self.buffer.to_le_bytes();
        u16::from_le_bytes([low, high]) & (u16::MAX >> (16 - n))
    }

    /// Reads `n` bits, 1 to 16 of them.
    pub(super) fn take(&mut self, n: u32) -> Result<u16, Malformed> {
        let bits = self.peek(n);
        self.drop(n)?;
        Ok(bits)
    }

    /// Skips `n` bits of those in the buffer.
    pub(super) fn drop(&mut self, n: u32) -> Result<(), Malformed> {
        self.count = self.count.checked_sub(n).ok_or(Malformed::Truncated)?;
        self.buffer >>= n;
        Ok(())
    }

    /// Skips what follows the type of a stored block (RFC 1951 section 3.2.4).
    pub(super) fn skip_stored(&mut self) -> Result<(), Malformed> {
        self.drop(self.count % 8)?;
        let len = self.take(16)?;
        if self.take(16)? != !len {
            return Err(Malformed::StoredLength);
        }
        // The first bytes of the data may be in the buffer.
        let data = self.next - self.count as usize / 8;
        let next = data + usize::from(len);
        if next > self.stream.len() {
            return Err(Malformed::Truncated);
        }
        (self.next, self.buffer, self.count) = (next, 0, 0);
        Ok(())
    }

    /// Fills the buffer to [`REFILL_BITS`] or more, if the stream has eight more bytes.
    #[inline(always)]
    pub(super) fn refill_fast(&mut self) -> bool {
        let Some(bytes) = self.stream.get(self.next..).and_then(<[u8]>::first_chunk) else {
            return false;
        };
        self.buffer |= u64::from_le_bytes(*bytes) << self.count;
        self.next += ((63 - self.count) / 8) as usize;
        self.count |= REFILL_BITS;
        true
    }

    /// Fills the buffer to [`REFILL_BITS`] or more, or to the end of the stream.
    pub(super) fn refill(&mut self) {
        while self.count < REFILL_BITS
            && let Some(&byte) = self.stream.get(self.next)
        {
            self.buffer |= u64::from(byte) << self.count;
            self.next += 1;
            self.count += 8;
        }
    }
}
