//! Opens directories below the source, and never by way of a symbolic link.
//!
//! A path is looked up name by name, and between two looks anybody who may write to the source can
//! put a link in place of a directory. `O_NOFOLLOW` says so of the last name only: a link higher up
//! would lead out of the source, and files of somewhere else into the archive. So a directory is
//! opened by `openat2`, which follows no link at any height (Linux 5.6), or, where there is none,
//! name by name, each relative to the one before and without following it.
//!
//! It refuses to know links that are followed on purpose: whoever adds directory links to the walk
//! opens their targets as a [`Root`] each, with a bound of its own. The name of a file is not its
//! business either: a link to a file is followed by who opens the file, if the walk saw a link.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A directory that stays the same whatever becomes of its path.
#[derive(Debug)]
pub(crate) struct Root {
    open: OwnedFd,
    /// Whether the system lacks `openat2`, or a sandbox keeps it away.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    by_name: AtomicBool,
}

impl Root {
    /// Opens the directory at `path`, whose last name is no link.
    pub(crate) fn open(path: &Path) -> Result<Self, Errno> {
        let open = rustix::fs::open(path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self {
            open,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            by_name: AtomicBool::new(false),
        })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.open.as_fd()
    }

    /// Opens the directory at `path` below, which has no slash at either end; empty is the root.
    ///
    /// A link anywhere on it is [`Errno::LOOP`].
    pub(crate) fn folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if !self.by_name.load(Relaxed) {
            use rustix::fs::{ResolveFlags, openat2};
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match openat2(&self.open, path, DIRECTORY, Mode::empty(), resolve) {
                // The second is what old sandboxes say to calls that they do not know.
                Err(Errno::NOSYS | Errno::PERM) => self.by_name.store(true, Relaxed),
                done => return done,
            }
        }
        self.folder_by_name(path)
    }

    fn folder_by_name(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut open: Option<OwnedFd> = None;
        for name in path.split(|&byte| byte == b'/') {
            let above = open.as_ref().unwrap_or(&self.open);
            open = Some(step(above, name)?);
        }
        open.ok_or(Errno::NOENT)
    }
}

fn step(above: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    if name == b".." {
        return Err(Errno::XDEV);
    }
    match openat(above, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways, side by side.
    fn folder(root: &Root, path: &str) -> Result<(), Errno> {
        let by_name = root.folder_by_name(path.as_bytes()).map(drop);
        assert_eq!(root.folder(path.as_bytes()).map(drop), by_name, "{path}");
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
        let root = Root::open(dir.path()).unwrap();
        for path in ["a", "a/b", "a/b/c"] {
            assert_eq!(folder(&root, path), Ok(()), "{path}");
        }
        for path in [
            "out",
            "out/b",
            "out/b/c",
            "in",
            "in/b",
            "a/again",
            "a/again/b",
        ] {
            assert_eq!(folder(&root, path), Err(Errno::LOOP), "{path}");
        }
        assert_eq!(folder(&root, "a/none/c"), Err(Errno::NOENT));
        assert_eq!(folder(&root, "a/file"), Err(Errno::NOTDIR));
        assert_eq!(folder(&root, "a/file/c"), Err(Errno::NOTDIR));
        assert_eq!(folder(&root, ".."), Err(Errno::XDEV));
        assert_eq!(folder(&root, "a/../../x"), Err(Errno::XDEV));
        assert!(root.folder(b"").is_ok());
        assert!(Root::open(&dir.path().join("in")).is_err());
    }

    #[test]
    fn a_root_is_what_was_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        fs::create_dir_all(here.join("a")).unwrap();
        let root = Root::open(&here).unwrap();
        fs::rename(&here, &there).unwrap();
        fs::create_dir(&here).unwrap();
        assert_eq!(folder(&root, "a"), Ok(()));
    }
}
