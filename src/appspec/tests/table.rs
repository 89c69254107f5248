//! Every case that the two agents are known to treat in a way of their own, and what is said about it.
//!
//! The same rows are in docs/appspec.md, for people; a test compares them.

use super::*;

/// What an agent does.
type Verdict = &'static str;

/// An input, what agents 1.8 and 2.x do, and the rule that speaks of it ("-" if none must).
struct Row(&'static str, &'static str, Verdict, Verdict, &'static str);

/// A script.
macro_rules! script {
    ($keys:literal) => {
        concat!(
            "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - ",
            $keys,
            "\n"
        )
    };
}

/// A permission for `/srv`.
macro_rules! permission {
    ($keys:literal) => {
        concat!(
            "version: 0.0\nos: linux\npermissions:\n  - object: /srv\n    ",
            $keys,
            "\n"
        )
    };
}

/// A file.
macro_rules! file {
    ($keys:literal) => {
        concat!("version: 0.0\nos: linux\nfiles:\n  - ", $keys, "\n")
    };
}

/// More behind version and os.
macro_rules! more {
    ($text:literal) => {
        concat!("version: 0.0\nos: linux\n", $text, "\n")
    };
}

const ROWS: &[Row] = &[
    Row("empty file", "", "refuses", "refuses", "empty"),
    Row("only comments", "# x\n", "refuses", "refuses", "empty"),
    Row(
        "`version: \"0.0\"`",
        "version: \"0.0\"\nos: linux\n",
        "refuses",
        "refuses",
        "version",
    ),
    Row(
        "`version: 1.0`",
        "version: 1.0\nos: linux\n",
        "refuses",
        "refuses",
        "version",
    ),
    Row(
        "`version: 0`",
        "version: 0\nos: linux\n",
        "runs",
        "runs",
        "-",
    ),
    Row(
        "`version: 0.0e0`",
        "version: 0.0e0\nos: linux\n",
        "refuses",
        "runs",
        "version",
    ),
    Row(
        "no `version`",
        "os: linux\n",
        "refuses",
        "refuses",
        "version",
    ),
    Row("no `os`", "version: 0.0\n", "refuses", "refuses", "os"),
    Row(
        "`os: Linux`",
        "version: 0.0\nos: Linux\n",
        "refuses",
        "refuses",
        "os",
    ),
    Row(
        "`os` of another host",
        "version: 0.0\nos: windows\n",
        "refuses there",
        "runs",
        "-",
    ),
    Row(
        "byte-order mark",
        "\u{FEFF}version: 0.0\nos: linux\n",
        "refuses",
        "refuses",
        "byte-order-mark",
    ),
    Row(
        "tab as indentation",
        more!("files:\n\t- source: a"),
        "refuses",
        "refuses",
        "tab",
    ),
    Row(
        "JSON text",
        "{\"version\": 0.0, \"os\": \"linux\"}\n",
        "runs",
        "runs",
        "-",
    ),
    Row("CRLF", "version: 0.0\r\nos: linux\r\n", "runs", "runs", "-"),
    Row(
        "top-level key twice",
        more!("os: linux"),
        "takes the last",
        "refuses",
        "duplicate-key",
    ),
    Row(
        "event twice",
        more!("hooks:\n  AfterInstall: []\n  AfterInstall: []"),
        "takes the last",
        "takes the last",
        "duplicate-key",
    ),
    Row(
        "YAML alias",
        more!("hooks:\n  AfterInstall: &a []\n  BeforeInstall: *a"),
        "refuses on Ruby 3.1 and later",
        "runs",
        "yaml-alias",
    ),
    Row(
        "alias to nothing",
        more!("files: *y"),
        "refuses",
        "refuses",
        "unknown-alias",
    ),
    Row(
        "second document",
        more!("---\nx: y"),
        "ignores it",
        "refuses",
        "second-document",
    ),
    Row(
        "`files` a mapping",
        more!("files:\n  a: b"),
        "crashes",
        "refuses",
        "wrong-type",
    ),
    Row(
        "hook item a text",
        more!("hooks:\n  AfterInstall:\n    - a.sh"),
        "crashes",
        "refuses",
        "wrong-type",
    ),
    Row(
        "hook a mapping",
        more!("hooks:\n  AfterInstall:\n    location: a.sh"),
        "crashes",
        "refuses",
        "wrong-type",
    ),
    Row(
        "`hooks` a list",
        more!("hooks:\n  - AfterInstall: []"),
        "crashes",
        "refuses",
        "wrong-type",
    ),
    Row(
        "`type` a text",
        permission!("type: file"),
        "crashes",
        "refuses",
        "wrong-type",
    ),
    Row(
        "`except` a text",
        permission!("except: a"),
        "crashes",
        "refuses",
        "wrong-type",
    ),
    Row(
        "`files: ~`",
        more!("files: ~"),
        "runs",
        "refuses",
        "empty-value",
    ),
    Row(
        "no `source`",
        file!("destination: /srv"),
        "refuses",
        "refuses",
        "no-source",
    ),
    Row(
        "no `destination`",
        file!("source: a"),
        "refuses",
        "refuses",
        "no-destination",
    ),
    Row(
        "`source: \"\"`",
        file!("source: \"\"\n    destination: /srv"),
        "runs",
        "refuses",
        "blank-source",
    ),
    Row(
        "`destination: \"\"`",
        file!("source: a\n    destination: \"\""),
        "runs",
        "refuses",
        "blank-destination",
    ),
    Row(
        "`file_exists_behavior: overwrite`",
        more!("file_exists_behavior: overwrite"),
        "refuses",
        "refuses",
        "file-exists-behavior",
    ),
    Row(
        "`file_exists_behavior: RETAIN`",
        more!("file_exists_behavior: RETAIN"),
        "runs",
        "runs",
        "-",
    ),
    Row(
        "blank `location`",
        script!("location: \" \""),
        "refuses",
        "refuses",
        "no-location",
    ),
    Row(
        "no `location`",
        script!("timeout: 5"),
        "refuses",
        "refuses",
        "no-location",
    ),
    Row(
        "`timeout: 0`",
        script!("location: a.sh\n      timeout: 0"),
        "refuses",
        "refuses",
        "timeout",
    ),
    Row(
        "`timeout: abc`",
        script!("location: a.sh\n      timeout: abc"),
        "refuses",
        "refuses",
        "timeout",
    ),
    Row(
        "`timeout: 30s`",
        script!("location: a.sh\n      timeout: 30s"),
        "runs",
        "refuses",
        "timeout-form",
    ),
    Row(
        "`timeout: 1.5`",
        script!("location: a.sh\n      timeout: 1.5"),
        "runs",
        "refuses",
        "timeout-form",
    ),
    Row(
        "`timeout: \"300\"`",
        script!("location: a.sh\n      timeout: \"300\""),
        "runs",
        "refuses",
        "timeout-form",
    ),
    Row(
        "`sudo: yes`",
        script!("location: a.sh\n      sudo: yes"),
        "runs",
        "refuses",
        "sudo-form",
    ),
    Row(
        "`sudo: \"false\"`",
        script!("location: a.sh\n      sudo: \"false\""),
        "runs, with sudo",
        "refuses",
        "sudo-form",
    ),
    Row(
        "`mode: 0755`",
        permission!("mode: 0755"),
        "refuses",
        "applies 0755",
        "mode-octal-refused",
    ),
    Row(
        "`mode: 0644`",
        permission!("mode: 0644"),
        "applies 0420",
        "applies 0644",
        "mode-octal-changed",
    ),
    Row(
        "`mode: 644`, `mode: \"0644\"`",
        permission!("mode: \"0644\""),
        "runs",
        "runs",
        "-",
    ),
    Row(
        "`mode: u+x`",
        permission!("mode: u+x"),
        "refuses",
        "refuses",
        "mode",
    ),
    Row(
        "`mode: 689`",
        permission!("mode: 689"),
        "refuses",
        "refuses",
        "mode",
    ),
    Row(
        "`mode: \"00644\"`",
        permission!("mode: \"00644\""),
        "refuses",
        "refuses",
        "mode",
    ),
    Row(
        "`acls: [\"u::rw\"]`",
        permission!("acls: [\"u::rw\"]"),
        "refuses",
        "refuses",
        "acl",
    ),
    Row(
        "context without `type`",
        permission!("context: {name: u}"),
        "refuses",
        "refuses",
        "context",
    ),
    Row(
        "bad range",
        permission!("context: {type: t, range: s2-s1}"),
        "refuses",
        "refuses",
        "context",
    ),
    Row(
        "context with `user`",
        permission!("context: {type: t, user: u}"),
        "ignores it",
        "ignores it",
        "context-user",
    ),
    Row(
        "`type: [link]`",
        permission!("type: [link]"),
        "refuses",
        "refuses",
        "object-type",
    ),
    Row(
        "no `object`",
        more!("permissions:\n  - mode: 644"),
        "refuses",
        "refuses",
        "no-object",
    ),
    Row(
        "permissions, `os: windows`",
        "version: 0.0\nos: windows\npermissions:\n  - object: c:\\x\n",
        "refuses",
        "refuses",
        "permissions-on-windows",
    ),
    Row(
        "unknown key",
        more!("overwrite: true"),
        "ignores it",
        "ignores it",
        "unknown-key",
    ),
    Row(
        "relative `destination`",
        file!("source: a\n    destination: srv"),
        "runs",
        "runs",
        "relative-destination",
    ),
    Row(
        "timeouts of an event above 3600",
        script!("{location: a.sh, timeout: 3000}\n    - {location: a.sh, timeout: 1200}"),
        "runs",
        "runs",
        "timeout-sum",
    ),
    Row(
        "unknown event",
        more!("hooks:\n  Before Install:\n    - location: a.sh"),
        "refuses if it is told the events",
        "refuses if it is told the events",
        "unknown-hook",
    ),
    Row(
        "reserved event",
        more!("hooks:\n  Install:\n    - location: a.sh"),
        "runs nothing",
        "runs nothing",
        "reserved-hook",
    ),
    Row(
        "source not in the bundle",
        file!("source: b\n    destination: /srv"),
        "fails at Install",
        "fails at Install",
        "source-not-found",
    ),
    Row(
        "`source: /*`",
        file!("source: /*\n    destination: /srv"),
        "fails at Install",
        "fails at Install",
        "wildcard-source",
    ),
    Row(
        "one destination twice",
        file!("{source: a, destination: /srv}\n  - {source: a, destination: /srv/}"),
        "fails at Install",
        "fails at Install",
        "duplicate-destination",
    ),
    Row(
        "script not in the bundle",
        script!("location: b.sh"),
        "fails at its event",
        "fails at its event",
        "script-not-found",
    ),
    Row(
        "script without execute permission",
        script!("location: plain.sh"),
        "changes that",
        "changes that",
        "script-not-executable",
    ),
    Row(
        "script with `#!…` and CRLF",
        script!("location: crlf.sh"),
        "fails at its event",
        "fails at its event",
        "crlf-shebang",
    ),
    Row(
        "AppSpec for Lambda or ECS",
        "version: 0.0\nResources: []\n",
        "refuses",
        "refuses",
        "platform",
    ),
    Row(
        "unquoted date",
        script!("location: a.sh\n      runas: 2024-01-31"),
        "refuses on Ruby 3.1 and later",
        "runs",
        "yaml-date",
    ),
    Row(
        "merge key",
        more!("<<: {file_exists_behavior: RETAIN}"),
        "merges",
        "ignores it",
        "yaml-merge-key",
    ),
];

fn bundle() -> Fake {
    Fake::new(&[
        ("appspec.yml", 0o644, b""),
        ("a", 0o644, b""),
        ("a.sh", 0o755, b"#!/bin/sh\n"),
        ("plain.sh", 0o644, b"#!/bin/sh\n"),
        ("crlf.sh", 0o755, b"#!/bin/sh\r\nexit\r\n"),
    ])
}

#[test]
fn every_row_is_found_and_nothing_else() {
    for Row(name, text, _, _, rule) in ROWS {
        let report = instances(text, &bundle());
        let rules: Vec<&str> = report
            .findings
            .iter()
            .map(|finding| finding.rule.id())
            .collect();
        let expected: &[&str] = if *rule == "-" { &[] } else { &[rule] };
        assert_eq!(rules, expected, "{name}: {:#?}", report.findings);
        // Of what an agent crashes at it does not say where; this does.
        for finding in &report.findings {
            let place = report.position(finding.span.start);
            assert!(place.line >= 1 && !finding.message.is_empty(), "{name}");
        }
    }
}

/// The rule that decides: what agent 1.8 runs is never stopped, and what it refuses always is. On later
/// Rubies it refuses aliases and dates, on earlier ones it does not, so they are warnings.
#[test]
fn what_agent_1_runs_is_never_an_error() {
    for Row(name, text, v1, v2, _) in ROWS {
        let report = instances(text, &bundle());
        let fails = matches!(*v1, "refuses" | "crashes" | "fails at Install");
        // A script's own failure is not the AppSpec's.
        let fails = fails || *v1 == "fails at its event" && !text.contains("crlf");
        assert_eq!(report.has_errors(), fails, "{name}");
        if *v2 == "refuses" {
            assert!(!report.findings.is_empty(), "{name}: agent 2.x refuses it");
        }
    }
}

/// The table that people read is this one.
#[test]
fn the_docs_have_every_row() {
    let docs = include_str!("../../../docs/appspec.md");
    for Row(name, _, v1, v2, rule) in ROWS {
        let found = Rule::ALL.iter().find(|known| known.id() == *rule);
        let found = found.map_or("".to_owned(), |rule| {
            format!("{}: `{}`", rule.severity().name(), rule.id())
        });
        let row = format!("| {name} | {v1} | {v2} | {found} |");
        assert!(docs.contains(&row), "docs/appspec.md lacks:\n{row}");
    }
}
