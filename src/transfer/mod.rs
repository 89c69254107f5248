//! Sends parts to an object store while they are made, and leaves no half-finished upload behind.
//!
//! Parts come over a bounded channel, in nearly any order, and are sent several at a time. An archive of
//! one part is put in one request. Any other is a multipart upload, whose parts S3 bills and does not show
//! until the upload is completed or aborted. So an upload that fails or is cancelled is aborted, and if
//! that fails too, the error names what is left. Whether the object was made is never guessed: if an
//! answer was lost, the object is looked up.
//!
//! An object that is stored already can be copied by the store itself, under the same rules ([`copy()`]).
//!
//! What the bytes are, and where they go, is for others to know.

mod cleanup;
mod context;
mod copy;
#[cfg(test)]
pub(crate) mod fake;
mod fanout;
mod fingerprint;
mod finish;
mod pace;
mod parts;
mod ramp;
mod resume;
mod session;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub(crate) use self::cleanup::abandon;
pub use self::context::{CleanupHint, Unfinished, UploadContext};
pub use self::copy::{Lacking, NotCopied, copy};
pub use self::fanout::FanOut;
pub use self::fingerprint::{Digest, UploadFingerprint};
pub use self::resume::Resume;
pub use self::store::{Lookup, PartStore};

use self::parts::Sender;
use self::session::Session;
use crate::archive::pack::Part;
use crate::aws::error::CallError;
use crate::aws::s3::{ListedPart, Nonce, Stored, UnfinishedUpload, UploadId, UploadedPart, whole};
use crate::cancel::Cancel;
use crate::notes::NotResumed;

/// How long an upload that failed may take to clean up.
const CLEANUP: Duration = Duration::from_secs(10);

/// Under a bandwidth limit, bytes per second that each request should get: there are fewer requests at a
/// time then.
const RATE_OF_ONE: u64 = 256 << 10;

/// How often an upload or a copy begins again after S3 asked for that, because another client wrote the object
/// at the same time.
const RESTARTS: usize = 2;

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The store refused a request or did not answer.
    #[error(transparent)]
    Store(#[from] CallError),
    /// Another push wrote the object at the same time, so the upload must begin again.
    #[error(transparent)]
    Conflict(CallError),
    /// The answer that says whether the object was made was lost, and the object cannot be looked up.
    #[error(
        "{error}; whether the object is there now is not known, since it may not be looked at \
         ({unknown})"
    )]
    Unknown {
        /// What failed.
        error: String,
        /// Why the object cannot be looked up.
        unknown: CallError,
    },
    /// The store did not copy the object from where it is already.
    #[error(transparent)]
    Copy(#[from] Box<NotCopied>),
    /// The user insists on resuming an unfinished upload, and none of these can be resumed.
    #[error("no unfinished upload can be resumed")]
    NotResumed(Vec<NotResumed>),
    /// The parts ended before the last one.
    #[error("the archive was not finished")]
    Unfinished,
    /// A task of the upload panicked, with a message of its own. It is a bug.
    #[error("an upload task failed; please report this")]
    Task,
    /// The upload was cancelled.
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

impl Error {
    /// Whether S3 asks to begin again, nothing is left of this attempt, and it may after so many `restarts`.
    pub(crate) fn may_begin_again(&self, restarts: usize) -> bool {
        let is_conflict = matches!(self.cause, Cause::Conflict(_)) && self.left.is_none();
        is_conflict && restarts < RESTARTS
    }
}

/// A multipart upload that could not be aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its id.
    pub upload: UploadId,
    /// Why it could not be aborted.
    pub reason: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its parts are still stored and billed, since the upload could not be aborted ({})",
            self.reason
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
    /// Requests at a time, at most; fewer where more would not raise the rate. Zero counts as one.
    pub concurrency: usize,
    /// The bandwidth limit, in bytes per second, that the store keeps.
    pub bandwidth: Option<u64>,
    /// Whether to resume an unfinished upload, and to create this one such that it can be resumed.
    pub resume: Option<Resume>,
    /// Whether a [`FanOut`] gives the same parts to other uploads. Even an archive of one part is then a
    /// multipart upload, so that there is no object before the upload is completed.
    pub is_shared: bool,
}

impl Options {
    fn concurrency(&self) -> usize {
        let enough = self.bandwidth.map(|rate| rate / RATE_OF_ONE);
        let enough = enough.and_then(|enough| usize::try_from(enough).ok());
        self.concurrency.min(enough.unwrap_or(usize::MAX)).max(1)
    }
}

/// An upload whose parts are all stored. There is no object until it is completed, and S3 keeps its
/// parts until it is completed or aborted.
#[must_use]
pub struct Transferred<S> {
    store: Arc<S>,
    parts: Parts,
}

enum Parts {
    /// The only part, which is sent when the upload is completed.
    One(Part),
    Many(Session, Vec<UploadedPart>),
}

/// Sends the parts that come from `parts` until the last one.
///
/// The last part comes last; the others may come in any order.
///
/// # Errors
///
/// [`Error`], also when it is cancelled. No request is under way then.
pub async fn transfer<S: PartStore>(
    store: Arc<S>,
    mut parts: mpsc::Receiver<Part>,
    options: &Options,
    context: UploadContext<'_>,
) -> Result<Transferred<S>, Error> {
    let Some(first) = unless(context.cancel, parts.recv()).await? else {
        return Err(Cause::Unfinished.into());
    };
    if first.last && first.number == 1 && !options.is_shared {
        let parts = Parts::One(first);
        return Ok(Transferred { store, parts });
    }
    let session = match session::begin(&*store, options.resume.as_ref(), context).await {
        Ok(session) => session,
        Err(error) => {
            if options.is_shared {
                context.progress.upload_ended(0, 0, 0);
            }
            return Err(error);
        }
    };
    let sender = Sender {
        store: &store,
        session: &session,
        concurrency: options.concurrency(),
        is_shared: options.is_shared,
        context,
    };
    let sent = sender.run(first, &mut parts).await;
    // The packer learns by this that no more parts are taken.
    drop(parts);
    match sent {
        Ok(sent) => {
            let parts = Parts::Many(session, sent);
            Ok(Transferred { store, parts })
        }
        Err(cause) => Err(session::give_up(&*store, &session.id, cause, context).await),
    }
}

impl<S: PartStore> Transferred<S> {
    /// Makes the parts the object.
    ///
    /// # Errors
    ///
    /// [`Error`], also when it is cancelled.
    pub async fn complete(self, context: UploadContext<'_>) -> Result<Stored, Error> {
        match self.parts {
            Parts::One(part) => Ok(finish::put(&*self.store, &part, context).await?),
            Parts::Many(session, sent) => {
                let done = finish::complete(&*self.store, &session, &sent, context).await;
                context.cleanup.ended(&done);
                done
            }
        }
    }

    /// The parts, in order. One that is the whole object has no ETag yet.
    #[must_use]
    pub fn parts(&self) -> Vec<UploadedPart> {
        match &self.parts {
            Parts::One(part) => vec![UploadedPart {
                number: part.number,
                size: part.body.len() as u64,
                etag: String::new(),
                crc64nvme: part.crc64nvme,
                crc32: Some(crc32fast::hash(&part.body)),
            }],
            Parts::Many(_, parts) => parts.clone(),
        }
    }

    /// Aborts the upload. The error says that it was stopped, and what is left of it.
    pub async fn abort(self, context: UploadContext<'_>) -> Error {
        match self.parts {
            Parts::One(_) => Cause::Stopped.into(),
            Parts::Many(session, _) => {
                session::give_up(&*self.store, &session.id, Cause::Stopped, context).await
            }
        }
    }
}

/// Waits for `work`, unless `cancel` comes first.
async fn unless<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Result<T, Cause> {
    cancel.run_until_cancelled(work).await.ok_or(Cause::Stopped)
}
