//! Words for the user, which are not errors: what was not checked, and what went otherwise than usual.

use std::sync::{Arc, Mutex, PoisonError};

/// Words for the user, which are not errors. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// Adds one.
    pub fn add(&self, note: impl Into<String>) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(note.into());
    }

    /// Gives all that were added since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
