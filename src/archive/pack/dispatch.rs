//! Hands out the work: jobs to the pool, tickets to the assembler.
//!
//! One thread goes through the plan in archive order. For each job it first takes a share of the
//! budget, then gives the job away, then queues a ticket on which the assembler will wait. A job
//! waits for nothing, so the order of tickets is all the order there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::budget::Budget;
use super::channel::{Receiver, Sender, bounded};
use super::source::Source;
use super::tickets::{self, job};
use super::worker::{Pace, Worker, Workers};
use super::{Error, Options, Packed};
use crate::bundle::Format;
use crate::cancel::Cancel;
use crate::progress::{Laps, Progress, Track, Wait};

/// Tickets that may wait. Far more than there are jobs in flight: the budget is what limits.
const TICKETS: usize = 1024;

/// What an entry weighs besides its content: its headers and sums. So empty files are bounded too.
pub(super) const ENTRY_COST: u64 = 512;

/// What a job will give, and the share of the budget that goes back when that is written.
pub(super) type Pending<T> = tickets::Pending<Result<T, Error>>;

/// What comes next in the archive: a step of its format, or the dispatcher's reason to give up.
pub(super) type Ticket<T> = Result<T, Error>;

/// What all threads of one pack look at.
pub(super) struct Shared<'a> {
    pub(super) source: Source<'a>,
    pub(super) format: Format,
    pub(super) pace: Pace,
    /// Whether contents are digested.
    pub(super) digest: bool,
    pub(super) workers: Workers,
    pub(super) progress: &'a Progress,
    budget: Budget,
    cancelled: AtomicBool,
    stop: &'a Cancel,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        source: Source<'a>,
        pace: Pace,
        workers: Workers,
        options: &Options,
        progress: &'a Progress,
        stop: &'a Cancel,
    ) -> Self {
        Self {
            source,
            format: options.format,
            pace,
            digest: options.digest,
            workers,
            progress,
            budget: Budget::new(options.limits.budget),
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
    pub(super) fn did(&self, name: &'static str, laps: &Laps, files: u64, content: u64) {
        let worker = rayon::current_thread_index().unwrap_or(0);
        self.progress
            .job(Track::Worker(worker), name, laps, files, content);
    }

    /// Whether the work is to end early.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.cancelled.load(Ordering::Acquire)
    }
}

/// Lets `jobs` give work away on a thread of its own while `assemble` takes what comes of it.
pub(super) fn side_by_side<'a, T: Send>(
    shared: &Shared<'a>,
    pool: &rayon::ThreadPool,
    jobs: for<'scope> fn(&Dispatcher<'_, 'scope, 'a, T>) -> Result<(), End>,
    assemble: impl FnOnce(&Receiver<Ticket<T>>) -> Result<Packed, Error>,
) -> Result<Packed, Error> {
    let (sender, tickets) = bounded(TICKETS);
    thread::scope(|scope| {
        let dispatcher = thread::Builder::new()
            .name("hoist-dispatch".into())
            .spawn_scoped(scope, move || dispatch(shared, pool, &sender, jobs))
            .map_err(|error| Error::Threads(error.to_string()))?;
        let packed = assemble(&tickets);
        if packed.is_err() {
            shared.cancel();
        }
        // Whoever waits for room in the queue must learn that nobody draws from it.
        drop(tickets);
        match dispatcher.join() {
            Ok(()) => packed,
            Err(_) => packed.and(Err(Error::Worker)),
        }
    })
}

/// Why the dispatcher ends before the plan does.
pub(super) enum End {
    /// The assembler is gone or the budget closed: the reason is known elsewhere.
    Cancelled,
    /// A reason of its own.
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Goes through the plan, as `run` has it. Returns when all jobs are done.
fn dispatch<'a, T>(
    shared: &Shared<'a>,
    pool: &rayon::ThreadPool,
    tickets: &Sender<Ticket<T>>,
    run: impl for<'scope> FnOnce(&Dispatcher<'_, 'scope, 'a, T>) -> Result<(), End>,
) {
    pool.in_place_scope(|scope| {
        let dispatcher = Dispatcher {
            shared,
            scope,
            tickets,
        };
        if let Err(End::Failed(error)) = run(&dispatcher) {
            // If nobody listens, nobody wants to know.
            let _ = tickets.send(Err(error));
        }
    });
}

/// Gives jobs and tickets away, in the order of its calls.
pub(super) struct Dispatcher<'d, 'scope, 'a, T> {
    pub(super) shared: &'scope Shared<'a>,
    scope: &'d rayon::Scope<'scope>,
    tickets: &'d Sender<Ticket<T>>,
}

impl<'scope, T> Dispatcher<'_, 'scope, '_, T> {
    /// Gives a job to the pool, once the budget has room for it.
    pub(super) fn job<D: Send + 'scope>(
        &self,
        weight: u64,
        work: impl FnOnce(&mut Worker) -> Result<D, Error> + Send + 'scope,
    ) -> Result<Pending<D>, End> {
        let shared = self.shared;
        if shared.is_stopped() {
            return Err(End::Failed(Error::Stopped));
        }
        let asked = Instant::now();
        let (slot, pending) = job(&shared.budget, weight).map_err(|_| End::Cancelled)?;
        shared
            .progress
            .waited(Track::Dispatcher, Wait::Budget, asked);
        shared.note_budget();
        self.scope.spawn(move |_| {
            if !shared.is_stopped() {
                let result = work(&mut shared.workers.mine(shared.pace.level()));
                slot.fill(result);
            }
        });
        Ok(pending)
    }

    /// Queues the next step.
    pub(super) fn send(&self, step: T) -> Result<(), End> {
        self.tickets.send(Ok(step)).map_err(|_| End::Cancelled)
    }
}
