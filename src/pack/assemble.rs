//! Puts the archive together: draws tickets, and writes what they stand for.
//!
//! It runs on the thread that called [`pack`](super::pack), never sorts and never looks ahead. It
//! alone knows offsets, and keeps of each entry the 24 bytes that the central directory needs.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::budget::Share;
use super::digest::TreeDigest;
use super::dispatch::{Pending, Shared, Ticket};
use super::entry::{self, Batch, Record};
use super::giant::{self, Chunk, Giant, Joined};
use super::parts::{Cutter, Open, Part};
use super::{Error, Packed};
use crate::limits::CHUNK;
use crate::plan;
use crate::progress::{Progress, Track, Wait};
use crate::zip::{self, CentralDirectory, Sizes};

/// The central directory goes out in pieces of this many bytes.
const PIECE: usize = 64 << 10;

type Emit<'a> = dyn FnMut(Part) -> Result<(), Error> + 'a;

pub(super) struct Assembler<'a, 'e> {
    shared: &'a Shared<'a>,
    progress: &'a Progress,
    /// How long it waited, for jobs and for somebody to take parts.
    idle: &'a Cell<Duration>,
    emit: &'e mut Emit<'e>,
    cutter: Cutter,
    records: Vec<Record>,
    /// None if contents are not digested.
    digest: Option<TreeDigest>,
    content: u64,
    /// The giant that is being written.
    open: Option<(Open, Joined, u64)>,
    header: Vec<u8>,
}

impl<'a, 'e> Assembler<'a, 'e> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        part_size: u64,
        idle: &'a Cell<Duration>,
        emit: &'e mut Emit<'e>,
    ) -> Self {
        Self {
            shared,
            progress: shared.progress,
            idle,
            emit,
            cutter: Cutter::new(usize::try_from(part_size).unwrap_or(usize::MAX)),
            records: Vec::with_capacity(shared.source.plan().len()),
            digest: shared.digest.then(TreeDigest::default),
            content: 0,
            open: None,
            header: Vec::new(),
        }
    }

    /// Writes entries until there are no more tickets, then the central directory.
    pub(super) fn run(mut self, tickets: &Receiver<Ticket>) -> Result<Packed, Error> {
        for ticket in tickets {
            if self.shared.is_stopped() {
                return Err(Error::Stopped);
            }
            self.progress.tickets(tickets.len());
            let (began, idle, from) = (Instant::now(), self.idle.get(), self.cutter.position());
            match ticket {
                Ticket::Batch(first, pending) => self.batch(first, &pending)?,
                Ticket::Giant(giant) => self.begin(&giant)?,
                Ticket::Chunk(pending) => self.chunk(&pending)?,
                Ticket::GiantEnd(giant) => self.end(&giant)?,
                Ticket::Failed(error) => return Err(error),
            }
            let position = self.cutter.position();
            let waited = self.idle.get().saturating_sub(idle);
            let busy = began.elapsed().saturating_sub(waited);
            self.progress.assembled(busy, position - from);
            self.progress.archive_at(position);
        }
        // The dispatcher ended early without a word: a thread panicked.
        if self.records.len() != self.shared.source.plan().len() {
            return Err(Error::Worker);
        }
        self.finish()
    }

    fn batch(&mut self, first: usize, pending: &Pending<Batch>) -> Result<(), Error> {
        let (batch, share) = self.wait(pending)?;
        let batch = batch?;
        let start = self.cutter.position();
        self.cutter.append(&batch.bytes, self.emit)?;
        let plan = self.shared.source.plan();
        self.records
            .extend(batch.records.iter().map(|record| Record {
                offset: start + record.offset,
                ..*record
            }));
        if let Some(tree) = &mut self.digest {
            for (digest, index) in batch.digests.iter().zip(first..) {
                let entry = plan.entry(index);
                tree.file(entry.name, entry.mode, entry.size, digest);
            }
        }
        self.content += batch.content;
        self.progress
            .packed(batch.records.len() as u64, batch.content);
        drop((batch, share));
        self.shared.note_budget();
        Ok(())
    }

    /// A job that ends without a result was told to, or panicked.
    fn wait<T>(&self, pending: &Pending<T>) -> Result<(Result<T, Error>, Share), Error> {
        let since = Instant::now();
        let done = pending.recv();
        self.idle.set(self.idle.get() + since.elapsed());
        self.progress.waited(Track::Assembler, Wait::Job, since);
        done.map_err(|_| {
            if self.shared.is_stopped() {
                Error::Stopped
            } else {
                Error::Worker
            }
        })
    }

    fn begin(&mut self, giant: &Giant) -> Result<(), Error> {
        let offset = self.cutter.position();
        self.render(giant, &giant::open_sizes(giant.size, giant.method));
        let open = self.cutter.append_open(&self.header, self.emit)?;
        self.open = Some((open, Joined::new(self.shared.digest), offset));
        Ok(())
    }

    fn chunk(&mut self, pending: &Pending<Chunk>) -> Result<(), Error> {
        let (chunk, share) = self.wait(pending)?;
        let chunk = chunk?;
        if let Some((_, joined, _)) = &mut self.open {
            joined.push(&chunk);
        }
        self.cutter.append(&chunk.bytes, self.emit)?;
        self.content += chunk.content;
        self.progress.packed(0, chunk.content);
        drop((chunk, share));
        self.shared.note_budget();
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
        self.cutter.close(open, &self.header, self.emit)?;
        self.records.push(Record {
            offset,
            compressed,
            crc32,
            method: giant.method,
        });
        if let Some(tree) = &mut self.digest {
            let entry = self.shared.source.plan().entry(giant.index);
            let digest = joined.digest().ok_or(Error::Worker)?;
            tree.file(entry.name, entry.mode, entry.size, &digest);
        }
        self.progress.packed(1, 0);
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
        let (began, idle, from) = (Instant::now(), self.idle.get(), self.cutter.position());
        let plan = self.shared.source.plan();
        let mut directory = CentralDirectory::new(self.cutter.position());
        let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
        for (record, index) in self.records.iter().zip(0..) {
            let entry = plan.entry(index);
            let header = entry::header(&entry, record.method);
            directory.entry(&mut piece, &header, &sizes(&entry, record), record.offset);
            if piece.len() >= PIECE {
                self.cutter.append(&piece, self.emit)?;
                piece.clear();
                self.progress.archive_at(self.cutter.position());
            }
        }
        directory.finish(&mut piece);
        self.cutter.append(&piece, self.emit)?;
        let archive = self.cutter.position();
        self.progress.archive_at(archive);
        self.cutter.finish(self.emit)?;
        let waited = self.idle.get().saturating_sub(idle);
        self.progress
            .assembled(began.elapsed().saturating_sub(waited), archive - from);
        Ok(Packed {
            files: self.records.len() as u64,
            content: self.content,
            archive,
            digest: self.digest.as_ref().map(TreeDigest::finish),
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
