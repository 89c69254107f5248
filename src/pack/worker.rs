//! What a worker thread keeps from one job to the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::source::Folder;
use crate::deflate::{Engine, Level};
use crate::limits::CHUNK;

/// One worker's compressor and its room for one file or chunk.
pub(super) struct Worker {
    pub(super) engine: Engine,
    pub(super) folder: Folder,
    /// [`CHUNK`] bytes.
    pub(super) input: Vec<u8>,
    /// One file, compressed.
    pub(super) output: Vec<u8>,
}

/// The state of every thread in a pool.
///
/// It is owned by the push rather than by the threads, so it can be made for a level and goes when
/// the push ends. A thread only ever locks its own.
pub(super) struct Workers(Vec<Mutex<Worker>>);

impl Workers {
    pub(super) fn new(threads: usize, level: Level) -> Self {
        let worker = || Worker {
            engine: Engine::new(level),
            folder: Folder::default(),
            input: vec![0; CHUNK],
            output: Vec::new(),
        };
        Self((0..threads).map(|_| Mutex::new(worker())).collect())
    }

    /// The state of the current thread, which must be one of the pool's.
    pub(super) fn mine(&self) -> MutexGuard<'_, Worker> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
