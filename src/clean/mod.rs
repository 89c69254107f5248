//! Multipart uploads that nobody will finish: finds them, says what they hold, and aborts them.
//!
//! A machine that is switched off in the middle of a push leaves its parts behind, invisible in the
//! bucket and billed. A lifecycle rule of the bucket removes them for good and is the better way
//! (docs/clean.md); this is for buckets that have none, and for now.
//!
//! It refuses to guess: what is not older than asked for stays, and so does whatever does not say its
//! age or is not below the prefix, to the byte. It keeps one page of the list in memory.

mod age;
mod s3;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::{Duration, SystemTime};

pub use self::age::{Age, BadAge};

use crate::aws::error::CallError;
use crate::aws::s3::{UnfinishedUpload, UploadMarker, UploadPage};

/// What cleaning needs of a bucket.
pub trait Uploads: Send + Sync {
    /// The unfinished uploads below the prefix, those after `after`.
    fn list(
        &self,
        after: Option<&UploadMarker>,
    ) -> impl Future<Output = Result<UploadPage, CallError>> + Send;

    /// What the parts of one add up to.
    fn held(
        &self,
        upload: &UnfinishedUpload,
    ) -> impl Future<Output = Result<Held, CallError>> + Send;

    /// Ends one and frees its parts.
    fn abort(
        &self,
        upload: &UnfinishedUpload,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// What an upload's parts add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub parts: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What to clean.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which keys, as the list was asked for.
    pub prefix: String,
    /// Only uploads that were begun so long ago, or longer.
    pub older_than: Duration,
    /// The time.
    pub now: SystemTime,
    /// Abort nothing.
    pub dry_run: bool,
}

/// An upload that is old enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Which.
    pub upload: UnfinishedUpload,
    /// What it holds, or why nobody knows.
    pub held: Result<Held, CallError>,
    /// What became of it.
    pub end: End,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing yet: it would be aborted.
    Would,
    /// It was aborted.
    Aborted,
    /// Somebody else was faster: it was completed or aborted.
    Gone,
    /// It is still there.
    Failed(CallError),
}

/// What all of them add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Aborted, or to be aborted.
    pub aborted: u64,
    /// What those held, as far as that is known.
    pub held: Held,
    /// How many of those do not tell.
    pub unknown: u64,
    /// Gone before they could be aborted.
    pub gone: u64,
    /// Still there.
    pub failed: u64,
    /// Too young, or of no age.
    pub kept: u64,
}

/// Aborts the uploads that are old enough, and gives each to `each`.
///
/// # Errors
///
/// [`CallError`] if uploads cannot be listed. That one cannot be aborted is no reason to end.
pub async fn clean<U: Uploads>(
    uploads: &U,
    options: &Options,
    each: &mut dyn FnMut(&Stale),
) -> Result<Totals, CallError> {
    let mut totals = Totals::default();
    let mut after = None;
    loop {
        let page = uploads.list(after.as_ref()).await?;
        for upload in page.uploads {
            if !upload.key.starts_with(&options.prefix) {
                continue;
            }
            if !is_stale(&upload, options) {
                totals.kept += 1;
                continue;
            }
            let stale = end(uploads, upload, options.dry_run).await;
            totals.add(&stale);
            each(&stale);
        }
        match page.next {
            None => return Ok(totals),
            // It would be listed for ever.
            next if next == after => {
                return Err(CallError {
                    operation: "ListMultipartUploads",
                    code: None,
                    message: "the list goes on where it began".to_owned(),
                });
            }
            next => after = next,
        }
    }
}

fn is_stale(upload: &UnfinishedUpload, options: &Options) -> bool {
    let age = upload
        .initiated
        .and_then(|initiated| options.now.duration_since(initiated).ok());
    age.is_some_and(|age| age >= options.older_than)
}

async fn end<U: Uploads>(uploads: &U, upload: UnfinishedUpload, dry_run: bool) -> Stale {
    let held = uploads.held(&upload).await;
    let end = if is_gone(held.as_ref().err()) {
        End::Gone
    } else if dry_run {
        End::Would
    } else {
        match uploads.abort(&upload).await {
            Ok(()) => End::Aborted,
            Err(error) if is_gone(Some(&error)) => End::Gone,
            Err(error) => End::Failed(error),
        }
    };
    Stale { upload, held, end }
}

fn is_gone(error: Option<&CallError>) -> bool {
    error.is_some_and(CallError::is_no_such_upload)
}

impl Totals {
    fn add(&mut self, stale: &Stale) {
        match stale.end {
            End::Gone => self.gone += 1,
            End::Failed(_) => self.failed += 1,
            End::Would | End::Aborted => {
                self.aborted += 1;
                match stale.held {
                    Ok(held) => {
                        self.held.parts += held.parts;
                        self.held.bytes = self.held.bytes.saturating_add(held.bytes);
                    }
                    Err(_) => self.unknown += 1,
                }
            }
        }
    }
}
