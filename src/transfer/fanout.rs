//! Gives each part to several uploads, which send it at their own speeds.
//!
//! A part is in memory once, however many uploads send it, until the slowest has sent it. So no upload may
//! be far ahead of the slowest one: each gets the next part only once all have room for it, and at most as many
//! different parts are on their way at a time as one upload alone may have in flight. The memory is that of one
//! upload, and the slowest sets the pace.
//!
//! The packer sees all uploads as one link: a request begins when a part is given to them, and ends when
//! the slowest has sent it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
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
        // An upload takes a part when it can send it. More parts in the channel would be memory that does not
        // make the slowest upload faster: four uploads over links of 40 MB/s took 1.41 of the memory of one.
        let (uploads, receivers) = (0..uploads).map(|_| mpsc::channel(1)).unzip();
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
        // Room comes first: a part that waits for it would be memory that is not counted.
        while let Ok(permit) = Arc::clone(&self.ahead).acquire_owned().await {
            let rooms = join_all(self.uploads.iter().map(mpsc::Sender::reserve)).await;
            let rooms: Vec<_> = rooms.into_iter().flatten().collect();
            if rooms.is_empty() {
                return;
            }
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
            for room in rooms {
                room.send(part.clone());
            }
            // An upload that failed takes no more parts. One that was given to it after its end is freed with
            // its sender.
            self.uploads.retain(|upload| !upload.is_closed());
            if part.last {
                return;
            }
        }
    }
}
