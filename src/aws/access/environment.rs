//! What the process gives: variables, the home directory, and files.
//!
//! Everything that decides how AWS is reached is read through an [`Environment`]. So a client of an endpoint
//! in this process can be given an empty one, in which no proxy, profile or certificate of the machine is
//! found, and tests and a fuzz target can make up any machine.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Variables, the home directory, and files. Clones share them.
#[derive(Clone, Default)]
pub struct Environment(Arc<Given>);

#[derive(Default)]
struct Given {
    variables: HashMap<OsString, OsString>,
    home: Option<PathBuf>,
    files: Files,
}

/// Where files are read.
enum Files {
    Disk,
    Memory(HashMap<PathBuf, Vec<u8>>),
}

impl Default for Files {
    fn default() -> Self {
        Self::Memory(HashMap::new())
    }
}

impl Environment {
    /// That of this process, as it is now.
    #[must_use]
    pub fn process() -> Self {
        Self(Arc::new(Given {
            variables: std::env::vars_os()
                .map(|(name, value)| (canonical(&name), value))
                .collect(),
            // HOME, else the home directory that the user database names: services have no HOME.
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            files: Files::Disk,
        }))
    }

    /// No variable, no home directory, and no file.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These variables and files. The home directory is HOME.
    #[must_use]
    pub fn given<N: Into<OsString>, V: Into<OsString>, P: Into<PathBuf>, C: Into<Vec<u8>>>(
        variables: impl IntoIterator<Item = (N, V)>,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        let variables: HashMap<OsString, OsString> = variables
            .into_iter()
            .map(|(name, value)| (canonical(&name.into()), value.into()))
            .collect();
        let home = variables.get(OsStr::new("HOME")).map(PathBuf::from);
        let files = files
            .into_iter()
            .map(|(path, contents)| (path.into(), contents.into()));
        Self(Arc::new(Given {
            variables,
            home,
            files: Files::Memory(files.collect()),
        }))
    }

    /// The environment as it is now: files, and whatever else may have changed, are read again.
    pub(super) fn now(&self) -> Self {
        match self.0.files {
            Files::Disk => Self::process(),
            Files::Memory(_) => self.clone(),
        }
    }

    /// A variable, which may be empty. Bytes that are no text become U+FFFD, which no setting accepts; a
    /// path is read with [`Environment::path`].
    #[must_use]
    pub fn var(&self, name: &str) -> Option<String> {
        let value = self.0.variables.get(OsStr::new(name))?;
        Some(value.to_string_lossy().into_owned())
    }

    /// A variable that is not empty and names a file, with `~` replaced.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.0.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then(|| self.expand(Path::new(value)))
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.0.home.as_deref()
    }

    /// A path in which a first `~` becomes the home directory.
    #[must_use]
    pub fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }

    /// The contents of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.0.files {
            Files::Disk => std::fs::read(path),
            Files::Memory(files) => files
                .get(path)
                .cloned()
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }
}

impl fmt::Debug for Environment {
    /// Without the variables: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// A variable's name as it is looked up: Windows does not distinguish upper from lower case.
fn canonical(name: &OsStr) -> OsString {
    if cfg!(windows) {
        name.to_ascii_uppercase()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_directory_only_at_the_beginning() {
        let environment = Environment::given([("HOME", "/home/me"), ("F", "~/a")], [("/x", "y")]);
        let expanded = |path: &str| environment.expand(Path::new(path));
        assert_eq!(expanded("~/ca.pem"), Path::new("/home/me/ca.pem"));
        assert_eq!(expanded("~"), Path::new("/home/me"));
        for kept in ["a/~/b", "~other/b", "/a", "a~"] {
            assert_eq!(expanded(kept), Path::new(kept));
        }
        assert_eq!(environment.path("F").unwrap(), Path::new("/home/me/a"));
        assert_eq!(environment.read(Path::new("/x")).unwrap(), b"y");
    }

    #[test]
    fn an_empty_environment_has_no_variable_home_or_file() {
        let none = Environment::none();
        assert_eq!(none.var("PATH"), None);
        assert_eq!(none.home(), None);
        assert!(none.read(Path::new("/etc/passwd")).is_err());
        assert_eq!(none.expand(Path::new("~/a")), Path::new("~/a"));
    }
}
