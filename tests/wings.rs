//! Which wing of the source may use which other, and which crates.
//!
//! The compiler holds the borders inside a wing (`pub(super)`), but any module of a crate may name
//! any other. So this reads the lines of `src` for `crate::WING` and for names of crates, and
//! compares them with two tables. Comments and code that is only compiled for tests are free.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files at the top that every wing may use, and that use only each other.
const LEAVES: [&str; 7] = [
    "bundle", "cancel", "error", "notes", "progress", "sync", "system",
];

/// Each wing, and the wings that it may use besides the leaves.
const WINGS: [(&str, &[&str]); 11] = [
    ("main", &["cli"]),
    ("lib", &[]),
    (
        "cli",
        &[
            "push", "verify", "clean", "archive", "transfer", "aws", "appspec", "endpoint",
        ],
    ),
    ("push", &["verify", "archive", "transfer", "aws", "appspec"]),
    ("verify", &["archive", "aws"]),
    ("clean", &["aws"]),
    ("transfer", &["archive", "aws"]),
    ("aws", &["archive"]),
    ("appspec", &["archive"]),
    ("archive", &[]),
    ("endpoint", &[]),
];

/// Beginnings of names of crates, and the wings that may name them.
const CRATES: [(&[&str], &[&str]); 7] = [
    (
        &[
            "aws_config",
            "aws_sdk_",
            "aws_types",
            "aws_credential_types",
            "aws_smithy_",
        ],
        &["aws"],
    ),
    (
        &["tokio", "futures_util"],
        &[
            "cli", "push", "verify", "transfer", "aws", "endpoint", "cancel",
        ],
    ),
    (&["rayon", "crossbeam_channel"], &["archive"]),
    (&["libdeflater", "isal_sys"], &["archive"]),
    (
        &[
            "clap",
            "indicatif",
            "plotters",
            "annotate_snippets",
            "console",
        ],
        &["cli"],
    ),
    (&["s3s", "hyper::"], &["endpoint"]),
    (&["rustix"], &["system", "cli"]),
];

#[test]
fn wings_use_only_what_the_design_lets_them() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for file in files(Path::new("src")) {
        let wing = wing_of(&file);
        let allowed = match WINGS.iter().find(|(name, _)| *name == wing) {
            Some((_, allowed)) => *allowed,
            None if LEAVES.contains(&wing.as_str()) => &[],
            None => panic!("{} belongs to no wing", file.display()),
        };
        for (number, line) in code(&fs::read_to_string(&file).unwrap()) {
            read += 1;
            let place = format!("{}:{number}: {}", file.display(), line.trim());
            // The binary sees the library as `hoist`, and itself as `crate`.
            let root = if wing == "cli" { "hoist::" } else { "crate::" };
            for used in names_after(line, root) {
                let is_leaf = LEAVES.contains(&used.as_str());
                if used != wing && !is_leaf && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{wing} may not use {used}: {place}"));
                }
            }
            for (crates, wings) in CRATES {
                let named = crates.iter().any(|name| {
                    line.match_indices(name).any(|(at, _)| {
                        let before = line[..at].chars().next_back();
                        let rest = &line[at..];
                        before.is_none_or(|c| {
                            !c.is_alphanumeric() && c != '_' && c != ':' && c != '"'
                        }) && rest.find("::").is_some_and(|end| {
                            rest[..end].chars().all(|c| c.is_alphanumeric() || c == '_')
                        })
                    })
                });
                if named && !wings.contains(&wing.as_str()) {
                    wrong.push(format!("{wing} may not name {crates:?}: {place}"));
                }
            }
        }
    }
    assert!(read > 10_000, "only {read} lines were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names that follow `root` in a line; of a group, each.
fn names_after(line: &str, root: &str) -> Vec<String> {
    let name = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut names = Vec::new();
    for (at, _) in line.match_indices(root) {
        let rest = &line[at + root.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group.split(',').map(|text| name(text.trim()))),
            None => names.push(name(rest)),
        }
    }
    names.retain(|name: &String| !name.is_empty() && name.starts_with(|c: char| c.is_lowercase()));
    names
}

/// The lines that are compiled into the product, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Modules of tests come last in a file.
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| *line != "mod tests {")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn wing_of(file: &Path) -> String {
    let inside = file.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    Path::new(first)
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// All sources below `dir` but those of tests alone.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if ["tests", "testing", "fake", "round_trip"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}
