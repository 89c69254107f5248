//! The parts of a multipart upload, several at a time.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::begin::Upload;
use super::ramp::Ramp;
use super::{Caller, Cause, PartStore, UploadContext, UploadedPart, unless};
use crate::archive::pack::Part;
use crate::aws::error::CallError;
use crate::progress::{Track, Wait};

/// A multipart upload under way.
pub(super) struct Transfer<'a, S> {
    store: &'a Arc<S>,
    upload: &'a Upload,
    retries: &'a Arc<Caller>,
    concurrency: usize,
    /// A request was told that there are too many.
    slower: Arc<Notify>,
    control: UploadContext<'a>,
}

/// A part that was sent, when its request began, and the permit that it had.
type Sent = (UploadedPart, Instant, OwnedSemaphorePermit);
type Tasks = JoinSet<Result<Sent, CallError>>;
type Done = Result<Result<Sent, CallError>, JoinError>;

/// What was confirmed, and what may be sent because of it.
struct Confirmed {
    parts: Vec<UploadedPart>,
    /// Those that an earlier push sent.
    earlier: usize,
    ramp: Ramp,
}

impl<'a, S: PartStore> Transfer<'a, S> {
    pub(super) fn new(
        store: &'a Arc<S>,
        upload: &'a Upload,
        retries: &'a Arc<Caller>,
        concurrency: usize,
        control: UploadContext<'a>,
    ) -> Self {
        Self {
            store,
            upload,
            retries,
            concurrency,
            slower: Arc::new(Notify::new()),
            control,
        }
    }

    /// Sends all parts. No request is under way when it returns.
    pub(super) async fn run(
        &self,
        first: Part,
        parts: &mut mpsc::Receiver<Part>,
    ) -> Result<Vec<UploadedPart>, Cause> {
        let mut tasks = Tasks::new();
        let sent = self.send_all(&mut tasks, first, parts).await;
        // Cancels what an error left running, and waits for its end.
        tasks.shutdown().await;
        sent
    }

    async fn send_all(
        &self,
        tasks: &mut Tasks,
        first: Part,
        parts: &mut mpsc::Receiver<Part>,
    ) -> Result<Vec<UploadedPart>, Cause> {
        let mut confirmed = Confirmed {
            parts: Vec::new(),
            earlier: 0,
            ramp: Ramp::new(self.concurrency),
        };
        let mut next = Some(first);
        let mut finished = false;
        while !finished {
            // The permit comes first: a part that waits for one would be memory not counted.
            let permit = confirmed.ramp.request();
            let permit = self
                .meanwhile(tasks, &mut confirmed, permit)
                .await?
                .map_err(|_| Cause::Task)?;
            let part = match next.take() {
                Some(part) => part,
                None => {
                    let since = Instant::now();
                    let part = self.meanwhile(tasks, &mut confirmed, parts.recv()).await?;
                    self.control
                        .progress
                        .waited(Track::Upload, Wait::Part, since);
                    part.ok_or(Cause::Unfinished)?
                }
            };
            finished = part.last;
            self.control.progress.part_taken();
            match self.upload.kept(&part) {
                Some(kept) => {
                    self.control.progress.kept(kept.size);
                    self.control.link.part_skipped();
                    confirmed.earlier += 1;
                    confirmed.parts.push(kept);
                }
                None => {
                    self.control.link.request_began();
                    self.begin(tasks, part, permit);
                }
            }
        }
        // A slow-down is of no account any more: nothing else is going to begin.
        while let Some(done) = unless(self.control.cancel, tasks.join_next()).await? {
            self.note(done, &mut confirmed)?;
        }
        if self.upload.is_resumed() {
            self.control.notes.add(format!(
                "resumed: {} of {} parts were stored already",
                confirmed.earlier,
                confirmed.parts.len()
            ));
        }
        let mut sent = confirmed.parts;
        sent.sort_unstable_by_key(|part| part.number);
        Ok(sent)
    }

    /// Begins to send a part.
    fn begin(&self, tasks: &mut Tasks, part: Part, permit: OwnedSemaphorePermit) {
        let (store, upload) = (Arc::clone(self.store), Arc::clone(&self.upload.id));
        let (retries, slower) = (Arc::clone(self.retries), Arc::clone(&self.slower));
        tasks.spawn(async move {
            let since = Instant::now();
            let size = part.body.len() as u64;
            let slower = || slower.notify_one();
            let send = || store.send(&upload, part.clone());
            let sent = retries.request("UploadPart", size, slower, send).await?;
            Ok((sent, since, permit))
        });
    }

    /// Waits for `work`, and takes note of every part that is done in the meantime.
    async fn meanwhile<T>(
        &self,
        tasks: &mut Tasks,
        confirmed: &mut Confirmed,
        work: impl Future<Output = T>,
    ) -> Result<T, Cause> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.control.cancel.cancelled() => return Err(Cause::Stopped),
                () = self.slower.notified() => confirmed.ramp.slower(Instant::now()),
                Some(done) = tasks.join_next() => self.note(done, confirmed)?,
                value = &mut work => return Ok(value),
            }
        }
    }

    fn note(&self, done: Done, confirmed: &mut Confirmed) -> Result<(), Cause> {
        let (part, since, permit) = done.map_err(|_| Cause::Task)??;
        self.control.progress.sent(part.number, part.size, since);
        self.control.link.request_answered(since.elapsed());
        confirmed.parts.push(part);
        confirmed.ramp.confirmed(permit);
        Ok(())
    }
}
