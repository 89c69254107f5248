//! How much input may be under way: what bounds the packer's memory.
//!
//! Shares are taken on one thread, in archive order, before a job is given away. So the entry that
//! is to be written next always holds its share already, and waiting for a share never waits for
//! something that waits itself: there is no deadlock to detect.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that may be held at one time.
#[derive(Debug)]
pub(super) struct Budget {
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    closed: bool,
}

/// Bytes held. They go back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

/// The budget was closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Budget {
    pub(super) fn new(total: u64) -> Arc<Self> {
        let total = total.max(1);
        let state = Mutex::new(State {
            free: total,
            closed: false,
        });
        Arc::new(Self {
            total,
            state,
            changed: Condvar::new(),
        })
    }

    /// Waits until `bytes` are free and takes them. More than there are in all counts as all.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Result<Share, Closed> {
        let bytes = bytes.min(self.total);
        let mut state = self.lock();
        while !state.closed && state.free < bytes {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Closed);
        }
        state.free -= bytes;
        Ok(Share {
            budget: Arc::clone(self),
            bytes,
        })
    }

    /// Bytes that are held now.
    pub(super) fn used(&self) -> u64 {
        self.total - self.lock().free
    }

    /// Ends all waiting, now and later.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.lock().free += self.bytes;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_larger_than_the_budget_takes_all_of_it() {
        let budget = Budget::new(10);
        let share = budget.take(1000).unwrap();
        assert_eq!(budget.lock().free, 0);
        drop(share);
        assert_eq!(budget.lock().free, 10);
    }

    #[test]
    fn closing_wakes_who_waits() {
        let budget = Budget::new(1);
        let held = budget.take(1).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(1).map(drop));
            budget.close();
            assert_eq!(waiting.join().unwrap(), Err(Closed));
        });
        drop(held);
        assert!(budget.take(1).is_err());
    }

    proptest! {
        /// Taken in order by one thread and given back in that order by another, as the packer
        /// does it, shares of any size all come, and never more than the budget is out.
        #[test]
        fn shares_taken_in_order_all_come(
            total in 1..50_u64,
            shares in prop::collection::vec(0..80_u64, 0..60),
        ) {
            let budget = Budget::new(total);
            let (sender, receiver) = crossbeam_channel::bounded::<Share>(4);
            let written = thread::scope(|scope| {
                let writer = scope.spawn(|| receiver.iter().map(drop).count());
                for &bytes in &shares {
                    sender.send(budget.take(bytes).unwrap()).unwrap();
                    assert!(budget.lock().free <= total);
                }
                drop(sender);
                writer.join().unwrap()
            });
            prop_assert_eq!(written, shares.len());
            prop_assert_eq!(budget.lock().free, total);
        }
    }
}
