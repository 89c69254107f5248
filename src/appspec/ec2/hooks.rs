//! Checks `hooks`: which scripts run at which event.

use super::{Os, inside, strip, why_missing};
use crate::appspec::bundle::Bundle;
use crate::appspec::check::{Check, Keys, Map, nearest, quote};
use crate::appspec::report::{Rule, Span};
use crate::appspec::scalar::{Value, is_plain_bool, is_plain_number, to_i};
use crate::appspec::tree::{Node, Shape};

/// The events that run scripts, in the order in which they happen.
const EVENTS: [&str; 9] = [
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
];

/// The events that run no scripts.
const RESERVED: [&str; 6] = [
    "Start",
    "DownloadBundle",
    "Install",
    "BlockTraffic",
    "AllowTraffic",
    "End",
];

const KEYS: [&str; 4] = ["location", "timeout", "runas", "sudo"];

/// The most seconds that an event may take ("hooks section", AWS CodeDeploy user guide).
const LIMIT: i64 = 3600;

pub(super) fn check(check: &mut Check<'_>, map: &Map<'_>, os: Os) {
    let Some(node) = map.get("hooks") else { return };
    if node.is_false() {
        let message = "hooks is empty: agent 1.x runs no scripts, agent 2.x may refuse the file";
        let help = "remove hooks, or write {} behind it";
        return check.report_with_help(Rule::EmptyValue, node, message, help);
    }
    let Some(hooks) = check.map(node, &Keys::Any) else {
        if node.shape() != Shape::Map && node.value() != Some(Value::Unknown) {
            check.report_wrong_type(node, "hooks", Shape::Map);
        }
        return;
    };
    for (key, scripts) in hooks.pairs() {
        let event = key.text().unwrap_or_default();
        check_event(check, event, key.span());
        let mut total = 0_i64;
        for (index, script) in check.items(scripts, event).into_iter().enumerate() {
            if !check.count_step(script.span()) {
                return;
            }
            let what = format!("hooks.{event}[{index}]");
            total = total.saturating_add(check_script(check, script, &what, os));
        }
        if total > LIMIT {
            let message = format!("the timeouts for {event} total {total} s; the limit is {LIMIT}");
            check.report(Rule::TimeoutSum, key, message);
        }
    }
}

fn check_event(check: &mut Check<'_>, event: &str, span: Span) {
    if EVENTS.contains(&event) {
        return;
    }
    if RESERVED.contains(&event) {
        let message = format!("{event} is reserved for CodeDeploy, which runs no scripts then");
        let help = format!("the events that run scripts are {}", EVENTS.join(", "));
        return check.report_with_help(Rule::ReservedHook, span, message, help);
    }
    let message = format!("{} is not a standard event of CodeDeploy", quote(event));
    let help = match nearest(event, &EVENTS) {
        Some(meant) => format!("did you mean {meant}? Under this name, its scripts do not run"),
        None => {
            "its scripts run only if the deployment knows a custom event of that name".to_owned()
        }
    };
    check.report_with_help(Rule::UnknownHook, span, message, help);
}

/// Returns the timeout of a script in seconds.
fn check_script(check: &mut Check<'_>, node: Node<'_>, what: &str, os: Os) -> i64 {
    let Some(script) = check.required_map(node, what, &Keys::Exactly(&KEYS)) else {
        return 0;
    };
    check_location(check, &script, what, os);
    if os == Os::Windows {
        for key in ["runas", "sudo"] {
            if let Some(span) = script
                .get(key)
                .filter(|node| !node.is_false())
                .and(script.key(key))
            {
                let message =
                    format!("{key} has no meaning on Windows: scripts run as the agent's user");
                check.report(Rule::IgnoredOnWindows, span, message);
            }
        }
    } else if let Some(node) = script.get("sudo") {
        check_sudo(check, node);
    }
    script
        .get("timeout")
        .map_or(0, |node| read_timeout(check, node, what))
}

fn check_location(check: &mut Check<'_>, script: &Map<'_>, what: &str, os: Os) {
    let Some(node) = script.get("location") else {
        let message = format!("{what} has no location");
        return check.report(Rule::NoLocation, script.head, message);
    };
    let number;
    let path = match node.value() {
        Some(Value::Nil) => "",
        Some(Value::Text(text)) => strip(text),
        Some(Value::Int(value)) => {
            number = value.to_string();
            &number
        }
        Some(_) => return,
        None => return check.report_wrong_type(node, &format!("{what}.location"), Shape::Scalar),
    };
    if path.is_empty() {
        let message = format!("{what}.location is blank");
        return check.report(Rule::NoLocation, node, message);
    }
    let Some(bundle) = check.bundle else { return };
    let Some(name) = inside(path, os) else {
        let message = format!("{what}.location {} leads out of the bundle", quote(path));
        return check.report(Rule::ScriptOutside, node, message);
    };
    let found = bundle.find(name.as_bytes()).or_else(|| {
        let other = bundle
            .find_ignoring_case(&name)
            .filter(|_| os == Os::Windows)?;
        bundle.find(other.as_bytes())
    });
    match found {
        Some(index) if os == Os::Linux => {
            check_script_file(check, bundle, index, node.span(), path)
        }
        Some(_) => {}
        None => report_missing(check, node.span(), what, path, &name, os),
    }
}

fn report_missing(check: &mut Check<'_>, span: Span, what: &str, path: &str, name: &str, os: Os) {
    let Some(bundle) = check.bundle else { return };
    if name.is_empty() || !bundle.below(name).is_empty() {
        let message = format!("{what}.location {} is a directory", quote(path));
        return check.report(Rule::ScriptNotFound, span, message);
    }
    let message = format!("{what}.location {} is not in the bundle", quote(path));
    let first = path
        .split_ascii_whitespace()
        .next()
        .and_then(|word| inside(word, os));
    let with_arguments =
        first.filter(|first| first != name && bundle.find(first.as_bytes()).is_some());
    let help = match (why_missing(check, name, os), with_arguments) {
        (Some(help), _) => help,
        (None, Some(_)) => {
            "a location is a path without arguments: write a script that passes them on".to_owned()
        }
        (None, None) => "locations begin at the root of the bundle".to_owned(),
    };
    check.report_with_help(Rule::ScriptNotFound, span, message, help);
}

/// Checks the permissions and the first line of a script.
fn check_script_file(
    check: &mut Check<'_>,
    bundle: &dyn Bundle,
    index: usize,
    span: Span,
    path: &str,
) {
    if bundle.mode(index) & 0o111 == 0 {
        let message = format!(
            "{} is not executable; the agents change that themselves",
            quote(path)
        );
        let help = format!("chmod +x {path}");
        check.report_with_help(Rule::NotExecutable, span, message, help);
    }
    let Some(head) = bundle.head(index) else {
        return;
    };
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // Without a line feed, the line may go on behind the part that was read.
    if line.len() < head.len() && line.starts_with(b"#!") && line.ends_with(b"\r") {
        let message = format!(
            "the first line of {} ends with a carriage return, so Linux looks for an interpreter of \
                 that name",
            quote(path)
        );
        let help = "save the script with Unix line ends";
        check.report_with_help(Rule::CrlfShebang, span, message, help);
    }
}

fn check_sudo(check: &mut Check<'_>, node: Node<'_>) {
    let is_bool = match node.plain() {
        Some(text) => is_plain_bool(text) || node.value() == Some(Value::Nil),
        None => node.value() == Some(Value::Unknown),
    };
    if !is_bool {
        let taken = if node.is_false() { "false" } else { "true" };
        let message = format!("agent 1.x takes this for {taken}, agent 2.x refuses it");
        let help = "write true or false, without quotes";
        check.report_with_help(Rule::SudoForm, node, message, help);
    }
}

/// The seconds of a timeout, as agent 1.x reads it.
fn read_timeout(check: &mut Check<'_>, node: Node<'_>, what: &str) -> i64 {
    let shown = quote(node.text().unwrap_or_default());
    let seconds = match node.value() {
        None => {
            check.report_wrong_type(node, &format!("{what}.timeout"), Shape::Scalar);
            return 0;
        }
        Some(value) if value.is_false() => return 0,
        Some(Value::Date | Value::Unknown) => return 0,
        Some(Value::Int(seconds)) => seconds,
        // Ruby drops the fraction.
        Some(Value::Float(seconds)) if seconds.is_finite() => to_i(&seconds.trunc().to_string()),
        Some(Value::Text(text)) => to_i(text),
        Some(Value::Float(_) | Value::Bool(_) | Value::Symbol | Value::Nil) => 0,
    };
    if seconds <= 0 {
        let message = format!("{what}.timeout {shown} is not a positive number of seconds");
        let help = "write a whole number of seconds, at most 3600";
        check.report_with_help(Rule::Timeout, node, message, help);
        return 0;
    }
    if !node.plain().is_some_and(is_plain_number) {
        let message = if node.plain().is_none() {
            format!("the timeout {shown} is quoted; agent 2.x refuses that")
        } else {
            format!("agent 1.x takes the timeout {shown} for {seconds}, agent 2.x refuses it")
        };
        let help = format!("write {seconds}");
        check.report_with_help(Rule::TimeoutForm, node, message, help);
    }
    seconds
}
