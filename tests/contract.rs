//! The contract: `aws deploy push` and `hoist push`, run on the same trees and the same kind of
//! endpoint, do and say the same, or differ on purpose, in nothing else than a row says.
//!
//! The AWS CLI is the one of PyPI (`.ci/run` pins it), which is version 1, so hoist's exit codes are
//! compared under `HOIST_EXIT_CODES=v1`; its own run must end with the code of version 2 that the
//! row names. `cargo test --test contract -- --nocapture --test-threads 1` prints the table.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "it/support/mod.rs"]
mod support;

#[path = "contract/options.rs"]
mod options;
#[path = "contract/row.rs"]
mod row;
#[path = "contract/run.rs"]
mod run;
#[path = "contract/seen.rs"]
mod seen;
#[path = "contract/services.rs"]
mod services;
#[path = "contract/source.rs"]
mod source;
#[path = "contract/trees.rs"]
mod trees;

use row::{Row, Verdict};

/// The rows, by subject. Each subject is a test below.
fn all() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("what cannot be asked for", options::refused()),
        ("options", options::taken()),
        ("locations that are none", options::locations()),
        ("settings", options::settings()),
        ("sources", source::rows()),
        ("AppSpec files", source::appspecs()),
        ("hidden files", trees::hidden()),
        ("symbolic links", trees::links()),
        ("files", trees::files()),
        ("times and names", trees::times_and_names()),
        ("sizes", trees::sizes()),
        ("keys", services::keys()),
        ("services", services::refusals()),
        ("endings", services::endings()),
    ]
}

fn run(subject: &str) {
    let (_, rows) = all()
        .into_iter()
        .find(|(name, _)| *name == subject)
        .unwrap();
    run::run_rows(&rows);
}

#[test]
fn what_cannot_be_asked_for() {
    run("what cannot be asked for");
}

#[test]
fn options() {
    run("options");
}

#[test]
fn locations_that_are_none() {
    run("locations that are none");
}

#[test]
fn settings() {
    run("settings");
}

#[test]
fn sources() {
    run("sources");
}

#[test]
fn appspec_files() {
    run("AppSpec files");
}

#[test]
fn hidden_files() {
    run("hidden files");
}

#[test]
fn symbolic_links() {
    run("symbolic links");
}

#[test]
fn files() {
    run("files");
}

#[test]
fn times_and_names() {
    run("times and names");
}

#[test]
fn sizes() {
    run("sizes");
}

#[test]
fn keys() {
    run("keys");
}

#[test]
fn services() {
    run("services");
}

#[test]
fn endings() {
    run("endings");
}

/// The table that the other tests prove, row by row. A row that comes or goes must be meant, and
/// the documentation must tell every difference to users of the AWS CLI.
#[test]
fn every_difference_is_in_the_docs() {
    let docs = include_str!("../docs/migrating.md").replace(['\n', '*'], " ");
    let docs = docs.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut equal, mut different) = (0, 0);
    for (subject, rows) in all() {
        println!("\n{subject}");
        for row in rows {
            println!("  {}", run::line(&row));
            match row.verdict {
                Verdict::Equal => equal += 1,
                Verdict::Differs { why, .. } => {
                    different += 1;
                    assert!(docs.contains(why), "docs/migrating.md does not say: {why}");
                }
            }
        }
    }
    println!(
        "\n{} rows: {equal} equal, {different} different on purpose",
        equal + different
    );
    assert_eq!((equal, different), (EQUAL, DIFFERENT));
    let cases = format!("{} cases", equal + different);
    assert!(
        docs.contains(&cases),
        "docs/migrating.md does not say: {cases}"
    );
}

/// How many rows are equal.
const EQUAL: usize = 114;
/// How many are different on purpose.
const DIFFERENT: usize = 50;
