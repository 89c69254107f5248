//! What `hoist push` says on standard output, and what it says instead of pushing.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::process::{Command, Output};

use crate::support::{Tree, hoist, noise, run, run_failing, tool};
use serde_json::Value;

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("hooks/start.sh", "#!/bin/sh\n")
        .mode("hooks/start.sh", 0o755)
        .file("old", "")
        .mtime("old", -1)
        .file("image.png", noise(9 << 20, 1))
        .symlink("dir", "hooks");
    tree
}

fn push(tree: &Tree) -> Command {
    let mut command = hoist();
    command
        .args(["push", "--application-name", "App", "--source"])
        .arg(tree.path())
        .args(["--s3-location", "s3://bucket/dir/key.zip"]);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn json_says_all_that_is_known() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let local = dir.path();
    let output = run(push(&tree)
        .args(["--output", "json", "--description", "d", "--local"])
        .arg(local));
    let said = json(&output);
    let object = fs::read(local.join("buckets/bucket/objects/dir/key.zip")).unwrap();
    assert_eq!(said["application"], "App");
    assert_eq!(said["description"], "d");
    assert_eq!(
        (&said["files"], &said["archive"]),
        (&4.into(), &object.len().into())
    );
    let content = 23 + 10 + (9 << 20);
    assert_eq!(said["content"], content);
    let ratio = object.len() as f64 / f64::from(content);
    assert!((said["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9);
    assert!(said["seconds"].as_f64().unwrap() > 0.0);
    for stage in ["walk", "read", "hash", "compress", "assemble", "send"] {
        assert!(said["stages"][stage].is_f64(), "{said:#}");
    }
    assert!(said["dropped_links"][0].as_str().unwrap().ends_with("/dir"));
    let revision = &said["revision"];
    assert_eq!(revision["bucket"], "bucket");
    assert_eq!(revision["key"], "dir/key.zip");
    assert_eq!(revision["bundleType"], "zip");
    assert_eq!(revision["eTag"], said["etag"]);
    assert!(revision.get("version").is_none() && said["version"].is_null());
    // As `aws deploy create-deployment --cli-input-json` takes it.
    let create = &said["create_deployment"];
    assert_eq!(create["applicationName"], "App");
    assert_eq!(create["revision"]["revisionType"], "S3");
    assert_eq!(&create["revision"]["s3Location"], revision);

    // The digest is the tree's, whatever the archive is.
    let other = tempfile::tempdir().unwrap();
    let again = json(&run(push(&tree)
        .args([
            "--output",
            "json",
            "--level",
            "1",
            "--bundle-type",
            "tgz",
            "--local",
        ])
        .arg(other.path())));
    assert!(said["digest"].as_str().unwrap().starts_with("blake3:"));
    assert_eq!(again["digest"], said["digest"]);
    assert_eq!(again["revision"]["bundleType"], "tgz");
}

#[test]
fn a_push_that_fails_says_nothing_on_standard_output() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().unwrap());
    tree.file("a", "a");
    let output = run_failing(
        push(&tree)
            .args(["--output", "json", "--local"])
            .arg(dir.path()),
        255,
    );
    assert!(output.stdout.is_empty());
    assert!(stderr(&output).contains("appspec.yml was not found"));
}

#[test]
fn a_dry_run_needs_nobody_and_sends_nothing() {
    let tree = tree();
    let output = run(push(&tree).arg("--dry-run"));
    let said = stdout(&output);
    assert!(
        said.starts_with(
            "Would push 4 files, 9.00 MiB, as zip to s3://bucket/dir/key.zip: at most "
        ) && said.ends_with("in 2 parts; and register it with App.\n"),
        "{said}"
    );
    assert!(stderr(&output).contains("dir"), "the link that is left out");

    let said = stdout(&run(push(&tree).args(["--dry-run", "--list"])));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[0],
        "-rw-r--r--           23 2024-01-15T12:00:01Z appspec.yml"
    );
    assert_eq!(
        lines[1],
        "-rwxr-xr-x           10 2024-01-15T12:00:01Z hooks/start.sh"
    );
    assert_eq!(lines[3], "-rw-r--r--            0 1969-12-31T23:59:59Z old");
    assert_eq!(lines.len(), 5);

    let said = json(&run(push(&tree).args([
        "--dry-run",
        "--list",
        "--output",
        "json",
    ])));
    assert_eq!(
        (&said["files"], &said["parts_at_most"]),
        (&4.into(), &2.into())
    );
    assert_eq!(said["part_size"], 8 << 20);
    assert_eq!(said["entries"][1]["name"], "hooks/start.sh");
    assert_eq!(said["entries"][1]["mode"], "0755");
    assert_eq!(said["entries"][3]["mtime"], -1);
    assert!(said["archive_at_most"].as_u64().unwrap() > 9 << 20);
}

#[test]
fn a_dry_run_fails_where_a_push_would() {
    let tree = Tree::new();
    tree.file("a", "a");
    let said = stderr(&run_failing(push(&tree).arg("--dry-run"), 255));
    assert!(said.contains("appspec.yml was not found"), "{said}");
    let said = stderr(&run_failing(push(&tree).arg("--list"), 252));
    assert!(said.contains("--dry-run"), "{said}");
}

#[test]
fn shells_take_the_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&run(hoist().args(["completions", shell])));
        assert!(script.contains("application-name"), "{shell}");
        if shell == "bash" {
            let Some(mut bash) = tool("bash", &["bash"]) else {
                continue;
            };
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("hoist.bash");
            fs::write(&path, script).unwrap();
            run(bash.arg("-n").arg(path));
        }
    }
    run_failing(hoist().args(["completions", "cmd"]), 252);
}

#[test]
fn each_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    run(hoist().arg("man").arg("--dir").arg(dir.path()));
    let push = fs::read_to_string(dir.path().join("hoist-push.1")).unwrap();
    assert!(
        push.contains(".TH") && push.contains("application\\-name"),
        "{push}"
    );
    for command in ["", "-pack", "-bench", "-register", "-verify", "-serve"] {
        let page = dir.path().join(format!("hoist{command}.1"));
        assert!(page.exists(), "{command}");
    }
    let page = stdout(&run(hoist().arg("man")));
    assert!(page.contains(".TH hoist 1"), "{page}");
}

#[test]
fn github_is_told() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let (local, outputs, summary) = (
        dir.path().join("local"),
        dir.path().join("outputs"),
        dir.path().join("summary"),
    );
    fs::write(&outputs, "before=1\n").unwrap();
    let mut command = push(&tree);
    command
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .args(["--github-output", "--local"])
        .arg(&local);
    let said = stdout(&run(&mut command));
    let text = fs::read_to_string(&outputs).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("before=1"));
    let mut values = std::collections::BTreeMap::new();
    while let Some(line) = lines.next() {
        let (name, end) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        values.insert(name.to_owned(), value.join("\n"));
    }
    assert_eq!(values["bucket"], "bucket");
    assert_eq!(values["key"], "dir/key.zip");
    assert_eq!(values["bundle-type"], "zip");
    assert_eq!(values["version"], "");
    assert!(said.contains(&format!("--s3-location {} ", values["s3-location"])));
    assert!(values["s3-location"].contains(&values["etag"]));
    let text = fs::read_to_string(&summary).unwrap();
    assert!(
        text.contains("| Revision | <code>s3://bucket/dir/key.zip</code> |"),
        "{text}"
    );

    // Before anything is sent.
    let mut command = push(&tree);
    command.env_remove("GITHUB_OUTPUT").arg("--github-output");
    let other = dir.path().join("other");
    let failed = stderr(&run_failing(command.arg("--local").arg(&other), 252));
    assert!(failed.contains("GITHUB_OUTPUT"), "{failed}");
    assert!(!other.join("buckets/bucket/objects").exists());

    // After it, a file that cannot be written is no failure.
    let mut command = push(&tree);
    command.env("GITHUB_STEP_SUMMARY", dir.path());
    let output = run(command.arg("--local").arg(dir.path().join("third")));
    assert!(stderr(&output).contains("warning: the revision is registered, but"));
}
