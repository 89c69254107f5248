//! Finds an unfinished upload to go on with, and says why it takes none.
//!
//! What is stored is compared by its bytes: a part is kept if its size and its CRC-64 are those of the
//! part that is made now, and sent again otherwise. So going on can never make another object. But what
//! an upload was created with cannot be changed any more, and parts of another program or other options
//! are of no use; the [`UploadFingerprint`] of an upload says what it is of, and where that differs it is left alone.
//!
//! Nothing of others is aborted: not what differs, and not what somebody may still be writing.

use super::begin::{Upload, now};
use super::{ANSWER, Caller, Cause, ListedPart, PartStore, UnfinishedUpload, UploadFingerprint};
use crate::notes::Notes;

/// Uploads of one key that are looked at, the newest first.
const LOOKED_AT: usize = 20;

/// An upload to which something was added more recently, in seconds, may be somebody else's.
const ALIVE: i64 = 120;

/// How to go on with an upload that was not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The user says that there is one, and that nobody else writes to it.
    pub insist: bool,
    /// What is pushed now. The store knows the headers.
    pub mark: UploadFingerprint,
    /// Bytes of each of its parts.
    pub part_size: u64,
}

impl Resume {
    /// What is pushed now, and where it goes.
    pub(super) fn mark<S: PartStore>(&self, store: &S) -> UploadFingerprint {
        UploadFingerprint {
            headers: UploadFingerprint::digest(store.headers().as_bytes()),
            ..self.mark
        }
    }
}

/// One that could be gone on with.
struct Candidate {
    upload: UnfinishedUpload,
    parts: Vec<ListedPart>,
    nonce: super::Nonce,
    same_plan: bool,
}

/// The upload that has most of what is pushed now. None if there is none, which the notes explain.
///
/// # Errors
///
/// [`Cause::Resume`] if the user insists, and there are some that differ.
pub(super) async fn find<S: PartStore>(
    store: &S,
    retries: &Caller,
    resume: &Resume,
    notes: &Notes,
) -> Result<Option<Upload>, Cause> {
    let listed = retries.ask("ListMultipartUploads", ANSWER, || store.uploads());
    let mut uploads = match listed.await {
        Ok(uploads) => uploads,
        Err(error) => {
            notes.add(format!(
                "nothing was resumed, since unfinished uploads cannot be listed: {error}"
            ));
            return Ok(None);
        }
    };
    uploads.sort_by_key(|upload| std::cmp::Reverse(upload.at));
    let (mut candidates, mut refused) = (Vec::new(), Vec::new());
    for upload in uploads.into_iter().take(LOOKED_AT) {
        let parts = retries.ask("ListParts", ANSWER, || store.parts(&upload.id));
        match parts.await {
            Err(error) => refused.push(format!(
                "the unfinished upload {} was not resumed, since its parts cannot be listed: {error}",
                upload.id.0
            )),
            // Killed before it said what it is, or just begun by somebody else.
            Ok(parts)
                if UploadFingerprint::read(&parts).is_none()
                    && parts.iter().all(|part| UploadFingerprint::is_note(part.number)) =>
            {
                notes.add(format!(
                    "the unfinished upload {} has no parts to go on with; if nobody else is about to \
                     send some, remove it: {}",
                    upload.id.0,
                    store.abort_command(&upload.id)
                ));
            }
            Ok(parts) => match judge(resume, &resume.mark(store), upload, parts) {
                Ok(candidate) => candidates.push(candidate),
                Err((upload, why)) => refused.push(format!(
                    "the unfinished upload {} was not resumed, since {why}; if nobody else needs it, \
                     remove it: {}",
                    upload.id.0,
                    store.abort_command(&upload.id)
                )),
            },
        }
    }
    // The newest comes first, and of several that are as good the first stays.
    let best = candidates.into_iter().rev().max_by_key(|candidate| {
        let stored = candidate.parts.iter().map(|part| part.size);
        (candidate.same_plan, stored.sum::<u64>())
    });
    match best {
        Some(best) => {
            if !best.same_plan {
                notes.add(
                    "the source changed since the upload that is resumed began: parts that differ are \
                     sent retry_advice",
                );
            }
            Ok(Some(Upload::resumed(
                best.upload.id,
                best.nonce,
                best.parts,
            )))
        }
        None if refused.is_empty() => {
            if resume.insist {
                notes.add("nothing was resumed: there is no unfinished upload of this key");
            }
            Ok(None)
        }
        None if resume.insist => Err(Cause::Resume(format!(
            "{}; to begin anew beside it, push with --resume=auto",
            refused.join("; ")
        ))),
        None => {
            refused.into_iter().for_each(|why| notes.add(why));
            Ok(None)
        }
    }
}

/// Whether an upload can be gone on with, or why not.
fn judge(
    resume: &Resume,
    wanted: &UploadFingerprint,
    upload: UnfinishedUpload,
    parts: Vec<ListedPart>,
) -> Result<Candidate, (UnfinishedUpload, String)> {
    let Some((mark, nonce)) = UploadFingerprint::read(&parts) else {
        let why = "it was not begun by hoist push --resume, or not by the store with CRC-64/NVME";
        return Err((upload, why.to_owned()));
    };
    let newest = parts.iter().map(|part| part.at).fold(upload.at, i64::max);
    let parts: Vec<ListedPart> = parts
        .into_iter()
        .filter(|part| !UploadFingerprint::is_note(part.number))
        .collect();
    // The last part is shorter.
    let last = parts.iter().map(|part| part.number).max();
    let other_size = parts.iter().find(|part| {
        part.size > resume.part_size || part.size < resume.part_size && Some(part.number) != last
    });
    let differences: Vec<&str> = [
        (mark.program != wanted.program).then_some("another version of hoist packed it"),
        (mark.options != wanted.options)
            .then_some("--level or the kind of bundle, which shape its bytes, are others"),
        (mark.headers != wanted.headers).then_some(
            "the object's encryption, class, ACL, tags or metadata, which are set when it begins, \
             are others",
        ),
        other_size.map(|_| "its parts have another size"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !differences.is_empty() {
        return Err((upload, differences.join(", and ")));
    }
    if !resume.insist && now().saturating_sub(newest) < ALIVE {
        return Err((
            upload,
            format!(
                "something was added to it less than {ALIVE} seconds ago, so that another push may be \
                 at it (--resume takes it nevertheless)"
            ),
        ));
    }
    Ok(Candidate {
        same_plan: mark.plan == wanted.plan,
        upload,
        parts,
        nonce,
    })
}
