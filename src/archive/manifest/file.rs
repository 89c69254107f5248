//! A manifest as a file. It is written to a temporary file beside its target while the archive is made,
//! and takes the target's place at the end. If that never happens, nothing remains.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Entry, Error, Totals, Writer};
use crate::error::FileError;
use crate::system;

/// A manifest that is being written.
#[derive(Debug)]
pub struct Draft {
    target: PathBuf,
    writer: Writer<BufWriter<NamedTempFile>>,
}

/// A complete manifest that does not yet have its name.
#[derive(Debug)]
pub struct Finished {
    target: PathBuf,
    file: NamedTempFile,
    totals: Totals,
}

impl Draft {
    /// Begins the manifest that will be the file `target`.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    pub fn create(target: &Path) -> Result<Self, FileError> {
        let file = system::temporary_beside(target)
            .map_err(|error| FileError::new("create", target, error))?;
        Ok(Self {
            target: target.to_owned(),
            writer: Writer::new(BufWriter::new(file)).map_err(failed(target))?,
        })
    }

    /// Adds the next entry in archive order.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<(), FileError> {
        self.writer.entry(entry).map_err(failed(&self.target))
    }

    /// Writes the last line.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    pub fn finish(self) -> Result<Finished, FileError> {
        let Self { target, writer } = self;
        let (out, totals) = writer.finish().map_err(failed(&target))?;
        let file = out
            .into_inner()
            .map_err(|error| FileError::new("write", &target, error.into_error()))?;
        Ok(Finished {
            target,
            file,
            totals,
        })
    }
}

fn failed(target: &Path) -> impl Fn(Error) -> FileError + '_ {
    move |error| {
        let error = match error {
            Error::Io(error) => error,
            error @ Error::Line { .. } => std::io::Error::other(error.to_string()),
        };
        FileError::new("write", target, error)
    }
}

impl Finished {
    /// The totals of its entries.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Opens it for reading.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    pub fn open(&self) -> Result<BufReader<File>, FileError> {
        let file = self.file.reopen();
        file.map(BufReader::new)
            .map_err(|error| FileError::new("open", &self.target, error))
    }

    /// Renames it to its target, which it replaces.
    ///
    /// # Errors
    ///
    /// [`FileError`]. The target is then unchanged.
    pub fn keep(self) -> Result<(), FileError> {
        let Self { target, file, .. } = self;
        let kept = file.persist(&target);
        kept.map(drop)
            .map_err(|error| FileError::new("replace", target, error.error))
    }
}
