//! Limits how many requests are under way: few at first, and one more with each that is confirmed.
//!
//! Each of the first requests opens a connection. All at once, that would be as many TLS handshakes on the
//! cores that compress, and a burst of requests that the bucket may not have been prepared for. So an
//! upload begins with [`START`] requests, and each round of answers doubles them, as in TCP's slow start.
//! When the store asks for fewer requests, half as many may be under way, and the ramp begins from there.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Requests that may be under way before one is confirmed.
const START: usize = 4;

/// Requests that are under way together are refused together. Refusals within this time count as one.
const TOGETHER: Duration = Duration::from_secs(1);

/// Permits for requests.
#[derive(Debug)]
pub(super) struct Ramp {
    permits: Arc<Semaphore>,
    /// Permits that exist, without those that are owed.
    now: usize,
    /// Permits that may still be added.
    later: usize,
    /// Permits to take away as soon as their requests end.
    owed: usize,
    slowed: Option<Instant>,
}

impl Ramp {
    /// Allows [`START`] requests at first, and `concurrency` in the end. Zero counts as one.
    pub(super) fn new(concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        let now = concurrency.min(START);
        Self {
            permits: Arc::new(Semaphore::new(now)),
            now,
            later: concurrency - now,
            owed: 0,
            slowed: None,
        }
    }

    /// Waits until a request may begin. The request must keep the permit until it ends.
    pub(super) fn request(
        &self,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + use<> {
        Arc::clone(&self.permits).acquire_owned()
    }

    /// Allows one more request, up to the most, since one was confirmed.
    pub(super) fn confirmed(&mut self, permit: OwnedSemaphorePermit) {
        if self.later > 0 {
            self.later -= 1;
            self.now += 1;
            if self.owed > 0 {
                self.owed -= 1;
            } else {
                self.permits.add_permits(1);
            }
        }
        if self.owed > 0 {
            self.owed -= 1;
            permit.forget();
        }
    }

    /// Allows half as many requests, and at least one, since the store asked for fewer.
    pub(super) fn slower(&mut self, at: Instant) {
        let together = |since| at.saturating_duration_since(since) < TOGETHER;
        if self.slowed.is_some_and(together) {
            return;
        }
        self.slowed = Some(at);
        let fewer = self.now / 2;
        self.now -= fewer;
        self.later += fewer;
        self.owed += fewer - self.permits.forget_permits(fewer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests can begin now.
    fn begin(ramp: &Ramp) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| Arc::clone(&ramp.permits).try_acquire_owned().ok()).collect()
    }

    #[test]
    fn each_round_of_answers_doubles_the_requests_up_to_the_most() {
        let mut ramp = Ramp::new(20);
        let rounds = [4, 8, 16, 20, 20].map(|expected| {
            let permits = begin(&ramp);
            let count = permits.len();
            for permit in permits {
                ramp.confirmed(permit);
            }
            (count, expected)
        });
        assert!(rounds.iter().all(|(is, ought)| is == ought), "{rounds:?}");
    }

    #[test]
    fn an_answer_allows_two_new_requests() {
        let mut ramp = Ramp::new(16);
        let mut permits = begin(&ramp);
        for under_way in 5..=16 {
            ramp.confirmed(permits.pop().unwrap());
            permits.extend(begin(&ramp));
            assert_eq!(permits.len(), under_way);
        }
        ramp.confirmed(permits.pop().unwrap());
        assert_eq!(begin(&ramp).len(), 1);
    }

    #[test]
    fn at_most_four_requests_begin_at_once() {
        for (concurrency, at_first) in [(0, 1), (1, 1), (3, 3), (4, 4), (5, 4)] {
            let mut ramp = Ramp::new(concurrency);
            assert_eq!(begin(&ramp).len(), at_first, "{concurrency}");
            for _ in 0..9 {
                let permit = begin(&ramp).swap_remove(0);
                ramp.confirmed(permit);
            }
            assert_eq!(begin(&ramp).len(), concurrency.max(1));
        }
    }

    #[test]
    fn a_request_to_slow_down_halves_the_requests_and_answers_bring_them_back() {
        let start = Instant::now();
        let mut ramp = Ramp::new(4);
        let mut permits = begin(&ramp);
        // All four are refused together.
        for millis in [0, 1, 2, 3] {
            ramp.slower(start + Duration::from_millis(millis));
        }
        assert_eq!((ramp.now, ramp.owed), (2, 2));
        ramp.confirmed(permits.pop().unwrap());
        assert!(begin(&ramp).is_empty(), "three are under way, and may be");
        for _ in 0..3 {
            ramp.confirmed(permits.pop().unwrap());
        }
        assert_eq!(begin(&ramp).len(), 4);
        for seconds in 1..9 {
            ramp.slower(start + 2 * TOGETHER * seconds);
        }
        assert_eq!(begin(&ramp).len(), 1);
    }

    #[tokio::test]
    async fn a_request_waits_for_a_permit_until_another_is_answered() {
        let mut ramp = Ramp::new(5);
        let mut permits = begin(&ramp);
        let mut waiting = std::pin::pin!(ramp.request());
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("began before an answer"),
            () = std::future::ready(()) => {}
        }
        permits.pop();
        permits.push(waiting.await.unwrap());
        ramp.confirmed(permits.pop().unwrap());
        permits.push(ramp.request().await.unwrap());
        permits.push(ramp.request().await.unwrap());
        assert_eq!(permits.len(), 5);
        assert!(begin(&ramp).is_empty());
    }
}
