//! Puts a zip together: draws tickets, and writes what they stand for.
//!
//! It runs on the thread that called [`pack`](crate::archive::pack::pack), never sorts and never looks ahead. It
//! alone knows offsets, and keeps of each entry the 24 bytes that the central directory needs.

use super::entry::{self, Batch, Record};
use super::jobs::Step;
use crate::archive::limits::CHUNK;
use crate::archive::pack::channel::Receiver;
use crate::archive::pack::digest::{Sums, Told};
use crate::archive::pack::dispatch::{Pending, Shared, Ticket};
use crate::archive::pack::giant::{self, Chunk, Giant, Joined};
use crate::archive::pack::outlet::Outlet;
use crate::archive::pack::parts::Open;
use crate::archive::pack::source::{Renewed, as_packed};
use crate::archive::pack::{Error, Packed};
use crate::archive::plan;
use crate::archive::zip::{self, CentralDirectory, Sizes};

/// The central directory goes out in pieces of this many bytes.
const PIECE: usize = 64 << 10;

pub(super) struct Assembler<'a, 'e, 'l> {
    shared: &'a Shared<'a>,
    out: Outlet<'a, 'e>,
    records: Vec<Record>,
    /// Entries that are not as planned, by index.
    renewed: Vec<Renewed>,
    /// None if contents are not digested.
    told: Option<Told<'l>>,
    content: u64,
    /// The giant that is being written.
    open: Option<(Open, Joined, u64)>,
    header: Vec<u8>,
}

impl<'a, 'e, 'l> Assembler<'a, 'e, 'l> {
    pub(super) fn new(shared: &'a Shared<'a>, out: Outlet<'a, 'e>, told: Option<Told<'l>>) -> Self {
        Self {
            shared,
            out,
            records: Vec::with_capacity(shared.source.plan().len()),
            renewed: Vec::new(),
            told,
            content: 0,
            open: None,
            header: Vec::new(),
        }
    }

    /// Writes entries until there are no more tickets, then the central directory.
    pub(super) fn run(mut self, tickets: &Receiver<Ticket<Step>>) -> Result<Packed, Error> {
        for ticket in tickets {
            let lap = self.out.begin(tickets.len())?;
            match ticket? {
                Step::Batch(first, pending) => self.batch(first, &pending)?,
                Step::Giant(giant) => self.begin(&giant)?,
                Step::Chunk(pending) => self.chunk(&pending)?,
                Step::GiantEnd(giant) => self.end(&giant)?,
            }
            self.out.end(&lap);
        }
        // The dispatcher ended early without a word: a thread panicked.
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
        if let Some(told) = &mut self.told {
            let contents = batch.records.iter().zip(&batch.digests);
            for ((record, digest), index) in contents.zip(first..) {
                let sums = Sums {
                    crc32: record.crc32,
                    blake3: *digest,
                };
                told.entry(&as_packed(plan, index, &batch.renewed), sums)?;
            }
        }
        self.renewed.extend(&batch.renewed);
        self.content += batch.content;
        let files = batch.records.len() as u64;
        self.out.packed(files, batch.content, (batch, share));
        Ok(())
    }

    fn begin(&mut self, giant: &Giant) -> Result<(), Error> {
        let offset = self.out.position();
        self.render(giant, &giant::open_sizes(giant.size, giant.method));
        let open = self.out.append_open(&self.header)?;
        self.open = Some((open, Joined::new(self.shared.digest), offset));
        Ok(())
    }

    fn chunk(&mut self, pending: &Pending<Chunk>) -> Result<(), Error> {
        let (chunk, share) = self.out.wait(pending)?;
        if let Some((_, joined, _)) = &mut self.open {
            joined.push(&chunk);
        }
        self.out.append(&chunk.bytes)?;
        self.content += chunk.content;
        self.out.packed(0, chunk.content, (chunk, share));
        Ok(())
    }

    fn end(&mut self, giant: &Giant) -> Result<(), Error> {
        let Some((open, joined, offset)) = self.open.take() else {
            return Err(Error::Worker);
        };
        self.shared.source.check(giant.index, &giant.file)?;
        let (crc32, compressed) = (joined.crc32(), joined.compressed());
        let sizes = giant::open_sizes(giant.size, giant.method).close(crc32, compressed);
        self.render(giant, &sizes);
        self.out.close(open, &self.header)?;
        self.records.push(Record {
            offset,
            compressed,
            crc32,
            method: giant.method,
        });
        if let Some(told) = &mut self.told {
            let entry = self.shared.source.plan().entry(giant.index);
            let blake3 = joined.digest().ok_or(Error::Worker)?;
            told.entry(&entry, Sums { crc32, blake3 })?;
        }
        self.shared.progress.packed(1, 0);
        Ok(())
    }

    fn render(&mut self, giant: &Giant, sizes: &Sizes) {
        let entry = self.shared.source.plan().entry(giant.index);
        self.header.clear();
        zip::local_header(
            &mut self.header,
            &entry::header(&entry, giant.method),
            sizes,
        );
    }

    fn finish(mut self) -> Result<Packed, Error> {
        let lap = self.out.lap();
        let plan = self.shared.source.plan();
        let mut directory = CentralDirectory::new(self.out.position());
        let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
        for (record, index) in self.records.iter().zip(0..) {
            let entry = as_packed(plan, index, &self.renewed);
            let header = entry::header(&entry, record.method);
            directory.entry(&mut piece, &header, &sizes(&entry, record), record.offset);
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
            digest: self.told.as_ref().map(Told::finish),
        })
    }
}

/// The sizes that the entry's local header has.
fn sizes(entry: &plan::Entry<'_>, record: &Record) -> Sizes {
    if entry.size > CHUNK as u64 {
        giant::open_sizes(entry.size, record.method).close(record.crc32, record.compressed)
    } else {
        Sizes::known(record.crc32, record.compressed, entry.size)
    }
}
