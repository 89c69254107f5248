//! Bounds how much input is under way, and so the packer's memory.
//!
//! One thread takes shares in archive order, before it gives a job away. The entry that is to be written
//! next therefore always holds its share already. So waiting for a share never waits for a job that waits
//! for a share itself, and cannot deadlock.

use std::sync::PoisonError;

use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

/// The bytes that may be held at one time. Clones share one budget.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    closed: bool,
}

/// Bytes taken from a budget. Dropping it returns them.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Shared>,
    bytes: u64,
}

/// The budget was closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Budget {
    /// A budget of `total` bytes. Zero counts as one.
    pub(super) fn new(total: u64) -> Self {
        let total = total.max(1);
        let state = Mutex::new(State {
            free: total,
            closed: false,
        });
        Self(Arc::new(Shared {
            total,
            state,
            changed: Condvar::new(),
        }))
    }

    /// Waits until `bytes` are free, and takes them. A request for more than the total takes all.
    pub(super) fn take(&self, bytes: u64) -> Result<Share, Closed> {
        let shared = &self.0;
        let bytes = bytes.min(shared.total);
        let mut state = shared.lock();
        while !state.closed && state.free < bytes {
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Closed);
        }
        state.free -= bytes;
        Ok(Share {
            budget: Arc::clone(shared),
            bytes,
        })
    }

    /// How many bytes are held now.
    pub(super) fn used(&self) -> u64 {
        self.0.total - self.0.lock().free
    }

    /// Makes all calls of [`take`](Self::take) fail: those that wait, and all later ones.
    pub(super) fn close(&self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
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
