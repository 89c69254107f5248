//! How much may be done at a time with the files that the system lets a process have open
//! (`ulimit -n`): some give 64.
//!
//! It counts what a push opens at most. A worker has a directory and a file; a large file stays open
//! while its chunks are under way, and there are as many as the budget has MiB, one for each worker
//! and eight; a request has a connection, and with `--local` a file and the connection's other end. So
//! with an eighth of the limit each, workers take three eighths at most and eight more, requests three,
//! and what is left is for the runtime.

/// Workers, or requests, of `asked` that there are files for.
pub(crate) fn at_most(asked: usize) -> usize {
    fit(asked, limit())
}

#[cfg(unix)]
fn limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current
}

/// Windows has none that a push would come near to.
#[cfg(windows)]
fn limit() -> Option<u64> {
    None
}

/// No limit is none.
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
    fn few_files_are_few_workers() {
        assert_eq!(fit(24, None), 24);
        assert_eq!(fit(24, Some(1024)), 24);
        assert_eq!(fit(24, Some(64)), 8);
        assert_eq!(fit(3, Some(64)), 3);
        assert_eq!(fit(24, Some(0)), 1);
    }
}
