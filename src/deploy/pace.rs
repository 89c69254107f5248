//! How often CodeDeploy is asked. Its quotas are per account and region and shared with all other programs,
//! and jobs that asked every five seconds were seen to be throttled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The shortest time between two requests to one region.
const SHORTEST_GAP: Duration = Duration::from_millis(100);
/// The longest, when CodeDeploy asks for fewer requests.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// Spaces the requests to one region. Clones share it, so that the more deployments are watched, the more
/// rarely each is asked for, and one answer that asks for fewer requests slows all of them down.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    gap: Duration,
    next: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            gap: SHORTEST_GAP,
            next: Instant::now(),
        })))
    }

    /// Waits until another request may be made.
    pub(super) async fn turn(&self) {
        let at = {
            let mut state = self.state();
            let at = state.next.max(Instant::now());
            state.next = at + state.gap;
            at
        };
        sleep_until(at).await;
    }

    /// CodeDeploy asked for fewer requests.
    pub(super) fn slow_down(&self) {
        let mut state = self.state();
        state.gap = (state.gap * 2).min(LONGEST_GAP);
    }

    /// CodeDeploy answered.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.gap = state.gap.mul_f64(0.9).max(SHORTEST_GAP);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time between two looks at one deployment: short after a change, longer while nothing changes, and
/// longest when the deployment runs for long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval(Duration);

impl Interval {
    pub(super) fn new() -> Self {
        Self(Duration::from_secs(2))
    }

    /// The time until the next look, of a deployment that is watched since `age`.
    pub(super) fn next(&mut self, changed: bool, age: Duration) -> Duration {
        // After a change, and at most while nothing changes.
        let (shortest, longest) = match age.as_secs() {
            0..30 => (2, 15),
            30..900 => (4, 15),
            _ => (8, 30),
        };
        if changed {
            self.0 = Duration::from_secs(shortest);
        }
        let now = self.0;
        self.0 = now.mul_f64(1.3).min(Duration::from_secs(longest));
        // A quarter less or more, so that jobs that began together do not ask together.
        now.mul_f64(0.75 + 0.5 * fastrand::f64())
    }
}

/// The pause after so many requests in a row without a useful answer.
pub(super) fn pause(failed: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(40);
    let bound = FIRST.saturating_mul(1 << failed.min(10)).min(LONGEST);
    bound.mul_f64(f64::midpoint(1.0, fastrand::f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_rarer_while_nothing_changes_and_most_rare_in_long_deployments() {
        let mut interval = Interval::new();
        let (young, old) = (Duration::from_secs(60), Duration::from_secs(3600));
        assert!(interval.next(false, young) <= Duration::from_millis(2500));
        for _ in 0..20 {
            interval.next(false, young);
        }
        assert_eq!(interval.0, Duration::from_secs(15));
        for _ in 0..20 {
            interval.next(false, old);
        }
        assert_eq!(interval.0, Duration::from_secs(30));
        assert!(interval.next(true, young) <= Duration::from_secs(5));
        assert!(interval.next(true, old) <= Duration::from_secs(10));
    }

    #[test]
    fn a_pause_grows_to_forty_seconds_and_at_least_half_of_it_is_waited_for() {
        assert!(pause(0) >= Duration::from_millis(500));
        assert!(pause(u32::MAX) >= Duration::from_secs(20));
        assert!(pause(u32::MAX) <= Duration::from_secs(40));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_all_clones_are_spaced_and_slowed_down_together() {
        let pace = Pace::new();
        let since = Instant::now();
        for _ in 0..11 {
            pace.clone().turn().await;
        }
        assert!(since.elapsed() >= SHORTEST_GAP * 10);
        for _ in 0..50 {
            pace.slow_down();
        }
        pace.turn().await;
        let since = Instant::now();
        pace.clone().turn().await;
        assert!(since.elapsed() >= LONGEST_GAP, "{:?}", since.elapsed());
        for _ in 0..100 {
            pace.answered();
        }
        pace.turn().await;
        let since = Instant::now();
        pace.turn().await;
        assert!(since.elapsed() < Duration::from_millis(200));
    }
}
