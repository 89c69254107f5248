//! Order without sorting: a job is two ends, and the order in which they are made is that of the
//! archive.
//!
//! One end goes to whoever does the work, in whatever order they come to it. The other is queued as
//! a ticket, in order, and waited for. The share of the budget travels with the result, so memory
//! counts as free only when what it holds was written.

use super::budget::{Budget, Closed, Share};
use super::channel::{Receiver, Sender, bounded};

/// Where a job's result goes. Dropped without one, it says that there will be none.
#[derive(Debug)]
pub(super) struct Slot<T> {
    done: Sender<(T, Share)>,
    share: Share,
}

/// Where a job's result comes from, with the share of the budget that it holds.
#[derive(Debug)]
pub(super) struct Pending<T>(Receiver<(T, Share)>);

/// Takes `weight` of the budget, waiting for it, and makes the two ends of a job.
pub(super) fn job<T>(budget: &Budget, weight: u64) -> Result<(Slot<T>, Pending<T>), Closed> {
    let share = budget.take(weight)?;
    let (done, pending) = bounded(1);
    Ok((Slot { done, share }, Pending(pending)))
}

impl<T> Slot<T> {
    /// Gives the result. It never waits: there is room for the only one.
    pub(super) fn fill(self, result: T) {
        // If nobody listens, nobody wants to know.
        let _ = self.done.send((result, self.share));
    }
}

impl<T> Pending<T> {
    /// Waits for the result. None if there will be none.
    pub(super) fn wait(&self) -> Option<(T, Share)> {
        self.0.recv().ok()
    }
}
