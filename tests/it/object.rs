//! Options about the object, on the wire: which request carries which header.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Between, Head, Server, Tree, denied, noise, run, run_failing};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// A revision of one part, or of several.
fn revision(large: bool) -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC);
    for n in 0..if large { 4 } else { 0 } {
        tree.file(&format!("noise-{n}.bin"), noise(5 << 20, n));
    }
    tree
}

fn server() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    server
}

fn push(server: &Server, between: &Between, source: &Path) -> Command {
    let mut command = server.client();
    between.point(&mut command);
    command
        .args(["push", "-q", "--application-name", "App"])
        .args(["--s3-location", "s3://bucket/key.zip", "--source"])
        .arg(source);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What describes an object: header, and the value that the options below give it.
const DESCRIBED: [(&str, &str); 7] = [
    ("x-amz-server-side-encryption", "aws:kms"),
    (
        "x-amz-server-side-encryption-aws-kms-key-id",
        "alias/deploy",
    ),
    ("x-amz-acl", "bucket-owner-full-control"),
    ("x-amz-storage-class", "STANDARD_IA"),
    ("x-amz-tagging", "team=web&stage=a%20b"),
    ("x-amz-meta-commit", "abc"),
    ("x-amz-meta-note", "one, two"),
];

/// What goes with every request.
const ALWAYS: [(&str, &str); 2] = [
    ("x-amz-expected-bucket-owner", "000000000000"),
    ("x-amz-request-payer", "requester"),
];

fn with_all(command: &mut Command) -> &mut Command {
    command
        .args(["--sse", "aws:kms", "--sse-kms-key-id", "alias/deploy"])
        .args(["--acl", "bucket-owner-full-control"])
        .args(["--storage-class", "STANDARD_IA"])
        .args(["--tagging", "team=web&stage=a b"])
        .args(["--metadata", "Commit=abc,note=\"one, two\""])
        .args(["--expected-bucket-owner", "000000000000"])
        .args(["--request-payer", "requester", "--no-overwrite"])
}

#[track_caller]
fn assert_headers(head: &Head, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(head.get(name), Some(*value), "{name}: {head:?}");
    }
}

#[track_caller]
fn assert_none(head: &Head, names: &[(&str, &str)]) {
    for (name, _) in names {
        assert_eq!(head.get(name), None, "{head:?}");
    }
}

#[test]
fn each_request_carries_what_s3_wants_of_it() {
    let server = server();
    let between = Between::watching(&server);
    let tree = revision(false);
    run(with_all(&mut push(&server, &between, tree.path())));
    let [put] = &between.of("PutObject")[..] else {
        panic!("{:?}", between.heads());
    };
    assert_headers(put, &DESCRIBED);
    assert_headers(put, &ALWAYS);
    assert_headers(put, &[("if-none-match", "*")]);
    let [head] = &between.of("HeadBucket")[..] else {
        panic!("{:?}", between.heads());
    };
    assert_headers(head, &ALWAYS[..1]);
    assert_headers(&between.of("HeadObject")[0], &ALWAYS);
    std::fs::remove_file(server.dir().join("buckets/bucket/objects/key.zip")).unwrap();

    let between = Between::watching(&server);
    let tree = revision(true);
    run(with_all(&mut push(&server, &between, tree.path())));
    let [create] = &between.of("CreateMultipartUpload")[..] else {
        panic!("{:?}", between.heads());
    };
    assert_headers(create, &DESCRIBED);
    assert_headers(create, &ALWAYS);
    assert_none(create, &[("if-none-match", "")]);
    let parts = between.of("UploadPart");
    assert!(parts.len() > 1, "{:?}", between.heads());
    for part in &parts {
        assert_headers(part, &ALWAYS);
        assert_none(part, &DESCRIBED);
        assert_none(part, &[("if-none-match", "")]);
    }
    let [complete] = &between.of("CompleteMultipartUpload")[..] else {
        panic!("{:?}", between.heads());
    };
    assert_headers(complete, &ALWAYS);
    assert_headers(complete, &[("if-none-match", "*")]);
    assert_none(complete, &DESCRIBED);
    assert!(between.of("AbortMultipartUpload").is_empty());
}

#[test]
fn an_abort_carries_owner_and_payer() {
    let server = server();
    let between = Between::before(&server, |head| {
        (head.operation() == "CompleteMultipartUpload").then(|| denied(head))
    });
    let tree = revision(true);
    run_failing(with_all(&mut push(&server, &between, tree.path())), 255);
    let [abort] = &between.of("AbortMultipartUpload")[..] else {
        panic!("{:?}", between.heads());
    };
    assert_headers(abort, &ALWAYS);
}

#[test]
fn nothing_is_said_that_was_not_asked_for() {
    let server = server();
    for large in [false, true] {
        let between = Between::watching(&server);
        run(&mut push(&server, &between, revision(large).path()));
        for head in between.heads() {
            assert_none(&head, &DESCRIBED);
            assert_none(&head, &ALWAYS);
            assert_none(&head, &[("if-none-match", "")]);
        }
    }
}

#[test]
fn the_endpoint_keeps_what_it_is_told() {
    let server = server();
    let between = Between::watching(&server);
    let tree = revision(false);
    run(with_all(&mut push(&server, &between, tree.path())));
    let mut kept = String::new();
    for entry in std::fs::read_dir(server.dir().join("buckets/bucket")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "objects" && path.is_dir() {
            collect(&path, &mut kept);
        }
    }
    for value in [
        "aws:kms",
        "alias/deploy",
        "STANDARD_IA",
        "team=web&stage=a%20b",
        "one, two",
    ] {
        assert!(kept.contains(value), "{value}: {kept}");
    }
}

fn collect(dir: &Path, text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, text);
        } else {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}

/// What is there stays, whether that is known before the upload or by it.
#[test]
fn no_overwrite_changes_nothing() {
    for large in [false, true] {
        let server = server();
        let tree = revision(large);
        let watching = Between::watching(&server);
        run(&mut push(&server, &watching, tree.path()));
        tree.file("more.txt", "more\n");
        let object = server.dir().join("buckets/bucket/objects/key.zip");
        let before = std::fs::read(&object).unwrap();

        let mut command = push(&server, &watching, tree.path());
        let output = run_failing(command.arg("--no-overwrite"), 255);
        let said = stderr(&output);
        assert!(
            said.starts_with(
                "hoist: s3://bucket/key.zip is there already, and --no-overwrite keeps it: nothing \
                 was changed\n"
            ),
            "{said}"
        );

        // Somebody who may not ask.
        let between = Between::before(&server, |head| {
            (head.operation() == "HeadObject").then(|| denied(head))
        });
        let mut command = push(&server, &between, tree.path());
        let output = run_failing(command.arg("--no-overwrite"), 255);
        let said = stderr(&output);
        assert!(
            said.contains("An error occurred (PreconditionFailed)"),
            "{said}"
        );
        assert!(
            said.contains("nothing was changed; choose another key"),
            "{said}"
        );
        assert!(std::fs::read(&object).unwrap() == before);
        let aborts = if large { 1 } else { 0 };
        assert_eq!(between.of("AbortMultipartUpload").len(), aborts);

        run(push(&server, &watching, tree.path()).args(["--s3-location", "s3://bucket/new"]));
    }
}

#[test]
fn a_write_at_the_same_time_is_told_apart() {
    let server = server();
    let between = Between::before(&server, |head| {
        let body = "<Error><Code>ConditionalRequestConflict</Code><Message>m</Message></Error>";
        (head.operation() == "PutObject").then_some((409, vec![], body))
    });
    let tree = revision(false);
    let mut command = push(&server, &between, tree.path());
    let output = run_failing(command.arg("--no-overwrite"), 255);
    let said = stderr(&output);
    assert!(
        said.contains("somebody else wrote this object meanwhile; push again"),
        "{said}"
    );
}

#[test]
fn what_s3_would_refuse_is_refused_before() {
    let server = server();
    let between = Between::watching(&server);
    let tree = revision(false);
    let many = (0..11)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join("&");
    let long = format!("k={}", "x".repeat(2048));
    for options in [
        &["--sse", "none"][..],
        &["--sse-kms-key-id", "k"],
        &["--sse", "AES256", "--sse-kms-key-id", "k"],
        &["--acl", "everybody"],
        &["--storage-class", "GLACIER"],
        &["--storage-class", "CHEAP"],
        &["--tagging", &many],
        &["--tagging", "k=1&k=2"],
        &["--metadata", "k"],
        &["--metadata", &long],
        &["--expected-bucket-owner", "me"],
        &["--request-payer", "you"],
    ] {
        let output = run_failing(push(&server, &between, tree.path()).args(options), 252);
        assert!(!stderr(&output).is_empty(), "{options:?}");
    }
    assert_eq!(between.heads().len(), 0);
}
