//! How much input may be under way: what bounds the packer's memory.
//!
//! Shares are taken on one thread, in archive order, before a job is given away. So the entry that
//! is to be written next always holds its share already, and waiting for a share never waits for
//! something that waits itself: there is no deadlock to detect.

use std::sync::PoisonError;

use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Bytes that may be held at one time. All clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Held>);

#[derive(Debug)]
struct Held {
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
    held: Arc<Held>,
    bytes: u64,
}

/// The budget was closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Budget {
    pub(super) fn new(total: u64) -> Self {
        let total = total.max(1);
        let state = Mutex::new(State {
            free: total,
            closed: false,
        });
        Self(Arc::new(Held {
            total,
            state,
            changed: Condvar::new(),
        }))
    }

    /// Waits until `bytes` are free and takes them. More than there are in all counts as all.
    pub(super) fn take(&self, bytes: u64) -> Result<Share, Closed> {
        let held = &self.0;
        let bytes = bytes.min(held.total);
        let mut state = held.lock();
        while !state.closed && state.free < bytes {
            state = held
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Closed);
        }
        state.free -= bytes;
        Ok(Share {
            held: Arc::clone(held),
            bytes,
        })
    }

    /// Bytes that are held now.
    pub(super) fn used(&self) -> u64 {
        self.0.total - self.0.lock().free
    }

    /// Ends all waiting, now and later.
    pub(super) fn close(&self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.lock().free += self.bytes;
        self.held.changed.notify_all();
    }
}
