//! The way out of the packer, the same for every format: waits for jobs, cuts what they made into
//! parts, and tells how far it is.
//!
//! It runs on the thread that called [`pack`](super::pack), with whoever puts the archive together.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Error;
use super::budget::Share;
use super::dispatch::{Pending, Shared};
use super::parts::{Cutter, Open, Part};
use crate::progress::{Progress, Track, Wait};

pub(super) type Emit<'a> = dyn FnMut(Part) -> Result<(), Error> + 'a;

pub(super) struct Outlet<'a, 'e> {
    shared: &'a Shared<'a>,
    progress: &'a Progress,
    /// How long it waited, for jobs and for somebody to take parts.
    idle: &'a Cell<Duration>,
    emit: &'e mut Emit<'e>,
    cutter: Cutter,
}

/// When a piece of the assembler's own work began, and where the archive was then.
pub(super) struct Lap {
    began: Instant,
    idle: Duration,
    from: u64,
}

impl<'a, 'e> Outlet<'a, 'e> {
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
        }
    }

    /// How many bytes the archive has so far.
    pub(super) fn position(&self) -> u64 {
        self.cutter.position()
    }

    /// Begins to count its time, `waiting` tickets from the end of the queue.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub(super) fn begin(&self, waiting: usize) -> Result<Lap, Error> {
        if self.shared.is_stopped() {
            return Err(Error::Stopped);
        }
        self.progress.tickets(waiting);
        Ok(self.lap())
    }

    /// The same where nothing is drawn from the queue.
    pub(super) fn lap(&self) -> Lap {
        Lap {
            began: Instant::now(),
            idle: self.idle.get(),
            from: self.position(),
        }
    }

    /// Ends what was begun.
    pub(super) fn end(&self, lap: &Lap) {
        let position = self.position();
        let waited = self.idle.get().saturating_sub(lap.idle);
        let busy = lap.began.elapsed().saturating_sub(waited);
        self.progress.assembled(busy, position - lap.from);
        self.progress.archive_at(position);
    }

    /// Waits for what a job gives. A job that ends without a result was told to, or panicked.
    pub(super) fn wait<T>(&self, pending: &Pending<T>) -> Result<(T, Share), Error> {
        let since = Instant::now();
        let done = pending.wait();
        self.idle.set(self.idle.get() + since.elapsed());
        self.progress.waited(Track::Assembler, Wait::Job, since);
        let (result, share) = done.ok_or_else(|| {
            if self.shared.is_stopped() {
                Error::Stopped
            } else {
                Error::Worker
            }
        })?;
        result.map(|result| (result, share))
    }

    /// Counts so much as packed, and gives the memory back that it took.
    pub(super) fn packed<T>(&self, files: u64, content: u64, held: (T, Share)) {
        self.progress.packed(files, content);
        drop(held);
        self.shared.note_budget();
    }

    /// Adds bytes to the archive.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.cutter.append(bytes, self.emit)
    }

    /// Adds bytes that [`close`](Self::close) replaces.
    pub(super) fn append_open(&mut self, placeholder: &[u8]) -> Result<Open, Error> {
        self.cutter.append_open(placeholder, self.emit)
    }

    /// Replaces what was left open.
    pub(super) fn close(&mut self, open: Open, bytes: &[u8]) -> Result<(), Error> {
        self.cutter.close(open, bytes, self.emit)
    }

    /// Ends the archive, which has this length.
    pub(super) fn finish(self, lap: &Lap) -> Result<u64, Error> {
        let archive = self.position();
        self.progress.archive_at(archive);
        self.cutter.finish(self.emit)?;
        let waited = self.idle.get().saturating_sub(lap.idle);
        let busy = lap.began.elapsed().saturating_sub(waited);
        self.progress.assembled(busy, archive - lap.from);
        Ok(archive)
    }
}
