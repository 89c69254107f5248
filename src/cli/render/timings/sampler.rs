//! Samples the counters of a run at regular intervals.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hoist::progress::{Progress, Snapshot};

/// The first interval. When there are [`MOST`] samples, every second one is dropped and the interval
/// doubles.
const INTERVAL: Duration = Duration::from_millis(10);
const MOST: usize = 2000;

/// A thread that collects samples.
pub(super) struct Sampler {
    end: Sender<()>,
    thread: JoinHandle<Vec<Snapshot>>,
}

impl Sampler {
    pub(super) fn start(progress: &Arc<Progress>) -> io::Result<Self> {
        let progress = Arc::clone(progress);
        let (end, ended) = channel();
        let thread = thread::Builder::new()
            .name("hoist-samples".into())
            .spawn(move || {
                let mut samples = Samples::default();
                while ended.recv_timeout(samples.interval) == Err(RecvTimeoutError::Timeout) {
                    samples.push(progress.snapshot());
                }
                samples.push(progress.snapshot());
                samples.kept
            })?;
        Ok(Self { end, thread })
    }

    /// Ends the thread and returns the samples in order of time.
    pub(super) fn end(self) -> Vec<Snapshot> {
        drop(self.end);
        // The thread only reads, so a panic in it loses nothing but samples.
        self.thread.join().unwrap_or_default()
    }
}

struct Samples {
    kept: Vec<Snapshot>,
    interval: Duration,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            interval: INTERVAL,
        }
    }
}

impl Samples {
    fn push(&mut self, sample: Snapshot) {
        if self.kept.len() == MOST {
            let mut odd = false;
            self.kept.retain(|_| {
                odd = !odd;
                odd
            });
            self.interval *= 2;
        }
        self.kept.push(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_samples_is_bounded_and_their_order_kept() {
        let mut samples = Samples::default();
        for at in 0..10_000 {
            samples.push(Snapshot {
                at: Duration::from_millis(at),
                ..Snapshot::default()
            });
        }
        assert!(samples.kept.len() <= MOST);
        assert_eq!(samples.kept[0].at, Duration::ZERO);
        assert!(samples.kept.is_sorted_by_key(|sample| sample.at));
        assert!(samples.interval > INTERVAL);
    }

    #[test]
    fn the_shortest_run_has_a_sample() {
        let progress = Arc::new(Progress::new());
        assert!(!Sampler::start(&progress).unwrap().end().is_empty());
    }
}
