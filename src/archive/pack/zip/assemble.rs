//! Assembles a zip from the results of jobs, in the order of their tickets.
//!
//! It never sorts and never looks ahead. Only the assembler knows offsets, and it keeps of each entry the
//! 24 bytes that the central directory needs.

use super::entry::{self, Batch, Record};
use super::giant::{self, Chunk};
use super::jobs::Step;
use crate::archive::limits::CHUNK;
use crate::archive::pack::channel::Receiver;
use crate::archive::pack::digest::{EntryHasher, GiantSums, Sums};
use crate::archive::pack::dispatch::{Pending, Shared, Ticket};
use crate::archive::pack::giant::Giant;
use crate::archive::pack::outlet::Outlet;
use crate::archive::pack::parts::Open;
use crate::archive::pack::source::{Renewed, as_packed};
use crate::archive::pack::{Error, Packed};
use crate::archive::plan;
use crate::archive::zip::{self, CentralDirectory, Method, Sizes};

/// The central directory is written in pieces of this many bytes.
const PIECE: usize = 64 << 10;

pub(super) struct Assembler<'a, 'e, 'l> {
    shared: &'a Shared<'a>,
    out: Outlet<'a, 'e>,
    records: Vec<Record>,
    /// The entries that are no longer as planned, by index.
    renewed: Vec<Renewed>,
    /// None if contents are not digested.
    hasher: Option<EntryHasher<'l>>,
    content: u64,
    /// The giant that is being written.
    giant: Option<OpenGiant>,
    header: Vec<u8>,
}

/// A giant whose header is still to be filled in.
struct OpenGiant {
    header: Open,
    offset: u64,
    compressed: u64,
    sums: GiantSums,
}

impl<'a, 'e, 'l> Assembler<'a, 'e, 'l> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        out: Outlet<'a, 'e>,
        hasher: Option<EntryHasher<'l>>,
    ) -> Self {
        Self {
            shared,
            out,
            records: Vec::with_capacity(shared.source.plan().len()),
            renewed: Vec::new(),
            hasher,
            content: 0,
            giant: None,
            header: Vec::new(),
        }
    }

    /// Writes entries until there are no more tickets, then the central directory.
    pub(super) fn run(mut self, tickets: &Receiver<Ticket<Step>>) -> Result<Packed, Error> {
        for ticket in tickets {
            let lap = self.out.begin(tickets.len())?;
            match ticket? {
                Step::Batch(first, pending) => self.batch(first, &pending)?,
                Step::Giant(giant, method) => self.begin_giant(&giant, method)?,
                Step::Chunk(pending) => self.chunk(&pending)?,
                Step::GiantEnd(giant, method) => self.end_giant(&giant, method)?,
            }
            self.out.end(&lap);
        }
        // If the dispatcher ended early without an error, a thread panicked.
        if self.records.len() != self.shared.source.plan().len() {
            return Err(Error::Worker);
        }
        self.finish()
    }

    fn batch(&mut self, first: usize, pending: &Pending<Batch>) -> Result<(), Error> {
        let (batch, share) = self.out.wait(pending)?;
        let start = self.out.position();
        self.out.append(&batch.bytes)?;
        let plan = self.shared.source.plan();
        self.records
            .extend(batch.records.iter().map(|record| Record {
                offset: start + record.offset,
                ..*record
            }));
        if let Some(hasher) = &mut self.hasher {
            let contents = batch.records.iter().zip(&batch.digests);
            for ((record, digest), index) in contents.zip(first..) {
                let sums = Sums {
                    crc32: record.crc32,
                    blake3: *digest,
                };
                hasher.entry(&as_packed(plan, index, &batch.renewed), sums)?;
            }
        }
        self.renewed.extend(&batch.renewed);
        self.content += pending.content;
        let files = batch.records.len() as u64;
        self.out.packed(files, pending.content, (batch, share));
        Ok(())
    }

    fn begin_giant(&mut self, giant: &Giant, method: Method) -> Result<(), Error> {
        let offset = self.out.position();
        self.render(giant, method, &giant::open_sizes(giant.size, method));
        self.giant = Some(OpenGiant {
            header: self.out.append_open(&self.header)?,
            offset,
            compressed: 0,
            sums: GiantSums::default(),
        });
        Ok(())
    }

    fn chunk(&mut self, pending: &Pending<Chunk>) -> Result<(), Error> {
        let (chunk, share) = self.out.wait(pending)?;
        if let Some(giant) = &mut self.giant {
            giant.sums.push(&chunk.sums);
            giant.compressed += chunk.bytes.len() as u64;
        }
        self.out.append(&chunk.bytes)?;
        self.content += pending.content;
        self.out.packed(0, pending.content, (chunk, share));
        Ok(())
    }

    fn end_giant(&mut self, giant: &Giant, method: Method) -> Result<(), Error> {
        let Some(open) = self.giant.take() else {
            return Err(Error::Worker);
        };
        self.shared.source.check(giant.index, &giant.file)?;
        let (crc32, compressed) = (open.sums.crc32(), open.compressed);
        let sizes = giant::open_sizes(giant.size, method).close(crc32, compressed);
        self.render(giant, method, &sizes);
        self.out.close(open.header, &self.header)?;
        self.records.push(Record {
            offset: open.offset,
            compressed,
            crc32,
            method,
        });
        if let Some(hasher) = &mut self.hasher {
            let entry = self.shared.source.plan().entry(giant.index);
            hasher.entry(&entry, open.sums.finish().ok_or(Error::Worker)?)?;
        }
        self.shared.progress.packed(1, 0);
        Ok(())
    }

    /// Makes a giant's local header.
    fn render(&mut self, giant: &Giant, method: Method, sizes: &Sizes) {
        let entry = self.shared.source.plan().entry(giant.index);
        self.header.clear();
        zip::local_header(&mut self.header, &entry::header(&entry, method), sizes);
    }

    fn finish(mut self) -> Result<Packed, Error> {
        let lap = self.out.lap();
        let plan = self.shared.source.plan();
        let mut directory = CentralDirectory::new(self.out.position());
        let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
        let mut zip64_names = 0;
        for (record, index) in self.records.iter().zip(0..) {
            let entry = as_packed(plan, index, &self.renewed);
            let header = entry::header(&entry, record.method);
            let sizes = sizes(&entry, record);
            let has_zip64 = sizes.zip64() || zip::is_far(record.offset);
            zip64_names += u64::from(has_zip64 && !header.name.is_ascii());
            directory.entry(&mut piece, &header, &sizes, record.offset);
            if piece.len() >= PIECE {
                self.out.append(&piece)?;
                piece.clear();
                self.shared.progress.archive_at(self.out.position());
            }
        }
        directory.finish(&mut piece);
        self.out.append(&piece)?;
        Ok(Packed {
            files: self.records.len() as u64,
            content: self.content,
            archive: self.out.finish(&lap)?,
            digest: self.hasher.as_ref().map(EntryHasher::finish),
            zip64_names,
        })
    }
}

/// The sizes in an entry's local header.
fn sizes(entry: &plan::Entry<'_>, record: &Record) -> Sizes {
    if entry.size > CHUNK as u64 {
        giant::open_sizes(entry.size, record.method).close(record.crc32, record.compressed)
    } else {
        Sizes::known(record.crc32, record.compressed, entry.size)
    }
}
