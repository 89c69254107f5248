//! Opens what is at a path below the source, without following a link on the way.
//!
//! A path was looked at once and is opened later, by somebody else perhaps: in between, any part of it
//! can have become a link to another place. So links are followed here only where it was decided to, and
//! otherwise none is, at no part of the path. On Linux the kernel sees to it (`openat2`); elsewhere, and
//! where it may not be asked, each directory is opened from the one above it.
//!
//! A *place* is a path from the source, or an absolute one where links were allowed to lead out. Both
//! are resolved: they hold no link, no `.` and no `..`.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// The most bytes of a file that is read whole.
const MAX_SMALL: u64 = 1 << 20;

/// A name of the plan, as the file system takes it.
pub(crate) fn as_path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// A path, as the plan keeps it.
pub(super) fn as_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The source, which stays the same whatever becomes of its path.
#[derive(Debug)]
pub(crate) struct Root {
    open: OwnedFd,
    /// Resolved.
    path: PathBuf,
    /// Whether the system lacks `openat2`, or a sandbox keeps it away.
    by_name: AtomicBool,
}

impl Root {
    /// Opens the directory at `path`, which is resolved.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Errno> {
        let open = rustix::fs::open(&path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        let by_name = AtomicBool::new(!cfg!(any(target_os = "linux", target_os = "android")));
        Ok(Self {
            open,
            path,
            by_name,
        })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.open.as_fd()
    }

    /// Opens the directory at a place. Its path is empty for the source.
    ///
    /// A link anywhere on it is [`Errno::LOOP`].
    pub(crate) fn directory(&self, place: &[u8]) -> Result<OwnedFd, Errno> {
        self.strictly(place, DIRECTORY)
    }

    /// Opens what is at a place, and follows no link.
    fn strictly(&self, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let place = if place.is_empty() { b"." } else { place };
        match self.at_once(place, flags, Follow::Nothing) {
            Some(done) => done,
            None => self.step_by_step(place, flags),
        }
    }

    /// Lets the kernel see to it. None if it cannot.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn at_once(
        &self,
        place: &[u8],
        flags: OFlags,
        follow: Follow,
    ) -> Option<Result<OwnedFd, Errno>> {
        use rustix::fs::{ResolveFlags, openat2};

        if self.by_name.load(Relaxed) {
            return None;
        }
        let resolve = match follow {
            Follow::Nothing if place.starts_with(b"/") => ResolveFlags::NO_SYMLINKS,
            Follow::Nothing => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            Follow::Inside => ResolveFlags::BENEATH,
        };
        match openat2(&self.open, place, flags, Mode::empty(), resolve) {
            // The second is what old sandboxes say to calls that they do not know.
            Err(Errno::NOSYS | Errno::PERM) => {
                self.by_name.store(true, Relaxed);
                None
            }
            done => Some(done),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn at_once(&self, _: &[u8], _: OFlags, _: Follow) -> Option<Result<OwnedFd, Errno>> {
        debug_assert!(self.by_name.load(Relaxed), "it is so from the beginning");
        None
    }

    /// The same, a name at a time.
    fn step_by_step(&self, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let (mut at, rest) = match place.strip_prefix(b"/") {
            Some(rest) => {
                let top = rustix::fs::open("/", DIRECTORY, Mode::empty())?;
                (top, rest)
            }
            None => {
                let top = openat(&self.open, ".", DIRECTORY, Mode::empty())?;
                (top, place)
            }
        };
        let mut names = rest.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            let flags = if last { flags } else { DIRECTORY };
            at = step(&at, if name.is_empty() { b"." } else { name }, flags)?;
        }
        Ok(at)
    }

    /// Opens the file that the link at a place leads to, if that is in the source; None if it is not.
    pub(crate) fn through_link(
        &self,
        place: &[u8],
        flags: OFlags,
    ) -> Result<Option<OwnedFd>, Errno> {
        match self.at_once(place, flags, Follow::Inside) {
            // An absolute link may come back into the source.
            None | Some(Err(Errno::XDEV)) => {}
            Some(opened) => return opened.map(Some),
        }
        match self.resolved(place) {
            Ok(path) => match path.strip_prefix(&self.path) {
                Ok(inside) => self
                    .strictly(as_bytes(inside), flags | OFlags::NOFOLLOW)
                    .map(Some),
                Err(_) => Ok(None),
            },
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }

    /// Whether what is at a place is in the source, links followed.
    pub(super) fn is_inside(&self, place: &[u8]) -> Result<bool, io::Error> {
        // It need not be readable.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            if let Some(Ok(_)) = self.at_once(place, flags, Follow::Inside) {
                return Ok(true);
            }
        }
        Ok(self.resolved(place)?.starts_with(&self.path))
    }

    /// The place that a path leads to, links followed: from the source, or absolute if it is not in
    /// there.
    pub(super) fn resolve(&self, place: &[u8]) -> Result<Vec<u8>, io::Error> {
        let path = self.resolved(place)?;
        let place = path.strip_prefix(&self.path).unwrap_or(&path);
        Ok(as_bytes(place).to_vec())
    }

    fn resolved(&self, place: &[u8]) -> Result<PathBuf, io::Error> {
        // An absolute place takes the source's.
        fs::canonicalize(self.path.join(as_path(place)))
    }
}

/// Which links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    /// None.
    Nothing,
    /// Those that stay in the source.
    Inside,
}

fn step(above: &OwnedFd, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    if name == b".." {
        return Err(Errno::XDEV);
    }
    match openat(above, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
        // Asked for a directory, Linux says of a link only that it is none.
        Err(Errno::NOTDIR) => match statat(above, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                Err(Errno::LOOP)
            }
            _ => Err(Errno::NOTDIR),
        },
        done => done,
    }
}

/// Whether the text of a link says that it leads out of the source. `path` is that of its directory:
/// empty, or with a slash at its end.
pub(super) fn leads_out(path: &[u8], target: &[u8]) -> bool {
    if target.starts_with(b"/") {
        return true;
    }
    let mut depth = path.iter().filter(|&&byte| byte == b'/').count();
    for component in target.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// The text of a link.
pub(crate) fn target(folder: BorrowedFd<'_>, name: &[u8]) -> Result<CString, Errno> {
    rustix::fs::readlinkat(folder, name, Vec::new())
}

/// A small file's content, if it is there.
pub(super) fn small_file(folder: BorrowedFd<'_>, name: &str) -> Result<Option<Vec<u8>>, io::Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(error) => return Err(error.into()),
    };
    let stat = rustix::fs::fstat(file.as_fd())?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a file"));
    }
    let mut content = Vec::new();
    fs::File::from(file)
        .take(MAX_SMALL + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > MAX_SMALL {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root(dir: &Path) -> Root {
        Root::open(fs::canonicalize(dir).unwrap()).unwrap()
    }

    /// Both ways, side by side.
    fn directory(root: &Root, place: &[u8]) -> Result<(), Errno> {
        let by_name = root.step_by_step(place, DIRECTORY).map(drop);
        let done = root.directory(place).map(drop);
        assert_eq!(done, by_name, "{}", place.escape_ascii());
        by_name
    }

    #[test]
    fn links_are_not_followed_at_any_height() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir_all(outside.path().join("b/c")).unwrap();
        fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
        fs::write(dir.path().join("a/file"), "").unwrap();
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink("a", dir.path().join("in")).unwrap();
        symlink("../a", dir.path().join("a/again")).unwrap();
        let root = root(dir.path());
        let absolute = [as_bytes(&root.path), b"/a/b"].concat();
        for place in [&b"a"[..], b"a/b", b"a/b/c", &absolute] {
            assert_eq!(directory(&root, place), Ok(()));
        }
        let by_link = [as_bytes(&root.path), b"/in/b"].concat();
        for place in [
            &b"out"[..],
            b"out/b",
            b"out/b/c",
            b"in",
            b"in/b",
            b"a/again",
            b"a/again/b",
            &by_link,
        ] {
            assert_eq!(directory(&root, place), Err(Errno::LOOP));
        }
        assert_eq!(directory(&root, b"a/none/c"), Err(Errno::NOENT));
        assert_eq!(directory(&root, b"a/file"), Err(Errno::NOTDIR));
        assert_eq!(directory(&root, b"a/file/c"), Err(Errno::NOTDIR));
        assert_eq!(directory(&root, b".."), Err(Errno::XDEV));
        assert_eq!(directory(&root, b"a/../../x"), Err(Errno::XDEV));
        assert!(root.directory(b"").is_ok());
        assert!(Root::open(dir.path().join("in")).is_err());
    }

    #[test]
    fn a_root_is_what_was_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        fs::create_dir_all(here.join("a")).unwrap();
        let root = root(&here);
        fs::rename(&here, &there).unwrap();
        fs::create_dir(&here).unwrap();
        assert_eq!(directory(&root, b"a"), Ok(()));
    }

    #[test]
    fn a_links_text_says_whether_it_stays() {
        for (path, target, out) in [
            ("", "a", false),
            ("", "./a//b/..", false),
            ("", "..", true),
            ("", "/a", true),
            ("d/", "../a", false),
            ("d/e/", "../../x", false),
            ("d/e/", "../../../x", true),
            ("d/", "x/../..", false),
            ("d/", "x/../../..", true),
            ("d/", "x/../../../d/y", true),
        ] {
            let is_out = leads_out(path.as_bytes(), target.as_bytes());
            assert_eq!(is_out, out, "{path} {target}");
        }
    }

    #[test]
    fn only_files_in_the_source_are_opened_through_links() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("file"), "out").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root_path = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(root_path.join("d")).unwrap();
        fs::write(root_path.join("file"), "in").unwrap();
        symlink("../file", root_path.join("d/near")).unwrap();
        symlink(root_path.join("file"), root_path.join("d/absolute")).unwrap();
        symlink(outside.path().join("file"), root_path.join("d/far")).unwrap();
        let root = root(&root_path);
        let open = |place: &[u8]| root.through_link(place, OFlags::RDONLY);
        let inside = |place: &[u8]| root.is_inside(place).unwrap();
        for place in [&b"d/near"[..], b"d/absolute"] {
            assert!(open(place).unwrap().is_some() && inside(place));
            assert_eq!(root.resolve(place).unwrap(), b"file");
        }
        assert!(open(b"d/far").unwrap().is_none() && !inside(b"d/far"));
        assert_eq!(open(b"d/none").unwrap_err(), Errno::NOENT);
        assert!(root.resolve(b"d/far").unwrap().starts_with(b"/"));
    }
}
