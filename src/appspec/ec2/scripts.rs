//! Checks the file of a script: whether Linux can run it, and as which user.

use super::shell;
use crate::appspec::bundle::{Bundle, resolve_link};
use crate::appspec::check::{Check, quote};
use crate::appspec::report::{Rule, Span};

/// The bytes of a script that Linux reads to find its interpreter.
const LINE_LEN: usize = 256;

/// How the agents run a script.
pub(super) struct Script<'a> {
    /// Its path as it is written.
    pub(super) path: &'a str,
    pub(super) span: Span,
    /// The user, if it is set and not blank.
    pub(super) runas: Option<&'a str>,
    pub(super) sudo: bool,
}

/// Checks the characters of the path, which may be given to a shell.
pub(super) fn check_path(check: &mut Check<'_>, script: &Script<'_>) {
    let Some(c) = shell::special(script.path) else {
        return;
    };
    let (path, c) = (quote(script.path), shell::name(c));
    let help = "rename the script; a location has no arguments and no quotes";
    if script.runas.is_some() {
        let message = format!(
            "the location {path} has {c}: with runas, both agents give it to a shell without quotes"
        );
        check.report_with_help(Rule::LocationCharacters, script.span, message, help);
    } else {
        let message = format!(
            "the location {path} has {c}: agent 1.x gives it to a shell without quotes and fails"
        );
        check.report_with_help(Rule::LocationUnquoted, script.span, message, help);
    }
}

/// Checks the permissions and the first line of the script at `index`.
pub(super) fn check_file(
    check: &mut Check<'_>,
    bundle: &dyn Bundle,
    index: usize,
    script: &Script<'_>,
) {
    let mut mode = bundle.mode(index);
    if let Some(text) = bundle.link(index) {
        let target = resolve_link(bundle.name(index), text);
        let Some(target) = target.and_then(|target| bundle.find(target.as_bytes())) else {
            // The file is on the instance, or nowhere.
            return;
        };
        mode = bundle.mode(target);
        if mode & 0o111 == 0 {
            let message = format!(
                "{} is a link to a file that is not executable, which agent 1.x does not change",
                quote(script.path)
            );
            let help = "chmod +x the file behind the link";
            check.report_with_help(Rule::LinkNotExecutable, script.span, message, help);
        }
    } else if mode & 0o111 == 0 {
        let message = format!(
            "{} is not executable; the agents change that themselves",
            quote(script.path)
        );
        let help = format!("chmod +x {}", script.path);
        check.report_with_help(Rule::NotExecutable, script.span, message, help);
    }
    let head = bundle.head(index);
    let is_program = head
        .as_deref()
        .is_none_or(|head| head.starts_with(b"\x7fELF"));
    if let Some(user) = script.runas.filter(|user| *user != "root" && !script.sudo) {
        // The agents add the permission to execute for all users if no class of users has it.
        let given = if mode & 0o111 == 0 {
            mode | 0o111
        } else {
            mode
        };
        let needed = if is_program { 0o001 } else { 0o005 };
        if given & needed != needed {
            let message = format!(
                "{} has mode {mode:04o} and belongs to root, so {} cannot run it",
                quote(script.path),
                quote(user)
            );
            let help = format!("chmod 755 {}", script.path);
            check.report_with_help(Rule::RunasCannotExecute, script.span, message, help);
        }
    }
    if let Some(head) = head.filter(|_| !is_program) {
        check_interpreter(check, &head, script);
    }
}

/// Checks the line that names the interpreter.
fn check_interpreter(check: &mut Check<'_>, head: &[u8], script: &Script<'_>) {
    let path = quote(script.path);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = head.get(..LINE_LEN).unwrap_or(head);
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let rest = line.strip_prefix(b"#!").unwrap_or_default();
    let rest = &rest[rest.iter().take_while(|byte| is_blank(byte)).count()..];
    let (interpreter, arguments) = match rest.iter().position(is_blank) {
        Some(end) => rest.split_at(end),
        None => (rest, &[][..]),
    };
    if interpreter.is_empty() {
        if script.runas.is_none() && !script.sudo {
            let message = match head {
                [] => format!("{path} is empty: agent 1.x runs it with sh, agent 2.x fails"),
                _ if head.starts_with("\u{FEFF}#!".as_bytes()) => format!(
                    "{path} begins with a byte-order mark before #!: agent 1.x runs it with sh, agent \
                     2.x fails"
                ),
                _ => format!(
                    "{path} does not begin with #! and an interpreter: agent 1.x runs it with sh, agent \
                     2.x fails"
                ),
            };
            let help = "begin its first line with #!/bin/sh, or with the program that runs it";
            check.report_with_help(Rule::NoShebang, script.span, message, help);
        }
    } else if interpreter.contains(&b'\r') || fails_at_return(interpreter, arguments) {
        let message = format!(
            "the first line of {path} has a carriage return, which Linux takes for a part of the \
             interpreter or its argument"
        );
        let help = "save the script with Unix line ends";
        check.report_with_help(Rule::CrlfShebang, script.span, message, help);
    } else if !interpreter.starts_with(b"/") {
        let name = String::from_utf8_lossy(interpreter);
        let message = format!(
            "{path} is for the interpreter {}, which Linux looks for in the working directory",
            quote(&name)
        );
        let help = format!("write #!/bin/{name}, or #!/usr/bin/env {name}");
        let help = if name.contains('/') {
            "write the absolute path"
        } else {
            &help
        };
        check.report_with_help(Rule::RelativeInterpreter, script.span, message, help);
    }
}

/// Whether a carriage return in the argument of the interpreter makes it fail. `env -S` splits its
/// argument at it, and perl and ruby ignore it behind an option.
fn fails_at_return(interpreter: &[u8], arguments: &[u8]) -> bool {
    let Some(at) = arguments.iter().position(|&byte| byte == b'\r') else {
        return false;
    };
    let name = interpreter.rsplit(|&byte| byte == b'/').next();
    let argument = arguments.trim_ascii();
    let is_ignored = match name.unwrap_or_default() {
        b"env" => argument.starts_with(b"-S") || argument.starts_with(b"--split-string"),
        name if name.starts_with(b"perl") || name.starts_with(b"ruby") => {
            argument.starts_with(b"-")
        }
        _ => false,
    };
    !is_ignored || at + 1 < arguments.len()
}
