//! What surrounds an upload: who counts, who may cancel, and what is left behind if the process ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Error, Stored, UploadId};
use crate::archive::pack::LinkFeedback;
use crate::cancel::Cancel;
use crate::notes::Notes;
use crate::progress::Progress;

/// What an upload reports to, and what cancels it.
#[derive(Clone, Copy, Debug)]
pub struct UploadContext<'a> {
    /// Counts what is sent.
    pub progress: &'a Progress,
    /// Cancels the upload.
    pub cancel: &'a Cancel,
    /// Gets what the user should know and is no error.
    pub notes: &'a Notes,
    /// Knows what would have to be cleaned up.
    pub cleanup: &'a CleanupHint,
    /// Tells the packer how requests for parts fare.
    pub link: &'a LinkFeedback,
}

/// What would have to be cleaned up by hand if the process ended now. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct CleanupHint {
    uploads: Arc<Mutex<BTreeMap<usize, Unfinished>>>,
    destination: usize,
}

/// An upload that the end of the process would leave behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A request that creates an upload is on its way. The upload's id is not known yet.
    MayHaveBegun,
    /// This upload is under way.
    Begun(UploadId),
}

impl CleanupHint {
    /// What would be left behind in each destination that is under way, with its index among all.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(usize, Unfinished)> {
        let uploads = self.lock();
        let uploads = uploads.iter().map(|(&index, one)| (index, one.clone()));
        uploads.collect()
    }

    /// The hint to which the upload to the destination with this index tells what it leaves.
    #[must_use]
    pub fn of_destination(&self, index: usize) -> Self {
        Self {
            destination: index,
            ..self.clone()
        }
    }

    pub(super) fn beginning(&self) {
        self.lock()
            .insert(self.destination, Unfinished::MayHaveBegun);
    }

    pub(super) fn begun(&self, upload: &UploadId) {
        let begun = Unfinished::Begun(upload.clone());
        self.lock().insert(self.destination, begun);
    }

    /// The upload of this destination that is under way.
    pub(super) fn upload(&self) -> Option<UploadId> {
        match self.lock().get(&self.destination) {
            Some(Unfinished::Begun(upload)) => Some(upload.clone()),
            Some(Unfinished::MayHaveBegun) | None => None,
        }
    }

    pub(super) fn clear(&self) {
        self.lock().remove(&self.destination);
    }

    /// The upload ended. If it could not be aborted, it is still there.
    pub(super) fn ended(&self, done: &Result<Stored, Error>) {
        if !matches!(done, Err(Error { left: Some(_), .. })) {
            self.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Unfinished>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
