//! How far a push is: counters that its stages raise and that anyone may look at.
//!
//! Nothing waits for a counter and no counter decides anything. They are read one by one, so a
//! [`Snapshot`] of a running push may be off by the work of a moment.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one push.
#[derive(Debug, Default)]
pub struct Progress {
    files_planned: AtomicU64,
    bytes_planned: AtomicU64,
    files_packed: AtomicU64,
    bytes_packed: AtomicU64,
    bytes_out: AtomicU64,
    bytes_sent: AtomicU64,
}

/// What the counters said at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Files that will go in.
    pub files_planned: u64,
    /// Their content, in bytes.
    pub bytes_planned: u64,
    /// Files that are in the archive.
    pub files_packed: u64,
    /// The content that is in the archive, in bytes before compression. A large file counts chunk
    /// by chunk.
    pub bytes_packed: u64,
    /// Bytes of the archive made so far.
    pub bytes_out: u64,
    /// Bytes of the archive that the store has confirmed.
    pub bytes_sent: u64,
}

impl Progress {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the counters say now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            files_planned: self.files_planned.load(Relaxed),
            bytes_planned: self.bytes_planned.load(Relaxed),
            files_packed: self.files_packed.load(Relaxed),
            bytes_packed: self.bytes_packed.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
        }
    }

    pub(crate) fn planned(&self, files: u64, bytes: u64) {
        self.files_planned.store(files, Relaxed);
        self.bytes_planned.store(bytes, Relaxed);
    }

    pub(crate) fn packed(&self, files: u64, bytes: u64) {
        self.files_packed.fetch_add(files, Relaxed);
        self.bytes_packed.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn archive_at(&self, bytes: u64) {
        self.bytes_out.store(bytes, Relaxed);
    }

    #[cfg(feature = "push")]
    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes_sent.fetch_add(bytes, Relaxed);
    }
}
