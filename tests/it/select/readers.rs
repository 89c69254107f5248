//! Links and empty directories, extracted by the programs that agents call and by others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archives::pack;
use super::every_kind;
use crate::support::{entries, run, run_clean, tool, without_umask};

/// Everything with every option, extracted by everybody.
#[test]
fn readers_extract_links_and_empty_directories() {
    let tree = every_kind();
    tree.symlink("release", "not/yet/there")
        .symlink("caf\u{e9}-link", "caf\u{e9}/\u{1F4E6}")
        .symlink(&"n".repeat(120), &"t".repeat(130))
        .file(".hoistignore", "*.js\n");
    let options = ["--symlinks", "preserve", "--empty-dirs"];
    let dir = tempfile::tempdir().unwrap();
    let archive = |name: &str| -> PathBuf {
        let path = dir.path().join(name);
        run(&mut pack(&tree, &path, &options));
        path
    };
    let archives = ["a.zip", "a.tar", "a.tgz"].map(archive);
    let mut expected = entries(tree.path());
    expected.remove(&b".hoistignore"[..]);
    expected.remove(&b"node_modules/m/index.js"[..]);

    let python = "import os, stat, sys, tarfile, zipfile\n\
        path, out = sys.argv[1:]\n\
        if path.endswith('.zip'):\n    \
            with zipfile.ZipFile(path) as zip:\n        \
                assert zip.testzip() is None\n        \
                for info in zip.infolist():\n            \
                    mode = info.external_attr >> 16\n            \
                    target = os.path.join(out, info.filename)\n            \
                    os.makedirs(os.path.dirname(target), exist_ok=True)\n            \
                    if stat.S_ISLNK(mode):\n                \
                        os.symlink(zip.read(info).decode(), target)\n            \
                    else:\n                \
                        zip.extract(info, out)\n                \
                        os.chmod(target, stat.S_IMODE(mode))\n\
        else:\n    \
            with tarfile.open(path) as tar:\n        \
                tar.extractall(out)\n";
    type Call<'a> = &'a dyn Fn(&mut Command, &Path, &Path);
    let readers: [(&str, &[&str], &str, Call<'_>); 6] = [
        ("unzip", &["unzip"], "zip", &|command, archive, out| {
            command.arg("-qo").arg(archive).arg("-d").arg(out);
        }),
        ("7-Zip", &["7zz", "7z"], "zip", &|command, archive, out| {
            command
                .args(["x", "-y", "-bso0", "-bsp0", "-snl", "-snld20"])
                .arg(archive)
                .current_dir(out);
        }),
        (
            "bsdtar",
            &["bsdtar"],
            "zip tar tgz",
            &|command, archive, out| {
                command
                    .env("LC_ALL", "C.UTF-8")
                    .arg("-xpf")
                    .arg(archive)
                    .arg("-C")
                    .arg(out);
            },
        ),
        ("GNU tar", &["tar"], "tar tgz", &|command, archive, out| {
            command.arg("-xpf").arg(archive).arg("-C").arg(out);
        }),
        ("busybox", &["busybox"], "tar", &|command, archive, out| {
            command
                .args(["tar", "-xpf"])
                .arg(archive)
                .arg("-C")
                .arg(out);
        }),
        (
            "Python",
            &["python3"],
            "zip tar tgz",
            &|command, archive, out| {
                command
                    .args(["-W", "ignore", "-c", python])
                    .arg(archive)
                    .arg(out)
                    .env("LC_ALL", "C.UTF-8");
            },
        ),
    ];
    for (name, candidates, kinds, call) in readers {
        let Some(program) = tool(name, candidates) else {
            continue;
        };
        for archive in &archives {
            let kind = archive.extension().unwrap().to_str().unwrap();
            if !kinds.split(' ').any(|one| one == kind) {
                continue;
            }
            let out = tempfile::tempdir().unwrap();
            let mut command = Command::new(program.get_program());
            command.env("LC_ALL", "C").env("TZ", "UTC");
            call(&mut command, archive, out.path());
            run_clean(&mut without_umask(&command));
            let found = entries(out.path());
            let who = format!("{name}: {kind}");
            assert!(found.keys().eq(expected.keys()), "{who}");
            for (path, expected) in &expected {
                let found = &found[path];
                let path = String::from_utf8_lossy(path);
                assert!(found.contents == expected.contents, "{who}: {path}");
                assert_eq!(found.mode, expected.mode, "{who}: {path}");
            }
            for empty in ["logs", "tmp/cache"] {
                let meta = fs::metadata(out.path().join(empty)).unwrap();
                assert!(meta.is_dir(), "{who}: {empty}");
                assert_eq!(meta.permissions().mode() & 0o777, 0o750, "{who}: {empty}");
            }
        }
    }
}
