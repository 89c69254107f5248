//! The command line: arguments, text, exit codes. One file a command.
//!
//! Results go to standard output, everything else to standard error. The messages that
//! `aws deploy push` has are its own, word for word, so that scripts that look for them go on
//! working.

mod args;
mod commands;
mod exit;
mod render;
mod signals;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use self::args::{color, unknown};
use self::commands::Arguments;
pub(crate) use self::exit::{Exit, Failure};
use self::render::progress::say;

/// Runs the command that `arguments` ask for, the program's name first.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = Arguments::command().color(color::choice(&arguments));
    let parsed = command
        .clone()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => match unknown::said(&command, arguments, error) {
            Ok(failure) => return told(&failure),
            Err(error) => {
                let exit = match error.kind() {
                    _ if !error.use_stderr() => Exit::Success,
                    ErrorKind::UnknownArgument => Exit::Usage,
                    _ => Exit::Syntax,
                };
                // If nobody reads help, nobody needs it.
                let _ = error.print();
                return exit;
            }
        },
    };
    match arguments.command.run() {
        Ok(()) => Exit::Success,
        Err(failure) => told(&failure),
    }
}

fn told(failure: &Failure) -> Exit {
    failure.lines.iter().for_each(|line| say(line));
    failure.exit
}

/// What runs the commands that talk to services.
#[cfg(any(feature = "push", feature = "local"))]
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failure, format!("cannot start threads: {error}")))
}
