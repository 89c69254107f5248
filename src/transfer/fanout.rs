//! Gives each part to several uploads, which send it at their own speeds.
//!
//! A part is in memory once, however many uploads send it, until the slowest has sent it. So no upload may
//! be far ahead of the slowest one: as many different parts are on their way at a time as one upload alone
//! may have in flight. The memory is that of one upload, and the slowest sets the pace.
//!
//! The packer sees all uploads as one link: a request begins when a part is given to them, and ends when
//! the slowest has sent it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::archive::pack::{LinkFeedback, Part};
use crate::progress::{Progress, Track, Wait};

/// Takes parts from the packer, and gives each to all uploads.
#[derive(Debug)]
#[must_use]
pub struct FanOut {
    parts: mpsc::Receiver<Part>,
    uploads: Vec<mpsc::Sender<Part>>,
    ahead: Arc<Semaphore>,
    link: Arc<LinkFeedback>,
}

/// The bytes of a part that some upload has not sent.
struct Held {
    body: Bytes,
    since: Instant,
    link: Arc<LinkFeedback>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.link.request_answered(self.since.elapsed());
    }
}

impl FanOut {
    /// Takes the parts from `parts` for so many `uploads`, each of which gets one of the receivers. `ahead`
    /// parts may be with the uploads at a time; zero counts as one. `link` learns how they fare.
    pub fn new(
        parts: mpsc::Receiver<Part>,
        uploads: usize,
        ahead: usize,
        link: Arc<LinkFeedback>,
    ) -> (Self, Vec<mpsc::Receiver<Part>>) {
        let ahead = ahead.max(1);
        // A channel never holds more parts than are with the uploads, so it is never full.
        let (uploads, receivers) = (0..uploads).map(|_| mpsc::channel(ahead)).unzip();
        let fan_out = Self {
            parts,
            uploads,
            ahead: Arc::new(Semaphore::new(ahead)),
            link,
        };
        (fan_out, receivers)
    }

    /// Gives away all parts. It ends early when no upload takes parts any more, which the packer learns by
    /// its closed channel, or when the packer ends, which the uploads learn in the same way.
    pub async fn run(mut self, progress: &Progress) {
        // The permit comes first: a part that waits for one would be memory that is not counted.
        while let Ok(permit) = Arc::clone(&self.ahead).acquire_owned().await {
            let since = Instant::now();
            let Some(part) = self.parts.recv().await else {
                return;
            };
            progress.waited(Track::Upload, Wait::Part, since);
            self.link.request_began();
            let held = Held {
                body: part.body,
                since: Instant::now(),
                link: Arc::clone(&self.link),
                _permit: permit,
            };
            let part = Part {
                body: Bytes::from_owner(held),
                ..part
            };
            let give = |upload: &mpsc::Sender<Part>| upload.try_send(part.clone()).is_ok();
            // An upload that failed takes no more parts.
            self.uploads.retain(give);
            if part.last || self.uploads.is_empty() {
                return;
            }
        }
    }
}
