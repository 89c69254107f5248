//! Every case that the two agents are known to treat differently from what one might expect.
//!
//! The table in docs/appspec.md says what each agent does with a case, and which rule reports it. This
//! file has the text of each case; the tests compare both.

use super::*;

const SCRIPT: &str = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - ";
const PERMISSION: &str = "version: 0.0\nos: linux\nfiles:\n  - {source: tree, destination: /srv}\n\
                          permissions:\n  - object: /srv\n    ";
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
    "context with `user`": PERMISSION, "context: {type: t, user: u, range: s0}";
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
    "byte-order mark, then a comment": "", "\u{FEFF}# x\nversion: 0.0\nos: linux\n";
    "byte-order mark, then a blank line": "", "\u{FEFF}\r\nversion: 0.0\nos: linux\n";
    "byte-order mark before JSON": "", "\u{FEFF}{\"version\": 0.0, \"os\": \"linux\"}";
    "byte-order mark, then `---`": "", "\u{FEFF}---\nversion: 0.0\nos: linux\n";
    "`version: 0x0`": "", "version: 0x0\nos: linux\n";
    "`version: 0b0`": "", "version: 0b0\nos: linux\n";
    "`version: 0_0`": "", "version: 0_0\nos: linux\n";
    "`version: 0:0`": "", "version: 0:0\nos: linux\n";
    "`version: 0,0`": "", "version: 0,0\nos: linux\n";
    "`version: 00`": "", "version: 00\nos: linux\n";
    "bare `files:`": HEAD, "files:\nhooks:\n  AfterInstall: []\n";
    "bare `hooks:`": HEAD, "hooks:\n";
    "bare `permissions:`": HEAD, "permissions:\n";
    "event without scripts": HEAD, "hooks:\n  AfterInstall:\n";
    "event `~`": HEAD, "hooks:\n  AfterInstall: ~\n";
    "event `false`": HEAD, "hooks:\n  AfterInstall: false\n";
    "`hooks: ~`": HEAD, "hooks: ~\n";
    "`files: {}`": HEAD, "files: {}\n";
    "`hooks: !!omap` and a list": HEAD, "hooks: !!omap\n  - AfterInstall:\n      - location: a.sh\n";
    "`branch_config`": HEAD, "branch_config:\n  main:\n    deploymentGroupName: x\n";
    "`source: [a]`": FILE, "source: [a]\n    destination: /srv";
    "`source: {a: b}`": FILE, "source: {a: b}\n    destination: /srv";
    "`destination: [/srv]`, source a directory": FILE, "source: d\n    destination: [/srv]";
    "`destination: [/srv]`, source a file": FILE, "source: a\n    destination: [/srv]";
    "`source: 1`": FILE, "source: 1\n    destination: /srv";
    "`source: yes`": FILE, "source: yes\n    destination: /srv";
    "`destination: 0644`": FILE, "source: a\n    destination: 0644";
    "`source: 1.0`": FILE, "source: 1.0\n    destination: /srv";
    "`source: :x`": FILE, "source: :x\n    destination: /srv";
    "`source: \" \"`": FILE, "source: \" \"\n    destination: /srv";
    "`destination: ~/b`": FILE, "source: a\n    destination: ~/b";
    "`source: a`, `destination: /srv/a`": FILE, "source: a\n    destination: /srv/a";
    "`source: a`, `destination: /srv/a/`": FILE, "source: a\n    destination: /srv/a/";
    "a file and a directory at one destination": FILE, "{source: c, destination: /srv}\n  - {source: d, destination: /srv/c}";
    "a directory below the destination of a file": FILE, "{source: d, destination: /srv/c/x}\n  - {source: c, destination: /srv}";
    "a file where another source has a directory": FILE, "{source: d, destination: /srv}\n  - {source: other/e, destination: /srv}";
    "name that ends in a space": FILE, "{source: space, destination: /srv}";
    "name that ends in a space, OVERWRITE": HEAD, "file_exists_behavior: OVERWRITE\nfiles:\n  - {source: space, destination: /srv}";
    "kept link to an installed file": FILE, "{source: kept, destination: /srv}";
    "kept link to a directory above it": FILE, "{source: up, destination: /srv}";
    "two kept links to directories above them": FILE, "{source: ups, destination: /srv}";
    "`location: [a.sh]`": SCRIPT, "location: [a.sh]";
    "`runas: [root]`": SCRIPT, "location: a.sh\n      runas: [root]";
    "`location: 1.50`": SCRIPT, "location: 1.50";
    "`runas: yes`": SCRIPT, "location: a.sh\n      runas: yes";
    "`runas: \"- root\"`": SCRIPT, "location: a.sh\n      runas: \"- root\"";
    "`runas: \"\"`": SCRIPT, "location: a.sh\n      runas: \"\"";
    "`runas: \"$USER\"`": SCRIPT, "location: a.sh\n      runas: \"$USER\"";
    "`runas: 1000`": SCRIPT, "location: a.sh\n      runas: 1000";
    "`timeout: false`": SCRIPT, "location: a.sh\n      timeout: false";
    "`timeout: true`": SCRIPT, "location: a.sh\n      timeout: true";
    "`timeout: [5]`": SCRIPT, "location: a.sh\n      timeout: [5]";
    "`timeout: ~`": SCRIPT, "location: a.sh\n      timeout: ~";
    "`timeout` a date": SCRIPT, "location: a.sh\n      timeout: 2024-01-31";
    "space in `location`, with `runas`": SCRIPT, "location: my script.sh\n      runas: root";
    "space in `location`, without `runas`": SCRIPT, "location: my script.sh";
    "space in `location`, with `sudo`": SCRIPT, "location: my script.sh\n      sudo: true";
    "`$` in `location`, with `runas`": SCRIPT, "location: m$b.sh\n      runas: root";
    "`;` in `location`, without `runas`": SCRIPT, "location: \"a;b.sh\"";
    "script with `#!bash`": SCRIPT, "location: relative.sh";
    "script with `#!bin/sh`": SCRIPT, "location: relative2.sh";
    "script whose lines end with CR alone": SCRIPT, "location: cr.sh";
    "script with `#!/usr/bin/env bash` and CRLF": SCRIPT, "location: env-crlf.sh";
    "script with `#!/usr/bin/env -S bash -e` and CRLF": SCRIPT, "location: split-crlf.sh";
    "script with `#!/usr/bin/env -vS bash` and CRLF": SCRIPT, "location: split-v-crlf.sh";
    "script with `#!/usr/bin/env -iS bash` and CRLF": SCRIPT, "location: split-i-crlf.sh";
    "script with `#!/usr/bin/env bash -e`": SCRIPT, "location: env-two.sh";
    "script with `#!/usr/bin/env A=1 bash`": SCRIPT, "location: env-set.sh";
    "script with `#!/usr/bin/env -S A=1 bash`": SCRIPT, "location: split-set.sh";
    "script with `#!/bin/bash -e -u`": SCRIPT, "location: two.sh";
    "script with `#!/bin/bash -eu`": SCRIPT, "location: one.sh";
    "script with `#!/usr/bin/env bin/bash`": SCRIPT, "location: env-relative.sh";
    "script without `#!`": SCRIPT, "location: bare.sh";
    "script without `#!`, with `runas`": SCRIPT, "location: bare.sh\n      runas: root";
    "script without `#!`, with `sudo`": SCRIPT, "location: bare.sh\n      sudo: true";
    "byte-order mark before `#!`": SCRIPT, "location: bom.sh";
    "blank line before `#!`": SCRIPT, "location: blank.sh";
    "space before `#!`": SCRIPT, "location: indented.sh";
    "empty script": SCRIPT, "location: empty.sh";
    "program": SCRIPT, "location: program";
    "script 0700, `runas: ubuntu`": SCRIPT, "location: private.sh\n      runas: ubuntu";
    "script 0700, `runas: ubuntu`, `sudo: true`": SCRIPT, "location: private.sh\n      runas: ubuntu\n      sudo: true";
    "script 0600, `runas: ubuntu`": SCRIPT, "location: secret.sh\n      runas: ubuntu";
    "script 0700, `runas: root`": SCRIPT, "location: private.sh\n      runas: root";
    "script 0711, `runas: ubuntu`": SCRIPT, "location: unreadable.sh\n      runas: ubuntu";
    "kept link to a script": SCRIPT, "location: kept/link.sh";
    "kept link to a script without execute permission": SCRIPT, "location: link-plain.sh";
    "kept link to nothing": SCRIPT, "location: link-nothing.sh";
    "permission for a directory and a file in it": PERMISSION, "mode: 644\n  - object: /srv/d/x\n    mode: 600";
    "permission for a directory and one in it": PERMISSION, "mode: 644\n  - object: /srv/d/sub\n    mode: 600";
    "permissions for files and for directories": PERMISSION, "mode: 644\n    type: [file]\n  - object: /srv\n    type: [directory]\n    mode: 755";
    "permission for a file that another leaves out": PERMISSION, "mode: 644\n    pattern: \"*.txt\"\n  - object: /srv\n    except: [\"*.txt\"]\n    mode: 755";
    "default entry that reaches files": PERMISSION, "acls: [\"d:u:root:rw\"]";
    "default entry with `type: [directory]`": PERMISSION, "acls: [\"d:u:root:rw\"]\n    type: [directory]";
    "`pattern` for a file": HEAD, "files:\n  - {source: a, destination: /srv}\npermissions:\n  - object: /srv/a\n    pattern: \"*\"";
    "`except` for a file": HEAD, "files:\n  - {source: a, destination: /srv}\npermissions:\n  - object: /srv/a\n    except: [b]";
    "`owner: [root]`": PERMISSION, "owner: [root]";
    "`group: {a: b}`": PERMISSION, "group: {a: b}";
    "`object: [/srv]`": HEAD, "permissions:\n  - object: [/srv]";
    "`pattern: [a]`": PERMISSION, "pattern: [a]";
    "`except: [[a]]`": PERMISSION, "except: [[a]]";
    "`owner: 1000`": PERMISSION, "owner: 1000";
    "`owner: \"1000\"`": PERMISSION, "owner: \"1000\"";
    "`group: \"\"`": PERMISSION, "group: \"\"";
    "`owner: \"root \"`": PERMISSION, "owner: \"root \"";
    "`owner: root:root`": PERMISSION, "owner: root:root";
    "`owner: yes`": PERMISSION, "owner: yes";
    "`owner: ~`": PERMISSION, "owner: ~";
    "context without `range`": PERMISSION, "context: {type: t}";
    "`pattern: 1`": PERMISSION, "pattern: 1";
    "`except: [1]`": PERMISSION, "except: [1]";
    "`except: [yes]`": PERMISSION, "except: [yes]";
    "`except: {}`": PERMISSION, "except: {}";
    "`acls: {}`": PERMISSION, "acls: {}";
    "`type: false`": PERMISSION, "type: false";
    "ACL on a name with a space": HEAD, "files:\n  - {source: spaced, destination: /srv}\npermissions:\n  - object: /srv\n    acls: [\"u:root:rw\"]";
    "`mode` a date": PERMISSION, "mode: 2024-01-31";
    "`mode: :755`": PERMISSION, "mode: :755";
    "`acls: [\"m:rwx\"]`": PERMISSION, "acls: [\"m:rwx\"]";
    "`acls: [\"a:rwx\"]`": PERMISSION, "acls: [\"a:rwx\"]";
    "`acls: [\"d:o:r\"]`, directories": PERMISSION, "acls: [\"d:o:r\"]\n    type: [directory]";
    "`acls: [\"d::7\"]`, directories": PERMISSION, "acls: [\"d::7\"]\n    type: [directory]";
    "range `s256`": PERMISSION, "context: {type: t, range: s256}";
    "range `s0:c0,`": PERMISSION, "context: {type: t, range: \"s0:c0,\"}";
    "`pattern: \"?.t*\"`": PERMISSION, "pattern: \"?.t*\"";
    "`except: [\"?.t*\"]`": PERMISSION, "except: [\"?.t*\"]";
    "`pattern: sub/z`": PERMISSION, "pattern: sub/z";
    "`except: [sub/z]`": PERMISSION, "except: [sub/z]";
    "absolute `except`": PERMISSION, "except: [/srv/d/x]";
    "`object: /srv//d`": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: /srv//d\n    mode: 644";
    "`object: /srv/x/../d`": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: /srv/x/../d\n    mode: 644";
    "`object: /srv/d/`": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: /srv/d/\n    mode: 644";
    "`object: /srv/*`": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: /srv/*\n    mode: 644";
    "`object: \"**/*\"`": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: \"**/*\"\n    mode: 644";
    "`object` that is not installed": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: /opt\n    mode: 644";
    "`pattern` that no name matches": HEAD, "files:\n  - {source: d, destination: /srv/d}\npermissions:\n  - object: /srv/d\n    pattern: \"*.none\"";
    "`destination: \"c:\\temp\\new\"`, `os: windows`": "", "version: 0.0\nos: windows\nfiles:\n  - source: a\n    destination: \"c:\\temp\\new\"\n";
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
    const SH: &[u8] = b"#!/bin/sh\n";
    let mut bundle = Fake::new(&[
        ("appspec.yml", 0o644, b""),
        ("a", 0o644, b""),
        ("m$b.sh", 0o755, SH),
        ("a.sh", 0o755, SH),
        ("a;b.sh", 0o755, SH),
        ("c", 0o644, b""),
        ("bare.sh", 0o755, b"echo hello\n"),
        ("blank.sh", 0o755, b"\n#!/bin/sh\n"),
        ("bom.sh", 0o755, b"\xef\xbb\xbf#!/bin/sh\ntrue\n"),
        ("cr.sh", 0o755, b"#!/bin/sh\recho\r"),
        ("crlf.sh", 0o755, b"#!/bin/sh\r\nexit\r\n"),
        ("d/sub/y", 0o644, b""),
        ("d/x", 0o644, b""),
        ("d/e/z", 0o644, b""),
        ("empty.sh", 0o755, b""),
        ("env-crlf.sh", 0o755, b"#!/usr/bin/env bash\r\n"),
        ("env-relative.sh", 0o755, b"#!/usr/bin/env bin/bash\n"),
        ("env-set.sh", 0o755, b"#!/usr/bin/env A=1 bash\n"),
        ("env-two.sh", 0o755, b"#!/usr/bin/env bash -e\n"),
        ("indented.sh", 0o755, b" #!/bin/sh\n"),
        ("kept/link.sh", LINK | 0o777, b"real.sh"),
        ("kept/real.sh", 0o755, SH),
        ("link-nothing.sh", LINK | 0o777, b"kept/none.sh"),
        ("link-plain.sh", LINK | 0o777, b"plain.sh"),
        ("my script.sh", 0o755, SH),
        ("one.sh", 0o755, b"#!/bin/bash -eu\n"),
        ("other/e", 0o644, b""),
        ("plain.sh", 0o644, SH),
        ("private.sh", 0o700, SH),
        ("program", 0o755, b"\x7fELF\x02"),
        ("relative.sh", 0o755, b"#!bash\n"),
        ("relative2.sh", 0o755, b"#! bin/sh\n"),
        ("secret.sh", 0o600, SH),
        ("space/x ", 0o644, b""),
        ("spaced/x y", 0o644, b""),
        ("split-crlf.sh", 0o755, b"#!/usr/bin/env -S bash -e\r\n"),
        ("split-i-crlf.sh", 0o755, b"#!/usr/bin/env -iS bash\r\n"),
        ("split-set.sh", 0o755, b"#!/usr/bin/env -S A=1 bash\n"),
        ("split-v-crlf.sh", 0o755, b"#!/usr/bin/env -vS bash\r\n"),
        ("tree/d/sub/y", 0o644, b""),
        ("tree/d/x", 0o644, b""),
        ("tree/z.txt", 0o644, b""),
        ("two.sh", 0o755, b"#!/bin/bash -e -u\n"),
        ("unreadable.sh", 0o711, SH),
        ("up/a/b/up", LINK | 0o777, b".."),
        ("up/a/x", 0o644, b""),
        ("ups/a/up", LINK | 0o777, b".."),
        ("ups/b/up", LINK | 0o777, b"../../ups"),
        ("ups/x", 0o644, b""),
    ]);
    let case = CASES.iter().find(|(case, ..)| *case == name);
    let (_, begin, rest) = case.unwrap_or_else(|| panic!("CASES lacks {name}"));
    let text = format!("{begin}{rest}");
    if text.contains("os: windows") {
        // Windows does not allow these names.
        bundle.0.retain(|(name, ..)| !name.ends_with(' '));
    }
    instances(&text, &bundle)
}

#[test]
fn the_documented_table_and_the_cases_are_the_same() {
    let documented: Vec<&str> = rows().iter().map(|row| row.name).collect();
    let cases: Vec<&str> = CASES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(documented, cases);
    assert_eq!(cases.len(), 205);
}

#[test]
fn each_case_is_reported_by_the_documented_rule_alone() {
    let wrong = rows().into_iter().filter_map(|Row { name, rule, .. }| {
        let findings = report_of(name).findings;
        let rules: Vec<&Rule> = findings.iter().map(|finding| &finding.rule).collect();
        let is_right =
            rules == Vec::from_iter(rule) && !findings.iter().any(|f| f.message.is_empty());
        (!is_right).then_some((name, rule, findings))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Agent 1.8 refuses aliases and dates only on newer versions of Ruby, so both are warnings.
#[test]
fn an_error_is_what_agent_1_refuses_to_read_or_both_agents_fail_at() {
    let refuses = |cell: &str| matches!(cell, "refuses" | "crashes");
    let fails =
        |cell: &str| refuses(cell) || cell.starts_with("fails") || cell == "crashes at Install";
    let wrong = rows().into_iter().filter_map(|row| {
        let report = report_of(row.name);
        let (one, two) = (fails(row.agent_1), fails(row.agent_2));
        let is_error = refuses(row.agent_1) || (one || row.agent_1 == "does nothing") && two;
        let is_right =
            report.has_errors() == is_error && (!(one || two) || !report.findings.is_empty());
        (!is_right).then_some(row.name)
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_texts_of_findings_quote_no_empty_word_and_double_no_comma() {
    let ecs = "version: 0.0\nResources:\n  - T:\n      Type: AWS::ECS::Service\n      Properties:\n        \
               TaskDefinition: a\n        LoadBalancerInfo: {ContainerName: a, ContainerPort: \"\"}\n        \
               NetworkConfiguration:\n          AwsvpcConfiguration: {Subnets: [\"\"], SecurityGroups: \
               [[]], AssignPublicIp: enabled}\nHooks:\n  - \"\": \"\"\n";
    let empty = "version: \"\"\nos: \"\"\nfile_exists_behavior: \"\"\n\"\": \"\"\npermissions:\n  - object: \
                 /srv\n    mode: \"\"\n    owner: \"\"\n    acls: [\"\", []]\n    type: [\"\", []]\n    pattern: \
                 \"\"\n    except: [\"\"]\n    context: {type: t, range: \"\"}\nhooks:\n  \"\":\n    - \
                 {location: \"\", timeout: \"\", runas: \"\", sudo: \"\"}\n  ? [a]\n  : [{location: a.sh, timeout: x}]\n";
    let mut reports = vec![
        lint(
            Path::new("a.yml"),
            ecs.as_bytes(),
            Some(Kind::Resources),
            None,
        ),
        lint(Path::new("appspec.yml"), empty.as_bytes(), None, None),
    ];
    assert!(
        reports.iter().all(|report| report.findings.len() > 3),
        "{reports:#?}"
    );
    reports.extend(rows().iter().map(|row| report_of(row.name)));
    for finding in reports.iter().flat_map(|report| &report.findings) {
        let text = format!(
            "{} {}",
            finding.message,
            finding.help.as_deref().unwrap_or_default()
        );
        for wrong in ["``", ",,", "  ", "[]"] {
            assert!(
                !text.contains(wrong) || wrong == "[]" && text.contains("write []"),
                "{text}"
            );
        }
    }
}

#[test]
fn no_word_of_the_file_ends_the_line_of_a_finding() {
    let word = "\"a\\n\\e[31mb\"";
    let text = format!(
        "version: {word}\nos: {word}\nfile_exists_behavior: {word}\n{word}: {word}\nfiles:\n  - {{source: {word}, \
         destination: {word}}}\npermissions:\n  - {{object: {word}, {word}: 1, mode: {word}, owner: {word}, acls: \
         [{word}], type: [{word}], pattern: {word}, except: [{word}], context: {{type: t, range: {word}}}}}\nhooks:\n  \
         {word}:\n    - {{location: {word}, timeout: {word}, runas: {word}, sudo: {word}}}\n    - timeout: 5\n    - \
         {{location: [], runas: [], timeout: 4000}}\n  \"c\\nd\": x\n"
    );
    let bundle = Fake::new(&[
        ("a\n\u{1b}[31mb", 0o644, b"#!a\x1b[31m\rb\n"),
        ("appspec.yml", 0o644, b""),
    ]);
    let mut report = instances(&text, &bundle);
    harden(&mut report, Some(&bundle));
    assert!(report.findings.len() > 20, "{report:#?}");
    for finding in &report.findings {
        let text = format!(
            "{}{}",
            finding.message,
            finding.help.as_deref().unwrap_or_default()
        );
        assert!(!text.contains(char::is_control), "{finding:?}");
    }
}
