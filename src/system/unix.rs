//! Opens what is at a path below the source without following a link at any part of the path.
//!
//! Between the walk, which examines a path, and the moment it is opened, any part of it can have become a
//! link to somewhere else. Links are therefore followed only where the caller asks for it. On Linux the
//! kernel checks this (`openat2`). On other systems, and in sandboxes that forbid the call, each directory
//! is opened from the one above it.
//!
//! A *place* is a path relative to the source, or an absolute path where links may lead out of the source.
//! Both are resolved: they hold no link, no `.` and no `..`.

mod list;

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::{FileKind, Links, PathError, PathErrorKind, Stat, as_bytes};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Opens files. If a pipe has taken a file's place, opening it does not wait for a writer.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A plan's name as a path.
pub(crate) fn as_path(name: &[u8]) -> impl AsRef<Path> + '_ {
    Path::new(OsStr::from_bytes(name))
}

/// The nine permission bits of a file or directory.
#[cfg(feature = "local")]
pub(crate) fn permission_bits(stat: &fs::Metadata) -> u32 {
    stat.permissions().mode() & 0o777
}

/// Gives a file or directory these permissions.
#[cfg(feature = "local")]
pub(crate) fn set_permission_bits(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode & 0o777))
}

/// Makes a symbolic link at `path`.
#[cfg(feature = "local")]
pub(crate) fn make_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

impl From<Errno> for PathError {
    fn from(error: Errno) -> Self {
        let kind = match error {
            Errno::NOENT | Errno::NOTDIR => PathErrorKind::NotFound,
            Errno::LOOP => PathErrorKind::IsLink,
            Errno::INVAL => PathErrorKind::NotALink,
            Errno::NXIO => PathErrorKind::Special,
            _ => PathErrorKind::Other,
        };
        Self {
            kind,
            error: error.into(),
        }
    }
}

impl From<FileType> for FileKind {
    #[inline]
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Link,
            FileType::Fifo => Self::Pipe,
            FileType::Socket => Self::Socket,
            FileType::BlockDevice | FileType::CharacterDevice => Self::Device,
            FileType::Unknown => Self::Unknown,
        }
    }
}

impl From<rustix::fs::Stat> for Stat {
    // The types of the fields differ between systems; all values are in range.
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_fallible_conversions,
        clippy::unnecessary_cast
    )]
    #[inline]
    fn from(stat: rustix::fs::Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Unknown => FileKind::Other,
            kind => kind.into(),
        };
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            secs: i64::try_from(stat.st_mtime).unwrap_or(i64::MAX),
            nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            mode: u32::from(stat.st_mode) & 0o7777,
        }
    }
}

/// Tells directories apart: device and inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Calls `each` with the name and the kind of every entry but `.` and `..`. `buffer` is scratch
    /// space that the caller reuses.
    pub(crate) fn list(
        &self,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&CStr, FileKind),
    ) -> Result<(), PathError> {
        Ok(list::list(&self.0, buffer, |name, kind| {
            each(name, kind.into());
        })?)
    }

    /// The metadata of the entry `name`.
    pub(crate) fn stat(&self, name: &CStr, links: Links) -> Result<Stat, PathError> {
        let flags = match links {
            Links::Follow => AtFlags::empty(),
            Links::Refuse => AtFlags::SYMLINK_NOFOLLOW,
        };
        Ok(statat(&self.0, name, flags)?.into())
    }

    /// The metadata of what is at a path below the directory. A link at its end is not followed.
    pub(crate) fn lstat(&self, path: &[u8]) -> Result<Stat, PathError> {
        Ok(statat(&self.0, path, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// The metadata of the directory itself.
    pub(crate) fn fstat(&self) -> Result<Stat, PathError> {
        Ok(rustix::fs::fstat(&self.0)?.into())
    }

    /// What tells this directory from others.
    pub(crate) fn identity(&self) -> Result<Identity, PathError> {
        let stat = rustix::fs::fstat(&self.0)?;
        // The types of the fields differ between systems; only equality matters.
        #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
        Ok(Identity(stat.st_dev as u64, stat.st_ino as u64))
    }

    /// Opens the file `name`. If a pipe has taken its place, this does not wait for a writer.
    #[inline]
    pub(crate) fn open(&self, name: &[u8], links: Links) -> Result<File, PathError> {
        let flags = match links {
            Links::Follow => FILE,
            Links::Refuse => FILE | OFlags::NOFOLLOW,
        };
        Ok(openat(&self.0, name, flags, Mode::empty())?.into())
    }

    /// The text of the link `name`.
    pub(crate) fn read_link(&self, name: &[u8]) -> Result<CString, PathError> {
        Ok(rustix::fs::readlinkat(&self.0, name, Vec::new())?)
    }
}

/// The metadata of an open file. Systems without Unix permissions need its name for the mode.
#[inline]
pub(crate) fn fstat(file: &File, _: &[u8]) -> io::Result<Stat> {
    Ok(rustix::fs::fstat(file)?.into())
}

/// Reads up to `window.len()` bytes from `offset`.
#[cfg(feature = "push")]
pub(crate) fn read_at(file: &File, window: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(window, offset)
}

/// Fills `window` from `offset`.
#[inline]
pub(crate) fn read_exact_at(file: &File, window: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(window, offset)
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// The permissions of a new file, before the umask.
pub(super) fn new_file_permissions() -> Permissions {
    Permissions::from_mode(0o666)
}

/// The source directory. It stays open, so renaming or replacing its path changes nothing.
#[derive(Debug)]
pub(crate) struct Root {
    open: Directory,
    /// The resolved path.
    path: PathBuf,
    /// Whether the system lacks `openat2`, or a sandbox forbids it.
    without_openat2: AtomicBool,
}

impl Root {
    /// Opens the directory at `path`, which must be resolved.
    pub(crate) fn open(path: PathBuf) -> Result<Self, PathError> {
        let open = rustix::fs::open(&path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        let without_openat2 =
            AtomicBool::new(!cfg!(any(target_os = "linux", target_os = "android")));
        Ok(Self {
            open: Directory(open),
            path,
            without_openat2,
        })
    }

    /// The source directory itself.
    pub(crate) fn top(&self) -> &Directory {
        &self.open
    }

    /// Opens the directory at a place. The empty place is the source itself.
    ///
    /// A link at any part of the path is an error, [`PathErrorKind::IsLink`].
    pub(crate) fn directory(&self, place: &[u8]) -> Result<Directory, PathError> {
        Ok(Directory(self.open_without_links(place, DIRECTORY)?))
    }

    /// Opens what is at a place, and follows no link.
    fn open_without_links(&self, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let place = if place.is_empty() { b"." } else { place };
        match self.open_by_openat2(place, flags, Follow::Nothing) {
            Some(done) => done,
            None => self.open_step_by_step(place, flags),
        }
    }

    /// Opens with `openat2`. Returns None if the system does not offer it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open_by_openat2(
        &self,
        place: &[u8],
        flags: OFlags,
        follow: Follow,
    ) -> Option<Result<OwnedFd, Errno>> {
        use rustix::fs::{ResolveFlags, openat2};

        if self.without_openat2.load(Relaxed) {
            return None;
        }
        let resolve = match follow {
            Follow::Nothing if place.starts_with(b"/") => ResolveFlags::NO_SYMLINKS,
            Follow::Nothing => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            Follow::Inside => ResolveFlags::BENEATH,
        };
        match openat2(&self.open.0, place, flags, Mode::empty(), resolve) {
            // Old sandboxes answer EPERM to calls that they do not know.
            Err(Errno::NOSYS | Errno::PERM) => {
                self.without_openat2.store(true, Relaxed);
                None
            }
            done => Some(done),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn open_by_openat2(&self, _: &[u8], _: OFlags, _: Follow) -> Option<Result<OwnedFd, Errno>> {
        debug_assert!(
            self.without_openat2.load(Relaxed),
            "set when the root is opened"
        );
        None
    }

    /// Opens each name of the path from the directory above it.
    fn open_step_by_step(&self, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let (mut at, rest) = match place.strip_prefix(b"/") {
            Some(rest) => {
                let top = rustix::fs::open("/", DIRECTORY, Mode::empty())?;
                (top, rest)
            }
            None => {
                let top = openat(&self.open.0, ".", DIRECTORY, Mode::empty())?;
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

    /// Opens the file that the link at a place leads to. Returns None if that is outside of the source.
    pub(crate) fn open_through_link(&self, place: &[u8]) -> Result<Option<File>, PathError> {
        match self.open_by_openat2(place, FILE, Follow::Inside) {
            // An absolute link can still lead into the source.
            None | Some(Err(Errno::XDEV)) => {}
            Some(opened) => return Ok(Some(opened?.into())),
        }
        match self.resolved(place) {
            Ok(path) => match path.strip_prefix(&self.path) {
                Ok(inside) => {
                    let file =
                        self.open_without_links(as_bytes(inside), FILE | OFlags::NOFOLLOW)?;
                    Ok(Some(file.into()))
                }
                Err(_) => Ok(None),
            },
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO).into()),
        }
    }

    /// Whether what is at a place is in the source, after following links.
    pub(crate) fn is_inside(&self, place: &[u8]) -> Result<bool, io::Error> {
        // O_PATH: the target need not be readable.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            if let Some(Ok(_)) = self.open_by_openat2(place, flags, Follow::Inside) {
                return Ok(true);
            }
        }
        Ok(self.resolved(place)?.starts_with(&self.path))
    }

    /// The place that a path leads to after following links: relative to the source, or absolute if
    /// it is outside of the source.
    pub(crate) fn resolve(&self, place: &[u8]) -> Result<Vec<u8>, io::Error> {
        let path = self.resolved(place)?;
        let place = path.strip_prefix(&self.path).unwrap_or(&path);
        Ok(as_bytes(place).to_vec())
    }

    fn resolved(&self, place: &[u8]) -> Result<PathBuf, io::Error> {
        // Joining an absolute place replaces the source's path.
        fs::canonicalize(self.path.join(as_path(place)))
    }
}

/// Which links `openat2` follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    /// No links.
    Nothing,
    /// Links that stay in the source.
    Inside,
}

fn step(above: &OwnedFd, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    if name == b".." {
        return Err(Errno::XDEV);
    }
    match openat(above, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
        // Linux answers ENOTDIR if a link is opened as a directory.
        Err(Errno::NOTDIR) => match statat(above, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                Err(Errno::LOOP)
            }
            _ => Err(Errno::NOTDIR),
        },
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root(dir: &Path) -> Root {
        Root::open(fs::canonicalize(dir).unwrap()).unwrap()
    }

    /// Opens the directory in both ways, which must agree.
    fn directory(root: &Root, place: &[u8]) -> Result<(), Errno> {
        let without_openat2 = root.open_step_by_step(place, DIRECTORY).map(drop);
        let done = root.open_without_links(place, DIRECTORY).map(drop);
        assert_eq!(done, without_openat2, "{}", place.escape_ascii());
        without_openat2
    }

    #[test]
    fn a_link_at_any_part_of_a_path_is_refused() {
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
        let met = root.directory(b"in/b").unwrap_err();
        assert_eq!(met.kind, PathErrorKind::IsLink);
        assert!(Root::open(dir.path().join("in")).is_err());
    }

    #[test]
    fn a_root_stays_the_directory_that_was_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        fs::create_dir_all(here.join("a")).unwrap();
        let root = root(&here);
        fs::rename(&here, &there).unwrap();
        fs::create_dir(&here).unwrap();
        assert_eq!(directory(&root, b"a"), Ok(()));
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
        let open = |place: &[u8]| root.open_through_link(place);
        let inside = |place: &[u8]| root.is_inside(place).unwrap();
        for place in [&b"d/near"[..], b"d/absolute"] {
            assert!(open(place).unwrap().is_some() && inside(place));
            assert_eq!(root.resolve(place).unwrap(), b"file");
        }
        assert!(open(b"d/far").unwrap().is_none() && !inside(b"d/far"));
        assert_eq!(open(b"d/none").unwrap_err().kind, PathErrorKind::NotFound);
        assert!(root.resolve(b"d/far").unwrap().starts_with(b"/"));
    }
}
