//! Opens directories and files by their paths, with the standard library, on Windows.
//!
//! Each directory on a path is examined before it is passed through, and a file is opened as what it is,
//! link or not, and examined once it is open. So no link is followed that the caller did not allow. Unlike
//! on Unix, a race remains: between examining a directory and opening what is in it, a link can take its
//! place, since nothing here is opened relative to an open directory. Links are whatever Windows follows
//! by name: symbolic links and junctions.
//!
//! Names are kept in UTF-8. A name that is not Unicode is kept in the standard library's own encoding,
//! which is not valid UTF-8, so it is treated as any name that is not UTF-8.
//!
//! A place outside of the source is a slash followed by its path, with slashes: `///?/C:/x`. So it begins
//! with a slash, as on Unix.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{FileKind, Links, PathError, PathErrorKind, Stat, as_bytes, modes};

/// `FILE_FLAG_OPEN_REPARSE_POINT` of `CreateFileW`: opens a link, not what it leads to.
const THE_LINK: u32 = 0x0020_0000;
/// `FILE_FLAG_BACKUP_SEMANTICS`: opens directories too. Without it they are denied, as if by permission.
const ALSO_DIRECTORIES: u32 = 0x0200_0000;
/// `ERROR_NOT_A_REPARSE_POINT`.
const NO_LINK: i32 = 4390;

/// `FILETIME`s in a second: each is 100 nanoseconds.
const TICKS: u64 = 10_000_000;
/// Seconds from 1601, when `FILETIME` begins, to 1970.
const BEFORE_1970: i64 = 11_644_473_600;

/// A plan's name as a path, for messages and patterns. What is not Unicode is replaced.
pub(crate) fn as_path(name: &[u8]) -> impl AsRef<Path> + '_ {
    match String::from_utf8_lossy(name) {
        Cow::Borrowed(name) => Cow::Borrowed(Path::new(name)),
        Cow::Owned(name) => Cow::Owned(PathBuf::from(name)),
    }
}

/// The permissions that the name of a file stands for are not kept on Windows.
#[cfg(feature = "local")]
pub(crate) fn permission_bits(_stat: &Metadata) -> u32 {
    0o755
}

/// Does nothing: Windows has no such permissions.
#[cfg(feature = "local")]
pub(crate) fn set_permission_bits(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Makes a symbolic link at `path`, which not every user may.
#[cfg(feature = "local")]
pub(crate) fn make_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

impl From<io::Error> for PathError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PathErrorKind::NotFound,
            _ if error.raw_os_error() == Some(NO_LINK) => PathErrorKind::NotALink,
            _ => PathErrorKind::Other,
        };
        Self { kind, error }
    }
}

impl PathError {
    fn link() -> Self {
        Self {
            kind: PathErrorKind::IsLink,
            error: io::Error::other("it is a symbolic link"),
        }
    }
}

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> Self {
        if kind.is_symlink() {
            Self::Link
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_file() {
            Self::File
        } else {
            Self::Other
        }
    }
}

impl Stat {
    /// The mode follows from `name`.
    fn new(metadata: &Metadata, name: &[u8]) -> Self {
        let kind = metadata.file_type().into();
        let mode = match kind {
            FileKind::Directory => modes::DIRECTORY,
            FileKind::Link => modes::LINK,
            _ => modes::of_file(name, metadata.permissions().readonly()),
        };
        let (secs, nanos) = since_1970(metadata.last_write_time());
        Self {
            kind,
            size: metadata.file_size(),
            secs,
            nanos,
            mode,
        }
    }
}

fn since_1970(time: u64) -> (i64, u32) {
    let secs = i64::try_from(time / TICKS).unwrap_or(i64::MAX) - BEFORE_1970;
    (secs, u32::try_from(time % TICKS * 100).unwrap_or(0))
}

/// Tells directories apart: the resolved path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(PathBuf);

/// The path of a directory. It was a directory when it was examined.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Calls `each` with the name and the kind of every entry but `.` and `..`.
    pub(crate) fn list(
        &self,
        _: &mut Vec<u8>,
        mut each: impl FnMut(&CStr, FileKind),
    ) -> Result<(), PathError> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = CString::new(name.as_encoded_bytes()).map_err(io::Error::from)?;
            each(&name, entry.file_type()?.into());
        }
        Ok(())
    }

    /// The metadata of the entry `name`.
    pub(crate) fn stat(&self, name: &CStr, links: Links) -> Result<Stat, PathError> {
        let name = name.to_bytes();
        let path = self.child(name)?;
        let metadata = match links {
            Links::Follow => fs::metadata(path)?,
            Links::Refuse => fs::symlink_metadata(path)?,
        };
        Ok(Stat::new(&metadata, name))
    }

    /// The metadata of what is at a path below the directory. A link at its end is not followed.
    pub(crate) fn lstat(&self, path: &[u8]) -> Result<Stat, PathError> {
        let metadata = fs::symlink_metadata(self.below(path)?)?;
        Ok(Stat::new(&metadata, path))
    }

    /// The metadata of the directory itself.
    pub(crate) fn fstat(&self) -> Result<Stat, PathError> {
        Ok(Stat::new(&fs::symlink_metadata(&self.0)?, b""))
    }

    /// What tells this directory from others.
    pub(crate) fn identity(&self) -> Result<Identity, PathError> {
        Ok(Identity(fs::canonicalize(&self.0)?))
    }

    /// Opens the file `name`.
    pub(crate) fn open(&self, name: &[u8], links: Links) -> Result<File, PathError> {
        open(&self.child(name)?, links)
    }

    /// The text of the link `name`, with slashes.
    pub(crate) fn read_link(&self, name: &[u8]) -> Result<CString, PathError> {
        let text = fs::read_link(self.child(name)?)?;
        Ok(CString::new(slashed(&text)).map_err(io::Error::from)?)
    }

    /// The path of the entry `name`.
    fn child(&self, name: &[u8]) -> io::Result<PathBuf> {
        if let Ok(name) = std::str::from_utf8(name) {
            return Ok(self.0.join(name));
        }
        // Such a name can only be found by listing.
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes() == name {
                return Ok(entry.path());
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// The absolute path of what is at `path` below the directory.
    fn below(&self, path: &[u8]) -> io::Result<PathBuf> {
        let mut at = self.0.clone();
        for name in path.split(|&byte| byte == b'/') {
            if !name.is_empty() {
                at = Self(at).child(name)?;
            }
        }
        Ok(at)
    }
}

fn open(path: &Path, links: Links) -> Result<File, PathError> {
    let flags = match links {
        Links::Follow => ALSO_DIRECTORIES,
        Links::Refuse => ALSO_DIRECTORIES | THE_LINK,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    if links == Links::Refuse && file.metadata()?.is_symlink() {
        return Err(PathError::link());
    }
    Ok(file)
}

/// The bytes of a path, with slashes.
fn slashed(path: &Path) -> Vec<u8> {
    let mut bytes = as_bytes(path).to_vec();
    for byte in &mut bytes {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    bytes
}

/// The metadata of an open file. The mode follows from `name`.
pub(crate) fn fstat(file: &File, name: &[u8]) -> io::Result<Stat> {
    Ok(Stat::new(&file.metadata()?, name))
}

/// Reads up to `window.len()` bytes from `offset`. This moves the file's cursor.
pub(crate) fn read_at(file: &File, window: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(window, offset)
}

/// Fills `window` from `offset`.
pub(crate) fn read_exact_at(file: &File, window: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < window.len() {
        match read_at(file, &mut window[filled..], offset + filled as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.seek_write(&bytes[written..], offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The source directory.
#[derive(Debug)]
pub(crate) struct Root {
    /// The resolved path.
    top: Directory,
}

impl Root {
    /// Opens the directory at `path`, which must be resolved.
    pub(crate) fn open(path: PathBuf) -> Result<Self, PathError> {
        check_directory(&path)?;
        Ok(Self {
            top: Directory(path),
        })
    }

    /// The source directory itself.
    pub(crate) fn top(&self) -> &Directory {
        &self.top
    }

    /// Opens the directory at a place. The empty place is the source itself.
    ///
    /// A link at any part of the path is an error, [`PathErrorKind::IsLink`].
    pub(crate) fn directory(&self, place: &[u8]) -> Result<Directory, PathError> {
        if let Some(outside) = absolute(place) {
            // The place was resolved, so no part of it may be a link now.
            let mut above: Vec<_> = outside.ancestors().collect();
            // The last ancestor is the root, which has no name.
            above.pop();
            for path in above.into_iter().rev() {
                check_directory(path)?;
            }
            return Ok(Directory(outside));
        }
        let mut at = Directory(self.top.0.clone());
        for name in place.split(|&byte| byte == b'/') {
            match name {
                b"" => {}
                b".." => return Err(io::Error::other("it is not in the source").into()),
                name => {
                    let path = at.child(name)?;
                    check_directory(&path)?;
                    at = Directory(path);
                }
            }
        }
        Ok(at)
    }

    /// Opens the file that the link at a place leads to. Returns None if that is outside of the source.
    pub(crate) fn open_through_link(&self, place: &[u8]) -> Result<Option<File>, PathError> {
        let path = self.resolved(place)?;
        let Ok(inside) = path.strip_prefix(&self.top.0) else {
            return Ok(None);
        };
        let folder = match inside.parent() {
            Some(folder) => self.directory(&slashed(folder))?,
            None => Directory(self.top.0.clone()),
        };
        let name = path.file_name().map_or(&b""[..], OsStr::as_encoded_bytes);
        folder.open(name, Links::Refuse).map(Some)
    }

    /// Whether what is at a place is in the source, after following links.
    pub(crate) fn is_inside(&self, place: &[u8]) -> Result<bool, io::Error> {
        Ok(self.resolved(place)?.starts_with(&self.top.0))
    }

    /// The place that a path leads to after following links: relative to the source, or absolute if
    /// it is outside of the source.
    pub(crate) fn resolve(&self, place: &[u8]) -> Result<Vec<u8>, io::Error> {
        let path = self.resolved(place)?;
        Ok(match path.strip_prefix(&self.top.0) {
            Ok(inside) => slashed(inside),
            Err(_) => [&b"/"[..], &slashed(&path)].concat(),
        })
    }

    fn resolved(&self, place: &[u8]) -> Result<PathBuf, io::Error> {
        fs::canonicalize(match absolute(place) {
            Some(outside) => outside,
            None => self.top.below(place)?,
        })
    }
}

/// The path that an absolute place stands for.
fn absolute(place: &[u8]) -> Option<PathBuf> {
    let path = std::str::from_utf8(place.strip_prefix(b"/")?).ok()?;
    Some(PathBuf::from(path.replace('/', "\\")))
}

/// Checks that a directory on a path is one, and no link.
fn check_directory(path: &Path) -> Result<(), PathError> {
    match fs::symlink_metadata(path)?.file_type().into() {
        FileKind::Link => Err(PathError::link()),
        FileKind::Directory => Ok(()),
        _ => Err(io::Error::from(io::ErrorKind::NotADirectory).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_1970() {
        assert_eq!(since_1970(116_444_736_000_000_000), (0, 0));
        assert_eq!(since_1970(116_444_736_000_000_001), (0, 100));
        assert_eq!(since_1970(116_444_735_999_999_999), (-1, 999_999_900));
    }

    #[test]
    fn a_link_on_a_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/file"), "content").unwrap();
        let root = Root::open(fs::canonicalize(dir.path()).unwrap()).unwrap();
        assert!(root.directory(b"a/b").is_ok());
        let file = root.directory(b"a").unwrap();
        let file = file.open(b"file", Links::Refuse).unwrap();
        assert_eq!(fstat(&file, b"file").unwrap().mode, 0o755);
        let vanished = root.directory(b"a/none").unwrap_err();
        assert_eq!(vanished.kind, PathErrorKind::NotFound);
        assert!(root.directory(b"../x").is_err());
        // Creating links needs a privilege.
        if std::os::windows::fs::symlink_dir("a", dir.path().join("link")).is_ok() {
            let met = root.directory(b"link/b").unwrap_err();
            assert_eq!(met.kind, PathErrorKind::IsLink);
            assert_eq!(root.resolve(b"link/b").unwrap(), b"a/b");
        }
    }
}
