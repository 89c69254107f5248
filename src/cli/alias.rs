//! Refuses to run in an alias of the AWS CLI that lost options.
//!
//! The AWS CLI takes its global options out of the command line, wherever they stand, and passes them on to an alias
//! neither as arguments nor as variables (AWS CLI 1.46.3 and 2.36.7). So `aws --region eu-west-1 deploy push …` would push
//! to another region. Nothing tells hoist but the command line of the AWS CLI, which is hoist's parent, or the parent
//! of the shell that runs the alias.
//!
//! hoist refuses only if all of this holds: the parent is a program named `aws`, perhaps run by Python; the words of its
//! command line name an alias in the AWS CLI's file of aliases that runs a shell command; and an option of the command
//! line that means something to hoist is not among hoist's own arguments. hoist does not take the options over,
//! because the alias can give others on purpose: `!hoist push --profile deploy`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use hoist::aws::access::parse_flat;
use hoist::error::quoted;

use super::Failure;
use super::parents::{CommandLine, parents};

/// The global options of the AWS CLI, whether each takes a value, and whether it changes what hoist does.
pub(super) const GLOBAL: [(&str, bool, bool); 18] = [
    ("--ca-bundle", true, true),
    ("--cli-auto-prompt", false, false),
    ("--cli-binary-format", true, false),
    ("--cli-connect-timeout", true, true),
    ("--cli-error-format", true, false),
    ("--cli-read-timeout", true, true),
    ("--color", true, true),
    ("--debug", false, true),
    ("--endpoint-url", true, true),
    ("--no-cli-auto-prompt", false, false),
    ("--no-cli-pager", false, false),
    ("--no-paginate", false, false),
    ("--no-sign-request", false, true),
    ("--no-verify-ssl", false, true),
    ("--output", true, true),
    ("--profile", true, true),
    ("--query", true, false),
    ("--region", true, true),
];

/// How often an alias may stand for another one.
const MAX_ALIASES: usize = 8;

/// Refuses to go on if the AWS CLI kept options to itself. `arguments` are hoist's own, the program's name first.
pub(crate) fn refuse_lost_options(arguments: &[OsString]) -> Result<(), Failure> {
    let parents = parents();
    let Some(line) = aws_line(&parents) else {
        return Ok(());
    };
    let file = std::env::home_dir().map(|home| home.join(".aws/cli/alias"));
    let Some(Ok(text)) = file.map(fs::read) else {
        return Ok(());
    };
    let aliases = Aliases::parse(&String::from_utf8_lossy(&text));
    let own: Vec<_> = words(arguments.get(1..).unwrap_or_default());
    let mut lost = aliases.kept_back(&words(line)).unwrap_or_default();
    lost.retain(|option| !option.is_in(&own));
    if lost.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = lost.iter().map(|option| option.name).collect();
    let all: Vec<_> = own
        .into_iter()
        .chain(lost.iter().flat_map(Kept::words))
        .collect();
    // A name with control characters is no text for a terminal.
    let line = (!all.iter().any(|word| word.contains(char::is_control))).then(|| {
        let words: Vec<_> = all.iter().map(|word| quoted(word)).collect();
        format!("without the alias, this works: hoist {}", words.join(" "))
    });
    let failure = Failure::usage(format!(
        "the AWS CLI did not pass {} on to this alias, because it passes none of its own options on",
        names.join(", ")
    ));
    let instead =
        "in place of the alias, `hoist aws-wrapper` prints a function that passes all options on";
    Err(failure.and(line).and(Some(instead)))
}

fn words(line: &[OsString]) -> Vec<String> {
    let words = line.iter().map(|word| word.to_string_lossy().into_owned());
    words.collect()
}

/// The arguments of the AWS CLI, if it is the parent, or the parent of the shell that it runs an alias with.
fn aws_line(parents: &[CommandLine]) -> Option<&[OsString]> {
    let (parent, above) = parents.split_first()?;
    if let Some(line) = aws_arguments(parent) {
        return Some(line);
    }
    let is_shell = |name: &str| {
        matches!(
            name,
            "sh" | "ash" | "bash" | "dash" | "ksh" | "mksh" | "zsh"
        )
    };
    match parent.as_slice() {
        [shell, option, ..] if name_of(shell).is_some_and(is_shell) && option == "-c" => {
            aws_arguments(above.first()?)
        }
        _ => None,
    }
}

/// What follows the program's name, if the program is the AWS CLI, perhaps run by Python.
fn aws_arguments(line: &[OsString]) -> Option<&[OsString]> {
    // Nix runs it by the second name.
    let is_aws = |word: &OsStr| matches!(name_of(word), Some("aws" | ".aws-wrapped"));
    let (program, mut rest) = line.split_first()?;
    if is_aws(program) {
        return Some(rest);
    }
    if !name_of(program)?.to_ascii_lowercase().starts_with("python") {
        return None;
    }
    loop {
        let (word, after) = rest.split_first()?;
        if word == "-m" && after.first().is_some_and(|module| module == "awscli") {
            return after.get(1..);
        }
        if !word.as_encoded_bytes().starts_with(b"-") {
            return is_aws(word).then_some(after);
        }
        rest = after;
    }
}

fn name_of(program: &OsStr) -> Option<&str> {
    Path::new(program).file_name()?.to_str()
}

/// A global option that the AWS CLI kept to itself.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    name: &'static str,
    value: Option<String>,
    /// Whether it changes what hoist does.
    matters: bool,
}

impl Kept {
    /// Whether hoist has it anyway, with this value.
    fn is_in(&self, own: &[String]) -> bool {
        let mut places = own.iter().enumerate();
        match &self.value {
            None => own.iter().any(|word| word == self.name),
            Some(value) => places.any(|(at, word)| match word.strip_prefix(self.name) {
                Some("") => own.get(at + 1) == Some(value),
                Some(rest) => rest.strip_prefix('=') == Some(value),
                None => false,
            }),
        }
    }

    fn words(&self) -> impl Iterator<Item = String> + use<> {
        [Some(self.name.to_owned()), self.value.clone()]
            .into_iter()
            .flatten()
    }
}

/// Splits arguments of the AWS CLI into its global options and the words that name a command.
fn split(arguments: &[String]) -> (Vec<Kept>, Vec<String>) {
    let (mut kept, mut commands): (Vec<Kept>, _) = (Vec::new(), Vec::new());
    let mut rest = arguments.iter();
    while let Some(word) = rest.next().filter(|word| *word != "--") {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if !name.starts_with("--") {
            commands.push(word.clone());
            continue;
        }
        // Version 1 allows abbreviations.
        let mut like = GLOBAL.iter().filter(|(full, ..)| full.starts_with(name));
        let exact = GLOBAL.iter().find(|(full, ..)| *full == name);
        let unique = like.next().filter(|_| like.next().is_none());
        let Some(&(name, takes_value, matters)) = exact.or(unique) else {
            continue;
        };
        let value = match value {
            None if takes_value => rest.next().cloned(),
            value => value,
        };
        // The last one counts.
        kept.retain(|option| option.name != name);
        kept.push(Kept {
            name,
            value,
            matters,
        });
    }
    (kept, commands)
}

/// The AWS CLI's file of aliases: sections, each with names and values.
#[derive(Debug, Default)]
struct Aliases(BTreeMap<String, BTreeMap<String, String>>);

impl Aliases {
    /// A file that the AWS CLI cannot read has no alias for it, either.
    fn parse(text: &str) -> Self {
        let sections = parse_flat(text).unwrap_or_default().into_iter();
        let named = |name: String| name.split_whitespace().collect::<Vec<_>>().join(" ");
        Self(sections.map(|(name, all)| (named(name), all)).collect())
    }

    fn get(&self, section: &str, name: &str) -> Option<&str> {
        let entries = self.0.get(section)?;
        entries.get(name).map(|value| value.trim())
    }

    /// The options that the AWS CLI kept from hoist, if `arguments` run an alias for a shell command.
    fn kept_back(&self, arguments: &[String]) -> Option<Vec<Kept>> {
        let mut arguments = arguments.to_vec();
        for _ in 0..MAX_ALIASES {
            let (mut kept, commands) = split(&arguments);
            let first = commands.first()?;
            let top = self.get("toplevel", first);
            if top.is_some_and(|value| value.starts_with('!')) || self.is_below(&commands) {
                kept.retain(|option| option.matters);
                return Some(kept);
            }
            // An alias for a command and options of the AWS CLI stands for these.
            let stands_for = top?
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']).to_owned());
            let stands_for: Vec<_> = stands_for.collect();
            if stands_for.contains(first) {
                return None;
            }
            let place = arguments.iter().position(|word| word == first)?;
            arguments.splice(place..=place, stands_for);
        }
        None
    }

    /// Whether the words name an alias of version 2 below a command: `[command deploy]`, `push = !…`.
    fn is_below(&self, commands: &[String]) -> bool {
        (1..commands.len()).any(|depth| {
            let section = format!("command {}", commands[..depth].join(" "));
            self.get(&section, &commands[depth])
                .is_some_and(|value| value.starts_with('!'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# aliases\n[toplevel]\npushit = !hoist push\nd = deploy --ca-bundle x\nwho: sts get-caller-identity\n\
                        lines =\n  !f() {\n    hoist push \"$@\"; }; f\ns3 = s3 --region r\n[command  deploy]\npush = !hoist push\n\
                        pull = get\n";

    fn line(text: &str) -> CommandLine {
        text.split(' ').map(OsString::from).collect()
    }

    fn kept(text: &str) -> Option<String> {
        let kept = Aliases::parse(FILE).kept_back(&words(&line(text)))?;
        let words: Vec<_> = kept.iter().flat_map(Kept::words).collect();
        Some(words.join(" "))
    }

    #[test]
    fn options_that_an_alias_does_not_get_are_found() {
        for (text, expected) in [
            ("pushit", ""),
            ("--region r pushit --application-name a", "--region r"),
            (
                "pushit --application-name a --region=r --profile p",
                "--region r --profile p",
            ),
            ("--region a lines x --region b", "--region b"),
            (
                "--reg r pushit --no-verify --no-sign",
                "--region r --no-verify-ssl --no-sign-request",
            ),
            (
                "pushit --query q --no-cli-pager --output json --debug",
                "--output json --debug",
            ),
            ("pushit --other --region", "--region"),
            ("pushit -- --region r", ""),
            (
                "--profile p deploy --no-paginate push --region r",
                "--profile p --region r",
            ),
            ("d push --region r", "--ca-bundle x --region r"),
        ] {
            assert_eq!(kept(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_alias_for_a_shell_command_keeps_nothing_back() {
        for text in [
            "--region r deploy pull",
            "--region r deploy list-applications",
            "--region r who",
            "--region pushit s3 ls",
            "--region r s3 push",
            "--region r push",
            "--region r",
            "",
        ] {
            assert_eq!(kept(text), None, "{text}");
        }
        assert!(Aliases::parse("").kept_back(&["pushit".into()]).is_none());
    }

    #[test]
    fn only_the_aws_cli_and_its_own_shell_are_looked_at() {
        let found = |parents: &[&str]| {
            let parents: Vec<_> = parents.iter().map(|text| line(text)).collect();
            aws_line(&parents).map(|line| words(line).join(" "))
        };
        for parents in [
            &["aws --region r pushit"][..],
            &["/usr/local/bin/aws --region r pushit"],
            &["/usr/bin/python3.11 -s -E /usr/local/bin/aws --region r pushit"],
            &["Python -m awscli --region r pushit"],
            &[
                "/bin/sh -c f() {}; f",
                "/opt/python3 /x/aws --region r pushit",
            ],
        ] {
            assert_eq!(
                found(parents).as_deref(),
                Some("--region r pushit"),
                "{parents:?}"
            );
        }
        for parents in [
            &[][..],
            &["make aws", "aws --region r pushit"],
            &["bash -c aws --region r pushit; hoist push"],
            &["bash ./release.sh", "aws --region r pushit"],
            &["/bin/sh /usr/local/bin/aws --region r pushit"],
            &["python3 ./aws.py --region r pushit"],
            &["python3 -m awswrangler --region r pushit"],
            &["sh -c x", "make", "aws --region r pushit"],
            &["awsx --region r pushit"],
            &["python3"],
        ] {
            assert_eq!(found(parents), None, "{parents:?}");
        }
    }

    #[test]
    fn an_option_that_hoist_has_with_its_value_is_not_lost() {
        let option = |value: Option<&str>| Kept {
            name: "--region",
            value: value.map(str::to_owned),
            matters: true,
        };
        let own = |text: &str| words(&line(text));
        assert!(option(Some("r")).is_in(&own("push --region r")));
        assert!(option(Some("r")).is_in(&own("push --region=r")));
        assert!(!option(Some("r")).is_in(&own("push --region=s")));
        assert!(!option(Some("r")).is_in(&own("push --regions r")));
        assert!(option(None).is_in(&own("push --region")));
        assert!(!option(None).is_in(&own("push")));
    }
}
