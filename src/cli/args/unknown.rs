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
    let mut notes: Vec<&str> = Vec::new();
    let subcommand = arguments.get(1).and_then(|word| word.to_str());
    let subcommand = subcommand.unwrap_or_default().to_owned();
    let is_latest = arguments.iter().any(|word| word == "--latest");
    // The parser only reports the first one, so that one is removed and the rest parsed again.
    while let Some(mut error) = next {
        if error.kind() != ErrorKind::UnknownArgument {
            if error.use_stderr() && error.kind() != HELP_INSTEAD {
                // Perhaps a required option is missing because it is misspelled.
                let unknown = format!("unknown: {}", listed(&words));
                let tip = match help(&near, &notes) {
                    Some(help) => format!("{unknown}; {help}"),
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
        let word = arguments.remove(place).to_string_lossy().into_owned();
        match known_elsewhere(&subcommand, &word, is_latest) {
            Some(Elsewhere::Option(name)) => near.push(name.to_owned()),
            Some(Elsewhere::Note(note)) => notes.push(note),
            None => near.extend(text(&error, ContextKind::SuggestedArg).map(str::to_owned)),
        }
        words.push(word);
        next = command.clone().try_get_matches_from(&arguments).err();
    }
    let failure = Failure::usage(format!("Unknown options: {}", listed(&words)));
    let listed = match help(&near, &notes) {
        Some(help) if notes.is_empty() => format!("{help} --help lists the options"),
        Some(help) => format!("{help}; --help lists the options"),
        None => "--help lists the options".to_owned(),
    };
    Ok(failure.and(Some(listed)))
}

/// What stands for a word of the AWS CLI or of another command, where the nearest option means something else.
enum Elsewhere {
    /// This option.
    Option(&'static str),
    /// Something else.
    Note(&'static str),
}

fn known_elsewhere(subcommand: &str, word: &str, is_latest: bool) -> Option<Elsewhere> {
    let name = word.split('=').next().unwrap_or_default();
    Some(match (subcommand, name) {
        ("push", "--deployment-group-name" | "--deployment-group") => {
            Elsewhere::Option("--deploy-to")
        }
        ("deploy", "--deployment-id") => Elsewhere::Option("--watch"),
        ("deploy", "--github-location") => Elsewhere::Note(
            "hoist deploys revisions in S3; aws deploy create-deployment deploys those of GitHub",
        ),
        ("deploy", "create-deployment") => Elsewhere::Note(
            "hoist deploy creates a deployment by itself: leave create-deployment out",
        ),
        ("deploy", "wait") => {
            Elsewhere::Note("to wait for a deployment, run: hoist deploy --watch ID")
        }
        ("deploy", "push") => Elsewhere::Note("to push a revision, run: hoist push"),
        ("deploy", _) if is_latest && word.starts_with("s3://") => {
            Elsewhere::Note("write a prefix as --latest=s3://BUCKET/PREFIX")
        }
        _ => return None,
    })
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

/// Asks whether the options of these names were meant, and adds the notes.
fn help(near: &[String], notes: &[&str]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in near {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let meant = (!names.is_empty()).then(|| format!("did you mean {}?", names.join(", ")));
    let notes = (!notes.is_empty()).then(|| notes.join("; "));
    let said: Vec<String> = meant.into_iter().chain(notes).collect();
    (!said.is_empty()).then(|| said.join(" "))
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
    #[cfg(feature = "push")]
    use clap::CommandFactory as _;

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

    #[cfg(feature = "push")]
    #[test]
    fn words_of_the_aws_cli_and_of_other_commands_are_met_with_what_stands_for_them() {
        let command = crate::cli::commands::Arguments::command();
        let said = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let error = command
                .clone()
                .try_get_matches_from(&arguments)
                .unwrap_err();
            match report(&command, arguments, error) {
                Ok(failure) => failure.lines.join("\n"),
                Err(error) => error.to_string(),
            }
        };
        let push = "hoist push --application-name A --s3-location s3://b/k";
        let deploy = "hoist deploy --application-name A --deployment-group-name G";
        for (line, note) in [
            (
                format!("{push} --deployment-group-name G"),
                "did you mean --deploy-to?",
            ),
            (
                "hoist deploy --deployment-id d-X".to_owned(),
                "did you mean --watch?",
            ),
            (
                format!("{deploy} --github-location repository=a,commitId=b"),
                "aws deploy create-deployment deploys those of GitHub; --help lists",
            ),
            (
                format!("{deploy} --latest s3://b/k"),
                "write a prefix as --latest=s3://BUCKET/PREFIX",
            ),
            (
                deploy.replace("deploy ", "deploy create-deployment "),
                "leave create-deployment out",
            ),
            (
                "hoist deploy wait deployment-successful --deployment-id d-X".to_owned(),
                "did you mean --watch? to wait for a deployment, run: hoist deploy --watch ID",
            ),
        ] {
            let said = said(&line);
            assert!(said.contains(note), "{line}: {said}");
            assert_eq!(
                said.matches("did you mean").count(),
                note.matches("did you mean").count()
            );
        }
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
