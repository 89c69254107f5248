//! Finds old unfinished multipart uploads, says what they hold, and aborts them.
//!
//! A machine that is switched off in the middle of a push leaves its parts behind, invisible in the bucket
//! and billed. A lifecycle rule of the bucket removes such parts every day and is the better way
//! (docs/clean.md); this is for buckets without such a rule.
//!
//! Only an upload that is certainly old enough is aborted: not one whose age is unknown, nor one whose key
//! does not begin with the prefix. One page of the list is in memory at a time.

mod s3;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::aws::error::CallError;
use crate::aws::s3::{UnfinishedUpload, UploadMarker, UploadPage};

/// What cleaning needs of a bucket.
pub trait Uploads: Send + Sync {
    /// The page of the unfinished uploads below the prefix that begins after `after`.
    fn list(
        &self,
        after: Option<&UploadMarker>,
    ) -> impl Future<Output = Result<UploadPage, CallError>> + Send;

    /// How much an upload holds.
    fn held(
        &self,
        upload: &UnfinishedUpload,
    ) -> impl Future<Output = Result<Held, CallError>> + Send;

    /// Aborts an upload, and frees its parts.
    fn abort(
        &self,
        upload: &UnfinishedUpload,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// How much an upload holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many parts.
    pub parts: u64,
    /// How many bytes in all parts.
    pub bytes: u64,
}

/// What to clean.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the keys begin. Stores that ignore the prefix of a list return other keys too.
    pub prefix: String,
    /// How old an upload must be, at least.
    pub older_than: Duration,
    /// The present time.
    pub now: SystemTime,
    /// Whether nothing is aborted.
    pub dry_run: bool,
}

/// An upload that is old enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The upload.
    pub upload: UnfinishedUpload,
    /// How much it holds, or why that is not known.
    pub held: Result<Held, CallError>,
    /// What became of it.
    pub end: End,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It would be aborted, but for the dry run.
    Would,
    /// It was aborted.
    Aborted,
    /// It was completed or aborted meanwhile.
    Gone,
    /// It could not be aborted.
    Failed(CallError),
}

/// How many uploads there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Aborted, or to be aborted in a dry run.
    pub aborted: u64,
    /// How much those held, as far as that is known.
    pub held: Held,
    /// How many of those did not tell how much they held.
    pub unknown: u64,
    /// Completed or aborted meanwhile.
    pub gone: u64,
    /// Not aborted because of an error.
    pub failed: u64,
    /// Not aborted because they are too young, or their age is not known.
    pub kept: u64,
}

/// Aborts the uploads that are old enough, and passes each to `each`.
///
/// # Errors
///
/// [`CallError`] if the uploads cannot be listed. If one cannot be aborted, the others still are.
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
            // The same page would be listed without end.
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
