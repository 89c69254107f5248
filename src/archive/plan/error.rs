//! Why a source cannot be planned: which name, and what is wrong with it.

use std::path::PathBuf;

use crate::archive::zip::{NameError, Shown};
use crate::error::{FileError, shown};

/// Why a source cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be examined.
    #[error(transparent)]
    File(#[from] FileError),
    /// The walk failed for a reason that is no system call's.
    #[error("cannot list the source: {0}")]
    Walk(String),
    /// Something without content: a pipe, a socket or a device.
    #[error("{} is {kind}, which an archive cannot hold", shown(path))]
    Special {
        /// Its path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A symbolic link, under [`Symlinks::Error`](super::Symlinks::Error).
    #[error("{} is a symbolic link", shown(path))]
    Link {
        /// Its path.
        path: PathBuf,
    },
    /// A symbolic link leads out of the source.
    #[error(
        "the symbolic link {} leads out of the source, to {target}",
        shown(path)
    )]
    LeadsOut {
        /// Its path.
        path: PathBuf,
        /// Its text.
        target: Shown,
    },
    /// A symbolic link leads to a directory that it is in.
    #[error(
        "the symbolic link {} leads back to a directory above it, so following it has no end",
        shown(path)
    )]
    Loop {
        /// Its path.
        path: PathBuf,
    },
    /// A name that some reader rejects or changes, or that readers disagree about.
    #[error("cannot pack {}: {source}", shown(path))]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        source: NameError,
    },
    /// Names that cannot be in one archive.
    #[error("cannot pack {}: {source}", shown(path))]
    Order {
        /// The source.
        path: PathBuf,
        /// The names, and why they exclude each other.
        source: NameError,
    },
    /// The caller cancelled.
    #[error("stopped while listing the source")]
    Stopped,
}
