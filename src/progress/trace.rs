//! What happened when: one span for each job, part and wait worth showing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shorter waits are counted, and not kept.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_micros(50);

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// Whoever called.
    Main,
    /// The thread that hands out jobs.
    Dispatcher,
    /// A worker, from 0.
    Worker(usize),
    /// The thread that puts the archive together.
    Assembler,
    /// The task that takes parts and starts requests.
    Upload,
    /// The request with this part. Several overlap.
    Part(u32),
}

/// Something that took time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Who.
    pub track: Track,
    /// What.
    pub name: &'static str,
    /// From when, since the push began.
    pub start: Duration,
    /// Until when.
    pub end: Duration,
    /// Bytes that went through, or 0.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<Vec<Span>>);

impl Trace {
    pub(super) fn add(&self, span: Span) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(span);
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
