//! How every command runs: signals cancel it, async work gets a runtime, and a signal or the end of
//! its time decides how it exits.

use std::sync::Arc;
#[cfg(feature = "push")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU8, Ordering};

use hoist::cancel::Cancel;

#[cfg(feature = "push")]
use super::args::time::Time;
use super::signals::Watch;
use super::{Failure, panic};

/// A command that is running.
pub(crate) struct Run {
    cancel: Cancel,
    watch: Watch,
    /// Whether the command may take longer than its limit by now.
    #[cfg(feature = "push")]
    is_unlimited: AtomicBool,
    #[cfg(any(feature = "push", feature = "local"))]
    hint: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// Whether a command is being stopped, for the display of its progress.
#[derive(Clone, Debug)]
pub(crate) struct Stopping {
    cancel: Cancel,
    signal: Arc<AtomicU8>,
}

impl Stopping {
    /// None if the command is not being stopped; else whether a signal stops it, rather than the end of its
    /// time.
    pub(crate) fn by_signal(&self) -> Option<bool> {
        let stopped = self.cancel.is_cancelled();
        stopped.then(|| self.signal.load(Ordering::Acquire) != 0)
    }
}

impl Run {
    /// Starts a command that the first signal cancels. A second signal ends the process.
    pub(crate) fn start() -> Result<Self, Failure> {
        Self::start_with_hint(Vec::new)
    }

    /// Starts a command. If a second signal or a panic ends its work, `hint` gives the lines on what to clean
    /// up by hand.
    pub(crate) fn start_with_hint(
        hint: impl Fn() -> Vec<String> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let cancel = Cancel::new();
        panic::cancels(&cancel);
        let (by_signal, hint) = (cancel.clone(), Arc::new(hint));
        let of_signal = Arc::clone(&hint);
        let watch = Watch::start(move || by_signal.cancel(), move || of_signal());
        let watch =
            watch.map_err(|error| Failure::other(format!("cannot watch for signals: {error}")))?;
        #[cfg(debug_assertions)]
        panic::for_a_test();
        Ok(Self {
            cancel,
            watch,
            #[cfg(feature = "push")]
            is_unlimited: AtomicBool::new(false),
            #[cfg(any(feature = "push", feature = "local"))]
            hint,
        })
    }

    /// What the first signal cancels.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Tells whether the command is being stopped.
    pub(crate) fn stopping(&self) -> Stopping {
        Stopping {
            cancel: self.cancel.clone(),
            signal: self.watch.signal(),
        }
    }

    /// Gives a failure the exit code of the signal that came, if one came.
    pub(crate) fn finish<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        done.map_err(|failure| match self.watch.exit() {
            Some(exit) => Failure { exit, ..failure },
            None => failure,
        })
    }

    /// Does async work that ends by itself when it is cancelled.
    #[cfg(any(feature = "push", feature = "local"))]
    pub(crate) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::other(format!("cannot start threads: {error}")))?;
        let done = panic::caught(|| runtime.block_on(work));
        let done = done.map_err(|mut failure| {
            if failure.lines.is_empty() {
                // The work was given up in the middle.
                failure.lines = (self.hint)();
            }
            failure
        });
        // Whatever still runs there, a name lookup for example, is no longer needed.
        runtime.shutdown_background();
        self.finish(done)
    }
}

#[cfg(feature = "push")]
impl Run {
    /// Does async work that can be dropped when it is cancelled.
    pub(crate) fn block_on_until_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.block_on(async {
            let done = self.cancel.run_until_cancelled(work).await;
            done.unwrap_or_else(|| Err(Failure::other("stopped")))
        })
    }

    /// Lifts the limit of [`block_on_within`](Self::block_on_within), since what it is for is done.
    pub(crate) fn lift_limit(&self) {
        self.is_unlimited.store(true, Ordering::Release);
    }

    /// Does async work that ends by itself when it is cancelled, and cancels it after `limit`.
    pub(crate) fn block_on_within<T>(
        &self,
        limit: Option<&Time>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Some(limit) = limit else {
            return self.block_on(work);
        };
        self.block_on(async {
            let mut work = std::pin::pin!(work);
            let at_the_end = async {
                tokio::time::sleep(limit.duration).await;
                if self.is_unlimited.load(Ordering::Acquire) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = at_the_end => {}
            }
            self.cancel.cancel();
            let done = work.await;
            if self.watch.exit().is_some() {
                return done;
            }
            done.map_err(|failure| {
                let late = format!("stopped: not done after {limit}, which is --timeout");
                let rest = failure
                    .lines
                    .into_iter()
                    .filter(|line| !line.starts_with("stopped"));
                Failure {
                    lines: std::iter::once(late).chain(rest).collect(),
                    ..failure
                }
            })
        })
    }
}
