//! Reads the files of a plan, and says when one is not what the plan saw.
//!
//! A file is opened relative to the source directory, never through a link that the walk did not
//! see, at no part of its path, and without waiting for a pipe that took its place. After its content
//! was read, the open file is looked at once more: other size or time, and the push fails, since an
//! archive may not hold half of an old file and half of a new one. A link that is kept must still say
//! what it said, and an empty directory must be unchanged.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Error;
use crate::error::FileError;
use crate::plan::{self, Kind, Mtime, Plan, place};

/// The files of a plan.
#[derive(Debug)]
pub(super) struct Source<'a> {
    plan: &'a Plan,
    root: OwnedFd,
}

/// The directory of the file that a worker read last.
#[derive(Debug, Default)]
pub(super) struct Folder {
    path: Vec<u8>,
    open: Option<OwnedFd>,
}

impl Folder {
    /// The directory of this path in the archive.
    fn at<'f>(&'f mut self, source: &'f Source<'_>, path: &[u8]) -> Result<BorrowedFd<'f>, Errno> {
        if path.is_empty() {
            return Ok(source.root.as_fd());
        }
        if self.path != path {
            // First, so that at most one is open.
            self.open = None;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                self.path.clear();
                self.path.extend_from_slice(path);
                source.directory(path)?
            }
        };
        let open: &OwnedFd = self.open.insert(open);
        Ok(open.as_fd())
    }
}

/// A name's directory, empty at the top, and the rest.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (&[], name),
    }
}

impl<'a> Source<'a> {
    pub(super) fn open(plan: &'a Plan) -> Result<Self, Error> {
        let root = place::source(plan.root())
            .map_err(|error| FileError::new("open the source directory", plan.source(), error))?;
        Ok(Self { plan, root })
    }

    fn directory(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        place::directory(self.root.as_fd(), &self.plan.place(path))
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Opens the file at `index` and checks that it is still the planned one.
    pub(super) fn file(&self, index: usize) -> Result<File, Error> {
        let mut folder = Folder::default();
        let file = self.open_file(index, &mut folder)?;
        self.check(index, &file)?;
        Ok(file)
    }

    /// Reads the file at `index` into `window` and returns its content. The window must hold it.
    ///
    /// Files come in archive order, so the next one is mostly in the same directory: `folder` keeps
    /// that open, and its path is not looked up again.
    pub(super) fn read<'w>(
        &self,
        index: usize,
        folder: &mut Folder,
        window: &'w mut [u8],
    ) -> Result<&'w [u8], Error> {
        let file = self.open_file(index, folder)?;
        let content = usize::try_from(self.plan.entry(index).size)
            .ok()
            .and_then(|size| window.get_mut(..size));
        let Some(content) = content else {
            return Err(self.changed(index, "its size changed"));
        };
        self.read_at(index, &file, content, 0)?;
        // That it did not grow, its size says.
        self.check(index, &file)?;
        Ok(content)
    }

    /// The content of what is no file: a link's text, or nothing. It must still be as planned.
    pub(super) fn content(&self, index: usize, folder: &mut Folder) -> Result<&'a [u8], Error> {
        let entry = self.plan.entry(index);
        match entry.kind {
            Kind::File => Err(self.changed(index, "it is no longer a file")),
            Kind::Link(text) => {
                let (path, name) = split(entry.name);
                let folder = folder
                    .at(self, path)
                    .map_err(|error| self.not_opened(index, error))?;
                match place::target(folder, name) {
                    Ok(now) if now.to_bytes() == text => Ok(text),
                    Ok(_) => Err(self.changed(index, "it leads elsewhere now")),
                    Err(Errno::INVAL) => Err(self.changed(index, "it is no longer a link")),
                    Err(error) => Err(self.not_opened(index, error)),
                }
            }
            Kind::Directory => {
                let path = entry.name.strip_suffix(b"/").unwrap_or(entry.name);
                let (above, name) = split(path);
                let folder = folder
                    .at(self, above)
                    .map_err(|error| self.not_opened(index, error))?;
                let now = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|error| self.not_opened(index, error))?;
                if FileType::from_raw_mode(now.st_mode) != FileType::Directory {
                    Err(self.changed(index, "it is no longer a directory"))
                } else if mtime(&now) != entry.mtime {
                    Err(self.changed(index, "something was put there or taken away"))
                } else {
                    Ok(b"")
                }
            }
        }
    }

    /// Fills `window` from `offset`.
    pub(super) fn read_at(
        &self,
        index: usize,
        file: &File,
        window: &mut [u8],
        offset: u64,
    ) -> Result<(), Error> {
        match file.read_exact_at(window, offset) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.changed(index, "it shrank"))
            }
            // A directory opens like a file.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(self.changed(index, "it is no longer a file"))
            }
            Err(error) => Err(self.failed("read", index, error)),
        }
    }

    /// Checks that the open file is what the plan saw.
    pub(super) fn check(&self, index: usize, file: &File) -> Result<(), Error> {
        let planned = self.plan.entry(index);
        let now = rustix::fs::fstat(file.as_fd())
            .map_err(|error| self.failed("look at", index, error))?;
        let size = u64::try_from(now.st_size).ok();
        if FileType::from_raw_mode(now.st_mode) != FileType::RegularFile {
            Err(self.changed(index, "it is no longer a file"))
        } else if size != Some(planned.size) {
            Err(self.changed(index, "its size changed"))
        } else if mtime(&now) != planned.mtime {
            Err(self.changed(index, "it was modified"))
        } else {
            Ok(())
        }
    }

    /// Opens the file at `index`. `folder` may have its directory open, and has then.
    fn open_file(&self, index: usize, folder: &mut Folder) -> Result<File, Error> {
        let entry = self.plan.entry(index);
        let (path, name) = split(entry.name);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if entry.via_link && self.plan.is_confined() {
            return self.open_inside(index, &entry, flags);
        }
        let flags = if entry.via_link {
            flags
        } else {
            flags | OFlags::NOFOLLOW
        };
        let open = |folder| rustix::fs::openat(folder, name, flags, Mode::empty());
        match folder.at(self, path).and_then(open) {
            Ok(file) => Ok(file.into()),
            Err(error) => Err(self.not_opened(index, error)),
        }
    }

    /// Opens what a link leads to, if that is still in the source.
    fn open_inside(
        &self,
        index: usize,
        entry: &plan::Entry<'_>,
        flags: OFlags,
    ) -> Result<File, Error> {
        let place = self.plan.place(entry.name);
        let root = self.root.as_fd();
        match place::through_link(root, self.plan.root(), &place, flags) {
            Ok(Some(file)) => Ok(file.into()),
            Ok(None) => Err(self.changed(index, "it leads out of the source now")),
            Err(error) => Err(self.not_opened(index, error)),
        }
    }

    fn not_opened(&self, index: usize, error: Errno) -> Error {
        match error {
            Errno::NOENT | Errno::NOTDIR => self.changed(index, "it vanished"),
            Errno::LOOP => self.changed(index, "it became a symbolic link"),
            Errno::NXIO => self.changed(index, "it is no longer a file"),
            error => self.failed("open", index, error),
        }
    }

    fn failed(&self, action: &'static str, index: usize, error: impl Into<io::Error>) -> Error {
        FileError::new(action, self.plan.path(index), error).into()
    }

    fn changed(&self, index: usize, how: &'static str) -> Error {
        Error::Changed {
            path: self.plan.path(index),
            how,
        }
    }
}

// Field types differ between systems; none of these values is out of range.
#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
fn mtime(stat: &Stat) -> Mtime {
    Mtime {
        secs: i64::try_from(stat.st_mtime).unwrap_or(i64::MAX),
        nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(u32::MAX),
    }
}
