//! Tries every order in which the packer's threads can run, with the model checker loom.
//!
//! The budget, the tickets and the cancel flag are compiled here once more, from the same source files, with
//! loom's primitives instead of the standard library's. Loom runs each test repeatedly, with different
//! switches between threads, until all have been tried. It reports a thread that waits forever as a deadlock.
//!
//! The number of preemptions, which are switches where no thread has to wait, is bounded in each run. Two are
//! enough for nearly every known bug (Musuvathi and Qadeer 2007), but take minutes with four threads. So
//! `cargo test` tries one there, and up to three elsewhere. To try more:
//!
//! ```text
//! LOOM_MAX_PREEMPTIONS=2 cargo test --test models
//! ```

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

/// Replaces `src/sync.rs`.
mod sync {
    pub(crate) use loom::sync::atomic::AtomicBool;
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::Ordering;
}

#[path = "../src/cancel.rs"]
mod cancel;

#[path = "models"]
mod pack {
    #[path = "../../src/archive/pack/budget.rs"]
    pub mod budget;
    /// Replaces `src/archive/pack/channel.rs`.
    #[path = "channel.rs"]
    pub mod channel;
    #[path = "../../src/archive/pack/tickets.rs"]
    pub mod tickets;

    #[path = "budget.rs"]
    mod budget_alone;
    #[path = "pipeline.rs"]
    mod pipeline;
}

/// Runs `test` in every order with up to `preemptions`, or with as many as the environment says.
fn every_order(preemptions: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    // The builder has read LOOM_MAX_PREEMPTIONS.
    model.preemption_bound = model.preemption_bound.or(Some(preemptions));
    model.check(test);
}
