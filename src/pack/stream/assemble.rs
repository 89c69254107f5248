//! Puts a tar or tgz together: appends what jobs made, and adds up the sums.

use std::ops::Range;

use crossbeam_channel::Receiver;

use super::jobs::Step;
use super::piece::Piece;
use crate::bundle::Format;
use crate::deflate::gzip;
use crate::pack::digest::{Subtrees, TreeDigest};
use crate::pack::dispatch::{Pending, Shared, Ticket};
use crate::pack::giant::Giant;
use crate::pack::outlet::Outlet;
use crate::pack::{Error, Packed};

pub(in crate::pack) struct Assembler<'a, 'e> {
    shared: &'a Shared<'a>,
    out: Outlet<'a, 'e>,
    files: u64,
    content: u64,
    /// Bytes of the stream.
    stream: u64,
    /// CRC-32 of it.
    crc: crc32fast::Hasher,
    /// None if contents are not digested.
    digest: Option<TreeDigest>,
    /// What there is of the giant that is being written.
    giant: Subtrees,
    /// Whether the end was written.
    ended: bool,
}

impl<'a, 'e> Assembler<'a, 'e> {
    pub(in crate::pack) fn new(shared: &'a Shared<'a>, out: Outlet<'a, 'e>) -> Self {
        Self {
            shared,
            out,
            files: 0,
            content: 0,
            stream: 0,
            crc: crc32fast::Hasher::new(),
            digest: shared.digest.then(TreeDigest::default),
            giant: Subtrees::default(),
            ended: false,
        }
    }

    /// Writes pieces until there are no more tickets.
    pub(in crate::pack) fn run(
        mut self,
        tickets: &Receiver<Ticket<Step>>,
    ) -> Result<Packed, Error> {
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
            digest: self.digest.as_ref().map(TreeDigest::finish),
        })
    }

    fn entries(&mut self, complete: Range<usize>, pending: &Pending<Piece>) -> Result<(), Error> {
        let plan = self.shared.source.plan();
        let files = complete.len() as u64;
        let digests = self.append(pending, files)?.digests;
        if let Some(tree) = &mut self.digest {
            for (digest, index) in digests.iter().zip(complete) {
                let entry = plan.entry(index);
                tree.entry(&entry, digest);
            }
        }
        Ok(())
    }

    fn slice(&mut self, pending: &Pending<Piece>) -> Result<(), Error> {
        if let Some(subtree) = self.append(pending, 0)?.subtree {
            self.giant.push(subtree);
        }
        Ok(())
    }

    fn giant_end(&mut self, giant: &Giant) -> Result<(), Error> {
        self.shared.source.check(giant.index, &giant.file)?;
        let subtrees = std::mem::take(&mut self.giant);
        if let Some(tree) = &mut self.digest {
            let entry = self.shared.source.plan().entry(giant.index);
            let digest = subtrees.finish().ok_or(Error::Worker)?;
            tree.entry(&entry, &digest);
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
