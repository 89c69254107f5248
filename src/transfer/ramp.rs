//! Limits how many requests are under way: [`Pace`] says how many, and permits keep the limit.
//!
//! Each of the first requests opens a connection. All at once, that would be as many TLS handshakes on the
//! cores that compress, and a burst of requests that the bucket may not have been prepared for. When the
//! store asks for fewer requests, half as many may be under way.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::pace::{Flight, Pace};

/// Requests that are under way together are refused together. Refusals within this time count as one.
const TOGETHER: Duration = Duration::from_secs(1);

/// Permits for requests.
#[derive(Debug)]
pub(super) struct Ramp {
    pace: Pace,
    permits: Arc<Semaphore>,
    /// Permits that exist, without those that are owed.
    now: usize,
    /// Permits to take away as soon as their requests end.
    owed: usize,
    slowed: Option<Instant>,
}

impl Ramp {
    /// Allows `concurrency` requests at most. Zero counts as one.
    pub(super) fn new(concurrency: usize) -> Self {
        let pace = Pace::new(concurrency);
        let now = pace.allowed();
        Self {
            pace,
            permits: Arc::new(Semaphore::new(now)),
            now,
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

    /// When the next request may begin.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.pace.not_before()
    }

    /// A request begins.
    pub(super) fn began(&mut self, at: Instant) -> Flight {
        self.pace.began(at)
    }

    /// A request was confirmed, possibly after it `was_repeated`.
    pub(super) fn confirmed(
        &mut self,
        flight: Flight,
        at: Instant,
        was_repeated: bool,
        permit: OwnedSemaphorePermit,
    ) {
        self.pace.confirmed(flight, at, was_repeated);
        self.adjust();
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
        self.pace.slower();
        self.adjust();
    }

    /// Makes as many permits as the pace allows, or takes some away.
    fn adjust(&mut self) {
        let level = self.pace.allowed();
        let (more, fewer) = (
            level.saturating_sub(self.now),
            self.now.saturating_sub(level),
        );
        let kept = more.min(self.owed);
        self.owed -= kept;
        self.permits.add_permits(more - kept);
        self.owed += fewer - self.permits.forget_permits(fewer);
        self.now = level;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The requests that can begin now.
    fn begin(ramp: &mut Ramp, at: Instant) -> Vec<(Flight, OwnedSemaphorePermit)> {
        let mut begun = Vec::new();
        while ramp.not_before().is_none_or(|time| time <= at)
            && let Ok(permit) = Arc::clone(&ramp.permits).try_acquire_owned()
        {
            begun.push((ramp.began(at), permit));
        }
        begun
    }

    fn confirm(ramp: &mut Ramp, (flight, permit): (Flight, OwnedSemaphorePermit), at: Instant) {
        ramp.confirmed(flight, at, false, permit);
    }

    #[test]
    fn one_request_begins_and_rounds_that_take_equally_long_allow_the_most() {
        for (most, expected) in [
            (0, [1, 1, 1, 1]),
            (1, [1, 1, 1, 1]),
            (3, [1, 3, 3, 3]),
            (20, [1, 4, 16, 20]),
        ] {
            let mut ramp = Ramp::new(most);
            let mut now = Instant::now();
            let rounds = expected.map(|_| {
                let under_way = begin(&mut ramp, now);
                let count = under_way.len();
                now += Duration::from_millis(100);
                under_way
                    .into_iter()
                    .for_each(|one| confirm(&mut ramp, one, now));
                count
            });
            assert_eq!(rounds, expected);
        }
    }

    #[test]
    fn a_request_to_slow_down_halves_the_requests_and_answers_bring_them_back() {
        let mut now = Instant::now();
        let mut ramp = Ramp::new(4);
        for _ in 0..2 {
            let under_way = begin(&mut ramp, now);
            now += Duration::from_millis(100);
            under_way
                .into_iter()
                .for_each(|one| confirm(&mut ramp, one, now));
        }
        let mut under_way = begin(&mut ramp, now);
        assert_eq!(under_way.len(), 4);
        // All four are refused together.
        for millis in [0, 1, 2, 3] {
            ramp.slower(now + Duration::from_millis(millis));
        }
        assert_eq!((ramp.now, ramp.owed), (2, 2));
        now += Duration::from_millis(100);
        confirm(&mut ramp, under_way.pop().unwrap(), now);
        let begun = begin(&mut ramp, now).len();
        assert_eq!(begun, 0, "three are under way, and may be");
        for one in under_way {
            confirm(&mut ramp, one, now);
        }
        let under_way = begin(&mut ramp, now);
        assert_eq!(under_way.len(), 4);
        drop(under_way);
        for seconds in 1..9 {
            ramp.slower(now + 2 * TOGETHER * seconds);
        }
        assert_eq!(begin(&mut ramp, now).len(), 1);
    }

    #[tokio::test]
    async fn a_request_waits_for_a_permit_until_another_is_answered() {
        let now = Instant::now();
        let mut ramp = Ramp::new(1);
        let under_way = begin(&mut ramp, now).pop().unwrap();
        let mut waiting = std::pin::pin!(ramp.request());
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("began before an answer"),
            () = std::future::ready(()) => {}
        }
        confirm(&mut ramp, under_way, now);
        drop(waiting.await.unwrap());
    }
}
