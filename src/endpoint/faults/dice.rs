//! Random faults that can be repeated: what happens to a request depends only on a seed, the request's
//! operation, its place and its number there, and not on the order in which other requests arrive.

use super::{Fault, Operation};

/// Faults with their odds, and the seed.
pub(super) struct Dice {
    seed: u64,
    odds: Vec<(Operation, Fault, f64)>,
}

impl Dice {
    pub(super) fn new(seed: u64, odds: impl IntoIterator<Item = (Operation, Fault, f64)>) -> Self {
        Self {
            seed,
            odds: odds.into_iter().collect(),
        }
    }

    /// The fault that happens to a request, if one does. `place` is its bucket, or CodeDeploy's region.
    pub(super) fn throw(&self, operation: Operation, place: &str, number: u64) -> Option<Fault> {
        let name = operation.name().bytes().chain(place.bytes());
        let of_operation = name.fold(self.seed, |seed, byte| mix(seed ^ u64::from(byte)));
        let mut left = share(mix(of_operation ^ number));
        let mut odds = self.odds.iter().filter(|(of, ..)| *of == operation);
        odds.find_map(|(_, fault, odds)| {
            left -= odds;
            (left < 0.0).then_some(*fault)
        })
    }
}

/// A step of Vigna's SplitMix64: every bit of the result depends on every bit of the seed.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of at least 0 and less than 1.
fn share(bits: u64) -> f64 {
    // 53 bits are what an f64 holds exactly.
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::{Refusal, When};
    use super::*;

    #[test]
    fn faults_are_as_frequent_as_their_odds_say() {
        let slow = Fault::Refuse(Refusal::SlowDown);
        let lost = Fault::Reset(When::AfterCommit);
        let odds = [
            (Operation::UploadPart, slow, 0.2),
            (Operation::UploadPart, lost, 0.05),
            (Operation::PutObject, slow, 1.0),
        ];
        let dice = Dice::new(7, odds);
        let thrown = |dice: &Dice, operation| -> Vec<Option<Fault>> {
            (1..=10_000)
                .map(|n| dice.throw(operation, "b", n))
                .collect()
        };
        let parts = thrown(&dice, Operation::UploadPart);
        let count = |wanted| parts.iter().filter(|fault| **fault == wanted).count();
        assert!(
            (1800..2200).contains(&count(Some(slow))),
            "{}",
            count(Some(slow))
        );
        assert!(
            (400..600).contains(&count(Some(lost))),
            "{}",
            count(Some(lost))
        );
        assert!(
            thrown(&dice, Operation::PutObject)
                .iter()
                .all(Option::is_some)
        );
        assert!(
            thrown(&dice, Operation::HeadBucket)
                .iter()
                .all(Option::is_none)
        );

        assert_eq!(thrown(&Dice::new(7, odds), Operation::UploadPart), parts);
        assert_ne!(thrown(&Dice::new(8, odds), Operation::UploadPart), parts);
        let elsewhere = (1..=10_000).map(|n| dice.throw(Operation::UploadPart, "c", n));
        assert!(!elsewhere.eq(parts));
    }
}
