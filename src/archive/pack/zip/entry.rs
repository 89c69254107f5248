//! Small files, links and directories: one job turns a run of them into finished entries.
//!
//! An entry is its local header and its data. A local header holds no offset, so a job can make whole
//! entries, one after the other, and the assembler only appends them.

use std::ops::Range;

use blake3::Hash;

use crate::archive::pack::Error;
use crate::archive::pack::dispatch::Shared;
use crate::archive::pack::source::Renewed;
use crate::archive::pack::worker::Worker;
use crate::archive::plan::{self, Kind};
use crate::archive::zip::{self, Method, Sizes};
use crate::progress::{Laps, Stage};

/// What the central directory needs to know of an entry besides the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Where the local header starts: in the batch, and later in the archive.
    pub(super) offset: u64,
    /// Bytes of data.
    pub(super) compressed: u64,
    pub(super) crc32: u32,
    pub(super) method: Method,
}

/// Finished entries.
#[derive(Debug)]
pub(super) struct Batch {
    /// Local headers and data.
    pub(super) bytes: Vec<u8>,
    /// One for each entry.
    pub(super) records: Vec<Record>,
    /// The digest of each entry's content; empty if contents are not digested.
    pub(super) digests: Vec<Hash>,
    /// The few entries that are no longer as planned, by index.
    pub(super) renewed: Vec<Renewed>,
}

/// What both headers say about an entry.
pub(super) fn header<'a>(entry: &plan::Entry<'a>, method: Method) -> zip::Entry<'a> {
    zip::Entry {
        name: entry.name,
        // With its file type, a mode of 0000 is not taken for an unknown mode, which would become 0644.
        mode: entry.st_mode(),
        mtime: entry.time,
        method,
    }
}

/// The job: reads the files of `run`, computes checksums and compresses.
pub(super) fn pack(
    shared: &Shared<'_>,
    run: Range<usize>,
    worker: &mut Worker,
    laps: &mut Laps,
) -> Result<Batch, Error> {
    let count = run.len();
    let mut records = Vec::with_capacity(count);
    let mut digests = Vec::with_capacity(if shared.digest { count } else { 0 });
    let mut renewed = Vec::new();
    let source = &shared.source;
    let plan = source.plan();
    let Worker {
        engine,
        folder,
        input,
        output,
        header: closed,
        ..
    } = worker;
    // Entries are made in the worker's buffer. Only at the end is the batch's size known, and the copy
    // that waits for the assembler takes no more than that.
    output.clear();
    for index in run {
        let planned = plan.entry(index);
        let (entry, content) = match planned.kind {
            Kind::File => source.read(index, planned, folder, input)?,
            Kind::Directory | Kind::Link(_) => (planned, source.content(index, folder)?),
        };
        renewed.extend(Renewed::since(index, &planned, &entry));
        laps.lap(Stage::Read);
        let crc32 = crc32fast::hash(content);
        if shared.digest {
            digests.push(blake3::hash(content));
        }
        laps.lap(Stage::Hash);

        // The header comes first and holds the length of the data, so it is written again below. Its own
        // length does not depend on that: a small file needs no zip64.
        let offset = output.len();
        let open = Sizes::known(crc32, 0, entry.size);
        zip::local_header(output, &header(&entry, Method::Stored), &open);
        let start = output.len();
        // A link's text is stored, as Info-ZIP's zip does.
        let method = if entry.kind == Kind::File && engine.deflate(content, output) {
            Method::Deflate
        } else {
            output.extend_from_slice(content);
            Method::Stored
        };
        let compressed = (output.len() - start) as u64;
        closed.clear();
        let sizes = Sizes::known(crc32, compressed, entry.size);
        zip::local_header(closed, &header(&entry, method), &sizes);
        debug_assert_eq!(closed.len(), start - offset, "a header keeps its length");
        output[offset..start].copy_from_slice(closed);
        records.push(Record {
            offset: offset as u64,
            compressed,
            crc32,
            method,
        });
        laps.lap(Stage::Compress);
    }
    let bytes = output.as_slice().to_vec();
    laps.lap(Stage::Compress);
    Ok(Batch {
        bytes,
        records,
        digests,
        renewed,
    })
}
