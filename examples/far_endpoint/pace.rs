//! The clock of a link: when the bytes that are taken from it would have arrived.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A reader that wakes up late may make up for this much, and a link that lies idle saves up no
/// more: a real link's bytes would wait in the receiver's socket meanwhile.
const SLACK: Duration = Duration::from_millis(10);

/// Debts below this are carried on instead of slept off: a sleep is about 60 microseconds late.
const GRAIN: Duration = Duration::from_micros(500);

/// A link of a fixed rate, of one connection or shared by several.
#[derive(Debug)]
pub(crate) struct Link {
    bytes_per_second: f64,
    /// When all bytes that were taken have arrived.
    free: Mutex<Option<Instant>>,
}

impl Link {
    /// A link that carries `rate` MB/s (10^6 bytes).
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            bytes_per_second: rate * 1e6,
            free: Mutex::new(None),
        }
    }

    /// A message starts at `now`: time that passed before it is no credit.
    pub(crate) fn begin(&self, now: Instant) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = Some(free.map_or(now, |free| free.max(now)));
    }

    /// Takes `bytes` that were read at `now`. Returns how long to wait until they have arrived,
    /// zero if it is not worth a sleep.
    pub(crate) fn take(&self, now: Instant, bytes: usize) -> Duration {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        let start = free.map_or(now, |free| free.max(earliest));
        #[expect(clippy::cast_precision_loss, reason = "chunks are small")]
        let arrived = start + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free = Some(arrived);
        let wait = arrived.saturating_duration_since(now);
        if wait < GRAIN { Duration::ZERO } else { wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 64 << 10;

    /// Reads chunks until `total` bytes, each wait `late` longer than asked for, and tells how long
    /// that takes.
    fn drain(link: &Link, total: usize, late: Duration) -> Duration {
        let start = Instant::now();
        let mut now = start;
        link.begin(now);
        for _ in 0..total / CHUNK {
            let wait = link.take(now, CHUNK);
            if !wait.is_zero() {
                now += wait + late;
            }
        }
        now - start
    }

    #[test]
    fn the_rate_is_kept_however_small_the_chunks_and_late_the_sleeps() {
        for rate in [1.0, 40.0, 1000.0] {
            let total = 64 << 20;
            let ideal = total as f64 / (rate * 1e6);
            for late in [0, 60, 3000].map(Duration::from_micros) {
                let took = drain(&Link::new(rate), total, late).as_secs_f64();
                // One debt not slept off at the end, or one late sleep.
                assert!(
                    took > ideal - 0.0006 && took < ideal + 0.0031,
                    "{rate} {took}"
                );
            }
        }
    }

    #[test]
    fn idle_time_is_no_credit() {
        let link = Link::new(1.0);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        link.begin(start);
        assert_eq!(link.take(start, 1_000_000), second);
        // Nine seconds idle; a new message, then one that goes on.
        link.begin(start + 10 * second);
        assert_eq!(link.take(start + 10 * second, 1_000_000), second);
        assert_eq!(link.take(start + 20 * second, 1_000_000), second - SLACK);
    }

    #[test]
    fn a_shared_link_queues() {
        let link = Link::new(1.0);
        let now = Instant::now();
        let first = link.take(now, 500_000);
        assert_eq!(link.take(now, 500_000), first + Duration::from_millis(500));
    }
}
