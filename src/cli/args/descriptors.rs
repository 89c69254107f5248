//! How many workers and requests fit the number of files that the system lets a process have open
//! (`ulimit -n`), which is 64 on some systems.
//!
//! It counts the most files that a push opens. A worker has a directory and a file open. A large file
//! stays open while its chunks are in progress, and there are at most as many chunks as the budget has
//! MiB, plus one for each worker and eight. A request has a connection, and with `--local` also a file
//! and the other end of the connection. So workers and requests get an eighth of the limit each:
//! workers then open at most three eighths of it plus eight files, requests three eighths, and the
//! runtime gets the rest.

/// The most workers, or requests, up to `asked`, that the limit of open files allows.
pub(crate) fn at_most(asked: usize) -> usize {
    fit(asked, limit())
}

/// The most requests to each of so many `destinations`, up to `asked`, such that the limit allows all of them
/// together, and at least one.
#[cfg(feature = "push")]
pub(crate) fn each_at_most(asked: usize, destinations: usize) -> usize {
    each(asked, destinations, limit())
}

#[cfg(feature = "push")]
fn each(asked: usize, destinations: usize, limit: Option<u64>) -> usize {
    let destinations = destinations.max(1);
    let all = fit(asked.saturating_mul(destinations), limit);
    (all / destinations).max(1)
}

#[cfg(unix)]
fn limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current
}

/// Windows allows more open files than a push needs.
#[cfg(windows)]
fn limit() -> Option<u64> {
    None
}

fn fit(asked: usize, limit: Option<u64>) -> usize {
    let most = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit / 8).unwrap_or(usize::MAX)
    });
    asked.min(most).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_of_open_files_means_fewer_workers() {
        assert_eq!(fit(24, None), 24);
        assert_eq!(fit(24, Some(1024)), 24);
        assert_eq!(fit(24, Some(64)), 8);
        assert_eq!(fit(3, Some(64)), 3);
        assert_eq!(fit(24, Some(0)), 1);
    }

    #[cfg(feature = "push")]
    #[test]
    fn the_requests_to_all_destinations_fit_a_low_limit_together() {
        assert_eq!(each(12, 1, Some(64)), fit(12, Some(64)));
        assert_eq!(each(12, 8, Some(1024)), 12);
        assert_eq!(each(12, 8, Some(256)), 4);
        assert_eq!(each(12, 8, Some(64)), 1);
        assert_eq!(each(12, 80, Some(64)), 1);
    }
}
