//! `hoist verify` on what was pushed, and on what somebody else put there.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod support;

use std::fs;
use std::process::{Command, Output};

use support::{Server, Tree, noise, run, run_failing, text};

fn pushed() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("site/index.html", text(30_000, 1))
        .file("site/image.png", noise(9 << 20, 2))
        .file("site/large.txt", text(3 << 20, 3));
    let mut push = server.client();
    push.args(["push", "--application-name", "App", "--source"])
        .arg(tree.path())
        .args(["--s3-location", "s3://bucket/key.zip"]);
    run(&mut push);
    server
}

fn verify(server: &Server) -> Command {
    let mut command = server.client();
    command.args(["verify", "s3://bucket/key.zip"]);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_was_pushed_is_whole() {
    let server = pushed();
    let output = run(&mut verify(&server));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("s3://bucket/key.zip is whole: 4 entries, ")
            && said.contains("as S3 recorded it"),
        "{said}"
    );
    let output = run(verify(&server).arg("--quiet"));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let said = stderr(&run_failing(verify(&server).args(["--etag", "other"]), 255));
    assert!(said.contains(", not other"), "{said}");
}

#[test]
fn a_byte_that_is_another_is_named_with_its_entry() {
    let server = pushed();
    let path = server.dir().join("buckets/bucket/objects/key.zip");
    let mut bytes = fs::read(&path).unwrap();
    // In the middle of the image, which is stored as it is.
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = stderr(&run_failing(&mut verify(&server), 255));
    assert!(said.contains("site/image.png\": its CRC-32 is "), "{said}");
    assert!(said.contains("do not deploy it"), "{said}");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let server = pushed();
    let mut command = server.client();
    let said = stderr(&run_failing(
        command.args(["verify", "s3://bucket/none.zip"]),
        255,
    ));
    assert!(said.contains("cannot read s3://bucket/none.zip"), "{said}");
    let mut command = server.client();
    let said = stderr(&run_failing(
        command.args(["verify", "bucket/key.zip"]),
        252,
    ));
    assert!(said.contains("s3://<bucket>/<key>"), "{said}");
}
