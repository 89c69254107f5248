//! An archive that another program made is sent unchanged, and a push and `hoist verify` name what the
//! agents' readers make of it.
//!
//! Archives of hoist have none of this, so the tests change bytes of them.

use std::fs;
use std::path::PathBuf;

use crate::support::{Run as _, Scene, Tree, hoist, packed};

/// Replaces all `from` by as many bytes.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|&at| bytes[at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

fn tree() -> Tree {
    let tree = Tree::revision();
    for name in ["aa/up", "xabs", "back|slash", "cafe~", "plain"] {
        tree.file(name, "x");
    }
    tree
}

/// An archive whose names agents change, in a file of its own directory.
fn archive(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mut bytes = packed(tree().path(), name, &[]);
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// Sets the flag of UTF-8 names in both headers of the entry with this name.
fn mark_as_utf8(zip: &mut [u8], name: &[u8]) {
    for (signature, flags, fixed) in [(b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)] {
        let at = (0..zip.len()).find(|&at| {
            zip[at..].starts_with(signature)
                && zip[at..]
                    .get(fixed..)
                    .is_some_and(|rest| rest.starts_with(name))
        });
        zip[at.unwrap() + flags + 1] |= 0x08;
    }
}

#[test]
fn names_in_a_zip_that_readers_change_are_warned_of_by_push_and_verify() {
    let (_dir, path) = archive("a.zip", |zip| {
        replace(zip, b"aa/up", b"../up");
        replace(zip, b"xabs", b"/abs");
        replace(zip, b"back|slash", b"back\\slash");
        replace(zip, b"cafe~", "caf\u{e9}".as_bytes());
        mark_as_utf8(zip, "caf\u{e9}".as_bytes());
    });
    let scene = Scene::new();
    let done = scene.push_of(&path, &[]).ok();
    done.says("warning: ../up and 1 more have names that lead out of the archive")
        .says("warning: back\\slash has a backslash in its name")
        .says("warning: caf\u{e9} has a name that is not ASCII and, in the zip, an extra field");
    assert_eq!(scene.stored().unwrap(), fs::read(&path).unwrap());
    let quiet = scene.push_of(&path, &["--quiet"]).ok();
    quiet.is_silent_about("warning");
    let said = scene
        .push_of(&path, &["--dry-run", "--output", "json"])
        .ok()
        .json();
    let kinds: Vec<_> = said["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| &notice["kind"])
        .collect();
    assert_eq!(kinds, ["backslash", "non-ascii-name", "outside-name"]);

    let mut verify = hoist();
    let done = verify.arg("verify").arg(&path).ok();
    done.prints("is whole")
        .says("warning: ../up and 1 more have names that lead out of the archive")
        .says("warning: back\\slash has a backslash in its name")
        .says("warning: caf\u{e9} has a name that is not ASCII");
    verify.arg("--quiet").silent();
}

#[test]
fn owners_and_names_in_a_tar_that_tar_restores_or_refuses_are_warned_of() {
    let (_dir, path) = archive("a.tar", |tar| {
        // Every second header, so that one name is not enough.
        let headers: Vec<usize> = (0..tar.len())
            .step_by(512)
            .filter(|&at| tar[at + 257..].starts_with(b"ustar"))
            .collect();
        for &at in &headers {
            if tar[at..].starts_with(b"aa/up") {
                tar[at..at + 5].copy_from_slice(b"../up");
            }
            if tar[at..].starts_with(b"aa") || tar[at..].starts_with(b"plain") {
                tar[at + 108..at + 116].copy_from_slice(b"0001750\0");
            }
            tar[at + 148..at + 156].fill(b' ');
            let sum: u32 = tar[at..at + 512].iter().map(|&byte| u32::from(byte)).sum();
            tar[at + 148..at + 155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    });
    let scene = Scene::new();
    let done = scene
        .push_of(&path, &["--s3-location", "s3://bucket/a.tar"])
        .ok();
    done.says("warning: plain does not belong to root in the tar")
        .says("warning: ../up has a name that leads out of the archive");
}

#[test]
fn a_tar_or_tgz_for_windows_is_warned_of_and_sent() {
    let scene = Scene::new();
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: windows\n");
    for (name, is_warned) in [("a.tar", true), ("a.tgz", true), ("a.zip", false)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, packed(tree.path(), name, &[])).unwrap();
        let to = format!("s3://bucket/{name}");
        let done = scene.push_of(&path, &["--s3-location", &to]).ok();
        let is_said = done
            .stderr
            .contains("warning[bundle-type-for-windows]: the bundle is a t");
        assert_eq!(is_said, is_warned, "{done}");
        let no_lint = scene
            .push_of(&path, &["--s3-location", &to, "--no-lint"])
            .ok();
        no_lint.is_silent_about("bundle-type");
    }
    // In the only directory, where agents look for it, too.
    let inner = Tree::new();
    inner
        .file("site/appspec.yml", "version: 0.0\nos: windows\n")
        .file("site/x", "x");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tgz");
    fs::write(&path, packed(inner.path(), "a.tgz", &[])).unwrap();
    let done = scene
        .push_of(&path, &["--s3-location", "s3://bucket/b.tgz"])
        .ok();
    done.says("a.tgz/appspec.yml:2:5");
}

#[test]
fn archives_of_hoist_draw_no_such_warning() {
    let tree = Tree::revision();
    tree.file("caf\u{e9}", "x").file("deep/directory/file", "x");
    for name in ["a.zip", "a.tar", "a.tgz"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, packed(tree.path(), name, &[])).unwrap();
        let scene = Scene::new();
        let done = scene.push_of(&path, &["--s3-location", &format!("s3://bucket/{name}")]);
        { done }.ok().is_silent_about("warning");
    }
}

/// A sparse file is listed, and not read.
#[test]
fn a_large_file_whose_name_a_zip_cannot_keep_is_warned_of_before_the_upload() {
    let tree = Tree::revision();
    tree.file("caf\u{e9}.img", "").file("plain.img", "");
    for name in ["caf\u{e9}.img", "plain.img"] {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(tree.path().join(name));
        file.unwrap().set_len(1 << 32).unwrap();
    }
    let scene = Scene::of(tree);
    let done = scene.push(&["--dry-run"]).ok();
    done.says("/caf\u{e9}.img has a name that is not ASCII and, in the zip, an extra field")
        .says("use a tgz");
    let tgz = ["--dry-run", "--s3-location", "s3://bucket/a.tgz"];
    scene.push(&tgz).ok().is_silent_about("ASCII");
}
