//! The budget, against a plain count.

use std::thread;

use proptest::prelude::*;

use crate::archive::pack::budget::{Budget, Closed};

#[test]
fn a_share_larger_than_the_budget_takes_all_of_it() {
    let budget = Budget::new(10);
    let share = budget.take(1000).unwrap();
    assert_eq!(budget.used(), 10);
    drop(share);
    assert_eq!(budget.used(), 0);
}

#[test]
fn closing_the_budget_ends_all_waiting() {
    let budget = Budget::new(1);
    let held = budget.take(1).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| budget.take(1).map(drop));
        budget.close();
        assert_eq!(waiting.join().unwrap(), Err(Closed));
    });
    drop(held);
    assert!(budget.take(1).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Take(u64),
    GiveBack(usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..70_u64).prop_map(Step::Take),
        8 => (0..8_usize).prop_map(Step::GiveBack),
        1 => Just(Step::Close),
    ]
}

proptest! {
    /// One thread takes the shares and another returns them, in the same order, as the packer does.
    #[test]
    fn shares_taken_and_returned_in_order_never_exceed_the_budget_and_never_block(
        total in 1..50_u64,
        shares in prop::collection::vec(0..80_u64, 0..60),
    ) {
        let budget = Budget::new(total);
        let (sender, receiver) = crossbeam_channel::bounded(4);
        let written = thread::scope(|scope| {
            let writer = scope.spawn(|| receiver.iter().map(drop).count());
            for &bytes in &shares {
                sender.send(budget.take(bytes).unwrap()).unwrap();
                assert!(budget.used() <= total);
            }
            drop(sender);
            writer.join().unwrap()
        });
        prop_assert_eq!(written, shares.len());
        prop_assert_eq!(budget.used(), 0);
    }

    /// One thread takes any steps that need not wait.
    #[test]
    fn the_used_bytes_are_the_sum_of_the_held_shares(
        total in 0..50_u64,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let budget = Budget::new(total);
        // A budget of zero counts as one byte.
        let total = total.max(1);
        let (mut held, mut closed) = (Vec::new(), false);
        for step in steps {
            let used: u64 = held.iter().map(|(bytes, _)| bytes).sum();
            match step {
                Step::Take(bytes) if closed => {
                    prop_assert_eq!(budget.take(bytes).map(drop), Err(Closed));
                }
                Step::Take(bytes) if used + bytes.min(total) <= total => {
                    held.push((bytes.min(total), budget.take(bytes).unwrap()));
                }
                Step::GiveBack(index) if index < held.len() => drop(held.remove(index)),
                Step::Take(_) | Step::GiveBack(_) => {}
                Step::Close => {
                    budget.close();
                    closed = true;
                }
            }
            prop_assert_eq!(budget.used(), held.iter().map(|(bytes, _)| bytes).sum::<u64>());
            prop_assert!(budget.used() <= total);
        }
    }
}
