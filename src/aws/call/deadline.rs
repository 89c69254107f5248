//! How long the bytes of a request may take: that follows what earlier requests got from this link.

use std::time::Duration;

/// Bytes per second of one request below which it is given up, until the link is known.
const SLOWEST: f64 = 32.0 * 1024.0;

/// One request may get this share of what others got, since the link is shared, and not always evenly.
const SHARE: f64 = 1.0 / 8.0;

/// Requests of fewer bytes measure the latency of a link, not its bandwidth.
const MEASURABLE: u64 = 256 << 10;

/// However many attempts were given up, a link is not taken to be slower than this many bytes per second.
const FLOOR: f64 = 512.0;

/// What is known of the link.
#[derive(Debug)]
pub(super) struct Deadline {
    /// Bytes per second of one request below which it is given up.
    slowest: f64,
    /// Bytes per second that requests got; the latest count most.
    observed: Option<f64>,
}

impl Deadline {
    /// `rate` is the bandwidth limit of all requests together, in bytes per second. An upload makes so few
    /// requests at a time that each gets the whole of a low limit.
    pub(super) fn new(rate: Option<u64>) -> Self {
        let limited = rate.map_or(SLOWEST, |rate| rate as f64 * SHARE);
        Self {
            slowest: limited.clamp(FLOOR, SLOWEST),
            observed: None,
        }
    }

    pub(super) fn allowed_for(&self, size: u64) -> Duration {
        Duration::from_secs_f64(size as f64 / self.slowest)
    }

    pub(super) fn record_success(&mut self, size: u64, took: Duration) {
        if size < MEASURABLE {
            return;
        }
        let now = size as f64 / took.as_secs_f64().max(1e-6);
        let observed = self.observed.map_or(now, |old| old * 0.75 + now * 0.25);
        self.observed = Some(observed);
        self.slowest = (observed * SHARE).max(FLOOR);
    }

    /// Lets the next request take twice as long.
    pub(super) fn record_failure(&mut self) {
        self.slowest = (self.slowest / 2.0).max(FLOOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: u64 = 8 << 20;

    #[test]
    fn the_deadline_follows_the_size_and_what_the_link_gave() {
        let mut deadline = Deadline::new(None);
        assert_eq!(deadline.allowed_for(0), Duration::ZERO);
        assert_eq!(deadline.allowed_for(PART), Duration::from_secs(256));
        // 8 MiB per second: eight seconds are allowed for what took one.
        deadline.record_success(PART, Duration::from_secs(1));
        assert_eq!(deadline.allowed_for(PART), Duration::from_secs(8));
        deadline.record_success(100, Duration::from_secs(50));
        assert_eq!(deadline.allowed_for(PART), Duration::from_secs(8));
        deadline.record_failure();
        assert_eq!(deadline.allowed_for(PART), Duration::from_secs(16));
        for _ in 0..100 {
            deadline.record_failure();
        }
        assert_eq!(deadline.allowed_for(512), Duration::from_secs(1));
    }

    #[test]
    fn a_low_bandwidth_limit_allows_more_time() {
        let allowed = |rate| Deadline::new(Some(rate)).allowed_for(PART).as_secs();
        assert_eq!([256 << 10, 128 << 10, 1].map(allowed), [256, 512, 16_384]);
    }
}
