//! What the user should know although it is no error: what was not checked, and what happened otherwise
//! than usual. Notes that lead to a command or an option hold facts; the command line words them.

use std::sync::{Arc, Mutex, PoisonError};

/// Collects notes. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    all: Arc<Mutex<Vec<Note>>>,
    of: Option<Place>,
}

impl Notes {
    /// Adds a note.
    pub fn add(&self, note: impl Into<Note>) {
        let note = note.into();
        let note = match self.of.clone() {
            Some(place) => Note::Of(place, Box::new(note)),
            None => note,
        };
        let mut notes = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(note);
    }

    /// The same collection for what happens in one of several destinations.
    #[must_use]
    pub fn of(&self, place: Place) -> Self {
        Self {
            all: Arc::clone(&self.all),
            of: Some(place),
        }
    }

    /// Returns all notes that were added since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One of several destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its index among all.
    pub index: usize,
    /// What messages call it.
    pub name: String,
}

/// One of them. Uploads are named by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A sentence that needs no advice.
    Text(String),
    /// The answer to a request that creates an upload was lost, so there may be a second, empty upload.
    LostCreate {
        /// Recent unfinished uploads of the key, of which one may be that. None: they cannot be listed.
        others: Option<Vec<String>>,
    },
    /// An unfinished upload has no parts, so there is nothing to resume.
    EmptyUpload(String),
    /// An unfinished upload was not resumed.
    NotResumed(NotResumed),
    /// A note of one of several destinations.
    Of(Place, Box<Note>),
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Note {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// An unfinished upload that was not resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotResumed {
    /// Its id.
    pub upload: String,
    /// Why not.
    pub reason: Reason,
}

/// Why an upload was not resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its parts cannot be listed, for this reason.
    Unlisted(String),
    /// It holds no fingerprint, or one that the store cannot give back.
    NoFingerprint,
    /// Its bytes, or the object that it would become, would be others.
    Differs(Vec<Difference>),
    /// Something was added to it less than so many seconds ago, so another push may be writing to it.
    Recent(u64),
}

/// What differs between an unfinished upload and this push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The version of hoist that packs.
    Program,
    /// The options that shape the archive's bytes.
    Options,
    /// The headers with which the object is created.
    Headers,
    /// The size of the parts.
    PartSize,
}
