//! What a push records of the archive while it is sent, to compare the stored object with it.
//!
//! A receipt holds the size and the CRC-64/NVME of the whole archive, and the manifest if one is
//! wanted. The archive itself is not needed again, and a part is recorded in 40 bytes.

use std::fmt;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use crate::archive::manifest::{Draft, Finished};
use crate::archive::pack::Part;
use crate::aws::s3::{self, S3Object, Stored, UploadedPart};
use crate::bundle::{Content, Format};
use crate::error::FileError;
use crate::progress::Progress;
use crate::verify::{self, Report, Wanted, Watched, verify, verify_bytes};

/// Why a stored object is not proven to be what was sent.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The object cannot be read.
    #[error("it cannot be read back: {0}")]
    Unread(verify::Error),
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(FileError),
    /// The object is not what was sent.
    #[error("it is not what was sent{}", FirstDifferences(.0))]
    Differs(Box<Report>),
    /// The push was cancelled.
    #[error("stopped while it was read back")]
    Stopped,
}

/// Writes the first few differences of a report in one line.
struct FirstDifferences<'a>(&'a Report);

impl fmt::Display for FirstDifferences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let Report {
            differences, more, ..
        } = self.0;
        for difference in differences.iter().take(SHOWN) {
            write!(f, "; {difference}")?;
        }
        match differences.len().saturating_sub(SHOWN) as u64 + more {
            0 => Ok(()),
            more => write!(f, "; and {more} more differences"),
        }
    }
}

/// Records parts and entries while they are packed.
pub(super) struct Recorder {
    pub(super) content: Content,
    pub(super) parts: Vec<UploadedPart>,
    pub(super) manifest: Option<Draft>,
}

/// What was recorded.
pub(super) struct Receipt {
    content: Content,
    size: u64,
    crc64nvme: u64,
    manifest: Option<Finished>,
}

impl Recorder {
    /// Starts the manifest that is to become the file `manifest`. A file that is sent as it is has none.
    pub(super) fn new(content: Content, manifest: Option<&Path>) -> Result<Self, FileError> {
        let manifest = match content {
            Content::Archive(_) => manifest.map(Draft::create).transpose()?,
            Content::File(_) => None,
        };
        Ok(Self {
            content,
            parts: Vec::new(),
            manifest,
        })
    }

    /// Completes the manifest.
    pub(super) fn finish(mut self) -> Result<Receipt, FileError> {
        self.parts.sort_unstable_by_key(|part| part.number);
        let (size, crc64nvme) = s3::whole(&self.parts);
        Ok(Receipt {
            content: self.content,
            size,
            crc64nvme,
            manifest: self.manifest.map(Draft::finish).transpose()?,
        })
    }
}

/// Records a part that is about to be sent.
pub(super) fn record(parts: &mut Vec<UploadedPart>, part: &Part) {
    parts.push(UploadedPart {
        number: part.number,
        size: part.body.len() as u64,
        etag: String::new(),
        crc64nvme: part.crc64nvme,
        crc32: None,
    });
}

impl Receipt {
    /// Reads the stored object back and compares it.
    pub(super) async fn compare(
        &self,
        object: &S3Object,
        stored: &Stored,
        progress: &Arc<Progress>,
    ) -> Result<Report, VerifyError> {
        let object = object.clone().with_version(stored.version.clone());
        let object = Arc::new(Watched::new(object, Arc::clone(progress)));
        let wanted = Wanted {
            etag: Some(stored.etag.clone()),
            size: Some(self.size),
            crc64nvme: Some(self.crc64nvme),
        };
        let read = if self.content == Content::Archive(Format::Zip) {
            let manifest = self.manifest.as_ref().map(Finished::open).transpose();
            let mut manifest = manifest.map_err(VerifyError::Manifest)?;
            let manifest = manifest
                .as_mut()
                .map(|from| from as &mut (dyn BufRead + Send));
            verify(&object, &wanted, manifest).await
        } else {
            verify_bytes(&object, &wanted).await
        };
        match read.map_err(VerifyError::Unread)? {
            report if report.is_whole() => Ok(report),
            report => Err(VerifyError::Differs(Box::new(report))),
        }
    }

    /// Whether both are of the same bytes.
    pub(super) fn is_of_same_archive(&self, other: &Self) -> bool {
        (self.size, self.crc64nvme) == (other.size, other.crc64nvme)
    }

    /// Puts the manifest into its place.
    pub(super) fn persist(self) -> Result<(), FileError> {
        self.manifest.map_or(Ok(()), Finished::keep)
    }
}
