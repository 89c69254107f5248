//! File system access that a push needs, and that Unix and Windows offer differently.
//!
//! A tree is listed once and its files are opened later. In between, another program can replace any
//! directory by a symbolic link, which would make the archive hold files from outside of the source.
//! Therefore no call here follows a link unless its caller asks for it. On Unix this holds without a
//! race, since everything is opened relative to directories that are already open (`unix`). Windows is
//! served by path, with the standard library (`windows`), which leaves a small race. The rest of the
//! crate sees no difference.
//!
//! Windows has no Unix permissions, so there a file's mode follows from its name (`modes`).
//!
//! The module knows nothing of plans and archives, and needs no `unsafe`.

// Only Windows uses the rule; its tests run everywhere.
#[cfg(any(windows, test))]
mod modes;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io::{self, Read as _};
use std::path::Path;

use tempfile::NamedTempFile;

#[cfg(unix)]
use self::unix as imp;
#[cfg(windows)]
use self::windows as imp;

#[cfg(feature = "push")]
pub(crate) use self::imp::read_at;
pub(crate) use self::imp::{
    Directory, Identity, Root, as_path, fstat, read_exact_at, write_all_at,
};
#[cfg(feature = "local")]
pub(crate) use self::imp::{make_link, permission_bits, set_permission_bits};

/// The largest file that [`read_small_file`] reads, in bytes.
const MAX_SMALL: u64 = 1 << 20;

/// The type of a directory entry.
#[cfg_attr(windows, allow(dead_code, reason = "Windows lacks some of them"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    File,
    Directory,
    Link,
    Pipe,
    Socket,
    Device,
    Other,
    /// The file system does not tell the type in a listing. `stat` does.
    Unknown,
}

/// A file's metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) kind: FileKind,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Seconds of the modification time since 1970.
    pub(crate) secs: i64,
    /// Nanoseconds of the modification time after `secs`.
    pub(crate) nanos: u32,
    /// The lower 12 bits of `st_mode`.
    pub(crate) mode: u32,
}

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Refuse,
}

/// Why something at a path could not be opened or examined.
#[cfg_attr(windows, allow(dead_code, reason = "Windows has no special files"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathErrorKind {
    /// Nothing has this name, or a directory on the path is missing.
    NotFound,
    /// A symbolic link is where the caller allows none.
    IsLink,
    /// A symbolic link was expected, and something else is there.
    NotALink,
    /// It is a pipe, a socket or a device.
    Special,
    /// Any other error of the system.
    Other,
}

/// An error of the system about a path, and what it means for the caller.
#[derive(Debug)]
pub(crate) struct PathError {
    pub(crate) kind: PathErrorKind,
    error: io::Error,
}

impl From<PathError> for io::Error {
    fn from(error: PathError) -> Self {
        error.error
    }
}

/// A path as the bytes that a plan keeps.
pub(crate) fn as_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Reads the file `name` in `folder`, of 1 MiB at most. Returns None if there is no such file.
pub(crate) fn read_small_file(
    folder: &Directory,
    name: &str,
) -> Result<Option<Vec<u8>>, io::Error> {
    let file = match folder.open(name.as_bytes(), Links::Refuse) {
        Ok(file) => file,
        Err(error) => match error.kind {
            PathErrorKind::NotFound => return Ok(None),
            PathErrorKind::IsLink => return Err(io::Error::other("it is a symbolic link")),
            _ => return Err(error.into()),
        },
    };
    if fstat(&file, name.as_bytes())?.kind != FileKind::File {
        return Err(io::Error::other("it is not a file"));
    }
    let mut content = Vec::new();
    file.take(MAX_SMALL + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_SMALL {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(Some(content))
}

/// Creates a temporary file in the directory of `target`, so that it can be renamed to `target`. It
/// gets the permissions of any new file: 0666 without the bits of the umask.
pub(crate) fn temporary_beside(target: &Path) -> io::Result<NamedTempFile> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hoist-").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(unix::new_file_permissions());
    builder.tempfile_in(directory)
}
