//! One push to all of its destinations, and how far it has come in each.
//!
//! The push goes on in phases: no destination enters a phase before all have left the one before. A
//! failure ends the push everywhere, or, if it is to keep going, only where it happened.

use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, iter};

use super::outcome::{Outcome, Reached, Several};
use super::prepare::{Prepared, prepare};
use super::receipt::{Receipt, VerifyError};
use super::{Delivered, Destination, Destinations, Error, Observer, Request};
use crate::aws::codedeploy::Revision;
use crate::aws::s3::UploadedPart;
use crate::cancel::Cancel;
use crate::notes::Place;
use crate::transfer::{Leftover, PartStore, abandon};
use crate::verify::Report;

/// Objects that are read back at a time: each takes 40 MiB, after those of packing are free again.
const VERIFIED_AT_ONCE: usize = 3;

/// Why a phase ended the push.
#[derive(Debug)]
pub(super) enum End {
    /// What concerns all destinations: the source, the packer, the user.
    Everywhere(Error),
    /// The error of a destination.
    There,
}

/// The push to one destination.
pub(super) struct Delivery<'a, S> {
    pub(super) destination: &'a Destination<S>,
    /// What happens here is told to this one.
    pub(super) observer: Observer,
    /// Whether the object is to be copied to another destination.
    pub(super) is_source: bool,
    /// How often the upload began again.
    pub(super) restarts: usize,
    pub(super) stored: Option<Object>,
    verified: Option<Report>,
    is_registered: bool,
    /// Why the push came no further here.
    pub(super) error: Option<Error>,
    /// The upload that could not be aborted after a failure elsewhere.
    pub(super) left: Option<Leftover>,
}

/// A stored object.
pub(super) struct Object {
    pub(super) revision: Revision,
    /// Which of the receipts is that of its archive.
    pub(super) receipt: usize,
    /// The parts of its upload, if it is to be copied.
    pub(super) parts: Vec<UploadedPart>,
}

/// The push to all destinations.
pub(super) struct Deliveries<'a, S> {
    pub(super) all: Vec<Delivery<'a, S>>,
    pub(super) keep_going: bool,
    /// Of each archive that was packed: there are several if an upload began again.
    pub(super) receipts: Vec<Receipt>,
}

impl<'a, S> Delivery<'a, S> {
    fn new(destination: &'a Destination<S>, observer: Observer, is_source: bool) -> Self {
        Self {
            destination,
            observer,
            is_source,
            restarts: 0,
            stored: None,
            verified: None,
            is_registered: false,
            error: None,
            left: None,
        }
    }

    /// Whether the archive is still to be uploaded here.
    pub(super) fn is_to_upload(&self) -> bool {
        self.destination.copy_from.is_none() && self.error.is_none() && self.stored.is_none()
    }

    /// The object that is stored here, unless the push failed here.
    pub(super) fn object(&self) -> Option<&Object> {
        self.stored.as_ref().filter(|_| self.error.is_none())
    }

    fn into_outcome(self) -> Outcome {
        let left = self.left;
        let stopped = left.map(|left| Error::Stopped { left: Some(left) });
        Outcome {
            region: self.destination.region.clone(),
            location: self.destination.location.clone(),
            reached: match self.stored {
                None => Reached::Nothing,
                Some(Object { revision, .. }) if self.is_registered => {
                    Reached::Registered(Delivered {
                        revision,
                        verified: self.verified,
                    })
                }
                Some(Object { revision, .. }) => Reached::Stored(revision),
            },
            error: self.error.or(stopped),
        }
    }
}

impl<'a, S> Deliveries<'a, S> {
    /// A push that has not begun.
    pub(super) fn new(destinations: &'a Destinations<S>, observer: &Observer) -> Self {
        let several = destinations.all.len() > 1;
        let delivery = |(index, destination): (usize, &'a Destination<S>)| {
            let mut here = observer.clone();
            here.cleanup = observer.cleanup.of_destination(index);
            if several {
                let name = destinations.name(index);
                here.notes = observer.notes.of(Place { index, name });
            }
            let is_copied = |other: &Destination<S>| other.copy_from == Some(index);
            Delivery::new(destination, here, destinations.all.iter().any(is_copied))
        };
        Self {
            all: destinations.all.iter().enumerate().map(delivery).collect(),
            keep_going: destinations.keep_going,
            receipts: Vec::new(),
        }
    }

    /// Whether the push goes on after what has happened.
    pub(super) fn go_on(&self) -> Result<(), End> {
        let failed = self.all.iter().filter(|one| one.error.is_some()).count();
        match failed {
            0 => Ok(()),
            some if self.keep_going && some < self.all.len() => Ok(()),
            _ => Err(End::There),
        }
    }

    /// Fails each copy whose object failed, since there is nothing to copy.
    pub(super) fn fail_copies_of_failures(&mut self) {
        for index in 0..self.all.len() {
            let from = self.all[index].destination.copy_from;
            let Some(from) = from.and_then(|from| self.all.get(from)) else {
                continue;
            };
            if from.error.is_some() && self.all[index].error.is_none() {
                let from = from.destination.location.clone();
                let location = self.all[index].destination.location.clone();
                self.all[index].error = Some(Error::NothingToCopy { from, location });
            }
        }
    }

    /// Checks the source while all destinations are asked, and tells of all that is wrong.
    pub(super) async fn prepare(
        &mut self,
        request: &Request,
        observer: &Observer,
        cancel: &Cancel,
    ) -> Result<Prepared, End> {
        let uploads = self.all.iter().filter(|one| one.is_to_upload()).count();
        let alone = self.all.len() == 1;
        let ask = |one: &Delivery<'a, S>| {
            let destination = one.destination;
            let notes = one.observer.notes.clone();
            async move { destination.preflight(request, &notes).await }
        };
        let asking = join_all(self.all.iter().map(ask));
        let mut asking = std::pin::pin!(cancel.run_until_cancelled(asking));
        let mut reading = std::pin::pin!(prepare(request, uploads, observer, cancel));
        let (read, asked) = tokio::select! {
            read = &mut reading => match read {
                Err(error) if alone => return Err(End::Everywhere(error)),
                read => (read, asking.await),
            },
            asked = &mut asking => (reading.await, asked),
        };
        let answers = asked.unwrap_or_default();
        let cancelled = answers.is_empty();
        for (one, answer) in self.all.iter_mut().zip(answers) {
            one.error = answer.err();
        }
        let prepared = read.map_err(End::Everywhere)?;
        if cancelled {
            return Err(End::Everywhere(Error::Stopped { left: None }));
        }
        self.fail_copies_of_failures();
        self.go_on()?;
        Ok(prepared)
    }

    /// Reads the objects back, where that is wanted.
    pub(super) async fn verify(&mut self, observer: &Observer, cancel: &Cancel) -> Result<(), End> {
        let (child, keep_going, receipts) = (cancel.child(), self.keep_going, &self.receipts);
        let progress = &observer.progress;
        let mut reading = Vec::new();
        for (index, one) in self.all.iter().enumerate() {
            let Some(object) = one.object() else {
                continue;
            };
            let Some(receipt) = receipts.get(object.receipt) else {
                continue;
            };
            let child = &child;
            reading.push(Box::pin(async move {
                let verifying = one
                    .destination
                    .verify(&object.revision, receipt, progress, child);
                let verified = verifying.await;
                if verified.is_err() && !keep_going {
                    child.cancel();
                }
                (index, verified)
            }));
        }
        let read = iter(reading).buffer_unordered(VERIFIED_AT_ONCE);
        let read: Vec<_> = read.collect().await;
        for (index, verified) in read {
            let Some(one) = self.all.get_mut(index) else {
                continue;
            };
            let is_echo = |error: &Error| {
                let error = matches!(
                    error,
                    Error::Verify {
                        error: VerifyError::Stopped,
                        ..
                    }
                );
                error && !cancel.is_cancelled()
            };
            match verified {
                Ok(report) => one.verified = report,
                Err(error) if is_echo(&error) => {}
                Err(error) => one.error = Some(error),
            }
        }
        self.go_on()
    }

    /// Registers the revisions. All destinations are tried, since every object is there.
    pub(super) async fn register(
        &mut self,
        observer: &Observer,
        cancel: &Cancel,
    ) -> Result<(), End> {
        let progress = &observer.progress;
        let registering = self.all.iter_mut().map(async |one| {
            let Some(object) = one.stored.as_ref().filter(|_| one.error.is_none()) else {
                return;
            };
            let registering = one.destination.register(&object.revision, progress, cancel);
            match registering.await {
                Ok(()) => one.is_registered = true,
                Err(error) => one.error = Some(error),
            }
        });
        join_all(registering).await;
        match self.all.iter().any(|one| one.is_registered) {
            true => Ok(()),
            false => Err(End::There),
        }
    }

    /// Puts the manifest into its place, once everything else is done.
    pub(super) fn persist(&mut self) -> Result<(), End> {
        let registered = self.all.iter().find(|one| one.is_registered);
        let object = registered.and_then(|one| Some((one.destination, one.stored.as_ref()?)));
        let Some((destination, object)) = object else {
            return Ok(());
        };
        let mut receipts = std::mem::take(&mut self.receipts).into_iter();
        let receipt = receipts.nth(object.receipt);
        let persisted = receipt.map_or(Ok(()), |receipt| {
            destination.persist(receipt, &object.revision)
        });
        persisted.map_err(End::Everywhere)
    }

    /// Aborts the uploads of a push that panicked.
    pub(super) async fn abandon(&self)
    where
        S: PartStore,
    {
        let abandoning = self.all.iter().map(|one| {
            let store = &*one.destination.store;
            abandon(store, &one.observer.cleanup)
        });
        join_all(abandoning).await;
    }

    /// What each destination has, if every one has what it should.
    pub(super) fn finish(self) -> Result<Vec<Delivered>, Error> {
        if self.all.iter().all(|one| one.is_registered) {
            let delivered = self.all.into_iter().filter_map(|one| {
                one.stored.map(|object| Delivered {
                    revision: object.revision,
                    verified: one.verified,
                })
            });
            return Ok(delivered.collect());
        }
        Err(self.fail(End::There))
    }

    /// The error of a push that ended.
    pub(super) fn fail(mut self, end: End) -> Error {
        let everywhere = match end {
            End::Everywhere(error) => Some(error),
            End::There => {
                self.fail_copies_of_failures();
                None
            }
        };
        if self.all.len() > 1 {
            let outcomes = self.all.into_iter().map(Delivery::into_outcome);
            return Error::Several(Box::new(Several {
                source: everywhere.map(Box::new),
                outcomes: outcomes.collect(),
            }));
        }
        let Some(one) = self.all.into_iter().next() else {
            return everywhere.unwrap_or(Error::Panic);
        };
        let left = one.error.as_ref().and_then(Error::left).cloned();
        let left = left.or(one.left);
        match (everywhere, one.error) {
            (Some(Error::Pack { error, .. }), _) => Error::Pack { error, left },
            (Some(Error::Stopped { .. }), _) => Error::Stopped { left },
            (Some(error), _) | (None, Some(error)) => error,
            (None, None) => Error::Panic,
        }
    }
}
