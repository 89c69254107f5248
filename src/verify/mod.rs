//! Reads a stored archive back, and reports every difference from what it should be.
//!
//! The object comes in ranges, a few of them ahead of the reader, and none is kept. Each entry's local
//! header is compared with the central directory, its data is inflated as it passes, and its size and CRC-32
//! are compared with what both headers say. Bytes that belong to no entry are reported, and the CRC-64/NVME
//! of all bytes is compared with the store's, so no changed byte goes unnoticed. With a manifest, each entry's
//! kind, permissions and BLAKE3 are compared too, and missing, additional and misplaced entries are
//! reported. The memory needed is 40 MiB and the index: for each entry its name and 48 bytes, and 37 bytes
//! more with a manifest.
//!
//! The archive may be any zip that a deployment tool makes, in S3 or on the disk. Sizes are not trusted: an
//! entry that inflates to more than was recorded is cut off there. All ranges are of one object: if another
//! one takes its place meanwhile, that is an error.

mod bytes;
mod entry;
mod file;
mod index;
mod listed;
mod s3;
#[cfg(test)]
mod tests;
mod watched;

use std::fmt;
use std::future::Future;
use std::io::{self, BufRead};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::bytes::Bytes;
use crc_fast::CrcAlgorithm;

pub use self::file::FileObject;
pub use self::watched::Watched;

use self::bytes::{Reader, bytes_of};
use self::entry::Walk;
use self::index::Index;
use self::listed::Listed;
use crate::archive::manifest;
use crate::archive::plan::{Notice, Noticed};
use crate::archive::zip::{Directory, ReadError, Shown, end_window};
use crate::aws::error::CallError;
use crate::aws::s3::ObjectHead;
use crate::error::{FileError, shown};

/// So many differences are reported; the others are only counted.
const REPORTED: usize = 100;

/// An object that can be read.
pub trait Object: Send + Sync + 'static {
    /// What the store knows about it without reading it.
    fn head(&self) -> impl Future<Output = Result<ObjectHead, Error>> + Send;

    /// Some of its bytes. It is an error if its ETag is no longer `etag`.
    fn get(
        &self,
        range: Range<u64>,
        etag: &str,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send;
}

/// Why an object cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused a request or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file was replaced or written to.
    #[error(
        "{} changed while it was being read; try again when nothing writes to it",
        shown(path)
    )]
    Changed {
        /// Which file.
        path: PathBuf,
    },
    /// An answer has another number of bytes than were requested.
    #[error("{came} bytes came of {len}")]
    Short {
        /// How many came.
        came: u64,
        /// How many were requested.
        len: u64,
    },
    /// The manifest cannot be used.
    #[error("the manifest cannot be used: {0}")]
    Manifest(#[from] manifest::Error),
    /// Reading failed for a reason that is neither the store's nor the disk's. It is a bug.
    #[error("cannot read the object: {0}")]
    Io(io::Error),
}

/// What is known of how an object should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its ETag, without quotes.
    pub etag: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// The CRC-64/NVME of its bytes.
    pub crc64nvme: Option<u64>,
}

/// One difference from what the object should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The entry's name, safe to show. None if the whole archive is concerned.
    pub entry: Option<String>,
    /// What differs.
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

/// What was found in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the store knows about the object.
    pub head: ObjectHead,
    /// The CRC-64/NVME of the bytes that came. None if the object could not be read to its end.
    pub crc64nvme: Option<u64>,
    /// How many entries were read.
    pub entries: u64,
    /// The size of their content, in bytes.
    pub content: u64,
    /// The digest in the manifest, if the archive is what the manifest says.
    pub digest: Option<blake3::Hash>,
    /// What the agents' readers change when they unpack it, if it is a zip.
    pub notices: Vec<Notice>,
    /// The first hundred differences.
    pub differences: Vec<Difference>,
    /// How many more differences there are.
    pub more: u64,
}

impl Report {
    /// Whether the object is what it should be.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.differences.is_empty()
    }

    /// Compares the checksum of all bytes.
    fn compare_crc(&mut self, crc64nvme: u64, wanted: &Wanted) {
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
        if self.differences.len() == REPORTED {
            self.more += 1;
            return;
        }
        self.differences.push(Difference {
            entry: entry.map(|name| Shown::new(name).to_string()),
            what: what.to_string(),
        });
    }
}

/// Reads a zip, and compares its parts with each other, and the whole with what the store knows, with what
/// is `wanted`, and with the manifest.
///
/// # Errors
///
/// [`Error`] if the object or the manifest cannot be read. Differences are in the [`Report`].
pub async fn verify<O: Object>(
    object: &Arc<O>,
    wanted: &Wanted,
    manifest: Option<&mut (dyn BufRead + Send)>,
) -> Result<Report, Error> {
    let mut report = begin(&**object, wanted).await?;
    let head = report.head.clone();
    match read(object, &head, manifest, &mut report).await {
        Ok(crc64nvme) => report.compare_crc(crc64nvme, wanted),
        Err(ReadFailure::Archive(error)) => report.differs(None, error),
        Err(ReadFailure::Object(error)) => return Err(error),
    }
    report.digest = report.digest.filter(|_| report.is_whole());
    Ok(report)
}

/// Reads an object of any format, and compares only its size, its ETag and the checksum of all its bytes.
///
/// # Errors
///
/// [`Error`] if the object cannot be read. Differences are in the [`Report`].
pub async fn verify_bytes<O: Object>(object: &Arc<O>, wanted: &Wanted) -> Result<Report, Error> {
    let mut report = begin(&**object, wanted).await?;
    let (mut reader, crc) = bytes_of(object, 0..report.head.size, &report.head.etag);
    let read = tokio::io::copy_buf(&mut reader, &mut tokio::io::sink()).await;
    read.map_err(error_of)?;
    report.compare_crc(crc.value(), wanted);
    Ok(report)
}

/// Begins a report with what is known before anything is read.
async fn begin<O: Object>(object: &O, wanted: &Wanted) -> Result<Report, Error> {
    let head = object.head().await?;
    let mut report = Report {
        head: head.clone(),
        crc64nvme: None,
        entries: 0,
        content: 0,
        digest: None,
        notices: Vec::new(),
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
enum ReadFailure {
    /// The archive is so damaged that the rest cannot be found.
    Archive(ReadError),
    /// The object or the manifest cannot be read.
    Object(Error),
}

impl From<ReadError> for ReadFailure {
    fn from(error: ReadError) -> Self {
        Self::Archive(error)
    }
}

impl From<io::Error> for ReadFailure {
    fn from(error: io::Error) -> Self {
        Self::Object(error_of(error))
    }
}

impl From<Error> for ReadFailure {
    fn from(error: Error) -> Self {
        Self::Object(error)
    }
}

/// The cause of a failed read of [`bytes_of`].
fn error_of(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Io(error),
    }
}

/// Whether the object could not be read, rather than its data inflated.
fn is_read_failure(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>)
}

/// Reads all bytes, and returns their CRC-64/NVME.
async fn read<O: Object>(
    object: &Arc<O>,
    head: &ObjectHead,
    manifest: Option<&mut (dyn BufRead + Send)>,
    report: &mut Report,
) -> Result<u64, ReadFailure> {
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
    let mut noticed = Noticed::default();
    let index = Index::read(&mut reader, &directory, &mut noticed).await?;
    // The names in an archive are not below a directory.
    report.notices = noticed.notices(Path::new(""));
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
    // The end records are part of the checksum.
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
