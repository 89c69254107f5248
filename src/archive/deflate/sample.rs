//! Recognises data that does not compress from a small part of it, so that no time is lost on images,
//! archives and the like.
//!
//! The answer depends only on the bytes, without floating point, so it is equal on every machine. In doubt
//! it is yes: a wrong yes costs time, a wrong no costs space.

use libdeflater::Compressor;

use super::Level;

/// Bytes in one piece of a sample.
const PIECE: usize = 4 << 10;
/// Smaller inputs are compressed without sampling.
const SAMPLED_FROM: usize = 64 << 10;
/// One piece for this much input, but at least [`MIN_PIECES`] and at most [`MAX_PIECES`].
const PIECE_FOR: usize = 32 << 10;
const MIN_PIECES: usize = 4;
const MAX_PIECES: usize = 16;

/// A sample counts as compressible if it gets smaller by one part in this many.
const WORTHWHILE: usize = 256;

/// Whether data is worth compressing, judged by some pieces of it. About twelve pieces of 4 KiB, evenly
/// taken from start to end, suffice for any size.
///
/// Data that repeats itself only over distances longer than a piece is not recognised as compressible.
pub fn looks_compressible(samples: &[&[u8]]) -> bool {
    let mut sampler = Sampler::default();
    sampler.samples_compress(samples.iter().copied())
}

/// The buffers of sampling, which are kept from one use to the next.
#[derive(Default)]
pub(super) struct Sampler {
    sample: Vec<u8>,
    scratch: Vec<u8>,
    compressor: Option<Compressor>,
}

impl Sampler {
    /// Whether `input` is worth compressing.
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

    /// Whether the sample gets smaller at the fastest level.
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

/// Whether some bytes are so much more frequent than others that a Huffman code alone is sure to save
/// space.
///
/// The sum of the squares of the frequencies of `n` bytes is about n + n²/256 if all values are equally
/// likely, and greater if they are not.
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

    /// The answers for a giant, of which pieces are read, and for a file in memory.
    fn both(data: &[u8]) -> [bool; 2] {
        let step = (data.len() - PIECE) / 11;
        let pieces: Vec<&[u8]> = (0..12).map(|at| &data[at * step..][..PIECE]).collect();
        [
            looks_compressible(&pieces),
            Sampler::default().compresses(data),
        ]
    }

    /// Data that is compressed already, as in a zip or a picture.
    fn deflated() -> Vec<u8> {
        let mut out = Vec::new();
        assert!(Engine::new(Level::default()).deflate(&text(1, 4 * LEN), &mut out));
        assert!(out.len() > 2 * SAMPLED_FROM);
        out
    }

    #[test]
    fn text_programs_and_zeros_count_as_compressible() {
        let records = noise(2, LEN / 4)
            .into_iter()
            .flat_map(|byte| [byte, 0, byte, 1]);
        // 64 of 256 values, equally frequent: only a Huffman code saves space.
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
    fn noise_and_deflated_data_do_not_count_as_compressible() {
        for seed in 0..5 {
            assert_eq!(both(&noise(seed, LEN)), [false; 2]);
        }
        assert_eq!(both(&deflated()), [false; 2]);
        assert!(!looks_compressible(&[]));
    }

    #[test]
    fn a_sixth_of_text_among_noise_is_noticed() {
        for at in [0, LEN / 2, LEN - LEN / 6] {
            let mut data = noise(6, LEN);
            data[at..at + LEN / 6].copy_from_slice(&text(7, LEN / 6));
            assert_eq!(both(&data), [true; 2], "at {at}");
        }
    }

    #[test]
    fn compressible_bytes_at_either_end_are_noticed() {
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
