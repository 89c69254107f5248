//! Makes the object, and does not say so unless it is there.
//!
//! S3 may answer the last request with an error in a 200, or not at all, and may have made the object
//! nevertheless. A repeated request then hears that there is no such upload, or that there is an object
//! already. So when an answer is missing, the object is looked at: if it has this push's nonce, its size
//! and its CRC-64, it is the one. Whoever may not look is told that nobody knows.
//!
//! What an S3 error proves: with a code that is final, and no earlier attempt unanswered, there is no
//! object. Everything else is doubt. It costs nothing while there is none.
//!
//! The ETag is not compared. It is the MD5 of the parts' MD5s only without encryption by KMS, and MD5 of
//! every part would be work that proves nothing more: S3 checks the CRC-64 of every part, and of the whole.

use std::time::Duration;

use tokio::time::timeout;

use super::abort::abort;
use super::begin::{Answers, Upload};
use super::{
    CLEANUP, Caller, Cause, Error, Nonce, PartStore, Stored, UploadContext, UploadId, UploadedPart,
    whole,
};
use crate::archive::pack::Part;
use crate::aws::error::CallError;

/// What S3 may take to make an object ("several minutes", says its API reference).
const JOINING: Duration = Duration::from_secs(300);

/// And more for each part.
const JOINING_A_PART: Duration = Duration::from_millis(60);

/// What the object must be to be ours.
struct Ours {
    nonce: Nonce,
    size: u64,
    crc64nvme: u64,
}

/// Stores a part that is the whole object.
pub(super) async fn put<S: PartStore>(
    store: &S,
    retries: &Caller,
    part: Part,
    control: UploadContext<'_>,
) -> Result<Stored, Cause> {
    let ours = Ours {
        nonce: Nonce::new(),
        size: part.body.len() as u64,
        crc64nvme: part.crc64nvme,
    };
    let since = std::time::Instant::now();
    control.progress.part_taken();
    let asked = Answers::default();
    let request = retries.request(
        "PutObject",
        ours.size,
        || (),
        || asked.count(store.put(part.clone(), ours.nonce)),
    );
    let cause = match control.cancel.run_until_cancelled(request).await {
        Some(Ok(stored)) => {
            control.progress.sent(1, ours.size, since);
            return Ok(stored);
        }
        Some(Err(error)) => Cause::Store(error),
        None => Cause::Stopped,
    };
    if asked.are_missing() {
        return look(store, &ours, cause).await;
    }
    Err(cause)
}

/// Makes the parts an object, or aborts the upload.
pub(super) async fn complete<S: PartStore>(
    store: &S,
    retries: &Caller,
    upload: &Upload,
    sent: &[UploadedPart],
    control: UploadContext<'_>,
) -> Result<Stored, Error> {
    let (size, crc64nvme) = whole(sent);
    let nonce = upload.nonce;
    let ours = Ours {
        nonce,
        size,
        crc64nvme,
    };
    let parts = u32::try_from(sent.len()).unwrap_or(u32::MAX);
    let allowed = JOINING + JOINING_A_PART.saturating_mul(parts);
    let asked = Answers::default();
    let request = retries.ask("CompleteMultipartUpload", allowed, || {
        attempt(store, &upload.id, sent, &asked)
    });
    let cause = match control.cancel.run_until_cancelled(request).await {
        Some(Ok(Ok(stored))) => return Ok(stored),
        Some(Ok(Err(error)) | Err(error)) if is_conflict(&error) => Cause::Conflict(error),
        Some(Ok(Err(error)) | Err(error)) => Cause::Store(error),
        None => Cause::Stopped,
    };
    // This settles what becomes of a request that S3 may still be at.
    let left = abort(store, &upload.id).await;
    let conflict = matches!(cause, Cause::Conflict(_));
    if !asked.are_missing() && !conflict {
        return Err(Error { cause, left });
    }
    match look(store, &ours, cause).await {
        // It was in vain because there is none to abort.
        Ok(stored) => Ok(stored),
        // What cannot be seen is not there as far as another upload goes: its own end will tell.
        Err(Cause::Unknown { error, unknown }) if conflict => Err(Error {
            cause: Cause::Conflict(CallError {
                message: format!("{error} ({unknown})"),
                ..unknown
            }),
            left,
        }),
        Err(cause) => Err(Error { cause, left }),
    }
}

/// One attempt. An answer that no repetition changes is given as it is, even if its code is one of those
/// that pass with parts.
async fn attempt<S: PartStore>(
    store: &S,
    upload: &UploadId,
    sent: &[UploadedPart],
    asked: &Answers,
) -> Result<Result<Stored, CallError>, CallError> {
    match asked.count(store.complete(upload, sent)).await {
        Ok(stored) => Ok(Ok(stored)),
        // S3 has other parts than were sent, or the upload must begin again.
        Err(error)
            if is_conflict(&error)
                || matches!(
                    error.code.as_deref(),
                    Some("BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch")
                ) =>
        {
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

fn is_conflict(error: &CallError) -> bool {
    error.code.as_deref() == Some("ConditionalRequestConflict")
}

/// Looks whether the object is there although `cause` says otherwise.
async fn look<S: PartStore>(store: &S, ours: &Ours, cause: Cause) -> Result<Stored, Cause> {
    let retries = Caller::new(3);
    let looking = retries.ask("HeadObject", CLEANUP / 2, || store.object());
    let unknown = match timeout(CLEANUP, looking).await {
        Ok(Ok(Some(found))) => {
            let same = found.nonce == Some(ours.nonce)
                && found.size == ours.size
                && found.crc64nvme.is_none_or(|crc| crc == ours.crc64nvme);
            return match cause {
                _ if same => Ok(found.stored),
                // There is one now, so beginning again is of no use.
                Cause::Conflict(error) => Err(Cause::Store(error)),
                cause => Err(cause),
            };
        }
        Ok(Ok(None)) => return Err(cause),
        Ok(Err(error)) => error,
        Err(_) => CallError {
            operation: "HeadObject",
            code: None,
            message: format!("none came within {CLEANUP:?}"),
        },
    };
    let error = cause.to_string();
    Err(Cause::Unknown { error, unknown })
}
