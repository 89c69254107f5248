//! Finds the files of a tree, on all cores.
//!
//! A directory is a job; one with many files is several. Each thread keeps its own list, and the
//! lists are joined once, at the end. What a list holds is what the plan keeps: nothing is made
//! twice, and no file costs an allocation. Everything is looked up relative to its directory, which
//! is open meanwhile.
//!
//! Crates that walk (`ignore`, `jwalk`) give each file a path and an entry of its own, four
//! allocations, which took longer than looking at it.

use std::ffi::{CStr, OsStr};
use std::mem::take;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::{Scope, ThreadPool};
use rustix::fs::{AtFlags, FileType, Stat, statat};
use rustix::io::Errno;

use super::beneath::Root;
use super::list::list;
use super::names::{MAX_NAME, NameBlocks, NameRef};
use super::{Error, Options};
use crate::error::FileError;
use crate::stop::Stop;
use crate::zip::{self, NonUtf8};

/// Names that one job looks at. A directory of more is looked at by several threads.
const NAMES: usize = 512;

/// One file of the plan, in 32 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) name: NameRef,
    /// Nanoseconds of the modification time.
    pub(super) nanos: u32,
    /// Permissions, and whether the file was reached by a symbolic link.
    pub(super) mode: Mode,
    /// Bytes.
    pub(super) size: u64,
    /// Seconds of the modification time since 1970.
    pub(super) secs: i64,
}

/// The lower 12 bits of `st_mode`, and one more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode(u16);

impl Mode {
    const VIA_LINK: u16 = 0x8000;

    fn new(mode: u32, via_link: bool) -> Self {
        let bits = u16::try_from(mode & 0o7777).unwrap_or(0);
        Self(bits | if via_link { Self::VIA_LINK } else { 0 })
    }

    pub(super) fn bits(self) -> u32 {
        u32::from(self.0 & !Self::VIA_LINK)
    }

    pub(super) fn via_link(self) -> bool {
        self.0 & Self::VIA_LINK != 0
    }
}

/// Files in no particular order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) names: NameBlocks,
    pub(super) items: Vec<Item>,
    /// Symbolic links to directories, as paths. Never followed.
    pub(super) dropped_links: Vec<PathBuf>,
}

/// Walks the directory `root` on the threads of `pool`.
///
/// `shown` is the user's name for it, for messages.
pub(super) fn walk(
    root: &Root,
    shown: &Path,
    options: &Options,
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Found, Error> {
    let walk = Walk {
        root,
        shown,
        ignore_hidden: options.ignore_hidden,
        stop,
        lanes: (0..pool.current_num_threads())
            .map(|_| Mutex::default())
            .collect(),
        failed: AtomicBool::new(false),
        error: Mutex::new(None),
    };
    pool.scope(|scope| walk.directory(scope, Vec::new()));
    if stop.is_set() {
        return Err(Error::Stopped);
    }
    let error = walk.error.into_inner();
    if let Some(error) = error.unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut all = Found::default();
    for lane in walk.lanes {
        let lane = lane.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.add(lane.found)?;
    }
    Ok(all)
}

impl Found {
    fn add(&mut self, mut more: Self) -> Result<(), Error> {
        let by = self.names.append(more.names);
        let by = by.ok_or_else(|| Error::Walk("there are too many names".into()))?;
        self.items.extend(more.items.iter().map(|item| Item {
            name: item.name.moved(by),
            ..*item
        }));
        self.dropped_links.append(&mut more.dropped_links);
        Ok(())
    }
}

/// What all threads share.
struct Walk<'a> {
    root: &'a Root,
    shown: &'a Path,
    ignore_hidden: bool,
    stop: &'a Stop,
    /// One for each thread, which alone locks it.
    lanes: Vec<Mutex<Lane>>,
    /// Whether there is an error. Then the others need not go on.
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
}

/// What a thread has found, and what it uses again and again.
#[derive(Default)]
struct Lane {
    found: Found,
    /// The name of a file below the root.
    name: Vec<u8>,
    /// What a system call says that a directory holds.
    listing: Vec<u8>,
}

/// A directory while what is in it is looked at.
struct Folder {
    open: OwnedFd,
    /// Below the root, with a slash at the end; empty for the root.
    path: Vec<u8>,
}

impl<'a> Walk<'a> {
    /// Lists the directory at `path`, which is empty or ends with a slash, and looks at all that is
    /// in it.
    fn directory<'s>(&'s self, scope: &Scope<'s>, path: Vec<u8>) {
        if self.is_over() {
            return;
        }
        if let Err(error) = self.try_directory(scope, path) {
            self.fail(error);
        }
    }

    fn try_directory<'s>(&'s self, scope: &Scope<'s>, path: Vec<u8>) -> Result<(), Error> {
        let folder = self.open(path)?;
        let mut listing = take(&mut self.lane().listing);
        let (mut names, mut count) = (Vec::new(), 0);
        let listed = list(&folder.open, &mut listing, |name, kind| {
            if self.ignore_hidden && name.to_bytes().starts_with(b".") {
                return;
            }
            if kind == FileType::Directory {
                let below = folder.below(name);
                scope.spawn(move |scope| self.directory(scope, below));
                return;
            }
            names.extend_from_slice(name.to_bytes_with_nul());
            count += 1;
            if count == NAMES {
                let (path, names) = (folder.path.clone(), take(&mut names));
                scope.spawn(move |scope| self.more_files(scope, path, &names));
                count = 0;
            }
        });
        self.lane().listing = listing;
        listed.map_err(|error| FileError::new("read", self.shown(&folder.path), error))?;
        self.files(scope, &folder, &names);
        Ok(())
    }

    /// Opens the directory at `path`, which is empty or ends with a slash. What was a directory a
    /// moment ago and is a link now does not lead elsewhere.
    fn open(&self, path: Vec<u8>) -> Result<Folder, Error> {
        let at = path.strip_suffix(b"/").unwrap_or(&path);
        let open = self.root.folder(at);
        let open = open.map_err(|error| FileError::new("read", self.shown(&path), error))?;
        Ok(Folder { open, path })
    }

    /// Looks at files of a directory that was listed, and is opened again: if it stayed open until
    /// somebody comes to them, every level of a deep tree could have one open.
    fn more_files<'s>(&'s self, scope: &Scope<'s>, path: Vec<u8>, names: &[u8]) {
        if self.is_over() {
            return;
        }
        match self.open(path) {
            Ok(folder) => self.files(scope, &folder, names),
            Err(error) => self.fail(error),
        }
    }

    /// Looks at files of a directory. Each name ends with a NUL.
    fn files<'s>(&'s self, scope: &Scope<'s>, folder: &Folder, names: &[u8]) {
        let mut lane = self.lane();
        for name in names.split_inclusive(|&byte| byte == 0) {
            if self.is_over() {
                return;
            }
            let Ok(name) = CStr::from_bytes_with_nul(name) else {
                continue;
            };
            match self.file(&mut lane, folder, name) {
                Ok(FileType::Directory) => {
                    let below = folder.below(name);
                    scope.spawn(move |scope| self.directory(scope, below));
                }
                Ok(_) => {}
                Err(error) => return self.fail(error),
            }
        }
    }

    /// Looks at one file, and keeps it. Says what it is; not every file system says so when it
    /// lists a directory.
    fn file(&self, lane: &mut Lane, folder: &Folder, name: &CStr) -> Result<FileType, Error> {
        let fail = |action, error: Errno| {
            Error::File(FileError::new(action, self.shown(&folder.at(name)), error))
        };
        let mut stat = statat(&folder.open, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| fail("look at", error))?;
        let mut kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return Ok(kind);
        }
        let via_link = kind == FileType::Symlink;
        if via_link {
            stat = statat(&folder.open, name, AtFlags::empty())
                .map_err(|error| fail("follow the symbolic link", error))?;
            kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Directory {
                let link = self.shown(&folder.at(name));
                lane.found.dropped_links.push(link);
                return Ok(FileType::Symlink);
            }
        }
        if kind != FileType::RegularFile {
            return Err(Error::Special {
                path: self.shown(&folder.at(name)),
                kind: kind_of(kind),
            });
        }
        lane.name.clear();
        lane.name.extend_from_slice(&folder.path);
        lane.name.extend_from_slice(name.to_bytes());
        zip::check_name(&lane.name, NonUtf8::Refuse).map_err(|source| Error::Name {
            path: self.shown(&lane.name),
            source,
        })?;
        let name = lane
            .found
            .names
            .push(&lane.name)
            .ok_or_else(|| Error::Walk(format!("a name is longer than {MAX_NAME} bytes")))?;
        lane.found.items.push(item(name, &stat, via_link));
        Ok(kind)
    }

    /// The lane of this thread.
    fn lane(&self) -> MutexGuard<'_, Lane> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.lanes.len();
        self.lanes[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.failed.load(Relaxed) || self.stop.is_set()
    }

    /// Of two errors, either tells the truth.
    fn fail(&self, error: Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.failed.store(true, Relaxed);
    }

    /// A path below the root, as the user would write it.
    fn shown(&self, path: &[u8]) -> PathBuf {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.is_empty() {
            return self.shown.to_owned();
        }
        self.shown.join(OsStr::from_bytes(path))
    }
}

impl Folder {
    /// The path of what has this name in it.
    fn at(&self, name: &CStr) -> Vec<u8> {
        [&self.path, name.to_bytes()].concat()
    }

    /// The path of the directory of this name in it.
    fn below(&self, name: &CStr) -> Vec<u8> {
        [&self.path, name.to_bytes(), b"/"].concat()
    }
}

// Field types differ between systems; none of these values is out of range.
#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_fallible_conversions,
    clippy::unnecessary_cast
)]
fn item(name: NameRef, stat: &Stat, via_link: bool) -> Item {
    Item {
        name,
        nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        mode: Mode::new(u32::from(stat.st_mode), via_link),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        secs: i64::try_from(stat.st_mtime).unwrap_or(i64::MAX),
    }
}

/// What a file that cannot go into an archive is.
fn kind_of(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::BlockDevice | FileType::CharacterDevice => "a device",
        _ => "neither a file nor a directory",
    }
}
