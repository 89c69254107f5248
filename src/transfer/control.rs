//! Who watches an upload, who may stop it, and what is left if nobody waits for its end.

use std::sync::{Arc, Mutex, PoisonError};

use crate::archive::pack::LinkFeedback;
use crate::cancel::Cancel;

use super::{Error, Stored};
use crate::notes::Notes;
use crate::progress::Progress;

/// What an upload tells and is told while it goes on.
#[derive(Clone, Copy, Debug)]
pub struct UploadContext<'a> {
    /// Counts what is sent.
    pub progress: &'a Progress,
    /// Stops it.
    pub cancel: &'a Cancel,
    /// Gets what is no error.
    pub notes: &'a Notes,
    /// Knows what to clean up by hand.
    pub underway: &'a CleanupHint,
    /// Tells the packer how requests for parts fare.
    pub link: &'a LinkFeedback,
}

/// What there is to clean up by hand if the process ends at this moment. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct CleanupHint(Arc<Mutex<Option<String>>>);

impl CleanupHint {
    /// What to do, in a sentence; None if nothing is under way.
    #[must_use]
    pub fn left(&self) -> Option<String> {
        self.lock().clone()
    }

    /// A request that begins an upload is on its way; its name is not known yet.
    pub(super) fn beginning(&self, uploads_command: &str) {
        *self.lock() = Some(format!(
            "an upload may have been begun, and its parts stay stored and billed; to see it, run: \
             {uploads_command}"
        ));
    }

    /// An upload is under way.
    pub(super) fn began(&self, abort_command: &str) {
        *self.lock() = Some(format!(
            "the upload was not aborted, and its parts are still stored and billed; to remove them, \
             run: {abort_command}"
        ));
    }

    /// Nothing is.
    pub(super) fn none(&self) {
        *self.lock() = None;
    }

    /// It ended. What could not be aborted is still there.
    pub(super) fn ended(&self, done: &Result<Stored, Error>) {
        if !matches!(done, Err(Error { left: Some(_), .. })) {
            self.none();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
