//! How much has been sent, between what was handed to the connections and what was confirmed.
//!
//! A connection takes megabytes at once into the buffers on the way, and a store confirms only whole parts.
//! The truth lies between the two. It grows steadily: at the rate at which parts are confirmed, or at which the
//! connections take more once their buffers are full, whichever is known.

use std::collections::VecDeque;
use std::time::Duration;

/// After so much time, the buffers are taken to be full.
const FULL: Duration = Duration::from_millis(600);

/// After as much again, their rate is known.
const KNOWN: Duration = Duration::from_millis(1_200);

/// Confirmations are counted over at least this time, since several requests may end at once.
const WINDOW: Duration = Duration::from_secs(20);

/// Estimates how many bytes have been sent.
#[derive(Debug, Default)]
pub(super) struct Flow {
    began: Option<Duration>,
    /// When the buffers were full, and how much had been handed over.
    full: Option<(Duration, u64)>,
    /// When how many bytes were confirmed.
    confirmed: VecDeque<(Duration, u64)>,
    sent: f64,
    last: Duration,
}

impl Flow {
    /// The estimate at the time `at`, when so many bytes are confirmed and so many were handed over.
    pub(super) fn sent(&mut self, confirmed: u64, handed_over: u64, at: Duration) -> u64 {
        let elapsed = at.saturating_sub(self.last).as_secs_f64();
        self.last = at;
        if confirmed >= handed_over {
            self.sent = confirmed as f64;
            self.confirm(confirmed, at);
            if self.full.is_none() {
                self.began = Some(at);
            }
            return confirmed;
        }
        let began = *self.began.get_or_insert(at);
        if self.confirmed.is_empty() {
            // What is confirmed at first was sent by an earlier push.
            self.confirmed.push_back((at, confirmed));
        }
        self.confirm(confirmed, at);
        if at >= began + FULL {
            self.full.get_or_insert((at, handed_over));
        }
        let (since, base) = self.confirmed.front().copied().unwrap_or_default();
        let (until, newest) = self.confirmed.back().copied().unwrap_or_default();
        let taken = self.full.filter(|_| at >= began + KNOWN);
        let taken = taken.map_or(0.0, |(full, then)| {
            handed_over.saturating_sub(then) as f64 / (at - full).as_secs_f64()
        });
        self.sent = if newest > base && until > since {
            // Of requests that share the link, the first that ends says too little.
            let rate = (newest - base) as f64 / (until - since).as_secs_f64();
            self.sent + rate.max(taken) * elapsed
        } else {
            let estimate = base as f64 + taken * (at - began).as_secs_f64();
            self.sent.max(estimate)
        };
        self.sent = self.sent.clamp(confirmed as f64, handed_over as f64);
        // It is between two numbers of bytes.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sent = self.sent as u64;
        sent
    }

    fn confirm(&mut self, confirmed: u64, at: Duration) {
        if self.confirmed.back().is_none_or(|last| last.1 < confirmed) {
            self.confirmed.push_back((at, confirmed));
        }
        let newest = self.confirmed.back().map_or(at, |last| last.0);
        while self.confirmed.len() > 1 && self.confirmed[1].0 + WINDOW <= newest {
            self.confirmed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const PART: u64 = 8 * MIB;

    /// A link of `rate` bytes a second with `requests` at a time, each with a buffer of `buffer` bytes: what
    /// was truly sent, confirmed and handed over after some time.
    fn link(rate: u64, requests: u64, buffer: u64, at: Duration) -> (u64, u64, u64) {
        let millis = u64::try_from(at.as_millis()).unwrap();
        let sent = rate * millis / 1000;
        // All requests of a round take turns, and end together.
        let round = sent / (requests * PART);
        let begun = (round + 1) * requests * PART;
        let handed_over = begun.min(sent + requests * buffer);
        (sent, round * requests * PART, handed_over)
    }

    #[test]
    fn the_estimate_keeps_to_the_link_whatever_the_buffers_hold() {
        for (rate, buffer) in [
            (MIB, 6 * MIB),
            (4 * MIB, 6 * MIB),
            (8 * MIB, 0),
            (MIB, MIB / 2),
        ] {
            let mut flow = Flow::default();
            for tenths in 0..1_200 {
                let at = Duration::from_millis(tenths * 100);
                let (sent, confirmed, handed_over) = link(rate, 4, buffer, at);
                let estimate = flow.sent(confirmed, handed_over, at);
                assert!((confirmed..=handed_over).contains(&estimate));
                // Before the first round is confirmed, full buffers may hide the link.
                let known = confirmed > 0 || (buffer < MIB && tenths > 30);
                let wrong = estimate.abs_diff(sent) as f64 / (4 * PART) as f64;
                assert!(
                    !known || wrong < 0.15,
                    "{} of {} MiB after {at:?}, with {confirmed} to {handed_over}",
                    estimate / MIB,
                    sent / MIB
                );
            }
        }
    }

    #[test]
    fn what_an_earlier_push_sent_counts_at_once_and_not_for_the_rate() {
        let mut flow = Flow::default();
        let at = Duration::from_secs;
        assert_eq!(flow.sent(100 * MIB, 100 * MIB, at(1)), 100 * MIB);
        for second in 2..12 {
            flow.sent(100 * MIB, (100 + second) * MIB, at(second));
        }
        let sent = flow.sent(100 * MIB, 112 * MIB, at(12)) / MIB;
        assert!((109..=112).contains(&sent), "{sent}");
    }

    #[test]
    fn a_retry_takes_back_what_it_sends_again() {
        let mut flow = Flow::default();
        for second in 0..10 {
            flow.sent(0, second * MIB, Duration::from_secs(second));
        }
        assert_eq!(flow.sent(0, MIB, Duration::from_secs(10)), MIB);
    }
}
