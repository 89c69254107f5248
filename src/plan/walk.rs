//! Finds the files of a tree, on all cores.
//!
//! Each walking thread keeps its own list; the lists are joined once, when it ends, so threads
//! meet only there. What a list holds is what the plan keeps: nothing is made twice.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};
use rustix::fs::{AtFlags, CWD, FileType, Mode as RawMode, OFlags, Stat};
use rustix::io::Errno;

use super::names::{MAX_NAME, NameBlocks, NameRef};
use super::{Error, Options};
use crate::error::FileError;
use crate::stop::Stop;
use crate::zip::{self, NonUtf8};

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

/// Walks `root`.
///
/// `shown` is the user's name for `root`, for messages.
pub(super) fn walk(
    root: &Path,
    shown: &Path,
    options: &Options,
    stop: &Stop,
) -> Result<Found, Error> {
    let ignore_hidden = options.ignore_hidden;
    let walker = WalkBuilder::new(root)
        .standard_filters(false)
        .follow_links(false)
        .threads(options.threads.max(1))
        .filter_entry(move |entry| !(ignore_hidden && entry.depth() > 0 && is_hidden(entry)))
        .build_parallel();
    let joined = Mutex::new(Joined::default());
    walker.visit(&mut Visitors {
        root,
        shown,
        stop,
        joined: &joined,
    });
    let joined = joined.into_inner().unwrap_or_else(PoisonError::into_inner);
    if stop.is_set() {
        return Err(Error::Stopped);
    }
    match joined.error {
        Some(error) => Err(error),
        None => Ok(joined.found),
    }
}

/// As `aws deploy push` has it: by the last component, files and directories alike.
fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

#[derive(Default)]
struct Joined {
    found: Found,
    error: Option<Error>,
}

impl Joined {
    fn add(&mut self, mut list: Found, error: Option<Error>) {
        // One thread's error stops the others; of two, either tells the truth.
        self.error = self.error.take().or(error);
        let Some(by) = self.found.names.append(list.names) else {
            self.error = Some(Error::Walk("there are too many names".into()));
            return;
        };
        self.found.items.extend(list.items.iter().map(|item| Item {
            name: item.name.moved(by),
            ..*item
        }));
        self.found.dropped_links.append(&mut list.dropped_links);
    }
}

struct Visitors<'a> {
    root: &'a Path,
    shown: &'a Path,
    stop: &'a Stop,
    joined: &'a Mutex<Joined>,
}

impl<'a> ParallelVisitorBuilder<'a> for Visitors<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 'a> {
        Box::new(Visitor {
            root: self.root,
            shown: self.shown,
            stop: self.stop,
            joined: self.joined,
            folder: Folder::default(),
            list: Found::default(),
            error: None,
        })
    }
}

struct Visitor<'a> {
    root: &'a Path,
    shown: &'a Path,
    stop: &'a Stop,
    joined: &'a Mutex<Joined>,
    folder: Folder,
    list: Found,
    error: Option<Error>,
}

/// The directory of the file that a thread looked at last. It stays open: what is in it is found
/// without looking its path up again.
#[derive(Debug, Default)]
struct Folder {
    path: PathBuf,
    open: Option<OwnedFd>,
}

impl Folder {
    fn stat(&mut self, path: &Path, flags: AtFlags) -> Result<Stat, Errno> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return rustix::fs::statat(CWD, path, flags);
        };
        // As bytes: comparing paths takes them apart.
        if self.open.is_none() || self.path.as_os_str() != parent.as_os_str() {
            let oflags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.open = None;
            self.open = rustix::fs::open(parent, oflags, RawMode::empty()).ok();
            parent.clone_into(&mut self.path);
        }
        match &self.open {
            Some(folder) => rustix::fs::statat(folder, name, flags),
            None => rustix::fs::statat(CWD, path, flags),
        }
    }
}

impl ParallelVisitor for Visitor<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.stop.is_set() {
            return WalkState::Quit;
        }
        let added = entry
            .map_err(|error| self.walk_error(&error))
            .and_then(|entry| self.add(&entry));
        match added {
            Ok(()) => WalkState::Continue,
            Err(error) => {
                self.error = Some(error);
                WalkState::Quit
            }
        }
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        joined.add(std::mem::take(&mut self.list), self.error.take());
    }
}

impl Visitor<'_> {
    fn add(&mut self, entry: &DirEntry) -> Result<(), Error> {
        let path = entry.path();
        // Never absent: that is for standard input.
        let Some(kind) = entry.file_type() else {
            return Ok(());
        };
        if kind.is_dir() {
            return Ok(());
        }
        let (root, shown) = (self.root, self.shown);
        let fail = |action, error: Errno| {
            let path = below(path, root, shown);
            Error::File(FileError::new(action, path, error))
        };
        let stat = if kind.is_symlink() {
            let target = self
                .folder
                .stat(path, AtFlags::empty())
                .map_err(|error| fail("follow the symbolic link", error))?;
            if FileType::from_raw_mode(target.st_mode) == FileType::Directory {
                let link = self.shown(path);
                self.list.dropped_links.push(link);
                return Ok(());
            }
            target
        } else {
            self.folder
                .stat(path, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| fail("look at", error))?
        };
        let file_type = FileType::from_raw_mode(stat.st_mode);
        if file_type != FileType::RegularFile {
            return Err(Error::Special {
                path: self.shown(path),
                kind: kind_of(file_type),
            });
        }
        let name = self.relative(path);
        zip::check_name(name, NonUtf8::Refuse).map_err(|source| Error::Name {
            path: self.shown(path),
            source,
        })?;
        let name = self
            .list
            .names
            .push(name)
            .ok_or_else(|| Error::Walk(format!("a name is longer than {MAX_NAME} bytes")))?;
        self.list.items.push(item(name, &stat, kind.is_symlink()));
        Ok(())
    }

    /// `path` as the archive names it.
    fn relative<'p>(&self, path: &'p Path) -> &'p [u8] {
        path.strip_prefix(self.root)
            .unwrap_or(path)
            .as_os_str()
            .as_encoded_bytes()
    }

    /// `path` as the user would write it.
    fn shown(&self, path: &Path) -> PathBuf {
        below(path, self.root, self.shown)
    }

    fn walk_error(&self, error: &ignore::Error) -> Error {
        let path = path_of(error).map_or_else(|| self.shown.to_owned(), |path| self.shown(path));
        match error.io_error() {
            Some(io) => {
                let copy = io.raw_os_error().map_or_else(
                    || io::Error::new(io.kind(), io.to_string()),
                    io::Error::from_raw_os_error,
                );
                Error::File(FileError::new("read", path, copy))
            }
            None => Error::Walk(format!("{}: {error}", path.display())),
        }
    }
}

/// `path`, which is below `root`, below `shown`.
fn below(path: &Path, root: &Path, shown: &Path) -> PathBuf {
    path.strip_prefix(root)
        .map_or_else(|_| path.to_owned(), |relative| shown.join(relative))
}

/// The path that a walk's error is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
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
