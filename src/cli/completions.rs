//! Completions of the command line for shells.
//!
//! clap_complete writes the scripts for zsh, fish, PowerShell and elvish. Its script for bash completes
//! neither `--option=value` nor names with spaces, so the one for bash is written here. Both follow the
//! parser's own description of the arguments, to which [`described`] adds what it does not say: which
//! values are directories, which are the names of profiles, and which words a value may be.
//!
//! Profiles are read when a completion asks for them, by `hoist completions --profiles`.

use std::fmt::Write as _;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

/// Values of options that the parser reads with functions of its own, by the option's id.
const WORDS: [(&str, &[&str]); 6] = [
    ("level", LEVELS),
    ("levels", LEVELS),
    ("bundle_type", &["zip", "tar", "tgz"]),
    ("sink", &["null", "pack", "local"]),
    ("resume", &["always", "auto", "never"]),
    (
        "storage_class",
        &[
            "STANDARD",
            "STANDARD_IA",
            "ONEZONE_IA",
            "INTELLIGENT_TIERING",
            "GLACIER_IR",
            "REDUCED_REDUNDANCY",
        ],
    ),
];

const LEVELS: &[&str] = &[
    "fast", "default", "best", "auto", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10",
    "11", "12",
];

/// The hint by which generators know the names of profiles. No option takes a name of a user.
const PROFILE: ValueHint = ValueHint::Username;

/// The script for a shell.
pub(super) fn script(shell: Shell, command: Command) -> String {
    let mut command = described(command);
    if shell == Shell::Bash {
        return bash(&command);
    }
    let mut script = Vec::new();
    generate(shell, &mut command, "hoist", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Zsh => script.replace(":_users'", ":_hoist_profiles'").replacen(
            "if [ \"$funcstack[1]\"",
            &format!("{ZSH_PROFILES}if [ \"$funcstack[1]\""),
            1,
        ),
        Shell::Fish => script.replace(
            "(__fish_complete_users)",
            "(hoist completions --profiles 2>/dev/null)",
        ),
        _ => script.into_owned(),
    }
}

const ZSH_PROFILES: &str = "\
_hoist_profiles() {
    local -a names
    names=(${(f)\"$(_call_program profiles hoist completions --profiles 2>/dev/null)\"})
    compadd -a names
}

";

/// The arguments with hints for all values, so that no generator guesses files where none belong.
fn described(command: Command) -> Command {
    let is_push = command.get_name() == "push";
    let mut command = command.mut_args(|arg| {
        let words = WORDS.iter().find(|(id, _)| arg.get_id() == *id);
        if let Some((_, words)) = words {
            return arg.value_parser(PossibleValuesParser::new(*words));
        }
        let names = arg.get_value_names().unwrap_or_default();
        let hint = match names.first().map(|name| name.as_str()) {
            _ if arg.get_id() == "profile" => PROFILE,
            // A push also takes an archive or an AppSpec file.
            _ if is_push && arg.get_id() == "source" => ValueHint::AnyPath,
            Some("DIR") => ValueHint::DirPath,
            Some("ARCHIVE") => ValueHint::AnyPath,
            _ if arg.get_value_hint() == ValueHint::Unknown && takes_value(&arg) => {
                ValueHint::Other
            }
            _ => return arg,
        };
        arg.value_hint(hint)
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, described);
    }
    command
}

fn takes_value(arg: &Arg) -> bool {
    arg.is_positional() || arg.get_action().takes_values()
}

/// The script for bash, version 3.2 and later.
fn bash(command: &Command) -> String {
    let shown = |command: &&Command| !command.is_hide_set();
    let commands: Vec<&Command> = command.get_subcommands().filter(shown).collect();
    let names: Vec<&str> = commands.iter().map(|command| command.get_name()).collect();
    let (mut values, mut rest) = (String::new(), String::new());
    for command in &commands {
        bash_of(command, &mut values, &mut rest);
    }
    let (all, either) = (names.join(" "), names.join("|"));
    BASH.replace("@commands@", &all)
        .replace("@command@", &either)
        .replace("@values@\n", &values)
        .replace("@rest@\n", &rest)
}

/// The cases of one command: values of options, then options and positional values.
fn bash_of(command: &Command, values: &mut String, rest: &mut String) {
    let name = command.get_name();
    let mut words = vec!["--help".to_owned()];
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        if arg.is_positional() {
            let _ = writeln!(rest, "        {name}:*) {} ;;", bash_action(arg));
            continue;
        }
        let Some(long) = arg.get_long().filter(|long| *long != "help") else {
            continue;
        };
        words.push(format!("--{long}"));
        if arg.get_action().takes_values() {
            let short = arg.get_short().map(|short| format!("|{name}:-{short}"));
            let short = short.unwrap_or_default();
            let apart = match arg.is_require_equals_set() {
                true => String::new(),
                false => format!("{name}:--{long}|"),
            };
            let action = bash_action(arg);
            let _ = writeln!(
                values,
                "        {apart}{name}:--{long}={short}) {action} ;;"
            );
        }
    }
    // Options come before positional values, since the first case that fits is taken.
    let options = format!(
        "        {name}:-*) _hoist_words \"{}\" ;;\n",
        words.join(" ")
    );
    let at = rest
        .find(&format!("        {name}:*)"))
        .unwrap_or(rest.len());
    rest.insert_str(at, &options);
    if at + options.len() == rest.len() {
        // Without a positional value, only options can follow.
        let _ = writeln!(
            rest,
            "        {name}:*) _hoist_words \"{}\" ;;",
            words.join(" ")
        );
    }
}

/// What completes a value.
fn bash_action(arg: &Arg) -> String {
    let words = arg.get_possible_values();
    if !words.is_empty() {
        let shown = words.iter().filter(|word| !word.is_hide_set());
        let words: Vec<&str> = shown.map(|word| word.get_name()).collect();
        return format!("_hoist_words \"{}\"", words.join(" "));
    }
    match arg.get_value_hint() {
        PROFILE => "_hoist_profiles \"$1\"".to_owned(),
        ValueHint::DirPath => "_hoist_paths -d".to_owned(),
        ValueHint::AnyPath | ValueHint::FilePath => "_hoist_paths -f".to_owned(),
        // Nothing can be proposed.
        _ => ":".to_owned(),
    }
}

const BASH: &str = r#"# Completions of hoist for bash.

_hoist_words() {
    local word
    for word in $1; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
    done
}

# -d: directories; -f: files, too
_hoist_paths() {
    local path
    while IFS= read -r path; do
        if [[ -d ${path/#\~/$HOME} ]]; then path+=/; fi
        COMPREPLY+=("$path")
    done < <(compgen "$1" -- "$cur")
    # Lets readline quote names, and add no space after a directory.
    compopt -o filenames 2>/dev/null
}

_hoist_profiles() {
    local name
    while IFS= read -r name; do
        if [[ $name == "$cur"* ]]; then COMPREPLY+=("$(printf %q "$name")"); fi
    done < <("${1/#\~/$HOME}" completions --profiles 2>/dev/null)
}

_hoist() {
    # The word as it is without the backslashes that quote it.
    local cur=${2//\\/} prev=$3 command= at
    COMPREPLY=()
    # Readline takes --option=value for three words.
    if [[ ${COMP_WORDS[COMP_CWORD]} == = ]]; then
        cur= prev=${COMP_WORDS[COMP_CWORD - 1]}=
    elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
        prev=${COMP_WORDS[COMP_CWORD - 2]}=
    fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        @command@)
            command=${COMP_WORDS[at]}
            break
            ;;
        esac
    done
    case $command:$prev in
@values@
    *)
        case $command:$cur in
        :-*) _hoist_words "--help --version" ;;
        :*) _hoist_words "@commands@ help" ;;
@rest@
        esac
        ;;
    esac
}

complete -F _hoist hoist
"#;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::commands::Arguments;

    // Builds without some features take fewer values.
    #[cfg(all(feature = "push", feature = "local"))]
    #[test]
    fn the_words_of_options_are_values_that_the_parser_takes() {
        let command = Arguments::command();
        for (id, words) in WORDS {
            let mut users = 0;
            for command in command.get_subcommands() {
                let mut args = command.get_arguments();
                let Some(arg) = args.find(|arg| arg.get_id() == id) else {
                    continue;
                };
                users += 1;
                for word in words {
                    let alone = Command::new("hoist").arg(
                        Arg::new("x")
                            .long("x")
                            .value_parser(arg.get_value_parser().clone()),
                    );
                    let parsed = alone.try_get_matches_from(["hoist", "--x", word]);
                    assert!(parsed.is_ok(), "{} --{id} {word}", command.get_name());
                }
            }
            assert!(users > 0, "{id}");
        }
    }

    #[test]
    fn every_value_is_described() {
        for command in described(Arguments::command()).get_subcommands() {
            for arg in command.get_arguments().filter(|arg| takes_value(arg)) {
                let is_known = !arg.get_possible_values().is_empty()
                    || arg.get_value_hint() != ValueHint::Unknown;
                assert!(is_known, "{} {}", command.get_name(), arg.get_id());
            }
        }
    }
}
