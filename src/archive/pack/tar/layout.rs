//! Computes where everything is in a tar, before any file is read.

use std::ops::Range;

use crate::archive::deflate::{gzip, max_deflated_len};
use crate::archive::limits::CHUNK;
use crate::archive::plan::{self, Kind, Plan};
use crate::archive::tar;
use crate::bundle::Format;

/// A piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Whole entries, except that a giant at the end of the run is only its header.
    Run(Run),
    /// The content of a giant, with its padding.
    Giant(usize),
}

/// Entries of up to [`CHUNK`] bytes of stream, or one entry that takes a bit more with its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Their indices in the plan.
    pub(super) entries: Range<usize>,
    /// Bytes of stream.
    pub(super) len: usize,
    /// How many of them are complete: all but a giant.
    pub(super) files: u64,
    /// Their content, in bytes.
    pub(super) content: u64,
}

/// The fields of an entry's header.
pub(super) fn record<'a>(entry: &plan::Entry<'a>) -> tar::Entry<'a> {
    tar::Entry {
        name: entry.name,
        kind: match entry.kind {
            Kind::File => tar::Kind::File,
            Kind::Directory => tar::Kind::Directory,
            Kind::Link(text) => tar::Kind::Symlink(text),
        },
        mode: entry.mode,
        mtime: entry.time,
        size: content(entry),
    }
}

/// Whether the content is in pieces of its own, and not in the [`Run`] with the header.
pub(super) fn is_giant(entry: &plan::Entry<'_>) -> bool {
    entry.size > CHUNK as u64
}

/// Bytes of content after the header: 0 for a link, whose text is in the header.
fn content(entry: &plan::Entry<'_>) -> u64 {
    if entry.kind == Kind::File {
        entry.size
    } else {
        0
    }
}

/// Bytes of content and padding.
fn body(entry: &plan::Entry<'_>) -> u64 {
    let size = content(entry);
    size.saturating_add(tar::padding(size) as u64)
}

/// The pieces of the stream, without its end.
pub(super) fn pieces(plan: &Plan) -> impl Iterator<Item = Piece> + '_ {
    let mut next = 0;
    let mut giant = None;
    std::iter::from_fn(move || {
        if let Some(index) = giant.take() {
            return Some(Piece::Giant(index));
        }
        let mut run = Run {
            entries: next..next,
            len: 0,
            files: 0,
            content: 0,
        };
        while run.entries.end < plan.len() {
            let entry = plan.entry(run.entries.end);
            let mut grows = tar::header_len(&record(&entry));
            if !is_giant(&entry) {
                grows += body(&entry);
            }
            // It is at most a header and a chunk.
            let grows = usize::try_from(grows).unwrap_or(usize::MAX);
            let len = run.len.saturating_add(grows);
            if len > CHUNK && !run.entries.is_empty() {
                break;
            }
            run.len = len;
            run.entries.end += 1;
            if is_giant(&entry) {
                giant = Some(run.entries.end - 1);
                break;
            }
            run.files += 1;
            run.content += entry.size;
        }
        next = run.entries.end;
        (!run.entries.is_empty()).then_some(Piece::Run(run))
    })
}

/// The most bytes that the archive can take: exactly the size of a tar, and the size of a tgz if nothing
/// compresses.
pub(in crate::archive::pack) fn worst_case(plan: &Plan, format: Format) -> u64 {
    let (mut stream, mut deflated) = (0_u64, gzip::OVERHEAD);
    for piece in pieces(plan) {
        let (len, most) = match piece {
            Piece::Run(run) => {
                let len = run.len as u64;
                (len, max_deflated_len(len, len))
            }
            Piece::Giant(index) => {
                let len = body(&plan.entry(index));
                (len, max_deflated_len(len, CHUNK as u64))
            }
        };
        stream = stream.saturating_add(len);
        deflated = deflated.saturating_add(most);
    }
    let end = tar::end_len(stream);
    match format {
        Format::Tgz => deflated.saturating_add(max_deflated_len(end, end)),
        Format::Tar | Format::Zip => stream.saturating_add(end),
    }
}
