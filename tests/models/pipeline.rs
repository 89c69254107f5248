//! A small model of `pack`: a dispatcher, workers and an assembler that takes tickets in order, with a
//! cancel at any moment.

use loom::thread;

use super::budget::Budget;
use super::channel::{Receiver, Sender, bounded};
use super::tickets::{Pending, Slot, job};
use crate::cancel::Cancel;
use crate::every_order;

type Job = (usize, Slot<usize>);

/// Gives jobs to the pool and tickets to the assembler, as `Dispatcher` does.
fn dispatch(
    weights: &[u64],
    budget: &Budget,
    stop: &Cancel,
    pool: &Sender<Job>,
    tickets: &Sender<Result<Pending<usize>, ()>>,
) {
    for (n, &weight) in weights.iter().enumerate() {
        if stop.is_cancelled() {
            let _ = tickets.send(Err(()));
            return;
        }
        let Ok((slot, pending)) = job(budget, weight) else {
            return;
        };
        // The pool's queue is unbounded.
        pool.send((n, slot)).unwrap();
        if tickets.send(Ok(pending)).is_err() {
            return;
        }
    }
}

/// Does jobs, as a worker does.
fn work(pool: &Receiver<Job>, stop: &Cancel) {
    while let Ok((n, slot)) = pool.recv() {
        if !stop.is_cancelled() {
            slot.fill(n);
        }
    }
}

/// Takes tickets in order, as `side_by_side` and the assemblers do.
fn assemble(
    tickets: Receiver<Result<Pending<usize>, ()>>,
    budget: &Budget,
    total: u64,
    stop: &Cancel,
) -> Result<Vec<usize>, Vec<usize>> {
    let mut came = Vec::new();
    let mut all = true;
    while let Ok(ticket) = tickets.recv() {
        let done = match ticket {
            Ok(pending) if !stop.is_cancelled() => pending.wait(),
            _ => None,
        };
        let Some((n, share)) = done else {
            all = false;
            break;
        };
        assert!(budget.used() <= total);
        came.push(n);
        drop(share);
    }
    if !all {
        budget.close();
    }
    drop(tickets);
    if all { Ok(came) } else { Err(came) }
}

struct Case {
    weights: &'static [u64],
    budget: u64,
    queue: usize,
    workers: usize,
    stops: bool,
    preemptions: usize,
}

fn run(case: &'static Case) {
    every_order(case.preemptions, move || {
        let (budget, stop) = (Budget::new(case.budget), Cancel::new());
        let (pool, jobs) = bounded(usize::MAX);
        let (sender, tickets) = bounded(case.queue);
        let mut threads = Vec::new();
        threads.push({
            let (budget, stop) = (budget.clone(), stop.clone());
            thread::spawn(move || dispatch(case.weights, &budget, &stop, &pool, &sender))
        });
        for _ in 0..case.workers {
            let (jobs, stop) = (jobs.clone(), stop.clone());
            threads.push(thread::spawn(move || work(&jobs, &stop)));
        }
        drop(jobs);
        if case.stops {
            let stop = stop.clone();
            threads.push(thread::spawn(move || stop.cancel()));
        }
        let came = assemble(tickets, &budget, case.budget, &stop);
        for thread in threads {
            thread.join().unwrap();
        }
        // All shares were returned.
        assert_eq!(budget.used(), 0);
        let in_order: Vec<usize> = (0..case.weights.len()).collect();
        match came {
            // After the last ticket, a cancel has no effect.
            Ok(came) => assert_eq!(came, in_order),
            Err(came) => {
                assert!(case.stops, "it was not cancelled");
                assert_eq!(came, in_order[..came.len()]);
            }
        }
    });
}

#[test]
fn results_of_two_workers_come_in_the_order_of_the_tickets() {
    run(&Case {
        weights: &[1, 1],
        budget: 2,
        queue: 2,
        workers: 2,
        stops: false,
        preemptions: 1,
    });
}

/// Each share waits for the previous one, and one is larger than the budget.
#[test]
fn a_budget_for_one_job_is_enough() {
    run(&Case {
        weights: &[1, 9, 1],
        budget: 1,
        queue: 1,
        workers: 1,
        stops: false,
        preemptions: 2,
    });
}

/// The dispatcher may be waiting for the budget, for room in the queue, or not at all.
#[test]
fn a_cancel_at_any_moment_ends_all_threads() {
    run(&Case {
        weights: &[1, 1],
        budget: 1,
        queue: 1,
        workers: 1,
        stops: true,
        preemptions: 1,
    });
}
