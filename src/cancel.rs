//! The one way to end a push early.
//!
//! Threads look at a flag between two pieces of work; tasks wait for a token. [`Cancel`] is both, so that
//! one call ends both sides. Nothing is interrupted inside a system call. It is set once and never
//! cleared. A [`child`](Cancel::child) ends with its parent, and can be ended alone.

use crate::sync::{Arc, AtomicBool, Ordering};
#[cfg(any(feature = "push", feature = "local"))]
use tokio_util::sync::CancellationToken;

/// Tells every thread and task that holds a clone of it to finish the piece of work at hand and to begin
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
    /// One that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is cancelled when this one is, and may be cancelled before.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Shared {
            flag: AtomicBool::new(false),
            parent: Some(self.clone()),
            #[cfg(any(feature = "push", feature = "local"))]
            token: self.0.token.child_token(),
        }))
    }

    /// Cancels all clones and all children, for good.
    pub fn cancel(&self) {
        self.0.flag.store(true, Ordering::Release);
        #[cfg(any(feature = "push", feature = "local"))]
        self.0.token.cancel();
    }

    /// Whether it is cancelled: the view of threads.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::Acquire)
            || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }

    /// Waits until it is cancelled: the view of tasks.
    #[cfg(any(feature = "push", feature = "local"))]
    pub async fn cancelled(&self) {
        self.0.token.cancelled().await;
    }

    /// Does `work`, unless it is cancelled first; None then.
    #[cfg(feature = "push")]
    pub async fn run_until_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        self.0.token.run_until_cancelled(work).await
    }
}
