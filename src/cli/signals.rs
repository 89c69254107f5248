//! Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second does not wait for it. And
//! `--timeout`, which asks for the same when its time has come.
//!
//! What was ignored when the command began stays so: that is how nohup and background jobs protect it.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::progress::say;
use super::{Exit, Failure};

/// Watches for signals until it is dropped.
pub(crate) struct Watch {
    handle: Handle,
    seen: Arc<AtomicU8>,
}

impl Watch {
    /// Calls `stop` at the first signal. A second one ends the process.
    pub(crate) fn start(stop: impl Fn() + Send + 'static) -> Result<Self, Failure> {
        Self::start_knowing(stop, || None)
    }

    /// The same. A second signal also says what `left` gives, which is to be cleaned up by hand.
    pub(crate) fn start_knowing(
        stop: impl Fn() + Send + 'static,
        left: impl Fn() -> Option<String> + Send + 'static,
    ) -> Result<Self, Failure> {
        Self::try_start(stop, left).map_err(|error| {
            Failure::new(Exit::Failure, format!("cannot watch for signals: {error}"))
        })
    }

    fn try_start(
        stop: impl Fn() + Send + 'static,
        left: impl Fn() -> Option<String> + Send + 'static,
    ) -> io::Result<Self> {
        let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
        let watched = [SIGINT, SIGTERM, SIGHUP];
        let watched = watched.into_iter().filter(|signal| !ignored(*signal));
        let mut signals = Signals::new(watched)?;
        let handle = signals.handle();
        let seen = Arc::new(AtomicU8::new(0));
        let noted = Arc::clone(&seen);
        thread::Builder::new()
            .name("hoist-signals".into())
            .spawn(move || {
                for signal in &mut signals {
                    let number = u8::try_from(signal).unwrap_or(0);
                    if noted.swap(number, Ordering::AcqRel) != 0 {
                        if let Some(left) = left() {
                            say(&left);
                        }
                        end_now(number);
                    }
                    stop();
                }
            })?;
        Ok(Self { handle, seen })
    }

    /// The exit that the first signal asks for, if there was one.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.seen.load(Ordering::Acquire) {
            0 => None,
            number => Some(Exit::Signal(number)),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Which signals are ignored, says a process's status: bits of a number in hexadecimal.
fn ignored(status: &str) -> impl Fn(i32) -> bool + use<> {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    move |signal| mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}

/// Whoever asks twice does not want to wait for anything to be cleaned up.
#[allow(clippy::exit, reason = "there is no way back to main from a signal")]
fn end_now(signal: u8) -> ! {
    std::process::exit(i32::from(Exit::Signal(signal).code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_bits_of_the_status() {
        let status = "Name:\thoist\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(
            [1, 2, 13, 15].map(ignored(status)),
            [true, false, true, false]
        );
        assert!(!ignored("")(SIGHUP));
    }
}
