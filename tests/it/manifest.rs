//! `--manifest`: what is in it, when it is there, and that `hoist verify` takes it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Run as _, Tree, entries, hoist, names, noise, text};

fn tree() -> Tree {
    let tree = Tree::revision();
    tree.file("empty", "")
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
        .arg(tree.path());
    command.arg("--output").arg(archive);
    command.arg("--manifest").arg(manifest);
    command
}

#[test]
fn every_entry_has_its_line() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let manifest = out.path().join("m.jsonl");
    pack(&tree, &out.path().join("a.zip"), &manifest).ok();
    let manifest = fs::read_to_string(manifest).unwrap();
    let lines: Vec<Value> = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["version"], 1);
    let found = entries(tree.path());
    assert_eq!(lines.len(), found.len() + 2);
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
fn only_names_contents_and_modes_show_in_a_manifest() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let manifest = |archive: &str, more: [&str; 2]| {
        let manifest = out.path().join("m.jsonl");
        let mut command = pack(&tree, &out.path().join(archive), &manifest);
        command.args(more).ok();
        fs::read_to_string(manifest).unwrap()
    };
    let first = manifest("a.zip", ["--threads", "1"]);
    for (archive, more) in [
        ("b.zip", ["--threads", "7"]),
        ("c.zip", ["--level", "fast"]),
        ("d.tar", ["--threads", "3"]),
        ("e.tgz", ["--level", "1"]),
    ] {
        assert!(manifest(archive, more) == first, "{archive} {more:?}");
    }
    tree.mtime("empty", 1_000_000_000);
    assert!(manifest("f.zip", ["--level", "1"]) == first, "times show");
    tree.mode("empty", 0o600);
    assert!(manifest("f.zip", ["--level", "1"]) != first, "modes do not");
}

#[test]
fn a_pack_that_fails_keeps_the_old_manifest() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let (archive, manifest) = (out.path().join("a.zip"), out.path().join("m.jsonl"));
    fs::write(&manifest, "old").unwrap();
    // A file that says that it has 4,096 bytes and has a few, which is found out while it is packed.
    let target = "/sys/devices/system/cpu/online";
    if cfg!(target_os = "linux") && Path::new(target).exists() {
        tree.symlink("zzz", target);
        pack(&tree, &archive, &manifest).fails(255);
        assert_eq!(fs::read_to_string(&manifest).unwrap(), "old");
        assert_eq!(names(out.path()), ["m.jsonl"]);
    }
}

#[test]
fn a_manifest_is_refused_in_the_source_and_in_the_place_of_the_archive() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let archive = out.path().join("a.zip");
    let inside = tree.path().join("m.jsonl");
    let done = pack(&tree, &archive, &inside).fails(252);
    done.says("--manifest").says("inside the source");
    let same = out.path().join(".").join("a.zip");
    let done = pack(&tree, &archive, &same).fails(252);
    done.says("name the same file");
    let nowhere = out.path().join("none/m.jsonl");
    let done = pack(&tree, &archive, &nowhere).fails(255);
    done.says("cannot create ").says("none/m.jsonl");
    assert_eq!(names(out.path()), [""; 0]);
}

#[cfg(all(feature = "push", feature = "local"))]
mod of_a_push {
    use hoist::endpoint::faults::Operation;

    use super::*;
    use crate::support::Scene;

    #[test]
    fn a_push_writes_what_pack_writes_and_verify_takes_it() {
        let (scene, out) = (Scene::of(tree()), tempfile::tempdir().unwrap());
        let (pushed, packed) = (out.path().join("pushed"), out.path().join("packed"));
        let mut push = scene.push(&["--output", "json", "--manifest"]);
        let said = push.arg(&pushed).ok().json();
        pack(&scene.tree, &out.path().join("a.zip"), &packed).ok();
        let manifest = fs::read_to_string(&pushed).unwrap();
        assert_eq!(manifest, fs::read_to_string(&packed).unwrap());
        let last: Value = serde_json::from_str(manifest.lines().last().unwrap()).unwrap();
        assert_eq!(said["digest"], last["digest"]);

        let mut verify = scene.hoist(&["verify", "s3://bucket/key.zip", "--manifest"]);
        let digest = last["digest"].as_str().unwrap();
        let as_manifest = format!("every entry is as in the manifest, {digest}");
        verify.arg(&pushed).ok().prints(&as_manifest);
    }

    #[test]
    fn a_push_that_fails_leaves_no_manifest() {
        let out = tempfile::tempdir().unwrap();
        for refused in [Operation::PutObject, Operation::RegisterApplicationRevision] {
            let scene = Scene::new();
            scene.deny(&[refused]);
            let mut push = scene.push(&["--manifest"]);
            let done = push.arg(out.path().join("m.jsonl")).done();
            assert_ne!(done.code, Some(0), "{done}");
            assert_eq!(scene.count(refused), 1);
            assert_eq!(names(out.path()), [""; 0], "{refused}");
        }
    }

    #[test]
    fn an_archive_and_a_dry_run_have_no_manifest() {
        let (scene, out) = (Scene::new(), tempfile::tempdir().unwrap());
        let archive = out.path().join("a.zip");
        fs::write(&archive, scene.packed()).unwrap();
        let mut push = scene.push_of(&archive, &["--manifest"]);
        let done = push.arg(out.path().join("n")).fails(252);
        done.says("is sent as it is");
        let mut push = scene.push(&["--dry-run", "--manifest"]);
        let done = push.arg(out.path().join("n")).fails(252);
        done.says("--dry-run reads none");
        assert_eq!(names(out.path()), ["a.zip"]);
    }
}
