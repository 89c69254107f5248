//! What the agents do with a value at a key.

/// What an agent does with a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Does {
    Runs,
    /// It stops at Install or at an event.
    Fails,
    /// It does not read the file.
    Refuses,
}

use self::Does::{Fails, Refuses, Runs};

/// A value as Ruby sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ruby {
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
pub(super) type Value = (&'static str, Ruby, Option<&'static str>);

pub(super) const VALUES: &[Value] = &[
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
pub(super) fn verdict(key: &str, (_, ruby, rust): Value) -> (Does, Does) {
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
