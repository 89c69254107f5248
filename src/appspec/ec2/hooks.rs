//! Checks `hooks`: which scripts run at which event.

use super::scripts::{self, Script};
use super::{Os, inside, strip, why_missing, windows};
use crate::appspec::bundle::resolve_link;
use crate::appspec::check::{Check, Keys, Map, nearest, plain, quote};
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
    if node.is_bare() {
        return;
    }
    if node.is_false() {
        let message = "hooks is empty: agent 1.x runs no scripts, agent 2.x may refuse the file";
        let help = "remove hooks, or write {} behind it";
        return check.report_with_help(Rule::EmptyValue, node, message, help);
    }
    let mut events: Vec<(Node<'_>, Node<'_>)> = Vec::new();
    if node.is_ordered_map() {
        // Agent 1.x reads the mappings of the list as one; the parser reports the tag.
        for item in node.items().into_iter().flatten() {
            let map = check.map(item, &Keys::Any);
            events.extend(map.iter().flat_map(Map::pairs));
        }
    } else if let Some(hooks) = check.map(node, &Keys::Any) {
        events.extend(hooks.pairs());
    } else if node.shape() != Shape::Map && node.value() != Some(Value::Unknown) {
        check.report_wrong_type(node, "hooks", Shape::Map);
    }
    for (key, scripts) in events {
        check_event(check, key.text_or_shape(), key.span());
        let event = &plain(key.text_or_shape());
        let mut total = 0_i64;
        if scripts.value() == Some(Value::Nil) {
            // Both agents take it for an event without scripts.
            continue;
        }
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
        Some(Value::Int(value)) if node.plain() == Some(&value.to_string()) => {
            number = value.to_string();
            &number
        }
        _ => match check.text(node, &format!("{what}.location")) {
            Some(text) => strip(text),
            None => return,
        },
    };
    if path.is_empty() {
        let message = format!("{what}.location is blank");
        return check.report(Rule::NoLocation, node, message);
    }
    let runas = script.get("runas").filter(|_| os == Os::Linux);
    let runas = runas.and_then(|node| check_runas(check, node, what));
    let sudo = script.get("sudo").is_some_and(|node| !node.is_false());
    let script = Script {
        path,
        span: node.span(),
        runas,
        sudo,
    };
    if os == Os::Windows {
        windows::check_escapes(check, node, node.text().unwrap_or_default());
    }
    let Some(bundle) = check.bundle else {
        if os == Os::Linux {
            scripts::check_path(check, &script);
        }
        return;
    };
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
            let text = bundle.link(index);
            let target = text.and_then(|text| resolve_link(bundle.name(index), text));
            if target.is_some_and(|target| bundle.find(target.as_bytes()).is_none()) {
                let message = format!(
                    "{what}.location {} is a link to nothing in the bundle",
                    quote(path)
                );
                return check.report(Rule::ScriptNotFound, node, message);
            }
            scripts::check_path(check, &script);
            scripts::check_file(check, bundle, index, &script);
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

/// Checks the user of a script. Returns it if it is not blank.
fn check_runas<'a>(check: &mut Check<'_>, node: Node<'a>, what: &str) -> Option<&'a str> {
    let what = format!("{what}.runas");
    let text = match node.value() {
        Some(Value::Nil) => return None,
        Some(Value::Int(value)) if node.plain() == Some(&value.to_string()) => node.plain(),
        _ => check.text(node, &what),
    };
    let user = strip(text?);
    let help = "write the name of a user";
    if user.is_empty() {
        let message = format!(
            "{what} is blank: agent 1.x runs the script as root, agent 2.x as the agent's user"
        );
        check.report_with_help(Rule::RunasForm, node, message, help);
        return None;
    }
    let shown = quote(user);
    let message = if user.contains(char::is_whitespace) || user.starts_with('-') {
        format!(
            "{what} {shown} is not one name: agent 1.x gives its words to su, agent 2.x looks for a user \
             of that name"
        )
    } else if user.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{what} {shown} is a number, and su takes only the name of a user")
    } else if !scripts::is_user_name(user) {
        format!(
            "{what} {shown} is not a name: agent 1.x gives it to a shell, which replaces it, and agent 2.x \
             looks for a user of that name"
        )
    } else {
        return Some(user);
    };
    check.report_with_help(Rule::RunasForm, node, message, help);
    Some(user)
}

fn check_sudo(check: &mut Check<'_>, node: Node<'_>) {
    if node.value() == Some(Value::Date) {
        let message = "sudo must be true or false, and this is a date, which both agents refuse";
        return check.report(Rule::WrongType, node, message);
    }
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
        Some(Value::Nil) => return 0,
        Some(Value::Bool(false)) => {
            let message = "agent 1.x takes the timeout false for 3600, agent 2.x refuses it";
            check.report_with_help(Rule::TimeoutForm, node, message, "write 3600, or nothing");
            return 0;
        }
        Some(Value::Unknown) => return 0,
        Some(Value::Int(seconds)) => seconds,
        // Ruby drops the fraction.
        Some(Value::Float(seconds)) if seconds.is_finite() => to_i(&seconds.trunc().to_string()),
        Some(Value::Text(text)) => to_i(text),
        Some(Value::Float(_) | Value::Bool(_) | Value::Symbol | Value::Date) => 0,
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
