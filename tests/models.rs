//! Every order in which the packer's threads may run, tried by a model checker.
//!
//! The budget, the tickets and the stop flag are compiled here once more, from the same files, with
//! loom's primitives instead of the standard library's. Loom runs each test again and again, each
//! time with other switches between threads, until there is none left to try. It reports a thread
//! that waits for ever as a deadlock.
//!
//! Within a run it may switch where no thread had to wait, so often at most. Two switches are enough for
//! nearly every known bug (Musuvathi and Qadeer 2007), but with four threads they take minutes, so
//! `cargo test` tries one there, and up to three elsewhere. More with
//!
//! ```text
//! LOOM_MAX_PREEMPTIONS=2 cargo test --test models
//! ```

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

/// Instead of `src/sync.rs`.
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
    /// Instead of `src/archive/pack/channel.rs`.
    #[path = "channel.rs"]
    pub mod channel;
    #[path = "../../src/archive/pack/tickets.rs"]
    pub mod tickets;

    #[path = "budget.rs"]
    mod budget_alone;
    #[path = "pipeline.rs"]
    mod pipeline;
}

/// Runs `test` in every order with so many switches, or with as many as the environment says.
fn every_order(switches: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    // Loom has read the variable.
    model.preemption_bound = model.preemption_bound.or(Some(switches));
    model.check(test);
}
