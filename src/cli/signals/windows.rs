//! Ctrl-C and Ctrl-Break, which the console tells a thread of.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::end_now;

/// The number that Unix has for Ctrl-C: exit codes are the same.
const SIGINT: u8 = 2;

/// Ctrl-C is told of until this is dropped; then it ends the process, as it would have without.
pub(super) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Calls `each` with the number of Ctrl-C. There can be one handler in a process, once.
    pub(super) fn watch(mut each: impl FnMut(u8) + Send + 'static) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        ctrlc::set_handler(move || {
            if is_over.load(Ordering::Acquire) {
                end_now(SIGINT);
            }
            each(SIGINT);
        })
        .map_err(io::Error::other)?;
        Ok(Self(over))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
