//! Ctrl-C and Ctrl-Break, as the Windows console reports them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::end_now;

/// The number of Ctrl-C on Unix, so that exit codes are the same.
const SIGINT: u8 = 2;

/// Reports Ctrl-C until this is dropped; after that, Ctrl-C ends the process, as by default.
pub(super) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Calls `each` at every Ctrl-C. A process can set this handler once only.
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
