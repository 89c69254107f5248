//! Giants: files of more than one chunk, which many jobs read at once from one open file.

use std::fs::File;

use super::Error;
use super::source::Source;
use crate::archive::limits::CHUNK;

/// A giant, while it is being packed.
#[derive(Debug)]
pub(super) struct Giant {
    /// Its index in the plan.
    pub(super) index: usize,
    pub(super) file: File,
    pub(super) size: u64,
}

impl Giant {
    pub(super) fn open(source: &Source<'_>, index: usize) -> Result<Self, Error> {
        Ok(Self {
            index,
            file: source.file(index)?,
            size: source.plan().entry(index).size,
        })
    }

    /// The offset and the length of each chunk.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (u64, usize)> + use<> {
        let size = self.size;
        (0..size).step_by(CHUNK).map(move |offset| {
            let left = usize::try_from(size - offset).unwrap_or(CHUNK);
            (offset, left.min(CHUNK))
        })
    }
}
