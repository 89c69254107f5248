//! The one way to end a push early.
//!
//! Threads check a flag between two pieces of work; tasks wait for a token. [`Cancel`] is both, so that
//! one call ends both sides of a push. It does not interrupt system calls, and it is never reset. A
//! [`child`](Cancel::child) is cancelled with its parent, and can be cancelled alone.

use crate::sync::{Arc, AtomicBool, Ordering};
#[cfg(any(feature = "push", feature = "local"))]
use tokio_util::sync::CancellationToken;

/// Tells every thread and task that holds a clone of it to finish its current piece of work and to begin
/// nothing new.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    flag: AtomicBool,
    parent: Option<Cancel>,
    #[cfg(any(feature = "push", feature = "local"))]
    token: CancellationToken,
}

impl Cancel {
    /// Returns one that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns one that is cancelled together with this one, and may be cancelled earlier.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Shared {
            flag: AtomicBool::new(false),
            parent: Some(self.clone()),
            #[cfg(any(feature = "push", feature = "local"))]
            token: self.0.token.child_token(),
        }))
    }

    /// Cancels all clones and all children.
    pub fn cancel(&self) {
        self.0.flag.store(true, Ordering::Release);
        #[cfg(any(feature = "push", feature = "local"))]
        self.0.token.cancel();
    }

    /// Whether it is cancelled. Threads check this.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::Acquire)
            || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }

    /// Waits until it is cancelled. Tasks wait for this.
    #[cfg(any(feature = "push", feature = "local"))]
    pub async fn cancelled(&self) {
        self.0.token.cancelled().await;
    }

    /// Does `work`; None if it is cancelled before that is done.
    #[cfg(feature = "push")]
    pub async fn run_until_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        self.0.token.run_until_cancelled(work).await
    }
}
