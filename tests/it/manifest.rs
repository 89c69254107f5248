//! `--manifest`: what is in it, when it is there, and that `hoist verify` takes it.

#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Tree, hoist, noise, run, run_failing, text};
use serde_json::Value;

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("empty", "")
        .file("caf\u{e9} \"x\"", "y")
        .file("site/image.png", noise(3 << 20, 2))
        .file("site/large.txt", text((2 << 20) + 1, 3))
        .file("site/run.sh", "#!/bin/sh\n")
        .mode("site/run.sh", 0o750);
    // A batch is 256 KiB.
    for n in 0..100 {
        tree.file(&format!("some/{n:03}"), text(5000 + n, n as u64));
    }
    tree
}

fn pack(tree: &Tree, archive: &Path, manifest: &Path) -> Command {
    let mut command = hoist();
    command
        .args(["pack", "--quiet", "--source"])
        .arg(tree.path())
        .arg("--output")
        .arg(archive)
        .arg("--manifest")
        .arg(manifest);
    command
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_entry_has_its_line() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let manifest = out.path().join("m.jsonl");
    run(&mut pack(&tree, &out.path().join("a.zip"), &manifest));
    let manifest = fs::read_to_string(manifest).unwrap();
    let lines: Vec<Value> = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["version"], 1);
    let found = crate::support::entries(tree.path());
    assert_eq!(lines.len(), found.len() + 2);
    // Of both programs, the other's library.
    for (line, (name, entry)) in lines[1..].iter().zip(&found) {
        assert_eq!(line["path"], String::from_utf8(name.clone()).unwrap());
        assert_eq!(line["kind"], "file");
        assert_eq!(line["mode"], format!("{:04o}", entry.mode));
        assert_eq!(line["size"], entry.contents.len());
        let crc32 = crc32fast::hash(&entry.contents);
        assert_eq!(line["crc32"], format!("{crc32:08x}"));
        let blake3 = blake3::hash(&entry.contents).to_string();
        assert_eq!(line["blake3"], blake3);
    }
    let last = lines.last().unwrap();
    assert_eq!(last["entries"], found.len());
    let content: usize = found.values().map(|entry| entry.contents.len()).sum();
    assert_eq!(last["content"], content);
}

#[test]
fn the_same_tree_has_the_same_manifest_whatever_it_is_packed_into() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let mut manifests = Vec::new();
    for (archive, more) in [
        ("a.zip", ["--threads", "1"]),
        ("b.zip", ["--threads", "7"]),
        ("c.zip", ["--level", "fast"]),
        ("d.tar", ["--threads", "3"]),
        ("e.tgz", ["--level", "9"]),
    ] {
        let manifest = out.path().join(format!("{archive}.jsonl"));
        run(pack(&tree, &out.path().join(archive), &manifest).args(more));
        manifests.push(fs::read_to_string(manifest).unwrap());
    }
    // Times are not in it.
    tree.mtime("empty", 1_000_000_000);
    let manifest = out.path().join("f.jsonl");
    run(&mut pack(&tree, &out.path().join("f.zip"), &manifest));
    manifests.push(fs::read_to_string(manifest).unwrap());
    assert!(manifests.iter().all(|manifest| *manifest == manifests[0]));
    // Permissions are.
    tree.mode("empty", 0o600);
    let manifest = out.path().join("f.jsonl");
    run(&mut pack(&tree, &out.path().join("f.zip"), &manifest));
    assert_ne!(fs::read_to_string(manifest).unwrap(), manifests[0]);
}

#[test]
fn a_pack_that_fails_leaves_none() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let (archive, manifest) = (out.path().join("a.zip"), out.path().join("m.jsonl"));
    fs::write(&manifest, "old").unwrap();
    // It cannot be packed, and that is found out while it is.
    let target = "/sys/devices/system/cpu/online";
    if cfg!(target_os = "linux") && Path::new(target).exists() {
        // Says that it holds 4,096 bytes and has a few.
        tree.symlink("zzz", target);
        run_failing(&mut pack(&tree, &archive, &manifest), 255);
        assert_eq!(fs::read_to_string(&manifest).unwrap(), "old");
        assert_eq!(names(out.path()), ["m.jsonl"]);
    }
}

#[test]
fn it_is_neither_in_the_source_nor_the_archive() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let archive = out.path().join("a.zip");
    let inside = tree.path().join("m.jsonl");
    let output = run_failing(&mut pack(&tree, &archive, &inside), 252);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("--manifest") && said.contains("inside the source"),
        "{said}"
    );
    let same = out.path().join(".").join("a.zip");
    let output = run_failing(&mut pack(&tree, &archive, &same), 252);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("name the same file"), "{said}");
    assert_eq!(names(out.path()), [""; 0]);
    let nowhere = out.path().join("none/m.jsonl");
    let output = run_failing(&mut pack(&tree, &archive, &nowhere), 255);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("cannot create ") && said.contains("none/m.jsonl"),
        "{said}"
    );
    assert_eq!(names(out.path()), [""; 0]);
}

#[cfg(feature = "push")]
mod of_a_push {
    use super::*;
    #[cfg(feature = "local")]
    use crate::support::{Between, Server, denied};

    #[cfg(feature = "local")]
    fn server() -> Server {
        let server = Server::start();
        server.make_bucket("bucket");
        server.make_application("App", "Server");
        server
    }

    fn push(command: &mut Command, source: &Path, manifest: &Path) {
        command
            .args(["push", "--application-name", "App", "--source"])
            .arg(source)
            .args(["--s3-location", "s3://bucket/key.zip", "--manifest"])
            .arg(manifest);
    }

    #[cfg(feature = "local")]
    #[test]
    fn a_push_writes_it_when_the_revision_is_registered() {
        let (tree, out, server) = (tree(), tempfile::tempdir().unwrap(), server());
        let (pushed, packed) = (out.path().join("pushed"), out.path().join("packed"));
        let mut command = server.client();
        push(&mut command, tree.path(), &pushed);
        let output = run(command.args(["--output", "json"]));
        run(&mut pack(&tree, &out.path().join("a.zip"), &packed));
        let manifest = fs::read_to_string(&pushed).unwrap();
        assert_eq!(manifest, fs::read_to_string(&packed).unwrap());
        // One digest, in both places.
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let last: Value = serde_json::from_str(manifest.lines().last().unwrap()).unwrap();
        assert_eq!(said["digest"], last["digest"]);

        let mut command = server.client();
        let checked = run(command
            .args(["verify", "s3://bucket/key.zip", "--manifest"])
            .arg(&pushed));
        let said = String::from_utf8(checked.stdout).unwrap();
        let digest = last["digest"].as_str().unwrap();
        assert!(
            said.contains(&format!("every entry is as in the manifest, {digest}")),
            "{said}"
        );
    }

    #[cfg(feature = "local")]
    #[test]
    fn a_push_that_fails_leaves_none() {
        let (tree, out, server) = (tree(), tempfile::tempdir().unwrap(), server());
        let manifest = out.path().join("m.jsonl");
        for refused in ["PutObject", "RegisterApplicationRevision"] {
            let between = Between::before(&server, move |head| {
                (head.operation() == refused).then(|| denied(head))
            });
            let mut command = server.client();
            push(&mut command, tree.path(), &manifest);
            between.point(&mut command);
            let output = command.output().unwrap();
            assert!(!output.status.success());
            assert_eq!(between.of(refused).len(), 1);
            assert_eq!(names(out.path()), [""; 0], "{refused}");
        }
    }

    #[test]
    fn what_has_no_entries_has_no_manifest() {
        let out = tempfile::tempdir().unwrap();
        let (tree, archive) = (tree(), out.path().join("a.zip"));
        run(&mut pack(&tree, &archive, &out.path().join("m")));
        let mut command = hoist();
        push(&mut command, &archive, &out.path().join("n"));
        let said = String::from_utf8(run_failing(&mut command, 252).stderr).unwrap();
        assert!(said.contains("is sent as it is"), "{said}");
        let mut command = hoist();
        push(&mut command, tree.path(), &out.path().join("n"));
        let said = run_failing(command.arg("--dry-run"), 252).stderr;
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("--dry-run reads none"), "{said}");
        assert_eq!(names(out.path()), ["a.zip", "m"]);
    }
}
