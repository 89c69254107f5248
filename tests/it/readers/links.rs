//! Links and empty directories, extracted by the programs that agents call and by others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::again;
use crate::select::{every_kind, pack};
use crate::support::{Run as _, entries, tool, without_umask};

/// For zip, a zipfile does not make links; tarfile does.
const PYTHON: &str = "
import os, stat, sys, tarfile, zipfile
path, out = sys.argv[1:]
if path.endswith('.zip'):
    with zipfile.ZipFile(path) as zip:
        assert zip.testzip() is None
        for info in zip.infolist():
            mode = info.external_attr >> 16
            target = os.path.join(out, info.filename)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if stat.S_ISLNK(mode):
                os.symlink(zip.read(info).decode(), target)
            else:
                zip.extract(info, out)
                os.chmod(target, stat.S_IMODE(mode))
else:
    with tarfile.open(path) as tar:
        tar.extractall(out)
";

/// A program, its names, the types that it reads, and how it is called in the directory that it
/// extracts to.
type Reader = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    fn(&mut Command, &Path),
);

const READERS: [Reader; 6] = [
    ("unzip", &["unzip"], &["zip"], |command, archive| {
        command.arg("-qo").arg(archive);
    }),
    ("7-Zip", &["7zz", "7z"], &["zip"], |command, archive| {
        command.args(["x", "-y", "-bso0", "-bsp0", "-snl", "-snld20"]);
        command.arg(archive);
    }),
    (
        "bsdtar",
        &["bsdtar"],
        &["zip", "tar", "tgz"],
        |command, archive| {
            command.env("LC_ALL", "C.UTF-8").arg("-xpf").arg(archive);
        },
    ),
    ("GNU tar", &["tar"], &["tar", "tgz"], |command, archive| {
        command.arg("-xpf").arg(archive);
    }),
    ("busybox", &["busybox"], &["tar"], |command, archive| {
        command.args(["tar", "-xpf"]).arg(archive);
    }),
    (
        "Python",
        &["python3"],
        &["zip", "tar", "tgz"],
        |command, archive| {
            command
                .env("LC_ALL", "C.UTF-8")
                .args(["-W", "ignore", "-c"]);
            command.arg(PYTHON).arg(archive).arg(".");
        },
    ),
];

#[test]
fn readers_extract_links_and_empty_directories() {
    let tree = every_kind();
    tree.symlink("release", "not/yet/there")
        .symlink("caf\u{e9}-link", "caf\u{e9}/\u{1F4E6}")
        .symlink(&"n".repeat(120), &"t".repeat(130))
        .file(".hoistignore", "*.js\n");
    let options = ["--symlinks", "preserve", "--empty-dirs"];
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.zip", "a.tar", "a.tgz"] {
        pack(&tree, &dir.path().join(name), &options).ok();
    }
    let mut expected = entries(tree.path());
    expected.remove(&b".hoistignore"[..]);
    expected.remove(&b"node_modules/m/index.js"[..]);

    for (name, candidates, kinds, call) in READERS {
        let Some(program) = tool(name, candidates) else {
            continue;
        };
        for kind in kinds {
            let (reader, out) = (format!("{name}: {kind}"), tempfile::tempdir().unwrap());
            let mut command = again(&program);
            command.env("TZ", "UTC").current_dir(out.path());
            call(&mut command, &dir.path().join(format!("a.{kind}")));
            without_umask(&command).quiet();
            let found = entries(out.path());
            assert!(found.keys().eq(expected.keys()), "{reader}");
            for (path, expected) in &expected {
                let found = &found[path];
                let path = String::from_utf8_lossy(path);
                assert!(found.contents == expected.contents, "{reader}: {path}");
                assert_eq!(found.mode, expected.mode, "{reader}: {path}");
            }
            for empty in ["logs", "tmp/cache"] {
                let meta = fs::metadata(out.path().join(empty)).unwrap();
                assert!(meta.is_dir(), "{reader}: {empty}");
                let mode = meta.permissions().mode() & 0o777;
                assert_eq!(mode, 0o750, "{reader}: {empty}");
            }
        }
    }
}
