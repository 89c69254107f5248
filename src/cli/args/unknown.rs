//! Unknown options, reported as the AWS CLI reports them: all at once, and only if no required option
//! is missing.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use hoist::error::shown;

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
    if let Some(subcommand) = preceded_by_options(command, &arguments) {
        return Ok(Failure::usage(format!(
            "options go after the command: hoist {subcommand} {} ...",
            shown(&arguments[1])
        )));
    }
    let (mut words, mut next) = (Vec::new(), Some(error));
    let mut near: Vec<String> = Vec::new();
    // The parser only reports the first one, so that one is removed and the rest parsed again.
    while let Some(mut error) = next {
        if error.kind() != ErrorKind::UnknownArgument {
            if error.use_stderr() && error.kind() != HELP_INSTEAD {
                // Perhaps a required option is missing because it is misspelled.
                let unknown = format!("unknown: {}", listed(&words));
                let tip = match did_you_mean(&near) {
                    Some(meant) => format!("{unknown}; {meant}"),
                    None => unknown,
                };
                let tips = ContextValue::StyledStrs(vec![tip.into()]);
                error.insert(ContextKind::Suggested, tips);
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
        let suggested = text(&error, ContextKind::SuggestedArg).map(str::to_owned);
        near.extend(suggested.filter(|name| !near.contains(name)));
        words.push(arguments.remove(place).to_string_lossy().into_owned());
        next = command.clone().try_get_matches_from(&arguments).err();
    }
    let failure = Failure::usage(format!("Unknown options: {}", listed(&words)));
    let meant = did_you_mean(&near).map_or_else(String::new, |meant| format!("{meant} "));
    Ok(failure.and(Some(format!("{meant}--help lists the options"))))
}

/// The parser shows its help if nothing is left of the line.
const HELP_INSTEAD: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// The command of the line, if options come before it, as the AWS CLI allows.
fn preceded_by_options<'a>(command: &'a Command, arguments: &[OsString]) -> Option<&'a str> {
    let first = arguments.get(1)?.to_str()?;
    let mut names = command.get_subcommands().map(Command::get_name);
    let named = names.find(|name| arguments.iter().skip(2).any(|word| word == name));
    named.filter(|_| first.starts_with('-'))
}

/// Words that are not known, as the AWS CLI lists them.
fn listed(words: &[String]) -> String {
    let shown: Vec<String> = words.iter().map(|word| shown(word).to_string()).collect();
    shown.join(",")
}

/// Asks whether the options of these names were meant.
fn did_you_mean(near: &[String]) -> Option<String> {
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")))
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
        assert_eq!(lines[1], "did you mean --source? --help lists the options");
    }

    #[test]
    fn options_before_the_command_are_told_their_place_and_a_line_of_unknown_words_names_them() {
        let command = || {
            let push = Command::new("push").arg(Arg::new("region").long("region"));
            Command::new("hoist")
                .subcommand(push)
                .arg_required_else_help(true)
        };
        let said = |words: &[&str]| {
            let words = ["hoist"].iter().chain(words).map(OsString::from);
            let arguments: Vec<OsString> = words.collect();
            let error = command().try_get_matches_from(&arguments).unwrap_err();
            report(&command(), arguments, error).unwrap().lines
        };
        let place = "options go after the command: hoist push --region ...";
        assert_eq!(said(&["--region", "x", "push"])[0], place);
        assert_eq!(said(&["--verison"])[0], "Unknown options: --verison");
    }

    #[test]
    fn each_misspelled_option_is_met_with_the_one_that_was_perhaps_meant() {
        let lines = reported(&["--name=a", "--sourc=x", "--nam", "--sorce"]).unwrap();
        assert_eq!(lines[0], "Unknown options: --sourc=x,--nam,--sorce");
        let meant = "did you mean --source, --name? --help lists the options";
        assert_eq!(lines[1], meant);
        // A required option is missing because it is misspelled.
        let command = || Command::new("hoist").arg(Arg::new("name").long("name").required(true));
        let arguments: Vec<OsString> = ["hoist", "--nmae=x"].map(OsString::from).into();
        let error = command().try_get_matches_from(&arguments).unwrap_err();
        let error = report(&command(), arguments, error).unwrap_err();
        assert!(
            error.to_string().contains("did you mean --name?"),
            "{error}"
        );
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
