//! What agents with hardening settings refuse: the opt-in checks of agent 2.x (`reject_…_in_bundle`),
//! read from the source of 2.1.0.
//!
//! They are a pass of their own, because no agent has them by default and a push does not know the
//! settings of the instances. The pass reads what the other checks have accepted; of a file with other
//! mistakes it reports what it can read.

use super::bundle::Bundle;
use super::check::quote;
use super::parse;
use super::report::{Finding, Report, Rule, Span};
use super::tree::Node;

/// The SELinux types with which access control has no effect.
const UNCONFINED: [&str; 3] = ["unconfined_t", "kernel_t", "init_t"];

/// Adds what the settings of agent 2.x refuse to a report. `bundle` has the files, if they are known.
pub fn harden(report: &mut Report, bundle: Option<&dyn Bundle>) {
    let Some(tree) = parse::parse(&report.text).tree else {
        return;
    };
    let Some(root) = tree.root() else { return };
    let mut found = Vec::new();
    let links = bundle.map(kept_links).unwrap_or_default();
    if let [first, rest @ ..] = &*links {
        let more = match rest.len() {
            0 => String::new(),
            more => format!(", and so are {more} more"),
        };
        let message = format!("{} is a symbolic link{more}", quote(first));
        let help =
            "an agent with reject_symlinks_in_bundle refuses the bundle; pack what links lead to";
        let span = root.pairs().and_then(|mut pairs| pairs.next());
        let span = span.map_or(root.span(), |(key, _)| key.span());
        found.push(finding(Rule::HardenedLink, span, message, help));
    }
    let mut copies = Vec::new();
    for file in items(root, "files") {
        let (source, destination) = (get(file, "source"), get(file, "destination"));
        if let Some((node, text)) = source.and_then(text) {
            found.extend(leads_out(node, "source", text));
        }
        if let Some((node, text)) = destination.and_then(text) {
            found.extend(leads_out(node, "destination", text));
        }
        if let (Some((_, from)), Some((_, to))) =
            (source.and_then(text), destination.and_then(text))
        {
            copies.push((plain(from), plain(to)));
        }
    }
    let hooks = get(root, "hooks")
        .and_then(Node::pairs)
        .into_iter()
        .flatten();
    for location in hooks.filter_map(|(_, event)| event.items()).flatten() {
        if let Some((node, text)) = get(location, "location").and_then(text) {
            found.extend(leads_out(node, "location", text));
        }
    }
    let installed: Vec<String> = links
        .iter()
        .flat_map(|link| installed_as(link, &copies))
        .collect();
    for permission in items(root, "permissions") {
        found.extend(check_mode(permission));
        found.extend(check_type(permission));
        found.extend(check_object(permission, &installed));
    }
    report.findings.append(&mut found);
    report
        .findings
        .sort_by_key(|finding| (finding.span, finding.rule));
}

fn finding(rule: Rule, span: Span, message: String, help: &str) -> Finding {
    Finding::new(rule, span, message, Some(help))
}

pub(super) fn get<'a>(map: Node<'a>, name: &str) -> Option<Node<'a>> {
    // The last of equal keys counts.
    let pairs = map.pairs()?.filter(|(key, _)| key.text() == Some(name));
    pairs.last().map(|(_, value)| value)
}

pub(super) fn items<'a>(map: Node<'a>, name: &str) -> Vec<Node<'a>> {
    let items = get(map, name).and_then(Node::items);
    items.into_iter().flatten().collect()
}

fn text(node: Node<'_>) -> Option<(Node<'_>, &str)> {
    node.text().map(|text| (node, text))
}

/// Whether the `..` of a path lead above the place where it begins.
fn climbs(path: &str) -> bool {
    let mut depth = 0_usize;
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Reports a path that climbs.
fn leads_out(node: Node<'_>, key: &str, text: &str) -> Option<Finding> {
    if !climbs(text) {
        return None;
    }
    let message = format!(
        "the {key} {} climbs above the place where it begins",
        super::check::quote(text)
    );
    let help =
        "an agent with reject_path_traversal_in_bundle refuses it; write the path without ..";
    Some(finding(Rule::HardenedTraversal, node.span(), message, help))
}

/// Reports a mode with the setuid or setgid bit.
fn check_mode(permission: Node<'_>) -> Option<Finding> {
    let node = get(permission, "mode")?;
    let digits = node.plain().or(node.text())?.trim_start_matches('0');
    let is_special = matches!(
        digits.as_bytes(),
        [b'2' | b'3' | b'4' | b'5' | b'6' | b'7', _, _, _]
    );
    is_special.then(|| {
        let message = format!("mode {digits} has the setuid or setgid bit");
        let help =
            "an agent with reject_unsafe_permissions_in_bundle refuses it; set the bit in a hook";
        finding(Rule::HardenedMode, node.span(), message, help)
    })
}

fn check_type(permission: Node<'_>) -> Option<Finding> {
    let node = get(get(permission, "context")?, "type")?;
    let name = node.text().filter(|name| UNCONFINED.contains(name))?;
    let message = format!("with the SELinux type {name}, access control has no effect");
    let help = "an agent with reject_unconfined_selinux_in_bundle refuses it; choose another type";
    Some(finding(Rule::HardenedContext, node.span(), message, help))
}

fn check_object(permission: Node<'_>, installed: &[String]) -> Option<Finding> {
    let (node, object) = get(permission, "object").and_then(text)?;
    let object = plain(object);
    let reached = installed
        .iter()
        .find(|path| below(path, &object).is_some())?;
    let message = format!(
        "the permission reaches the symbolic link {}",
        quote(reached)
    );
    let help =
        "an agent with reject_symlink_permission_targets refuses it; name what the link leads to";
    Some(finding(Rule::HardenedTarget, node.span(), message, help))
}

/// A path without empty parts and `.`.
fn plain(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

/// The rest of a path below a directory, which may be the path itself.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    if directory.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(directory)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}

/// Where a link of the bundle is installed.
fn installed_as<'c>(
    link: &'c str,
    copies: &'c [(String, String)],
) -> impl Iterator<Item = String> + 'c {
    copies.iter().filter_map(move |(from, to)| {
        let rest = below(link, from)?;
        // A file is copied under its own name.
        let rest = if rest.is_empty() {
            link.rsplit('/').next()?
        } else {
            rest
        };
        Some(plain(&format!("{to}/{rest}")))
    })
}

fn kept_links(bundle: &dyn Bundle) -> Vec<String> {
    let links = (0..bundle.len()).filter(|&index| bundle.link(index).is_some());
    links
        .map(|index| {
            String::from_utf8_lossy(bundle.name(index))
                .escape_debug()
                .to_string()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::appspec::lint;

    fn found(text: &str) -> Vec<&'static str> {
        let mut report = lint(Path::new("appspec.yml"), text.as_bytes(), None, None);
        let plain = report.findings.len();
        harden(&mut report, None);
        assert!(report.findings.len() >= plain);
        let ids = report.findings.iter().map(|finding| finding.rule.id());
        ids.filter(|id| id.starts_with("hardened-")).collect()
    }

    #[test]
    fn what_the_settings_of_agent_2_refuse_is_found() {
        let head = "version: 0.0\nos: linux\n";
        for (text, rule) in [
            (
                "files: [{source: ../x, destination: /srv}]",
                "hardened-path-traversal",
            ),
            (
                "files: [{source: a, destination: /srv/../../etc}]",
                "hardened-path-traversal",
            ),
            (
                "files: [{source: a, destination: ../etc}]",
                "hardened-path-traversal",
            ),
            (
                "hooks: {AfterInstall: [{location: a/../../x.sh}]}",
                "hardened-path-traversal",
            ),
            (
                "permissions: [{object: /srv, mode: 4755}]",
                "hardened-setuid",
            ),
            (
                "permissions: [{object: /srv, mode: \"2775\"}]",
                "hardened-setuid",
            ),
            (
                "permissions: [{object: /srv, context: {type: init_t, range: s0}}]",
                "hardened-selinux-type",
            ),
        ] {
            assert_eq!(found(&format!("{head}{text}\n")), [rule], "{text}");
        }
        let none: [&str; 0] = [];
        for text in [
            "files: [{source: a/../b, destination: /srv/../etc}, {source: /, destination: /srv}]",
            "permissions: [{object: /srv, mode: 1777}, {object: /a, mode: \"0755\"}]",
            "permissions: [{object: /srv, context: {type: httpd_sys_content_t, range: s0}}]",
            "hooks: {AfterInstall: [{location: /scripts/x.sh}]}",
            "files: a\nhooks: [1]\npermissions: {a: [b]}",
        ] {
            assert_eq!(found(&format!("{head}{text}\n")), none, "{text}");
        }
    }
}
