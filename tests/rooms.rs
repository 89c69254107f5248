//! Which room of the source may use which other, and which crates.
//!
//! `CONTRIBUTING.md` draws the rooms and their arrows. The compiler does not hold them: any module
//! of a crate may name any other. So this reads every path in `src`, whether in a `use` line or in
//! the middle of an expression, and compares it with the tables below. Code that is only compiled
//! for tests is free.
//!
//! Paths are found in tokens, not by the compiler. So a path that a macro puts together is not
//! seen, and neither is a name that came by another name's import; the import is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "rooms/scan.rs"]
mod scan;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use scan::{Found, scan};

/// The rooms that use no other, and that every other may use.
const LEAVES: [&str; 8] = [
    "limits", "progress", "error", "stop", "sync", "bundle", "notes", "system",
];

/// Each room and what it may use of the others, leaves aside: a room, or one item of it.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    // From the library, which the binary calls `hoist`. It sees what is public.
    (
        "cli",
        &[
            "push",
            "preflight",
            "plan",
            "appspec",
            "pack",
            "prebuilt",
            "upload",
            "verify",
            "clean",
            "manifest",
            "revision",
            "clients",
            "deflate",
            "zip",
            // Not its faults: they are for tests.
            "local::Endpoint",
            "local::Error",
        ],
    ),
    (
        "push",
        &[
            "plan",
            "appspec",
            "pack",
            "preflight",
            "prebuilt",
            "upload",
            "verify",
            "manifest",
            "revision",
            "clients::Renewal",
            "deflate::Level",
        ],
    ),
    ("preflight", &["upload", "revision"]),
    ("plan", &["zip", "deflate"]),
    ("appspec", &["plan"]),
    ("pack", &["plan", "manifest", "zip", "tar", "deflate"]),
    ("prebuilt", &["pack", "tar", "appspec"]),
    (
        "upload",
        &["pack::Part", "revision::S3Location", "clients::Renewal"],
    ),
    ("revision", &["upload::Stored"]),
    (
        "verify",
        &[
            "zip",
            "manifest",
            "revision::S3Location",
            "upload::DEFAULT_ATTEMPTS",
            "upload::ObjectOptions",
            "upload::Retries",
            "upload::call_error",
            "upload::refusal",
        ],
    ),
    ("clean", &["upload::ObjectOptions", "upload::call_error"]),
    ("manifest", &[]),
    ("clients", &[]),
    ("local", &[]),
    ("zip", &[]),
    ("tar", &[]),
    ("deflate", &[]),
    ("lib", &[]),
    ("limits", &[]),
    ("progress", &[]),
    ("error", &[]),
    ("stop", &["sync"]),
    ("sync", &[]),
    ("bundle", &[]),
    ("notes", &[]),
    ("system", &[]),
];

/// Rooms that do not even use the leaves.
const ALONE: [&str; 12] = [
    "zip", "tar", "deflate", "lib", "limits", "progress", "error", "stop", "sync", "bundle",
    "notes", "system",
];

/// Crates, or parts of the standard library, and the modules that may name them. The longest
/// matching row counts. Every dependency has a row.
const CRATES: &[(&[&str], &[&str])] = &[
    // The packing half has threads, the network half has tasks.
    (&["rayon", "crossbeam_channel"], &["pack", "plan"]),
    // Signals and progress have a thread each.
    (&["std::thread"], &["pack", "plan", "cli"]),
    (
        &["std::thread::available_parallelism"],
        &["pack", "plan", "cli", "limits"],
    ),
    (
        &["tokio", "tokio_util"],
        &[
            "main",
            "cli",
            "push",
            "preflight",
            "upload",
            "revision",
            "verify",
            "clients",
            "local",
        ],
    ),
    // Types of clients may be named where they are handed on.
    (
        &["aws_sdk_s3", "aws_sdk_codedeploy"],
        &[
            "upload::s3",
            "upload::bucket",
            "upload::list",
            "verify::s3",
            "clean::s3",
            "revision",
            "clients",
            "push",
            "preflight",
        ],
    ),
    (&["aws_config", "aws_types"], &["clients"]),
    (&["aws_credential_types"], &["clients", "error"]),
    (
        &["aws_smithy_http_client", "rustls"],
        &["clients::trust", "clients::unverified"],
    ),
    (
        &["aws_smithy_runtime_api"],
        &["clients::unverified", "clients::renew"],
    ),
    (
        &["http", "hyper_rustls", "tower_service"],
        &["clients::unverified"],
    ),
    (&["tracing"], &["clients::wire"]),
    (&["http_body"], &["clients::pace"]),
    (&["tracing_subscriber"], &["cli::debug"]),
    (&["console"], &["cli::color", "cli::lint", "cli::push"]),
    (&["annotate_snippets"], &["cli::diagnostic"]),
    (&["libyaml_safer"], &["appspec::parse"]),
    (&["strsim"], &["appspec::check"]),
    (&["clap", "clap_complete", "clap_mangen"], &["cli"]),
    (&["indicatif", "plotters"], &["cli"]),
    (&["signal_hook"], &["cli::signals"]),
    (&["libdeflater"], &["deflate"]),
    (&["flate2"], &["deflate", "prebuilt"]),
    (&["rawzip"], &["prebuilt"]),
    (&["s3s", "hyper", "http_body_util"], &["local"]),
    (&["hyper_util"], &["local", "clients::unverified"]),
    (&["async_trait", "md5"], &["local"]),
    (&["async_compression"], &["verify"]),
    (&["futures_util"], &["local", "verify"]),
    (&["serde"], &["local", "manifest"]),
    (&["serde_json"], &["local", "manifest", "cli", "appspec"]),
    (
        &["base64_simd"],
        &["local", "upload", "verify", "clients::trust"],
    ),
    (
        &["blake3"],
        &["pack", "manifest", "verify", "push", "upload", "cli"],
    ),
    (&["fastrand"], &["upload"]),
    (&["crc32fast"], &["pack", "upload", "verify"]),
    (&["crc_fast"], &["pack", "upload", "verify", "local"]),
    (
        &["bytes"],
        &["pack", "upload", "push", "verify", "local", "clients::pace"],
    ),
    (&["isal_sys"], &["deflate"]),
    // Of the crate, the matcher only: plan has a walk of its own.
    (
        &["ignore::gitignore", "ignore::Match", "ignore::Error"],
        &["plan::select"],
    ),
    (&["ignore"], &[]),
    // What systems differ in. The command asks for its limits and its processor time.
    (&["std::os"], &["system"]),
    (&["rustix"], &["system", "cli::descriptors", "cli::timings"]),
    (&["ctrlc"], &["cli::signals"]),
    (&["tempfile"], &["system", "manifest", "local", "cli"]),
];

/// Dependencies that do not show where a room ends.
const ANYWHERE: [&str; 1] = ["thiserror"];

/// Everywhere else the compiler refuses it; see `[lints.rust]` in Cargo.toml.
#[test]
fn unsafe_code_is_in_one_file() {
    let mut allowing = source_files().into_iter().filter(|(file, _)| {
        let text = fs::read_to_string(src().join(file)).unwrap();
        text.contains("allow(unsafe_code") || text.contains("expect(unsafe_code")
    });
    let file = allowing.next().map(|(file, _)| file);
    assert_eq!(file.as_deref(), Some("deflate/isal.rs"));
    assert!(allowing.next().is_none());
}

#[test]
fn every_path_in_src_follows_the_arrows() {
    let mut broken = String::new();
    let mut seen = BTreeSet::new();
    for (file, module) in source_files() {
        let text = fs::read_to_string(src().join(&file)).unwrap();
        for found in scan(&text).paths {
            if let Some(target) = target(&module, &found) {
                seen.insert(format!("{} -> {}", room_of(&module), target[0]));
            } else {
                seen.insert(format!("{} -> {}", room_of(&module), found.path[0]));
            }
            if let Err(rule) = judge(&module, &found) {
                writeln!(broken, "src/{file}:{}: {rule}", found.line).unwrap();
            }
        }
    }
    assert!(
        broken.is_empty(),
        "paths that the rooms of CONTRIBUTING.md do not allow; move the code or, if the drawing \
         there changes, the table in tests/rooms.rs:\n{broken}"
    );
    // What a scanner that sees nothing would not see.
    for arrow in [
        "pack -> plan",
        "pack -> deflate",
        "plan -> zip",
        "push -> upload",
        "cli -> clap",
        "plan -> rayon",
        "pack -> std",
    ] {
        assert!(seen.contains(arrow), "nothing found for {arrow}: {seen:?}");
    }
}

#[test]
fn every_room_has_its_row() {
    let rows: BTreeSet<_> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    let rooms: BTreeSet<_> = source_files()
        .iter()
        .map(|(_, module)| room_of(module).to_owned())
        .collect();
    assert_eq!(rooms, rows, "rooms in src, and rows of ROOMS");
}

#[test]
fn every_dependency_has_its_row() {
    let manifest = fs::read_to_string(src().with_file_name("Cargo.toml")).unwrap();
    let rows: Vec<&str> = CRATES
        .iter()
        .flat_map(|(crates, _)| *crates)
        .copied()
        .collect();
    let mut inside = false;
    let mut count = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && !line.contains("dev-");
        } else if let Some((package, _)) = line.split_once('=').filter(|_| inside) {
            // The one package whose crate is called something else.
            let name = match package.trim() {
                "md-5" => "md5".to_owned(),
                name => name.replace('-', "_"),
            };
            count += 1;
            assert!(
                rows.contains(&&*name) || ANYWHERE.contains(&&*name),
                "Cargo.toml: say in CRATES of tests/rooms.rs which rooms may use {name}"
            );
        }
    }
    assert!(count > 20, "found only {count} dependencies in Cargo.toml");
}

#[test]
fn the_rules_bite() {
    let good = [
        (
            "zip::check::fields",
            "use super::super::names::check_name; use super::Image;",
        ),
        (
            "plan",
            "use crate::zip::{self, NameError}; use crate::stop::Stop;",
        ),
        ("plan::walk", "use super::{Error, Options};"),
        (
            "pack",
            "use std::thread; use crate::plan::{Entry, Plan}; rayon::join(a, b);",
        ),
        ("upload", "use crate::pack::Part; tokio::spawn(x);"),
        (
            "upload::s3",
            "use aws_sdk_s3::Client; use crate::revision::S3Location;",
        ),
        (
            "push",
            "use crate::deflate::Level; fn f() -> impl Sized + use<> {}",
        ),
        ("limits", "std::thread::available_parallelism()"),
        (
            "cli::pack",
            "use hoist::pack::{self, Packed}; use super::exit::Exit;",
        ),
        (
            "stop",
            "use std::sync::{Arc, atomic::{AtomicBool, Ordering}};",
        ),
        (
            "zip",
            "// use crate::plan\n/* tokio::x /* y */ rayon::z */ \"use tokio::x;\"",
        ),
        (
            "zip",
            "let c = '\"'; let r = r#\"\" tokio::x \"#; fn f<'a>(x: &'a str) {}",
        ),
        (
            "zip",
            "#[cfg(test)]\nmod tests { use proptest::x; mod y { use crate::plan; } }",
        ),
        (
            "zip",
            "#[cfg(test)]\n#[allow(unused)]\nuse crate::{plan, pack};\nfn f() {}",
        ),
        (
            "zip",
            "#[cfg(all(test, unix))] fn f(x: [u8; 2]) -> u8 { tokio::x() }",
        ),
        ("zip", "#![cfg(test)]\nuse crate::plan;"),
    ];
    for (module, code) in good {
        assert_eq!(broken(module, code), [0; 0], "{module}: {code}");
    }

    let bad = [
        ("zip", "\nuse crate::plan::Plan;", 2),
        ("zip", "use crate::limits::MIB;", 1),
        (
            "zip::check::fields",
            "use super::super::super::deflate::Level;",
            1,
        ),
        (
            "deflate",
            "fn f() {\n    let _ = crate::zip::MAX_END;\n}",
            2,
        ),
        ("deflate", "mod inner {\n    use super::super::pack;\n}", 2),
        (
            "plan",
            "use crate::{stop::Stop,\n    pack::{Part, pack}};",
            2,
        ),
        ("pack", "use crate::upload;", 1),
        ("pack", "use tokio::sync::mpsc;", 1),
        (
            "pack",
            "let x = 'x';\nlet y = b'\\'';\nlibdeflater::Compressor::new(l);",
            3,
        ),
        ("pack", "use crate::*;", 1),
        (
            "upload",
            "use crate::pack::{\n    Part,\n    Packed,\n};",
            3,
        ),
        ("upload", "use crate::pack;", 1),
        ("upload", "use aws_sdk_s3::Client;", 1),
        (
            "upload::s3",
            "use crate::revision::{register, S3Location};",
            1,
        ),
        ("revision", "use crate::upload::{self, Stored};", 1),
        ("plan::walk", "use std::os::unix::ffi::OsStrExt;", 1),
        ("plan", "use rustix::fs::statat;", 1),
        ("push", "use crate::deflate::Engine;", 1),
        ("push", "use ::rayon as threads;", 1),
        ("push", "use std::{fs,\n    thread::spawn};", 2),
        ("clients", "use crate::push::Target;", 1),
        ("local", "use crate::upload::MIN_PART;", 1),
        ("local::s3", "use clap::Args;", 1),
        ("limits", "use std::thread;", 1),
        ("error", "impl From<crate::plan::Error> for X {}", 1),
        ("stop", "/* a\n */ use crate::error::FileError;", 2),
        ("cli", "#[derive(Debug)]\nstruct X(libdeflater::Y);", 2),
        ("cli", "#[cfg(not(test))]\nuse rayon::x;", 2),
        ("main", "use hoist::push::push;", 1),
        ("cli::serve", "use hoist::local::faults::Faults;", 1),
        ("appspec", "#[tokio::main]\nfn f() {}", 1),
        ("appspec", "#[cfg(test)]\nfn f() {}\nuse crate::pack;", 3),
        ("attic", "use crate::plan::Plan;", 1),
    ];
    for (module, code, line) in bad {
        assert!(broken(module, code).contains(&line), "{module}: {code}");
    }
}

#[test]
fn modules_for_tests_are_known_by_their_declaration() {
    let scanned = scan("#[cfg(test)]\nmod tests;\nmod walk;\n#[cfg(test)]\npub(crate) mod fake;");
    assert_eq!(scanned.test_modules, ["tests", "fake"]);
}

/// The lines of `code` that break a rule in `module`.
fn broken(module: &str, code: &str) -> Vec<usize> {
    let module: Vec<_> = module.split("::").map(str::to_owned).collect();
    let paths = scan(code).paths;
    let broken = paths.iter().filter(|found| judge(&module, found).is_err());
    broken.map(|found| found.line).collect()
}

/// Says which rule the path breaks, if any.
fn judge(module: &[String], found: &Found) -> Result<(), String> {
    let (room, shown) = (room_of(module), found.path.join("::"));
    let Some(target) = target(module, found) else {
        return judge_crate(module, room, &shown);
    };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return Err(format!("{room} has no row in ROOMS"));
    };
    let mut allowed = allowed.to_vec();
    if !ALONE.contains(&room) {
        allowed.extend(LEAVES);
    }
    let target = target.join("::");
    if is_within(&target, room) || allowed.iter().any(|path| is_within(&target, path)) {
        return Ok(());
    }
    Err(format!(
        "{room} uses {shown}, but of our rooms it may use only [{}]",
        allowed.join(", ")
    ))
}

fn judge_crate(module: &[String], room: &str, shown: &str) -> Result<(), String> {
    let rows = CRATES.iter().flat_map(|(crates, allowed)| {
        let rows = crates.iter().filter(|name| is_within(shown, name));
        rows.map(move |name| (*name, *allowed))
    });
    let Some((name, allowed)) = rows.max_by_key(|(name, _)| name.len()) else {
        return Ok(());
    };
    let module = if module.is_empty() {
        room.to_owned()
    } else {
        module.join("::")
    };
    if allowed.iter().any(|allowed| is_within(&module, allowed)) {
        return Ok(());
    }
    Err(format!(
        "{room} uses {shown}, but only [{}] may use {name}",
        allowed.join(", ")
    ))
}

/// Whether `path` is `parent` or something in it.
fn is_within(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Where a path to our own code leads, from the root of the crate. None for other paths.
fn target(module: &[String], found: &Found) -> Option<Vec<String>> {
    let mut here: Vec<String> = module.iter().chain(&found.inline).cloned().collect();
    if here == ["main"] || here == ["lib"] {
        here.clear();
    }
    let mut rest = found.path.as_slice();
    match rest.first()?.as_str() {
        "crate" | "hoist" => here.clear(),
        "self" => {}
        "super" => {
            while rest.get(1).is_some_and(|next| next == "super") {
                here.pop();
                rest = &rest[1..];
            }
            here.pop();
        }
        _ => return None,
    }
    here.extend_from_slice(&rest[1..]);
    // The root itself, as a whole.
    if here.is_empty() {
        here.push("*".to_owned());
    }
    Some(here)
}

fn room_of(module: &[String]) -> &str {
    &module[0]
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files below `src` that are not for tests only, and their module paths.
fn source_files() -> Vec<(String, Vec<String>)> {
    let mut files = Vec::new();
    let mut for_tests = Vec::new();
    let mut open = vec![src()];
    while let Some(dir) = open.pop() {
        for child in fs::read_dir(&dir).unwrap() {
            let path = child.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(src()).unwrap().with_extension("");
                let parts = relative
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned());
                let mut module: Vec<_> = parts.collect();
                if module.last().unwrap() == "mod" {
                    module.pop();
                }
                for name in scan(&fs::read_to_string(&path).unwrap()).test_modules {
                    for_tests.push([&module[..], &[name]].concat());
                }
                let file = path.strip_prefix(src()).unwrap().to_str().unwrap();
                files.push((file.to_owned(), module));
            }
        }
    }
    assert!(for_tests.len() > 3, "found only {for_tests:?} for tests");
    files.retain(|(_, module)| !for_tests.iter().any(|tests| module.starts_with(tests)));
    files.sort();
    files
}
