//! Files that change while they are read: between opening and reading, and between reading and the check.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::archive::plan;
use crate::cancel::Cancel;

const OLD: &[u8] = b"the old content, all of it, of this file";
const NEW: &[u8] = b"the new content, all of it, of that file";

/// A whole and even second of 2024, as a zip holds it.
const PLANNED: u64 = 1_720_000_000;

fn set(path: &Path, content: &[u8], seconds: u64, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

/// A directory with one file, and its plan.
fn planned() -> (tempfile::TempDir, PathBuf, Plan) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    set(&path, OLD, PLANNED, 0o644);
    let plan = Plan::scan(dir.path(), &plan::Options::default(), &Cancel::new()).unwrap();
    (dir, path, plan)
}

fn how<T>(result: Result<T, Error>) -> &'static str {
    match result.map(drop).unwrap_err() {
        Error::Changed { path, how } => {
            assert!(path.ends_with("file"), "{path:?}");
            how
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_file_that_changes_after_it_was_opened_fails_the_read() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 5] = [
        (|path| set(path, NEW, PLANNED + 2, 0o644), "it was modified"),
        (|path| set(path, OLD, PLANNED + 2, 0o644), "it was modified"),
        (
            |path| set(path, OLD, PLANNED, 0o600),
            "its permissions changed",
        ),
        (|path| set(path, b"", PLANNED, 0o644), "it shrank"),
        (
            |path| set(path, &[b'x'; 100], PLANNED, 0o644),
            "its size changed",
        ),
    ];
    for (change, expected) in changes {
        let (_dir, path, plan) = planned();
        let (source, entry, mut folder) = (Source::new(&plan), plan.entry(0), Folder::default());
        let file = source.open(0, &entry, &mut folder).unwrap();
        change(&path);
        let mut content = [0; OLD.len()];
        assert_eq!(
            how(source.read_open(0, &entry, &file, &mut content)),
            expected
        );
    }
}

#[test]
fn a_file_that_changes_after_it_was_read_fails_the_check() {
    let (_dir, path, plan) = planned();
    let source = Source::new(&plan);
    let file = source.file(0).unwrap();
    source.read_at(0, &file, &mut [0; OLD.len()], 0).unwrap();
    source.check(0, &file).unwrap();
    set(&path, NEW, PLANNED + 2, 0o644);
    assert_eq!(how(source.check(0, &file)), "it was modified");
}

/// An editor empties a file first and writes it then.
#[test]
fn the_second_try_packs_the_file_as_it_is_now_and_fails_like_the_first_if_it_changes() {
    let (_dir, path, plan) = planned();
    let (source, entry, mut folder) = (Source::new(&plan), plan.entry(0), Folder::default());
    set(&path, b"", PLANNED + 1, 0o644);
    let mut content = [0; OLD.len()];
    let again = source.read_again(0, &entry, &mut folder, &mut content);
    assert_eq!(how(again), "its size changed");
    set(&path, NEW, PLANNED + 10, 0o755);
    let now = source
        .read_again(0, &entry, &mut folder, &mut content)
        .unwrap();
    assert_eq!((now.mtime.secs, now.mode), (PLANNED as i64 + 10, 0o755));
    assert_eq!(content, NEW);
    let file = source.open(0, &entry, &mut folder).unwrap();
    set(&path, NEW, PLANNED + 20, 0o755);
    assert_eq!(
        how(source.read_open(0, &now, &file, &mut content)),
        "it was modified"
    );
}

#[test]
fn a_file_of_the_current_tick_is_read_in_the_next() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = |time: Duration| Mtime {
        secs: time.as_secs() as i64,
        nanos: time.subsec_nanos(),
    };
    for _ in 0..5 {
        let written = now();
        settle(at(written));
        assert!(now() - written >= TICK);
    }
    // Times in the future and long ago are not waited for.
    let begun = now();
    for time in [now() + Duration::from_hours(24), Duration::ZERO] {
        settle(at(time));
    }
    settle(Mtime { secs: -5, nanos: 0 });
    assert!(now() - begun < Duration::from_secs(60));
}
