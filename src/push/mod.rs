//! A push from its beginning to its end: prepare, pack and upload at the same time, verify, register.
//!
//! Packing runs on threads and uploading on tasks. Parts cross over a bounded channel, so neither
//! side runs ahead of the other. When one side fails or the push is cancelled, both sides are joined
//! before the push returns, and its error is the cause, never its echo on the other side.
//!
//! A push may have several destinations. Their uploads get the same parts, and all destinations pass
//! each phase together: no upload is completed before all are whole, then S3 copies what it is to copy,
//! and nothing is registered before every object is there and verified.

mod attempt;
mod copies;
mod delivery;
mod destination;
mod error;
mod fingerprint;
mod outcome;
pub mod prebuilt;
pub mod preflight;
mod prepare;
mod preview;
mod receipt;
mod request;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;

pub use self::destination::{BadDestinations, Destination, Destinations};
pub use self::error::Error;
pub use self::outcome::{Outcome, Reached, Several};
pub use self::preview::{Listed, Preview, preview};
pub use self::receipt::VerifyError;
pub use self::request::{
    Checked, Delivered, Observer, Packing, Pushed, Request, Resume, Source, Uploading,
};

use self::delivery::{Deliveries, End};
use crate::cancel::Cancel;
use crate::transfer::PartStore;

/// Packs a source into an object at each destination and registers these as revisions.
///
/// # Errors
///
/// [`Error`]. Nothing is registered then, unless it says so, and no multipart upload is left unless
/// [`Error::left`] says so. With two or more destinations, [`Error::Several`] says what each has.
pub async fn push<S: PartStore>(
    request: &Request,
    destinations: &Destinations<S>,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<Pushed, Error> {
    destinations.check()?;
    let mut deliveries = Deliveries::new(destinations, observer);
    let pushing = run(request, &mut deliveries, observer, cancel);
    match AssertUnwindSafe(pushing).catch_unwind().await {
        Ok(Ok(pushed)) => Ok(Pushed {
            delivered: deliveries.finish()?,
            ..pushed
        }),
        Ok(Err(end)) => Err(deliveries.fail(end)),
        Err(panic) => {
            deliveries.abandon().await;
            resume_unwind(panic)
        }
    }
}

/// Goes through all phases, until one ends the push.
async fn run<S: PartStore>(
    request: &Request,
    deliveries: &mut Deliveries<'_, S>,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<Pushed, End> {
    let prepared = deliveries.prepare(request, observer, cancel).await?;
    let prepared = Arc::new(prepared);
    let uploading = deliveries.upload(request, &prepared, observer, cancel);
    let packed = uploading.await?;
    deliveries.copy(request, observer, cancel).await?;
    deliveries.verify(observer, cancel).await?;
    deliveries.register(observer, cancel).await?;
    deliveries.persist()?;
    let mut notices = prepared.contents.notices().to_vec();
    if let Some(notice) = packed.notice(&notices) {
        observer.notes.add(notice.to_string());
        notices.push(notice);
    }
    Ok(Pushed {
        packed,
        notices,
        report: prepared.report.clone(),
        delivered: Vec::new(),
    })
}
