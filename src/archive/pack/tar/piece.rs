//! A job's work: headers, contents and padding of a piece, compressed if it is for a tgz.

use std::path::PathBuf;

use blake3::hazmat::ChainingValue;

use super::layout::{self, Run};
use crate::archive::deflate::Engine;
use crate::archive::pack::Error;
use crate::archive::pack::digest::{self, Sums};
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
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Bytes of the stream that it holds.
    pub(super) stream: u64,
    /// CRC-32 of those, if it is for a tgz.
    pub(super) crc: crc32fast::Hasher,
    /// Bytes of content of files.
    pub(super) content: u64,
    /// What each file's content sums up to, if wanted.
    pub(super) sums: Vec<Sums>,
    /// Entries that are not as planned, by index: none, as a rule.
    pub(super) renewed: Vec<Renewed>,
    /// CRC-32 and digest of a giant's content in it, if wanted.
    pub(super) slice: Option<(crc32fast::Hasher, ChainingValue)>,
}

/// Makes whole entries.
pub(super) fn entries(
    shared: &Shared<'_>,
    run: &Run,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, Error> {
    let Worker {
        engine,
        folder,
        input,
        output,
        header,
        ..
    } = worker;
    if input.len() < run.len {
        // A file of nearly a chunk has a header too.
        input.resize(run.len, 0);
    }
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
            // A time beyond the format's own field takes a record more, for which there is no room.
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
    let path = || plan.path(run.entries.start);
    let piece = close(shared, &input[..at], false, engine, output, laps, path)?;
    Ok(Piece {
        content: run.content,
        sums,
        renewed,
        ..piece
    })
}

/// Makes `len` bytes of a giant's content from `offset`, and the padding if they are its last.
pub(super) fn slice(
    shared: &Shared<'_>,
    giant: &Giant,
    offset: u64,
    len: usize,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, Error> {
    let Worker {
        engine,
        input,
        output,
        ..
    } = worker;
    let source = &shared.source;
    source.read_at(giant.index, &giant.file, &mut input[..len], offset)?;
    laps.lap(Stage::Read);
    let summed = shared.digest.then(|| {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&input[..len]);
        (crc, digest::subtree(&input[..len], offset))
    });
    laps.lap(Stage::Hash);
    let padding = if offset + len as u64 == giant.size {
        tar::padding(giant.size)
    } else {
        0
    };
    // A chunk is a multiple of a block, so there is room.
    input[len..len + padding].fill(0);
    let path = || source.plan().path(giant.index);
    let stream = &input[..len + padding];
    let piece = close(shared, stream, false, engine, output, laps, path)?;
    Ok(Piece {
        content: len as u64,
        slice: summed,
        ..piece
    })
}

/// Makes the end of the archive, whose stream has `position` bytes before it.
pub(super) fn end(
    shared: &Shared<'_>,
    position: u64,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Piece, Error> {
    let Worker {
        engine,
        input,
        output,
        ..
    } = worker;
    // 10 KiB at most.
    let len = usize::try_from(tar::end_len(position)).unwrap_or(0);
    input[..len].fill(0);
    let path = || shared.source.plan().source().to_owned();
    close(shared, &input[..len], true, engine, output, laps, path)
}

/// Turns a piece of stream into one of the archive.
fn close(
    shared: &Shared<'_>,
    stream: &[u8],
    last: bool,
    engine: &mut Engine,
    output: &mut Vec<u8>,
    laps: &mut Laps,
    path: impl FnOnce() -> PathBuf,
) -> Result<Piece, Error> {
    let mut crc = crc32fast::Hasher::new();
    let bytes = if shared.format == Format::Tgz {
        crc.update(stream);
        laps.lap(Stage::Hash);
        output.clear();
        engine
            .deflate_chunk(stream, last, output)
            .map_err(|source| Error::Deflate {
                path: path(),
                source,
            })?;
        // As long as it is, not as it could have been: it may wait a while.
        output.as_slice().to_vec()
    } else {
        stream.to_vec()
    };
    laps.lap(Stage::Compress);
    Ok(Piece {
        bytes,
        stream: stream.len() as u64,
        crc,
        content: 0,
        sums: Vec::new(),
        renewed: Vec::new(),
        slice: None,
    })
}
