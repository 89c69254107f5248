//! The two sides of a push that run at the same time, and how the failure of one ends the other.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::fingerprint::fingerprint;
use super::prepare::{Prepared, on_a_thread};
use super::receipt::{Receipt, Recorder};
use super::{Destination, Error, Request, Resume};
use crate::archive::pack::{self, LevelPolicy, LinkFeedback, Packed, Part};
use crate::aws::s3::Stored;
use crate::cancel::Cancel;
use crate::progress::Progress;
use crate::transfer::{self, PartStore, Transferred, UploadContext};

/// Packs the source on a thread of its own, and puts the parts into `parts`.
///
/// # Errors
///
/// [`Error::Manifest`], before anything is packed.
pub(super) fn pack(
    request: &Request,
    prepared: &Arc<Prepared>,
    parts: mpsc::Sender<Part>,
    link: &Arc<LinkFeedback>,
    progress: &Arc<Progress>,
    cancel: &Cancel,
) -> Result<impl Future<Output = Result<(Packed, Receipt), pack::Error>> + use<>, Error> {
    let packing = request.packing.clone();
    let recorder = Recorder::new(request.source.content, packing.manifest.as_deref());
    let recorder = recorder.map_err(Error::Manifest)?;
    let (prepared, link, progress) = (Arc::clone(prepared), Arc::clone(link), Arc::clone(progress));
    let cancel = cancel.clone();
    let packing =
        on_a_thread(move || prepared.pack(&packing, recorder, &parts, &link, &progress, &cancel));
    // A panic is a failure of the packer like others: what the upload leaves must still be reported.
    Ok(async { packing.await.unwrap_or(Err(pack::Error::Worker)) })
}

/// Sends the parts that come out of `parts`.
pub(super) async fn transfer<S: PartStore>(
    request: &Request,
    prepared: &Prepared,
    destination: &Destination<S>,
    parts: mpsc::Receiver<Part>,
    context: UploadContext<'_>,
) -> Result<Transferred<S>, transfer::Error> {
    let options = transfer::Options {
        concurrency: prepared.limits.concurrency,
        bandwidth: request.uploading.bandwidth,
        resume: resume(request, prepared),
    };
    // Boxed, since its future is too large for the stack of a thread.
    let store = Arc::clone(&destination.store);
    Box::pin(transfer::transfer(store, parts, &options, context)).await
}

/// Makes the parts an object, but only if all of them were packed.
pub(super) async fn complete<S: PartStore>(
    transferred: Result<Transferred<S>, transfer::Error>,
    is_packed: bool,
    context: UploadContext<'_>,
) -> Result<Stored, transfer::Error> {
    match transferred? {
        transferred if is_packed => Box::pin(transferred.complete(context)).await,
        transferred => Err(transferred.abort(context).await),
    }
}

/// How to recognise an unfinished upload of the same bytes, if one may be continued.
fn resume(request: &Request, prepared: &Prepared) -> Option<transfer::Resume> {
    let LevelPolicy::Fixed(level) = request.packing.level else {
        return None;
    };
    let insist = match request.uploading.resume {
        Resume::Never => return None,
        Resume::Auto => false,
        Resume::Always => true,
    };
    let (content, plan) = (request.source.content, prepared.contents.digest());
    Some(transfer::Resume {
        insist,
        fingerprint: fingerprint(level, content, plan),
        part_size: prepared.limits.part_size,
    })
}

/// Does the work of one side, and cancels both if it fails.
pub(super) async fn or_cancel<T, E>(
    work: impl Future<Output = Result<T, E>>,
    both: &Cancel,
) -> Result<T, E> {
    let done = work.await;
    if done.is_err() {
        both.cancel();
    }
    done
}

/// Whether S3 asks to start the upload again, and nothing is left of this one.
pub(super) fn is_conflict(error: &transfer::Error) -> bool {
    matches!(error.cause, transfer::Cause::Conflict(_)) && error.left.is_none()
}
