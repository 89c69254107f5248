//! Skips the symbols of a deflate block: its Huffman codes become a table that says how many bits to
//! skip.

use std::sync::LazyLock;

use super::Malformed;
use super::bits::{Bits, REFILL_BITS};

/// Bits of the table's index. With fewer, more codes are left to [`Codes::long_step`]; with more, filling
/// the table costs more than it saves.
const TABLE_BITS: u32 = 11;
const TABLE_SIZE: usize = 1 << TABLE_BITS;

/// The most bits that one entry of the table skips: codes that its index shows in full, and then the 13
/// extra bits of a distance.
const MAX_STEP_BITS: u32 = TABLE_BITS + 13;
const _: () = assert!(
    2 * MAX_STEP_BITS <= REFILL_BITS,
    "a refill suffices for two steps"
);

/// The longest code (RFC 1951 section 3.2.7).
const MAX_CODE_LEN: usize = 15;
const END_OF_BLOCK: u16 = 256;
const LITLEN_SYMBOLS: usize = 288;
const DISTANCE_SYMBOLS: usize = 32;

/// Extra bits of the length symbols, from 257 on (RFC 1951 section 3.2.5).
const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
/// Extra bits of the distance symbols (same place).
const DISTANCE_EXTRA: [u8; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];

/// How many bits to skip, and what comes next. One byte, so that the table fits the fastest cache.
#[derive(Debug, Clone, Copy)]
struct Step(u8);

impl Step {
    /// The bits to skip: codes and extra bits.
    const BITS: u8 = 0x3f;
    /// A distance comes next, not a literal or a length.
    const DISTANCE: u8 = 0x40;
    /// The end of the block; or, if there are no bits to skip, a code that the table lacks.
    const SPECIAL: u8 = 0x80;

    /// Before a block's first symbol.
    const START: Self = Self(0);

    #[inline(always)]
    fn bits(self) -> u32 {
        u32::from(self.0 & Self::BITS)
    }

    /// `buffer` without the skipped bits. A shift of 64 bits uses only the low six bits of its count,
    /// which are [`BITS`](Self::BITS).
    #[inline(always)]
    fn shift(self, buffer: u64) -> u64 {
        buffer.wrapping_shr(u32::from(self.0))
    }

    #[inline(always)]
    fn is_special(self) -> bool {
        self.0 & Self::SPECIAL != 0
    }

    fn is_end(self) -> bool {
        self.is_special() && self.bits() != 0
    }

    /// Where the half of the table begins that has the next step.
    #[inline(always)]
    fn half(self) -> usize {
        usize::from(self.0 & Self::DISTANCE) << (TABLE_BITS - Self::DISTANCE.trailing_zeros())
    }

    /// The step over a literal, a length or the end of the block.
    fn litlen(symbol: u16, code_len: u8) -> Option<Self> {
        match symbol {
            0..END_OF_BLOCK => Some(Self(code_len)),
            END_OF_BLOCK => Some(Self(code_len | Self::SPECIAL)),
            _ => {
                let extra = LENGTH_EXTRA.get(usize::from(symbol - END_OF_BLOCK - 1))?;
                Some(Self((code_len + extra) | Self::DISTANCE))
            }
        }
    }

    /// The step over a distance.
    fn distance(symbol: u16, code_len: u8) -> Option<Self> {
        let extra = DISTANCE_EXTRA.get(usize::from(symbol))?;
        Some(Self(code_len + extra))
    }

    /// This step, and then `next`.
    fn then(self, next: Self) -> Self {
        Self((self.0 & Self::BITS) + next.0)
    }
}

/// The step over one symbol, and how many of its bits are the code.
#[derive(Clone, Copy)]
struct Single {
    step: Step,
    code_len: u8,
}

/// The codes of a block.
pub(super) struct Codes {
    /// Steps by the next bits of the stream. One half of the table is for a literal or a length, the
    /// other for a distance.
    ///
    /// In the first half a step skips two symbols if its index shows both codes: two literals, or a
    /// length and its distance. Three symbols gain nothing measurable.
    steps: [Step; 2 * TABLE_SIZE],
    /// What `steps` is made from.
    singles: [Single; 2 * TABLE_SIZE],
    litlen: Canonical,
    distance: Canonical,
}

/// The codes of blocks of type 1 (RFC 1951 section 3.2.6).
pub(super) static FIXED: LazyLock<Codes> = LazyLock::new(|| {
    let mut litlen = [8; LITLEN_SYMBOLS];
    litlen[144..256].fill(9);
    litlen[256..280].fill(7);
    let mut codes = Codes::new();
    // Cannot fail: these lengths use each code completely.
    let _ = codes.assign(&litlen, &[5; DISTANCE_SYMBOLS]);
    codes
});

impl Codes {
    /// Codes for no symbol.
    pub(super) fn new() -> Self {
        Self {
            steps: [Step::START; 2 * TABLE_SIZE],
            singles: [Single {
                step: Step::START,
                code_len: 0,
            }; 2 * TABLE_SIZE],
            litlen: Canonical::new(),
            distance: Canonical::new(),
        }
    }

    /// Skips the symbols of a compressed block, its end included.
    ///
    /// Most of the time goes into loads from the table, each of which waits for the one before it. So
    /// the inner loop branches only for special steps, not for other kinds of symbols.
    pub(super) fn skip_symbols(&self, bits: &mut Bits<'_>) -> Result<(), Malformed> {
        let mut step = Step::START;
        loop {
            while !step.is_special() && bits.refill_fast() {
                step = self.step_fast(bits, step);
                if step.is_special() {
                    break;
                }
                step = self.step_fast(bits, step);
            }
            if !step.is_special() {
                // Among the last bytes of the stream.
                bits.refill();
                step = self.step(bits.buffer, step);
                bits.drop(step.bits())?;
            }
            if step.is_special() && !step.is_end() {
                bits.refill();
                step = self.long_step(bits.buffer, step)?;
                bits.drop(step.bits())?;
            }
            if step.is_end() {
                return Ok(());
            }
        }
    }

    /// Takes one step. The buffer must have [`MAX_STEP_BITS`].
    #[inline(always)]
    fn step_fast(&self, bits: &mut Bits<'_>, last: Step) -> Step {
        let step = self.step(bits.buffer, last);
        bits.buffer = step.shift(bits.buffer);
        bits.count -= step.bits();
        step
    }

    /// The step that follows `last` when the next bits are those of `buffer`.
    #[inline(always)]
    fn step(&self, buffer: u64, last: Step) -> Step {
        self.steps[index(buffer) | last.half()]
    }

    /// The step over one symbol whose code is longer than an index of the table. `last` is the special
    /// step that the table has instead.
    #[cold]
    fn long_step(&self, buffer: u64, last: Step) -> Result<Step, Malformed> {
        let step = if last.half() == 0 {
            self.litlen
                .decode(buffer)
                .and_then(|(symbol, len)| Step::litlen(symbol, len))
        } else {
            self.distance
                .decode(buffer)
                .and_then(|(symbol, len)| Step::distance(symbol, len))
        };
        step.ok_or(Malformed::Code)
    }

    /// Takes the codes from the header of a dynamic block (RFC 1951 section 3.2.7).
    pub(super) fn read(&mut self, bits: &mut Bits<'_>) -> Result<(), Malformed> {
        /// The order in which the code lengths' own code lengths come.
        const ORDER: [usize; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        /// Symbols that have a meaning. zlib refuses code lengths for more, too.
        const MAX_LITLEN: usize = 286;
        const MAX_DISTANCE: usize = 30;

        let litlen = usize::from(bits.take(5)?) + 257;
        let distance = usize::from(bits.take(5)?) + 1;
        let explicit = usize::from(bits.take(4)?) + 4;
        if litlen > MAX_LITLEN || distance > MAX_DISTANCE {
            return Err(Malformed::CodeLengths);
        }

        let mut lens = [0; ORDER.len()];
        for &symbol in ORDER.iter().take(explicit) {
            [lens[symbol], _] = bits.take(3)?.to_le_bytes();
        }
        let mut code = Canonical::new();
        code.assign(&lens)?;
        let mut table = [(0, 0); 1 << 7];
        code.fill(&mut table, |symbol, len| Some((symbol, len)));

        let mut lens = [0; MAX_LITLEN + MAX_DISTANCE];
        let lens = &mut lens[..litlen + distance];
        let mut at = 0;
        while at < lens.len() {
            let (symbol, len) = table[usize::from(bits.peek(7))];
            if len == 0 {
                return Err(Malformed::CodeLengths);
            }
            bits.drop(u32::from(len))?;
            let (value, times) = match symbol {
                0..16 => (symbol.to_le_bytes()[0], 1),
                16 => {
                    let before = at.checked_sub(1).ok_or(Malformed::CodeLengths)?;
                    (lens[before], 3 + bits.take(2)?)
                }
                17 => (0, 3 + bits.take(3)?),
                _ => (0, 11 + bits.take(7)?),
            };
            let end = at + usize::from(times);
            lens.get_mut(at..end)
                .ok_or(Malformed::CodeLengths)?
                .fill(value);
            at = end;
        }

        let (litlen, distance) = lens.split_at(litlen);
        if litlen[usize::from(END_OF_BLOCK)] == 0 {
            return Err(Malformed::CodeLengths);
        }
        self.assign(litlen, distance)
    }

    /// Takes the codes from the code length of each symbol.
    fn assign(&mut self, litlen: &[u8], distance: &[u8]) -> Result<(), Malformed> {
        self.litlen.assign(litlen)?;
        self.distance.assign(distance)?;

        // Longer than any code, so that it is not joined with another step.
        let long = |kind| Single {
            step: Step(Step::SPECIAL | kind),
            code_len: u8::MAX,
        };
        let single = |step: Option<Step>, code_len| step.map(|step| Single { step, code_len });
        let (litlen, distance) = self.singles.split_at_mut(TABLE_SIZE);
        litlen[0] = long(0);
        self.litlen
            .fill(litlen, |symbol, len| single(Step::litlen(symbol, len), len));
        distance[0] = long(Step::DISTANCE);
        self.distance.fill(distance, |symbol, len| {
            single(Step::distance(symbol, len), len)
        });

        for (step, single) in self.steps.iter_mut().zip(&self.singles) {
            *step = single.step;
        }
        for (bits, step) in (0_u64..).zip(&mut self.steps[..TABLE_SIZE]) {
            let next = self.singles[index(step.shift(bits)) | step.half()];
            let joins = step.bits() + u32::from(next.code_len) <= TABLE_BITS;
            // Compiles to a conditional move: a branch would often be mispredicted.
            *step = if joins && !step.is_special() {
                step.then(next.step)
            } else {
                *step
            };
        }
        Ok(())
    }
}

/// The index in either half of the table when the next bits are those of `buffer`.
#[inline(always)]
fn index(buffer: u64) -> usize {
    let [low, high, ..] = buffer.to_le_bytes();
    usize::from(u16::from_le_bytes([low, high])) & (TABLE_SIZE - 1)
}

/// A Huffman code that is defined by its code lengths: of two codes of one length, the greater symbol
/// has the greater code (RFC 1951 section 3.2.2).
struct Canonical {
    /// How many codes there are of each length. Entry 0 is 0.
    counts: [u16; MAX_CODE_LEN + 1],
    /// The symbols in the order of their codes.
    symbols: [u16; LITLEN_SYMBOLS],
}

impl Canonical {
    fn new() -> Self {
        Self {
            counts: [0; MAX_CODE_LEN + 1],
            symbols: [0; LITLEN_SYMBOLS],
        }
    }

    /// Takes the code from each symbol's code length, zero for no code.
    ///
    /// Like zlib, refuses lengths that need more codes than there are, or fewer. Fewer are allowed only
    /// if there is no code, or one code of a single bit.
    fn assign(&mut self, lens: &[u8]) -> Result<(), Malformed> {
        self.counts.fill(0);
        for &len in lens {
            self.counts[usize::from(len)] += 1;
        }
        self.counts[0] = 0;

        let mut left = 1;
        let mut codes = 0;
        let mut places = [0; MAX_CODE_LEN + 1];
        for (place, &count) in places.iter_mut().zip(&self.counts).skip(1) {
            *place = codes;
            codes += count;
            left = 2 * left - i32::from(count);
            if left < 0 {
                return Err(Malformed::CodeLengths);
            }
        }
        let alone = codes == 0 || (codes == 1 && self.counts[1] == 1);
        if left > 0 && !alone {
            return Err(Malformed::CodeLengths);
        }

        for (symbol, &len) in (0..).zip(lens) {
            if len > 0 {
                let place = &mut places[usize::from(len)];
                self.symbols[usize::from(*place)] = symbol;
                *place += 1;
            }
        }
        Ok(())
    }

    /// Puts `entry(symbol, code length)` in `table` at every index whose low bits are that symbol's
    /// code, first bit lowest. Elsewhere the table gets what it had at index 0. Its length is a power
    /// of two.
    ///
    /// The filled part doubles with each code length: an entry is put in once, and then copied.
    fn fill<T: Copy>(&self, table: &mut [T], entry: impl Fn(u16, u8) -> Option<T>) {
        let mut filled = 1;
        let mut code = 0_u16;
        let mut symbols = self.symbols.iter();
        for (len, &count) in (0..).zip(&self.counts).skip(1) {
            if filled == table.len() {
                break;
            }
            table.copy_within(..filled, filled);
            filled *= 2;
            code *= 2;
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                let index = code.reverse_bits() >> (16 - u32::from(len));
                if let Some(entry) = entry(symbol, len) {
                    table[usize::from(index)] = entry;
                }
                code += 1;
            }
        }
    }

    /// The symbol whose code is next in `buffer`, and the length of the code.
    fn decode(&self, mut buffer: u64) -> Option<(u16, u8)> {
        let mut symbols = &self.symbols[..];
        // The bits so far, minus the first code of their length.
        let mut code = 0;
        for (len, &count) in (0..).zip(&self.counts).skip(1) {
            code += usize::from(buffer & 1 == 1);
            buffer >>= 1;
            let (of_this_len, longer) = symbols.split_at_checked(usize::from(count))?;
            if let Some(&symbol) = of_this_len.get(code) {
                return Some((symbol, len));
            }
            symbols = longer;
            code = (code - of_this_len.len()) * 2;
        }
        None
    }
}
