//! Where a test may change a file under the reader's hands.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive::pack) enum Moment {
    /// It is about to be opened.
    Open,
    /// It is open, and nothing was read.
    Opened,
    /// It was read, and not yet looked at again.
    Read,
}

type Call = dyn Fn(Moment, &str) + Send + Sync;

/// What is done at each moment of each file.
#[derive(Clone, Default)]
pub(super) struct Hook(Option<Arc<Call>>);

thread_local! {
    static MINE: RefCell<Hook> = RefCell::default();
}

/// Does so while `pack` runs, for all that this thread packs.
pub(in crate::archive::pack) fn hooked<T>(
    call: impl Fn(Moment, &str) + Send + Sync + 'static,
    pack: impl FnOnce() -> T,
) -> T {
    MINE.set(Hook(Some(Arc::new(call))));
    let packed = pack();
    MINE.take();
    packed
}

/// This thread's, for a source that it opens.
pub(super) fn mine() -> Hook {
    MINE.with_borrow(Clone::clone)
}

impl Hook {
    pub(super) fn call(&self, moment: Moment, name: &[u8]) {
        if let Some(call) = &self.0 {
            call(moment, std::str::from_utf8(name).unwrap());
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").finish_non_exhaustive()
    }
}
