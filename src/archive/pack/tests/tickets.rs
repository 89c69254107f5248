//! Jobs and tickets with real threads. `tests/models.rs` tries every order of few threads.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::prelude::*;

use crate::archive::pack::budget::Budget;
use crate::archive::pack::channel::bounded;
use crate::archive::pack::tickets::job;

proptest! {
    #[test]
    fn results_come_in_the_order_of_their_tickets_and_within_the_budget(
        budget in 1..40_u64,
        weights in prop::collection::vec(1..60_u64, 0..40),
        threads in 1..5_usize,
        queue in 1..5_usize,
    ) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (budget, total) = (Budget::new(budget), budget);
        let (sender, tickets) = bounded(queue);
        let (seed, done) = (weights.len(), AtomicUsize::new(0));
        let came = std::thread::scope(|threads| {
            threads.spawn(|| {
                let sender = sender;
                pool.in_place_scope(|scope| {
                    for (n, &weight) in weights.iter().enumerate() {
                        let (slot, pending) = job(&budget, weight).unwrap();
                        let done = &done;
                        scope.spawn(move |_| {
                            // Some jobs take longer than others.
                            for _ in 0..(n * 31 + seed) % 7 {
                                std::thread::yield_now();
                            }
                            done.fetch_add(1, SeqCst);
                            slot.fill(n);
                        });
                        sender.send(pending).unwrap();
                    }
                });
            });
            let mut came = Vec::new();
            for pending in &tickets {
                let (n, share) = pending.wait().unwrap();
                assert!(budget.used() <= total && done.load(SeqCst) > came.len());
                came.push(n);
                drop(share);
            }
            came
        });
        prop_assert_eq!(came, (0..weights.len()).collect::<Vec<_>>());
        prop_assert_eq!(budget.used(), 0);
    }

    /// The assembler's end can be dropped at any ticket, and a worker's end at any job.
    #[test]
    fn dropping_either_end_unblocks_the_other(
        weights in prop::collection::vec(1..30_u64, 1..30),
        leaves_at in 0..30_usize,
        drops in prop::collection::vec(any::<bool>(), 30),
    ) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let budget = Budget::new(40);
        let (sender, tickets) = bounded(3);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let sender = sender;
                pool.in_place_scope(|scope| {
                    for (&weight, &lost) in weights.iter().zip(&drops) {
                        let Ok((slot, pending)) = job(&budget, weight) else { return };
                        scope.spawn(move |_| match lost {
                            true => drop(slot),
                            false => slot.fill(()),
                        });
                        if sender.send(pending).is_err() {
                            return;
                        }
                    }
                });
            });
            // The assembler gives up in this order: first the budget, then the queue.
            let mut left = leaves_at;
            for pending in &tickets {
                drop(pending.wait());
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            budget.close();
            drop(tickets);
        });
        prop_assert_eq!(budget.used(), 0);
    }
}
