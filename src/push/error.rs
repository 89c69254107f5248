//! Why a push fails: one error of each stage, and what it leaves.

use std::path::PathBuf;

use super::VerifyError;
use super::prebuilt;
use super::preflight;
use crate::appspec::{self, Report, Severity};
use crate::archive::limits::{TooLarge, TooLittle};
use crate::archive::pack;
use crate::archive::plan;
use crate::aws::codedeploy::{self, Revision};
use crate::aws::s3::S3Location;
use crate::error::FileError;
use crate::transfer::{self, Leftover};

/// Why a push failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be listed.
    #[error(transparent)]
    Plan(plan::Error),
    /// It is not a revision.
    #[error(transparent)]
    AppSpec(#[from] appspec::Missing),
    /// Its AppSpec file cannot be looked at.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its AppSpec file has errors, and maybe warnings.
    #[error("{}", refused(.0))]
    Lint(Box<Report>),
    /// It is a file, and not a revision.
    #[error(transparent)]
    Prebuilt(prebuilt::Error),
    /// It is too large for S3.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It needs more memory than it may take.
    #[error(transparent)]
    TooLittle(#[from] TooLittle),
    /// It would fail.
    #[error(transparent)]
    Preflight(preflight::Error),
    /// It cannot be packed.
    #[error("{error}")]
    Pack {
        /// Why.
        error: pack::Error,
        /// The multipart upload that could not be aborted.
        left: Option<Leftover>,
    },
    /// It cannot be uploaded. The text is that of `aws deploy push`.
    #[error("Failed to upload '{}' to '{location}': {}", source_dir.display(), error.cause)]
    Upload {
        /// The source.
        source_dir: PathBuf,
        /// Where it should have gone.
        location: S3Location,
        /// Why, and what is left of it.
        error: Box<transfer::Error>,
    },
    /// There can be no manifest.
    #[error(transparent)]
    Manifest(FileError),
    /// It is stored and not registered, since nothing proves that it is what was sent.
    #[error("{} is not registered: {error}", revision.location)]
    Verify {
        /// Why.
        error: VerifyError,
        /// What is stored.
        revision: Box<Revision>,
    },
    /// It is registered, and its manifest is not where it should be.
    #[error("the revision is registered, but: {error}")]
    Persist {
        /// Why.
        error: FileError,
        /// What is registered.
        revision: Box<Revision>,
    },
    /// It is stored and not registered.
    #[error("{error}")]
    Register {
        /// Why.
        error: codedeploy::Error,
        /// What is stored.
        revision: Box<Revision>,
    },
    /// It was cancelled.
    #[error("stopped")]
    Stopped {
        /// The multipart upload that could not be aborted.
        left: Option<Leftover>,
    },
    /// A thread panicked, with its own message. It is a bug.
    #[error("a thread failed; please report this")]
    Panic,
}

/// Says that an AppSpec file has errors, and what the first is.
fn refused(report: &Report) -> String {
    let path = report.path.display();
    let mut errors = report.findings.iter();
    let first = errors.find(|finding| finding.severity() == Severity::Error);
    let Some(first) = first else {
        return format!("{path} has errors");
    };
    let place = report.position(first.span.start);
    format!("{path}:{}:{}: {}", place.line, place.column, first.message)
}

impl Error {
    /// The multipart upload that could not be aborted.
    #[must_use]
    pub fn left(&self) -> Option<&Leftover> {
        match self {
            Self::Pack { left, .. } | Self::Stopped { left } => left.as_ref(),
            Self::Upload { error, .. } => error.left.as_ref(),
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
