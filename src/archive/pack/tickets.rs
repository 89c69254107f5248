//! Brings the results of jobs into archive order without sorting.
//!
//! A job has two ends, made in archive order. The [`Slot`] goes to the worker, which fills it at any
//! time. The [`Pending`] is queued as a ticket, in order, and the assembler waits on it. The job's share
//! of the budget travels with the result, so memory counts as free only after the result was written.

use super::budget::{Budget, Closed, Share};
use super::channel::{Receiver, Sender, bounded};

/// The worker's end of a job. If it is dropped unfilled, the assembler learns that no result will come.
#[derive(Debug)]
pub(super) struct Slot<T> {
    done: Sender<(T, Share)>,
    share: Share,
}

/// The assembler's end of a job.
#[derive(Debug)]
pub(super) struct Pending<T>(Receiver<(T, Share)>);

/// Waits until `weight` of the budget is free, takes it, and makes the two ends of a job.
pub(super) fn job<T>(budget: &Budget, weight: u64) -> Result<(Slot<T>, Pending<T>), Closed> {
    let share = budget.take(weight)?;
    let (done, pending) = bounded(1);
    Ok((Slot { done, share }, Pending(pending)))
}

impl<T> Slot<T> {
    /// Hands the result over. This never waits: the channel has room for the only result.
    pub(super) fn fill(self, result: T) {
        // It fails if the assembler has given up, which needs no result then.
        let _ = self.done.send((result, self.share));
    }
}

impl<T> Pending<T> {
    /// Waits for the result and its share of the budget. Returns None if no result will come.
    pub(super) fn wait(&self) -> Option<(T, Share)> {
        self.0.recv().ok()
    }
}
