//! Creates a multipart upload, or resumes one.
//!
//! Only the answer to a request names the upload that it created. So such a request is waited for even
//! when the push is cancelled, and an attempt whose answer was lost is reported. What that attempt may
//! have created can also belong to another push that began at the same time, so it is not aborted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

use super::cleanup::abort;
use super::{
    CLEANUP, Cause, Error, ListedPart, Nonce, PartStore, Resume, UploadContext, UploadId,
    UploadedPart, resume, unless,
};
use crate::archive::pack::Part;
use crate::aws::call::Attempts;
use crate::notes::Note;

/// By how much the clocks of hoist and the store may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// A multipart upload that parts are sent to.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: Arc<UploadId>,
    /// Marks the object as this push's.
    pub(super) nonce: Nonce,
    /// If it is resumed, the parts that are stored, by number.
    stored: Option<HashMap<u32, ListedPart>>,
}

impl Session {
    pub(super) fn is_resumed(&self) -> bool {
        self.stored.is_some()
    }

    /// The part, if it is stored already with the same size and CRC-64.
    pub(super) fn stored(&self, part: &Part) -> Option<UploadedPart> {
        let stored = self.stored.as_ref()?.get(&part.number)?;
        let size = part.body.len() as u64;
        let same = stored.size == size && stored.crc64nvme == Some(part.crc64nvme);
        same.then(|| UploadedPart {
            number: part.number,
            size,
            etag: stored.etag.clone(),
            crc64nvme: part.crc64nvme,
            crc32: None,
        })
    }
}

/// Creates an upload, or resumes one.
pub(super) async fn begin<S: PartStore>(
    store: &S,
    resume: Option<&Resume>,
    context: UploadContext<'_>,
) -> Result<Session, Error> {
    let Some(resume) = resume else {
        return create(store, context).await;
    };
    let found = resume::find(store, resume, context.notes);
    if let Some(found) = unless(context.cancel, found).await?? {
        context.cleanup.begun(&found.id);
        let stored = found.parts.into_iter().map(|part| (part.number, part));
        return Ok(Session {
            id: Arc::new(found.id),
            nonce: found.nonce,
            stored: Some(stored.collect()),
        });
    }
    let session = create(store, context).await?;
    // Before any part of the archive: an upload that has such parts must say what they are.
    let storing = store_fingerprint(store, resume, &session);
    match unless(context.cancel, storing).await.flatten() {
        Ok(()) => Ok(session),
        Err(cause) => Err(give_up(store, &session.id, cause, context).await),
    }
}

/// Aborts an upload that failed because of `cause`.
pub(super) async fn give_up<S: PartStore>(
    store: &S,
    upload: &UploadId,
    cause: Cause,
    context: UploadContext<'_>,
) -> Error {
    let left = abort(store, upload).await;
    if left.is_none() {
        context.cleanup.clear();
    }
    Error { cause, left }
}

async fn store_fingerprint<S: PartStore>(
    store: &S,
    resume: &Resume,
    session: &Session,
) -> Result<(), Cause> {
    let [nonce, digests] = resume.fingerprint_for(store).parts(session.nonce);
    let attempts = [Attempts::default(), Attempts::default()];
    tokio::try_join!(
        store.send(&session.id, &nonce, &attempts[0]),
        store.send(&session.id, &digests, &attempts[1])
    )?;
    Ok(())
}

async fn create<S: PartStore>(store: &S, context: UploadContext<'_>) -> Result<Session, Error> {
    let nonce = Nonce::new();
    let (attempts, began) = (Attempts::default(), SystemTime::now());
    context.cleanup.beginning();
    let mut request = std::pin::pin!(store.create(nonce, &attempts));
    let created = context.cancel.run_until_cancelled(&mut request).await;
    let (created, cancelled) = match created {
        Some(created) => (Some(created), false),
        None => (timeout(CLEANUP, request).await.ok(), true),
    };
    if attempts.has_unanswered() {
        let id = created.as_ref().and_then(|created| created.as_ref().ok());
        note_lost_create(store, id, began, context).await;
    }
    match created {
        Some(Ok(id)) => {
            context.cleanup.begun(&id);
            if cancelled {
                return Err(give_up(store, &id, Cause::Stopped, context).await);
            }
            Ok(Session {
                id: Arc::new(id),
                nonce,
                stored: None,
            })
        }
        failed => {
            context.cleanup.clear();
            Err(match failed {
                Some(Err(error)) if !cancelled => Cause::Store(error),
                _ => Cause::Stopped,
            }
            .into())
        }
    }
}

/// Notes that a request without an answer may have created an upload, unless the list of uploads shows
/// that it did not.
async fn note_lost_create<S: PartStore>(
    store: &S,
    known: Option<&UploadId>,
    began: SystemTime,
    context: UploadContext<'_>,
) {
    let others = match timeout(CLEANUP, store.uploads()).await {
        Ok(Ok(uploads)) => {
            let others = uploads.into_iter().filter(|upload| {
                let initiated = upload.initiated.unwrap_or(UNIX_EPOCH);
                Some(&upload.id) != known && initiated + CLOCK_SKEW >= began
            });
            let others: Vec<String> = others.map(|upload| upload.id.0).collect();
            if others.is_empty() {
                return;
            }
            Some(others)
        }
        _ => None,
    };
    context.notes.add(Note::LostCreate { others });
}
