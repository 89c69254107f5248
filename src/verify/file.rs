//! An archive on the disk.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::bytes::Bytes;

use super::{Error, Object};
use crate::aws::s3::ObjectHead;
use crate::error::FileError;
use crate::system::{self, Stat};

/// A file. What stands for an entity tag is what changes when somebody writes to it.
#[derive(Clone, Debug)]
pub struct FileObject {
    path: PathBuf,
    file: Arc<File>,
}

impl FileObject {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// [`FileError`], also if it is no file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let failed = |error| FileError::new("open", path, error);
        // A pipe would be waited for.
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is not a file")));
        }
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(File::open(path).map_err(failed)?),
        })
    }

    /// Does something with the file where waiting for the disk keeps nobody.
    async fn with<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        let done = done.unwrap_or_else(|_| Err(io::Error::other("a thread failed")));
        done.map_err(|error| FileError::new(action, &self.path, error).into())
    }
}

fn tag(stat: &Stat) -> String {
    format!("{}-{}.{:09}", stat.size, stat.secs, stat.nanos)
}

/// Its permissions are nobody's concern here, so it needs no name.
fn look_at(file: &File) -> io::Result<Stat> {
    system::fstat(file, b"")
}

impl Object for FileObject {
    async fn head(&self) -> Result<ObjectHead, Error> {
        let stat = self.with("look at", look_at).await?;
        Ok(ObjectHead {
            size: stat.size,
            etag: tag(&stat),
            version: None,
            crc64nvme: None,
            nonce: None,
        })
    }

    async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, Error> {
        let len = range.end.saturating_sub(range.start);
        let read = self.with("read", move |file| {
            let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            match system::read_exact_at(file, &mut bytes, range.start) {
                // It shrank, as its length tells.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                done => done?,
            }
            Ok((Bytes::from(bytes), look_at(file)?))
        });
        let (bytes, stat) = read.await?;
        if tag(&stat) == etag {
            return Ok(bytes);
        }
        Err(Error::Changed {
            path: self.path.clone(),
        })
    }
}
