//! The budget alone.

use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;
use std::sync::atomic::Ordering::SeqCst;

use super::budget::{Budget, Closed};
use crate::every_order;

#[test]
fn shares_never_exceed_the_budget_and_all_are_granted() {
    every_order(3, || {
        let budget = Budget::new(3);
        let held = Arc::new(AtomicU64::new(0));
        let takers = [2, 2].map(|bytes| {
            let (budget, held) = (budget.clone(), Arc::clone(&held));
            thread::spawn(move || {
                for _ in 0..2 {
                    let share = budget.take(bytes).unwrap();
                    assert!(held.fetch_add(bytes, SeqCst) + bytes <= 3);
                    held.fetch_sub(bytes, SeqCst);
                    drop(share);
                }
            })
        });
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn a_returned_share_wakes_every_taker_that_fits() {
    every_order(3, || {
        let budget = Budget::new(2);
        let all = budget.take(9).unwrap();
        let takers = [1, 2].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || budget.take(bytes).map(drop))
        });
        drop(all);
        for taker in takers {
            taker.join().unwrap().unwrap();
        }
    });
}

#[test]
fn closing_wakes_every_taker() {
    every_order(3, || {
        let budget = Budget::new(1);
        let all = budget.take(1).unwrap();
        let takers = [1, 1].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || budget.take(bytes).map(drop))
        });
        budget.close();
        for taker in takers {
            assert_eq!(taker.join().unwrap(), Err(Closed));
        }
        drop(all);
        assert_eq!(budget.take(0).map(drop), Err(Closed));
    });
}
