//! Lets a store copy an object that it has already, or that another bucket, region or account has.
//!
//! The parts of the copy are the parts of the upload that made the source. So the store's answer to each
//! can be compared with what is known of that part, and the copy has the ETag of the source wherever the
//! encryption makes ETags of MD5s. There are at most 10,000 of them, and each has at most 128 MiB unless the
//! archive may have more than 1.25 TiB. A source that was put in one request is copied in one.
//!
//! A copy is an upload like others in all that ends it: it is aborted if it fails or is cancelled, and
//! the object is looked up if the answer that confirms it was lost.
//!
//! Success means that the store itself said something that only the right bytes have: the CRC-64 or CRC-32 of
//! each part, its MD5, or the CRC-64 of the whole object. A store that ignores conditions may have copied
//! from two objects, if the source was replaced in between.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Notify;

use super::finish::{self, Identity, look_up};
use super::session::{self, Session};
use super::{
    CLEANUP, Cause, Error, Nonce, PartStore, Stored, UploadContext, UploadedPart, unless, whole,
};
use crate::aws::call::Attempts;
use crate::aws::error::CallError;
use crate::aws::s3::{Copied, CopySource};

/// Requests at a time at first. Each opens a connection; each answer allows one more.
const START: usize = 4;

/// How long the store may take to say what it has of the copy.
const LOOKING: Duration = Duration::from_secs(60);

/// Why an object was not copied, or not proven to be copied.
#[derive(Debug, thiserror::Error)]
pub enum NotCopied {
    /// The credentials for the copy lack a permission.
    #[error("the credentials for the copy may not do that: {lacking} ({error})")]
    Denied {
        /// Which.
        lacking: Lacking,
        /// What the store says.
        error: CallError,
    },
    /// Another object is in the place of the one that was uploaded.
    #[error("the source was replaced after its upload, and another object is there now ({0})")]
    Replaced(CallError),
    /// The store that copies does not find the object.
    #[error("the store of the copy finds no such source ({0})")]
    Missing(CallError),
    /// The store cannot copy.
    #[error("the store of the copy does not copy objects ({0})")]
    Unsupported(CallError),
    /// The store refused it for another reason.
    #[error("{0}")]
    Refused(CallError),
    /// A part has other bytes than the archive, so no object was made of the parts.
    #[error("part {0} of the copy has other bytes than the archive")]
    PartDiffers(u32),
    /// The store found that the copied parts are not those of the archive, so no object was made.
    #[error("the copied parts have other bytes than the archive, or are gone ({0})")]
    NotJoined(CallError),
    /// The object that was made has other bytes than the archive.
    #[error("the object that was made has other bytes than the archive")]
    Differs,
    /// An object was made, and the store says nothing that only the right bytes have.
    #[error(
        "an object was made, but nothing proves that it has the bytes of the archive: the store \
         names neither checksums of the copied bytes nor their MD5{}",
        .0.as_ref().map_or_else(String::new, |error| format!(" ({error})"))
    )]
    Unconfirmed(Option<CallError>),
}

/// The permission that the credentials for the copy lack, as far as the store says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// Reading the source.
    #[error(
        "they need s3:GetObject on the source, from the policy of its bucket too if that is in another \
         account"
    )]
    Read,
    /// Reading a version of the source.
    #[error(
        "they need s3:GetObjectVersion on the source, whose bucket keeps versions, from the policy of that \
         bucket too if it is in another account"
    )]
    ReadVersion,
    /// Decrypting the source.
    #[error(
        "they need kms:Decrypt on the key of the source, from the policy of the key too if that is in \
         another account"
    )]
    Decrypt,
    /// Encrypting the copy.
    #[error("they need kms:GenerateDataKey and kms:Decrypt on the key of the copy")]
    Encrypt,
    /// Writing the copy.
    #[error("they need s3:PutObject on the copy")]
    Write,
    /// One of them: the store does not say which.
    #[error(
        "they need s3:PutObject on the copy, and on the source s3:GetObject, or s3:GetObjectVersion if \
         its bucket keeps versions"
    )]
    ReadOrWrite,
}

/// One object that is copied.
struct Copying<'a, S> {
    source: &'a CopySource,
    target: &'a S,
    /// The parts of the source, in order.
    parts: &'a [UploadedPart],
    concurrency: usize,
    context: UploadContext<'a>,
}

/// Lets the store of `target` copy the object `source`, which an upload made of `parts`, all and in order.
/// At most `concurrency` requests are made at a time; zero counts as one.
///
/// # Errors
///
/// [`Error`], also when it is cancelled. No request is under way then.
pub async fn copy<S: PartStore>(
    source: &CopySource,
    target: &S,
    parts: &[UploadedPart],
    concurrency: usize,
    context: UploadContext<'_>,
) -> Result<Stored, Error> {
    let copying = Copying {
        source,
        target,
        parts,
        concurrency: concurrency.max(1),
        context,
    };
    let mut restarts = 0;
    loop {
        let size = parts.iter().map(|part| part.size).sum();
        context.progress.to_copy(size);
        let done = match parts {
            [] => Err(Cause::Unfinished.into()),
            // The ETag of an upload in one part has a hyphen, and only such an upload makes the same.
            [only] if !source.etag.contains('-') => {
                copying.at_once(only).await.map_err(Error::from)
            }
            _ => copying.in_parts().await,
        };
        match done {
            Err(error) if error.may_begin_again(restarts) => {
                restarts += 1;
                context.notes.add(format!("the copy began again: {error}"));
            }
            done => return done,
        }
    }
}

impl<S: PartStore> Copying<'_, S> {
    /// Copies a source that was put in one request.
    async fn at_once(&self, part: &UploadedPart) -> Result<Stored, Cause> {
        let identity = Identity {
            nonce: Nonce::new(),
            size: part.size,
            crc64nvme: part.crc64nvme,
        };
        let attempts = Attempts::default();
        let request = self
            .target
            .copy(self.source, part.size, identity.nonce, &attempts);
        let (stored, is_confirmed) = match unless(self.context.cancel, request).await {
            Ok(Ok(copied)) => {
                let is_confirmed =
                    is_of(part, &copied).ok_or_else(|| self.cause(NotCopied::Differs))?;
                (copied.stored(), is_confirmed)
            }
            failed => {
                let cause = match failed {
                    Ok(Err(error)) => self.refused_at_once(error).await,
                    Err(cause) => cause,
                    Ok(Ok(_)) => Cause::Task,
                };
                if !attempts.has_unanswered() {
                    return Err(cause);
                }
                (look_up(self.target, &identity, cause).await?, false)
            }
        };
        self.context.progress.copied(part.size);
        if !is_confirmed {
            self.confirm(&identity).await?;
        }
        Ok(stored)
    }

    /// Copies part by part.
    async fn in_parts(&self) -> Result<Stored, Error> {
        let Self {
            target, context, ..
        } = *self;
        let session = session::begin(target, None, context).await?;
        let (copied, are_confirmed) = match self.copy_parts(&session).await {
            Ok(copied) => copied,
            Err(cause) => return Err(session::give_up(target, &session.id, cause, context).await),
        };
        let done = finish::complete(target, &session, &copied, context).await;
        context.cleanup.ended(&done);
        let stored = done.map_err(|error| match error.cause {
            Cause::Store(said) if said.is_other_parts() => Error {
                cause: self.cause(NotCopied::NotJoined(said)),
                ..error
            },
            _ => error,
        })?;
        if !are_confirmed {
            let (size, crc64nvme) = whole(&copied);
            let nonce = session.nonce;
            let identity = Identity {
                nonce,
                size,
                crc64nvme,
            };
            self.confirm(&identity).await?;
        }
        Ok(stored)
    }

    /// Copies all parts. Returns them, and whether the store confirmed the bytes of each.
    async fn copy_parts(&self, session: &Session) -> Result<(Vec<UploadedPart>, bool), Cause> {
        let slow_down = Arc::new(Notify::new());
        let mut start = 0;
        let mut waiting = self.parts.iter().map(|part| {
            let at = start;
            start += part.size;
            (at, part)
        });
        let (mut under_way, mut copied) = (FuturesUnordered::new(), Vec::new());
        let (mut allowed, mut is_slowed) = (START.min(self.concurrency), false);
        let mut are_confirmed = true;
        loop {
            while under_way.len() < allowed
                && let Some((at, part)) = waiting.next()
            {
                let attempts = Attempts::notifying(Arc::clone(&slow_down));
                under_way.push(self.copy_part(session, at, part, attempts));
            }
            tokio::select! {
                biased;
                () = self.context.cancel.cancelled() => return Err(Cause::Stopped),
                // Requests that are under way together are refused together.
                () = slow_down.notified() => if !is_slowed {
                    (allowed, is_slowed) = ((allowed / 2).max(1), true);
                },
                done = under_way.next() => {
                    let Some(done) = done else { break };
                    let (part, is_confirmed) = done?;
                    self.context.progress.copied(part.size);
                    copied.push(part);
                    are_confirmed &= is_confirmed;
                    (allowed, is_slowed) = ((allowed + 1).min(self.concurrency), false);
                }
            }
        }
        copied.sort_unstable_by_key(|part| part.number);
        Ok((copied, are_confirmed))
    }

    /// Copies a part, and tells whether the store confirmed its bytes.
    async fn copy_part(
        &self,
        session: &Session,
        start: u64,
        part: &UploadedPart,
        attempts: Attempts,
    ) -> Result<(UploadedPart, bool), Cause> {
        // A source of one part may be too small for ranges.
        let start = (self.parts.len() > 1).then_some(start);
        let request = self
            .target
            .copy_part(&session.id, self.source, start, part, &attempts);
        let copied = request.await.map_err(|error| self.refused(error))?;
        let is_confirmed = is_of(part, &copied);
        let is_confirmed =
            is_confirmed.ok_or_else(|| self.cause(NotCopied::PartDiffers(part.number)))?;
        let etag = copied.etag;
        let part = UploadedPart {
            etag,
            ..part.clone()
        };
        Ok((part, is_confirmed))
    }

    /// Asks what the store has of the copy, since it did not say enough when it copied. There is an object,
    /// so a push that is cancelled meanwhile must not end as if there were none.
    async fn confirm(&self, identity: &Identity) -> Result<(), Cause> {
        let mut looking = std::pin::pin!(tokio::time::timeout(LOOKING, self.target.head()));
        let looked = match unless(self.context.cancel, &mut looking).await {
            Ok(looked) => looked,
            Err(_) => tokio::time::timeout(CLEANUP, looking)
                .await
                .and_then(|looked| looked),
        };
        let head = match looked {
            Ok(Ok(Some(head))) if head.nonce == Some(identity.nonce) => head,
            Ok(Ok(_)) => return Err(self.cause(NotCopied::Unconfirmed(None))),
            Ok(Err(error)) => return Err(self.cause(NotCopied::Unconfirmed(Some(error)))),
            Err(_) => {
                let error = CallError::no_answer_within("HeadObject", LOOKING);
                return Err(self.cause(NotCopied::Unconfirmed(Some(error))));
            }
        };
        match head.crc64nvme {
            _ if head.size != identity.size => Err(self.cause(NotCopied::Differs)),
            Some(crc) if crc != identity.crc64nvme => Err(self.cause(NotCopied::Differs)),
            Some(_) => Ok(()),
            None if head.etag == self.source.etag => Ok(()),
            None => Err(self.cause(NotCopied::Unconfirmed(None))),
        }
    }

    /// Why the store refused to copy a whole object, which may also be that another object is there already.
    async fn refused_at_once(&self, error: CallError) -> Cause {
        let is_condition = error.code.as_deref() == Some("PreconditionFailed");
        if is_condition && self.target.keeps_existing() {
            // Only an answer that no object is there proves that the source is meant.
            let looking = tokio::time::timeout(LOOKING, self.target.head());
            if !matches!(looking.await, Ok(Ok(None))) {
                return Cause::Store(error);
            }
        }
        self.refused(error)
    }

    fn refused(&self, error: CallError) -> Cause {
        if error.code.is_none() || !error.is_final() {
            return Cause::Store(error);
        }
        self.cause(NotCopied::of(error, self.source.version.is_some()))
    }

    fn cause(&self, why: NotCopied) -> Cause {
        Cause::Copy(Box::new(why))
    }
}

impl NotCopied {
    /// Why the store refused for good. If the source `is_version`, it is read as one.
    pub(super) fn of(error: CallError, is_version: bool) -> Self {
        let is_part = error.operation == "UploadPartCopy";
        match error.code.as_deref().unwrap_or_default() {
            "NotImplemented" | "MethodNotAllowed" | "501" | "405" => Self::Unsupported(error),
            "PreconditionFailed" | "412" => Self::Replaced(error),
            "NoSuchKey" | "NoSuchVersion" | "NotFound" => Self::Missing(error),
            // The upload proves that the bucket of the copy is there.
            "NoSuchBucket" if is_part => Self::Missing(error),
            code if code == "AccessDenied" || code == "403" || code.starts_with("KMS.") => {
                match Lacking::of(&error, is_version) {
                    Some(lacking) => Self::Denied { lacking, error },
                    None => Self::Refused(error),
                }
            }
            _ => Self::Refused(error),
        }
    }
}

impl Lacking {
    /// Reads it from what the store says, which names the action in some cases ("Access denied (403
    /// Forbidden)", Amazon S3 user guide). None if it is no permission.
    fn of(error: &CallError, is_version: bool) -> Option<Self> {
        let said = |text: &str| error.message.contains(text);
        let read = if is_version {
            Self::ReadVersion
        } else {
            Self::Read
        };
        Some(match () {
            // S3 does not copy between regions on the way through an endpoint of a VPC.
            () if said("VPC") => return None,
            () if said("kms:GenerateDataKey") => Self::Encrypt,
            () if said("kms:") || said("ciphertext") => Self::Decrypt,
            () if said("s3:PutObject") => Self::Write,
            () if said("s3:GetObject") => read,
            // A copied part needs what the upload needed, and the source.
            () if error.operation == "UploadPartCopy" => read,
            () => Self::ReadOrWrite,
        })
    }
}

/// Whether the copied bytes are those of `part`: None if they are not, and false if the store does not say.
fn is_of(part: &UploadedPart, copied: &Copied) -> Option<bool> {
    let of_crc64 = copied.crc64nvme.map(|crc| crc == part.crc64nvme);
    let of_crc32 = copied
        .crc32
        .zip(part.crc32)
        .map(|(copied, sent)| copied == sent);
    match of_crc64.or(of_crc32) {
        Some(true) => Some(true),
        Some(false) => None,
        // An ETag that is no MD5, because of the encryption, is another one for the same bytes.
        None => Some(unquoted(&copied.etag) == unquoted(&part.etag)),
    }
}

fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}
