//! The work of a tar's jobs: headers, contents and padding of a piece, compressed for a tgz.

use super::layout::{self, Run};
use crate::archive::deflate;
use crate::archive::pack::Error;
use crate::archive::pack::digest::{ChunkSums, Sums};
use crate::archive::pack::dispatch::Shared;
use crate::archive::pack::giant::Giant;
use crate::archive::pack::source::Renewed;
use crate::archive::pack::worker::Worker;
use crate::archive::plan::Kind;
use crate::archive::tar;
use crate::bundle::Format;
use crate::progress::{Laps, Stage};

/// A piece of the archive.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the tar's stream that it holds.
    pub(super) stream: u64,
    /// CRC-32 of these, for a tgz.
    pub(super) crc: crc32fast::Hasher,
    /// The checksums of each entry's content, if contents are digested.
    pub(super) sums: Vec<Sums>,
    /// The few entries that are no longer as planned, by index.
    pub(super) renewed: Vec<Renewed>,
    /// The checksums of the chunk of a giant that it holds, if contents are digested.
    pub(super) slice: Option<ChunkSums>,
}

/// The job of a run: makes whole entries.
pub(super) fn entries(
    shared: &Shared<'_>,
    run: &Run,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, Error> {
    if worker.input.len() < run.len {
        // A file of nearly a chunk has a header, too.
        worker.input.resize(run.len, 0);
    }
    let Worker {
        folder,
        input,
        header,
        ..
    } = worker;
    let source = &shared.source;
    let plan = source.plan();
    let files = usize::try_from(run.files).unwrap_or(0);
    let mut sums = Vec::with_capacity(if shared.digest { files } else { 0 });
    let mut renewed = Vec::new();
    let mut at = 0;
    for index in run.entries.clone() {
        let entry = plan.entry(index);
        header.clear();
        tar::header(header, &layout::record(&entry));
        input[at..at + header.len()].copy_from_slice(header);
        at += header.len();
        if layout::is_giant(&entry) {
            break;
        }
        if entry.kind != Kind::File {
            let text = source.content(index, folder)?;
            if shared.digest {
                sums.push(Sums::of(text));
            }
            continue;
        }
        let before = at - header.len()..at;
        let (now, content) = source.read(index, entry, folder, &mut input[at..])?;
        laps.lap(Stage::Read);
        if shared.digest {
            sums.push(Sums::of(content));
            laps.lap(Stage::Hash);
        }
        at += content.len();
        if let Some(change) = Renewed::since(index, &entry, &now) {
            // A time beyond the range of the header's field needs a longer header, for which the layout
            // has no room.
            header.clear();
            tar::header(header, &layout::record(&now));
            if header.len() != before.len() {
                return Err(source.changed(index, "it was modified"));
            }
            input[before].copy_from_slice(header);
            renewed.push(change);
        }
        let padding = tar::padding(entry.size);
        input[at..at + padding].fill(0);
        at += padding;
    }
    debug_assert_eq!(at, run.len, "a run is as long as its layout says");
    let piece = finish(shared, at, false, worker, laps)
        .map_err(|error| source.not_deflated(run.entries.start, error))?;
    Ok(Piece {
        sums,
        renewed,
        ..piece
    })
}

/// The job of a giant's chunk: makes `len` bytes of content from `offset`, and the padding after the last.
pub(super) fn slice(
    shared: &Shared<'_>,
    giant: &Giant,
    (offset, len): (u64, usize),
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, Error> {
    let (content, after) = worker.input.split_at_mut(len);
    shared
        .source
        .read_at(giant.index, &giant.file, content, offset)?;
    laps.lap(Stage::Read);
    let slice = shared.digest.then(|| ChunkSums::of(content, offset, true));
    laps.lap(Stage::Hash);
    let padding = if offset + len as u64 == giant.size {
        tar::padding(giant.size)
    } else {
        0
    };
    // The buffer holds a chunk, which is a multiple of a block, so the padding fits.
    after[..padding].fill(0);
    let piece = finish(shared, len + padding, false, worker, laps)
        .map_err(|error| shared.source.not_deflated(giant.index, error))?;
    Ok(Piece { slice, ..piece })
}

/// The job of the archive's end, which comes after `position` bytes of stream.
pub(super) fn end(
    shared: &Shared<'_>,
    position: u64,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, Error> {
    // At most 10 KiB.
    let len = usize::try_from(tar::end_len(position)).unwrap_or(0);
    worker.input[..len].fill(0);
    finish(shared, len, true, worker, laps).map_err(|source| Error::Deflate {
        path: shared.source.plan().source().to_owned(),
        source,
    })
}

/// Turns the first `len` bytes of the worker's input, a piece of stream, into a piece of the archive.
fn finish(
    shared: &Shared<'_>,
    len: usize,
    last: bool,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, deflate::Error> {
    let stream = &worker.input[..len];
    let mut crc = crc32fast::Hasher::new();
    let bytes = if shared.format == Format::Tgz {
        crc.update(stream);
        laps.lap(Stage::Hash);
        worker.output.clear();
        worker
            .engine
            .deflate_chunk(stream, last, &mut worker.output)?;
        // The piece may wait for the assembler, so its copy has no spare capacity.
        worker.output.as_slice().to_vec()
    } else {
        stream.to_vec()
    };
    laps.lap(Stage::Compress);
    Ok(Piece {
        bytes,
        stream: len as u64,
        crc,
        sums: Vec::new(),
        renewed: Vec::new(),
        slice: None,
    })
}
