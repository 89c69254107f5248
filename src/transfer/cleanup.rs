//! Aborts an upload that failed, and makes sure that nothing of it stays.
//!
//! Cancelling the upload does not cancel this. A part that was on its way when the upload was aborted may
//! still arrive, and S3 then keeps it ("AbortMultipartUpload" in the Amazon S3 API reference: the request
//! may have to be repeated). So the parts are listed, where that is allowed, and the upload is aborted
//! again until none are left.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{CLEANUP, CleanupHint, Leftover, PartStore, UploadId};

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// What one request may take of the time for all of them.
const REQUEST: Duration = Duration::from_millis(3_333);

/// Aborts the upload that a panic left behind. What could not be aborted stays in the hint.
pub(crate) async fn abandon<S: PartStore>(store: &S, hint: &CleanupHint) {
    if let Some(upload) = hint.upload()
        && abort(store, &upload).await.is_none()
    {
        hint.clear();
    }
}

/// Aborts `upload`. Returns what is left if that failed.
pub(super) async fn abort<S: PartStore>(store: &S, upload: &UploadId) -> Option<Leftover> {
    let until = Instant::now() + CLEANUP;
    let mut reason = String::new();
    while Instant::now() < until {
        match timeout(REQUEST, store.abort(upload)).await {
            Ok(Ok(())) => match timeout(REQUEST, store.parts(upload)).await {
                Ok(Ok(parts)) if !parts.is_empty() => {
                    reason = format!("{} of its parts are there after it was", parts.len());
                }
                // No parts are left, or ListParts is denied: nothing more can be done.
                _ => return None,
            },
            Ok(Err(error)) if error.is_no_such_upload() => return None,
            Ok(Err(error)) => {
                reason = error.to_string();
                if error.is_final() {
                    break;
                }
            }
            Err(_) => reason = format!("no answer for {REQUEST:.1?}"),
        }
        sleep(PAUSE).await;
    }
    Some(Leftover {
        upload: upload.clone(),
        reason,
    })
}
