//! Checks the file of a script: whether Linux can run it, and as which user.

use super::shebang::{self, Fault};
use super::shell;
use crate::appspec::bundle::{Bundle, resolve_link};
use crate::appspec::check::{Check, plain, quote};
use crate::appspec::report::{Rule, Span};

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
    let mut file = index;
    let is_link = bundle.link(index).is_some();
    if let Some(text) = bundle.link(index) {
        let target = resolve_link(bundle.name(index), text);
        let Some(target) = target.and_then(|target| bundle.find(target.as_bytes())) else {
            // The file is on the instance, or nowhere.
            return;
        };
        file = target;
    }
    let mode = bundle.mode(file);
    let head = bundle.head(index);
    let is_program = head
        .as_deref()
        .is_none_or(|head| head.starts_with(b"\x7fELF"));
    let path = quote(script.path);
    if let Some(user) = script
        .runas
        .filter(|user| !may_execute(user, mode, is_program))
    {
        let message = format!(
            "{path} has mode {mode:04o} and belongs to root, so {} cannot run it",
            quote(user)
        );
        let help = format!("chmod 755 {}", plain(script.path));
        check.report_with_help(Rule::RunasCannotExecute, script.span, message, help);
    } else if mode & 0o111 == 0 && is_link {
        let message = format!(
            "{path} is a link to a file that is not executable, which agent 1.x does not change"
        );
        let help = "chmod +x the file behind the link";
        check.report_with_help(Rule::LinkNotExecutable, script.span, message, help);
    } else if mode & 0o111 == 0 {
        let message = format!("{path} is not executable; the agents change that themselves");
        let help = format!("chmod +x {}", plain(script.path));
        check.report_with_help(Rule::NotExecutable, script.span, message, help);
    }
    if let Some(head) = head.filter(|_| !is_program) {
        check_interpreter(check, &head, script);
    }
}

/// Whether a user may run a file of root with this mode. What su makes of another text than a name is
/// reported where it is written.
fn may_execute(user: &str, mode: u32, is_program: bool) -> bool {
    // The agents add the permission to execute for all users if no class of users has it.
    let given = match mode & 0o111 {
        0 => mode | 0o111,
        _ => mode,
    };
    let needed = if is_program { 0o001 } else { 0o005 };
    user == "root" || !is_user_name(user) || given & needed == needed
}

/// Whether a text may be the name of a user, for a shell and for su.
pub(super) fn is_user_name(text: &str) -> bool {
    let is_special = |c: char| c.is_whitespace() || matches!(c, '*' | '?' | '[');
    !text.starts_with(['-', '~', '#'])
        && !text.contains(is_special)
        && shell::special(text).is_none()
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reports what is wrong with the line that names the interpreter.
fn check_interpreter(check: &mut Check<'_>, head: &[u8], script: &Script<'_>) {
    let path = quote(script.path);
    let (rule, message, help) = match shebang::fault(head) {
        None => return,
        // A shell starts the script, and runs it with sh.
        Some(Fault::Missing) if script.runas.is_some() || script.sudo => return,
        Some(Fault::Missing) => {
            let what = match head {
                [] => "is empty",
                _ if head.starts_with("\u{FEFF}#!".as_bytes()) => {
                    "begins with a byte-order mark before #!"
                }
                _ => "does not begin with #! and an interpreter",
            };
            let message = format!("{path} {what}: agent 1.x runs it with sh, agent 2.x fails");
            let help = "begin its first line with #!/bin/sh, or with the program that runs it";
            (Rule::NoShebang, message, help.to_owned())
        }
        Some(Fault::Return) => {
            let message = format!(
                "the first line of {path} has a carriage return, which Linux takes for a part of the \
                 interpreter or its argument"
            );
            let help = "save the script with Unix line ends";
            (Rule::CrlfShebang, message, help.to_owned())
        }
        Some(Fault::Relative(name)) => {
            let message = format!(
                "{path} is for the interpreter {}, which Linux looks for in the working directory",
                quote(&name)
            );
            let name = plain(&name);
            let help = if name.contains('/') {
                "write the absolute path".to_owned()
            } else {
                format!("write #!/bin/{name}, or #!/usr/bin/env {name}")
            };
            (Rule::RelativeInterpreter, message, help)
        }
        Some(Fault::Joined(argument)) => {
            let message = format!(
                "the first line of {path} has several arguments, which Linux joins to one, and the \
                 interpreter fails at {}",
                quote(&argument)
            );
            let help =
                "write one argument, as in #!/bin/bash -eu, or split them with #!/usr/bin/env -S";
            (Rule::ShebangArguments, message, help.to_owned())
        }
        Some(Fault::Endless(argument)) => {
            let argument = match argument.as_str() {
                "" => "no argument".to_owned(),
                text => quote(text),
            };
            let message = format!(
                "the first line of {path} has env with {argument}: that names no program, so env starts \
                 the script again and again"
            );
            let help = "write #!/usr/bin/env -S before variables, options and the program";
            (Rule::ShebangArguments, message, help.to_owned())
        }
    };
    check.report_with_help(rule, script.span, message, help);
}
