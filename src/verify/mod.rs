//! Reads a stored archive back, and says whether it is whole.
//!
//! The object comes in ranges, a few of them ahead of the reader, and none is kept: each entry's local
//! header is held against the central directory, its data is inflated as it passes, and its size and
//! CRC-32 are compared with what both say. What lies between the entries belongs to one of them or is
//! named, and the CRC-64/NVME of all bytes is compared with the store's, so no byte can be another
//! one. With a manifest, each entry's kind, permissions and BLAKE3 are compared too, and entries that are
//! missing, too many or in another order are named. Memory is the index, 48 bytes and the name for each
//! entry and 37 more with a manifest, and 40 MiB.
//!
//! It takes any zip that a pusher makes, in S3 or on the disk. It refuses to write anything, to believe sizes (what inflates
//! to more than was recorded is cut off there), and to mix two objects: all ranges are of the one that
//! was there at first.

mod bytes;
mod entry;
mod file;
mod index;
mod listed;
#[cfg(feature = "push")]
mod s3;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io::{self, BufRead};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ::bytes::Bytes;
use crc_fast::CrcAlgorithm;

pub use self::file::FileObject;
#[cfg(feature = "push")]
pub use self::s3::S3Object;

use self::bytes::{Reader, bytes_of};
use self::entry::Walk;
use self::index::Index;
use self::listed::Listed;
use crate::archive::manifest;
use crate::archive::zip::{Directory, ReadError, Shown, end_window};
#[cfg(feature = "push")]
use crate::aws::error::CallError;
use crate::error::FileError;

/// Differences that are told of; the others are counted.
const TOLD: usize = 100;

/// An object that can be read.
pub trait Object: Send + Sync + 'static {
    /// What the store knows about it.
    fn head(&self) -> impl Future<Output = Result<Head, Error>> + Send;

    /// Some of its bytes, if it is still the object of that `etag`: another one is an error.
    fn get(
        &self,
        range: Range<u64>,
        etag: &str,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send;
}

/// Why an object cannot be compared with anything.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused a request or did not answer.
    #[cfg(feature = "push")]
    #[error(transparent)]
    Call(#[from] CallError),
    /// The disk's trouble.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file was replaced or written to.
    #[error("{} changed while it was being read; try again when nothing writes to it", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// The answer to a request has fewer bytes, or more.
    #[error("{came} bytes came of {len}")]
    Short {
        /// Those there were.
        came: u64,
        /// Those that were asked for.
        len: u64,
    },
    /// The manifest is none.
    #[error("the manifest is of no use: {0}")]
    Manifest(#[from] manifest::Error),
    /// Something between the object and here. It is a bug.
    #[error("cannot read the object: {0}")]
    Io(io::Error),
}

/// What a store knows about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its version, if the bucket keeps versions.
    pub version: Option<String>,
    /// CRC-64/NVME of its bytes, if the store keeps that.
    pub crc64nvme: Option<u64>,
}

/// What an object should be, as far as somebody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its entity tag, without quotes.
    pub etag: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// CRC-64/NVME of its bytes.
    pub crc64nvme: Option<u64>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The entry's name, safe to show. None: the archive as a whole.
    pub entry: Option<String>,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(name) => write!(f, "{name}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The object.
    pub head: Head,
    /// CRC-64/NVME of its bytes, as they came. None if it could not be read to its end.
    pub crc64nvme: Option<u64>,
    /// Entries that were read.
    pub entries: u64,
    /// Their content, in bytes.
    pub content: u64,
    /// The digest of the tree that the manifest tells of, if this is it.
    pub digest: Option<blake3::Hash>,
    /// What is not as it should be; the first hundred.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
}

impl Report {
    /// Whether all is as it should be.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.differences.is_empty()
    }

    /// Compares the sum of all bytes.
    fn sum(&mut self, crc64nvme: u64, wanted: &Wanted) {
        self.crc64nvme = Some(crc64nvme);
        let known = [
            ("the store recorded", self.head.crc64nvme),
            ("was expected", wanted.crc64nvme),
        ];
        for (who, other) in known {
            if let Some(other) = other.filter(|other| *other != crc64nvme) {
                let text = format!("its CRC-64/NVME is {crc64nvme:016x}, and {other:016x} {who}");
                self.differs(None, text);
            }
        }
    }

    fn differs(&mut self, entry: Option<&[u8]>, what: impl fmt::Display) {
        if self.differences.len() == TOLD {
            self.more += 1;
            return;
        }
        self.differences.push(Difference {
            entry: entry.map(|name| Shown::new(name).to_string()),
            what: what.to_string(),
        });
    }
}

/// Reads a zip and compares it with itself, with what the store knows, with what is `wanted` and with
/// the manifest.
///
/// # Errors
///
/// [`Error`] if object or manifest cannot be read. What is wrong with the object is in the [`Report`].
pub async fn verify<O: Object>(
    object: &Arc<O>,
    wanted: &Wanted,
    manifest: Option<&mut (dyn BufRead + Send)>,
) -> Result<Report, Error> {
    let mut report = begin(&**object, wanted).await?;
    let head = report.head.clone();
    match read(object, &head, manifest, &mut report).await {
        Ok(crc64nvme) => report.sum(crc64nvme, wanted),
        Err(Trouble::Archive(error)) => report.differs(None, error),
        Err(Trouble::Object(error)) => return Err(error),
    }
    report.digest = report.digest.filter(|_| report.is_whole());
    Ok(report)
}

/// Reads an object of any kind, and compares its bytes as a whole.
///
/// # Errors
///
/// [`Error`] if it cannot be read. What is wrong with it is in the [`Report`].
pub async fn verify_bytes<O: Object>(object: &Arc<O>, wanted: &Wanted) -> Result<Report, Error> {
    let mut report = begin(&**object, wanted).await?;
    let (mut reader, crc) = bytes_of(object, 0..report.head.size, &report.head.etag);
    let read = tokio::io::copy_buf(&mut reader, &mut tokio::io::sink()).await;
    read.map_err(error_of)?;
    report.sum(crc.value(), wanted);
    Ok(report)
}

/// A report of what is known before anything is read.
async fn begin<O: Object>(object: &O, wanted: &Wanted) -> Result<Report, Error> {
    let head = object.head().await?;
    let mut report = Report {
        head: head.clone(),
        crc64nvme: None,
        entries: 0,
        content: 0,
        digest: None,
        differences: Vec::new(),
        more: 0,
    };
    if let Some(etag) = wanted.etag.as_ref().filter(|etag| **etag != head.etag) {
        report.differs(None, format_args!("its ETag is {}, not {etag}", head.etag));
    }
    if let Some(wanted) = wanted.size.filter(|wanted| *wanted != head.size) {
        report.differs(
            None,
            format_args!("it has {} bytes, not {wanted}", head.size),
        );
    }
    Ok(report)
}

/// Why reading ended early.
enum Trouble {
    /// There is no way on in the archive.
    Archive(ReadError),
    /// Somebody does not give bytes.
    Object(Error),
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Archive(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Object(error_of(error))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Object(error)
    }
}

/// What made a read of [`bytes_of`] fail.
fn error_of(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Io(error),
    }
}

/// Whether it is the object's, not the archive's.
fn is_of_the_object(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>)
}

/// The CRC-64/NVME of all bytes.
async fn read<O: Object>(
    object: &Arc<O>,
    head: &Head,
    manifest: Option<&mut (dyn BufRead + Send)>,
    report: &mut Report,
) -> Result<u64, Trouble> {
    let size = head.size;
    let tail = end_window(size);
    let tail = if tail.is_empty() {
        Bytes::new()
    } else {
        object.get(tail, &head.etag).await?
    };
    let directory = Directory::find(&tail, size)?;
    if directory.trailing > 0 {
        return Err(ReadError::NoEnd.into());
    }

    let (mut reader, crc) = bytes_of(object, directory.start..size, &head.etag);
    let index = Index::read(&mut reader, &directory).await?;
    if index.len() as u64 != directory.entries {
        report.differs(
            None,
            format_args!(
                "its end record counts {} entries, its central directory has {}",
                directory.entries,
                index.len()
            ),
        );
    }
    for name in index.duplicates() {
        report.differs(Some(name), "is there more than once");
    }
    // The end records: whoever changes them changes the sum.
    tokio::io::copy_buf(&mut reader, &mut tokio::io::sink()).await?;
    let end_crc = crc.value();

    let listed = match manifest {
        Some(manifest) => Some(Listed::compare(&index, manifest, report).await?),
        None => None,
    };
    let (reader, crc) = bytes_of(object, 0..directory.start, &head.etag);
    let mut walk = Walk::new(reader, directory.start);
    for at in 0..index.len() {
        let blake3 = listed.as_ref().and_then(|listed| listed.blake3(at));
        walk.entry(&index, at, blake3, report).await?;
    }
    walk.rest(report).await?;
    let len = size - directory.start;
    let algorithm = CrcAlgorithm::Crc64Nvme;
    Ok(crc_fast::checksum_combine(
        algorithm,
        crc.value(),
        end_crc,
        len,
    ))
}
