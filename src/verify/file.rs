//! An archive on the disk, which is verified like one in S3.

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

/// A file. Its size and its mtime take the place of an ETag, since both change when it is written to.
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
    /// [`FileError`], also if it is not a regular file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let failed = |error| FileError::new("open", path, error);
        // Opening a named pipe would wait for a writer.
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is not a file")));
        }
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(File::open(path).map_err(failed)?),
        })
    }

    /// Works with the file on a thread for blocking calls.
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

/// Permissions do not matter here, so the file needs no name.
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
                // The file became shorter, which its size tells below.
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
