//! Signals of Unix, on a thread that waits for them.

use std::fs;
use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as Waiting};

/// Waits for signals until this is dropped.
pub(super) struct Signals(Handle);

impl Signals {
    /// Calls `each` with the number of every signal.
    pub(super) fn watch(mut each: impl FnMut(u8) + Send + 'static) -> io::Result<Self> {
        let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
        let watched = [SIGINT, SIGTERM, SIGHUP];
        let watched = watched.into_iter().filter(|signal| !ignored(*signal));
        let mut signals = Waiting::new(watched)?;
        let handle = signals.handle();
        thread::Builder::new()
            .name("hoist-signals".into())
            .spawn(move || {
                for signal in &mut signals {
                    each(u8::try_from(signal).unwrap_or(0));
                }
            })?;
        Ok(Self(handle))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Which signals the process ignores, from its `/proc/self/status` (proc_pid_status(5)).
fn ignored(status: &str) -> impl Fn(i32) -> bool + use<> {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    move |signal| mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let status = "Name:\thoist\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(
            [1, 2, 13, 15].map(ignored(status)),
            [true, false, true, false]
        );
        assert!(!ignored("")(SIGHUP));
    }
}
