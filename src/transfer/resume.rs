//! Finds an unfinished upload to resume, and says why it takes none.
//!
//! Stored parts are compared by their bytes: a part is kept if its size and its CRC-64 are those of the
//! part that is made now, and sent again otherwise. So resuming can never make another object. But what an
//! upload was created with cannot be changed later, and parts of another program or of other options are
//! useless. The upload's [`UploadFingerprint`] says what it was made of, and where that differs the upload
//! is left alone.
//!
//! No upload is aborted here: neither one that differs, nor one that another push may still write to.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Cause, ListedPart, Lookup, Nonce, UnfinishedUpload, UploadFingerprint, UploadId};
use crate::notes::{Difference, NotResumed, Note, Notes, Reason};

/// Uploads of one key that are looked at, the newest first.
const LOOKED_AT: usize = 20;

/// An upload to which something was added within this time may be that of a push that still runs.
const RECENT: Duration = Duration::from_secs(120);

/// How to resume an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Whether the user says that there is an upload to resume, and that no other push writes to it.
    pub insist: bool,
    /// What is pushed now. Its headers are those of the store.
    pub fingerprint: UploadFingerprint,
    /// Bytes of each part.
    pub part_size: u64,
}

impl Resume {
    /// The fingerprint of what is pushed now to `store`.
    pub(super) fn fingerprint_for(&self, store: &impl Lookup) -> UploadFingerprint {
        self.fingerprint.with_headers(&store.creation_headers())
    }
}

/// An upload that can be resumed.
pub(super) struct Candidate {
    pub(super) id: UploadId,
    pub(super) nonce: Nonce,
    /// Its parts, without those of the fingerprint.
    pub(super) parts: Vec<ListedPart>,
    is_same_plan: bool,
}

/// The upload that has most of what is pushed now. None if none can be resumed, which the notes explain.
///
/// # Errors
///
/// [`Cause::NotResumed`] if the user insists, and there are uploads that cannot be resumed.
pub(super) async fn find(
    store: &impl Lookup,
    resume: &Resume,
    notes: &Notes,
) -> Result<Option<Candidate>, Cause> {
    let mut uploads = match store.uploads().await {
        Ok(uploads) => uploads,
        Err(error) => {
            notes.add(format!(
                "nothing was resumed, since unfinished uploads cannot be listed: {error}"
            ));
            return Ok(None);
        }
    };
    uploads.sort_by_key(|upload| Reverse(upload.initiated.unwrap_or(UNIX_EPOCH)));
    let wanted = resume.fingerprint_for(store);
    let (mut candidates, mut refused) = (Vec::new(), Vec::new());
    for upload in uploads.into_iter().take(LOOKED_AT) {
        let id = upload.id.0.clone();
        let judged = match store.parts(&upload.id).await {
            Err(error) => Err(Reason::Unlisted(error.to_string())),
            // Its push ended before it stored the fingerprint, or has only just begun.
            Ok(parts) if is_empty(&parts) => {
                notes.add(Note::EmptyUpload(id));
                continue;
            }
            Ok(parts) => judge(resume, &wanted, upload, parts),
        };
        match judged {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => refused.push(NotResumed { upload: id, reason }),
        }
    }
    // Of several that are equally good, the newest is taken: it comes first, and `max_by_key` takes the last.
    let best = candidates.into_iter().rev().max_by_key(|candidate| {
        let sizes = candidate.parts.iter().map(|part| part.size);
        (candidate.is_same_plan, sizes.sum::<u64>())
    });
    match best {
        Some(best) if best.is_same_plan => return Ok(Some(best)),
        Some(best) => {
            notes.add(
                "the source changed since the upload that is resumed began: parts that differ are \
                 sent again",
            );
            return Ok(Some(best));
        }
        None if !resume.insist => {
            let refused = refused.into_iter().map(Note::NotResumed);
            refused.for_each(|note| notes.add(note));
        }
        None if refused.is_empty() => {
            notes.add("nothing was resumed: there is no unfinished upload of this key");
        }
        None => return Err(Cause::NotResumed(refused)),
    }
    Ok(None)
}

/// Whether an upload has neither a fingerprint nor parts of an archive.
fn is_empty(parts: &[ListedPart]) -> bool {
    let mut numbers = parts.iter().map(|part| part.number);
    UploadFingerprint::read(parts).is_none() && numbers.all(UploadFingerprint::is_stored_in)
}

/// Whether an upload can be resumed, or why not.
fn judge(
    resume: &Resume,
    wanted: &UploadFingerprint,
    upload: UnfinishedUpload,
    mut parts: Vec<ListedPart>,
) -> Result<Candidate, Reason> {
    let (fingerprint, nonce) = UploadFingerprint::read(&parts).ok_or(Reason::NoFingerprint)?;
    let times = parts.iter().filter_map(|part| part.modified);
    let newest = times.chain(upload.initiated).max().unwrap_or(UNIX_EPOCH);
    parts.retain(|part| !UploadFingerprint::is_stored_in(part.number));
    // Only the last part may be shorter.
    let last = parts.iter().map(|part| part.number).max();
    let is_other_size = |part: &ListedPart| {
        part.size > resume.part_size || part.size < resume.part_size && Some(part.number) != last
    };
    let differences: Vec<Difference> = [
        (fingerprint.program != wanted.program, Difference::Program),
        (fingerprint.options != wanted.options, Difference::Options),
        (fingerprint.headers != wanted.headers, Difference::Headers),
        (parts.iter().any(is_other_size), Difference::PartSize),
    ]
    .into_iter()
    .filter_map(|(differs, what)| differs.then_some(what))
    .collect();
    if !differences.is_empty() {
        return Err(Reason::Differs(differences));
    }
    // A time in the future, by a clock that is ahead, is recent too.
    let age = SystemTime::now().duration_since(newest).unwrap_or_default();
    if !resume.insist && age < RECENT {
        return Err(Reason::Recent(RECENT.as_secs()));
    }
    Ok(Candidate {
        is_same_plan: fingerprint.plan == wanted.plan,
        id: upload.id,
        nonce,
        parts,
    })
}
