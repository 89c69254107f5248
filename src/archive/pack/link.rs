//! Tells the packer how the upload fares, for [`LevelPolicy::Auto`](super::LevelPolicy).
//!
//! The archive's bytes depend on these counters, so they are apart from those of the progress display. Each
//! side locks them once or twice a part.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How the requests for parts fare: written by the upload, and read by the packer.
#[derive(Debug, Default)]
pub struct LinkFeedback(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Parts that the packer has made.
    cut: u64,
    /// Parts that the upload has taken.
    taken: u64,
    /// Requests that are under way.
    requests: u64,
    shortest: Option<Duration>,
    recent: Option<Duration>,
}

/// What the link looks like at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkState {
    /// Parts that are being sent.
    pub(crate) requests: u64,
    /// Parts that wait for a request.
    pub(crate) waiting: u64,
    /// The shortest time that a request took.
    pub(super) shortest: Option<Duration>,
    /// The moving average of these times, to which the latest adds a quarter.
    pub(super) recent: Option<Duration>,
}

impl LinkFeedback {
    /// Feedback of an upload that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The upload has taken a part and begins a request for it.
    pub fn request_began(&self) {
        let mut counts = self.counts();
        counts.taken += 1;
        counts.requests += 1;
    }

    /// The store has confirmed a part, `took` after its request began.
    pub fn request_answered(&self, took: Duration) {
        let mut counts = self.counts();
        counts.requests = counts.requests.saturating_sub(1);
        counts.shortest = Some(counts.shortest.map_or(took, |shortest| shortest.min(took)));
        counts.recent = Some(match counts.recent {
            Some(recent) => recent - recent / 4 + took / 4,
            None => took,
        });
    }

    /// The upload has taken a part that the store already had, and sends no request for it.
    pub fn part_skipped(&self) {
        self.counts().taken += 1;
    }

    /// The packer has a part to give away.
    pub(crate) fn part_cut(&self) {
        self.counts().cut += 1;
    }

    pub(crate) fn state(&self) -> LinkState {
        let counts = self.counts();
        LinkState {
            requests: counts.requests,
            waiting: counts.cut.saturating_sub(counts.taken),
            shortest: counts.shortest,
            recent: counts.recent,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_waits_until_it_is_taken_and_its_request_is_under_way_until_it_is_answered() {
        let link = LinkFeedback::new();
        (0..3).for_each(|_| link.part_cut());
        link.part_skipped();
        link.request_began();
        let state = link.state();
        assert_eq!((state.waiting, state.requests, state.recent), (1, 1, None));
        for secs in [8, 4] {
            link.request_answered(Duration::from_secs(secs));
        }
        let state = link.state();
        assert_eq!((state.waiting, state.requests), (1, 0));
        assert_eq!(state.shortest, Some(Duration::from_secs(4)));
        assert_eq!(state.recent, Some(Duration::from_secs(7)));
    }
}
