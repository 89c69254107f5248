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

use rustix::fs::{FileType, Mode, OFlags, openat};
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

/// Opens a directory that may be reached by links, the source itself.
pub(crate) fn source(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, DIRECTORY, Mode::empty())
}

/// Opens the directory at a place. Its path is empty for the source.
pub(crate) fn directory(root: BorrowedFd<'_>, place: &[u8]) -> Result<OwnedFd, Errno> {
    let place = if place.is_empty() { b"." } else { place };
    strictly(root, place, DIRECTORY)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn strictly(root: BorrowedFd<'_>, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};

    match openat2(root, place, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // An old kernel, or one that filters calls.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => step_by_step(root, place, flags),
        opened => opened,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn strictly(root: BorrowedFd<'_>, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    step_by_step(root, place, flags)
}

/// The same, a component at a time.
fn step_by_step(root: BorrowedFd<'_>, place: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let (mut at, rest) = match place.strip_prefix(b"/") {
        Some(rest) => (source(Path::new("/"))?, rest),
        None => (openat(root, ".", DIRECTORY, Mode::empty())?, place),
    };
    let mut components = rest.split(|&byte| byte == b'/').peekable();
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        let flags = if last { flags } else { DIRECTORY };
        let component = if component.is_empty() {
            b"."
        } else {
            component
        };
        at = openat(&at, component, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(at)
}

/// Opens the file that the link at a place leads to, if that is in the source; None if it is not.
///
/// `root_path` is the source, resolved.
pub(crate) fn through_link(
    root: BorrowedFd<'_>,
    root_path: &Path,
    place: &[u8],
    flags: OFlags,
) -> Result<Option<OwnedFd>, Errno> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{ResolveFlags, openat2};
        match openat2(root, place, flags, Mode::empty(), ResolveFlags::BENEATH) {
            // An absolute link may come back into the source.
            Err(Errno::XDEV | Errno::NOSYS | Errno::PERM | Errno::INVAL) => {}
            opened => return opened.map(Some),
        }
    }
    match resolved(root_path, place) {
        Ok(path) => match path.strip_prefix(root_path) {
            Ok(inside) => strictly(root, as_bytes(inside), flags | OFlags::NOFOLLOW).map(Some),
            Err(_) => Ok(None),
        },
        Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
    }
}

/// Whether what is at a place is in the source, links followed.
pub(super) fn is_inside(
    root: BorrowedFd<'_>,
    root_path: &Path,
    place: &[u8],
) -> Result<bool, io::Error> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        if openat2(root, place, flags, Mode::empty(), ResolveFlags::BENEATH).is_ok() {
            return Ok(true);
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = root;
    Ok(resolved(root_path, place)?.starts_with(root_path))
}

/// The place that a path leads to, links followed: from the source, or absolute if it is not in there.
pub(super) fn resolve(root_path: &Path, place: &[u8]) -> Result<Vec<u8>, io::Error> {
    let path = resolved(root_path, place)?;
    let place = path.strip_prefix(root_path).unwrap_or(&path);
    Ok(as_bytes(place).to_vec())
}

fn resolved(root_path: &Path, place: &[u8]) -> Result<PathBuf, io::Error> {
    // An absolute place takes the source's.
    fs::canonicalize(root_path.join(as_path(place)))
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

    #[test]
    fn no_part_of_a_path_may_be_a_link() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
        symlink("b", dir.path().join("a/link")).unwrap();
        let root = source(dir.path()).unwrap();
        let root_path = fs::canonicalize(dir.path()).unwrap();
        let absolute = [as_bytes(&root_path), b"/a/b"].concat();
        for open in [strictly, step_by_step] {
            let open = |place: &[u8]| open(root.as_fd(), place, DIRECTORY);
            for good in [&b"."[..], b"a", b"a/b/c", &absolute] {
                assert!(open(good).is_ok(), "{good:?}");
            }
            for bad in [&b"a/link"[..], b"a/link/c"] {
                let error = open(bad).unwrap_err();
                assert!(matches!(error, Errno::LOOP | Errno::NOTDIR), "{error}");
            }
            assert_eq!(open(b"a/none").unwrap_err(), Errno::NOENT);
        }
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
        let root = source(&root_path).unwrap();
        let open = |place: &[u8]| through_link(root.as_fd(), &root_path, place, OFlags::RDONLY);
        let inside = |place: &[u8]| is_inside(root.as_fd(), &root_path, place).unwrap();
        for place in [&b"d/near"[..], b"d/absolute"] {
            assert!(open(place).unwrap().is_some() && inside(place));
            assert_eq!(resolve(&root_path, place).unwrap(), b"file");
        }
        assert!(open(b"d/far").unwrap().is_none() && !inside(b"d/far"));
        assert_eq!(open(b"d/none").unwrap_err(), Errno::NOENT);
        assert!(resolve(&root_path, b"d/far").unwrap().starts_with(b"/"));
    }
}
