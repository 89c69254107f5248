//! Reads a stored archive back, and says whether it is whole.
//!
//! The object comes in ranges, a few of them ahead of the reader, and none is kept: each entry's local
//! header is held against the central directory, its data is inflated as it passes, and its size and
//! CRC-32 are compared with what both say. What lies between the entries belongs to one of them or is
//! named, and the CRC-64/NVME of all bytes is compared with the store's, so no byte can be another
//! one. Memory is the index: 56 bytes and the name for each entry, and 40 MiB.
//!
//! It takes any zip that a pusher makes. It refuses to write anything, to believe sizes (what inflates
//! to more than was recorded is cut off there), and to mix two objects: all ranges are of the one that
//! was there at first.

mod entry;
mod index;
mod s3;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio_util::io::StreamReader;

pub use self::s3::S3Object;

use self::entry::Walk;
use self::index::Index;
use crate::error::CallError;
use crate::zip::{END_WINDOW, ReadError, Shown, find_directory};

/// Bytes of one request.
const PIECE: u64 = 8 << 20;

/// Requests at a time.
const AHEAD: usize = 4;

/// Differences that are told of; the others are counted.
const TOLD: usize = 100;

/// An object that can be read.
pub trait Object: Send + Sync + 'static {
    /// What the store knows about it.
    fn head(&self) -> impl Future<Output = Result<Head, CallError>> + Send;

    /// Some of its bytes, if it is still the object of that `etag`: another one is an error.
    fn get(
        &self,
        range: Range<u64>,
        etag: &str,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send;
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

/// Reads the object and compares it with itself, with what the store knows and with what is `wanted`.
///
/// # Errors
///
/// [`CallError`] if the object cannot be read. What is wrong with it is in the [`Report`].
pub async fn verify<O: Object>(object: &Arc<O>, wanted: &Wanted) -> Result<Report, CallError> {
    let head = object.head().await?;
    let size = head.size;
    let mut report = Report {
        head: head.clone(),
        crc64nvme: None,
        entries: 0,
        content: 0,
        differences: Vec::new(),
        more: 0,
    };
    if let Some(etag) = wanted.etag.as_ref().filter(|etag| **etag != head.etag) {
        report.differs(None, format_args!("its ETag is {}, not {etag}", head.etag));
    }
    if let Some(wanted) = wanted.size.filter(|wanted| *wanted != size) {
        report.differs(None, format_args!("it has {size} bytes, not {wanted}"));
    }
    let result = read(object, &head, &mut report).await;
    match result {
        Ok(crc64nvme) => {
            report.crc64nvme = Some(crc64nvme);
            let known = [
                ("the store recorded", head.crc64nvme),
                ("was expected", wanted.crc64nvme),
            ];
            for (who, other) in known {
                if let Some(other) = other.filter(|other| *other != crc64nvme) {
                    let text =
                        format!("its CRC-64/NVME is {crc64nvme:016x}, and {other:016x} {who}");
                    report.differs(None, text);
                }
            }
        }
        Err(Trouble::Archive(error)) => report.differs(None, error),
        Err(Trouble::Call(error)) => return Err(error),
    }
    Ok(report)
}

/// Why reading ended early.
enum Trouble {
    /// There is no way on in the archive.
    Archive(ReadError),
    /// The store does not give its bytes.
    Call(CallError),
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Archive(error)
    }
}

impl From<io::Error> for Trouble {
    /// Of [`bytes_of`]: the store's errors, or the end where there should be none.
    fn from(error: io::Error) -> Self {
        match error.downcast::<CallError>() {
            Ok(error) => Self::Call(error),
            Err(error) => Self::Call(CallError::unanswered("GetObject", &error)),
        }
    }
}

/// Whether it is the store's, not the archive's.
fn is_of_the_store(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<CallError>)
}

/// The CRC-64/NVME of all bytes.
async fn read<O: Object>(
    object: &Arc<O>,
    head: &Head,
    report: &mut Report,
) -> Result<u64, Trouble> {
    let size = head.size;
    let tail = size.saturating_sub(END_WINDOW)..size;
    let tail = if tail.is_empty() {
        Bytes::new()
    } else {
        object.get(tail, &head.etag).await.map_err(Trouble::Call)?
    };
    let directory = find_directory(&tail, size)?;

    let (mut reader, crc) = bytes_of(object, directory.start..size, &head.etag);
    let index = Index::read(&mut reader, directory.len).await?;
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
    for name in index.twice() {
        report.differs(Some(name), "is there more than once");
    }
    // The end records: whoever changes them changes the sum.
    tokio::io::copy_buf(&mut reader, &mut tokio::io::sink()).await?;
    let end_crc = crc.value();

    let (reader, crc) = bytes_of(object, 0..directory.start, &head.etag);
    let mut walk = Walk::new(reader, directory.start);
    for (entry, next) in index.in_archive_order(directory.start) {
        walk.entry(&entry, next, report).await?;
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

type Bodies = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
/// Bytes that stream in.
type Reader = StreamReader<Bodies, Bytes>;

/// The bytes of a range, and the CRC-64/NVME of those that came.
fn bytes_of<O: Object>(object: &Arc<O>, range: Range<u64>, etag: &str) -> (Reader, Crc) {
    let crc = Crc::default();
    let seen = crc.clone();
    let (object, etag) = (Arc::clone(object), Arc::<str>::from(etag));
    let end = range.end;
    let starts = range.step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
    let bodies = stream::iter(starts)
        .map(move |start| {
            let (object, etag) = (Arc::clone(&object), Arc::clone(&etag));
            let range = start..end.min(start + PIECE);
            async move {
                let len = range.end - range.start;
                let body = object.get(range, &etag).await?;
                if body.len() as u64 == len {
                    return Ok(body);
                }
                Err(CallError {
                    operation: "GetObject",
                    code: None,
                    message: format!("{} bytes came of {len}", body.len()),
                })
            }
        })
        .buffered(AHEAD)
        .inspect_ok(move |body| seen.add(body))
        .map_err(io::Error::other);
    (StreamReader::new(Box::pin(bodies)), crc)
}

/// A running CRC-64/NVME.
#[derive(Clone)]
struct Crc(Arc<Mutex<crc_fast::Digest>>);

impl Default for Crc {
    fn default() -> Self {
        let digest = crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme);
        Self(Arc::new(Mutex::new(digest)))
    }
}

impl Crc {
    fn add(&self, bytes: &[u8]) {
        let mut digest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        digest.update(bytes);
    }

    fn value(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finalize()
    }
}
