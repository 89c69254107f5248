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
        self.sample.extend(samples.flatten());
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
