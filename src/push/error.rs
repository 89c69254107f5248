//! Why a push failed: an error for each stage, and what is left of the upload.

use std::path::PathBuf;

use super::outcome::Several;
use super::{BadDestinations, VerifyError, prebuilt, preflight};
use crate::appspec::{self, Report, Severity};
use crate::archive::limits::{TooLarge, TooLittle};
use crate::archive::pack;
use crate::archive::plan;
use crate::aws::codedeploy::{self, Revision};
use crate::aws::s3::S3Location;
use crate::error::{FileError, shown};
use crate::transfer::{self, Leftover};

/// Why a push failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be listed.
    #[error(transparent)]
    Plan(plan::Error),
    /// The source has no AppSpec file.
    #[error(transparent)]
    AppSpec(#[from] appspec::Missing),
    /// The AppSpec file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The AppSpec file has errors, and maybe warnings.
    #[error("{}", refused(.0))]
    Lint(Box<Report>),
    /// The source is a file that cannot be a revision.
    #[error(transparent)]
    Prebuilt(prebuilt::Error),
    /// The archive is too large for S3.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The push needs more memory than it may take.
    #[error(transparent)]
    TooLittle(#[from] TooLittle),
    /// The destination was asked, and the push would fail there.
    #[error(transparent)]
    Preflight(preflight::Error),
    /// The source cannot be packed.
    #[error("{error}")]
    Pack {
        /// Why.
        error: pack::Error,
        /// The multipart upload that could not be aborted.
        left: Option<Leftover>,
    },
    /// The archive cannot be uploaded. The text is that of `aws deploy push`.
    #[error(
        "Failed to upload '{}' to '{}': {}",
        shown(source_dir),
        shown(&location.to_string()),
        error.cause
    )]
    Upload {
        /// The source.
        source_dir: PathBuf,
        /// Where the object should have gone.
        location: S3Location,
        /// Why, and what is left of the upload.
        error: Box<transfer::Error>,
    },
    /// The object cannot be copied here.
    #[error(
        "Failed to copy '{}' to '{}': {}",
        shown(&from.to_string()),
        shown(&location.to_string()),
        error.cause
    )]
    Copy {
        /// The object of another destination.
        from: S3Location,
        /// Where the copy should have gone.
        location: S3Location,
        /// Why, and what is left of the upload.
        error: Box<transfer::Error>,
    },
    /// The object that was to be copied here failed, so that nothing was tried here.
    #[error(
        "'{}' was not made, since there is no '{}' to copy",
        shown(&location.to_string()),
        shown(&from.to_string())
    )]
    NothingToCopy {
        /// The object of another destination.
        from: S3Location,
        /// Where the copy should have gone.
        location: S3Location,
    },
    /// The manifest cannot be written.
    #[error(transparent)]
    Manifest(FileError),
    /// The object is stored, but not proven to be what was sent, so it was not registered.
    #[error("{} is not registered: {error}", shown(&revision.location.to_string()))]
    Verify {
        /// Why.
        error: VerifyError,
        /// What is stored.
        revision: Box<Revision>,
    },
    /// The object is stored, but CodeDeploy did not register it.
    #[error("{error}")]
    Register {
        /// Why.
        error: codedeploy::Error,
        /// What is stored.
        revision: Box<Revision>,
    },
    /// The revision is registered, but its manifest could not be put into its place.
    #[error("the revision is registered, but: {error}")]
    Persist {
        /// Why.
        error: FileError,
        /// What is registered.
        revision: Box<Revision>,
    },
    /// The push was cancelled.
    #[error("{}", stopped(left.as_ref()))]
    Stopped {
        /// The multipart upload that could not be aborted.
        left: Option<Leftover>,
    },
    /// A thread panicked, with a message of its own. It is a bug.
    #[error("a thread failed; please report this")]
    Panic,
    /// The destinations contradict each other.
    #[error(transparent)]
    Destinations(#[from] BadDestinations),
    /// Of two or more destinations, at least one did not get the revision.
    #[error("{0}")]
    Several(Box<Several>),
}

/// Says what a push that was cancelled leaves; the upload that it could not abort is told of by itself.
fn stopped(left: Option<&Leftover>) -> &'static str {
    match left {
        Some(_) => "stopped; nothing is registered",
        None => "stopped; nothing is registered, and no upload is left",
    }
}

/// Says that an AppSpec file has errors, and which is the first.
fn refused(report: &Report) -> String {
    let path = shown(&report.path);
    let mut errors = report.findings.iter();
    let first = errors.find(|finding| finding.severity() == Severity::Error);
    let Some(first) = first else {
        return format!("{path} has errors");
    };
    let place = report.position(first.span.start);
    format!("{path}:{}:{}: {}", place.line, place.column, first.message)
}

impl Error {
    /// The multipart upload that could not be aborted. Those of several destinations are in the outcomes.
    #[must_use]
    pub fn left(&self) -> Option<&Leftover> {
        match self {
            Self::Pack { left, .. } | Self::Stopped { left } => left.as_ref(),
            Self::Upload { error, .. } | Self::Copy { error, .. } => error.left.as_ref(),
            _ => None,
        }
    }
}

impl From<plan::Error> for Error {
    fn from(error: plan::Error) -> Self {
        match error {
            plan::Error::Stopped => Self::Stopped { left: None },
            error => Self::Plan(error),
        }
    }
}

impl From<prebuilt::Error> for Error {
    fn from(error: prebuilt::Error) -> Self {
        match error {
            prebuilt::Error::Stopped => Self::Stopped { left: None },
            error => Self::Prebuilt(error),
        }
    }
}
