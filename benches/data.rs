//! Data for benches, equal in every run and on every machine.
#![allow(dead_code, reason = "no bench needs all of it")]
#![allow(clippy::cast_possible_truncation, reason = "bytes of random words")]

/// Random numbers: splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }
}

/// Bytes that do not compress.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.below(256) as u8).collect()
}

/// Lines of words, some of which are far more frequent than others. They deflate to about 0.3 of their size,
/// as source code does.
pub(crate) fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut letters = Random(1);
    let words: Vec<Vec<u8>> = (0..4096)
        .map(|_| {
            (0..2 + letters.below(9))
                .map(|_| b"etaoinshrdlucmfw_.(-"[letters.below(20) as usize])
                .collect()
        })
        .collect();
    let mut random = Random(seed);
    let mut text = Vec::with_capacity(len + 64);
    while text.len() < len {
        // The bound is random too, which makes the first words frequent.
        let bound = 1 + random.below(words.len() as u64);
        let bound = 1 + random.below(bound);
        text.extend_from_slice(&words[random.below(bound) as usize]);
        text.push(if random.below(9) == 0 { b'\n' } else { b' ' });
        // Phrases that occurred before.
        if random.below(4) == 0 && text.len() > 4000 {
            let from = text.len() - 40 - random.below(3900) as usize;
            text.extend_from_within(from..from + 8 + random.below(30) as usize);
        }
    }
    text.truncate(len);
    text
}

/// Bytes like those of programs and their tables: short instructions of a skewed alphabet, small
/// little-endian numbers, runs of zeros, and some repetitions. They deflate to about half of their size,
/// mostly as literals, as programs do.
pub(crate) fn binary(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let mut binary: Vec<u8> = Vec::with_capacity(len + 64);
    while binary.len() < len {
        match random.below(16) {
            // An address or a count, whose upper bytes hardly vary.
            0..4 => {
                let number = random.below(1 << 20) as u32;
                binary.extend_from_slice(&number.to_le_bytes());
            }
            4 => binary.resize(binary.len() + 4 + random.below(12) as usize, 0),
            5..7 if binary.len() > 20_000 => {
                let from = binary.len() - 32 - random.below(19_000) as usize;
                binary.extend_from_within(from..from + 4 + random.below(24) as usize);
            }
            // An operation and its operands, most of which are small.
            _ => {
                let bound = 1 + random.below(96);
                binary.push(0x40 | random.below(bound) as u8);
                let bound = 1 + random.below(256);
                binary.push(random.below(bound) as u8);
            }
        }
    }
    binary.truncate(len);
    binary
}

/// Sorted names of about 60 bytes, as in a deep tree of small files.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let (package, folder, file) = (n / 2000, n / 40 % 50, n % 40);
            format!(
                "vendor/package-{package:06}/dist/folder-{folder:02}/module-{file:02}.min.js.map"
            )
        })
        .collect()
}
