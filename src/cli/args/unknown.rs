//! Words that are no option's, said as the AWS CLI says them: all at once, and only after the
//! options that must be there.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::cli::Failure;

/// What to say of `error`, which `arguments` gave: of unknown words if it is about those, and nothing
/// else is wrong.
pub(crate) fn said(
    command: &Command,
    mut arguments: Vec<OsString>,
    error: Error,
) -> Result<Failure, Error> {
    if error.kind() != ErrorKind::UnknownArgument {
        return Err(error);
    }
    let (mut words, mut next) = (Vec::new(), Some(error));
    let mut near = None;
    // Each time, the parser tells of the first.
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
    Ok(failure.and(format!("--help lists the options{near}")))
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// Whether an argument is what the parser calls so: it leaves a value behind `=` out.
fn is(argument: &OsString, word: &str) -> bool {
    let argument = argument.to_string_lossy();
    let rest = argument.strip_prefix(word);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn said_of(words: &[&str]) -> Result<Vec<String>, ErrorKind> {
        let command = Command::new("hoist")
            .arg(Arg::new("source").long("source"))
            .arg(Arg::new("name").long("name").required(true));
        let words = ["hoist"].iter().chain(words).map(OsString::from);
        let arguments: Vec<OsString> = words.collect();
        let error = command.clone().try_get_matches_from(&arguments);
        let said = said(&command, arguments, error.unwrap_err());
        said.map(|failure| failure.lines)
            .map_err(|error| error.kind())
    }

    #[test]
    fn all_are_named_as_they_were_written() {
        let said = said_of(&["foo", "--name", "a", "bar", "--baz=1", "--none", "x"]).unwrap();
        assert_eq!(said[0], "Unknown options: foo,bar,--baz=1,--none,x");
        assert_eq!(said[1], "--help lists the options");
        let said = said_of(&["--name=a", "--sourced", "x"]).unwrap();
        assert_eq!(said[0], "Unknown options: --sourced,x");
        assert_eq!(said[1], "--help lists the options; --source is one");
    }

    #[test]
    fn what_must_be_there_comes_first() {
        assert_eq!(
            said_of(&["--nope"]),
            Err(ErrorKind::MissingRequiredArgument)
        );
        assert_eq!(said_of(&["--name"]), Err(ErrorKind::InvalidValue));
    }
}
