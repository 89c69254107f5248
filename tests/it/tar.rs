//! Tars of `hoist pack`, read by the programs that CodeDeploy's agents call and by others.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Entries, Run as _, Tree, entries, noise, packed, text, tool, within};

/// Names of each length and alphabet, sizes around blocks and pieces, old and new times.
fn tree() -> Tree {
    let tree = Tree::revision();
    let deep = "directory-of-thirty-characters/".repeat(6);
    tree.file("empty", "")
        .file("hooks/start.sh", "#!/bin/sh\n")
        .mode("hooks/start.sh", 0o755)
        .file("private", "x")
        .mode("private", 0o600)
        .file("caf\u{e9}/\u{1F4E6} box.txt", text(5000, 1))
        .file(&format!("{deep}{}", "n".repeat(90)), text(700, 2))
        .file(&format!("{deep}{}", "m".repeat(200)), text(700, 3))
        .file("large/noise", noise((3 << 20) + 5, 4))
        .file("large/text", text((2 << 20) + 511, 5))
        .file("old", "x")
        .mtime("old", 1)
        .symlink("linked", "hooks/start.sh");
    for n in 0..300 {
        tree.file(&format!("small/{n:03}.html"), text(n * 17 % 1600, n as u64));
    }
    tree
}

/// Asserts that a directory holds the tree as an archive has it: a link to a file is that file.
#[track_caller]
fn assert_is(tree: &Tree, out: &Path, reader: &str) {
    let (found, mut expected) = (entries(out), entries(tree.path()));
    let target = expected[&b"hooks/start.sh"[..]].clone();
    expected.insert(b"linked".to_vec(), target);
    let names = |entries: &Entries| entries.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{reader}");
    for (name, expected) in &expected {
        let found = &found[name];
        let name = String::from_utf8_lossy(name);
        assert!(found.contents == expected.contents, "{reader}: {name}");
        assert_eq!(found.mode, expected.mode, "{reader}: {name}");
        assert_eq!(found.mtime, expected.mtime, "{reader}: {name}");
    }
}

/// A tar and a tgz of the tree, as files.
fn archives(tree: &Tree, dir: &Path) -> [PathBuf; 2] {
    ["b.tar", "b.tgz"].map(|name| {
        let path = dir.join(name);
        std::fs::write(&path, packed(tree.path(), name, &[])).unwrap();
        path
    })
}

/// A program extracts a tar and a tgz in each of these ways.
#[track_caller]
fn extracts(name: &str, candidates: &[&str], ways: &[fn(&mut Command, &Path)]) {
    let Some(program) = tool(name, candidates) else {
        return;
    };
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    for archive in archives(&tree, dir.path()) {
        for way in ways {
            let out = tempfile::tempdir().unwrap();
            // Also where no name but ASCII can be shown.
            let mut command = within::<&str>(&[], &program);
            command.env("TZ", "UTC").current_dir(out.path());
            way(&mut command, &archive);
            command.quiet();
            assert_is(&tree, out.path(), name);
        }
    }
}

#[test]
fn gnu_tar_extracts_as_both_agents_call_it() {
    let first: fn(&mut Command, &Path) = |command, archive| {
        let is_tgz = archive.extension().unwrap() == "tgz";
        command.arg(if is_tgz { "-zxpsf" } else { "-xpsf" });
        command.arg(archive);
    };
    let second: fn(&mut Command, &Path) = |command, archive| {
        let is_tgz = archive.extension().unwrap() == "tgz";
        command.arg(if is_tgz { "-xzpf" } else { "-xpf" });
        command.arg(archive);
    };
    extracts("GNU tar", &["tar"], &[first, second]);
}

#[test]
fn bsdtar_extracts() {
    extracts(
        "bsdtar",
        &["bsdtar"],
        &[|command, archive| {
            command.arg("-xpf").arg(archive).env("LC_ALL", "C.UTF-8");
        }],
    );
}

#[test]
fn python_extracts_and_finds_no_owner() {
    extracts(
        "Python",
        &["python3"],
        &[|command, archive| {
            let script = "import sys, tarfile\n\
                      with tarfile.open(sys.argv[1]) as tar:\n    \
                      assert all(m.uid == m.gid == 0 and not m.uname for m in tar)\n    \
                      tar.extractall('.')\n";
            command.args(["-W", "ignore", "-c", script]).arg(archive);
            command.env("LC_ALL", "C.UTF-8");
        }],
    );
}

/// The crate that the second agent falls back on.
#[test]
fn the_tar_crate_extracts_and_a_tgz_is_the_tar_compressed() {
    let tree = tree();
    let [plain, compressed] = ["b.tar", "b.tgz"].map(|name| packed(tree.path(), name, &[]));
    let mut inflated = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(&compressed[..]);
    std::io::copy(&mut decoder, &mut inflated).unwrap();
    assert!(decoder.into_inner().is_empty(), "one member is all");
    assert!(inflated == plain);

    let out = tempfile::tempdir().unwrap();
    let mut archive = tar::Archive::new(&plain[..]);
    archive.set_preserve_permissions(true);
    archive.unpack(out.path()).unwrap();
    assert_is(&tree, out.path(), "tar crate");
}

#[test]
fn threads_do_not_show_and_higher_levels_are_smaller() {
    let tree = tree();
    for name in ["b.tar", "b.tgz"] {
        let first = packed(tree.path(), name, &["--threads", "1"]);
        for threads in ["2", "16"] {
            let again = packed(tree.path(), name, &["--threads", threads]);
            assert!(again == first, "{name} with {threads} threads");
        }
        assert_eq!(first.len().is_multiple_of(10_240), name == "b.tar");
    }
    let size = |level| packed(tree.path(), "b.tgz", &["--level", level]).len();
    let sizes = ["0", "1", "6", "9"].map(size);
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
}

#[test]
fn the_ending_chooses_the_type_unless_an_option_does() {
    let tree = Tree::revision();
    for (name, options, expected) in [
        ("a.zip", &[][..], "zip"),
        ("a", &[], "zip"),
        ("a.TAR", &[], "tar"),
        ("a.tar.gz", &[], "tgz"),
        ("a.tgz", &["--bundle-type", "zip"], "zip"),
        ("a", &["--bundle-type", "tar"], "tar"),
    ] {
        let bytes = packed(tree.path(), name, options);
        let found = match &bytes[..2] {
            b"PK" => "zip",
            b"\x1f\x8b" => "tgz",
            _ if &bytes[257..262] == b"ustar" => "tar",
            _ => "something else",
        };
        assert_eq!(found, expected, "{name} {options:?}");
    }
}
