//! Begins a multipart upload, or takes up one that was not finished.
//!
//! Only the answer names an upload. So a request that is on its way is waited for even when cancelled,
//! and the SDK does not repeat it by itself: if an answer was lost, that is known, and said. What then
//! remains may belong to another push that began at the same time, so it is not aborted.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

use super::abort::abort;
use super::{
    CLEANUP, Caller, Cause, Error, ListedPart, Nonce, PartStore, Resume, UploadContext, UploadId,
    UploadedPart, resume, unless,
};
use crate::archive::pack::Part;
use crate::aws::error::CallError;

/// What a clock may be off by, in seconds.
const SKEW: i64 = 60;

/// A multipart upload that was begun.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) id: Arc<UploadId>,
    /// In whose name.
    pub(super) nonce: Nonce,
    /// What is stored of it, by number. None if it is new.
    earlier: Option<HashMap<u32, ListedPart>>,
}

impl Upload {
    fn new(id: UploadId, nonce: Nonce) -> Self {
        Self {
            id: Arc::new(id),
            nonce,
            earlier: None,
        }
    }

    /// One that was begun by another push, which stored `parts` of it.
    pub(super) fn resumed(id: UploadId, nonce: Nonce, parts: Vec<ListedPart>) -> Self {
        let parts = parts.into_iter().map(|part| (part.number, part));
        Self {
            id: Arc::new(id),
            nonce,
            earlier: Some(parts.collect()),
        }
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.earlier.is_some()
    }

    /// The same part, if it is stored already: the same by its size and its CRC-64.
    pub(super) fn kept(&self, part: &Part) -> Option<UploadedPart> {
        let kept = self.earlier.as_ref()?.get(&part.number)?;
        let size = part.body.len() as u64;
        let same = kept.size == size && kept.crc64nvme == Some(part.crc64nvme);
        same.then(|| UploadedPart {
            number: part.number,
            size,
            etag: kept.etag.clone(),
            crc64nvme: part.crc64nvme,
            crc32: None,
        })
    }
}

/// Begins an upload, or goes on with one.
pub(super) async fn begin<S: PartStore>(
    store: &S,
    retries: &Caller,
    resume: Option<&Resume>,
    control: UploadContext<'_>,
) -> Result<Upload, Error> {
    let Some(resume) = resume else {
        return create(store, retries, control).await;
    };
    let found = resume::find(store, retries, resume, control.notes);
    let upload = match unless(control.cancel, found).await?? {
        Some(upload) => {
            control.underway.began(&store.abort_command(&upload.id));
            return Ok(upload);
        }
        None => create(store, retries, control).await?,
    };
    // Before any part of the archive: an upload that has some says what they are of.
    let marking = mark(store, retries, resume, &upload);
    match unless(control.cancel, marking).await.flatten() {
        Ok(()) => Ok(upload),
        Err(cause) => {
            let left = abort(store, &upload.id).await;
            let error = Error { cause, left };
            if error.left.is_none() {
                control.underway.none();
            }
            Err(error)
        }
    }
}

/// Writes into a new upload what it is.
async fn mark<S: PartStore>(
    store: &S,
    retries: &Caller,
    resume: &Resume,
    upload: &Upload,
) -> Result<(), Cause> {
    let [nonce, digests] = resume.mark(store).parts(upload.nonce);
    let send = |part: Part| async move {
        let send = || store.send(&upload.id, part.clone());
        retries.request("UploadPart", 0, || (), send).await
    };
    tokio::try_join!(send(nonce), send(digests))?;
    Ok(())
}

/// Begins a multipart upload.
async fn create<S: PartStore>(
    store: &S,
    retries: &Caller,
    control: UploadContext<'_>,
) -> Result<Upload, Error> {
    let nonce = Nonce::new();
    let (asked, began) = (Answers::default(), now());
    control.underway.beginning(&store.uploads_command());
    let attempts = retries.request(
        "CreateMultipartUpload",
        0,
        || (),
        || asked.count(store.create(nonce)),
    );
    let mut request = std::pin::pin!(attempts);
    let created = control.cancel.run_until_cancelled(&mut request).await;
    let (created, stopped) = match created {
        Some(created) => (Some(created), false),
        None => (timeout(CLEANUP, request).await.ok(), true),
    };
    if asked.are_missing() {
        let id = created.as_ref().and_then(|created| created.as_ref().ok());
        strays(store, id, began, control).await;
    }
    match created {
        Some(Ok(id)) if stopped => {
            control.underway.began(&store.abort_command(&id));
            let left = abort(store, &id).await;
            if left.is_none() {
                control.underway.none();
            }
            let cause = Cause::Stopped;
            Err(Error { cause, left })
        }
        Some(Ok(id)) => {
            control.underway.began(&store.abort_command(&id));
            Ok(Upload::new(id, nonce))
        }
        failed => {
            control.underway.none();
            Err(match failed {
                Some(Err(error)) if !stopped => Cause::Store(error),
                _ => Cause::Stopped,
            }
            .into())
        }
    }
}

/// Says what requests without an answer may have begun, unless it can be seen that they did not.
async fn strays<S: PartStore>(
    store: &S,
    known: Option<&UploadId>,
    began: i64,
    control: UploadContext<'_>,
) {
    let listed = timeout(CLEANUP, store.uploads()).await;
    let what = match listed {
        Ok(Ok(uploads)) => {
            let others = uploads
                .iter()
                .filter(|upload| Some(&upload.id) != known && upload.at >= began - SKEW);
            let commands: Vec<String> = others
                .map(|upload| store.abort_command(&upload.id))
                .collect();
            if commands.is_empty() {
                return;
            }
            format!(
                "unless another push of this key is under way, remove it: {}",
                commands.join("; ")
            )
        }
        _ => format!("to see it, run: {}", store.uploads_command()),
    };
    control.notes.add(format!(
        "an answer to CreateMultipartUpload was lost, so a second, empty upload may have been begun; \
         {what}"
    ));
}

/// Requests made, and answers that came.
#[derive(Debug, Default)]
pub(super) struct Answers {
    asked: AtomicU32,
    came: AtomicU32,
}

impl Answers {
    /// Makes one more.
    pub(super) async fn count<T>(
        &self,
        request: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = request.await;
        let is_answer = answer.as_ref().map_or_else(CallError::is_certain, |_| true);
        if is_answer {
            self.came.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Whether a request was made of which nobody knows what came of it.
    pub(super) fn are_missing(&self) -> bool {
        self.asked.load(Ordering::Relaxed) > self.came.load(Ordering::Relaxed)
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
