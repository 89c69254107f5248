//! Reads the files of a plan, and says when one is not what the plan saw.
//!
//! A file is opened relative to the source directory, never through a link that the walk did not
//! see, at any height, and without waiting for a pipe that took its place. After its content was
//! read, the open file is looked at once more: another size, time or mode, and the push fails,
//! since an archive may not hold half of an old file and half of a new one. So what an entry says
//! is what was true when the last byte of it had been read.
//!
//! A small file gets one more try, at once: it is opened and looked at anew, and if it has the
//! planned size and stays what it is while it is read, it is packed with the time and the mode that it
//! has now. Only time and mode may differ: sizes have gone into the part size, the budget and the
//! layout of a tar. A file in chunks gets none, since chunks of it may be on their way.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Error;
use crate::archive::plan::{Entry, Kind, Mtime, Plan};
use crate::error::FileError;
use crate::system::{self, Directory, FileKind, Links, PathError, PathErrorKind, Stat};

/// The files of a plan.
#[derive(Debug)]
pub(super) struct Source<'a> {
    plan: &'a Plan,
    /// What was changed before this was changed in an earlier tick of the clock.
    settled: Mtime,
    #[cfg(test)]
    hook: hook::Hook,
}

/// The directory of the file that a worker read last.
#[derive(Debug, Default)]
pub(super) struct Folder {
    path: Vec<u8>,
    open: Option<Directory>,
}

impl Folder {
    /// The directory of this path in the archive.
    fn at<'f>(&'f mut self, plan: &'f Plan, path: &[u8]) -> Result<&'f Directory, PathError> {
        if path.is_empty() {
            return Ok(plan.root().top());
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
                plan.root().directory(&plan.place(path))?
            }
        };
        Ok(self.open.insert(open))
    }

    /// Looks the next path up, even if it is the same.
    fn forget(&mut self) {
        self.open = None;
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
            #[cfg(test)]
            hook: hook::mine(),
        }
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Opens the file at `index` and checks that it is still the planned one.
    pub(super) fn file(&self, index: usize) -> Result<File, Error> {
        let planned = self.plan.entry(index);
        let file = self.open_file(index, &planned, &mut Folder::default())?;
        self.compare(index, &planned, &self.stat(index, &file)?)?;
        self.settle(planned.mtime);
        Ok(file)
    }

    /// Reads the file at `index`, which was `planned` so, into `window`, which must hold it. Returns its
    /// entry as it is now, since time and mode may be newer than the plan, and its content.
    ///
    /// Files come in archive order, so the next one is mostly in the same directory: `folder` keeps
    /// that open, and its path is not looked up again.
    pub(super) fn read<'w>(
        &self,
        index: usize,
        planned: Entry<'a>,
        folder: &mut Folder,
        window: &'w mut [u8],
    ) -> Result<(Entry<'a>, &'w [u8]), Error> {
        let mut entry = planned;
        let content = usize::try_from(entry.size)
            .ok()
            .and_then(|size| window.get_mut(..size));
        let Some(content) = content else {
            return Err(self.changed(index, "its size changed"));
        };
        match self.read_as(index, &entry, folder, content) {
            Err(Error::Changed { .. }) => {
                folder.forget();
                entry = self.read_anew(index, folder, content)?;
            }
            done => done?,
        }
        Ok((entry, content))
    }

    /// Reads a file that is, and stays, what `entry` says.
    fn read_as(
        &self,
        index: usize,
        entry: &Entry<'a>,
        folder: &mut Folder,
        content: &mut [u8],
    ) -> Result<(), Error> {
        let file = self.open_file(index, entry, folder)?;
        self.read_open(index, entry, &file, content)
    }

    /// Reads a file that may have become another of the same size, as which it is returned.
    fn read_anew(
        &self,
        index: usize,
        folder: &mut Folder,
        content: &mut [u8],
    ) -> Result<Entry<'a>, Error> {
        let planned = self.plan.entry(index);
        let file = self.open_file(index, &planned, folder)?;
        let now = self.stat(index, &file)?;
        let entry = self.plan.renewed(planned, mtime(&now), now.mode);
        self.compare(index, &entry, &now)?;
        self.read_open(index, &entry, &file, content)?;
        Ok(entry)
    }

    fn read_open(
        &self,
        index: usize,
        entry: &Entry<'a>,
        file: &File,
        content: &mut [u8],
    ) -> Result<(), Error> {
        self.settle(entry.mtime);
        #[cfg(test)]
        self.hook
            .call(hook::Moment::Opened, self.plan.entry(index).name);
        self.read_at(index, file, content, 0)?;
        #[cfg(test)]
        self.hook
            .call(hook::Moment::Read, self.plan.entry(index).name);
        // That it did not grow, its size says.
        self.compare(index, entry, &self.stat(index, file)?)
    }

    /// The content of what is no file: a link's text, or nothing. It must still be as planned.
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
            // A directory opens like a file.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(self.changed(index, "it is no longer a file"))
            }
            Err(error) => Err(self.failed("read", index, error)),
        }
    }

    /// Checks that the open file is what the plan saw.
    pub(super) fn check(&self, index: usize, file: &File) -> Result<(), Error> {
        #[cfg(test)]
        self.hook
            .call(hook::Moment::Read, self.plan.entry(index).name);
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
        // As a rule files are old, and no clock need be asked.
        if (mtime.secs, mtime.nanos) >= (self.settled.secs, self.settled.nanos) {
            settle(mtime);
        }
    }

    /// Opens the file at `index`, which the plan has as `entry`.
    fn open_file(
        &self,
        index: usize,
        entry: &Entry<'_>,
        folder: &mut Folder,
    ) -> Result<File, Error> {
        #[cfg(test)]
        self.hook.call(hook::Moment::Open, entry.name);
        if entry.via_link && self.plan.is_confined() {
            return self.open_inside(index, entry);
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

    /// Opens what a link leads to, if that is still in the source.
    fn open_inside(&self, index: usize, entry: &Entry<'_>) -> Result<File, Error> {
        let place = self.plan.place(entry.name);
        match self.plan.root().open_through_link(&place) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => Err(self.changed(index, "it leads out of the source now")),
            Err(error) => Err(self.not_opened(index, error)),
        }
    }

    /// The open directory of what has this name in the archive, and the rest of the name.
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
}

/// A file that was not as planned any more, but whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewed {
    pub(super) index: usize,
    pub(super) mtime: Mtime,
    pub(super) mode: u32,
}

impl Renewed {
    /// What there is to say of the entry at `index` as it is `now` beyond what was `planned`.
    pub(super) fn since(index: usize, planned: &Entry<'_>, now: &Entry<'_>) -> Option<Self> {
        let Entry { mtime, mode, .. } = *now;
        let renewed = (mtime, mode) != (planned.mtime, planned.mode);
        renewed.then_some(Self { index, mtime, mode })
    }
}

/// The entry at `index`, as it was packed: those that were renewed are in `renewed`, in order.
pub(super) fn as_packed<'a>(plan: &'a Plan, index: usize, renewed: &[Renewed]) -> Entry<'a> {
    let entry = plan.entry(index);
    match renewed.binary_search_by_key(&index, |renewed| renewed.index) {
        Ok(at) => plan.renewed(entry, renewed[at].mtime, renewed[at].mode),
        Err(_) => entry,
    }
}

/// When it was changed last.
fn mtime(stat: &Stat) -> Mtime {
    Mtime {
        secs: stat.secs,
        nanos: stat.nanos,
    }
}

/// The slowest clock that files take their times from ticks a hundred times a second.
const TICK: Duration = Duration::from_millis(10);

/// Waits until a write would show in the modification time of a file that was changed at `mtime`.
///
/// A file that was changed in the present tick could be changed again in it, and no time would tell.
/// That is rare, and the wait is over before it would be noticed.
fn settle(mtime: Mtime) {
    let since = |now: SystemTime| {
        let now = now.duration_since(UNIX_EPOCH).ok()?;
        let mtime = Duration::new(u64::try_from(mtime.secs).ok()?, mtime.nanos);
        now.checked_sub(mtime)
    };
    // A time that is still to come is no tick of this clock.
    if let Some(since) = since(SystemTime::now()).filter(|since| *since < TICK) {
        thread::sleep(TICK - since);
    }
}

#[cfg(test)]
pub(super) mod hook;
#[cfg(test)]
mod tests;
