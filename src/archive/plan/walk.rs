//! Walks a tree on all cores, and lists what goes into the plan.
//!
//! A directory is one rayon job, and a directory with many files is several. Each thread fills a list of
//! its own, in the form that the plan keeps, and the lists are joined once at the end. A file costs no
//! allocation. Everything is examined relative to its open directory.
//!
//! The crates that walk trees (`ignore`, `jwalk`) make a path and an entry for each file, with four
//! allocations, which took longer than examining it.

use std::ffi::CStr;
use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::{Scope, ThreadPool};

use super::links::{Ancestor, Followed, Link, Outcome};
use super::names::{MAX_NAME, NameBlocks, NameRef};
use super::notice::{NoticeKind, Noticed};
use super::private::{Repository, is_private};
use super::select::{DirectoryRules, IGNORE_FILE, Rules};
use super::{Error, Options, Symlinks};
use crate::archive::zip::{self, NonUtf8};
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::system::{Directory, FileKind, Links, Root, Stat, as_path, read_small_file};

/// How many names one job examines. A directory with more is examined by several threads.
const NAMES: usize = 512;

/// One entry of the plan, in 32 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Its name. A kept link's text follows the name in memory.
    pub(super) name: NameRef,
    /// Nanoseconds of the modification time.
    pub(super) nanos: u32,
    /// Permissions and flags.
    pub(super) mode: Mode,
    /// Bytes of content, or of a link's text.
    pub(super) size: u64,
    /// Seconds of the modification time since 1970.
    pub(super) secs: i64,
}

/// The lower 12 bits of `st_mode`, and three flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode(u16);

impl Mode {
    /// It was reached through a symbolic link.
    pub(super) const VIA_LINK: u16 = 0x8000;
    pub(super) const DIRECTORY: u16 = 0x4000;
    pub(super) const LINK: u16 = 0x2000;

    fn new(mode: u32, flags: u16) -> Self {
        let bits = u16::try_from(mode & 0o7777).unwrap_or(0);
        Self(bits | flags)
    }

    pub(super) fn bits(self) -> u32 {
        u32::from(self.0 & 0o7777)
    }

    pub(super) fn is(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

/// Entries in no particular order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) names: NameBlocks,
    pub(super) items: Vec<Item>,
    pub(super) noticed: Noticed,
    /// The links to directories whose content is in the plan.
    pub(super) followed: Vec<Followed>,
    /// The links to directories that are kept as links.
    pub(super) kept: Vec<Followed>,
}

/// Walks the source on the threads of `pool`. `shown` is the user's name for the source, for messages.
pub(super) fn walk(
    root: &Root,
    shown: &Path,
    options: &Options,
    pool: &ThreadPool,
    stop: &Cancel,
) -> Result<Found, Error> {
    let rules = Rules::new(
        &options.patterns,
        options.ignore_hidden,
        options.ignore_files,
    );
    let walk = Walk {
        root,
        shown,
        hides: options.ignore_hidden && options.patterns.is_empty(),
        rules,
        options,
        stop,
        locals: (0..pool.current_num_threads())
            .map(|_| Mutex::default())
            .collect(),
        failed: AtomicBool::new(false),
        error: Mutex::new(None),
    };
    pool.scope(|scope| walk.directory(scope, Visit::default()));
    if stop.is_cancelled() {
        return Err(Error::Stopped);
    }
    let error = walk.error.into_inner();
    if let Some(error) = error.unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut all = Found::default();
    for local in walk.locals {
        let local = local.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.add(local.found)?;
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
        self.noticed.append(more.noticed);
        self.followed.append(&mut more.followed);
        self.kept.append(&mut more.kept);
        Ok(())
    }
}

/// What all threads share.
struct Walk<'a> {
    root: &'a Root,
    shown: &'a Path,
    /// Whether hidden names are left out and no pattern can bring one back, so that they need not be
    /// examined.
    hides: bool,
    rules: Rules,
    options: &'a Options,
    stop: &'a Cancel,
    /// One for each thread of the pool, which alone locks it.
    locals: Vec<Mutex<Local>>,
    /// Whether there is an error, so that the other threads can end.
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
}

/// What one thread has found, and the buffers that it reuses.
#[derive(Default)]
struct Local {
    found: Found,
    /// The path in the archive of the entry at hand.
    path: Vec<u8>,
    /// The buffer for listing a directory.
    listing: Vec<u8>,
}

/// A directory to list.
#[derive(Clone, Default)]
struct Visit {
    /// Its path in the archive, with a slash at the end; empty for the root.
    path: Vec<u8>,
    /// Its place, if that differs from the path because a followed link leads to it or above it.
    place: Option<Vec<u8>>,
    /// What the patterns say of it.
    rules: DirectoryRules,
    /// The directories on the way to it, itself last, if links are followed.
    line: Option<Arc<Ancestor>>,
    /// The directory of git or the like that it is, or is in.
    repository: Option<Arc<Repository>>,
}

/// An open directory.
struct Folder {
    open: Directory,
    visit: Visit,
}

impl Walk<'_> {
    /// Lists a directory, and examines all that is in it.
    fn directory<'s>(&'s self, scope: &Scope<'s>, visit: Visit) {
        if self.is_over() {
            return;
        }
        if let Err(error) = self.try_directory(scope, visit) {
            self.fail(error);
        }
    }

    fn try_directory<'s>(&'s self, scope: &Scope<'s>, mut visit: Visit) -> Result<(), Error> {
        let open = self.open(&visit)?;
        if self.options.symlinks == Symlinks::Follow {
            visit.line = Some(self.descend(&open, &visit)?);
        }
        if self.rules.reads_file(&visit.rules) {
            self.read_patterns(&open, &mut visit)?;
        }
        let folder = Folder { open, visit };
        let mut listing = take(&mut self.local().listing);
        let (mut names, mut count, mut empty) = (Vec::new(), 0, true);
        let listed = folder.open.list(&mut listing, |name, kind| {
            empty = false;
            if self.hides && name.to_bytes().starts_with(b".") {
                return;
            }
            if kind == FileKind::Directory {
                return self.enter(scope, &folder, name);
            }
            names.extend_from_slice(name.to_bytes_with_nul());
            count += 1;
            if count == NAMES {
                let (visit, names) = (folder.visit.clone(), take(&mut names));
                scope.spawn(move |scope| self.more_files(scope, visit, &names));
                count = 0;
            }
        });
        self.local().listing = listing;
        listed.map_err(|error| FileError::new("read", self.shown(&folder.visit.path), error))?;
        if empty && self.options.empty_dirs {
            return self.empty_directory(&folder);
        }
        if !empty {
            self.note_mode(&folder)?;
        }
        self.files(scope, &folder, &names);
        Ok(())
    }

    /// Opens a directory. If it has become a link meanwhile, this fails.
    fn open(&self, visit: &Visit) -> Result<Directory, Error> {
        let open = self.root.directory(visit.place());
        open.map_err(|error| FileError::new("read", self.shown(&visit.path), error).into())
    }

    /// Adds an open directory to those on the way to it. If it is one of them, a link leads back.
    fn descend(&self, open: &Directory, visit: &Visit) -> Result<Arc<Ancestor>, Error> {
        let identity = open
            .identity()
            .map_err(|error| FileError::new("look at", self.shown(&visit.path), error))?;
        Ancestor::below(visit.line.as_ref(), identity).map_err(|link| Error::Loop {
            path: self.shown(link.as_deref().unwrap_or(&visit.path)),
        })
    }

    /// Notes a directory whose permissions are not those that an agent gives it. The bundle has no entry for
    /// a directory that is not empty, as that of `aws deploy push` has none. 0775 is what a umask of 002
    /// makes of every directory, so it says nothing about this one.
    fn note_mode(&self, folder: &Folder) -> Result<(), Error> {
        let Some(path) = folder.visit.path.strip_suffix(b"/") else {
            return Ok(());
        };
        let stat = folder
            .open
            .fstat()
            .map_err(|error| FileError::new("look at", self.shown(path), error))?;
        if !matches!(stat.mode & 0o7777, 0o755 | 0o775) {
            let noticed = &mut self.local().found.noticed;
            noticed.add(NoticeKind::DirectoryMode, path);
        }
        Ok(())
    }

    /// Examines more files of a listed directory, which is opened again: if each directory stayed open
    /// until its jobs are done, every level of a deep tree could have one open.
    fn more_files<'s>(&'s self, scope: &Scope<'s>, visit: Visit, names: &[u8]) {
        if self.is_over() {
            return;
        }
        match self.open(&visit) {
            Ok(open) => self.files(scope, &Folder { open, visit }, names),
            Err(error) => self.fail(error),
        }
    }

    /// Starts a job for the directory `name`, unless the patterns leave out all that can be in it.
    fn enter<'s>(&'s self, scope: &Scope<'s>, folder: &Folder, name: &CStr) {
        let path = folder.path_of(name);
        let rules = self.rules.enter(&folder.visit.rules, &path);
        let Some(rules) = rules else { return };
        let visit = Visit {
            place: folder.visit.place.is_some().then(|| folder.place_of(name)),
            path: [&path, &b"/"[..]].concat(),
            rules,
            line: folder.visit.line.clone(),
            repository: Repository::at(folder.visit.repository.as_ref(), &path),
        };
        scope.spawn(move |scope| self.directory(scope, visit));
    }

    /// Adds the patterns of a directory's own file.
    fn read_patterns(&self, open: &Directory, visit: &mut Visit) -> Result<(), Error> {
        let path = || self.shown(&[&visit.path, IGNORE_FILE.as_bytes()].concat());
        let text = read_small_file(open, IGNORE_FILE)
            .map_err(|error| FileError::new("read the patterns of", path(), error))?;
        if let Some(text) = text {
            visit.rules = visit.rules.with_file(&visit.path, &text);
        }
        Ok(())
    }

    /// Adds an entry for a directory that holds nothing at all.
    fn empty_directory(&self, folder: &Folder) -> Result<(), Error> {
        let Visit { path, rules, .. } = &folder.visit;
        // The source itself has no entry.
        if path.is_empty() || rules.is_left_out() {
            return Ok(());
        }
        let stat = folder
            .open
            .fstat()
            .map_err(|error| FileError::new("look at", self.shown(path), error))?;
        let mut local = self.local();
        local.path.clone_from(path);
        self.add(&mut local, &stat, Mode::DIRECTORY, b"")
    }

    /// Examines files of a directory. Each name ends with a NUL.
    fn files<'s>(&'s self, scope: &Scope<'s>, folder: &Folder, names: &[u8]) {
        let mut local = self.local();
        for name in names.split_inclusive(|&byte| byte == 0) {
            if self.is_over() {
                return;
            }
            let Ok(name) = CStr::from_bytes_with_nul(name) else {
                continue;
            };
            if let Err(error) = self.file(scope, &mut local, folder, name) {
                return self.fail(error);
            }
        }
    }

    /// Examines one file, and adds its entry. It can turn out to be a directory, since not every file
    /// system tells this in a listing.
    fn file<'s>(
        &'s self,
        scope: &Scope<'s>,
        local: &mut Local,
        folder: &Folder,
        name: &CStr,
    ) -> Result<(), Error> {
        let stat = folder
            .open
            .stat(name, Links::Refuse)
            .map_err(|error| FileError::new("look at", self.shown(&folder.path_of(name)), error))?;
        let kind = stat.kind;
        if kind == FileKind::Directory {
            self.enter(scope, folder, name);
            return Ok(());
        }
        local.path.clear();
        local.path.extend_from_slice(&folder.visit.path);
        local.path.extend_from_slice(name.to_bytes());
        let goes_in = self.rules.includes(&folder.visit.rules, &local.path);
        match kind {
            FileKind::Link => self.link(scope, local, folder, name, &stat, goes_in),
            _ if !goes_in => Ok(()),
            FileKind::File => {
                local.note_private(&folder.visit, Some(&folder.open));
                self.add(local, &stat, 0, b"")
            }
            special => self.special(local, special),
        }
    }

    fn link<'s>(
        &'s self,
        scope: &Scope<'s>,
        local: &mut Local,
        folder: &Folder,
        name: &CStr,
        stat: &Stat,
        goes_in: bool,
    ) -> Result<(), Error> {
        let path = take(&mut local.path);
        let link = Link {
            options: self.options,
            root: self.root,
            folder: &folder.open,
            name,
            path: &path,
            place: folder.place_of(name),
            shown: &|| self.shown(&path),
        };
        let noticed = &mut local.found.noticed;
        let outcome = link.outcome(goes_in, noticed)?;
        if let Outcome::Directory = outcome
            && let Some(rules) = self.rules.enter(&folder.visit.rules, &path)
        {
            let followed = link.directory(noticed)?;
            let line = folder.visit.line.as_ref();
            let visit = Visit {
                path: [&path, &b"/"[..]].concat(),
                place: Some(followed.place.clone()),
                rules,
                line: line.map(|above| above.through(&path)),
                repository: Repository::at(folder.visit.repository.as_ref(), &path),
            };
            local.found.followed.push(followed);
            scope.spawn(move |scope| self.directory(scope, visit));
        }
        local.path = path;
        match outcome {
            Outcome::LeftOut | Outcome::Directory => Ok(()),
            Outcome::File(stat) => {
                local.note_private(&folder.visit, None);
                self.add(local, &stat, Mode::VIA_LINK, b"")
            }
            Outcome::Kept(text, place) => {
                if let Some(place) = place {
                    let path = local.path.clone();
                    local.found.kept.push(Followed { path, place });
                }
                self.add(local, stat, Mode::LINK, text.to_bytes())
            }
            Outcome::Special(kind) => self.special(local, kind),
        }
    }

    /// Leaves out what has no content to pack, or refuses it.
    fn special(&self, local: &mut Local, kind: FileKind) -> Result<(), Error> {
        if self.options.skip_special {
            local.note(NoticeKind::SkippedSpecial);
            return Ok(());
        }
        Err(Error::Special {
            path: self.shown(&local.path),
            kind: match kind {
                FileKind::Pipe => "a named pipe",
                FileKind::Socket => "a socket",
                FileKind::Device => "a device",
                _ => "neither a file nor a directory",
            },
        })
    }

    /// Adds an entry at the path at hand. `text` is a kept link's.
    fn add(&self, local: &mut Local, stat: &Stat, flags: u16, text: &[u8]) -> Result<(), Error> {
        let non_utf8 = if self.options.raw_names {
            NonUtf8::Raw
        } else {
            NonUtf8::Refuse
        };
        zip::check_name(&local.path, non_utf8).map_err(|source| Error::Name {
            path: self.shown(&local.path),
            source,
        })?;
        let name = local.found.names.push(&local.path, text);
        let name =
            name.ok_or_else(|| Error::Walk(format!("a name is longer than {MAX_NAME} bytes")))?;
        let item = item(name, stat, flags, text);
        local.found.items.push(item);
        if item.mode.bits() & 0o7000 != 0 {
            local.note(NoticeKind::SpecialBits);
        }
        if local.path.contains(&b'\\') {
            local.note(NoticeKind::Backslash);
        }
        if self.options.raw_names && std::str::from_utf8(&local.path).is_err() {
            local.note(NoticeKind::RawName);
        }
        Ok(())
    }

    /// What belongs to this thread.
    fn local(&self) -> MutexGuard<'_, Local> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.locals.len();
        self.locals[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.failed.load(Relaxed) || self.stop.is_cancelled()
    }

    /// Ends the walk. If several threads fail, any of their errors is returned.
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
        self.shown.join(as_path(path))
    }
}

impl Local {
    /// Notes something about the path at hand.
    fn note(&mut self, kind: NoticeKind) {
        self.found.noticed.add(kind, &self.path);
    }

    /// Notes the file at the path at hand if it looks like credentials, or the repository that it is in. Without
    /// `open`, its name alone counts.
    fn note_private(&mut self, visit: &Visit, open: Option<&Directory>) {
        match &visit.repository {
            Some(repository) if repository.is_new() => {
                let noticed = &mut self.found.noticed;
                noticed.add(NoticeKind::Private, repository.path());
            }
            None if is_private(&self.path, open) => self.note(NoticeKind::Private),
            _ => {}
        }
    }
}

impl Visit {
    fn place(&self) -> &[u8] {
        let path = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        self.place.as_deref().unwrap_or(path)
    }
}

impl Folder {
    /// The path in the archive of its entry `name`.
    fn path_of(&self, name: &CStr) -> Vec<u8> {
        [&self.visit.path, name.to_bytes()].concat()
    }

    /// The place of its entry `name`.
    fn place_of(&self, name: &CStr) -> Vec<u8> {
        match self.visit.place() {
            b"" => name.to_bytes().to_vec(),
            place => [place, b"/", name.to_bytes()].concat(),
        }
    }
}

fn item(name: NameRef, stat: &Stat, flags: u16, text: &[u8]) -> Item {
    let (mode, size) = match flags {
        // Systems differ in a link's metadata.
        Mode::LINK => (0o777, text.len() as u64),
        Mode::DIRECTORY => (stat.mode, 0),
        _ => (stat.mode, stat.size),
    };
    Item {
        name,
        nanos: stat.nanos,
        mode: Mode::new(mode, flags),
        size,
        secs: stat.secs,
    }
}
