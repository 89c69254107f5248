//! Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second does not wait for it. And
//! `--timeout`, which asks for the same when its time has come.
//!
//! What was ignored when the command began stays so: that is how nohup and background jobs protect it.
//! Windows has Ctrl-C alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::render::progress::say;
use super::{Exit, Failure};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use self::unix::Signals;
#[cfg(windows)]
use self::windows::Signals;

/// Signals that come together are one wish: `timeout` sends each to the command and to its group, and a
/// CI runner to every process that it knows. A hand on a keyboard is slower.
const TOGETHER: Duration = Duration::from_millis(200);

/// Watches for signals until it is dropped.
pub(crate) struct Watch {
    /// What ends with it.
    _signals: Signals,
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
            if let Some(left) = left() {
                say(&left);
            }
            end_now(number);
        })?;
        Ok(Self {
            _signals: signals,
            seen,
        })
    }

    /// The exit that the first signal asks for, if there was one.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.seen.load(Ordering::Acquire) {
            0 => None,
            number => Some(Exit::Signal(number)),
        }
    }
}

/// Whoever asks twice does not want to wait for anything to be cleaned up.
#[allow(clippy::exit, reason = "there is no way back to main from a signal")]
fn end_now(signal: u8) -> ! {
    std::process::exit(i32::from(Exit::Signal(signal).code()))
}
