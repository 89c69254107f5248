//! The command line: arguments, texts and exit codes.
//!
//! `args` has the options, `commands` what each command does with the library, `render` everything
//! that is said, and `run` how a command is cancelled and how it ends. Results go to standard output,
//! everything else to standard error. Messages that `aws deploy push` has, too, have its exact words,
//! because scripts look for them.

#[cfg(feature = "push")]
mod alias;
mod args;
mod commands;
mod completions;
mod exit;
mod manual;
#[cfg(feature = "push")]
mod mfa;
mod panic;
#[cfg(feature = "push")]
mod parents;
mod quoted;
mod render;
mod run;
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
    panic::install();
    panic::caught(|| Ok(parse_and_run(arguments.into_iter().collect())))
        .unwrap_or_else(|failure| end(&failure))
}

fn parse_and_run(arguments: Vec<OsString>) -> Exit {
    let command = || Arguments::command().color(color::choice(&arguments));
    let parsed = command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| {
            // The texts of the manual are needed by help alone.
            let with_manual = || manual::add_help(command()).try_get_matches_from(&arguments);
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    with_manual().err().unwrap_or(error)
                }
                _ => error,
            }
        });
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => match unknown::report(&command(), arguments, error) {
            Ok(failure) => return end(&failure),
            Err(error) => {
                let exit = match error.kind() {
                    _ if !error.use_stderr() => Exit::Success,
                    ErrorKind::UnknownArgument => Exit::Usage,
                    _ => Exit::Syntax,
                };
                // A closed pipe is no reason to fail.
                let _ = quoted::print(error);
                return exit;
            }
        },
    };
    #[cfg(feature = "push")]
    if parsed.command.reaches_aws()
        && let Err(failure) = alias::refuse_lost_options(&arguments)
    {
        return end(&failure);
    }
    match panic::caught(|| parsed.command.run()) {
        Ok(()) => Exit::Success,
        Err(failure) => end(&failure),
    }
}

/// Says why a command failed.
fn end(failure: &Failure) -> Exit {
    failure.lines.iter().for_each(|line| say(line));
    failure.exit
}
