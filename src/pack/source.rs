//! Reads the files of a plan, and says when one is not what the plan saw.
//!
//! A file is opened relative to the source directory, never through a link that the walk did not
//! see, and without waiting for a pipe that took its place. After its content was read, the open
//! file is looked at once more: other size or time, and the push fails, since an archive may not
//! hold half of an old file and half of a new one.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Error;
use crate::error::FileError;
use crate::plan::{Mtime, Plan};

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
    /// The directory at `path` below `root`. None if it does not open.
    fn at<'f>(&'f mut self, root: &'f OwnedFd, path: &[u8]) -> Option<BorrowedFd<'f>> {
        if path.is_empty() {
            return Some(root.as_fd());
        }
        if self.open.is_none() || self.path != path {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            // First, so that at most one is open.
            self.open = None;
            self.open = rustix::fs::openat(root, path, flags, Mode::empty()).ok();
            self.path.clear();
            self.path.extend_from_slice(path);
        }
        self.open.as_ref().map(OwnedFd::as_fd)
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(plan.root(), flags, Mode::empty())
            .map_err(|error| FileError::new("open the source directory", plan.source(), error))?;
        Ok(Self { plan, root })
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Opens the file at `index` and checks that it is still the planned one.
    pub(super) fn file(&self, index: usize) -> Result<File, Error> {
        let name = self.plan.entry(index).name;
        let file = self.open_file(index, self.root.as_fd(), name)?;
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
        let entry = self.plan.entry(index);
        let size = entry.size;
        let (path, name) = split(entry.name);
        let file = match folder.at(&self.root, path) {
            Some(folder) => self.open_file(index, folder, name)?,
            // Whatever is wrong with the directory, opening the file says it better.
            None => self.open_file(index, self.root.as_fd(), entry.name)?,
        };
        let content = usize::try_from(size)
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
        // Field types differ between systems; none of these values is out of range.
        #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
        let (size, mtime) = (
            u64::try_from(now.st_size).ok(),
            Mtime {
                secs: i64::try_from(now.st_mtime).unwrap_or(i64::MAX),
                nanos: u32::try_from(now.st_mtime_nsec).unwrap_or(u32::MAX),
            },
        );
        if FileType::from_raw_mode(now.st_mode) != FileType::RegularFile {
            Err(self.changed(index, "it is no longer a file"))
        } else if size != Some(planned.size) {
            Err(self.changed(index, "its size changed"))
        } else if mtime != planned.mtime {
            Err(self.changed(index, "it was modified"))
        } else {
            Ok(())
        }
    }

    /// Opens the file at `index`, which is called `name` in `folder`.
    fn open_file(&self, index: usize, folder: BorrowedFd<'_>, name: &[u8]) -> Result<File, Error> {
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if !self.plan.entry(index).via_link {
            flags |= OFlags::NOFOLLOW;
        }
        match rustix::fs::openat(folder, name, flags, Mode::empty()) {
            Ok(file) => Ok(file.into()),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(self.changed(index, "it vanished")),
            Err(Errno::LOOP) => Err(self.changed(index, "it became a symbolic link")),
            Err(Errno::NXIO) => Err(self.changed(index, "it is no longer a file")),
            Err(error) => Err(self.failed("open", index, error)),
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
