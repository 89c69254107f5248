//! Tells data that does not compress from a small part of it, so that no time is lost on images,
//! archives and the like.
//!
//! The answer depends on the bytes alone, and uses no floating point, so that every machine gives
//! the same one. It leans to yes: a wrong yes costs time, a wrong no costs space.

use libdeflater::Compressor;

use super::Level;

/// Bytes in one piece of a sample.
const PIECE: usize = 4 << 10;
/// Smaller inputs are compressed without asking.
const SAMPLED_FROM: usize = 64 << 10;
/// One piece for this much input, but at least [`MIN_PIECES`] and at most [`MAX_PIECES`].
const PIECE_FOR: usize = 32 << 10;
const MIN_PIECES: usize = 4;
const MAX_PIECES: usize = 16;

/// A sample must save one part in this many to count as compressible.
const WORTHWHILE: usize = 256;

/// Says whether data is worth compressing, judging by some pieces of it: pieces of 4 KiB, a dozen or
/// so, taken evenly from start to end, do for any size.
///
/// Data that repeats itself only over distances longer than a piece is not recognised.
pub fn looks_compressible(samples: &[&[u8]]) -> bool {
    let mut sampler = Sampler::default();
    sampler.samples_compress(samples.iter().copied())
}

/// What sampling needs and keeps from one use to the next.
#[derive(Default)]
pub(super) struct Sampler {
    sample: Vec<u8>,
    scratch: Vec<u8>,
    compressor: Option<Compressor>,
}

impl Sampler {
    /// Says whether `input` is worth compressing.
    pub(super) fn compresses(&mut self, input: &[u8]) -> bool {
        if input.len() < SAMPLED_FROM {
            return true;
        }
        let pieces = (input.len() / PIECE_FOR).clamp(MIN_PIECES, MAX_PIECES);
        let step = (input.len() - PIECE) / (pieces - 1);
        self.samples_compress((0..pieces).map(|piece| &input[piece * step..][..PIECE]))
    }

    fn samples_compress<'a>(&mut self, samples: impl Iterator<Item = &'a [u8]>) -> bool {
        self.sample.clear();
        samples.for_each(|piece| self.sample.extend_from_slice(piece));
        is_uneven(&self.sample) || self.deflates()
    }

    /// Says whether the sample itself gets smaller. The fastest level will do.
    fn deflates(&mut self) -> bool {
        if self.compressor.is_none() {
            self.compressor = Level::FASTEST.compressor();
        }
        let Some(compressor) = &mut self.compressor else {
            return true;
        };
        let room = self.sample.len() - self.sample.len() / WORTHWHILE;
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        compressor
            .deflate_compress(&self.sample, &mut self.scratch[..room])
            .is_ok()
    }
}

/// Says whether some bytes are so much more frequent than others that a Huffman code alone is sure
/// to pay.
///
/// The sum of the squares of `n` bytes' frequencies is about n + n²/256 when all are equally likely,
/// and grows as they get less so.
fn is_uneven(sample: &[u8]) -> bool {
    let mut counts = [0_u64; 256];
    for &byte in sample {
        counts[usize::from(byte)] += 1;
    }
    let len = sample.len() as u64;
    let squares: u64 = counts.iter().map(|count| count * count).sum();
    squares > 2 * (len + len * len / 256)
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::super::testing::{noise, skewed, text};
    use super::*;

    const LEN: usize = 300_000;

    /// As a giant is sampled, and as a file in memory is.
    fn both(data: &[u8]) -> [bool; 2] {
        let step = (data.len() - PIECE) / 11;
        let pieces: Vec<&[u8]> = (0..12).map(|at| &data[at * step..][..PIECE]).collect();
        [
            looks_compressible(&pieces),
            Sampler::default().compresses(data),
        ]
    }

    /// What a zip or a picture holds.
    fn deflated() -> Vec<u8> {
        let mut out = Vec::new();
        assert!(Engine::new(Level::default()).deflate(&text(1, 4 * LEN), &mut out));
        assert!(out.len() > 2 * SAMPLED_FROM);
        out
    }

    #[test]
    fn text_programs_and_zeros_compress() {
        let records = noise(2, LEN / 4)
            .into_iter()
            .flat_map(|byte| [byte, 0, byte, 1]);
        // 64 of 256 bytes, all as frequent: only a Huffman code pays.
        let base64 = noise(3, LEN).into_iter().map(|byte| b'0' + byte % 64);
        for data in [
            text(4, LEN),
            records.collect(),
            base64.collect(),
            vec![0; LEN],
        ] {
            assert_eq!(both(&data), [true; 2]);
        }
        assert_eq!(both(&skewed(LEN)), [true; 2]);
    }

    #[test]
    fn noise_and_what_is_deflated_do_not() {
        for seed in 0..5 {
            assert_eq!(both(&noise(seed, LEN)), [false; 2]);
        }
        assert_eq!(both(&deflated()), [false; 2]);
        assert!(!looks_compressible(&[]));
    }

    #[test]
    fn some_text_among_noise_is_found() {
        for at in [0, LEN / 2, LEN - LEN / 6] {
            let mut data = noise(6, LEN);
            data[at..at + LEN / 6].copy_from_slice(&text(7, LEN / 6));
            assert_eq!(both(&data), [true; 2], "at {at}");
        }
    }

    #[test]
    fn the_ends_count() {
        for at in [0, LEN - PIECE] {
            let mut data = noise(8, LEN);
            data[at..at + PIECE].fill(0);
            assert_eq!(both(&data), [true; 2], "at {at}");
        }
    }

    #[test]
    fn small_data_is_not_sampled_and_any_length_can_be() {
        let mut sampler = Sampler::default();
        assert!(sampler.compresses(b""));
        assert!(sampler.compresses(&noise(9, SAMPLED_FROM - 1)));
        for len in [SAMPLED_FROM, SAMPLED_FROM + 1, 131_071, 131_072, 600_000] {
            assert!(!sampler.compresses(&noise(10, len)));
        }
    }

    /// A sampler keeps buffers, no opinion.
    #[test]
    fn the_answer_does_not_depend_on_what_came_before() {
        let all = [
            noise(11, LEN),
            text(12, LEN),
            deflated(),
            vec![0; LEN],
            noise(13, 70_000),
        ];
        let mut used = Sampler::default();
        for _ in 0..2 {
            for data in &all {
                assert_eq!(used.compresses(data), Sampler::default().compresses(data));
            }
        }
    }
}
