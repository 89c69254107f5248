//! A thousand AppSpec files with a known verdict of each agent.
//!
//! The model of the agents here is another than that of the checks: it says for each value of a pool what
//! Ruby and Rust make of it, and for each key what the agents do with that. It was compared once with the
//! code of agent 1.8.1, run with Ruby 3.1.2 and Psych 4.0.3.

use std::collections::BTreeMap;

use super::*;

/// What an agent does with a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Does {
    Runs,
    /// It stops at Install or at an event.
    Fails,
    /// It does not read the file.
    Refuses,
}

use Does::{Fails, Refuses, Runs};

/// A value as Ruby sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ruby {
    Nil,
    True,
    False,
    Int(i64),
    Float,
    Symbol,
    Date,
    Text(&'static str),
    List,
    Map,
}

/// How a value is written, how Ruby sees it, and the text that Rust sees. None for what is no text there.
type Value = (&'static str, Ruby, Option<&'static str>);

const VALUES: &[Value] = &[
    ("x", Ruby::Text("x"), Some("x")),
    ("'yes'", Ruby::Text("yes"), Some("yes")),
    ("\"1\"", Ruby::Text("1"), Some("1")),
    ("y", Ruby::Text("y"), Some("y")),
    ("n", Ruby::Text("n"), Some("n")),
    ("1e3", Ruby::Text("1e3"), Some("1e3")),
    ("0o17", Ruby::Text("0o17"), Some("0o17")),
    ("0888", Ruby::Text("0888"), Some("0888")),
    ("1", Ruby::Int(1), Some("1")),
    ("300", Ruby::Int(300), Some("300")),
    ("0644", Ruby::Int(420), Some("0644")),
    ("0755", Ruby::Int(493), Some("0755")),
    ("1_000", Ruby::Int(1000), Some("1_000")),
    ("0x10", Ruby::Int(16), Some("0x10")),
    ("0b11", Ruby::Int(3), Some("0b11")),
    ("12:30", Ruby::Int(45_000), Some("12:30")),
    ("+5", Ruby::Int(5), Some("+5")),
    ("-5", Ruby::Int(-5), Some("-5")),
    ("1.5", Ruby::Float, Some("1.5")),
    ("yes", Ruby::True, Some("yes")),
    ("On", Ruby::True, Some("On")),
    ("true", Ruby::True, Some("true")),
    ("no", Ruby::False, Some("no")),
    ("off", Ruby::False, Some("off")),
    ("false", Ruby::False, Some("false")),
    ("~", Ruby::Nil, None),
    ("null", Ruby::Nil, None),
    ("NULL", Ruby::Nil, None),
    (":sym", Ruby::Symbol, Some(":sym")),
    ("2024-01-31", Ruby::Date, Some("2024-01-31")),
    (
        "2024-01-31 10:00:00",
        Ruby::Date,
        Some("2024-01-31 10:00:00"),
    ),
    ("[x]", Ruby::List, None),
    ("{x: y}", Ruby::Map, None),
];

/// Whether Rust sees a list or a mapping.
fn is_nested(value: Ruby) -> bool {
    matches!(value, Ruby::List | Ruby::Map)
}

/// What agent 2.x does with a value where it needs a text, or nothing.
fn text_2(value: Ruby) -> Does {
    if is_nested(value) { Refuses } else { Runs }
}

/// What both agents do with a value at a key.
fn verdict(key: &str, (_, ruby, rust): Value) -> (Does, Does) {
    // Ruby 3.1 refuses dates wherever they stand.
    if ruby == Ruby::Date {
        let two = match key {
            "timeout" | "mode" | "sudo" | "range" | "version" => Refuses,
            _ => Runs,
        };
        return (Refuses, two);
    }
    let two = text_2(ruby);
    match key {
        "source" | "destination" => match ruby {
            // Ruby joins the items of a list to a path.
            Ruby::List => (Runs, two),
            Ruby::Nil => (Refuses, Refuses),
            Ruby::Text(_) => (Runs, two),
            // Ruby cannot make a path of them.
            _ => (Fails, two),
        },
        // `su` takes `-5` for an option.
        "runas" if is_nested(ruby) || ruby == Ruby::Int(-5) => (Fails, two),
        "runas" => (Runs, two),
        "owner" | "group" => match ruby {
            Ruby::Nil | Ruby::False => (Runs, two),
            // There is a user or group of each name, but none is a number.
            Ruby::Text(text) if text != "1" && text != "0888" => (Runs, two),
            _ => (Fails, two),
        },
        "pattern" => match ruby {
            Ruby::Nil | Ruby::False | Ruby::Text(_) => (Runs, two),
            _ => (Fails, two),
        },
        "except item" => match ruby {
            Ruby::Text(_) => (Runs, two),
            _ => (Fails, two),
        },
        "timeout" => {
            let one = match ruby {
                Ruby::Nil | Ruby::False => Runs,
                Ruby::Int(1..) | Ruby::Float => Runs,
                // `String#to_i`
                Ruby::Text("1" | "1e3" | "0888") => Runs,
                _ => Refuses,
            };
            let is_number = matches!(rust, Some("1" | "300" | "0x10" | "0b11" | "+5"));
            let is_plain = !matches!(ruby, Ruby::Text(_));
            (
                one,
                if ruby == Ruby::Nil || is_number && is_plain {
                    Runs
                } else {
                    Refuses
                },
            )
        }
        "sudo" => (
            Runs,
            if ruby == Ruby::Nil || matches!(rust, Some("true" | "false")) {
                Runs
            } else {
                Refuses
            },
        ),
        "mode" => {
            let is_octal = |text: &str| {
                text.len() <= 4 && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
            };
            let one = match ruby {
                Ruby::Nil => Runs,
                Ruby::Int(number) if is_octal(&number.to_string()) => Runs,
                Ruby::Text(text) if is_octal(text) => Runs,
                _ => Refuses,
            };
            let two = ruby == Ruby::Nil || rust.is_some_and(is_octal);
            (one, if two { Runs } else { Refuses })
        }
        _ => panic!("{key}"),
    }
}

/// Numbers that look random, and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.roll(all.len())]
    }
}

/// A part of a file: what it is about, its section, its text, and what the agents do.
struct Part {
    section: &'static str,
    text: String,
    does: (Does, Does),
}

/// Parts that are as they are: the section, the text with `@` for a directory of its own, and what the
/// agents do.
const PARTS: &[(&str, &str, Does, Does)] = &[
    ("files", "- {source: x, destination: @}", Runs, Runs),
    ("files", "- {source: /tree/, destination: @}", Runs, Runs),
    (
        "files",
        "- {source: ./tree/sub, destination: @}",
        Runs,
        Runs,
    ),
    ("files", "- {source: none, destination: @}", Fails, Fails),
    ("files", "- {source: tree/*, destination: @}", Fails, Fails),
    ("files", "- {source: \" \", destination: @}", Fails, Fails),
    ("files", "- {source: \"\", destination: @}", Runs, Refuses),
    ("files", "- {source: x, destination: ~/@}", Fails, Fails),
    ("files", "- {source: x, destination: @/x}", Runs, Runs),
    (
        "files",
        "- {source: x, destination: @}\n  - {source: x, destination: @/}",
        Fails,
        Fails,
    ),
    (
        "files",
        "- {source: tree, destination: @}\n  - {source: tree/sub, destination: @/sub}",
        Fails,
        Fails,
    ),
    (
        "files",
        "- {source: x, destination: @}\n  - {source: tree, destination: @/x}",
        Fails,
        Fails,
    ),
    (
        "files",
        "- {source: x, destination: @}\n  - {source: y, destination: @/x/z}",
        Fails,
        Fails,
    ),
    (
        "files",
        "- {source: tree, destination: @}\n  - {source: y, destination: @/a.txt}",
        Fails,
        Fails,
    ),
    (
        "files",
        "- {source: tree, destination: @}\n  - {source: other/sub, destination: @}",
        Fails,
        Fails,
    ),
    ("files", "- {destination: @}", Refuses, Refuses),
    ("files", "- {source: x}", Refuses, Refuses),
    ("files", "- x", Refuses, Refuses),
    ("hooks", "- location: run.sh", Runs, Runs),
    ("hooks", "- {location: run.sh, timeout: 60}", Runs, Runs),
    ("hooks", "- {location: /run.sh, sudo: false}", Runs, Runs),
    ("hooks", "- {location: run.sh, unknown: x}", Runs, Runs),
    ("hooks", "- {location: run.sh, runas: root}", Runs, Runs),
    ("hooks", "- location: none.sh", Fails, Fails),
    ("hooks", "- location: \" \"", Refuses, Refuses),
    ("hooks", "- timeout: 5", Refuses, Refuses),
    ("hooks", "- run.sh", Refuses, Refuses),
    ("hooks", "- location: crlf.sh", Fails, Fails),
    ("hooks", "- location: split.sh", Runs, Runs),
    ("hooks", "- location: relative.sh", Fails, Fails),
    ("hooks", "- location: bare.sh", Runs, Fails),
    ("hooks", "- {location: bare.sh, runas: root}", Runs, Runs),
    (
        "hooks",
        "- {location: my script.sh, runas: root}",
        Fails,
        Fails,
    ),
    ("hooks", "- location: my script.sh", Fails, Runs),
    ("hooks", "- location: \"a(1).sh\"", Fails, Runs),
    (
        "hooks",
        "- {location: \"a(1).sh\", runas: root}",
        Fails,
        Fails,
    ),
    ("hooks", "- {location: \"a$.sh\", runas: root}", Runs, Runs),
    (
        "hooks",
        "- {location: private.sh, runas: nobody}",
        Fails,
        Fails,
    ),
    ("hooks", "- {location: private.sh, runas: root}", Runs, Runs),
    ("permissions", "- {object: @, mode: 644}", Runs, Runs),
    (
        "permissions",
        "- {object: @/, mode: \"0644\", owner: root, group: root}",
        Runs,
        Runs,
    ),
    (
        "permissions",
        "- {object: @, mode: 755, type: [directory]}",
        Runs,
        Runs,
    ),
    (
        "permissions",
        "- {object: @, pattern: \"*.txt\", except: [b*], mode: 4755}",
        Runs,
        Runs,
    ),
    (
        "permissions",
        "- {object: @, mode: 644, type: [file]}\n  - {object: @, mode: 755, type: [directory]}",
        Runs,
        Runs,
    ),
    (
        "permissions",
        "- {object: @/a.txt, mode: 600}\n  - {object: @, except: [a.txt], mode: 644}",
        Runs,
        Runs,
    ),
    (
        "permissions",
        "- {object: @, mode: 644}\n  - {object: @/a.txt, mode: 600}",
        Fails,
        Fails,
    ),
    (
        "permissions",
        "- {object: @/sub, mode: 644}\n  - {object: @, mode: 600}",
        Fails,
        Fails,
    ),
    (
        "permissions",
        "- {object: @, pattern: \"*.txt\"}\n  - {object: @, pattern: \"a*\"}",
        Fails,
        Fails,
    ),
    (
        "permissions",
        "- {object: @/a.txt, pattern: \"*\"}",
        Fails,
        Fails,
    ),
    (
        "permissions",
        "- {object: @/a.txt, except: [x]}",
        Fails,
        Fails,
    ),
    (
        "permissions",
        "- {object: @/a.txt, except: [x], type: [directory]}",
        Runs,
        Runs,
    ),
    (
        "permissions",
        "- {object: @, acls: [\"d:u:root:rw\"]}",
        Fails,
        Fails,
    ),
    (
        "permissions",
        "- {object: @, acls: [\"u::rw\"]}",
        Refuses,
        Refuses,
    ),
    (
        "permissions",
        "- {object: @, acls: [\"u:root:8\"]}",
        Refuses,
        Refuses,
    ),
    (
        "permissions",
        "- {object: @, type: [link]}",
        Refuses,
        Refuses,
    ),
    ("permissions", "- {object: @, type: file}", Refuses, Refuses),
    ("permissions", "- {object: @, except: {}}", Runs, Refuses),
    ("permissions", "- {object: @, type: false}", Runs, Refuses),
    ("permissions", "- {object: \" \"}", Refuses, Refuses),
    ("permissions", "- {mode: 644}", Refuses, Refuses),
    (
        "permissions",
        "- {object: @, context: {name: u}}",
        Refuses,
        Refuses,
    ),
    (
        "permissions",
        "- {object: @, context: {type: t}}",
        Fails,
        Runs,
    ),
    (
        "permissions",
        "- {object: @, context: {type: t, range: s3-s1}}",
        Refuses,
        Refuses,
    ),
    ("permissions", "- {object: /none/*, mode: 644}", Runs, Runs),
    (
        "permissions",
        "- {object: @, owner: root:root}",
        Fails,
        Runs,
    ),
    ("permissions", "- {object: @, owner: \"\"}", Fails, Runs),
];

const KEYS: [&str; 10] = [
    "source",
    "destination",
    "runas",
    "owner",
    "group",
    "pattern",
    "except item",
    "timeout",
    "sudo",
    "mode",
];

/// How the file begins.
const BEGINS: &[(&str, Does, Does)] = &[
    ("version: 0.0\nos: linux\n", Runs, Runs),
    ("os: linux\nversion: 0.0\n", Runs, Runs),
    ("version: 0\nos: linux\n", Runs, Runs),
    ("version: 0.00\nos: \"linux\"\n", Runs, Runs),
    (
        "# x\nversion: -0.0\nos: 'linux'\nbranch_config: {a: b}\n",
        Runs,
        Runs,
    ),
    ("\u{FEFF}# x\nversion: 0.0\nos: linux\n", Runs, Runs),
    ("\u{FEFF}\nversion: .0\nos: linux\n", Runs, Runs),
    ("---\nversion: 00\nos: linux\n", Runs, Runs),
    ("\u{FEFF}version: 0.0\nos: linux\n", Refuses, Refuses),
    ("version: \"0.0\"\nos: linux\n", Refuses, Refuses),
    ("version: 1.0\nos: linux\n", Refuses, Refuses),
    ("version: 0.0\nos: Linux\n", Refuses, Refuses),
    ("version: 0x0\nos: linux\n", Runs, Refuses),
    ("version: 0:0\nos: linux\n", Runs, Refuses),
    ("version: 0_\nos: linux\n", Runs, Refuses),
    ("version: 0,0\nos: linux\n", Runs, Refuses),
    (
        "version: 0.0\nos: linux\nfile_exists_behavior: RETAIN\n",
        Runs,
        Runs,
    ),
    (
        "version: 0.0\nos: linux\nfile_exists_behavior: ~\n",
        Runs,
        Runs,
    ),
    (
        "version: 0.0\nos: linux\nfile_exists_behavior: retain\n",
        Refuses,
        Refuses,
    ),
    ("version: 0.0\nos: linux\nversion: 0.0\n", Runs, Refuses),
];

/// A part with a value of the pool at a key.
fn valued(dice: &mut Dice) -> Part {
    let key = *dice.one_of(&KEYS);
    let value = *dice.one_of(VALUES);
    let written = value.0;
    let (section, text) = match key {
        "source" => ("files", format!("- source: {written}\n    destination: @")),
        "destination" => ("files", format!("- source: x\n    destination: {written}")),
        "runas" | "timeout" | "sudo" => (
            "hooks",
            format!("- location: run.sh\n      {key}: {written}"),
        ),
        "except item" => (
            "permissions",
            format!("- object: @\n    except:\n      - {written}"),
        ),
        _ => ("permissions", format!("- object: @\n    {key}: {written}")),
    };
    Part {
        section,
        text,
        does: verdict(key, value),
    }
}

fn fixed(dice: &mut Dice) -> Part {
    let (section, text, one, two) = *dice.one_of(PARTS);
    Part {
        section,
        text: text.to_owned(),
        does: (one, two),
    }
}

/// A file, and what the agents do with it.
fn file(dice: &mut Dice) -> (String, (Does, Does)) {
    loop {
        let mut begin = BEGINS[dice.roll(8)];
        if dice.roll(6) == 0 {
            begin = *dice.one_of(BEGINS);
        }
        let mut parts = Vec::new();
        for _ in 0..=dice.roll(5) {
            parts.push(if dice.roll(2) == 0 {
                valued(dice)
            } else {
                fixed(dice)
            });
        }
        let mut all: Vec<(Does, Does)> = parts.iter().map(|part| part.does).collect();
        all.push((begin.1, begin.2));
        let bad = all.iter().filter(|does| **does != (Runs, Runs)).count();
        // More than one mistake would hide the others.
        if bad > 1 {
            continue;
        }
        let mut text = begin.0.to_owned();
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        for (number, part) in parts.iter().enumerate() {
            // Each part has a directory of its own.
            let place = format!("/srv/{number}");
            let home = part.text.replace("~/@", &format!("~/{number}"));
            let written = home.replace('@', &place);
            if part.section == "permissions" {
                let copy = format!("  - {{source: tree, destination: {place}}}\n");
                sections.entry("files").or_default().push_str(&copy);
            }
            let indent = if part.section == "hooks" {
                "    "
            } else {
                "  "
            };
            let section = sections.entry(part.section).or_default();
            section.push_str(&format!("{indent}{written}\n"));
        }
        for (section, items) in sections {
            let event = if section == "hooks" {
                "  AfterInstall:\n"
            } else {
                ""
            };
            text.push_str(&format!("{section}:\n{event}{items}"));
        }
        let one = all
            .iter()
            .map(|does| does.0)
            .fold(Runs, |a, b| if b > a { b } else { a });
        let two = all
            .iter()
            .map(|does| does.1)
            .fold(Runs, |a, b| if b > a { b } else { a });
        return (text, (one, two));
    }
}

fn bundle() -> Fake {
    const SH: &[u8] = b"#!/bin/sh\n";
    let mut files = vec![
        ("appspec.yml", 0o644, &b""[..]),
        ("x", 0o644, b""),
        ("tree/a.txt", 0o644, b""),
        ("tree/b.txt", 0o644, b""),
        ("tree/sub/c", 0o644, b""),
        ("other/sub/sub", 0o644, b""),
        ("run.sh", 0o755, SH),
        ("crlf.sh", 0o755, b"#!/bin/sh\r\n"),
        ("split.sh", 0o755, b"#!/usr/bin/env -S sh -e\r\n"),
        ("relative.sh", 0o755, b"#!sh\n"),
        ("bare.sh", 0o755, b"true\n"),
        ("my script.sh", 0o755, SH),
        ("a(1).sh", 0o755, SH),
        ("a$.sh", 0o755, SH),
        ("private.sh", 0o700, SH),
    ];
    // Whatever a source is called, there is a file of that name.
    for (_, _, text) in VALUES {
        files.extend(text.map(|text| (text, 0o644, &b""[..])));
    }
    files.sort_unstable();
    files.dedup_by_key(|(name, ..)| *name);
    Fake::new(&files)
}

#[test]
fn a_thousand_files_have_an_error_if_both_agents_fail_and_none_if_both_run_them() {
    let mut dice = Dice(13);
    let bundle = bundle();
    let mut rules: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for _ in 0..1000 {
        let (text, (one, two)) = file(&mut dice);
        let report = instances(&text, &bundle);
        for finding in &report.findings {
            *rules
                .entry((finding.severity(), finding.rule.id()))
                .or_default() += 1;
        }
        let outcome = match (one != Runs, two != Runs) {
            (false, false) => "both run it",
            (true, true) => "both fail",
            (true, false) => "only 1.8 fails",
            (false, true) => "only 2.x fails",
        };
        *outcomes.entry(outcome).or_default() += 1;
        let is_right = match outcome {
            "both run it" => !report.has_errors(),
            "both fail" => report.has_errors(),
            // What agent 1.8 refuses to read may be an error, too.
            _ => !report.findings.is_empty() && (!report.has_errors() || one == Refuses),
        };
        if !is_right {
            wrong.push(format!("{outcome}, {:?}:\n{text}", found(&report)));
        }
    }
    for (outcome, count) in &outcomes {
        println!("{outcome}: {count}");
    }
    for ((severity, rule), count) in &rules {
        println!("{} {rule}: {count}", severity.name());
    }
    assert_eq!(outcomes.len(), 4);
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
