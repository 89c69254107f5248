//! Copies that S3 makes itself and that go wrong, so that a test can prove that they are noticed.

use hyper::http::Extensions;
use s3s::dto::Checksum;

use super::super::store::Fidelity;

/// What goes wrong with a CopyObject or an UploadPartCopy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyFault {
    /// It writes other bytes, and its answer has their checksum and their ETag.
    OtherBytes,
    /// It writes other bytes, and its answer has no checksum: completing the upload fails if the whole
    /// object's checksum is sent with it.
    OtherBytesUntold,
    /// It writes other bytes and keeps the ETag and checksum of the right ones: reading alone tells.
    OtherBytesUnnoticed,
    /// Its answer has no checksum, as with stores that compute none.
    NoChecksum,
    /// It ignores its conditions on the source and on the object that it replaces.
    NoConditions,
}

impl CopyFault {
    /// Its name in a table of faults.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OtherBytes => "copy of other bytes",
            Self::OtherBytesUntold => "copy of other bytes, untold",
            Self::OtherBytesUnnoticed => "copy of other bytes, unnoticed",
            Self::NoChecksum => "copy without a checksum",
            Self::NoConditions => "copy without conditions",
        }
    }
}

/// Headers with conditions of copies.
pub(super) const CONDITIONS: [&str; 6] = [
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
    "if-match",
    "if-none-match",
];

/// How a copy is made.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::endpoint) struct Copying {
    pub(in crate::endpoint) fidelity: Fidelity,
    untold: bool,
}

impl Copying {
    /// How the copy of a request with these extensions is made.
    pub(in crate::endpoint) fn of(extensions: &Extensions) -> Self {
        let fault = extensions.get::<CopyFault>();
        let fidelity = match fault {
            Some(CopyFault::OtherBytes | CopyFault::OtherBytesUntold) => Fidelity::Changed,
            Some(CopyFault::OtherBytesUnnoticed) => Fidelity::ChangedUnnoticed,
            Some(CopyFault::NoChecksum | CopyFault::NoConditions) | None => Fidelity::Exact,
        };
        let untold = matches!(
            fault,
            Some(CopyFault::OtherBytesUntold | CopyFault::NoChecksum)
        );
        Self { fidelity, untold }
    }

    /// The checksum in the answer.
    pub(in crate::endpoint) fn told(self, sum: Checksum) -> Checksum {
        if self.untold {
            Checksum::default()
        } else {
            sum
        }
    }
}
