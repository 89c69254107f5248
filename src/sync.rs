//! What threads wait on and tell each other by: the standard library's, from one place.
//!
//! `tests/models.rs` compiles the files that use it with a model checker's in its stead, and tries
//! every order in which their threads may run. It refuses to hold anything of its own.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
