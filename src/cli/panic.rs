//! What a panic does: it is a bug, so the user is told what happened and what to report, the command stops in
//! an orderly way, which aborts a running upload, and ends as a failure.
//!
//! The hook runs on the thread that panics, whichever that is. The threads and tasks of a push hand a panic on
//! as an error; the hook cancels the push as well, since a panic elsewhere would not end it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use hoist::cancel::Cancel;
use hoist::error::shown;

use super::render::progress::say;
use super::{Exit, Failure};

/// Threads that only draw or read figures: the command is as good without them.
const HARMLESS: [&str; 2] = ["hoist-progress", "hoist-samples"];

/// Whether a thread panicked whose work the command needs.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// What a panic cancels.
static CANCEL: Mutex<Option<Cancel>> = Mutex::new(None);

/// Replaces Rust's message and its exit code.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("a task");
        let first = !PANICKED.load(Ordering::Acquire);
        // Before the command is stopped, since it may end at once.
        message(info, name, first).iter().for_each(|line| say(line));
        if !HARMLESS.contains(&name) {
            PANICKED.store(true, Ordering::Release);
            let cancel = CANCEL.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cancel) = &*cancel {
                cancel.cancel();
            }
        }
    }));
}

/// Lets a panic cancel this.
pub(crate) fn cancels(cancel: &Cancel) {
    let mut current = CANCEL.lock().unwrap_or_else(PoisonError::into_inner);
    *current = Some(cancel.clone());
}

/// Does `work`. A panic in it, or in a thread that worked for it, is a failure; the hook has said why.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Err(failure)) if PANICKED.load(Ordering::Acquire) => Err(Failure {
            exit: Exit::Failure,
            ..failure
        }),
        Ok(done) => done,
        Err(_) => Err(Failure {
            exit: Exit::Failure,
            lines: Vec::new(),
        }),
    }
}

/// What is said of a panic: of the first one, what to do, too.
fn message(info: &PanicHookInfo<'_>, thread: &str, first: bool) -> Vec<String> {
    let text = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(|at| format!(" at {at}"));
    let mut lines = vec![format!(
        "internal error{} in the thread {}: {}",
        place.unwrap_or_default(),
        shown(thread),
        shown(text)
    )];
    let backtrace = Backtrace::capture();
    let is_captured = backtrace.status() == BacktraceStatus::Captured;
    if is_captured {
        lines.push(format!("{backtrace}"));
    }
    if first {
        let version = env!("CARGO_PKG_VERSION");
        let to = match env!("CARGO_PKG_REPOSITORY") {
            "" => "the maintainers of hoist",
            url => url,
        };
        let more = if is_captured {
            ""
        } else {
            "; with RUST_BACKTRACE=1, it prints more for the report"
        };
        lines.push(format!(
            "this is a bug in hoist {version}: report it to {to}, with the command line and the lines \
             above{more}"
        ));
    }
    lines
}

/// Panics if a test asks for it, which only a build for tests can: now, or on another thread as soon as a file
/// is there.
#[cfg(debug_assertions)]
#[allow(clippy::panic, reason = "only in builds for tests")]
pub(crate) fn for_a_test() {
    match std::env::var_os("HOIST_TEST_PANIC") {
        None => {}
        Some(now) if now == "now" => panic!("asked for\nby a test"),
        Some(file) => drop(thread::spawn(move || {
            while !std::path::Path::new(&file).exists() {
                thread::sleep(std::time::Duration::from_millis(5));
            }
            panic!("asked for\nby a test");
        })),
    }
}
