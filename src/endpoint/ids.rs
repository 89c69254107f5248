//! Identifiers and the clock, without a dependency for either.
//!
//! Identifiers are unique, not secret: nothing here may guard anything.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 64 bits that differ between calls, threads and processes.
fn random() -> u64 {
    // `RandomState` draws its keys from the operating system once a thread and steps them at each
    // call.
    RandomState::new().build_hasher().finish()
}

/// 32 hexadecimal digits that sort by time of creation, then at random.
pub(crate) fn unique() -> String {
    let nanos = since_epoch().as_nanos() & u128::from(u64::MAX);
    format!("{nanos:016x}{:016x}", random())
}

/// A random identifier in the usual 8-4-4-4-12 form (RFC 9562, version 4).
pub(crate) fn uuid() -> String {
    let (high, low) = (random(), random());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & (u64::MAX >> 2)) | (1 << 63);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Milliseconds since 1970 in UTC.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// The instant `ms` milliseconds after 1970.
pub(crate) fn time(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_differ_and_sort_by_time() {
        let ids: Vec<String> = (0..1000).map(|_| unique()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 32));
        assert!(ids.windows(2).all(|pair| pair[0][..16] <= pair[1][..16]));
    }

    #[test]
    fn uuids_have_the_right_form() {
        let id = uuid();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
        assert_ne!(id, uuid());
    }
}
