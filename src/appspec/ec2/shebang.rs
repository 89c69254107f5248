//! Reads the first line of a script as Linux does: which program it starts, and with which argument.
//!
//! Linux gives everything behind the interpreter to it as one argument. Most programs fail at two options
//! in one argument, and `env` looks for a program whose name has a space. If `env` finds no program at all,
//! it starts the script again, without end. Observed with GNU env 9.1, bash 5.2, dash, perl 5.36, ruby 3.1 and
//! Python 3.11.

/// The bytes of a script that Linux reads to find its interpreter.
const LINE_LEN: usize = 256;

/// The long options of GNU env. Each can be shortened.
const LONG: [&str; 12] = [
    "ignore-environment",
    "null",
    "unset",
    "chdir",
    "default-signal",
    "ignore-signal",
    "block-signal",
    "list-signal-handling",
    "debug",
    "split-string",
    "help",
    "version",
];

/// Why a script does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no `#!` with an interpreter.
    Missing,
    /// A carriage return is a part of the interpreter or its argument.
    Return,
    /// The interpreter, or the program that env starts, is a path that is not absolute.
    Relative(String),
    /// The interpreter takes several arguments for one, and fails.
    Joined(String),
    /// env starts no program but the script itself, without end.
    Endless(String),
}

/// What is wrong with the first line of a script that begins with `head`.
pub(super) fn fault(head: &[u8]) -> Option<Fault> {
    let is_blank = |c: char| matches!(c, ' ' | '\t');
    let line = head.get(..LINE_LEN).unwrap_or(head);
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let Some(line) = line
        .strip_prefix("#!")
        .map(|line| line.trim_matches(is_blank))
    else {
        return Some(Fault::Missing);
    };
    let (interpreter, argument) = line.split_once(is_blank).unwrap_or((line, ""));
    let argument = argument.trim_start_matches(is_blank);
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    if interpreter.is_empty() {
        Some(Fault::Missing)
    } else if interpreter.contains('\r') || argument.trim_end_matches('\r').contains('\r') {
        Some(Fault::Return)
    } else if !interpreter.starts_with('/') {
        Some(Fault::Relative(interpreter.to_owned()))
    } else if name == "env" {
        env(argument)
    } else if argument.contains('\r') && !ignores_return(name, argument) {
        Some(Fault::Return)
    } else if is_joined(name, argument) {
        Some(Fault::Joined(argument.to_owned()))
    } else {
        None
    }
}

/// Whether a program ignores a carriage return at the end of its options.
fn ignores_return(name: &str, argument: &str) -> bool {
    (name.starts_with("perl") || name.starts_with("ruby")) && argument.starts_with('-')
}

/// Whether a program fails because its argument is several.
fn is_joined(name: &str, argument: &str) -> bool {
    let Some((first, _)) = argument.split_once([' ', '\t']) else {
        return false;
    };
    // Options of Python that have no value, behind which the rest of the argument would be the value.
    let is_flags = |first: &str| {
        let flags = first.strip_prefix('-').unwrap_or_default();
        !flags.is_empty() && flags.chars().all(|c| "bBdEiIOPqRsSuvx".contains(c))
    };
    matches!(name, "sh" | "bash" | "dash") || name.starts_with("python") && is_flags(first)
}

/// What is wrong with the argument of env.
fn env(argument: &str) -> Option<Fault> {
    let mut words = Vec::from_iter(Some(argument.to_owned()).filter(|word| !word.is_empty()));
    let mut is_split = false;
    let mut has_null = false;
    let mut at = 0;
    // Options.
    while let Some(word) = words.get(at).cloned() {
        at += 1;
        let split = match word.as_str() {
            "--" => break,
            "-" => continue,
            _ if !word.starts_with('-') => {
                at -= 1;
                break;
            }
            _ if word.starts_with("--") => {
                let (name, value) = word[2..].split_once('=').unwrap_or((&word[2..], ""));
                let mut options = LONG.iter().filter(|option| option.starts_with(name));
                match (options.next(), options.next()) {
                    (Some(&"help" | &"version"), None) => return None,
                    (Some(&"split-string"), None) => Some(value.to_owned()),
                    (Some(_), None) => None,
                    _ => return Some(Fault::Joined(argument.to_owned())),
                }
            }
            _ => match short_options(&word[1..], &mut has_null) {
                Short::Flags => None,
                Short::Split(text) => Some(text.to_owned()),
                Short::Value(value) => {
                    // Without a value, it takes the next word, and then the script itself.
                    at += usize::from(value.is_empty());
                    if at > words.len() {
                        return None;
                    }
                    None
                }
                Short::Unknown => return Some(Fault::Joined(argument.to_owned())),
            },
        };
        if let Some(text) = split {
            is_split = true;
            let Some(split) = split_string(&text) else {
                let has_return = argument.contains('\r');
                let joined = Fault::Joined(argument.to_owned());
                return Some(if has_return { Fault::Return } else { joined });
            };
            words.splice(at.., split);
        }
    }
    let program = words[at..].iter().find(|word| !word.contains('='));
    let Some(program) = program else {
        return Some(Fault::Endless(argument.to_owned()));
    };
    if program.contains('\r') {
        Some(Fault::Return)
    } else if has_null || !is_split && program.contains([' ', '\t', '\'', '"']) {
        Some(Fault::Joined(argument.to_owned()))
    } else if program.contains('/') && !program.starts_with('/') {
        Some(Fault::Relative(program.clone()))
    } else {
        None
    }
}

/// Short options of env in one word.
enum Short<'a> {
    Flags,
    /// The text that `-S` splits.
    Split(&'a str),
    /// The value of an option, which may be empty.
    Value(&'a str),
    Unknown,
}

fn short_options<'a>(options: &'a str, has_null: &mut bool) -> Short<'a> {
    for (at, option) in options.char_indices() {
        match option {
            'i' | 'v' => {}
            '0' => *has_null = true,
            'S' => return Short::Split(&options[at + 1..]),
            'u' | 'C' | 'a' => return Short::Value(&options[at + 1..]),
            _ => return Short::Unknown,
        }
    }
    Short::Flags
}

/// Splits a text as `env -S` does. None if env refuses it.
fn split_string(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}', None) => words.extend(word.take()),
            ('#', None) if word.is_none() => break,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', Some('\'')) => {
                let escaped = chars.as_str().chars().next();
                let escaped = escaped.filter(|c| matches!(c, '\\' | '\''));
                if escaped.is_some() {
                    chars.next();
                }
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            ('\\', _) => match chars.next()? {
                'c' if quote.is_none() => break,
                '_' if quote.is_none() => words.extend(word.take()),
                '_' => word.get_or_insert_default().push(' '),
                c @ ('#' | '$' | '\\' | '"' | '\'') => word.get_or_insert_default().push(c),
                'f' | 'n' | 'r' | 't' | 'v' => word.get_or_insert_default().push(' '),
                _ => return None,
            },
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return None;
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Fault> {
        fault(format!("{line}\necho ok\n").as_bytes())
    }

    #[test]
    fn a_line_that_linux_and_env_run_has_no_fault() {
        for line in [
            "#!/bin/sh",
            "#! /bin/sh",
            "#!/bin/bash -eu",
            "#!/bin/bash -e ",
            "#!/bin/sh -",
            "#!/usr/bin/perl -w -T",
            "#!/usr/bin/perl -w\r",
            "#!/usr/bin/awk -f",
            "#!/usr/bin/python3 -u",
            "#!/usr/bin/python3 -Wignore x",
            "#!/usr/bin/env bash ",
            "#!/usr/bin/env  bash\t",
            "#!/usr/bin/env /bin/bash",
            "#!/usr/bin/env -S bash -e\r",
            "#!/usr/bin/env -S\tbash -e\r",
            "#!/usr/bin/env -vS bash\r",
            "#!/usr/bin/env -iS bash\r",
            "#!/usr/bin/env -iSFOO=1 bash",
            "#!/usr/bin/env -S -i FOO=1 bash -e",
            "#!/usr/bin/env -S -u FOO bash",
            "#!/usr/bin/env -S \"bash\" '-e'",
            "#!/usr/bin/env --split-string=bash -e\r",
            "#!/usr/bin/env --s=bash -e\r",
            "#!/usr/bin/env -vS  bash -e # x\r",
            "#!/usr/bin/env -S node --max-old-space-size=99",
        ] {
            assert_eq!(of(line), None, "{line:?}");
        }
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        let joined = |text: &str| Some(Fault::Joined(text.to_owned()));
        let endless = |text: &str| Some(Fault::Endless(text.to_owned()));
        let relative = |text: &str| Some(Fault::Relative(text.to_owned()));
        for (line, expected) in [
            ("echo", Some(Fault::Missing)),
            ("#!", Some(Fault::Missing)),
            ("#! \t", Some(Fault::Missing)),
            ("#!/bin/sh\r", Some(Fault::Return)),
            ("#!/bin/sh -e\r", Some(Fault::Return)),
            ("#!/usr/bin/env bash\r", Some(Fault::Return)),
            ("#!/usr/bin/env bash -e\r", Some(Fault::Return)),
            ("#!/usr/bin/env -S \"bash\r\"", Some(Fault::Return)),
            ("#!/usr/bin/env -S bash\\\r", Some(Fault::Return)),
            ("#!/usr/bin/env -S bash\recho\r", Some(Fault::Return)),
            ("#!/bin/sh\recho\r", Some(Fault::Return)),
            ("#!bash", relative("bash")),
            ("#!bin/sh -e", relative("bin/sh")),
            ("#!/usr/bin/env ./bash", relative("./bash")),
            ("#!/usr/bin/env -S ./bash -e", relative("./bash")),
            ("#!/bin/bash -e -x", joined("-e -x")),
            ("#!/bin/sh -e # x", joined("-e # x")),
            ("#!/bin/dash -e -u", joined("-e -u")),
            ("#!/bin/bash --login -e", joined("--login -e")),
            ("#!/usr/bin/python3 -u -O", joined("-u -O")),
            ("#!/usr/bin/env bash -e", joined("bash -e")),
            ("#!/usr/bin/env \"bash\"", joined("\"bash\"")),
            ("#!/usr/bin/env -i bash", joined("-i bash")),
            ("#!/usr/bin/env -v bash", joined("-v bash")),
            ("#!/usr/bin/env -- bash", joined("-- bash")),
            ("#!/usr/bin/env -bash", joined("-bash")),
            ("#!/usr/bin/env -0S bash", joined("-0S bash")),
            (
                "#!/usr/bin/env --split-string bash",
                joined("--split-string bash"),
            ),
            ("#!/usr/bin/env FOO=1 bash", endless("FOO=1 bash")),
            ("#!/usr/bin/env FOO=1", endless("FOO=1")),
            ("#!/usr/bin/env", endless("")),
            ("#!/usr/bin/env -", endless("-")),
            ("#!/usr/bin/env -i", endless("-i")),
            ("#!/usr/bin/env -uS bash", endless("-uS bash")),
            ("#!/usr/bin/env -S FOO=1", endless("-S FOO=1")),
            ("#!/usr/bin/env -S", endless("-S")),
        ] {
            assert_eq!(of(line), expected, "{line:?}");
        }
    }
}
