//! Packs once and uploads to all destinations at the same time, then completes the objects.
//!
//! An upload that S3 asks to start again is the only one that does: the archive is packed again for it, and
//! the others stay as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::delivery::{Deliveries, Delivery, End, Object};
use super::fingerprint::fingerprint;
use super::prepare::{Prepared, on_a_thread};
use super::receipt::{Receipt, Recorder};
use super::{Error, Observer, Request, Resume};
use crate::archive::pack::{self, LevelPolicy, LinkFeedback, Packed, Part};
use crate::aws::s3::{Stored, UploadedPart};
use crate::cancel::Cancel;
use crate::progress::Progress;
use crate::transfer::{self, Cause, FanOut, PartStore, Transferred};

impl<S: PartStore> Deliveries<'_, S> {
    /// Packs and uploads, and makes the parts objects once every upload is whole.
    pub(super) async fn upload(
        &mut self,
        request: &Request,
        prepared: &Arc<Prepared>,
        observer: &Observer,
        cancel: &Cancel,
    ) -> Result<Packed, End> {
        loop {
            let packed = self.round(request, prepared, observer, cancel).await?;
            self.go_on()?;
            if !self.all.iter().any(Delivery::is_to_upload) {
                return Ok(packed);
            }
        }
    }

    async fn round(
        &mut self,
        request: &Request,
        prepared: &Arc<Prepared>,
        observer: &Observer,
        cancel: &Cancel,
    ) -> Result<Packed, End> {
        let round = Round {
            request,
            prepared,
            is_shared: self
                .all
                .iter()
                .filter(|one| one.destination.copy_from.is_none())
                .count()
                > 1,
            keep_going: self.keep_going,
        };
        let uploading: Vec<&Delivery<'_, S>> =
            self.all.iter().filter(|one| one.is_to_upload()).collect();
        let (packed, stored) = round.run(&uploading, observer, cancel).await?;
        self.settle(request, packed, stored, cancel)
    }

    /// Records what came of a round in each destination that took part, and why the push ends, if it does.
    fn settle(
        &mut self,
        request: &Request,
        packed: Result<(Packed, Receipt), pack::Error>,
        stored: Vec<Ended<Uploaded>>,
        cancel: &Cancel,
    ) -> Result<Packed, End> {
        let uploading = self.all.iter_mut().filter(|one| one.is_to_upload());
        let uploading: Vec<_> = uploading.zip(stored).collect();
        let ends = |(one, stored): &(&mut Delivery<'_, S>, Result<_, transfer::Error>)| matches!(stored, Err(error) if !is_echo(error) && !one.may_begin_again(error));
        let goes_on = self.keep_going || !uploading.iter().any(ends);
        let (mut failed, mut stopped) = (false, packed.is_err());
        for (one, stored) in uploading {
            let content = request.source.content;
            match stored {
                Ok((stored, parts)) => {
                    one.stored = Some(Object {
                        revision: one.destination.revision(content, stored),
                        receipt: self.receipts.len(),
                        parts,
                    });
                }
                Err(error) if is_echo(&error) => {
                    stopped = true;
                    one.left = error.left;
                }
                Err(error) if goes_on && one.may_begin_again(&error) => {
                    one.restarts += 1;
                    let notes = &one.observer.notes;
                    notes.add(format!("the upload began again: {error}"));
                }
                Err(error) => {
                    failed = true;
                    one.error = Some(one.destination.upload_failed(request, error));
                }
            }
        }
        let several = self.all.len() > 1;
        match packed {
            Err(error) if !matches!(error, pack::Error::Closed | pack::Error::Stopped) => {
                Err(End::Everywhere(Error::Pack { error, left: None }))
            }
            _ if stopped && cancel.is_cancelled() && (several || !failed) => {
                Err(End::Everywhere(Error::Stopped { left: None }))
            }
            _ if stopped && !failed => Err(End::Everywhere(Error::Panic)),
            Err(_) => Err(End::There),
            Ok(_) if stopped => Err(End::There),
            Ok((packed, receipt)) => {
                self.keep(receipt);
                Ok(packed)
            }
        }
    }

    /// Keeps the receipt of an archive, and notes if it is another one than before.
    fn keep(&mut self, receipt: Receipt) {
        let index = self.receipts.len();
        if let Some(first) = self.receipts.first()
            && !first.is_of_same_archive(&receipt)
        {
            let has_it = |one: &&Delivery<'_, S>| {
                one.stored
                    .as_ref()
                    .is_some_and(|object| object.receipt == index)
            };
            for one in self.all.iter().filter(has_it) {
                one.observer.notes.add(
                    "the archive that was packed again differs from that of other destinations",
                );
            }
        }
        self.receipts.push(receipt);
    }
}

impl<S> Delivery<'_, S> {
    /// Whether the upload may begin again after this error.
    fn may_begin_again(&self, error: &transfer::Error) -> bool {
        error.may_begin_again(self.restarts)
    }
}

/// Whether an upload ended only because something else did: the user needs the first failure, not its echo.
fn is_echo(error: &transfer::Error) -> bool {
    matches!(error.cause, Cause::Unfinished | Cause::Stopped)
}

/// One archive, and the uploads that send it.
struct Round<'a> {
    request: &'a Request,
    prepared: &'a Arc<Prepared>,
    /// Whether the parts go to several destinations, in this round or in the first.
    is_shared: bool,
    keep_going: bool,
}

type Packing = Result<(Packed, Receipt), pack::Error>;
type Ended<T> = Result<T, transfer::Error>;
/// An object, and its parts if they are needed.
type Uploaded = (Stored, Vec<UploadedPart>);

impl Round<'_> {
    /// Packs and transfers at the same time, then completes the objects if every transfer is whole, or
    /// aborts them. A failure of the packer ends all transfers, and so does that of a transfer unless the
    /// push keeps going.
    async fn run<S: PartStore>(
        &self,
        uploading: &[&Delivery<'_, S>],
        observer: &Observer,
        cancel: &Cancel,
    ) -> Result<(Packing, Vec<Ended<Uploaded>>), End> {
        let (both, link) = (cancel.child(), Arc::<LinkFeedback>::default());
        let progress = &observer.progress;
        progress.uploads(uploading.len());
        let (parts, received) = mpsc::channel(self.prepared.limits.queue);
        let packing = self
            .pack(parts, &link, progress, &both)
            .map_err(End::Everywhere)?;
        let ahead = self.prepared.limits.concurrency;
        let (fan_out, received) = match uploading.len() {
            1 => (None, vec![received]),
            several => {
                let (fan_out, parts) = FanOut::new(received, several, ahead, Arc::clone(&link));
                (Some(fan_out), parts)
            }
        };
        // The packer learns of the fan-out how the slowest upload fares.
        let links: Vec<_> = match fan_out {
            None => vec![Arc::clone(&link)],
            Some(_) => uploading.iter().map(|_| Arc::default()).collect(),
        };
        let left = &AtomicUsize::new(uploading.len());
        let (both, completing) = (&both, &cancel.child());
        let options = &transfer::Options {
            concurrency: self.prepared.limits.concurrency,
            bandwidth: self.request.uploading.bandwidth,
            resume: self.resume(),
            is_shared: self.is_shared,
        };
        let transferring = uploading.iter().zip(received).zip(&links);
        let transferring = transferring.map(|((one, parts), link)| {
            let context = one.observer.context(link, both);
            async move {
                let store = Arc::clone(&one.destination.store);
                // Boxed, since its future is too large for the stack of a thread.
                let done = Box::pin(transfer::transfer(store, parts, options, context)).await;
                if done.is_err() && (left.fetch_sub(1, Relaxed) == 1 || !self.keep_going) {
                    both.cancel();
                }
                done
            }
        });
        let giving = async {
            if let Some(fan_out) = fan_out {
                fan_out.run(progress).await;
            }
        };
        let (packed, transferred, ()) =
            tokio::join!(or_cancel(packing, both), join_all(transferring), giving);
        let transfers = transferred.iter();
        let is_whole = packed.is_ok() && (self.keep_going || transfers.clone().all(Result::is_ok));
        let ended = uploading.iter().zip(transferred).zip(&links);
        let ended = ended.map(|((one, transferred), link)| {
            let context = one.observer.context(link, completing);
            async move {
                let done = match transferred? {
                    transferred if is_whole => complete(transferred, one.is_source, context).await,
                    transferred => Err(transferred.abort(context).await),
                };
                if let Err(error) = &done
                    && !self.keep_going
                    && !one.may_begin_again(error)
                {
                    completing.cancel();
                }
                done
            }
        });
        Ok((packed, join_all(ended).await))
    }

    /// Packs the source on a thread of its own, and puts the parts into `parts`.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`], before anything is packed.
    fn pack(
        &self,
        parts: mpsc::Sender<Part>,
        link: &Arc<LinkFeedback>,
        progress: &Arc<Progress>,
        cancel: &Cancel,
    ) -> Result<impl Future<Output = Packing> + use<>, Error> {
        let packing = self.request.packing.clone();
        let content = self.request.source.content;
        let recorder = Recorder::new(content, packing.manifest.as_deref());
        let recorder = recorder.map_err(Error::Manifest)?;
        let (prepared, link) = (Arc::clone(self.prepared), Arc::clone(link));
        let (progress, cancel) = (Arc::clone(progress), cancel.clone());
        let packing = on_a_thread(move || {
            prepared.pack(&packing, recorder, &parts, &link, &progress, &cancel)
        });
        // A panic is a failure of the packer like others: what the uploads leave must still be reported.
        Ok(async { packing.await.unwrap_or(Err(pack::Error::Worker)) })
    }

    /// How to recognise an unfinished upload of the same bytes, if one may be continued.
    fn resume(&self) -> Option<transfer::Resume> {
        let LevelPolicy::Fixed(level) = self.request.packing.level else {
            return None;
        };
        let insist = match self.request.uploading.resume {
            Resume::Never => return None,
            Resume::Auto => false,
            Resume::Always => true,
        };
        let plan = self.prepared.contents.digest();
        Some(transfer::Resume {
            insist,
            fingerprint: fingerprint(level, self.request.source.content, plan),
            part_size: self.prepared.limits.part_size,
        })
    }
}

/// Makes the parts an object. Returns them, too, if it is to be copied.
async fn complete<S: PartStore>(
    transferred: Transferred<S>,
    is_source: bool,
    context: transfer::UploadContext<'_>,
) -> Ended<Uploaded> {
    let parts = is_source.then(|| transferred.parts());
    let stored = Box::pin(transferred.complete(context)).await?;
    let mut parts = parts.unwrap_or_default();
    // The store names no ETag of a part that is the whole object.
    if let [only] = &mut parts[..]
        && only.etag.is_empty()
    {
        only.etag.clone_from(&stored.etag);
    }
    Ok((stored, parts))
}

/// Does the work of one side, and cancels both if it fails.
async fn or_cancel<T, E>(work: impl Future<Output = Result<T, E>>, both: &Cancel) -> Result<T, E> {
    let done = work.await;
    if done.is_err() {
        both.cancel();
    }
    done
}
