//! The one flag that ends a push early.
//!
//! Threads look at it between two pieces of work; nothing is interrupted inside a system call. It
//! is set once and never cleared.

use crate::sync::{Arc, AtomicBool, Ordering};

/// Says to every thread that holds a clone of it: finish what is in your hands, start nothing new.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag, for all clones and for good.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
