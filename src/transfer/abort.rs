//! Ends an upload that has failed, in its own time, and makes sure of it.
//!
//! What cancelled the upload does not cancel this. A part that was on its way when the upload was
//! aborted may still arrive, and S3 then keeps it ("AbortMultipartUpload" in the Amazon S3 API
//! reference: it may have to be repeated). So what is left is listed, where that is allowed, and the
//! upload aborted again until nothing is.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{CLEANUP, Leftover, PartStore, UploadId};
use crate::aws::error::{CallError, RetryAdvice};

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 2 } else { 250 });

/// What one attempt may take of the time for all of them.
const SHARE: u32 = 3;

/// Aborts `upload`. What is left if that failed.
pub(super) async fn abort<S: PartStore>(store: &S, upload: &UploadId) -> Option<Leftover> {
    let until = Instant::now() + CLEANUP;
    let mut reason = String::new();
    while Instant::now() < until {
        match timeout(CLEANUP / SHARE, store.abort(upload)).await {
            Ok(Ok(())) => match timeout(CLEANUP / SHARE, store.parts(upload)).await {
                Ok(Ok(parts)) if !parts.is_empty() => {
                    reason = format!("{} of its parts are there after it was", parts.len());
                }
                // There is none, or nobody who says.
                _ => return None,
            },
            Ok(Err(error)) if is_gone(&error) => return None,
            Ok(Err(error)) => {
                reason = error.to_string();
                if error.retry_advice() == RetryAdvice::Never {
                    break;
                }
            }
            Err(_) => reason = format!("no answer for {:?}", CLEANUP / SHARE),
        }
        sleep(PAUSE).await;
    }
    Some(Leftover {
        upload: upload.clone(),
        reason,
        command: store.abort_command(upload),
    })
}

/// Whether the answer is that there is no such upload any more.
pub(super) fn is_gone(error: &CallError) -> bool {
    error.code.as_deref() == Some("NoSuchUpload")
}
