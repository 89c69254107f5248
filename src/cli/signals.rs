//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second does not wait for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::{Exit, Failure};

/// Watches for signals until it is dropped.
pub(crate) struct Watch {
    handle: Handle,
    seen: Arc<AtomicU8>,
}

impl Watch {
    /// Calls `stop` at the first signal. A second one ends the process.
    pub(crate) fn start(stop: impl Fn() + Send + 'static) -> Result<Self, Failure> {
        Self::try_start(stop).map_err(|error| {
            Failure::new(Exit::Failure, format!("cannot watch for signals: {error}"))
        })
    }

    fn try_start(stop: impl Fn() + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        let seen = Arc::new(AtomicU8::new(0));
        let noted = Arc::clone(&seen);
        thread::Builder::new()
            .name("hoist-signals".into())
            .spawn(move || {
                for signal in &mut signals {
                    let number = u8::try_from(signal).unwrap_or(0);
                    if noted.swap(number, Ordering::AcqRel) != 0 {
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

/// Whoever asks twice does not want to wait for anything to be cleaned up.
#[allow(clippy::exit, reason = "there is no way back to main from a signal")]
fn end_now(signal: u8) -> ! {
    std::process::exit(i32::from(Exit::Signal(signal).code()))
}
