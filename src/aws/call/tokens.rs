//! How many retries all requests of a caller may make together.

use tokio::time::Instant;

/// Retries that may be made at once: seven each for fourteen requests.
const MOST: f64 = 100.0;

/// Retries that come back in a second.
const REFILL: f64 = 1.0;

/// Retries that are left.
#[derive(Debug)]
pub(super) struct Tokens {
    left: f64,
    at: Instant,
}

impl Tokens {
    pub(super) fn full(now: Instant) -> Self {
        Self {
            left: MOST,
            at: now,
        }
    }

    /// Takes a retry, if one is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * REFILL).min(MOST);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tokens_come_back_with_time_up_to_the_most() {
        let start = Instant::now();
        let mut tokens = Tokens::full(start);
        let mut take_all = |at| (0..1000).take_while(|_| tokens.take(at)).count();
        assert_eq!(take_all(start), 100);
        assert_eq!(take_all(start + Duration::from_millis(2500)), 2);
        assert_eq!(take_all(start + Duration::from_secs(3)), 1);
        assert_eq!(take_all(start + Duration::from_secs(86_400)), 100);
    }
}
