//! Tars of `hoist pack`, read by the programs that CodeDeploy's agents call and by others.

#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Entries, Tree, entries, hoist, noise, run, text, tool};

/// Names of each length and alphabet, sizes around blocks and pieces, old and new times.
fn tree() -> Tree {
    let tree = Tree::new();
    let deep = "directory-of-thirty-characters/".repeat(6);
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("empty", "")
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

fn pack(tree: &Tree, out: &Path, options: &[&str]) -> Vec<u8> {
    let mut command = hoist();
    command
        .args(["pack", "--quiet", "--source"])
        .arg(tree.path());
    run(command.arg("--output").arg(out).args(options));
    fs::read(out).unwrap()
}

/// What the tree is in an archive: a link to a file is that file.
fn expected(tree: &Tree) -> Entries {
    let mut files = entries(tree.path());
    let target = files[&b"hooks/start.sh"[..]].clone();
    files.insert(b"linked".to_vec(), target);
    files
}

#[track_caller]
fn same(found: &Entries, expected: &Entries, times: bool, who: &str) {
    let names = |entries: &Entries| entries.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{who}");
    for (name, expected) in expected {
        let found = &found[name];
        let name = String::from_utf8_lossy(name);
        assert!(found.contents == expected.contents, "{who}: {name}");
        assert_eq!(found.mode, expected.mode, "{who}: {name}");
        assert!(!times || found.mtime == expected.mtime, "{who}: {name}");
    }
}

/// A tar and a tgz of the same tree.
fn archives(tree: &Tree, dir: &Path) -> [PathBuf; 2] {
    ["b.tar", "b.tgz"].map(|name| {
        let path = dir.join(name);
        pack(tree, &path, &[]);
        path
    })
}

#[track_caller]
fn extracts(name: &str, candidates: &[&str], arguments: impl Fn(&mut Command, &Path, &Path)) {
    let Some(command) = tool(name, candidates) else {
        return;
    };
    let program = command.get_program().to_owned();
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    for archive in archives(&tree, dir.path()) {
        let out = tempfile::tempdir().unwrap();
        // Also where no name but ASCII can be shown.
        let mut command = Command::new(&program);
        command.env("LC_ALL", "C").current_dir(out.path());
        arguments(&mut command, &archive, out.path());
        let output = run(&mut command);
        assert!(output.stderr.is_empty(), "{name}: {output:?}");
        same(&entries(out.path()), &expected(&tree), true, name);
    }
}

#[test]
fn gnu_tar_extracts_as_both_agents_call_it() {
    for options in ["-xpsf", "-xf"] {
        extracts("GNU tar", &["tar"], |command, archive, _| {
            let options = match (options, archive.extension().unwrap().to_str()) {
                ("-xpsf", Some("tgz")) => "-zxpsf",
                ("-xf", Some("tgz")) => "-xzpf",
                ("-xf", _) => "-xpf",
                (options, _) => options,
            };
            command.arg(options).arg(archive);
        });
    }
}

#[test]
fn bsdtar_extracts() {
    extracts("bsdtar", &["bsdtar"], |command, archive, _| {
        command.arg("-xpf").arg(archive).env("LC_ALL", "C.UTF-8");
    });
}

#[test]
fn python_extracts() {
    let script = "import sys, tarfile\n\
                  with tarfile.open(sys.argv[1]) as tar:\n    \
                  assert all(m.uid == m.gid == 0 and not m.uname for m in tar)\n    \
                  tar.extractall(sys.argv[2])\n";
    extracts("Python", &["python3"], |command, archive, out| {
        command
            .args(["-W", "ignore", "-c", script])
            .arg(archive)
            .arg(out)
            .env("LC_ALL", "C.UTF-8");
    });
}

/// The crate that the second agent falls back on.
#[test]
fn the_tar_crate_extracts() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let [plain, compressed] = archives(&tree, dir.path());
    let bytes = fs::read(compressed).unwrap();
    let mut inflated = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
    std::io::copy(&mut decoder, &mut inflated).unwrap();
    assert!(decoder.into_inner().is_empty(), "one member is all");
    assert!(
        inflated == fs::read(plain).unwrap(),
        "a tgz is a tar compressed"
    );

    let out = tempfile::tempdir().unwrap();
    let mut archive = tar::Archive::new(&inflated[..]);
    archive.set_preserve_permissions(true);
    archive.unpack(out.path()).unwrap();
    same(&entries(out.path()), &expected(&tree), true, "tar crate");
}

#[test]
fn neither_threads_nor_levels_of_detail_show() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    for name in ["b.tar", "b.tgz"] {
        let path = dir.path().join(name);
        let first = pack(&tree, &path, &["--threads", "1"]);
        for threads in ["2", "5", "16"] {
            let again = pack(&tree, &path, &["--threads", threads]);
            assert!(again == first, "{name} with {threads} threads");
        }
        assert_eq!(first.len().is_multiple_of(10_240), name == "b.tar");
    }
    let smaller = |level| pack(&tree, &dir.path().join("b.tgz"), &["--level", level]).len();
    let sizes = ["0", "1", "6", "9"].map(smaller);
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
}

#[test]
fn the_ending_says_the_type_and_an_option_says_more() {
    let (tree, dir) = (tree(), tempfile::tempdir().unwrap());
    let begins = |name: &str, options: &[&str]| {
        let bytes = pack(&tree, &dir.path().join(name), options);
        match &bytes[..2] {
            b"PK" => "zip",
            b"\x1f\x8b" => "tgz",
            _ if &bytes[257..262] == b"ustar" => "tar",
            _ => "something else",
        }
    };
    assert_eq!(begins("a.zip", &[]), "zip");
    assert_eq!(begins("a", &[]), "zip");
    assert_eq!(begins("a.TAR", &[]), "tar");
    assert_eq!(begins("a.tar.gz", &[]), "tgz");
    assert_eq!(begins("a.tgz", &["--bundle-type", "zip"]), "zip");
    assert_eq!(begins("a", &["--bundle-type", "tar"]), "tar");
}
