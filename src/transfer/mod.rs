//! Sends parts to an object store while they are made, and leaves nothing half done.
//!
//! Parts come over a bounded channel, in nearly any order, and go out several at a time. An archive
//! of one part is put in one request; any other is a multipart upload, which S3 bills and hides
//! until it is completed or aborted. So whatever goes wrong after it was created, and whoever says
//! stop, it is aborted; and if that fails too, the error says with which command to do it by hand.
//! Whether there is an object is never guessed: an answer that was lost is looked up.
//!
//! It refuses to know what the bytes are.

mod abort;
mod begin;
mod control;
#[cfg(test)]
pub(crate) mod fake;
mod finish;
mod mark;
mod ramp;
mod resume;
#[cfg(test)]
mod tests;
mod transfer;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use self::control::{CleanupHint, UploadContext};
pub use self::mark::{Digest, UploadFingerprint};
pub use self::resume::Resume;

use self::transfer::Transfer;
use crate::archive::pack::Part;
use crate::aws::call::{ANSWER, Caller};
use crate::aws::error::CallError;
use crate::aws::s3::{
    ListedPart, Nonce, PartStore, Stored, UnfinishedUpload, UploadId, UploadedPart, whole,
};
use crate::cancel::Cancel;

/// How long an upload that failed may take to clean up. Tests wait for it to pass.
const CLEANUP: Duration = if cfg!(test) {
    Duration::from_millis(50)
} else {
    Duration::from_secs(10)
};

/// What one connection gets if less than the link gives is wanted: fewer of them get enough to do.
const EACH: u64 = 256 << 10;

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The store refused a request or did not answer.
    #[error(transparent)]
    Store(#[from] CallError),
    /// Somebody else wrote the object meanwhile, so that the upload must begin again.
    #[error(transparent)]
    Conflict(CallError),
    /// The answer that says whether there is an object was lost, and it cannot be looked up.
    #[error(
        "{error}; whether the object is there now is not known, since it may not be looked at \
         ({unknown})"
    )]
    Unknown {
        /// What was asked last.
        error: String,
        /// Why it cannot be looked up.
        unknown: CallError,
    },
    /// An unfinished upload was to be resumed, and none can be.
    #[error("{0}")]
    Resume(String),
    /// Whoever makes the parts ended before the last one.
    #[error("the archive was not finished")]
    Unfinished,
    /// A task of the upload panicked, with its own message. It is a bug.
    #[error("an upload task failed; please report this")]
    Task,
    /// It was cancelled.
    #[error("stopped while uploading")]
    Stopped,
}

/// An upload failed.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Error {
    /// Why.
    pub cause: Cause,
    /// The multipart upload that could not be aborted.
    pub left: Option<Leftover>,
}

/// A multipart upload that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub upload: UploadId,
    /// Why it could not be aborted.
    pub reason: String,
    /// How to abort it by hand.
    pub command: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its parts are still stored and billed, since the upload could not be aborted ({}); to \
             remove them, run: {}",
            self.reason, self.command
        )
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self { cause, left: None }
    }
}

/// How to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Requests at a time, at most; fewer until the first are confirmed. Zero counts as one.
    pub concurrency: usize,
    /// How often each is tried, those of the store itself aside. Zero counts as one.
    pub attempts: u32,
    /// Bytes a second that the store's client sends at most, all requests together.
    pub bandwidth: Option<u64>,
    /// Whether to go on with an upload that was not finished, and to make this one such that it can
    /// be gone on with.
    pub resume: Option<Resume>,
}

impl Options {
    /// How requests are tried, and how many there may be at a time.
    fn retries(&self) -> (Caller, usize) {
        let (retries, concurrency) = (Caller::new(self.attempts), self.concurrency.max(1));
        match self.bandwidth {
            None => (retries, concurrency),
            Some(rate) => {
                let enough = usize::try_from(rate / EACH).unwrap_or(usize::MAX).max(1);
                let concurrency = concurrency.min(enough);
                (retries.at_most(rate / concurrency as u64), concurrency)
            }
        }
    }
}

/// Uploads the parts that come from `parts` until the last one.
///
/// The last part comes last; the others may come in any order.
///
/// # Errors
///
/// [`Error`], also when it is cancelled. All requests have ended then.
pub async fn upload<S: PartStore>(
    store: Arc<S>,
    mut parts: mpsc::Receiver<Part>,
    options: &Options,
    control: UploadContext<'_>,
) -> Result<Stored, Error> {
    let Some(first) = unless(control.cancel, parts.recv()).await? else {
        return Err(Cause::Unfinished.into());
    };
    let (retries, concurrency) = options.retries();
    if first.last && first.number == 1 {
        return Ok(finish::put(&*store, &retries, first, control).await?);
    }
    let upload = begin::begin(&*store, &retries, options.resume.as_ref(), control).await?;
    let retries = Arc::new(retries);
    let transfer = Transfer::new(&store, &upload, &retries, concurrency, control);
    let sent = transfer.run(first, &mut parts).await;
    // Whoever makes parts learns now that nobody takes them.
    drop(parts);
    let done = match sent {
        Ok(sent) => finish::complete(&*store, &retries, &upload, &sent, control).await,
        Err(cause) => Err(Error {
            cause,
            left: abort::abort(&*store, &upload.id).await,
        }),
    };
    control.underway.ended(&done);
    done
}

/// Waits for `work`, but not after `cancel`.
async fn unless<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Result<T, Cause> {
    cancel.run_until_cancelled(work).await.ok_or(Cause::Stopped)
}
