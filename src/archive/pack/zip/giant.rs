//! Giants in a zip: the choice of the method, and the compression of a chunk.
//!
//! A giant's local header comes before its data, and its CRC and compressed size are known only after the
//! data. So a sample decides beforehand whether it is deflated, and the header is filled in at the end.
//! Whether it needs zip64 follows from the worst case, so that the header's length is known from the start.

use crate::archive::deflate::{looks_compressible, max_deflated_len};
use crate::archive::limits::CHUNK;
use crate::archive::pack::Error;
use crate::archive::pack::digest::ChunkSums;
use crate::archive::pack::dispatch::Shared;
use crate::archive::pack::giant::Giant;
use crate::archive::pack::source::Source;
use crate::archive::pack::worker::Worker;
use crate::archive::zip::{Method, Sizes};
use crate::progress::{Laps, Stage};

/// How many samples of a giant tell whether it compresses.
const SAMPLES: usize = 16;
/// Bytes in a sample.
const SAMPLE: usize = 4 << 10;

/// A chunk's data and checksums.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) sums: ChunkSums,
}

/// A giant's sizes while its header is open. They follow from the plan alone, so that the central
/// directory can compute them again.
pub(super) fn open_sizes(size: u64, method: Method) -> Sizes {
    let worst = match method {
        Method::Stored => size,
        Method::Deflate => max_deflated_len(size, CHUNK as u64),
    };
    Sizes::open(size, worst)
}

/// The method that a giant is packed with.
pub(super) fn method(source: &Source<'_>, giant: &Giant, compress: bool) -> Result<Method, Error> {
    if !compress {
        return Ok(Method::Stored);
    }
    let mut bytes = vec![0; SAMPLE * SAMPLES];
    let step = (giant.size - SAMPLE as u64) / (SAMPLES as u64 - 1);
    for (sample, n) in bytes.chunks_mut(SAMPLE).zip(0..) {
        source.read_at(giant.index, &giant.file, sample, n * step)?;
    }
    let samples: Vec<&[u8]> = bytes.chunks(SAMPLE).collect();
    Ok(if looks_compressible(&samples) {
        Method::Deflate
    } else {
        Method::Stored
    })
}

/// The job of a chunk: reads `len` bytes at `offset`, computes their checksums and compresses them.
pub(super) fn chunk(
    shared: &Shared<'_>,
    giant: &Giant,
    method: Method,
    (offset, len): (u64, usize),
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Chunk, Error> {
    let (source, input) = (&shared.source, &mut worker.input[..len]);
    source.read_at(giant.index, &giant.file, input, offset)?;
    laps.lap(Stage::Read);
    let sums = ChunkSums::of(input, offset, shared.digest);
    laps.lap(Stage::Hash);
    let bytes = match method {
        Method::Stored => input.to_vec(),
        Method::Deflate => {
            worker.output.clear();
            let last = offset + len as u64 == giant.size;
            worker
                .engine
                .deflate_chunk(input, last, &mut worker.output)
                .map_err(|error| source.not_deflated(giant.index, error))?;
            // The chunk may wait for the assembler, so its copy has no spare capacity.
            worker.output.as_slice().to_vec()
        }
    };
    laps.lap(Stage::Compress);
    Ok(Chunk { bytes, sums })
}
