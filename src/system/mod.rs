//! What the file systems of Unix and of Windows have in common, as far as a push needs it.
//!
//! Directories are opened and listed, what is in them is looked at and opened, and links are followed
//! only where that was decided. On Unix that is done relative to open directories, so that a path that
//! changes meanwhile leads nowhere else (`unix`); on Windows by path, with what the standard library
//! offers (`windows`). The rest of the library sees neither.
//!
//! Windows has no permissions as an archive has them: there they follow from the name (`modes`).
//!
//! It knows nothing of plans and archives, follows no link that it was not told to, and needs no `unsafe`.

// The rule is for Windows, its tests are for all.
#[cfg(any(windows, test))]
mod modes;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io::{self, Read as _};
use std::path::Path;

use tempfile::NamedTempFile;

#[cfg(all(unix, feature = "push"))]
pub(crate) use self::unix::read_at;
#[cfg(unix)]
pub(crate) use self::unix::{
    Directory, Identity, Root, as_path, look_at, read_exact_at, write_all_at,
};
#[cfg(all(windows, feature = "push"))]
pub(crate) use self::windows::read_at;
#[cfg(windows)]
pub(crate) use self::windows::{
    Directory, Identity, Root, as_path, look_at, read_exact_at, write_all_at,
};

/// The most bytes of a file that is read whole.
const MAX_SMALL: u64 = 1 << 20;

/// What something in a directory is.
#[cfg_attr(windows, allow(dead_code, reason = "not all of them are there"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    File,
    Directory,
    Link,
    Pipe,
    Socket,
    Device,
    Other,
    /// The file system does not say it when it lists; whoever looks finds out.
    Unknown,
}

/// What the system says of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) kind: FileKind,
    /// Bytes.
    pub(crate) size: u64,
    /// Seconds of the modification time since 1970.
    pub(crate) secs: i64,
    /// Nanoseconds after that.
    pub(crate) nanos: u32,
    /// The lower 12 bits of `st_mode`.
    pub(crate) mode: u32,
}

/// Whether a link is followed that is at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Refuse,
}

/// What is the matter with something that was not opened or looked at.
#[cfg_attr(windows, allow(dead_code, reason = "nothing is special there"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is not there, or no longer.
    Vanished,
    /// A link is where none was expected.
    Link,
    /// It is no link.
    NoLink,
    /// It is a pipe, a socket or a device.
    Special,
    /// Anything else.
    Other,
}

/// Why something was not opened or looked at.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) trouble: Trouble,
    error: io::Error,
}

impl From<Problem> for io::Error {
    fn from(problem: Problem) -> Self {
        problem.error
    }
}

/// A path, as the plan keeps it.
pub(crate) fn as_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// A small file's content, if it is there.
pub(crate) fn small_file(folder: &Directory, name: &str) -> Result<Option<Vec<u8>>, io::Error> {
    let file = match folder.open(name.as_bytes(), Links::Refuse) {
        Ok(file) => file,
        Err(problem) => match problem.trouble {
            Trouble::Vanished => return Ok(None),
            Trouble::Link => return Err(io::Error::other("it is a symbolic link")),
            _ => return Err(problem.into()),
        },
    };
    if look_at(&file, name.as_bytes())?.kind != FileKind::File {
        return Err(io::Error::other("it is not a file"));
    }
    let mut content = Vec::new();
    file.take(MAX_SMALL + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_SMALL {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(Some(content))
}

/// A file beside `target`, which shall take its place. It gets the permissions of any new file: the
/// umask takes its part.
pub(crate) fn beside(target: &Path) -> io::Result<NamedTempFile> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hoist-").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(unix::any_new_file());
    builder.tempfile_in(directory)
}
