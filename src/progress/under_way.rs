//! Bytes that are on their way: handed to a connection and not confirmed, or received of an answer that
//! is not complete. On a slow link a part takes many seconds, and a display that knew only of whole parts
//! would stand still meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts the bytes under way of all bodies. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<AtomicU64>);

impl UnderWay {
    /// How many bytes are under way now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Begins to count one body.
    #[cfg(feature = "push")]
    pub(crate) fn body(&self) -> Arc<BodyUnderWay> {
        Arc::new(BodyUnderWay {
            all: Arc::clone(&self.0),
            here: AtomicU64::new(0),
        })
    }
}

/// The share of one body. Its bytes are no longer under way when it is dropped.
#[cfg(feature = "push")]
#[derive(Debug)]
pub(crate) struct BodyUnderWay {
    all: Arc<AtomicU64>,
    here: AtomicU64,
}

#[cfg(feature = "push")]
impl BodyUnderWay {
    pub(crate) fn add(&self, bytes: u64) {
        self.here.fetch_add(bytes, Relaxed);
        self.all.fetch_add(bytes, Relaxed);
    }

    /// An attempt has ended, or the next one begins with the first byte again.
    pub(crate) fn restart(&self) {
        self.all.fetch_sub(self.here.swap(0, Relaxed), Relaxed);
    }
}

#[cfg(feature = "push")]
impl Drop for BodyUnderWay {
    fn drop(&mut self) {
        self.restart();
    }
}

#[cfg(all(test, feature = "push"))]
mod tests {
    use super::*;

    #[test]
    fn a_retry_takes_its_bytes_back_and_so_does_the_end_of_a_body() {
        let all = UnderWay::default();
        let (one, other) = (all.body(), all.body());
        one.add(5);
        other.add(7);
        assert_eq!(all.bytes(), 12);
        one.restart();
        assert_eq!(all.bytes(), 7);
        one.add(2);
        drop((one, other));
        assert_eq!(all.bytes(), 0);
    }
}
