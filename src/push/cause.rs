//! Which of two failures caused the other.
//!
//! When one side of a push fails, the other side ends too, with an error that only says so. The user
//! needs the first failure, not its echo.

use super::{Destination, Error, Request};
use crate::archive::pack;
use crate::cancel::Cancel;
use crate::transfer;

/// The failure that ended an attempt; `cancel` is the user's.
pub(super) fn cause<S>(
    (packing, uploading): (Option<pack::Error>, Option<transfer::Error>),
    request: &Request,
    destination: &Destination<S>,
    cancel: &Cancel,
) -> Error {
    let left = uploading.as_ref().and_then(|error| error.left.clone());
    let packing =
        packing.filter(|error| !matches!(error, pack::Error::Closed | pack::Error::Stopped));
    let uploading = uploading.filter(|error| {
        !matches!(
            error.cause,
            transfer::Cause::Unfinished | transfer::Cause::Stopped
        )
    });
    match (packing, uploading) {
        (Some(error), _) => Error::Pack { error, left },
        (None, Some(error)) => destination.upload_failed(request, error),
        (None, None) if cancel.is_cancelled() => Error::Stopped { left },
        (None, None) => Error::Panic,
    }
}
