//! The assembler's way out, for every format: waits for jobs, cuts what they made into parts, and
//! reports progress. It runs on the thread that called [`pack`](super::pack).

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Error;
use super::budget::Share;
use super::dispatch::{Pending, Shared};
use super::parts::{Cutter, Open, Part};
use crate::progress::{Track, Wait};

type Emit<'a> = dyn FnMut(Part) -> Result<(), Error> + 'a;

pub(super) struct Outlet<'a, 'e> {
    shared: &'a Shared<'a>,
    /// How long the assembler has waited: for jobs, and for `emit`.
    idle: &'a Cell<Duration>,
    emit: &'e mut Emit<'e>,
    cutter: Cutter,
}

/// A stretch of the assembler's work: when it began, the idle time until then, and the archive's length.
pub(super) struct Lap {
    began: Instant,
    idle: Duration,
    from: u64,
}

impl Lap {
    /// How long the assembler has worked since the lap began, if it has been idle for `idle` in all.
    fn busy(&self, idle: Duration) -> Duration {
        let waited = idle.saturating_sub(self.idle);
        self.began.elapsed().saturating_sub(waited)
    }
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
            idle,
            emit,
            cutter: Cutter::new(usize::try_from(part_size).unwrap_or(usize::MAX)),
        }
    }

    /// The archive's length so far.
    pub(super) fn position(&self) -> u64 {
        self.cutter.position()
    }

    /// Begins a lap for a ticket, when `queued` more are in the queue.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub(super) fn begin(&self, queued: usize) -> Result<Lap, Error> {
        if self.shared.is_stopped() {
            return Err(Error::Stopped);
        }
        self.shared.progress.tickets(queued);
        Ok(self.lap())
    }

    /// Begins a lap.
    pub(super) fn lap(&self) -> Lap {
        Lap {
            began: Instant::now(),
            idle: self.idle.get(),
            from: self.position(),
        }
    }

    /// Ends a lap, and reports its busy time and how far the archive is.
    pub(super) fn end(&self, lap: &Lap) {
        let position = self.position();
        let busy = lap.busy(self.idle.get());
        self.shared.progress.assembled(busy, position - lap.from);
        self.shared.progress.archive_at(position);
    }

    /// Waits for a job's result. A job ends without one if the pack was stopped, or if it panicked.
    pub(super) fn wait<T>(&self, pending: &Pending<T>) -> Result<(T, Share), Error> {
        let since = Instant::now();
        let done = pending.result.wait();
        self.idle.set(self.idle.get() + since.elapsed());
        self.shared
            .progress
            .waited(Track::Assembler, Wait::Job, since);
        let (result, share) = done.ok_or_else(|| {
            if self.shared.is_stopped() {
                Error::Stopped
            } else {
                Error::Worker
            }
        })?;
        result.map(|result| (result, share))
    }

    /// Reports that files and content are packed, and frees the result's memory before its share of the
    /// budget.
    pub(super) fn packed<T>(&self, files: u64, content: u64, (result, share): (T, Share)) {
        self.shared.progress.packed(files, content);
        drop(result);
        drop(share);
        self.shared.report_budget();
    }

    /// Adds bytes to the archive.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.cutter.append(bytes, self.emit)
    }

    /// Adds bytes that [`close`](Self::close) will replace.
    pub(super) fn append_open(&mut self, placeholder: &[u8]) -> Result<Open, Error> {
        self.cutter.append_open(placeholder, self.emit)
    }

    /// Replaces the bytes of an open place.
    pub(super) fn close(&mut self, open: Open, bytes: &[u8]) -> Result<(), Error> {
        self.cutter.close(open, bytes, self.emit)
    }

    /// Ends the archive, and returns its length.
    pub(super) fn finish(self, lap: &Lap) -> Result<u64, Error> {
        let Self {
            shared,
            idle,
            emit,
            cutter,
        } = self;
        let archive = cutter.position();
        shared.progress.archive_at(archive);
        shared.progress.archive_ends_at(archive);
        cutter.finish(emit)?;
        let busy = lap.busy(idle.get());
        shared.progress.assembled(busy, archive - lap.from);
        Ok(archive)
    }
}
