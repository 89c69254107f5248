//! Assembles a tar or a tgz: appends the pieces that jobs made, and joins their checksums.

use std::mem::take;
use std::ops::Range;

use super::jobs::Step;
use super::piece::Piece;
use crate::archive::deflate::gzip;
use crate::archive::pack::channel::Receiver;
use crate::archive::pack::digest::{EntryHasher, GiantSums};
use crate::archive::pack::dispatch::{Pending, Shared, Ticket};
use crate::archive::pack::giant::Giant;
use crate::archive::pack::outlet::Outlet;
use crate::archive::pack::source::as_packed;
use crate::archive::pack::{Error, Packed};
use crate::bundle::Format;

pub(super) struct Assembler<'a, 'e, 'l> {
    shared: &'a Shared<'a>,
    out: Outlet<'a, 'e>,
    files: u64,
    content: u64,
    /// Bytes of the tar's stream, before compression.
    stream: u64,
    /// CRC-32 of the stream, for a tgz.
    crc: crc32fast::Hasher,
    /// None if contents are not digested.
    hasher: Option<EntryHasher<'l>>,
    /// The checksums of the giant that is being written, if contents are digested.
    giant: GiantSums,
    /// Whether the tar's end was written.
    ended: bool,
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
            files: 0,
            content: 0,
            stream: 0,
            crc: crc32fast::Hasher::new(),
            hasher,
            giant: GiantSums::default(),
            ended: false,
        }
    }

    /// Writes pieces until there are no more tickets.
    pub(super) fn run(mut self, tickets: &Receiver<Ticket<Step>>) -> Result<Packed, Error> {
        let compressed = self.shared.format == Format::Tgz;
        if compressed {
            self.out.append(&gzip::HEADER)?;
        }
        for ticket in tickets {
            let lap = self.out.begin(tickets.len())?;
            match ticket? {
                Step::Run(complete, pending) => self.entries(complete, &pending)?,
                Step::Slice(pending) => {
                    if let Some(sums) = self.append(&pending, 0)?.slice {
                        self.giant.push(&sums);
                    }
                }
                Step::GiantEnd(giant) => self.end_giant(&giant)?,
                Step::End(pending) => {
                    self.append(&pending, 0)?;
                    self.ended = true;
                }
            }
            self.out.end(&lap);
        }
        // If the dispatcher ended early without an error, a thread panicked.
        if !self.ended || self.files != self.shared.source.plan().len() as u64 {
            return Err(Error::Worker);
        }
        let lap = self.out.lap();
        if compressed {
            let crc32 = self.crc.clone().finalize();
            self.out.append(&gzip::trailer(crc32, self.stream))?;
        }
        Ok(Packed {
            files: self.files,
            content: self.content,
            archive: self.out.finish(&lap)?,
            digest: self.hasher.as_ref().map(EntryHasher::finish),
            zip64_names: 0,
        })
    }

    fn entries(&mut self, complete: Range<usize>, pending: &Pending<Piece>) -> Result<(), Error> {
        let plan = self.shared.source.plan();
        let piece = self.append(pending, complete.len() as u64)?;
        if let Some(hasher) = &mut self.hasher {
            for (sums, index) in piece.sums.iter().zip(complete) {
                hasher.entry(&as_packed(plan, index, &piece.renewed), *sums)?;
            }
        }
        Ok(())
    }

    fn end_giant(&mut self, giant: &Giant) -> Result<(), Error> {
        self.shared.source.check(giant.index, &giant.file)?;
        let sums = take(&mut self.giant);
        if let Some(hasher) = &mut self.hasher {
            let entry = self.shared.source.plan().entry(giant.index);
            hasher.entry(&entry, sums.finish().ok_or(Error::Worker)?)?;
        }
        self.files += 1;
        self.shared.progress.packed(1, 0);
        Ok(())
    }

    /// Appends a piece with which `files` files are complete. Returns the piece without its bytes.
    fn append(&mut self, pending: &Pending<Piece>, files: u64) -> Result<Piece, Error> {
        let (mut piece, share) = self.out.wait(pending)?;
        self.stream += piece.stream;
        self.crc.combine(&piece.crc);
        self.out.append(&piece.bytes)?;
        self.files += files;
        self.content += pending.content;
        let bytes = take(&mut piece.bytes);
        self.out.packed(files, pending.content, (bytes, share));
        Ok(piece)
    }
}
