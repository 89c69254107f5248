//! What goes into an archive: every file of a tree, in archive order, before a byte is read.
//!
//! A push must know beforehand what comes: the part size follows from the sum of all sizes, the
//! order of the bytes from the order of the names, and a name that no reader would accept must
//! stop the push before anything is sent. So the tree is walked once, in parallel, and sorted by
//! the bytes of its names; neither the file system's order nor the number of threads shows.
//!
//! As `aws deploy push` does, a symbolic link to a file is followed and one to a directory is
//! left out (but counted: [`Plan::dropped_links`]); directories have no entries of their own.
//! Unlike it, this room refuses what it cannot pack instead of dropping it without a word:
//! directories that cannot be read, links that lead nowhere, pipes, sockets and devices, names
//! that are not UTF-8 or that some reader would change.

mod beneath;
mod list;
mod names;
#[cfg(test)]
mod tests;
mod walk;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::slice::ParallelSliceMut as _;

pub(crate) use self::beneath::Root;
use self::names::NameBlocks;
use self::walk::{Found, Item};
use crate::deflate::max_deflated_len;
use crate::error::FileError;
use crate::limits::{BATCH_BYTES, BATCH_ENTRIES, CHUNK};
use crate::stop::Stop;
use crate::zip::{self, NameError};

/// How to look at a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Leave out files and directories whose name starts with a dot. The source itself may be
    /// hidden.
    pub ignore_hidden: bool,
    /// Threads that walk and sort. Zero counts as one.
    pub threads: usize,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be looked at.
    #[error(transparent)]
    File(#[from] FileError),
    /// The walk failed in a way that no system call explains.
    #[error("cannot list the source: {0}")]
    Walk(String),
    /// Something that has no content to pack.
    #[error("{} is {kind}, which an archive cannot hold; remove it from the source", path.display())]
    Special {
        /// Which.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A name that readers reject, change or disagree about.
    #[error("cannot pack {}: {source}; rename the file", path.display())]
    Name {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: NameError,
    },
    /// Names that cannot be in one archive.
    #[error("cannot pack {}: {source}", path.display())]
    Order {
        /// The source.
        path: PathBuf,
        /// Which names, and why.
        source: NameError,
    },
    /// The stop flag was set.
    #[error("stopped while listing the source")]
    Stopped,
}

/// A modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mtime {
    /// Seconds since 1970, UTC; negative before.
    pub(crate) secs: i64,
    /// Nanoseconds after that, below a billion.
    pub(crate) nanos: u32,
}

/// One file, as the walk saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Its name in the archive: its path below the source.
    pub(crate) name: &'a [u8],
    /// Bytes of content.
    pub(crate) size: u64,
    /// When the content was last changed.
    pub(crate) mtime: Mtime,
    /// The lower 12 bits of `st_mode`.
    pub(crate) mode: u32,
    /// Whether a symbolic link leads to it.
    pub(crate) via_link: bool,
}

/// Files that make one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Small files, by index.
    Batch(Range<usize>),
    /// One file of more than [`CHUNK`] bytes.
    Giant(usize),
}

/// The files of a tree, sorted by the bytes of their names.
///
/// It takes 32 bytes and the name for each.
#[derive(Debug)]
pub struct Plan {
    root: Root,
    shown: PathBuf,
    names: NameBlocks,
    items: Vec<Item>,
    total_size: u64,
    dropped_links: Vec<PathBuf>,
}

impl Plan {
    /// Lists the files below the directory `source`.
    ///
    /// # Errors
    ///
    /// [`Error`], about the first thing found that cannot be packed.
    pub fn scan(source: &Path, options: &Options, stop: &Stop) -> Result<Self, Error> {
        let path = fs::canonicalize(source)
            .map_err(|error| FileError::new("find the source directory", source, error))?;
        let root = Root::open(&path)
            .map_err(|error| FileError::new("read the source directory", source, error))?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.max(1))
            .thread_name(|n| format!("hoist-plan-{n}"))
            .build()
            .map_err(|error| Error::Walk(format!("cannot start threads: {error}")))?;
        let found = walk::walk(&root, source, options, &pool, stop)?;
        Self::sorted(root, source, found, &pool)
    }

    fn sorted(root: Root, source: &Path, found: Found, pool: &ThreadPool) -> Result<Self, Error> {
        let Found {
            names,
            mut items,
            mut dropped_links,
        } = found;
        pool.install(|| {
            items.par_sort_unstable_by(|a, b| names.get(a.name).cmp(names.get(b.name)));
        });
        zip::check_order(items.iter().map(|item| names.get(item.name))).map_err(|error| {
            Error::Order {
                path: source.to_owned(),
                source: error,
            }
        })?;
        dropped_links.sort_unstable();
        let total_size = items
            .iter()
            .map(|item| item.size)
            .fold(0, u64::saturating_add);
        Ok(Self {
            root,
            shown: source.to_owned(),
            names,
            items,
            total_size,
            dropped_links,
        })
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All content, in bytes before compression.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.total_size
    }

    /// The symbolic links to directories, which are left out as `aws deploy push` leaves them out.
    #[must_use]
    pub fn dropped_links(&self) -> &[PathBuf] {
        &self.dropped_links
    }

    /// The source as the user named it.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.shown
    }

    /// The most bytes that the archive can take, if nothing compresses.
    #[must_use]
    pub fn worst_case(&self) -> u64 {
        self.items
            .iter()
            .map(|item| {
                max_deflated_len(item.size, CHUNK as u64)
                    .saturating_add(zip::max_overhead(self.names.get(item.name).len()))
            })
            .fold(zip::MAX_END, u64::saturating_add)
    }

    /// The source, as it was opened for the walk.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// The file at `index` in archive order.
    pub(crate) fn entry(&self, index: usize) -> Entry<'_> {
        let item = &self.items[index];
        Entry {
            name: self.names.get(item.name),
            size: item.size,
            mtime: Mtime {
                secs: item.secs,
                nanos: item.nanos,
            },
            mode: item.mode.bits(),
            via_link: item.mode.via_link(),
        }
    }

    /// Where the file at `index` is, as the user would write it.
    pub(crate) fn path(&self, index: usize) -> PathBuf {
        // Names passed `check_name` as UTF-8.
        self.shown
            .join(String::from_utf8_lossy(self.entry(index).name).as_ref())
    }

    /// The index of the file of this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.items
            .binary_search_by(|item| self.names.get(item.name).cmp(name))
            .ok()
    }

    /// All files in archive order, as jobs. How they are cut depends on sizes alone.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let first = next;
            let mut bytes = 0;
            while let Some(item) = self.items.get(next) {
                if item.size > CHUNK as u64 {
                    if next == first {
                        next += 1;
                        return Some(Run::Giant(first));
                    }
                    break;
                }
                if next > first
                    && (bytes + item.size > BATCH_BYTES || next - first == BATCH_ENTRIES)
                {
                    break;
                }
                bytes += item.size;
                next += 1;
            }
            (next > first).then_some(Run::Batch(first..next))
        })
    }
}
