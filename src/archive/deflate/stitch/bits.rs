//! A place in a deflate stream, and the ways to go on from it.

use super::Malformed;
use super::codes::{Codes, MAX_STEP_BITS, Step};

/// Bits in the buffer after a refill. Whole bytes go in, so up to seven of its 64 stay empty.
const REFILL_BITS: u32 = 56;
const _: () = assert!(
    2 * MAX_STEP_BITS <= REFILL_BITS,
    "a refill lasts for two steps"
);

/// Reads a stream from the low bit of its first byte on (RFC 1951 section 3.1.1).
///
/// `buffer` has the next `count` bits. Above them it has the bits that follow, or zeros. To put those
/// in again changes nothing, and so a refill is a load, a shift and an or.
pub(super) struct Bits<'a> {
    stream: &'a [u8],
    /// The first byte that `count` leaves out.
    next: usize,
    buffer: u64,
    /// At most 63.
    count: u32,
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

    /// Goes on by `n` bits of those in the buffer.
    pub(super) fn drop(&mut self, n: u32) -> Result<(), Malformed> {
        self.count = self.count.checked_sub(n).ok_or(Malformed::Truncated)?;
        self.buffer >>= n;
        Ok(())
    }

    /// Steps over what follows the type of a stored block (RFC 1951 section 3.2.4).
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

    /// Steps over the symbols of a compressed block, its end included.
    ///
    /// The time goes into loads from the table, each of which has to wait for the one before it. So
    /// the inner loop has no branch that depends on what a symbol is, unless it is a special one.
    pub(super) fn skip_symbols(&mut self, codes: &Codes) -> Result<(), Malformed> {
        let mut step = Step::START;
        loop {
            while !step.is_special() && self.refill_fast() {
                step = self.step_fast(codes, step);
                if step.is_special() {
                    break;
                }
                step = self.step_fast(codes, step);
            }
            if !step.is_special() {
                // Among the last bytes of the stream.
                self.refill();
                step = codes.step(self.buffer, step);
                self.drop(step.bits())?;
            }
            if step.is_special() && !step.is_end() {
                self.refill();
                step = codes.long_step(self.buffer, step)?;
                self.drop(step.bits())?;
            }
            if step.is_end() {
                return Ok(());
            }
        }
    }

    /// Takes one step. The buffer must have [`MAX_STEP_BITS`].
    #[inline(always)]
    fn step_fast(&mut self, codes: &Codes, last: Step) -> Step {
        let step = codes.step(self.buffer, last);
        self.buffer = step.shift(self.buffer);
        self.count -= step.bits();
        step
    }

    /// Fills the buffer to [`REFILL_BITS`] or more, if the stream has eight more bytes.
    #[inline(always)]
    fn refill_fast(&mut self) -> bool {
        let Some(bytes) = self.stream.get(self.next..).and_then(<[u8]>::first_chunk) else {
            return false;
        };
        self.buffer |= u64::from_le_bytes(*bytes) << self.count;
        self.next += ((63 - self.count) / 8) as usize;
        self.count |= REFILL_BITS;
        true
    }

    /// Fills the buffer to [`REFILL_BITS`] or more, or to the end of the stream.
    fn refill(&mut self) {
        while self.count < REFILL_BITS
            && let Some(&byte) = self.stream.get(self.next)
        {
            self.buffer |= u64::from(byte) << self.count;
            self.next += 1;
            self.count += 8;
        }
    }
}
