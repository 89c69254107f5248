//! Identifiers and the clock.
//!
//! Identifiers are unique, not secret: they must not guard anything.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 32 hexadecimal digits that sort by time of creation, then at random.
pub(super) fn unique() -> String {
    // `RandomState` draws its keys from the operating system once per thread and changes them with
    // each call, so the value differs between calls, threads and processes.
    let random = RandomState::new().build_hasher().finish();
    let nanos = since_epoch().as_nanos() & u128::from(u64::MAX);
    format!("{nanos:016x}{random:016x}")
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Milliseconds since 1970 in UTC.
pub(super) fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// The instant `ms` milliseconds after 1970.
pub(super) fn time(ms: u64) -> SystemTime {
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
}
