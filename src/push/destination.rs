//! Where a revision goes, and what is done there before and after the upload.
//!
//! A destination is one object in one store, and one application that the revision is registered
//! with. Everything that depends on the place is here, so that a push can serve several of them.

use std::sync::Arc;

use super::preflight::{self, Preflight};
use super::receipt::{Receipt, VerifyError};
use super::{Error, Request};
use crate::aws::codedeploy::{self, Registrar, Registration, Revision};
use crate::aws::s3::{S3Location, S3Object, Stored};
use crate::bundle::Content;
use crate::cancel::Cancel;
use crate::notes::Notes;
use crate::progress::{Phase, Progress};
use crate::transfer;
use crate::verify::Report;

/// Where a revision goes.
#[derive(Debug)]
pub struct Destination<S> {
    /// Stores the object. It knows the object's key and options.
    pub store: Arc<S>,
    /// What the object is called.
    pub location: S3Location,
    /// What to ask before anything is sent; None asks nothing.
    pub preflight: Option<Preflight>,
    /// Reads the object back before it is registered; None registers it unread.
    pub verification: Option<S3Object>,
    /// Registers the object as a revision; None only stores it.
    pub registrar: Option<Registrar>,
    /// The region, which names the destination in messages.
    pub region: String,
    /// The destination whose object S3 copies here, as its index among all. None: the object is uploaded.
    pub copy_from: Option<usize>,
}

/// Where a revision goes: one destination, or several that get the same archive in one pass.
#[derive(Debug)]
pub struct Destinations<S> {
    /// All of them.
    pub all: Vec<Destination<S>>,
    /// Whether the others are finished if one fails, from the checks before the upload on. Otherwise one
    /// failure ends all.
    pub keep_going: bool,
}

/// Why several destinations cannot be served in one push. Destinations count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDestinations {
    /// There is no destination.
    #[error("there is no destination")]
    Nowhere,
    /// The object of a destination that does not exist is to be copied.
    #[error("destination {0} copies the object of a destination that does not exist")]
    NoSource(usize),
    /// The object of a destination is to be copied that is itself a copy, perhaps of this one.
    #[error(
        "destination {0} copies the object of a destination that is itself a copy: name one that is \
         uploaded"
    )]
    CopyOfCopy(usize),
}

impl<S> Destinations<S> {
    /// Whether the object of each copy is uploaded.
    pub(super) fn check(&self) -> Result<(), BadDestinations> {
        if self.all.is_empty() {
            return Err(BadDestinations::Nowhere);
        }
        for (index, destination) in self.all.iter().enumerate() {
            match destination.copy_from.map(|from| self.all.get(from)) {
                Some(None) => return Err(BadDestinations::NoSource(index + 1)),
                Some(Some(from)) if from.copy_from.is_some() => {
                    return Err(BadDestinations::CopyOfCopy(index + 1));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What messages call a destination: its region, or the object if there is another in the region.
    pub(super) fn name(&self, index: usize) -> String {
        let Some(destination) = self.all.get(index) else {
            return String::new();
        };
        let region = &destination.region;
        let there = self.all.iter().filter(|one| one.region == *region).count();
        match there == 1 && !region.is_empty() {
            true => region.clone(),
            false => destination.location.to_string(),
        }
    }
}

impl<S> From<Destination<S>> for Destinations<S> {
    fn from(one: Destination<S>) -> Self {
        Self {
            all: vec![one],
            keep_going: false,
        }
    }
}

impl<S> Destination<S> {
    /// A destination that stores the object and does nothing else.
    pub fn new(store: S, location: S3Location) -> Self {
        Self {
            store: Arc::new(store),
            location,
            preflight: None,
            verification: None,
            registrar: None,
            region: String::new(),
            copy_from: None,
        }
    }

    /// Asks whether a push can succeed here.
    pub(super) async fn preflight(&self, request: &Request, notes: &Notes) -> Result<(), Error> {
        let Some(preflight) = &self.preflight else {
            return Ok(());
        };
        let application = self.registrar.as_ref().map(|to| to.application.as_str());
        // Boxed like the other requests, whose futures are too large for the stack of a thread.
        let checked = Box::pin(preflight.run(&self.location, application, notes)).await;
        checked.map_err(|error| match error {
            // The text of `aws deploy push`, which learns of it when it uploads.
            preflight::Error::Bucket(error) => {
                let error = transfer::Cause::Store(error).into();
                self.upload_failed(request, error)
            }
            error => Error::Preflight(error),
        })
    }

    /// The object that was stored here, as a revision.
    pub(super) fn revision(&self, content: Content, stored: Stored) -> Revision {
        Revision {
            location: self.location.clone(),
            bundle: content.bundle_type(),
            stored,
        }
    }

    pub(super) fn upload_failed(&self, request: &Request, error: transfer::Error) -> Error {
        Error::Upload {
            source_dir: request.source.path.clone(),
            location: self.location.clone(),
            error: Box::new(error),
        }
    }

    /// Reads the stored object back and compares it with what was sent, if that is wanted.
    pub(super) async fn verify(
        &self,
        revision: &Revision,
        receipt: &Receipt,
        progress: &Arc<Progress>,
        cancel: &Cancel,
    ) -> Result<Option<Report>, Error> {
        let Some(object) = &self.verification else {
            return Ok(None);
        };
        progress.enter(Phase::Verifying);
        let comparing = Box::pin(receipt.compare(object, &revision.stored, progress));
        let compared = cancel.run_until_cancelled(comparing).await;
        match compared.unwrap_or(Err(VerifyError::Stopped)) {
            Ok(report) => Ok(Some(report)),
            Err(error) => Err(Error::Verify {
                error,
                revision: Box::new(revision.clone()),
            }),
        }
    }

    /// Registers the stored object as a revision, if that is wanted.
    pub(super) async fn register(
        &self,
        revision: &Revision,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        let Some(registrar) = &self.registrar else {
            return Ok(());
        };
        progress.enter(Phase::Registering);
        let registration = Registration::from(revision);
        let registering = Box::pin(registrar.register(&registration));
        let error = match cancel.run_until_cancelled(registering).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => error.into(),
            None => codedeploy::Error::Stopped,
        };
        Err(Error::Register {
            error,
            revision: Box::new(revision.clone()),
        })
    }

    /// Puts the manifest into its place, once everything else is done.
    pub(super) fn persist(&self, receipt: Receipt, revision: &Revision) -> Result<(), Error> {
        receipt.persist().map_err(|error| match self.registrar {
            Some(_) => Error::Persist {
                error,
                revision: Box::new(revision.clone()),
            },
            None => Error::Manifest(error),
        })
    }
}
