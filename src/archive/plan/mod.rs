//! Lists what goes into an archive, in archive order, before any file is read.
//!
//! A push needs this beforehand: the part size follows from the sum of all sizes, the order of the bytes
//! from the order of the names, and a name that some reader rejects must stop the push before anything is
//! sent. So the tree is walked once, in parallel (`walk`), and sorted by the bytes of its names. Neither the
//! file system's order nor the number of threads shows in the plan.
//!
//! By default the plan holds what `aws deploy push` packs: the files that links lead to, no links to
//! directories (`links`), and no entries for directories. [`Options`] can select by patterns (`select`), and
//! change what becomes of links, empty directories and times. What is left out unasked, and what readers
//! change, is named in [`Plan::notices`].
//!
//! Unlike `aws deploy push`, which drops silently what it cannot pack, this module makes an [`Error`] of it:
//! directories that cannot be read, links that lead nowhere, pipes, sockets and devices, names that are not
//! UTF-8 or that some reader would change.

mod error;
mod fold;
mod glob;
mod links;
mod loops;
mod names;
mod notice;
mod options;
mod private;
mod select;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::slice::ParallelSliceMut as _;

pub use self::error::Error;
pub(crate) use self::notice::Noticed;
pub use self::notice::{MAX_PATHS, Notice, NoticeKind};
pub use self::options::{Options, Symlinks, Times};
pub use self::select::{BadPattern, DirectoryRules, IGNORE_FILE, Pattern, Rules};

use self::links::Followed;
use self::names::NameBlocks;
use self::walk::{Found, Item, Mode};
use crate::archive::deflate::max_deflated_len;
use crate::archive::limits::{BATCH_BYTES, BATCH_ENTRIES, CHUNK};
use crate::archive::zip;
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::system::{Root, as_path};

/// A modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mtime {
    /// Seconds since 1970, UTC, negative before.
    pub(crate) secs: i64,
    /// Nanoseconds after `secs`.
    pub(crate) nanos: u32,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A file.
    File,
    /// An empty directory. Its name ends in a slash.
    Directory,
    /// A symbolic link with this text.
    Link(&'a [u8]),
}

/// One entry, as the walk saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Its name in the archive, which is its path below the source.
    pub(crate) name: &'a [u8],
    pub(crate) kind: Kind<'a>,
    /// Bytes of content, or of a link's text.
    pub(crate) size: u64,
    /// When the content was last changed.
    pub(crate) mtime: Mtime,
    /// Its time in the archive, in seconds since 1970, UTC.
    pub(crate) time: i64,
    /// The lower 12 bits of `st_mode`.
    pub(crate) mode: u32,
    /// Whether it was reached through a symbolic link to a file.
    pub(crate) via_link: bool,
}

impl Entry<'_> {
    /// `st_mode`, with the file type.
    pub(crate) fn st_mode(&self) -> u32 {
        let kind = match self.kind {
            Kind::File => 0o100_000,
            Kind::Directory => 0o040_000,
            Kind::Link(_) => 0o120_000,
        };
        kind | self.mode
    }
}

/// Files that are packed by one job, or by one row of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Small files, by their indices.
    Batch(Range<usize>),
    /// One file of more than [`CHUNK`] bytes.
    Giant(usize),
}

/// The entries of an archive, sorted by the bytes of their names.
///
/// Each entry takes 32 bytes and its name, and a kept link its text.
#[derive(Debug)]
pub struct Plan {
    root: Root,
    shown: PathBuf,
    names: NameBlocks,
    items: Vec<Item>,
    total_size: u64,
    times: Times,
    /// Whether links to files must lead into the source.
    confined: bool,
    /// The followed links to directories, by path.
    followed: Vec<Followed>,
    notices: Vec<Notice>,
}

impl Plan {
    /// Lists the directory `source`.
    ///
    /// # Errors
    ///
    /// [`Error`], about the first thing that cannot be packed.
    pub fn scan(source: &Path, options: &Options, stop: &Cancel) -> Result<Self, Error> {
        let root = fs::canonicalize(source)
            .map_err(|error| FileError::new("find the source directory", source, error))?;
        let root = Root::open(root)
            .map_err(|error| FileError::new("read the source directory", source, error))?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.max(1))
            .thread_name(|n| format!("hoist-plan-{n}"))
            .build()
            .map_err(|error| Error::Walk(format!("cannot start threads: {error}")))?;
        let found = walk::walk(&root, source, options, &pool, stop)?;
        let mut plan = Self::sorted(root, source, found, options, &pool)?;
        let collisions = pool.install(|| plan.collisions());
        let mut noticed = Noticed::default();
        for name in collisions.iter().flatten() {
            noticed.add(NoticeKind::Collision, name);
        }
        plan.notices.append(&mut noticed.notices(source));
        Ok(plan)
    }

    fn sorted(
        root: Root,
        source: &Path,
        found: Found,
        options: &Options,
        pool: &ThreadPool,
    ) -> Result<Self, Error> {
        let Found {
            names,
            mut items,
            mut noticed,
            mut followed,
            mut kept,
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
        followed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        kept.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for path in loops::closing(&kept) {
            noticed.add(NoticeKind::LinkLoop, path);
        }
        // Patterns may leave out all that is in a directory.
        noticed.retain(NoticeKind::DirectoryMode, |path| {
            let path = [path, b"/"].concat();
            let after = items.partition_point(|item| names.get(item.name) < path.as_slice());
            let first = items.get(after).map(|item| names.get(item.name));
            first.is_some_and(|name| name.starts_with(&path))
        });
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
            times: options.times,
            confined: options.symlinks == Symlinks::Follow && !options.external_links,
            followed,
            notices: noticed.notices(source),
        })
    }

    /// Adds a notice of names that agents change if the plan becomes a zip: those of files of 4 GiB or
    /// more that are not ASCII. What follows from offsets is known when the zip is packed
    /// ([`Packed::notice`](crate::archive::pack::Packed::notice)).
    pub fn note_zip_names(&mut self) {
        if !zip::is_far(self.total_size) {
            return;
        }
        let mut noticed = Noticed::default();
        for item in &self.items {
            let name = self.names.get(item.name);
            if zip::is_far(item.size) && !name.is_ascii() {
                noticed.add(NoticeKind::ExtraName, name);
            }
        }
        self.notices.append(&mut noticed.notices(&self.shown));
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All content, in bytes before compression.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.total_size
    }

    /// What is left out unasked, and what readers change: at most one notice of a kind, in the order of
    /// [`NoticeKind::ALL`].
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Groups of names that differ only in case, sorted by their bytes. At least one of each group is a file;
    /// a directory is named by its path.
    #[must_use]
    pub fn collisions(&self) -> Vec<Vec<&[u8]>> {
        fold::collisions(|| self.names(), self.items.len())
    }

    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.items.iter().map(|item| self.names.get(item.name))
    }

    /// The path of the source as the user gave it.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.shown
    }

    /// The most bytes that a zip of the plan can take, if nothing compresses.
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

    /// The open source directory.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Whether links to files must lead into the source.
    pub(crate) fn is_confined(&self) -> bool {
        self.confined
    }

    /// The place of the entry or directory at `path`, as [`Root`] opens it: followed links are resolved.
    pub(crate) fn place<'p>(&self, path: &'p [u8]) -> Cow<'p, [u8]> {
        // The last followed link on the path decides, since its place is resolved.
        let ends = (0..=path.len()).rev();
        let mut ends = ends.filter(|&end| path.get(end).is_none_or(|&byte| byte == b'/'));
        let found = if self.followed.is_empty() {
            None
        } else {
            ends.find_map(|end| {
                let link = self
                    .followed
                    .binary_search_by(|link| link.path.as_slice().cmp(&path[..end]));
                Some((end, &self.followed[link.ok()?].place))
            })
        };
        match found {
            None => path.into(),
            Some((end, place)) if place.is_empty() => path[path.len().min(end + 1)..].into(),
            Some((end, place)) => [place.as_slice(), &path[end..]].concat().into(),
        }
    }

    /// The entry at `index` in archive order.
    pub(crate) fn entry(&self, index: usize) -> Entry<'_> {
        let item = &self.items[index];
        let kind = if item.mode.is(Mode::LINK) {
            // A link's size is the length of its text.
            let len = usize::try_from(item.size).unwrap_or(0);
            Kind::Link(self.names.tail(item.name, len))
        } else if item.mode.is(Mode::DIRECTORY) {
            Kind::Directory
        } else {
            Kind::File
        };
        Entry {
            name: self.names.get(item.name),
            kind,
            size: item.size,
            time: self.times.of(item.secs),
            mtime: Mtime {
                secs: item.secs,
                nanos: item.nanos,
            },
            mode: item.mode.bits(),
            via_link: item.mode.is(Mode::VIA_LINK),
        }
    }

    /// The entry with a new time and mode.
    pub(crate) fn renewed<'a>(&self, entry: Entry<'a>, mtime: Mtime, mode: u32) -> Entry<'a> {
        Entry {
            mtime,
            time: self.times.of(mtime.secs),
            mode,
            ..entry
        }
    }

    /// The path of the entry at `index`, as the user would write it.
    pub(crate) fn path(&self, index: usize) -> PathBuf {
        self.shown.join(as_path(self.entry(index).name))
    }

    /// The index of the entry with this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.items
            .binary_search_by(|item| self.names.get(item.name).cmp(name))
            .ok()
    }

    /// All entries in archive order, cut into runs. The cuts depend on sizes alone.
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
