//! Puts a tar or tgz together: appends what jobs made, and adds up the sums.

use std::ops::Range;

use super::jobs::Step;
use super::piece::Piece;
use crate::archive::deflate::gzip;
use crate::archive::pack::channel::Receiver;
use crate::archive::pack::digest::{Subtrees, Sums, Told};
use crate::archive::pack::dispatch::{Pending, Shared, Ticket};
use crate::archive::pack::giant;
use crate::archive::pack::outlet::Outlet;
use crate::archive::pack::source::as_packed;
use crate::archive::pack::{Error, Packed};
use crate::bundle::Format;

/// What a giant's slices sum up to, if contents are digested.
#[derive(Default)]
struct Giant {
    crc: crc32fast::Hasher,
    subtrees: Subtrees,
}

pub(super) struct Assembler<'a, 'e, 'l> {
    shared: &'a Shared<'a>,
    out: Outlet<'a, 'e>,
    files: u64,
    content: u64,
    /// Bytes of the stream.
    stream: u64,
    /// CRC-32 of it.
    crc: crc32fast::Hasher,
    /// None if contents are not digested.
    told: Option<Told<'l>>,
    /// What there is of the giant that is being written.
    giant: Giant,
    /// Whether the end was written.
    ended: bool,
}

impl<'a, 'e, 'l> Assembler<'a, 'e, 'l> {
    pub(super) fn new(shared: &'a Shared<'a>, out: Outlet<'a, 'e>, told: Option<Told<'l>>) -> Self {
        Self {
            shared,
            out,
            files: 0,
            content: 0,
            stream: 0,
            crc: crc32fast::Hasher::new(),
            told,
            giant: Giant::default(),
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
                Step::Slice(pending) => self.slice(&pending)?,
                Step::GiantEnd(giant) => self.giant_end(&giant)?,
                Step::End(pending) => {
                    self.append(&pending, 0)?;
                    self.ended = true;
                }
            }
            self.out.end(&lap);
        }
        // The dispatcher ended early without a word: a thread panicked.
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
            digest: self.told.as_ref().map(Told::finish),
        })
    }

    fn entries(&mut self, complete: Range<usize>, pending: &Pending<Piece>) -> Result<(), Error> {
        let plan = self.shared.source.plan();
        let files = complete.len() as u64;
        let piece = self.append(pending, files)?;
        if let Some(told) = &mut self.told {
            for (sums, index) in piece.sums.iter().zip(complete) {
                told.entry(&as_packed(plan, index, &piece.renewed), *sums)?;
            }
        }
        Ok(())
    }

    fn slice(&mut self, pending: &Pending<Piece>) -> Result<(), Error> {
        if let Some((crc32, subtree)) = self.append(pending, 0)?.slice {
            self.giant.crc.combine(&crc32);
            self.giant.subtrees.push(subtree);
        }
        Ok(())
    }

    fn giant_end(&mut self, giant: &giant::Giant) -> Result<(), Error> {
        self.shared.source.check(giant.index, &giant.file)?;
        let Giant { crc, subtrees } = std::mem::take(&mut self.giant);
        if let Some(told) = &mut self.told {
            let entry = self.shared.source.plan().entry(giant.index);
            let sums = Sums {
                crc32: crc.finalize(),
                blake3: subtrees.finish().ok_or(Error::Worker)?,
            };
            told.entry(&entry, sums)?;
        }
        self.files += 1;
        self.shared.progress.packed(1, 0);
        Ok(())
    }

    /// Writes a piece with which so many files are complete. Returns what is left of it: no bytes.
    fn append(&mut self, pending: &Pending<Piece>, files: u64) -> Result<Piece, Error> {
        let (mut piece, share) = self.out.wait(pending)?;
        self.stream += piece.stream;
        self.crc.combine(&piece.crc);
        self.out.append(&piece.bytes)?;
        self.files += files;
        self.content += piece.content;
        let bytes = std::mem::take(&mut piece.bytes);
        self.out.packed(files, piece.content, (bytes, share));
        Ok(piece)
    }
}
