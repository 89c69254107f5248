//! `hoist verify` on what was pushed, and on what somebody else put there.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::process::{Command, Output};

use crate::support::{Between, Server, Tree, denied, hoist, noise, run, run_failing, text};
use serde_json::Value;

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("site/index.html", text(30_000, 1))
        .file("site/image.png", noise(9 << 20, 2))
        .file("site/large.txt", text(3 << 20, 3));
    tree
}

fn server() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    server
}

fn push(server: &Server, tree: &Tree, key: &str) -> Command {
    let mut push = server.client();
    push.args(["push", "--application-name", "App", "--source"])
        .arg(tree.path())
        .args(["--s3-location", &format!("s3://bucket/{key}")]);
    push
}

fn pushed() -> Server {
    let server = server();
    run(&mut push(&server, &tree(), "key.zip"));
    server
}

fn object(server: &Server, key: &str) -> std::path::PathBuf {
    server.dir().join("buckets/bucket/objects").join(key)
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
        255,
    ));
    assert!(said.contains("cannot open bucket/key.zip"), "{said}");
    assert!(said.contains("s3://<bucket>/<key>"), "{said}");
    let mut command = server.client();
    let said = stderr(&run_failing(command.args(["verify", "s3://bucket"]), 252));
    assert!(said.contains("s3://<bucket>/<key>"), "{said}");
    let mut command = server.client();
    let said = stderr(&run_failing(
        command.args(["verify", "key.zip", "--etag", "x"]),
        252,
    ));
    assert!(said.contains("--etag is about an object in S3"), "{said}");
}

#[test]
fn a_range_that_does_not_come_is_asked_for_again() {
    let server = pushed();
    let gets = std::sync::atomic::AtomicUsize::new(0);
    let between = Between::before(&server, move |head| {
        let get = head.operation() == "GetObject";
        let nth = gets.fetch_add(usize::from(get), std::sync::atomic::Ordering::SeqCst);
        // The SDK's own attempts are three.
        (get && (1..=4).contains(&nth)).then(|| {
            let body = "<Error><Code>SlowDown</Code><Message>x</Message></Error>";
            (503, vec![("content-type", "application/xml")], body)
        })
    });
    let mut command = verify(&server);
    between.point(&mut command);
    run(&mut command);
    assert!(between.of("GetObject").len() > 5);
}

/// A store that knows no ranges, or an answer that ends early.
#[test]
fn a_short_answer_is_not_a_short_object() {
    let server = pushed();
    let between = Between::before(&server, |head| {
        (head.operation() == "GetObject").then(|| (206, vec![("etag", "\"x\"")], "few"))
    });
    let mut command = verify(&server);
    between.point(&mut command);
    let said = stderr(&run_failing(command.args(["--max-attempts", "2"]), 255));
    assert!(said.contains("3 bytes came of "), "{said}");
    // The first is of the end records, and nothing comes after it.
    assert_eq!(between.of("GetObject").len(), 2);
}

#[test]
fn a_file_on_the_disk_is_verified_too() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let (archive, manifest) = (out.path().join("a.zip"), out.path().join("m"));
    let mut pack = hoist();
    pack.args(["pack", "--quiet", "--source"])
        .arg(tree.path())
        .arg("-o")
        .arg(&archive)
        .arg("--manifest")
        .arg(&manifest);
    run(&mut pack);
    let verify = || {
        let mut command = hoist();
        command
            .arg("verify")
            .arg(&archive)
            .arg("--manifest")
            .arg(&manifest);
        command
    };
    let said = String::from_utf8(run(&mut verify()).stdout).unwrap();
    assert!(
        said.contains("is whole: 4 entries, ") && said.contains("as in the manifest"),
        "{said}"
    );

    // Another file of the tree.
    let other = crate::support::Tree::new();
    other
        .file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("site/index.html", text(30_000, 7))
        .file("site/image.png", noise(9 << 20, 2))
        .mode("site/image.png", 0o755)
        .file("site/new.txt", "new");
    let mut pack = hoist();
    pack.args(["pack", "--quiet", "--source"])
        .arg(other.path())
        .arg("-o")
        .arg(&archive);
    run(&mut pack);
    let said = stderr(&run_failing(&mut verify(), 255));
    for line in [
        "\"site/index.html\": its CRC-32 is ",
        "\"site/image.png\": its permissions are 0755, and 0644 in the manifest",
        "\"site/large.txt\": it is missing",
        "\"site/new.txt\": it is not in the manifest",
        "do not deploy it",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    fs::write(&manifest, "{}\n").unwrap();
    let said = stderr(&run_failing(&mut verify(), 255));
    assert!(
        said.contains("is no manifest that can be used: line 1"),
        "{said}"
    );
}

#[test]
fn of_a_tar_the_sum_is_compared() {
    let (server, tree) = (server(), tree());
    run(&mut push(&server, &tree, "key.tgz"));
    let verify = |more: &[&str]| {
        let mut command = server.client();
        command.args(["verify", "s3://bucket/key.tgz"]).args(more);
        command
    };
    let said = String::from_utf8(run(&mut verify(&[])).stdout).unwrap();
    assert!(
        said.contains("is whole: ") && said.contains("as S3 recorded it"),
        "{said}"
    );
    let said = stderr(&run_failing(&mut verify(&["--manifest", "x"]), 252));
    assert!(said.contains("is a tgz"), "{said}");
    let said = stderr(&run_failing(&mut verify(&["--bundle-type", "zip"]), 255));
    assert!(said.contains("it is no zip, or is cut short"), "{said}");
    let said = stderr(&run_failing(&mut verify(&["--etag", "other"]), 255));
    assert!(said.contains(", not other"), "{said}");

    // On the disk nobody recorded any.
    let mut command = hoist();
    let path = object(&server, "key.tgz");
    let said = stderr(&run_failing(command.arg("verify").arg(&path), 255));
    assert!(said.contains("nothing says what it should be"), "{said}");
}

#[test]
fn a_push_reads_back_what_it_registers() {
    let (server, tree, out) = (server(), tree(), tempfile::tempdir().unwrap());
    let manifest = out.path().join("m");
    for (key, more) in [
        ("a.zip", &["--verify"][..]),
        (
            "b.zip",
            &["--verify", "--manifest", manifest.to_str().unwrap()],
        ),
        ("c.tar", &["--verify"]),
        ("d.tgz", &["--verify"]),
    ] {
        let between = Between::watching(&server);
        let mut command = push(&server, &tree, key);
        between.point(&mut command);
        let output = run(command.args(more).args(["--output", "json"]));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["verified"], true);
        let operations: Vec<String> = between
            .heads()
            .iter()
            .map(crate::support::Head::operation)
            .collect();
        let of = |name: &str| {
            operations
                .iter()
                .rposition(|operation| operation == name)
                .unwrap()
        };
        assert!(
            of("CompleteMultipartUpload") < of("HeadObject"),
            "{operations:?}"
        );
        assert!(
            of("GetObject") < of("RegisterApplicationRevision"),
            "{operations:?}"
        );
    }
    assert!(manifest.exists());
}

/// Between the upload and the verification, the store loses a bit.
#[test]
fn a_push_that_is_not_what_was_sent_is_not_registered() {
    for (key, more) in [
        ("key.zip", &["--verify"][..]),
        ("key.zip", &["--verify", "--manifest", "m"]),
        ("key.tar", &["--verify"]),
    ] {
        let (server, tree, out) = (server(), tree(), tempfile::tempdir().unwrap());
        let path = object(&server, key);
        let between = Between::before(&server, {
            let path = path.clone();
            move |head| {
                if head.operation() == "HeadObject" && path.exists() {
                    let mut bytes = fs::read(&path).unwrap();
                    let at = bytes.len() / 2;
                    bytes[at] ^= 1;
                    fs::write(&path, bytes).unwrap();
                }
                None
            }
        });
        let mut command = push(&server, &tree, key);
        between.point(&mut command);
        let said = stderr(&run_failing(
            command.current_dir(out.path()).args(more),
            255,
        ));
        assert!(
            said.contains(&format!(
                "s3://bucket/{key} is not registered: it is not what was sent"
            )),
            "{said}"
        );
        if key == "key.zip" {
            assert!(
                said.contains("\"site/image.png\": its CRC-32 is "),
                "{said}"
            );
        } else {
            assert!(said.contains("was expected"), "{said}");
        }
        assert!(said.contains("do not deploy it, and push again"), "{said}");
        assert!(between.of("RegisterApplicationRevision").is_empty());
        assert!(path.exists() && fs::read_dir(out.path()).unwrap().next().is_none());
    }
}

#[test]
fn a_push_that_may_not_read_says_how_to_register() {
    let (server, tree) = (server(), tree());
    let between = Between::before(&server, |head| {
        matches!(&*head.operation(), "HeadObject" | "GetObject").then(|| denied(head))
    });
    let mut command = push(&server, &tree, "key.zip");
    between.point(&mut command);
    let said = stderr(&run_failing(
        command.args(["--verify", "--no-preflight"]),
        255,
    ));
    assert!(said.contains("it cannot be read back: "), "{said}");
    assert!(said.contains("--verify takes s3:GetObject"), "{said}");
    assert!(
        said.contains("run: hoist register --application-name App "),
        "{said}"
    );
    assert!(between.of("RegisterApplicationRevision").is_empty());
    // Denied is an answer: it is not asked for again and again.
    assert_eq!(between.of("HeadObject").len(), 1);
}
