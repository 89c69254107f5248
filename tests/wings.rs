//! Which wing of the source may use which other wing, and which crates. The compiler keeps the borders
//! inside a wing (`pub(super)`), but any module may name any other. So this compares the paths in the
//! sources that begin with `crate::` (in the command, `hoist::`), and the names of crates, with two
//! tables. Comments and code for tests are not read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that every wing may use, and that use only each other.
const LEAVES: &str = "bundle cancel error notes progress sync system";

/// Each wing, and the wings that it may use besides the leaves.
const WINGS: [(&str, &str); 12] = [
    ("main", "cli"),
    ("lib", ""),
    (
        "cli",
        "push verify clean deploy archive transfer aws appspec endpoint",
    ),
    ("push", "verify archive transfer aws appspec"),
    ("verify", "archive aws"),
    ("clean", "aws"),
    ("deploy", "aws"),
    ("transfer", "archive aws"),
    ("aws", "archive"),
    ("appspec", "archive"),
    ("archive", ""),
    ("endpoint", "archive appspec"),
];

/// Beginnings of the names of crates, and the wings that may name them.
const CRATES: [(&str, &str); 7] = [
    ("aws_", "aws"),
    (
        "tokio futures_util",
        "cli push verify deploy transfer aws endpoint cancel",
    ),
    ("rayon crossbeam_channel libdeflater isal_sys", "archive"),
    ("clap indicatif plotters annotate_snippets console", "cli"),
    ("s3s", "endpoint"),
    ("hyper", "endpoint aws"),
    ("rustix", "system cli"),
];

fn has(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

#[test]
fn wings_use_only_what_the_tables_allow() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for file in files(Path::new("src")) {
        let modules = modules_of(&file);
        let wing = modules[0].as_str();
        let is_for_tests = |name: &String| has("tests testing fake round_trip", name);
        if modules.iter().any(is_for_tests) {
            continue;
        }
        let known = WINGS.iter().find(|(name, _)| *name == wing);
        let allowed = known.map_or("", |(_, allowed)| allowed);
        assert!(known.is_some() || has(LEAVES, wing), "{wing} is no wing");
        let code = code(&fs::read_to_string(&file).unwrap());
        read += code.len();
        let mut complain = |what: String| wrong.push(format!("{}: {what}", file.display()));
        let root = if wing == "cli" { "hoist::" } else { "crate::" };
        for used in paths(&code, root).iter().flat_map(|rest| first_names(rest)) {
            if used != wing && !has(LEAVES, used) && !has(allowed, used) {
                complain(format!("{wing} may not use {used}"));
            }
        }
        // A module that is so deep reaches the root by as many steps, one in its file by one more.
        let mut lines = code.lines();
        let inline = lines.any(|line| line.starts_with("mod ") && line.ends_with('{'));
        let up = "super::".repeat(modules.len() + usize::from(inline));
        if !paths(&code, &up).is_empty() {
            complain(format!("super:: leads out of {wing}; write crate::"));
        }
        for (crates, wings) in CRATES {
            for name in crates.split(' ') {
                let is_path = |rest: &str| rest.trim_start_matches(is_of_name).starts_with("::");
                let named = paths(&code, name).into_iter().any(is_path);
                if named && !has(wings, wing) {
                    complain(format!("{wing} may not name {name}"));
                }
            }
        }
    }
    assert!(read > 300_000, "only {read} bytes were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What follows each place where a path begins with `start`.
fn paths<'a>(code: &'a str, start: &str) -> Vec<&'a str> {
    let places = code.match_indices(start).filter(|(at, _)| {
        let before = code[..*at].chars().next_back();
        before.is_none_or(|c| !is_of_name(c) && !":\"".contains(c))
    });
    places.map(|(at, _)| &code[at + start.len()..]).collect()
}

/// The name with which a path begins; of `{a::b, c::{d, e}}` both, `a` and `c`.
fn first_names(path: &str) -> Vec<&str> {
    let mut depth = 0;
    let ends = |c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0 || depth == 0 && c == ','
    };
    let pieces: Vec<&str> = match path.strip_prefix('{') {
        Some(group) => group.split(ends).collect(),
        None => vec![path],
    };
    let names = pieces.iter().map(|piece| piece.trim_start());
    let names = names.map(|piece| piece.split(|c| !is_of_name(c)).next().unwrap());
    names.take_while(|name| !name.is_empty()).collect()
}

/// The code that is compiled into the product: modules of tests come last in a file.
fn code(text: &str) -> String {
    let code = text.lines().take_while(|line| *line != "mod tests {");
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The path of a file's module: `push`, `preflight` of `src/push/preflight.rs`.
fn modules_of(file: &Path) -> Vec<String> {
    let path = file.strip_prefix("src").unwrap().with_extension("");
    let names = path.iter().filter(|name| *name != "mod");
    names
        .map(|name| name.to_str().unwrap().to_owned())
        .collect()
}

/// All sources below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}
