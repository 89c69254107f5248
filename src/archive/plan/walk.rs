//! Finds the files of a tree, on all cores.
//!
//! A directory is a job; one with many files is several. Each thread keeps its own list, and the
//! lists are joined once, at the end. What a list holds is what the plan keeps: nothing is made
//! twice, and no file costs an allocation. Everything is looked up relative to its directory, which
//! is open meanwhile.
//!
//! Crates that walk (`ignore`, `jwalk`) give each file a path and an entry of its own, four
//! allocations, which took longer than looking at it.

use std::ffi::CStr;
use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::{Scope, ThreadPool};

use super::links::{Ancestor, Followed};
use super::names::{MAX_NAME, NameBlocks, NameRef};
use super::notice::{Noted, NoticeKind};
use super::select::{IGNORE_FILE, Rules, Within};
use super::{Error, Options};
use crate::archive::zip::{self, NonUtf8};
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::system::{Directory, FileKind, Links, Root, Stat, as_path, read_small_file};

/// Names that one job looks at. A directory of more is looked at by several threads.
const NAMES: usize = 512;

/// One entry of the plan, in 32 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Its name. A link's text comes right after it.
    pub(super) name: NameRef,
    /// Nanoseconds of the modification time.
    pub(super) nanos: u32,
    /// Permissions, what it is, and whether it was reached by a symbolic link.
    pub(super) mode: Mode,
    /// Bytes of content, or of a link's text.
    pub(super) size: u64,
    /// Seconds of the modification time since 1970.
    pub(super) secs: i64,
}

/// The lower 12 bits of `st_mode`, and three more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode(u16);

impl Mode {
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

/// Files in no particular order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) names: NameBlocks,
    pub(super) items: Vec<Item>,
    pub(super) noted: Noted,
    /// Links to directories whose content is in the plan.
    pub(super) followed: Vec<Followed>,
}

/// Walks the source on the threads of `pool`.
///
/// `shown` is the user's name for it, for messages.
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
    )?;
    let walk = Walk {
        root,
        shown,
        // What costs something is asked only if there is something to ask.
        hides: options.ignore_hidden && options.patterns.is_empty(),
        rules,
        options,
        stop,
        lanes: (0..pool.current_num_threads())
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
        self.noted.append(more.noted);
        self.followed.append(&mut more.followed);
        Ok(())
    }
}

/// What all threads share.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Root,
    shown: &'a Path,
    /// Whether hidden names are left out, and no pattern can bring one back.
    hides: bool,
    pub(super) rules: Rules,
    pub(super) options: &'a Options,
    stop: &'a Cancel,
    /// One for each thread, which alone locks it.
    lanes: Vec<Mutex<Lane>>,
    /// Whether there is an error. Then the others need not go on.
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
}

/// What a thread has found, and what it uses again and again.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) found: Found,
    /// The name of a file below the root.
    pub(super) name: Vec<u8>,
    /// What a system call says that a directory holds.
    listing: Vec<u8>,
}

/// A directory to look into.
#[derive(Clone, Default)]
pub(super) struct Visit {
    /// Its path in the archive, with a slash at the end; empty for the root.
    pub(super) path: Vec<u8>,
    /// Its place, without one, if a link leads to it or above it.
    pub(super) place: Option<Vec<u8>>,
    /// What holds for the names in it.
    pub(super) within: Within,
    /// The directories that it is in, itself last, if links are followed.
    pub(super) line: Option<Arc<Ancestor>>,
}

/// A directory while what is in it is looked at.
pub(super) struct Folder {
    pub(super) open: Directory,
    pub(super) visit: Visit,
}

impl<'a> Walk<'a> {
    /// Lists a directory and looks at all that is in it.
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
        if self.follows() {
            visit.line = Some(self.descend(&open, &visit)?);
        }
        if self.rules.reads_file(&visit.within) {
            self.read_patterns(&open, &mut visit)?;
        }
        let folder = Folder { open, visit };
        let mut listing = take(&mut self.lane().listing);
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
        self.lane().listing = listing;
        listed.map_err(|error| FileError::new("read", self.shown(&folder.visit.path), error))?;
        if empty && self.options.empty_dirs {
            return self.empty_directory(&folder);
        }
        self.files(scope, &folder, &names);
        Ok(())
    }

    /// Opens a directory. What was one a moment ago and is a link now does not lead elsewhere.
    fn open(&self, visit: &Visit) -> Result<Directory, Error> {
        let open = self.root.directory(visit.place());
        open.map_err(|error| FileError::new("read", self.shown(&visit.path), error).into())
    }

    /// Looks at files of a directory that was listed, and is opened again: if it stayed open until
    /// somebody comes to them, every level of a deep tree could have one open.
    fn more_files<'s>(&'s self, scope: &Scope<'s>, visit: Visit, names: &[u8]) {
        if self.is_over() {
            return;
        }
        match self.open(&visit) {
            Ok(open) => self.files(scope, &Folder { open, visit }, names),
            Err(error) => self.fail(error),
        }
    }

    /// Looks into the directory of this name, unless nothing in it goes in.
    fn enter<'s>(&'s self, scope: &Scope<'s>, folder: &Folder, name: &CStr) {
        let path = folder.below(name);
        let within = self.rules.enter(&folder.visit.within, &path);
        let Some(within) = within else { return };
        let visit = Visit {
            place: folder.visit.place.is_some().then(|| folder.place_of(name)),
            path: [&path, &b"/"[..]].concat(),
            within,
            line: folder.visit.line.clone(),
        };
        scope.spawn(move |scope| self.directory(scope, visit));
    }

    /// Looks into the directory that a link leads to.
    pub(super) fn enter_link<'s>(&'s self, scope: &Scope<'s>, visit: Visit) {
        scope.spawn(move |scope| self.directory(scope, visit));
    }

    /// Adds the patterns that a directory has of its own.
    fn read_patterns(&self, open: &Directory, visit: &mut Visit) -> Result<(), Error> {
        let path = || self.shown(&[&visit.path, IGNORE_FILE.as_bytes()].concat());
        let text = read_small_file(open, IGNORE_FILE)
            .map_err(|error| FileError::new("read the patterns of", path(), error))?;
        if let Some(text) = text {
            let within = visit.within.with_file(&visit.path, &text);
            visit.within = within.map_err(|bad| Error::Patterns { path: path(), bad })?;
        }
        Ok(())
    }

    /// Keeps a directory that holds nothing at all.
    fn empty_directory(&self, folder: &Folder) -> Result<(), Error> {
        let Visit { path, within, .. } = &folder.visit;
        // The source is no entry of its own.
        if path.is_empty() || within.is_left_out() {
            return Ok(());
        }
        let stat = folder
            .open
            .fstat()
            .map_err(|error| FileError::new("look at", self.shown(path), error))?;
        let mut lane = self.lane();
        lane.name.clear();
        lane.name.extend_from_slice(path);
        self.keep(&mut lane, &stat, Mode::DIRECTORY, b"")
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
            if let Err(error) = self.file(scope, &mut lane, folder, name) {
                return self.fail(error);
            }
        }
    }

    /// Looks at one file, and keeps it. It may turn out to be a directory: not every file system says so
    /// when it lists one.
    fn file<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: &mut Lane,
        folder: &Folder,
        name: &CStr,
    ) -> Result<(), Error> {
        let stat = folder
            .open
            .stat(name, Links::Refuse)
            .map_err(|error| FileError::new("look at", self.shown(&folder.below(name)), error))?;
        let kind = stat.kind;
        if kind == FileKind::Directory {
            self.enter(scope, folder, name);
            return Ok(());
        }
        lane.name.clear();
        lane.name.extend_from_slice(&folder.visit.path);
        lane.name.extend_from_slice(name.to_bytes());
        let goes_in = self.rules.takes(&folder.visit.within, &lane.name);
        match kind {
            FileKind::Link => self.link(scope, lane, folder, name, &stat, goes_in),
            _ if !goes_in => Ok(()),
            FileKind::File => self.keep(lane, &stat, 0, b""),
            special => self.special(lane, special),
        }
    }

    /// Leaves out what has no content to pack, if that was asked for.
    pub(super) fn special(&self, lane: &mut Lane, kind: FileKind) -> Result<(), Error> {
        if self.options.skip_special {
            lane.note(NoticeKind::SkippedSpecial);
            return Ok(());
        }
        Err(Error::Special {
            path: self.shown(&lane.name),
            kind: kind_of(kind),
        })
    }

    /// Keeps what has the lane's name. `text` is a link's.
    pub(super) fn keep(
        &self,
        lane: &mut Lane,
        stat: &Stat,
        flags: u16,
        text: &[u8],
    ) -> Result<(), Error> {
        let non_utf8 = if self.options.raw_names {
            NonUtf8::Raw
        } else {
            NonUtf8::Refuse
        };
        zip::check_name(&lane.name, non_utf8).map_err(|source| Error::Name {
            path: self.shown(&lane.name),
            source,
        })?;
        let name = lane.found.names.push(&lane.name, text);
        let name =
            name.ok_or_else(|| Error::Walk(format!("a name is longer than {MAX_NAME} bytes")))?;
        let item = item(name, stat, flags, text);
        lane.found.items.push(item);
        if item.mode.bits() & 0o7000 != 0 {
            lane.note(NoticeKind::SpecialBits);
        }
        if lane.name.contains(&b'\\') {
            lane.note(NoticeKind::Backslash);
        }
        if self.options.raw_names && std::str::from_utf8(&lane.name).is_err() {
            lane.note(NoticeKind::RawName);
        }
        Ok(())
    }

    /// The lane of this thread.
    fn lane(&self) -> MutexGuard<'_, Lane> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.lanes.len();
        self.lanes[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.failed.load(Relaxed) || self.stop.is_cancelled()
    }

    /// Of two errors, either tells the truth.
    fn fail(&self, error: Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.failed.store(true, Relaxed);
    }

    /// A path below the root, as the user would write it.
    pub(super) fn shown(&self, path: &[u8]) -> PathBuf {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.is_empty() {
            return self.shown.to_owned();
        }
        self.shown.join(as_path(path))
    }
}

impl Lane {
    /// Notes something about the lane's name.
    pub(super) fn note(&mut self, kind: NoticeKind) {
        self.found.noted.add(kind, &self.name);
    }
}

impl Visit {
    /// Where it is.
    pub(super) fn place(&self) -> &[u8] {
        let path = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        self.place.as_deref().unwrap_or(path)
    }
}

impl Folder {
    /// The path of what has this name in it.
    pub(super) fn below(&self, name: &CStr) -> Vec<u8> {
        [&self.visit.path, name.to_bytes()].concat()
    }

    /// Where it is.
    pub(super) fn place_of(&self, name: &CStr) -> Vec<u8> {
        match self.visit.place() {
            b"" => name.to_bytes().to_vec(),
            place => [place, b"/", name.to_bytes()].concat(),
        }
    }
}

fn item(name: NameRef, stat: &Stat, flags: u16, text: &[u8]) -> Item {
    let (mode, size) = match flags {
        // Systems differ in what they say of a link.
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

/// What a file that cannot go into an archive is.
fn kind_of(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Pipe => "a named pipe",
        FileKind::Socket => "a socket",
        FileKind::Device => "a device",
        _ => "neither a file nor a directory",
    }
}
