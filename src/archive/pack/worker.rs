//! What a worker thread keeps from one job to the next.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::source::Folder;
use crate::archive::deflate::{Engine, Level};
use crate::archive::limits::CHUNK;

/// The level of the jobs that begin now.
#[derive(Debug)]
pub(super) enum Pace {
    Fixed(Level),
    /// A level's number.
    Varies(AtomicU8),
}

impl Pace {
    pub(super) fn varies(start: Level) -> Self {
        Self::Varies(AtomicU8::new(start.get()))
    }

    /// Does nothing to a fixed one.
    pub(super) fn set(&self, level: Level) {
        if let Self::Varies(number) = self {
            number.store(level.get(), Relaxed);
        }
    }

    pub(super) fn level(&self) -> Level {
        match self {
            Self::Fixed(level) => *level,
            // Only numbers of levels get in.
            Self::Varies(number) => Level::new(number.load(Relaxed)).unwrap_or_default(),
        }
    }

    /// Whether anything may come to be compressed.
    pub(super) fn compresses(&self) -> bool {
        !matches!(self, Self::Fixed(Level::STORE))
    }
}

/// One worker's compressor and its room for one file or chunk.
pub(super) struct Worker {
    level: Level,
    pub(super) engine: Engine,
    pub(super) folder: Folder,
    /// [`CHUNK`] bytes.
    pub(super) input: Vec<u8>,
    /// A batch, or a chunk, compressed.
    pub(super) output: Vec<u8>,
    /// A local header.
    pub(super) header: Vec<u8>,
}

/// The state of every thread in a pool.
///
/// It is owned by the push rather than by the threads, so it can be made for a level and goes when
/// the push ends. A thread only ever locks its own.
pub(super) struct Workers(Vec<Mutex<Worker>>);

impl Workers {
    pub(super) fn new(threads: usize, level: Level) -> Self {
        let worker = || Worker {
            level,
            engine: Engine::new(level),
            folder: Folder::default(),
            input: vec![0; CHUNK],
            output: Vec::new(),
            header: Vec::new(),
        };
        Self((0..threads).map(|_| Mutex::new(worker())).collect())
    }

    /// The state of the current thread, which must be one of the pool's, set to `level`.
    pub(super) fn mine(&self, level: Level) -> MutexGuard<'_, Worker> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        let mut worker = self.0[index].lock().unwrap_or_else(PoisonError::into_inner);
        if worker.level != level {
            worker.engine = Engine::new(level);
            worker.level = level;
        }
        worker
    }
}
