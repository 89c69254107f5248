//! The reader matrix: every program that may meet an archive must read it without a word.
//!
//! CodeDeploy's agents try `unzip` first and take any other exit code than 0 as a failure, the
//! mere warning 1 included; then rubyzip, which does not restore modes, or the Rust `zip` crate.
//! So the claim is the strictest one: exit 0, nothing on standard error, nothing on standard
//! output where the reader can be told to be quiet, under a locale without UTF-8 and a time zone
//! other than UTC. Names and contents must be the source's, and modes and times too where the
//! reader restores them.

#![cfg(all(unix, feature = "cli"))]
mod fixture;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use self::fixture::{Modes, Tells, Times, fixture, pack, show};
use crate::support::{run_clean, run_silent, tool};

#[test]
fn unzip_extracts() {
    let Some(unzip) = tool("unzip", &["unzip"]) else {
        return;
    };
    let fixture = fixture();
    for archive in &fixture.archives {
        let out = tempfile::tempdir().unwrap();
        let mut unzip = again(&unzip);
        // As the first agent calls it.
        unzip.arg("-qo").arg(archive).arg("-d").arg(out.path());
        run_silent(&mut crate::support::without_umask(&unzip));
        fixture.assert_extracted(
            archive,
            out.path(),
            Modes::Restored,
            Times::RestoredWithLeap2100,
        );
    }
}

#[test]
fn unzip_and_zip_test() {
    let fixture = fixture();
    if let Some(unzip) = tool("unzip", &["unzip"]) {
        for archive in &fixture.archives {
            let output = run_clean(again(&unzip).arg("-tq").arg(archive));
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.starts_with("No errors detected"), "{said}");
        }
    }
    if let (Some(zip), Some(_)) = (tool("zip", &["zip"]), tool("unzip", &["unzip"])) {
        for archive in &fixture.archives {
            run_silent(again(&zip).arg("-qT").arg(archive));
        }
    }
}

#[test]
fn seven_zip() {
    let Some(seven) = tool("7-Zip", &["7zz", "7z"]) else {
        return;
    };
    let fixture = fixture();
    for archive in &fixture.archives {
        let out = tempfile::tempdir().unwrap();
        let mut seven = again(&seven);
        seven
            .args(["x", "-y", "-bso0", "-bsp0"])
            .arg(archive)
            .current_dir(out.path());
        run_silent(&mut crate::support::without_umask(&seven));
        fixture.assert_extracted(archive, out.path(), Modes::Restored, Times::Restored);
    }
}

#[test]
fn bsdtar_from_file_and_pipe() {
    let Some(mut bsdtar) = tool("bsdtar", &["bsdtar"]) else {
        return;
    };
    // In the C locale libarchive refuses every name that is marked as UTF-8 and is not ASCII.
    bsdtar.env("LC_ALL", "C.UTF-8");
    let fixture = fixture();
    for archive in &fixture.archives {
        let out = tempfile::tempdir().unwrap();
        run_silent(
            again(&bsdtar)
                .arg("-xpf")
                .arg(archive)
                .arg("-C")
                .arg(out.path()),
        );
        fixture.assert_extracted(archive, out.path(), Modes::Restored, Times::Restored);

        // From a pipe there is no central directory when an entry is written, so no mode.
        let out = tempfile::tempdir().unwrap();
        let mut piped = again(&bsdtar);
        piped.args(["-xf", "-", "-C"]).arg(out.path());
        crate::support::run_silent_on_pipe(&mut piped, &fs::read(archive).unwrap());
        fixture.assert_extracted(archive, out.path(), Modes::Not, Times::Restored);
    }
}

#[test]
fn busybox_unzip() {
    let Some(busybox) = tool("busybox", &["busybox"]) else {
        return;
    };
    let fixture = fixture();
    for archive in &fixture.archives {
        let out = tempfile::tempdir().unwrap();
        let mut unzip = again(&busybox);
        unzip
            .args(["unzip", "-qo"])
            .arg(archive)
            .arg("-d")
            .arg(out.path());
        run_silent(&mut crate::support::without_umask(&unzip));
        fixture.assert_extracted(archive, out.path(), Modes::Restored, Times::Not);
    }
}

#[test]
fn python_zipfile() {
    let Some(mut python) = tool("Python", &["python3", "python"]) else {
        return;
    };
    let fixture = fixture();
    python.args(["-W", "error"]).arg(program("reader.py"));
    fixture.assert_told(&mut python, &["file"], Tells::Mode);
}

#[test]
fn java_stream_and_file() {
    let Some(mut java) = tool("Java", &["java"]) else {
        return;
    };
    let fixture = fixture();
    java.args([
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
    ]);
    java.arg(program("Reader.java"));
    fixture.assert_told(&mut java, &["stream", "file"], Tells::Name);
}

#[test]
fn ruby_file_and_stream() {
    let Some(mut ruby) = tool("Ruby", &["ruby"]) else {
        return;
    };
    if !again(&ruby)
        .args(["-e", "require 'zip'"])
        .output()
        .unwrap()
        .status
        .success()
    {
        return crate::support::missing("rubyzip", "Ruby cannot load it");
    }
    let fixture = fixture();
    ruby.arg("-w").arg(program("reader.rb"));
    fixture.assert_told(&mut ruby, &["stream", "file"], Tells::Mode);
}

#[test]
fn go_archive_zip() {
    let Some(mut go) = tool("Go", &["go"]) else {
        return;
    };
    let fixture = fixture();
    // Kept between runs: a recent Go brings no compiled standard library.
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-cache");
    go.env("GOCACHE", cache)
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local");
    go.arg("run").arg(program("reader.go"));
    fixture.assert_told(&mut go, &["file"], Tells::ModeAndTime);
}

#[test]
fn rust_zip_crate() {
    let fixture = fixture();
    for archive in &fixture.archives {
        let stored = archive.ends_with("stored.zip");
        let mut zip = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
        assert_eq!(zip.len(), fixture.expected.len());
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let name = entry.name_raw().to_vec();
            let wanted = &fixture.expected[&name];
            assert_eq!(
                entry.unix_mode(),
                Some(0o100_000 | wanted.mode),
                "mode of {}",
                show(&name)
            );
            let pays = name.ends_with(b".txt") && wanted.contents.len() > 1000;
            let method = if pays && !stored {
                zip::CompressionMethod::Deflated
            } else {
                zip::CompressionMethod::Stored
            };
            if pays || stored || name.ends_with(b".bin") {
                assert_eq!(entry.compression(), method, "method of {}", show(&name));
            }
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            assert!(contents == wanted.contents, "contents of {}", show(&name));
        }

        // Front to back, with nothing but the local headers.
        let mut front = fs::File::open(archive).unwrap();
        let mut names = Vec::new();
        while let Some(mut entry) = zip::read::read_zipfile_from_stream(&mut front).unwrap() {
            let name = entry.name_raw().to_vec();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            assert!(
                contents == fixture.expected[&name].contents,
                "contents of {}",
                show(&name)
            );
            names.push(name);
        }
        assert!(
            names.iter().eq(fixture.expected.keys()),
            "entries are not sorted by their names"
        );
    }
}

#[test]
fn hidden_files_stay_out_when_asked() {
    let fixture = fixture();
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("visible.zip");
    pack(fixture.tree.path(), &archive, &["--ignore-hidden-files"]);
    let mut wanted: Vec<_> = fixture.expected.keys().map(|name| show(name)).collect();
    wanted.retain(|name| !name.split('/').any(|part| part.starts_with('.')));
    assert!(
        wanted.len() < fixture.expected.len(),
        "the tree has no hidden files"
    );
    let zip = zip::ZipArchive::new(fs::File::open(&archive).unwrap()).unwrap();
    let names: Vec<_> = zip
        .file_names()
        .map(|name| show(name.unwrap().as_bytes()))
        .collect();
    assert_eq!(names, wanted);
}

#[test]
fn threads_do_not_show() {
    let fixture = fixture();
    let out = tempfile::tempdir().unwrap();
    let alone = out.path().join("alone.zip");
    pack(fixture.tree.path(), &alone, &["--threads", "1"]);
    assert!(fs::read(alone).unwrap() == fs::read(&fixture.archives[0]).unwrap());
}

/// The same program and environment, to be called once more.
fn again(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args())
        .stdin(std::process::Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => copy.env(name, value),
            None => copy.env_remove(name),
        };
    }
    copy
}

fn program(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "it", "readers", name]
        .iter()
        .collect()
}
