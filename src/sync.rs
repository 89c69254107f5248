//! The standard library's synchronization primitives, re-exported from one place.
//!
//! `tests/models.rs` compiles the files that import from here with a model checker's primitives instead,
//! and tries every order in which their threads can run. Nothing is defined here.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
