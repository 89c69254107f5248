//! Sends parts to an object store while they are made, and leaves nothing half done.
//!
//! Parts come over a bounded channel, in nearly any order, and go out several at a time. An archive
//! of one part is put in one request; any other is a multipart upload, which S3 bills and hides
//! until it is completed or aborted. So whatever goes wrong after it was created, and whoever says
//! stop, it is aborted; and if that fails too, the error says with which command to do it by hand.
//!
//! It refuses to know what the bytes are.

mod bucket;
#[cfg(test)]
pub(crate) mod fake;
mod options;
mod ramp;
mod retry;
mod s3;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crc_fast::CrcAlgorithm;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) use self::bucket::refusal;
pub use self::bucket::{Bucket, Refusal, bucket, object};
pub use self::options::{BadMetadata, BadTags, Metadata, ObjectOptions, Tags};
pub use self::retry::DEFAULT_ATTEMPTS;
pub(crate) use self::retry::Retries;
#[doc(hidden)]
pub use self::retry::hurry;
pub use self::s3::S3Store;
pub(crate) use self::s3::call_error;

use self::ramp::Ramp;

use crate::error::CallError;
use crate::pack::Part;
use crate::progress::{Progress, Track, Wait};

/// How long an upload that failed may take to clean up. Tests wait for it to pass.
const CLEANUP: Duration = if cfg!(test) {
    Duration::from_millis(50)
} else {
    Duration::from_secs(10)
};

/// What an upload needs of an object store: one object, to be written once.
pub trait PartStore: Send + Sync + 'static {
    /// Stores a part that is the whole object.
    fn put(&self, part: Part) -> impl Future<Output = Result<Stored, CallError>> + Send;

    /// Begins a multipart upload.
    fn create(&self) -> impl Future<Output = Result<UploadId, CallError>> + Send;

    /// Sends a part of it.
    fn send(
        &self,
        upload: &UploadId,
        part: Part,
    ) -> impl Future<Output = Result<SentPart, CallError>> + Send;

    /// Makes the parts, which are all there are and in order, an object.
    fn complete(
        &self,
        upload: &UploadId,
        parts: &[SentPart],
    ) -> impl Future<Output = Result<Stored, CallError>> + Send;

    /// Ends the upload and frees its parts.
    fn abort(&self, upload: &UploadId) -> impl Future<Output = Result<(), CallError>> + Send;

    /// The command that does what [`abort`](Self::abort) does.
    fn abort_command(&self, upload: &UploadId) -> String;
}

/// The store's name for a multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId(pub String);

/// An object, as the store confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its version, if the bucket keeps versions.
    pub version: Option<String>,
}

/// A part, as the store confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentPart {
    /// From 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Its entity tag, as the store wrote it.
    pub etag: String,
    /// CRC-64/NVME of its bytes.
    pub crc64nvme: u64,
}

/// Size and CRC-64/NVME of the object that parts, in order, make.
#[must_use]
pub fn whole(parts: &[SentPart]) -> (u64, u64) {
    parts.iter().fold((0, 0), |(size, crc), part| {
        let crc = if size == 0 {
            part.crc64nvme
        } else {
            crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, crc, part.crc64nvme, part.size)
        };
        (size + part.size, crc)
    })
}

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The store refused a request or did not answer.
    #[error(transparent)]
    Store(#[from] CallError),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Requests at a time, at most; fewer until the first are confirmed. Zero counts as one.
    pub concurrency: usize,
    /// How often each is tried, those of the store itself aside. Zero counts as one.
    pub attempts: u32,
}

/// Uploads the parts that come from `parts` until the last one.
///
/// The last part comes last; the others may come in any order.
///
/// # Errors
///
/// [`Error`], also when `cancel` is cancelled. All requests have ended then.
pub async fn upload<S: PartStore>(
    store: Arc<S>,
    mut parts: mpsc::Receiver<Part>,
    options: Options,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Stored, Error> {
    let Some(first) = unless(cancel, parts.recv()).await? else {
        return Err(Cause::Unfinished.into());
    };
    let retries = Retries::new(options.attempts);
    if first.last && first.number == 1 {
        let (size, since) = (first.body.len() as u64, Instant::now());
        progress.part_taken();
        let put = retries.request("PutObject", size, || (), || store.put(first.clone()));
        let stored = unless(cancel, put).await?.map_err(Cause::Store)?;
        progress.sent(1, size, since);
        return Ok(stored);
    }
    let upload = create(&*store, &retries, cancel).await?;
    let transfer = Transfer {
        store: Arc::clone(&store),
        upload: Arc::clone(&upload),
        retries: Arc::new(retries),
        slower: Arc::new(Notify::new()),
        progress,
        cancel,
    };
    match transfer.run(first, &mut parts, options.concurrency).await {
        Ok(stored) => Ok(stored),
        Err(cause) => {
            // Whoever makes parts learns now that nobody takes them.
            drop(parts);
            Err(Error {
                cause,
                left: abort(&*store, &upload).await,
            })
        }
    }
}

/// Waits for `work`, but not after `cancel`.
async fn unless<T>(cancel: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Cause> {
    cancel.run_until_cancelled(work).await.ok_or(Cause::Stopped)
}

/// Begins a multipart upload. A request that is on its way is waited for even when cancelled: the
/// upload that it may have begun is known by its answer alone.
async fn create<S: PartStore>(
    store: &S,
    retries: &Retries,
    cancel: &CancellationToken,
) -> Result<Arc<UploadId>, Error> {
    let attempts = retries.request("CreateMultipartUpload", 0, || (), || store.create());
    let mut request = std::pin::pin!(attempts);
    if let Some(created) = cancel.run_until_cancelled(&mut request).await {
        return Ok(Arc::new(created.map_err(Cause::Store)?));
    }
    let left = match timeout(CLEANUP, request).await {
        Ok(Ok(upload)) => abort(store, &upload).await,
        Ok(Err(_)) | Err(_) => None,
    };
    Err(Error {
        cause: Cause::Stopped,
        left,
    })
}

/// Aborts, within its own time: what cancelled the upload does not cancel this.
async fn abort<S: PartStore>(store: &S, upload: &UploadId) -> Option<Leftover> {
    let reason = match timeout(CLEANUP, store.abort(upload)).await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer for {CLEANUP:?}"),
    };
    Some(Leftover {
        reason,
        command: store.abort_command(upload),
    })
}

/// A multipart upload under way.
struct Transfer<'a, S> {
    store: Arc<S>,
    upload: Arc<UploadId>,
    retries: Arc<Retries>,
    /// A request was told that there are too many.
    slower: Arc<Notify>,
    progress: &'a Progress,
    cancel: &'a CancellationToken,
}

/// A part that was sent, when its request began, and the permit that it had.
type Sent = (SentPart, Instant, OwnedSemaphorePermit);
type Tasks = JoinSet<Result<Sent, CallError>>;
type Done = Result<Result<Sent, CallError>, JoinError>;

/// What was confirmed, and what may be sent because of it.
struct Confirmed {
    parts: Vec<SentPart>,
    ramp: Ramp,
}

impl<S: PartStore> Transfer<'_, S> {
    /// Sends all parts and completes. No request is under way when it returns.
    async fn run(
        &self,
        first: Part,
        parts: &mut mpsc::Receiver<Part>,
        concurrency: usize,
    ) -> Result<Stored, Cause> {
        let mut tasks = Tasks::new();
        let sent = self.send_all(&mut tasks, first, parts, concurrency).await;
        // Cancels what an error left running, and waits for its end.
        tasks.shutdown().await;
        let sent = sent?;
        Ok(unless(self.cancel, self.store.complete(&self.upload, &sent)).await??)
    }

    async fn send_all(
        &self,
        tasks: &mut Tasks,
        first: Part,
        parts: &mut mpsc::Receiver<Part>,
        concurrency: usize,
    ) -> Result<Vec<SentPart>, Cause> {
        let mut confirmed = Confirmed {
            parts: Vec::new(),
            ramp: Ramp::new(concurrency),
        };
        let mut next = Some(first);
        let mut finished = false;
        while !finished {
            // The permit comes first: a part that waits for one would be memory not counted.
            let permit = confirmed.ramp.request();
            let permit = self
                .meanwhile(tasks, &mut confirmed, permit)
                .await?
                .map_err(|_| Cause::Task)?;
            let part = match next.take() {
                Some(part) => part,
                None => {
                    let since = Instant::now();
                    let part = self.meanwhile(tasks, &mut confirmed, parts.recv()).await?;
                    self.progress.waited(Track::Upload, Wait::Part, since);
                    part.ok_or(Cause::Unfinished)?
                }
            };
            finished = part.last;
            let (store, upload) = (Arc::clone(&self.store), Arc::clone(&self.upload));
            let (retries, slower) = (Arc::clone(&self.retries), Arc::clone(&self.slower));
            self.progress.part_taken();
            tasks.spawn(async move {
                let since = Instant::now();
                let size = part.body.len() as u64;
                let slower = || slower.notify_one();
                let send = || store.send(&upload, part.clone());
                let sent = retries.request("UploadPart", size, slower, send).await?;
                Ok((sent, since, permit))
            });
        }
        // A slow-down is of no account any more: nothing else is going to begin.
        while let Some(done) = unless(self.cancel, tasks.join_next()).await? {
            self.note(done, &mut confirmed)?;
        }
        let mut sent = confirmed.parts;
        sent.sort_unstable_by_key(|part| part.number);
        Ok(sent)
    }

    /// Waits for `work`, and takes note of every part that is done in the meantime.
    async fn meanwhile<T>(
        &self,
        tasks: &mut Tasks,
        confirmed: &mut Confirmed,
        work: impl Future<Output = T>,
    ) -> Result<T, Cause> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Cause::Stopped),
                () = self.slower.notified() => confirmed.ramp.slower(Instant::now()),
                Some(done) = tasks.join_next() => self.note(done, confirmed)?,
                value = &mut work => return Ok(value),
            }
        }
    }

    fn note(&self, done: Done, confirmed: &mut Confirmed) -> Result<(), Cause> {
        let (part, since, permit) = done.map_err(|_| Cause::Task)??;
        self.progress.sent(part.number, part.size, since);
        confirmed.parts.push(part);
        confirmed.ramp.confirmed(permit);
        Ok(())
    }
}
