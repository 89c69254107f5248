//! Hands out the work: jobs to the pool, tickets to the assembler.
//!
//! One thread goes through the plan in archive order. For each job it first takes a share of the
//! budget, then gives the job away, then queues a ticket on which the assembler will wait. A job
//! waits for nothing, so the order of tickets is all the order there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Error;
use super::budget::{Budget, Share};
use super::entry::{self, Batch};
use super::giant::{Chunk, Giant};
use super::source::Source;
use super::worker::{Pace, Worker, Workers};
use crate::plan::Run;
use crate::progress::{Laps, Progress, Track, Wait};
use crate::stop::Stop;

/// Tickets that may wait. Far more than there are jobs in flight: the budget is what limits.
const TICKETS: usize = 1024;

/// What an entry weighs besides its content: its headers and sums. So empty files are bounded too.
const ENTRY_COST: u64 = 512;

/// What a job will give, and the share of the budget that goes back when that is written.
pub(super) type Pending<T> = Receiver<(Result<T, Error>, Share)>;

/// What comes next in the archive.
pub(super) enum Ticket {
    /// Small files, from this index of the plan on.
    Batch(usize, Pending<Batch>),
    /// A giant's local header.
    Giant(Arc<Giant>),
    /// The giant's next chunk.
    Chunk(Pending<Chunk>),
    /// There is no more of the giant.
    GiantEnd(Arc<Giant>),
    /// The dispatcher found a reason to give up.
    Failed(Error),
}

/// What all threads of one pack look at.
pub(super) struct Shared<'a> {
    pub(super) source: Source<'a>,
    pub(super) pace: Pace,
    /// Whether contents are digested.
    pub(super) digest: bool,
    pub(super) workers: Workers,
    pub(super) progress: &'a Progress,
    budget: Arc<Budget>,
    cancelled: AtomicBool,
    stop: &'a Stop,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        source: Source<'a>,
        pace: Pace,
        digest: bool,
        workers: Workers,
        budget: u64,
        progress: &'a Progress,
        stop: &'a Stop,
    ) -> Self {
        let budget = Budget::new(budget);
        Self {
            source,
            pace,
            digest,
            workers,
            progress,
            budget,
            cancelled: AtomicBool::new(false),
            stop,
        }
    }

    /// Ends the dispatcher and makes jobs that have not begun return at once.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.budget.close();
    }

    /// Tells how much of the budget is in use.
    pub(super) fn note_budget(&self) {
        self.progress.budget_used(self.budget.used());
    }

    /// Counts a job's time.
    fn did(&self, name: &'static str, laps: &Laps, files: u64, content: u64) {
        let worker = rayon::current_thread_index().unwrap_or(0);
        self.progress
            .job(Track::Worker(worker), name, laps, files, content);
    }

    /// Whether the work is to end early.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_set() || self.cancelled.load(Ordering::Acquire)
    }
}

/// The assembler's end of the queue.
pub(super) fn tickets() -> (Sender<Ticket>, Receiver<Ticket>) {
    bounded(TICKETS)
}

/// Why the dispatcher ends before the plan does.
enum End {
    /// The assembler is gone or the budget closed: the reason is known elsewhere.
    Cancelled,
    /// A reason of its own.
    Failed(Error),
}

/// Goes through the plan. Returns when all jobs are done.
pub(super) fn dispatch(shared: &Shared<'_>, pool: &rayon::ThreadPool, tickets: &Sender<Ticket>) {
    pool.in_place_scope(|scope| {
        let dispatcher = Dispatcher {
            shared,
            scope,
            tickets,
        };
        if let Err(End::Failed(error)) = dispatcher.run() {
            // If nobody listens, nobody wants to know.
            let _ = tickets.send(Ticket::Failed(error));
        }
    });
}

struct Dispatcher<'d, 'scope, 'a> {
    shared: &'scope Shared<'a>,
    scope: &'d rayon::Scope<'scope>,
    tickets: &'d Sender<Ticket>,
}

impl<'scope> Dispatcher<'_, 'scope, '_> {
    fn run(&self) -> Result<(), End> {
        let shared = self.shared;
        let plan = shared.source.plan();
        for run in plan.runs() {
            if shared.is_stopped() {
                return Err(End::Failed(Error::Stopped));
            }
            match run {
                Run::Batch(run) => {
                    let content: u64 = run.clone().map(|index| plan.entry(index).size).sum();
                    let first = run.start;
                    let weight = content + run.len() as u64 * ENTRY_COST;
                    let files = run.len() as u64;
                    let pending = self.job(weight, move |worker| {
                        let mut laps = Laps::start();
                        let batch = entry::pack(shared, run, worker, &mut laps)?;
                        shared.did("batch", &laps, files, batch.content);
                        Ok(batch)
                    })?;
                    self.send(Ticket::Batch(first, pending))?;
                }
                Run::Giant(index) => self.giant(index)?,
            }
        }
        Ok(())
    }

    fn giant(&self, index: usize) -> Result<(), End> {
        let shared = self.shared;
        let giant = Arc::new(
            Giant::open(&shared.source, index, shared.pace.compresses()).map_err(End::Failed)?,
        );
        self.send(Ticket::Giant(Arc::clone(&giant)))?;
        for (offset, len) in giant.chunks() {
            if shared.is_stopped() {
                return Err(End::Failed(Error::Stopped));
            }
            let giant = Arc::clone(&giant);
            let pending = self.job(len as u64 + ENTRY_COST, move |worker| {
                let mut laps = Laps::start();
                let chunk = giant.chunk(shared, offset, len, worker, &mut laps)?;
                shared.did("chunk", &laps, 1, chunk.content);
                Ok(chunk)
            })?;
            self.send(Ticket::Chunk(pending))?;
        }
        self.send(Ticket::GiantEnd(giant))
    }

    /// Gives a job to the pool, once the budget has room for it.
    fn job<T: Send + 'scope>(
        &self,
        weight: u64,
        work: impl FnOnce(&mut Worker) -> Result<T, Error> + Send + 'scope,
    ) -> Result<Pending<T>, End> {
        let shared = self.shared;
        let asked = Instant::now();
        let share = shared.budget.take(weight).map_err(|_| End::Cancelled)?;
        shared
            .progress
            .waited(Track::Dispatcher, Wait::Budget, asked);
        shared.note_budget();
        let (done, pending) = bounded(1);
        self.scope.spawn(move |_| {
            if !shared.is_stopped() {
                let result = work(&mut shared.workers.mine(shared.pace.level()));
                // If nobody listens, nobody wants to know.
                let _ = done.send((result, share));
            }
        });
        Ok(pending)
    }

    fn send(&self, ticket: Ticket) -> Result<(), End> {
        self.tickets.send(ticket).map_err(|_| End::Cancelled)
    }
}
