//! Sends the parts of a multipart upload, several at a time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep_until;

use super::pace::Flight;
use super::ramp::Ramp;
use super::session::Session;
use super::{Cause, PartStore, UploadContext, UploadedPart, unless};
use crate::archive::pack::Part;
use crate::aws::call::Attempts;
use crate::aws::error::CallError;
use crate::progress::{Track, Wait};

/// Sends parts to one upload.
pub(super) struct Sender<'a, S> {
    pub(super) store: &'a Arc<S>,
    pub(super) session: &'a Session,
    /// Requests at a time, at most.
    pub(super) concurrency: usize,
    /// Whether other uploads get the same parts.
    pub(super) is_shared: bool,
    pub(super) context: UploadContext<'a>,
}

/// A part that was sent.
struct Sent {
    part: UploadedPart,
    since: Instant,
    flight: Flight,
    was_repeated: bool,
    permit: OwnedSemaphorePermit,
}

type Joined = Result<Result<Sent, CallError>, JoinError>;

/// Requests that are under way, and what came of the others.
struct State {
    tasks: JoinSet<Result<Sent, CallError>>,
    confirmed: Vec<UploadedPart>,
    /// How many parts were taken.
    taken: u64,
    /// How many of the confirmed parts an earlier push sent.
    resumed: usize,
    ramp: Ramp,
    /// The store asked for fewer requests.
    slow_down: Arc<Notify>,
}

impl<S: PartStore> Sender<'_, S> {
    /// Sends all parts. No request is under way when it returns.
    pub(super) async fn run(
        &self,
        first: Part,
        parts: &mut mpsc::Receiver<Part>,
    ) -> Result<Vec<UploadedPart>, Cause> {
        let mut state = State {
            tasks: JoinSet::new(),
            confirmed: Vec::new(),
            taken: 0,
            resumed: 0,
            ramp: Ramp::new(self.concurrency),
            slow_down: Arc::default(),
        };
        let sent = self.send_all(&mut state, first, parts).await;
        // After an error, this cancels the other requests and waits for their end.
        state.tasks.shutdown().await;
        if self.is_shared && sent.is_err() {
            let bytes = state.confirmed.iter().map(|part| part.size).sum();
            let sent = state.confirmed.len() as u64;
            self.context.progress.upload_ended(state.taken, sent, bytes);
        }
        sent?;
        state.confirmed.sort_unstable_by_key(|part| part.number);
        Ok(state.confirmed)
    }

    async fn send_all(
        &self,
        state: &mut State,
        first: Part,
        parts: &mut mpsc::Receiver<Part>,
    ) -> Result<(), Cause> {
        let progress = self.context.progress;
        let mut next = Some(first);
        let mut finished = false;
        while !finished {
            // The permit comes first: a part that waits for one would be memory that is not counted.
            let permit = state.ramp.request();
            let permit = self.meanwhile(state, permit).await?;
            let permit = permit.map_err(|_| Cause::Task)?;
            // A request that ends may change the time.
            while let Some(time) = state.ramp.not_before() {
                let time = pin!(sleep_until(time.into()));
                if self.step(state, time).await?.is_some() {
                    break;
                }
            }
            let part = match next.take() {
                Some(part) => part,
                None => {
                    let since = Instant::now();
                    let part = self.meanwhile(state, parts.recv()).await?;
                    if !self.is_shared {
                        progress.waited(Track::Upload, Wait::Part, since);
                    }
                    part.ok_or(Cause::Unfinished)?
                }
            };
            finished = part.last;
            progress.part_taken();
            state.taken += 1;
            match self.session.stored(&part) {
                Some(stored) => {
                    progress.kept(stored.size);
                    self.context.link.part_skipped();
                    state.resumed += 1;
                    state.confirmed.push(stored);
                }
                None => self.send(state, part, permit),
            }
        }
        // No other request will begin, so the ramp need not slow down any more.
        while let Some(joined) = unless(self.context.cancel, state.tasks.join_next()).await? {
            self.confirm(state, joined)?;
        }
        if self.session.is_resumed() {
            self.context.notes.add(format!(
                "resumed: {} of {} parts were stored already",
                state.resumed,
                state.confirmed.len()
            ));
        }
        Ok(())
    }

    /// Begins to send a part.
    fn send(&self, state: &mut State, part: Part, permit: OwnedSemaphorePermit) {
        let (store, upload) = (Arc::clone(self.store), Arc::clone(&self.session.id));
        let attempts = Attempts::notifying(Arc::clone(&state.slow_down));
        let since = Instant::now();
        let flight = state.ramp.began(since);
        self.context.link.request_began();
        state.tasks.spawn(async move {
            let part = store.send(&upload, &part, &attempts).await?;
            Ok(Sent {
                part,
                since,
                flight,
                was_repeated: attempts.was_repeated(),
                permit,
            })
        });
    }

    /// Waits for `work`, and confirms every part whose request ends in the meantime.
    async fn meanwhile<T>(
        &self,
        state: &mut State,
        work: impl Future<Output = T>,
    ) -> Result<T, Cause> {
        let mut work = pin!(work);
        loop {
            if let Some(value) = self.step(state, work.as_mut()).await? {
                return Ok(value);
            }
        }
    }

    /// Waits until `work` is done, or something else has happened.
    async fn step<T>(
        &self,
        state: &mut State,
        work: Pin<&mut impl Future<Output = T>>,
    ) -> Result<Option<T>, Cause> {
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => return Err(Cause::Stopped),
            () = state.slow_down.notified() => state.ramp.slower(Instant::now()),
            Some(joined) = state.tasks.join_next() => self.confirm(state, joined)?,
            value = work => return Ok(Some(value)),
        }
        Ok(None)
    }

    fn confirm(&self, state: &mut State, joined: Joined) -> Result<(), Cause> {
        let Sent {
            part,
            since,
            flight,
            was_repeated,
            permit,
        } = joined.map_err(|_| Cause::Task)??;
        self.context.progress.sent(part.number, part.size, since);
        self.context.link.request_answered(since.elapsed());
        state.confirmed.push(part);
        let now = Instant::now();
        state.ramp.confirmed(flight, now, was_repeated, permit);
        Ok(())
    }
}
