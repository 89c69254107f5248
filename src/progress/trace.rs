//! What happened when, for a timeline: one span for each job, request and longer wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shorter waits are counted, but have no span.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_micros(50);

/// The thread, task or request that a span belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// The thread that lists the source.
    Main,
    /// The thread that hands out jobs.
    Dispatcher,
    /// A worker, numbered from 0.
    Worker(usize),
    /// The thread that writes the archive.
    Assembler,
    /// The task that takes parts and starts requests.
    Upload,
    /// The request for this part. Several overlap.
    Part(u32),
}

/// Something that took time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The thread, task or request.
    pub track: Track,
    /// What it did.
    pub name: &'static str,
    /// Its start, counted from the beginning of the push.
    pub start: Duration,
    /// Its end, counted from the beginning of the push.
    pub end: Duration,
    /// Bytes that went through, or 0.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<Vec<Span>>);

impl Trace {
    pub(super) fn add(&self, span: Span) {
        self.lock().push(span);
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
