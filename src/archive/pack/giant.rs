//! Large files: many jobs work on one, a chunk each.
//!
//! A giant's local header comes before its data, and its CRC and compressed size are known after
//! it. So whether it is deflated is decided beforehand, by a sample, and the header is filled in
//! at the end; whether it needs zip64 follows from the worst case and holds for both.

use std::fs::File;

use blake3::Hash;
use blake3::hazmat::ChainingValue;

use super::Error;
use super::digest::{self, Subtrees};
use super::dispatch::Shared;
use super::source::Source;
use super::worker::Worker;
use crate::archive::deflate::{looks_compressible, max_deflated_len};
use crate::archive::limits::CHUNK;
use crate::archive::zip::{Method, Sizes};
use crate::progress::{Laps, Stage};

/// Pieces of a giant that are looked at to tell whether it compresses.
const SAMPLES: usize = 16;
/// Bytes in each.
const SAMPLE: usize = 4 << 10;

/// A file of more than one chunk, while it is being packed.
#[derive(Debug)]
pub(super) struct Giant {
    /// Its index in the plan.
    pub(super) index: usize,
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) method: Method,
}

/// A chunk's data and sums.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// Bytes of content.
    pub(super) content: u64,
    crc: crc32fast::Hasher,
    digest: Option<ChainingValue>,
}

/// What [`Chunk`]s add up to, in order.
#[derive(Debug)]
pub(super) struct Joined {
    crc: crc32fast::Hasher,
    /// None if contents are not digested.
    digest: Option<Subtrees>,
    compressed: u64,
}

/// A giant's sizes while its header is open. They depend on the plan alone, so that the central
/// directory comes to the same ones.
pub(super) fn open_sizes(size: u64, method: Method) -> Sizes {
    let worst = match method {
        Method::Stored => size,
        Method::Deflate => max_deflated_len(size, CHUNK as u64),
    };
    Sizes::open(size, worst)
}

impl Giant {
    /// Opens the file and decides how it is kept.
    pub(super) fn open(source: &Source<'_>, index: usize, compress: bool) -> Result<Self, Error> {
        let size = source.plan().entry(index).size;
        let file = source.file(index)?;
        let mut giant = Self {
            index,
            file,
            size,
            method: Method::Stored,
        };
        if compress && giant.compresses(source)? {
            giant.method = Method::Deflate;
        }
        Ok(giant)
    }

    fn compresses(&self, source: &Source<'_>) -> Result<bool, Error> {
        let mut bytes = vec![0; SAMPLE * SAMPLES];
        let step = (self.size - SAMPLE as u64) / (SAMPLES as u64 - 1);
        for (sample, n) in bytes.chunks_mut(SAMPLE).zip(0..) {
            source.read_at(self.index, &self.file, sample, n * step)?;
        }
        let samples: Vec<&[u8]> = bytes.chunks(SAMPLE).collect();
        Ok(looks_compressible(&samples))
    }

    /// Where chunks start, and how long they are.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (u64, usize)> + use<> {
        let size = self.size;
        (0..size).step_by(CHUNK).map(move |offset| {
            let left = usize::try_from(size - offset).unwrap_or(CHUNK);
            (offset, left.min(CHUNK))
        })
    }

    /// Reads, sums up and compresses `len` bytes from `offset`: a job.
    pub(super) fn chunk(
        &self,
        shared: &Shared<'_>,
        offset: u64,
        len: usize,
        worker: &mut Worker,
        laps: &mut Laps,
    ) -> Result<Chunk, Error> {
        let (source, input) = (&shared.source, &mut worker.input[..len]);
        source.read_at(self.index, &self.file, input, offset)?;
        laps.lap(Stage::Read);
        let mut crc = crc32fast::Hasher::new();
        crc.update(input);
        let digest = shared.digest.then(|| digest::subtree(input, offset));
        laps.lap(Stage::Hash);
        let bytes = match self.method {
            Method::Stored => input.to_vec(),
            Method::Deflate => {
                worker.output.clear();
                let last = offset + len as u64 == self.size;
                worker
                    .engine
                    .deflate_chunk(input, last, &mut worker.output)
                    .map_err(|source_error| Error::Deflate {
                        path: source.plan().path(self.index),
                        source: source_error,
                    })?;
                // As long as it is, not as it could have been: it may wait a while.
                worker.output.as_slice().to_vec()
            }
        };
        laps.lap(Stage::Compress);
        Ok(Chunk {
            bytes,
            content: len as u64,
            crc,
            digest,
        })
    }
}

impl Joined {
    pub(super) fn new(digest: bool) -> Self {
        Self {
            crc: crc32fast::Hasher::new(),
            digest: digest.then(Subtrees::default),
            compressed: 0,
        }
    }

    pub(super) fn push(&mut self, chunk: &Chunk) {
        self.crc.combine(&chunk.crc);
        if let (Some(digest), Some(piece)) = (&mut self.digest, chunk.digest) {
            digest.push(piece);
        }
        self.compressed += chunk.bytes.len() as u64;
    }

    pub(super) fn compressed(&self) -> u64 {
        self.compressed
    }

    pub(super) fn crc32(&self) -> u32 {
        self.crc.clone().finalize()
    }

    /// The digest of the content. None if there is none, or chunks are missing.
    pub(super) fn digest(self) -> Option<Hash> {
        self.digest?.finish()
    }
}
