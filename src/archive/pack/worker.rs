//! What a worker thread keeps from one job to the next: its compressor, its buffers and an open directory.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::source::Folder;
use crate::archive::deflate::{Engine, Level};
use crate::archive::limits::CHUNK;

/// The level at which jobs that begin now compress.
#[derive(Debug)]
pub(super) enum LevelSetting {
    Fixed(Level),
    /// The number of a level, which [`set`](Self::set) changes.
    Varying(AtomicU8),
}

impl LevelSetting {
    pub(super) fn varying(start: Level) -> Self {
        Self::Varying(AtomicU8::new(start.get()))
    }

    /// Changes a varying level. A fixed one stays.
    pub(super) fn set(&self, level: Level) {
        if let Self::Varying(number) = self {
            number.store(level.get(), Relaxed);
        }
    }

    pub(super) fn current(&self) -> Level {
        match self {
            Self::Fixed(level) => *level,
            // Only numbers of levels are stored, so the default is never used.
            Self::Varying(number) => Level::new(number.load(Relaxed)).unwrap_or_default(),
        }
    }

    /// Whether any job may compress.
    pub(super) fn may_compress(&self) -> bool {
        !matches!(self, Self::Fixed(Level::STORE))
    }
}

/// One worker's compressor and buffers.
pub(super) struct Worker {
    level: Level,
    pub(super) engine: Engine,
    pub(super) folder: Folder,
    /// At least [`CHUNK`] bytes, for the content of a file or a chunk.
    pub(super) input: Vec<u8>,
    /// A compressed batch or chunk.
    pub(super) output: Vec<u8>,
    /// A header.
    pub(super) header: Vec<u8>,
}

/// The workers of a pool, one for each thread. Each thread only ever locks its own.
///
/// The pack owns them, and not the threads, so that they start at its level and end with it.
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

    /// The worker of the current thread, which must belong to the pool, set to `level`.
    pub(super) fn current(&self, level: Level) -> MutexGuard<'_, Worker> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        let mut worker = self.0[index].lock().unwrap_or_else(PoisonError::into_inner);
        if worker.level != level {
            worker.engine = Engine::new(level);
            worker.level = level;
        }
        worker
    }
}
