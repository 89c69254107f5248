//! A directory that nothing leaves: what a bundle or an AppSpec file names is placed below it, and no
//! link below it is followed.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// A directory below which paths are placed.
#[derive(Debug, Clone)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// The path below this directory that a path stands for. A root, a drive and `.` mean nothing, and
    /// `..` leads up to this directory at most.
    pub(super) fn relative(path: &Path) -> PathBuf {
        let mut relative = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => relative.push(name),
                Component::ParentDir => {
                    relative.pop();
                }
                Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            }
        }
        relative
    }

    /// Where `relative` is, if no directory above it is a link or a file.
    pub(super) fn find(&self, relative: &Path) -> io::Result<PathBuf> {
        let mut path = self.0.clone();
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            path.push(component);
            if components.peek().is_some() && !fs::symlink_metadata(&path)?.is_dir() {
                return Err(not_a_directory(&path));
            }
        }
        Ok(path)
    }

    /// What is at `relative`; of a link, the link.
    pub(super) fn look(&self, relative: &Path) -> io::Result<Option<fs::Metadata>> {
        match self.find(relative).and_then(fs::symlink_metadata) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the directory `relative` and those above it.
    pub(super) fn make_directory(&self, relative: &Path) -> io::Result<PathBuf> {
        let mut path = self.0.clone();
        fs::create_dir_all(&path)?;
        for component in relative.components() {
            path.push(component);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !fs::symlink_metadata(&path)?.is_dir() {
                        return Err(not_a_directory(&path));
                    }
                }
                other => other?,
            }
        }
        Ok(path)
    }

    /// Makes way for a file or link at `relative`: the directories above it are made, and a file or link
    /// that is there is removed.
    pub(super) fn make_way(&self, relative: &Path) -> io::Result<PathBuf> {
        let parent = relative.parent().unwrap_or(Path::new(""));
        let name = relative
            .file_name()
            .ok_or_else(|| io::Error::other("a file has no name"))?;
        let path = self.make_directory(parent)?.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(path),
        }
    }

    /// Makes a new, empty file at `relative`.
    pub(super) fn create(&self, relative: &Path) -> io::Result<(File, PathBuf)> {
        let path = self.make_way(relative)?;
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok((file, path))
    }

    /// Whether a link at `relative` that says `target` stays below this directory.
    pub(super) fn holds_link(relative: &Path, target: &Path) -> bool {
        let mut depth = relative.components().count().saturating_sub(1);
        for component in target.components() {
            match component {
                Component::Normal(_) => depth += 1,
                Component::CurDir => {}
                Component::ParentDir => match depth.checked_sub(1) {
                    Some(up) => depth = up,
                    None => return false,
                },
                Component::Prefix(_) | Component::RootDir => return false,
            }
        }
        true
    }
}

fn not_a_directory(path: &Path) -> io::Error {
    let message = format!("Not a directory - {}", path.display());
    io::Error::new(io::ErrorKind::NotADirectory, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_directory() {
        for (path, expected) in [
            ("/var/www", "var/www"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../../b/./c", "b/c"),
            ("..", ""),
        ] {
            assert_eq!(Place::relative(Path::new(path)), Path::new(expected));
        }
        let holds = |at: &str, target: &str| Place::holds_link(Path::new(at), Path::new(target));
        assert!(holds("a/b", "../c"));
        assert!(!holds("a/b", "../../c"));
        assert!(!holds("a", "/etc/passwd"));
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        crate::system::make_link(outside.path(), &dir.path().join("link")).unwrap();
        let kept = outside.path().join("kept");
        fs::write(&kept, "kept").unwrap();
        crate::system::make_link(&kept, &dir.path().join("file")).unwrap();
        let place = Place::new(dir.path().to_owned());
        place.create(Path::new("link/new")).unwrap_err();
        place.make_directory(Path::new("link/new")).unwrap_err();
        place.look(Path::new("link/kept")).unwrap_err();
        place.create(Path::new("file")).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
