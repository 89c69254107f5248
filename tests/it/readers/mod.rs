//! The reader matrix: every program that may meet an archive must read it without a word.
//!
//! CodeDeploy's agents try `unzip` first and take any exit code but 0 as a failure, the mere warning 1
//! included; then rubyzip, which does not restore modes, or the Rust `zip` crate. So the claim is the
//! strictest one: exit 0, nothing on standard error, and nothing on standard output where the reader
//! can be told to be quiet, in a locale without UTF-8 and a time zone other than UTC. Names and contents
//! must be the source's, and so must modes and times where the reader restores them.

mod fixture;
mod links;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::fixture::{Modes, Tells, Times, fixture, pack, show};
use crate::support::{Run as _, missing, tool, within, without_umask};

/// A program extracts both archives of the fixture silently.
#[track_caller]
fn extracts(
    (name, candidates): (&str, &[&str]),
    (modes, times): (Modes, Times),
    arguments: impl Fn(&mut Command, &Path, &Path),
) {
    let Some(program) = tool(name, candidates) else {
        return;
    };
    let fixture = fixture();
    for archive in &fixture.archives {
        let out = tempfile::tempdir().unwrap();
        let mut command = again(&program);
        command.current_dir(out.path());
        arguments(&mut command, archive, out.path());
        without_umask(&command).silent();
        fixture.assert_extracted(archive, out.path(), modes, times);
    }
}

#[test]
fn unzip_extracts() {
    let restores = (Modes::Restored, Times::RestoredWithLeap2100);
    extracts(("unzip", &["unzip"]), restores, |command, archive, out| {
        // As the first agent calls it.
        command.arg("-qo").arg(archive).arg("-d").arg(out);
    });
}

#[test]
fn seven_zip_extracts() {
    let restores = (Modes::Restored, Times::Restored);
    extracts(
        ("7-Zip", &["7zz", "7z"]),
        restores,
        |command, archive, _| {
            command.args(["x", "-y", "-bso0", "-bsp0"]).arg(archive);
        },
    );
}

#[test]
fn busybox_extracts() {
    let restores = (Modes::Restored, Times::Not);
    extracts(
        ("busybox", &["busybox"]),
        restores,
        |command, archive, _| {
            command.args(["unzip", "-qo"]).arg(archive);
        },
    );
}

#[test]
fn bsdtar_extracts() {
    let restores = (Modes::Restored, Times::Restored);
    extracts(("bsdtar", &["bsdtar"]), restores, |command, archive, _| {
        // In the C locale libarchive refuses every name that is marked as UTF-8 and is not ASCII.
        command.env("LC_ALL", "C.UTF-8").arg("-xpf").arg(archive);
    });
}

/// From a pipe there is no central directory when an entry is written, so no mode is restored.
#[test]
fn bsdtar_extracts_from_a_pipe() {
    let Some(mut bsdtar) = tool("bsdtar", &["bsdtar"]) else {
        return;
    };
    bsdtar.env("LC_ALL", "C.UTF-8").args(["-xf", "-", "-C"]);
    let fixture = fixture();
    for archive in &fixture.archives {
        let out = tempfile::tempdir().unwrap();
        let input = fs::read(archive).unwrap();
        again(&bsdtar).arg(out.path()).silent_on_pipe(&input);
        fixture.assert_extracted(archive, out.path(), Modes::Not, Times::Restored);
    }
}

#[test]
fn unzip_and_zip_find_no_errors() {
    let fixture = fixture();
    let (unzip, zip) = (tool("unzip", &["unzip"]), tool("zip", &["zip"]));
    for archive in &fixture.archives {
        let Some(unzip) = &unzip else { return };
        let said = again(unzip).arg("-tq").arg(archive).quiet().stdout;
        assert!(said.starts_with("No errors detected"), "{said}");
        if let Some(zip) = &zip {
            again(zip).arg("-qT").arg(archive).silent();
        }
    }
}

#[test]
fn python_reads() {
    let Some(mut python) = tool("Python", &["python3", "python"]) else {
        return;
    };
    python.args(["-W", "error"]).arg(program("reader.py"));
    fixture().assert_told(&mut python, &["file"], Tells::Mode);
}

#[test]
fn java_reads_streams_and_files() {
    let Some(mut java) = tool("Java", &["java"]) else {
        return;
    };
    java.args([
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
    ]);
    java.arg(program("Reader.java"));
    fixture().assert_told(&mut java, &["stream", "file"], Tells::Name);
}

#[test]
fn ruby_reads_streams_and_files() {
    let Some(mut ruby) = tool("Ruby", &["ruby"]) else {
        return;
    };
    if again(&ruby).args(["-e", "require 'zip'"]).done().code != Some(0) {
        return missing("rubyzip", "Ruby cannot load it");
    }
    ruby.arg("-w").arg(program("reader.rb"));
    fixture().assert_told(&mut ruby, &["stream", "file"], Tells::Mode);
}

#[test]
fn go_reads() {
    let Some(mut go) = tool("Go", &["go"]) else {
        return;
    };
    // Kept between runs: a recent Go brings no compiled standard library.
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-cache");
    go.env("GOCACHE", cache)
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local");
    go.arg("run").arg(program("reader.go"));
    fixture().assert_told(&mut go, &["file"], Tells::ModeAndTime);
}

#[test]
fn the_zip_crate_reads_by_the_directory_and_from_front_to_back() {
    let fixture = fixture();
    for archive in &fixture.archives {
        let stored = archive.ends_with("stored.zip");
        let mut zip = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
        assert_eq!(zip.len(), fixture.expected.len());
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let name = entry.name_raw().to_vec();
            let (wanted, shown) = (&fixture.expected[&name], show(&name));
            let mode = Some(0o100_000 | wanted.mode);
            assert_eq!(entry.unix_mode(), mode, "mode of {shown}");
            let pays = name.ends_with(b".txt") && wanted.contents.len() > 1000;
            let method = if pays && !stored {
                zip::CompressionMethod::Deflated
            } else {
                zip::CompressionMethod::Stored
            };
            if pays || stored || name.ends_with(b".bin") {
                assert_eq!(entry.compression(), method, "method of {shown}");
            }
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            assert!(contents == wanted.contents, "contents of {shown}");
        }

        // With nothing but the local headers.
        let mut front = fs::File::open(archive).unwrap();
        let mut names = Vec::new();
        while let Some(mut entry) = zip::read::read_zipfile_from_stream(&mut front).unwrap() {
            let name = entry.name_raw().to_vec();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            let wanted = &fixture.expected[&name].contents;
            assert!(contents == *wanted, "contents of {}", show(&name));
            names.push(name);
        }
        let sorted = names.iter().eq(fixture.expected.keys());
        assert!(sorted, "entries are not sorted by their names");
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
    let hidden = fixture.expected.len() - wanted.len();
    assert!(hidden > 0, "the tree has no hidden files");
    let zip = zip::ZipArchive::new(fs::File::open(&archive).unwrap()).unwrap();
    let names = zip.file_names();
    let names: Vec<_> = names.map(|name| show(name.unwrap().as_bytes())).collect();
    assert_eq!(names, wanted);
}

/// A copy of a program and its environment, to be called once more.
fn again(command: &Command) -> Command {
    within::<&str>(&[], command)
}

fn program(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "it", "readers", name]
        .iter()
        .collect()
}
