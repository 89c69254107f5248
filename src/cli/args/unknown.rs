//! Unknown options, reported as the AWS CLI reports them: all at once, and only if no required option
//! is missing.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::cli::Failure;

/// Turns the parser's `error` into a failure that names all unknown options, if nothing else is wrong
/// with `arguments`.
pub(crate) fn report(
    command: &Command,
    mut arguments: Vec<OsString>,
    error: Error,
) -> Result<Failure, Error> {
    if error.kind() != ErrorKind::UnknownArgument {
        return Err(error);
    }
    let (mut words, mut next) = (Vec::new(), Some(error));
    let mut near = None;
    // The parser only reports the first one, so that one is removed and the rest parsed again.
    while let Some(error) = next {
        if error.kind() != ErrorKind::UnknownArgument {
            if error.use_stderr() {
                return Err(error);
            }
            break;
        }
        let Some(place) = text(&error, ContextKind::InvalidArg)
            .and_then(|word| arguments.iter().position(|known| is(known, word)))
        else {
            if words.is_empty() {
                return Err(error);
            }
            break;
        };
        near = near.or_else(|| text(&error, ContextKind::SuggestedArg).map(str::to_owned));
        words.push(arguments.remove(place).to_string_lossy().into_owned());
        next = command.clone().try_get_matches_from(&arguments).err();
    }
    let failure = Failure::usage(format!("Unknown options: {}", words.join(",")));
    let near = near.map_or_else(String::new, |near| format!("; {near} is one"));
    Ok(failure.and(Some(format!("--help lists the options{near}"))))
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// Whether the parser means this argument by `word`, which lacks the value behind `=`.
fn is(argument: &OsString, word: &str) -> bool {
    let argument = argument.to_string_lossy();
    let rest = argument.strip_prefix(word);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn reported(words: &[&str]) -> Result<Vec<String>, ErrorKind> {
        let command = Command::new("hoist")
            .arg(Arg::new("source").long("source"))
            .arg(Arg::new("name").long("name").required(true));
        let words = ["hoist"].iter().chain(words).map(OsString::from);
        let arguments: Vec<OsString> = words.collect();
        let error = command.clone().try_get_matches_from(&arguments);
        let reported = report(&command, arguments, error.unwrap_err());
        reported
            .map(|failure| failure.lines)
            .map_err(|error| error.kind())
    }

    #[test]
    fn all_unknown_options_are_named_as_they_were_written() {
        let lines = reported(&["foo", "--name", "a", "bar", "--baz=1", "--none", "x"]).unwrap();
        assert_eq!(lines[0], "Unknown options: foo,bar,--baz=1,--none,x");
        assert_eq!(lines[1], "--help lists the options");
        let lines = reported(&["--name=a", "--sourced", "x"]).unwrap();
        assert_eq!(lines[0], "Unknown options: --sourced,x");
        assert_eq!(lines[1], "--help lists the options; --source is one");
    }

    #[test]
    fn a_missing_required_option_is_reported_first() {
        assert_eq!(
            reported(&["--nope"]),
            Err(ErrorKind::MissingRequiredArgument)
        );
        assert_eq!(reported(&["--name"]), Err(ErrorKind::InvalidValue));
    }
}
