//! Gives the work away: jobs to the pool, and tickets to the assembler.
//!
//! One thread goes through the plan in archive order. For each job it takes a share of the budget, gives
//! the job to the pool, and queues a ticket on which the assembler will wait. The order of the tickets is
//! the only order: a job waits for nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::budget::Budget;
use super::channel::{Receiver, Sender, bounded};
use super::source::Source;
use super::tickets;
use super::worker::{LevelSetting, Worker, Workers};
use super::{Error, Options, Packed};
use crate::bundle::Format;
use crate::cancel::Cancel;
use crate::progress::{Laps, Progress, Track, Wait};

/// How many tickets may be queued: far more than there can be jobs in flight, which the budget limits.
const TICKETS: usize = 1024;

/// What an entry takes of the budget besides its content, for its headers and checksums. It bounds the
/// number of empty files, too.
pub(super) const ENTRY_COST: u64 = 512;

/// The next step of an archive's format, or the error that ends the dispatcher.
pub(super) type Ticket<T> = Result<T, Error>;

/// A job whose result the assembler can wait for.
pub(super) struct Pending<T> {
    pub(super) result: tickets::Pending<Result<T, Error>>,
    /// Bytes of files' content that the job packs.
    pub(super) content: u64,
}

/// What the dispatcher knows of a job before it is done.
pub(super) struct Job {
    /// Its name in a trace.
    pub(super) name: &'static str,
    /// What it takes of the budget.
    pub(super) weight: u64,
    /// Files, or chunks of one, that it packs.
    pub(super) count: u64,
    /// Their content, in bytes.
    pub(super) content: u64,
}

/// What all threads of a pack share.
pub(super) struct Shared<'a> {
    pub(super) source: Source<'a>,
    pub(super) format: Format,
    pub(super) level: LevelSetting,
    /// Whether contents are digested.
    pub(super) digest: bool,
    pub(super) progress: &'a Progress,
    workers: Workers,
    budget: Budget,
    failed: AtomicBool,
    stop: &'a Cancel,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        source: Source<'a>,
        level: LevelSetting,
        options: &Options,
        progress: &'a Progress,
        stop: &'a Cancel,
    ) -> Self {
        Self {
            source,
            format: options.format,
            workers: Workers::new(options.limits.threads, level.current()),
            level,
            digest: options.digest,
            progress,
            budget: Budget::new(options.limits.budget),
            failed: AtomicBool::new(false),
            stop,
        }
    }

    /// Ends the dispatcher, and makes jobs that have not begun return at once.
    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.budget.close();
    }

    /// Reports to the progress how much of the budget is in use.
    pub(super) fn report_budget(&self) {
        self.progress.budget_used(self.budget.used());
    }

    /// Whether the work is to end early.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.failed.load(Ordering::Acquire)
    }
}

/// Lets `jobs` give work away on a thread of its own, while `assemble` takes the results on the calling thread.
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
            shared.fail();
        }
        // If the dispatcher waits for room in the queue, this makes its call fail.
        drop(tickets);
        match dispatcher.join() {
            Ok(()) => packed,
            Err(_) => packed.and(Err(Error::Worker)),
        }
    })
}

/// Why the dispatcher ends before the plan does.
pub(super) enum End {
    /// The assembler has ended or the budget was closed. The assembler knows the reason.
    Cancelled,
    /// An error of the dispatcher's own.
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs `jobs`, and returns when all jobs are done.
fn dispatch<'a, T>(
    shared: &Shared<'a>,
    pool: &rayon::ThreadPool,
    tickets: &Sender<Ticket<T>>,
    jobs: impl for<'scope> FnOnce(&Dispatcher<'_, 'scope, 'a, T>) -> Result<(), End>,
) {
    pool.in_place_scope(|scope| {
        let dispatcher = Dispatcher {
            shared,
            scope,
            tickets,
        };
        if let Err(End::Failed(error)) = jobs(&dispatcher) {
            // It fails if the assembler has ended, with an error of its own.
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
    /// Waits until the budget has room for the job, and gives it to the pool.
    pub(super) fn job<D: Send + 'scope>(
        &self,
        job: Job,
        work: impl FnOnce(&mut Worker, &mut Laps) -> Result<D, Error> + Send + 'scope,
    ) -> Result<Pending<D>, End> {
        let shared = self.shared;
        if shared.is_stopped() {
            return Err(End::Failed(Error::Stopped));
        }
        let Job {
            name,
            weight,
            count,
            content,
        } = job;
        let asked = Instant::now();
        let (slot, result) = tickets::job(&shared.budget, weight).map_err(|_| End::Cancelled)?;
        shared
            .progress
            .waited(Track::Dispatcher, Wait::Budget, asked);
        shared.report_budget();
        self.scope.spawn(move |_| {
            if shared.is_stopped() {
                return;
            }
            let mut laps = Laps::start();
            let mut worker = shared.workers.current(shared.level.current());
            let result = work(&mut worker, &mut laps);
            if result.is_ok() {
                let thread = rayon::current_thread_index().unwrap_or(0);
                shared
                    .progress
                    .job(Track::Worker(thread), name, &laps, count, content);
            }
            slot.fill(result);
        });
        Ok(Pending { result, content })
    }

    /// Queues the next step.
    pub(super) fn send(&self, step: T) -> Result<(), End> {
        self.tickets.send(Ok(step)).map_err(|_| End::Cancelled)
    }
}
