//! Makes the object, and reports success only if the object is there.
//!
//! S3 may answer the last request with an error, even inside of a 200, or not at all, and may have made the
//! object nevertheless. A repeated request is then told that there is no such upload, or that there is
//! an object already. So when an answer is missing, the object is looked up: if it has this push's nonce,
//! its size and its CRC-64, it is this push's object. If it may not be looked up, the error says that the
//! outcome is not known.
//!
//! An S3 error proves that there is no object if its code is final and each earlier attempt was answered.
//!
//! The ETag is not compared. It is the MD5 of the parts' MD5s only without encryption by KMS, and MD5 of
//! every part would cost time and prove nothing more: S3 checks the CRC-64 of every part, and of the whole.

use std::time::Instant;

use tokio::time::timeout;

use super::cleanup::abort;
use super::session::Session;
use super::{CLEANUP, Cause, Error, Nonce, PartStore, Stored, UploadContext, UploadedPart, whole};
use crate::archive::pack::Part;
use crate::aws::call::Attempts;
use crate::aws::error::CallError;

/// How this push recognises its object.
pub(super) struct Identity {
    pub(super) nonce: Nonce,
    pub(super) size: u64,
    pub(super) crc64nvme: u64,
}

/// Stores a part that is the whole object.
pub(super) async fn put<S: PartStore>(
    store: &S,
    part: &Part,
    context: UploadContext<'_>,
) -> Result<Stored, Cause> {
    let identity = Identity {
        nonce: Nonce::new(),
        size: part.body.len() as u64,
        crc64nvme: part.crc64nvme,
    };
    let since = Instant::now();
    context.progress.part_taken();
    let attempts = Attempts::default();
    let request = store.put(part, identity.nonce, &attempts);
    let cause = match context.cancel.run_until_cancelled(request).await {
        Some(Ok(stored)) => {
            context.progress.sent(1, identity.size, since);
            return Ok(stored);
        }
        Some(Err(error)) => Cause::Store(error),
        None => Cause::Stopped,
    };
    if attempts.has_unanswered() {
        return look_up(store, &identity, cause).await;
    }
    Err(cause)
}

/// Makes the parts the object, or aborts the upload.
pub(super) async fn complete<S: PartStore>(
    store: &S,
    session: &Session,
    parts: &[UploadedPart],
    context: UploadContext<'_>,
) -> Result<Stored, Error> {
    let (size, crc64nvme) = whole(parts);
    let identity = Identity {
        nonce: session.nonce,
        size,
        crc64nvme,
    };
    let attempts = Attempts::default();
    let request = store.complete(&session.id, parts, &attempts);
    let cause = match context.cancel.run_until_cancelled(request).await {
        Some(Ok(stored)) => return Ok(stored),
        Some(Err(error)) if error.is_conflict() => Cause::Conflict(error),
        Some(Err(error)) => Cause::Store(error),
        None => Cause::Stopped,
    };
    // After this, a request that S3 still works on can no longer make the object.
    let left = abort(store, &session.id).await;
    let is_conflict = matches!(cause, Cause::Conflict(_));
    if !attempts.has_unanswered() && !is_conflict {
        return Err(Error { cause, left });
    }
    match look_up(store, &identity, cause).await {
        // Aborting failed, if it did, because the upload had been completed.
        Ok(stored) => Ok(stored),
        // The upload begins again, unless one is left, and its own end tells whether there is an object.
        Err(Cause::Unknown { error, unknown }) if is_conflict && left.is_none() => Err(Error {
            cause: Cause::Conflict(CallError {
                message: format!("{error} ({unknown})"),
                ..unknown
            }),
            left,
        }),
        Err(cause) => Err(Error { cause, left }),
    }
}

/// Looks whether the object is there although `cause` says otherwise.
pub(super) async fn look_up<S: PartStore>(
    store: &S,
    identity: &Identity,
    cause: Cause,
) -> Result<Stored, Cause> {
    let found = timeout(CLEANUP, store.head()).await;
    let unknown =
        match found.unwrap_or_else(|_| Err(CallError::no_answer_within("HeadObject", CLEANUP))) {
            Ok(None) => return Err(cause),
            Ok(Some(head)) => {
                let is_ours = head.nonce == Some(identity.nonce)
                    && head.size == identity.size
                    && head.crc64nvme.is_none_or(|crc| crc == identity.crc64nvme);
                return match cause {
                    _ if is_ours => Ok(head.stored()),
                    // Another push's object is there now, so beginning again would fail in the same way.
                    Cause::Conflict(error) => Err(Cause::Store(error)),
                    cause => Err(cause),
                };
            }
            Err(error) => error,
        };
    let error = cause.to_string();
    Err(Cause::Unknown { error, unknown })
}
