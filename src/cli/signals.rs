//! Ctrl-C, SIGTERM and SIGHUP: the first signal asks for an orderly end, the second one ends the
//! process at once.
//!
//! A signal that was ignored when the command began stays ignored, since that is how nohup and
//! background jobs protect a command. On Windows there is only Ctrl-C.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::Exit;
use super::render::progress::{close, say};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use self::unix::Signals;
#[cfg(windows)]
use self::windows::Signals;

/// Signals within this time count as one: `timeout` signals both the command and its group, and a CI
/// runner every process that it knows. A person who presses Ctrl-C twice is slower.
const TOGETHER: Duration = Duration::from_millis(200);

/// Watches for signals until it is dropped.
pub(super) struct Watch {
    _signals: Signals,
    seen: Arc<AtomicU8>,
}

impl Watch {
    /// Calls `stop` at the first signal. A second one prints what `hint` gives and ends the process.
    pub(super) fn start(
        stop: impl Fn() + Send + 'static,
        hint: impl Fn() -> Vec<String> + Send + 'static,
    ) -> io::Result<Self> {
        let seen = Arc::new(AtomicU8::new(0));
        let noted = Arc::clone(&seen);
        let mut first = None;
        let signals = Signals::watch(move |number| {
            let Some(since) = first else {
                first = Some(Instant::now());
                noted.store(number, Ordering::Release);
                return stop();
            };
            if since.elapsed() < TOGETHER {
                return;
            }
            close();
            hint().iter().for_each(|line| say(line));
            end_now(number);
        })?;
        Ok(Self {
            _signals: signals,
            seen,
        })
    }

    /// The number of the first signal; 0 until one came.
    pub(super) fn signal(&self) -> Arc<AtomicU8> {
        Arc::clone(&self.seen)
    }

    /// The exit of the first signal, if one came.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self.seen.load(Ordering::Acquire) {
            0 => None,
            number => Some(Exit::Signal(number)),
        }
    }
}

#[allow(
    clippy::exit,
    reason = "a signal handler has no way back to main, and the user asked twice"
)]
fn end_now(signal: u8) -> ! {
    std::process::exit(i32::from(Exit::Signal(signal).code()))
}
