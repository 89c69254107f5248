//! Reads the files of a plan, and refuses those that are no longer what the plan saw.
//!
//! An archive must not hold half of an old file and half of a new one, nor a file from outside of the
//! source. Therefore:
//!
//! - A file is opened relative to the source directory, without following a link that the walk did not
//!   see, at any part of its path. If a pipe has taken its place, opening it does not wait for a writer.
//! - After its content was read, the open file is examined once more. If its size, time or mode differ,
//!   the read fails. So the header of an entry says what was true when its last byte had been read.
//! - A small file gets one second try, at once: it is opened anew, and if it has the planned size and does
//!   not change while it is read, it is packed with the time and the mode that it has now. Only time and
//!   mode may differ, since the part size, the budget and the layout of a tar follow from sizes.
//! - A giant gets no second try, since some of its chunks may have been sent.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Error;
use crate::archive::deflate;
use crate::archive::plan::{Entry, Kind, Mtime, Plan};
use crate::error::FileError;
use crate::system::{self, Directory, FileKind, Links, PathError, PathErrorKind, Stat};

/// The files of a plan.
#[derive(Debug)]
pub(super) struct Source<'a> {
    plan: &'a Plan,
    /// Files that were modified before this time were modified in an earlier tick of the clock.
    settled: Mtime,
}

/// The directory of the file that a worker read last, kept open for the next one.
#[derive(Debug, Default)]
pub(super) struct Folder {
    path: Vec<u8>,
    open: Option<Directory>,
}

impl Folder {
    /// Opens the directory at this path in the archive, unless it is open.
    fn at<'f>(&'f mut self, plan: &'f Plan, path: &[u8]) -> Result<&'f Directory, PathError> {
        if path.is_empty() {
            return Ok(plan.root().top());
        }
        if self.path != path {
            // Closes the other directory first, so that at most one is open.
            self.open = None;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                self.path.clear();
                self.path.extend_from_slice(path);
                plan.root().directory(&plan.place(path))?
            }
        };
        Ok(self.open.insert(open))
    }
}

/// Splits a name into its directory, which is empty at the top, and the rest.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (&[], name),
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let before = SystemTime::now().checked_sub(TICK);
        let before = before.and_then(|before| before.duration_since(UNIX_EPOCH).ok());
        let before = before.unwrap_or_default();
        Self {
            plan,
            settled: Mtime {
                secs: i64::try_from(before.as_secs()).unwrap_or(i64::MAX),
                nanos: before.subsec_nanos(),
            },
        }
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Opens the file at `index`, and checks that it is still as planned.
    pub(super) fn file(&self, index: usize) -> Result<File, Error> {
        let planned = self.plan.entry(index);
        let file = self.open(index, &planned, &mut Folder::default())?;
        self.compare(index, &planned, &self.stat(index, &file)?)?;
        self.settle(planned.mtime);
        Ok(file)
    }

    /// Reads the file at `index`, whose entry in the plan is `planned`, into `window`, which must have room
    /// for it. Returns its content, and its entry as it is now: time and mode can be newer than planned.
    ///
    /// Files are read in archive order, so the next one is mostly in the same directory, which `folder`
    /// keeps open.
    pub(super) fn read<'w>(
        &self,
        index: usize,
        planned: Entry<'a>,
        folder: &mut Folder,
        window: &'w mut [u8],
    ) -> Result<(Entry<'a>, &'w [u8]), Error> {
        let content = usize::try_from(planned.size)
            .ok()
            .and_then(|size| window.get_mut(..size));
        let Some(content) = content else {
            return Err(self.changed(index, "its size changed"));
        };
        let mut entry = planned;
        match self.read_first(index, &planned, folder, content) {
            Err(Error::Changed { .. }) => {
                entry = self.read_again(index, &planned, folder, content)?;
            }
            done => done?,
        }
        Ok((entry, content))
    }

    /// The first try: reads the file as planned.
    fn read_first(
        &self,
        index: usize,
        planned: &Entry<'a>,
        folder: &mut Folder,
        content: &mut [u8],
    ) -> Result<(), Error> {
        let file = self.open(index, planned, folder)?;
        self.read_open(index, planned, &file, content)
    }

    /// The second try: reads the file as it is now, if it has the planned size. Returns its new entry.
    fn read_again(
        &self,
        index: usize,
        planned: &Entry<'a>,
        folder: &mut Folder,
        content: &mut [u8],
    ) -> Result<Entry<'a>, Error> {
        // Its directory may have been replaced, too.
        folder.open = None;
        let file = self.open(index, planned, folder)?;
        let now = self.stat(index, &file)?;
        let entry = self.plan.renewed(*planned, mtime(&now), now.mode);
        self.compare(index, &entry, &now)?;
        self.read_open(index, &entry, &file, content)?;
        Ok(entry)
    }

    /// Reads an open file, and checks afterwards that it is still what `entry` says.
    fn read_open(
        &self,
        index: usize,
        entry: &Entry<'a>,
        file: &File,
        content: &mut [u8],
    ) -> Result<(), Error> {
        self.settle(entry.mtime);
        self.read_at(index, file, content, 0)?;
        self.compare(index, entry, &self.stat(index, file)?)
    }

    /// The content of an entry that is no file: a link's text, or nothing. It must still be as planned.
    pub(super) fn content(&self, index: usize, folder: &mut Folder) -> Result<&'a [u8], Error> {
        let entry = self.plan.entry(index);
        match entry.kind {
            Kind::File => Err(self.changed(index, "it is no longer a file")),
            Kind::Link(text) => {
                let (folder, name) = self.folder(index, entry.name, folder)?;
                match folder.read_link(name) {
                    Ok(now) if now.to_bytes() == text => Ok(text),
                    Ok(_) => Err(self.changed(index, "it leads elsewhere now")),
                    Err(error) if error.kind == PathErrorKind::NotALink => {
                        Err(self.changed(index, "it is no longer a link"))
                    }
                    Err(error) => Err(self.not_opened(index, error)),
                }
            }
            Kind::Directory => {
                let path = entry.name.strip_suffix(b"/").unwrap_or(entry.name);
                let (folder, name) = self.folder(index, path, folder)?;
                let now = folder
                    .lstat(name)
                    .map_err(|error| self.not_opened(index, error))?;
                if now.kind != FileKind::Directory {
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
        match system::read_exact_at(file, window, offset) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.changed(index, "it shrank"))
            }
            // A directory can be opened like a file.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(self.changed(index, "it is no longer a file"))
            }
            Err(error) => Err(self.failed("read", index, error)),
        }
    }

    /// Checks that an open file is still as planned.
    pub(super) fn check(&self, index: usize, file: &File) -> Result<(), Error> {
        self.compare(index, &self.plan.entry(index), &self.stat(index, file)?)
    }

    fn stat(&self, index: usize, file: &File) -> Result<Stat, Error> {
        system::fstat(file, self.plan.entry(index).name)
            .map_err(|error| self.failed("look at", index, error))
    }

    fn compare(&self, index: usize, entry: &Entry<'_>, now: &Stat) -> Result<(), Error> {
        if now.kind != FileKind::File {
            Err(self.changed(index, "it is no longer a file"))
        } else if now.size != entry.size {
            Err(self.changed(index, "its size changed"))
        } else if mtime(now) != entry.mtime {
            Err(self.changed(index, "it was modified"))
        } else if now.mode != entry.mode {
            Err(self.changed(index, "its permissions changed"))
        } else {
            Ok(())
        }
    }

    fn settle(&self, mtime: Mtime) {
        // Most files are old, so that the clock need not be read.
        if (mtime.secs, mtime.nanos) >= (self.settled.secs, self.settled.nanos) {
            settle(mtime);
        }
    }

    /// Opens the file at `index`, whose entry is `entry`.
    fn open(&self, index: usize, entry: &Entry<'_>, folder: &mut Folder) -> Result<File, Error> {
        if entry.via_link && self.plan.is_confined() {
            let place = self.plan.place(entry.name);
            return match self.plan.root().open_through_link(&place) {
                Ok(Some(file)) => Ok(file),
                Ok(None) => Err(self.changed(index, "it leads out of the source now")),
                Err(error) => Err(self.not_opened(index, error)),
            };
        }
        let (folder, name) = self.folder(index, entry.name, folder)?;
        let links = if entry.via_link {
            Links::Follow
        } else {
            Links::Refuse
        };
        folder
            .open(name, links)
            .map_err(|error| self.not_opened(index, error))
    }

    /// Splits an entry's name into its directory, open, and the rest.
    fn folder<'f>(
        &'f self,
        index: usize,
        name: &'f [u8],
        folder: &'f mut Folder,
    ) -> Result<(&'f Directory, &'f [u8]), Error> {
        let (path, name) = split(name);
        match folder.at(self.plan, path) {
            Ok(folder) => Ok((folder, name)),
            Err(error) if error.kind == PathErrorKind::IsLink => {
                let how = "a directory on the way to it became a symbolic link";
                Err(self.changed(index, how))
            }
            Err(error) => Err(self.not_opened(index, error)),
        }
    }

    fn not_opened(&self, index: usize, error: PathError) -> Error {
        match error.kind {
            PathErrorKind::NotFound => self.changed(index, "it vanished"),
            PathErrorKind::IsLink => self.changed(index, "it became a symbolic link"),
            PathErrorKind::Special => self.changed(index, "it is no longer a file"),
            PathErrorKind::NotALink | PathErrorKind::Other => self.failed("open", index, error),
        }
    }

    fn failed(&self, action: &'static str, index: usize, error: impl Into<io::Error>) -> Error {
        FileError::new(action, self.plan.path(index), error).into()
    }

    pub(super) fn changed(&self, index: usize, how: &'static str) -> Error {
        Error::Changed {
            path: self.plan.path(index),
            how,
        }
    }

    /// A chunk of the entry at `index` could not be compressed.
    pub(super) fn not_deflated(&self, index: usize, source: deflate::Error) -> Error {
        Error::Deflate {
            path: self.plan.path(index),
            source,
        }
    }
}

/// The time and the mode of a file that was packed in a newer state than planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewed {
    index: usize,
    mtime: Mtime,
    mode: u32,
}

impl Renewed {
    /// How the entry at `index` is `now`, if that differs from what was `planned`.
    pub(super) fn since(index: usize, planned: &Entry<'_>, now: &Entry<'_>) -> Option<Self> {
        let Entry { mtime, mode, .. } = *now;
        let renewed = (mtime, mode) != (planned.mtime, planned.mode);
        renewed.then_some(Self { index, mtime, mode })
    }
}

/// The entry at `index` as it was packed. `renewed` holds those that differ from the plan, by index.
pub(super) fn as_packed<'a>(plan: &'a Plan, index: usize, renewed: &[Renewed]) -> Entry<'a> {
    let entry = plan.entry(index);
    match renewed.binary_search_by_key(&index, |renewed| renewed.index) {
        Ok(at) => plan.renewed(entry, renewed[at].mtime, renewed[at].mode),
        Err(_) => entry,
    }
}

fn mtime(stat: &Stat) -> Mtime {
    Mtime {
        secs: stat.secs,
        nanos: stat.nanos,
    }
}

/// Files take their times from a clock that ticks a hundred times a second on the slowest systems.
const TICK: Duration = Duration::from_millis(10);

/// Waits until another write to a file that was modified at `mtime` would change its modification time.
///
/// A second write within the same tick of the clock leaves the modification time as it is, so reading the
/// file within that tick could miss the write. This is rare, and the wait is short.
fn settle(mtime: Mtime) {
    let since = |now: SystemTime| {
        let now = now.duration_since(UNIX_EPOCH).ok()?;
        let mtime = Duration::new(u64::try_from(mtime.secs).ok()?, mtime.nanos);
        now.checked_sub(mtime)
    };
    // A time in the future was not taken from this clock.
    if let Some(since) = since(SystemTime::now()).filter(|since| *since < TICK) {
        thread::sleep(TICK - since);
    }
}

#[cfg(test)]
mod tests;
