//! What a push remembers of the archive while it is sent, and how the stored object is held against it.
//!
//! That is the CRC-64/NVME and the size of all parts together, and the manifest if one is wanted.
//! Neither needs the archive, nor memory that grows with it: a part is known by 40 bytes.

use std::cell::RefCell;
use std::fmt;
use std::io::BufRead;
use std::sync::Arc;

use super::Bundle;
use super::prepare::Prepared;
use crate::archive::limits::Limits;
use crate::archive::manifest::{self, Draft, Finished};
use crate::archive::pack::{self, List, Packed, Part};
use crate::aws::s3::{self, S3Object, Stored, UploadedPart};
use crate::bundle::{Content, Format};
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::progress::Progress;
use crate::verify::{self, Report, Wanted, verify, verify_bytes};

/// Why a stored object is not proven to be what was sent.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// It cannot be read.
    #[error("it cannot be read back: {0}")]
    Unread(verify::Error),
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(FileError),
    /// It is another one.
    #[error("it is not what was sent{}", Differences(.0))]
    Differs(Box<Report>),
    /// It was cancelled.
    #[error("stopped while it was read back")]
    Stopped,
}

/// The first few, in one line.
struct Differences<'a>(&'a Report);

impl fmt::Display for Differences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SAID: usize = 5;
        let Report {
            differences, more, ..
        } = self.0;
        for difference in differences.iter().take(SAID) {
            write!(f, "; {difference}")?;
        }
        match differences.len().saturating_sub(SAID) as u64 + more {
            0 => Ok(()),
            more => write!(f, "; and {more} more differences"),
        }
    }
}

/// What will be remembered.
pub(super) struct Memory {
    manifest: Option<Draft>,
}

/// What is.
pub(super) struct Proof {
    size: u64,
    crc64nvme: u64,
    manifest: Option<Finished>,
}

impl Memory {
    /// Begins the manifest, if the bundle shall have one.
    pub(super) fn new(bundle: &Bundle) -> Result<Self, FileError> {
        let target = match bundle.content {
            Content::Archive(_) => bundle.manifest.as_deref(),
            Content::File(_) => None,
        };
        let manifest = target.map(Draft::create).transpose();
        Ok(Self {
            manifest: manifest?,
        })
    }

    /// Packs, and remembers what it sees. The last part is given away when the manifest is complete.
    pub(super) fn pack(
        self,
        prepared: &Prepared,
        bundle: &Bundle,
        limits: Limits,
        stop: &Cancel,
        progress: &Progress,
        emit: &mut dyn FnMut(Part) -> Result<(), pack::Error>,
    ) -> Result<(Packed, Proof), pack::Error> {
        let wanted = self.manifest.is_some();
        let draft = RefCell::new(self.manifest);
        let mut finished = None;
        let mut parts = Vec::new();
        let mut list = |entry: &manifest::Entry<'_>| match &mut *draft.borrow_mut() {
            Some(draft) => Ok(draft.entry(entry)?),
            None => Ok(()),
        };
        let mut emit = |part: Part| {
            parts.push(UploadedPart {
                number: part.number,
                size: part.body.len() as u64,
                etag: String::new(),
                crc64nvme: part.crc64nvme,
                crc32: None,
            });
            if part.last {
                let complete = draft.take().map(Draft::finish);
                finished = complete.transpose()?;
            }
            emit(part)
        };
        let list = wanted.then_some(&mut list as &mut List<'_>);
        let packed = prepared.pack(bundle, limits, list, stop, progress, &mut emit)?;
        parts.sort_unstable_by_key(|part| part.number);
        let (size, crc64nvme) = s3::whole(&parts);
        let proof = Proof {
            size,
            crc64nvme,
            manifest: finished,
        };
        Ok((packed, proof))
    }
}

impl Proof {
    /// Reads the stored object back, and compares it.
    pub(super) async fn hold(
        &self,
        object: S3Object,
        stored: &Stored,
        content: Content,
    ) -> Result<Report, Unproven> {
        let object = Arc::new(object.with_version(stored.version.clone()));
        let wanted = Wanted {
            etag: Some(stored.etag.clone()),
            size: Some(self.size),
            crc64nvme: Some(self.crc64nvme),
        };
        let read = if content == Content::Archive(Format::Zip) {
            let manifest = self.manifest.as_ref().map(Finished::open).transpose();
            let mut manifest = manifest.map_err(Unproven::Manifest)?;
            let manifest = manifest
                .as_mut()
                .map(|from| from as &mut (dyn BufRead + Send));
            verify(&object, &wanted, manifest).await
        } else {
            verify_bytes(&object, &wanted).await
        };
        let report = read.map_err(Unproven::Unread)?;
        if report.is_whole() {
            return Ok(report);
        }
        Err(Unproven::Differs(Box::new(report)))
    }

    /// Puts the manifest into its place.
    pub(super) fn keep(self) -> Result<(), FileError> {
        self.manifest.map_or(Ok(()), Finished::keep)
    }
}
