//! What a push is doing, so that a display can name what is waited for.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The stages of a push as its user sees them, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The source is listed.
    #[default]
    Listing,
    /// The source is listed, and the services are still being asked whether the push can succeed.
    Checking,
    /// Files are packed, and parts are sent.
    Sending,
    /// The store copies the object to other destinations.
    Copying,
    /// The stored object is read back.
    Verifying,
    /// The object is registered as a revision.
    Registering,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Listing,
        Self::Checking,
        Self::Sending,
        Self::Copying,
        Self::Verifying,
        Self::Registering,
    ];
}

#[derive(Debug, Default)]
pub(super) struct Current(AtomicU8);

impl Current {
    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Relaxed);
    }

    pub(super) fn get(&self) -> Phase {
        let at = usize::from(self.0.load(Relaxed));
        Phase::ALL.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_is_read_as_it_was_set() {
        let current = Current::default();
        assert_eq!(current.get(), Phase::Listing);
        for phase in Phase::ALL {
            current.set(phase);
            assert_eq!(current.get(), phase);
        }
    }
}
