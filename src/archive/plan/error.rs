//! Why there is no plan: which name, what is wrong with it, and what to do.

use std::path::PathBuf;

use super::{BadLine, BadPattern};
use crate::archive::zip::{NameError, Shown};
use crate::error::FileError;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be looked at.
    #[error(transparent)]
    File(#[from] FileError),
    /// The walk failed in a way that no system call explains.
    #[error("cannot list the source: {0}")]
    Walk(String),
    /// Something that has no content to pack.
    #[error(
        "{} is {kind}, which an archive cannot hold; remove it from the source, or leave such out with \
         --skip-special",
        path.display()
    )]
    Special {
        /// Which.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A symbolic link, and links are refused.
    #[error("{} is a symbolic link, which --symlinks error refuses", path.display())]
    Link {
        /// Which.
        path: PathBuf,
    },
    /// A symbolic link leads out of the source.
    #[error(
        "the symbolic link {} leads out of the source, to {target}; exclude it, or allow it with \
         --external-links",
        path.display()
    )]
    LeadsOut {
        /// Which.
        path: PathBuf,
        /// Its text.
        target: Shown,
    },
    /// A symbolic link leads to a directory that it is in.
    #[error(
        "the symbolic link {} leads back to a directory above it, so following it has no end; exclude it, \
         or keep links with --symlinks preserve",
        path.display()
    )]
    Loop {
        /// Which.
        path: PathBuf,
    },
    /// Patterns that cannot be together.
    #[error("cannot use the patterns: {0}")]
    Pattern(#[from] BadPattern),
    /// A bad line in a `.hoistignore` file.
    #[error("bad pattern in {}{}: {}", path.display(), at(bad.line), bad.why)]
    Patterns {
        /// The file.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        bad: BadLine,
    },
    /// A name that readers reject, change or disagree about.
    #[error("cannot pack {}: {source}; rename the file", path.display())]
    Name {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: NameError,
    },
    /// Names that cannot be in one archive.
    #[error("cannot pack {}: {source}", path.display())]
    Order {
        /// The source.
        path: PathBuf,
        /// Which names, and why.
        source: NameError,
    },
    /// The stop flag was set.
    #[error("stopped while listing the source")]
    Stopped,
}

/// Where a bad line is.
fn at(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!(":{line}"),
    }
}
