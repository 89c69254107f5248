//! Every case that the two agents are known to treat differently from what one might expect.
//!
//! The table in docs/appspec.md says what each agent does with a case, and which rule reports it. This
//! file has the text of each case; the tests compare both.

use super::*;

const SCRIPT: &str = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - ";
const PERMISSION: &str = "version: 0.0\nos: linux\npermissions:\n  - object: /srv\n    ";
const FILE: &str = "version: 0.0\nos: linux\nfiles:\n  - ";

/// The cases by their names in the table: how the AppSpec file begins, and how it goes on.
macro_rules! cases {
    ($($name:literal: $begin:expr, $rest:literal;)*) => {
        const CASES: &[(&str, &str, &str)] = &[$(($name, $begin, $rest)),*];
    };
}

cases! {
    "empty file": "", "";
    "only comments": "", "# x\n";
    "`version: \"0.0\"`": "", "version: \"0.0\"\nos: linux\n";
    "`version: 1.0`": "", "version: 1.0\nos: linux\n";
    "`version: 0`": "", "version: 0\nos: linux\n";
    "`version: 0.0e0`": "", "version: 0.0e0\nos: linux\n";
    "no `version`": "", "os: linux\n";
    "no `os`": "", "version: 0.0\n";
    "`os: Linux`": "", "version: 0.0\nos: Linux\n";
    "`os` of another host": "", "version: 0.0\nos: windows\n";
    "byte-order mark": "", "\u{FEFF}version: 0.0\nos: linux\n";
    "tab as indentation": HEAD, "files:\n\t- source: a";
    "JSON text": "", "{\"version\": 0.0, \"os\": \"linux\"}\n";
    "CRLF": "", "version: 0.0\r\nos: linux\r\n";
    "top-level key twice": HEAD, "os: linux";
    "event twice": HEAD, "hooks:\n  AfterInstall: []\n  AfterInstall: []";
    "YAML alias": HEAD, "hooks:\n  AfterInstall: &a []\n  BeforeInstall: *a";
    "alias to nothing": HEAD, "files: *y";
    "second document": HEAD, "---\nx: y";
    "`files` a mapping": HEAD, "files:\n  a: b";
    "hook item a text": HEAD, "hooks:\n  AfterInstall:\n    - a.sh";
    "hook a mapping": HEAD, "hooks:\n  AfterInstall:\n    location: a.sh";
    "`hooks` a list": HEAD, "hooks:\n  - AfterInstall: []";
    "`type` a text": PERMISSION, "type: file";
    "`except` a text": PERMISSION, "except: a";
    "`files: ~`": HEAD, "files: ~";
    "no `source`": FILE, "destination: /srv";
    "no `destination`": FILE, "source: a";
    "`source: \"\"`": FILE, "source: \"\"\n    destination: /srv";
    "`destination: \"\"`": FILE, "source: a\n    destination: \"\"";
    "`file_exists_behavior: overwrite`": HEAD, "file_exists_behavior: overwrite";
    "`file_exists_behavior: RETAIN`": HEAD, "file_exists_behavior: RETAIN";
    "blank `location`": SCRIPT, "location: \" \"";
    "no `location`": SCRIPT, "timeout: 5";
    "`timeout: 0`": SCRIPT, "location: a.sh\n      timeout: 0";
    "`timeout: abc`": SCRIPT, "location: a.sh\n      timeout: abc";
    "`timeout: 30s`": SCRIPT, "location: a.sh\n      timeout: 30s";
    "`timeout: 1.5`": SCRIPT, "location: a.sh\n      timeout: 1.5";
    "`timeout: \"300\"`": SCRIPT, "location: a.sh\n      timeout: \"300\"";
    "`sudo: yes`": SCRIPT, "location: a.sh\n      sudo: yes";
    "`sudo: \"false\"`": SCRIPT, "location: a.sh\n      sudo: \"false\"";
    "`mode: 0755`": PERMISSION, "mode: 0755";
    "`mode: 0644`": PERMISSION, "mode: 0644";
    "`mode: 644`, `mode: \"0644\"`": PERMISSION, "mode: \"0644\"";
    "`mode: u+x`": PERMISSION, "mode: u+x";
    "`mode: 689`": PERMISSION, "mode: 689";
    "`mode: \"00644\"`": PERMISSION, "mode: \"00644\"";
    "`acls: [\"u::rw\"]`": PERMISSION, "acls: [\"u::rw\"]";
    "context without `type`": PERMISSION, "context: {name: u}";
    "bad range": PERMISSION, "context: {type: t, range: s2-s1}";
    "context with `user`": PERMISSION, "context: {type: t, user: u}";
    "`type: [link]`": PERMISSION, "type: [link]";
    "no `object`": HEAD, "permissions:\n  - mode: 644";
    "permissions, `os: windows`": "", "version: 0.0\nos: windows\npermissions:\n  - object: c:\\x\n";
    "unknown key": HEAD, "overwrite: true";
    "relative `destination`": FILE, "source: a\n    destination: srv";
    "timeouts of an event above 3600": SCRIPT, "{location: a.sh, timeout: 3000}\n    - {location: a.sh, timeout: 1200}";
    "unknown event": HEAD, "hooks:\n  Before Install:\n    - location: a.sh";
    "reserved event": HEAD, "hooks:\n  Install:\n    - location: a.sh";
    "source not in the bundle": FILE, "source: b\n    destination: /srv";
    "`source: /*`": FILE, "source: /*\n    destination: /srv";
    "one destination twice": FILE, "{source: a, destination: /srv}\n  - {source: a, destination: /srv/}";
    "script not in the bundle": SCRIPT, "location: b.sh";
    "script without execute permission": SCRIPT, "location: plain.sh";
    "script with `#!…` and CRLF": SCRIPT, "location: crlf.sh";
    "AppSpec for Lambda or ECS": "", "version: 0.0\nResources: []\n";
    "unquoted date": SCRIPT, "location: a.sh\n      runas: 2024-01-31";
    "merge key": HEAD, "<<: {file_exists_behavior: RETAIN}";
}

/// A row of the table: the case, what agents 1.8 and 2.x do, and the rule that reports it, if any.
struct Row {
    name: &'static str,
    agent_1: &'static str,
    agent_2: &'static str,
    rule: Option<&'static Rule>,
}

/// The rows of the table in docs/appspec.md.
fn rows() -> Vec<Row> {
    let docs = include_str!("../../../docs/appspec.md");
    let (_, table) = docs
        .split_once("| Input | agent 1.8 | agent 2.x | hoist |\n")
        .unwrap();
    let lines = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, agent_1, agent_2, report, _] = cells[..] else {
            panic!("{line} has other columns")
        };
        let text = |rule: &Rule| format!("{}: `{}`", rule.severity().name(), rule.id());
        let rule = Rule::ALL.iter().find(|rule| text(rule) == report);
        assert_eq!(rule.is_none(), report.is_empty(), "{line} names no rule");
        Row {
            name,
            agent_1,
            agent_2,
            rule,
        }
    };
    lines.map(row).collect()
}

/// The report of a case.
fn report_of(name: &str) -> Report {
    let bundle = Fake::new(&[
        ("appspec.yml", 0o644, b""),
        ("a", 0o644, b""),
        ("a.sh", 0o755, b"#!/bin/sh\n"),
        ("plain.sh", 0o644, b"#!/bin/sh\n"),
        ("crlf.sh", 0o755, b"#!/bin/sh\r\nexit\r\n"),
    ]);
    let case = CASES.iter().find(|(case, ..)| *case == name);
    let (_, begin, rest) = case.unwrap_or_else(|| panic!("CASES lacks {name}"));
    instances(&format!("{begin}{rest}"), &bundle)
}

#[test]
fn the_documented_table_and_the_cases_are_the_same() {
    let documented: Vec<&str> = rows().iter().map(|row| row.name).collect();
    let cases: Vec<&str> = CASES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(documented, cases);
    assert_eq!(cases.len(), 68);
}

#[test]
fn each_case_is_reported_by_the_documented_rule_alone() {
    for Row { name, rule, .. } in rows() {
        let report = report_of(name);
        let rules: Vec<&Rule> = report
            .findings
            .iter()
            .map(|finding| &finding.rule)
            .collect();
        assert_eq!(
            rules,
            Vec::from_iter(rule),
            "{name}: {:#?}",
            report.findings
        );
        assert!(
            report
                .findings
                .iter()
                .all(|finding| !finding.message.is_empty()),
            "{name}"
        );
    }
}

/// Agent 1.8 refuses aliases and dates only on newer versions of Ruby, so both are warnings.
#[test]
fn an_error_is_exactly_what_agent_1_refuses_or_fails_at() {
    for Row {
        name,
        agent_1,
        agent_2,
        ..
    } in rows()
    {
        let report = report_of(name);
        let refuses = ["refuses", "crashes", "fails at Install"].contains(&agent_1);
        // The script fails by itself, and not because of the AppSpec file.
        let is_script = name.contains("CRLF");
        let fails = refuses || agent_1 == "fails at its event" && !is_script;
        assert_eq!(report.has_errors(), fails, "{name}");
        if agent_2 == "refuses" {
            assert!(!report.findings.is_empty(), "{name}: agent 2.x refuses it");
        }
    }
}
