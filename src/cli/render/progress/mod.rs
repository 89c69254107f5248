//! What a running command shows on standard error: a bar on a terminal, or a line now and then in a log.
//!
//! [`View`] says what the command is doing, [`Meter`] measures it, and `line` writes it down; all three are
//! functions without a terminal. A thread looks at the command and draws.

mod flow;
mod line;
mod meter;
#[cfg(test)]
mod screens;
mod view;

use std::io::IsTerminal as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use console::Term;
#[cfg(feature = "push")]
use hoist::transfer::CleanupHint;

#[cfg(feature = "push")]
pub(crate) use self::view::Counted;
pub(crate) use self::view::{Doing, View};
#[cfg(feature = "push")]
pub(crate) use super::message::note;
pub(crate) use super::message::{say, warn, warn_of};

use self::line::{Look, bar, plain};
use self::meter::{Meter, Screen};
use crate::cli::run::Stopping;

/// How often the command is looked at.
const TICK: Duration = Duration::from_millis(100);

/// The time between two plain lines, and before the first one: a short job's log has none, and CI services
/// take a job that is silent for ten minutes for dead.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A stop that takes longer is told of in a log.
const LONG_STOP: Duration = Duration::from_secs(1);

/// How a command shows its progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bar,
    Plain,
    None,
}

impl Form {
    /// A bar on a terminal that can move its cursor, plain lines elsewhere. CI services that give a job a
    /// terminal keep a log of it.
    pub(crate) fn that_suits_standard_error() -> Self {
        let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|is| is == value);
        let in_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false");
        if std::io::stderr().is_terminal() && !is("TERM", "dumb") && !in_ci {
            Self::Bar
        } else {
            Self::Plain
        }
    }
}

/// Shows how far a command is, until it is dropped.
pub(crate) struct Display(Option<Running>);

struct Running {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Display {
    /// Starts to show what `view` says.
    pub(crate) fn start(form: Form, view: impl Fn() -> View + Send + 'static) -> Self {
        if form == Form::None {
            return Self(None);
        }
        let (end, ended) = channel();
        let mut watch = Watch {
            form,
            started: Instant::now(),
            meter: Meter::default(),
            said: Duration::ZERO,
            stopping: Stop::None,
        };
        let thread = thread::Builder::new()
            .name("hoist-progress".into())
            .spawn(move || {
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    watch.show(view());
                }
            });
        // Without a thread there is no display, and the command works all the same.
        Self(thread.ok().map(|thread| Running { end, thread }))
    }

    /// Ends it.
    pub(crate) fn end(self) {
        drop(self);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(Running { end, thread }) = self.0.take() {
            drop(end);
            // The thread only draws, so a panic in it loses nothing.
            let _ = thread.join();
            terminal().clear();
        }
    }
}

/// What the thread of a display remembers.
struct Watch {
    form: Form,
    started: Instant,
    meter: Meter,
    /// When the last plain line was due.
    said: Duration,
    stopping: Stop,
}

/// What is known of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    None,
    /// It began at this time.
    Since(Duration),
    /// It was told of.
    Told,
}

impl Watch {
    fn show(&mut self, view: View) {
        let at = self.started.elapsed();
        let stops = matches!(view.doing, Doing::Stopping(_));
        let screen = self.meter.look(view, at);
        if self.form == Form::Bar {
            terminal().draw(&screen);
        } else if self.is_due(at, stops) {
            say(&plain(&screen));
        }
    }

    /// Whether a plain line is due: from time to time, and when a stop takes long.
    fn is_due(&mut self, at: Duration, stops: bool) -> bool {
        let mut is_news = false;
        self.stopping = match self.stopping {
            Stop::None if stops => Stop::Since(at),
            Stop::Since(since) if at >= since + LONG_STOP => {
                is_news = true;
                Stop::Told
            }
            known => known,
        };
        let is_time = at >= self.said + PLAIN_EVERY;
        if is_time || is_news {
            self.said = at;
        }
        is_time || is_news
    }
}

/// What a push that is being watched shows, a stop included.
#[cfg(feature = "push")]
pub(crate) fn of_push(
    progress: &std::sync::Arc<hoist::progress::Progress>,
    stopping: Stopping,
    cleanup: CleanupHint,
) -> impl Fn() -> View + Send + 'static + use<> {
    let progress = std::sync::Arc::clone(progress);
    move || match stopping.by_signal() {
        Some(by_signal) => View::stopping(by_signal, !cleanup.unfinished().is_empty()),
        None => View::push(&progress.snapshot()),
    }
}

/// What `view` shows, or that the command is being stopped.
pub(crate) fn unless_stopped(
    stopping: Stopping,
    view: impl Fn() -> View + Send + 'static,
) -> impl Fn() -> View + Send + 'static {
    move || match stopping.by_signal() {
        Some(by_signal) => View::stopping(by_signal, false),
        None => view(),
    }
}

/// The last line of the terminal. Only one thread at a time writes there, so that a line of text never
/// comes to stand beside a bar.
#[derive(Debug)]
struct Terminal {
    /// The bar that is there.
    drawn: String,
    /// Whether no bar may be drawn any more, since the process is about to end.
    closed: bool,
}

static TERMINAL: Mutex<Terminal> = Mutex::new(Terminal {
    drawn: String::new(),
    closed: false,
});

fn terminal() -> MutexGuard<'static, Terminal> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Terminal {
    fn draw(&mut self, screen: &Screen) {
        let term = Term::buffered_stderr();
        let columns = columns(&term).unwrap_or(80);
        let look = Look {
            unicode: is_unicode(),
            color: console::colors_enabled_stderr(),
        };
        let line = bar(screen, columns.into(), look);
        if line == self.drawn || self.closed {
            return;
        }
        // If standard error is closed, the bar is lost.
        let _ = term.clear_line();
        let _ = term.write_str(&line);
        let _ = term.flush();
        self.drawn = line;
    }

    fn clear(&mut self) {
        if !std::mem::take(&mut self.drawn).is_empty() {
            let term = Term::stderr();
            let _ = term.clear_line();
        }
    }
}

/// The width of the terminal. A terminal may know its width and no height.
#[cfg(unix)]
fn columns(_: &Term) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    Some(size.ws_col).filter(|columns| *columns > 0)
}

/// The width of the terminal.
#[cfg(windows)]
fn columns(term: &Term) -> Option<u16> {
    term.size_checked().map(|(_, columns)| columns)
}

/// Whether the locale's characters are UTF-8 (locale(7): the first of these variables that is set counts).
/// Windows has no such variable, and its terminals show the bar.
fn is_unicode() -> bool {
    if cfg!(windows) {
        return true;
    }
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let mut values = names.iter().filter_map(std::env::var_os);
    let locale = values.find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Removes the bar for good, since the process is about to end.
pub(crate) fn close() {
    let mut terminal = terminal();
    terminal.clear();
    terminal.closed = true;
}

/// Writes elsewhere on the terminal, while no bar is there.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let mut terminal = terminal();
    terminal.clear();
    write()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch {
            form: Form::Plain,
            started: Instant::now(),
            meter: Meter::default(),
            said: Duration::ZERO,
            stopping: Stop::None,
        }
    }

    #[test]
    fn plain_lines_come_every_ten_seconds_and_the_first_after_ten() {
        let mut watch = watch();
        let due: Vec<u64> = (0..350)
            .filter(|tenths| watch.is_due(Duration::from_millis(tenths * 100), false))
            .collect();
        assert_eq!(due, [100, 200, 300]);
    }

    #[test]
    fn a_stop_that_takes_long_is_told_of_once() {
        let mut watch = watch();
        let at = Duration::from_secs;
        assert!(!watch.is_due(at(1), false));
        assert!(!watch.is_due(at(2), true));
        assert!(watch.is_due(at(3), true));
        assert!(!watch.is_due(at(4), true));
        assert!(watch.is_due(at(13), true));
    }
}
