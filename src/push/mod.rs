//! A push from its beginning to its end: prepare, pack and upload at the same time, verify, register.
//!
//! Packing runs on threads and uploading on tasks. Parts cross over a bounded channel, so neither
//! side runs ahead of the other. When one side fails or the push is cancelled, both sides are joined
//! before the push returns, and its error is the cause, never its echo on the other side.

mod attempt;
mod cause;
mod destination;
mod error;
mod fingerprint;
pub mod prebuilt;
pub mod preflight;
mod prepare;
mod preview;
mod receipt;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::mpsc;

pub use self::destination::{Destination, Destinations};
pub use self::error::{Error, Outcome, Reached, Several};
pub use self::preview::{Listed, Preview, preview};
pub use self::receipt::VerifyError;
pub use self::request::{
    Checked, Delivered, Observer, Packing, Pushed, Request, Resume, Source, Uploading,
};

use self::attempt::{complete, is_conflict, or_cancel, pack, transfer};
use self::cause::cause;
use self::prepare::{Prepared, prepare};
use self::receipt::Receipt;
use crate::archive::pack::Packed;
use crate::aws::s3::Stored;
use crate::cancel::Cancel;
use crate::transfer::PartStore;

/// How often an upload starts again after S3 asked for that, because another client wrote the object
/// at the same time.
const RESTARTS: usize = 2;

/// Packs a source into an object at the destination and registers that as a revision.
///
/// # Errors
///
/// [`Error`]. Nothing is registered then, unless it says so, and no multipart upload is left unless
/// [`Error::left`] says so.
pub async fn push<S: PartStore>(
    request: &Request,
    destinations: &Destinations<S>,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<Pushed, Error> {
    let [destination] = &destinations.all[..] else {
        return Err(Error::Panic);
    };
    let preflight = destination.preflight(request, &observer.notes);
    let prepared = prepare(request, preflight, observer, cancel).await?;
    let prepared = Arc::new(prepared);
    let storing = store(request, &prepared, destination, observer, cancel);
    let (packed, stored, receipt) = storing.await?;
    let revision = destination.revision(request.source.content, stored);
    let progress = &observer.progress;
    let verified = destination.verify(&revision, &receipt, progress, cancel);
    let verified = verified.await?;
    destination.register(&revision, progress, cancel).await?;
    destination.persist(receipt, &revision)?;
    let mut notices = prepared.contents.notices().to_vec();
    if let Some(notice) = packed.notice(&notices) {
        observer.notes.add(notice.to_string());
        notices.push(notice);
    }
    Ok(Pushed {
        packed,
        notices,
        report: prepared.report.clone(),
        delivered: vec![Delivered { revision, verified }],
    })
}

/// Stores the object. When another client wrote it at the same time, S3 asks to start again.
async fn store<S: PartStore>(
    request: &Request,
    prepared: &Arc<Prepared>,
    destination: &Destination<S>,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<(Packed, Stored, Receipt), Error> {
    let mut restarts = 0;
    loop {
        match pack_and_transfer(request, prepared, destination, observer, cancel).await {
            Err(Error::Upload { error, .. }) if is_conflict(&error) && restarts < RESTARTS => {
                restarts += 1;
                observer
                    .notes
                    .add(format!("the upload began again: {error}"));
            }
            done => return done,
        }
    }
}

/// Packs and transfers at the same time, then completes the object. A failure of one side cancels
/// the other.
async fn pack_and_transfer<S: PartStore>(
    request: &Request,
    prepared: &Arc<Prepared>,
    destination: &Destination<S>,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<(Packed, Stored, Receipt), Error> {
    let (both, link) = (cancel.child(), Arc::default());
    let (parts, received) = mpsc::channel(prepared.limits.queue);
    let packing = pack(request, prepared, parts, &link, &observer.progress, &both)?;
    let context = observer.context(&link, &both);
    let transferring = transfer(request, prepared, destination, received, context);
    let (packed, transferred) =
        tokio::join!(or_cancel(packing, &both), or_cancel(transferring, &both));
    let context = observer.context(&link, cancel);
    match (complete(transferred, packed.is_ok(), context).await, packed) {
        (Ok(stored), Ok((packed, receipt))) => Ok((packed, stored, receipt)),
        (stored, packed) => {
            let errors = (packed.err(), stored.err());
            Err(cause(errors, request, destination, cancel))
        }
    }
}
