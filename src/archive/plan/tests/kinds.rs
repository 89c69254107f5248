//! Empty directories, special files, times and unusual names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;

#[test]
fn empty_directories_have_entries_on_request() {
    let dir = tree(&[
        ("full/f", 1),
        ("excluded/f.log", 1),
        ("d-x", 1),
        (".git/f", 1),
    ]);
    for name in ["d/empty", "logs", "excluded-empty", ".git/refs"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    fs::set_permissions(dir.path().join("logs"), fs::Permissions::from_mode(0o2750)).unwrap();
    let options = Options {
        empty_dirs: true,
        ignore_hidden: true,
        patterns: ["*.log", "excluded-empty"]
            .map(|glob| Pattern::exclude(glob).unwrap())
            .into(),
        ..all()
    };
    let plan = scan(&dir, &options).unwrap();
    assert_eq!(names(&plan), ["d-x", "d/empty/", "full/f", "logs/"]);
    let logs = plan.entry(3);
    assert_eq!((logs.kind, logs.size), (Kind::Directory, 0));
    assert_eq!(logs.st_mode(), 0o042_750);
    assert_eq!(
        noticed(&plan),
        [(NoticeKind::SpecialBits, vec!["logs".into()])]
    );
    assert!(!names(&scan(&dir, &all()).unwrap()).contains(&"logs/".to_owned()));
    // The source itself has no entry.
    let empty = tempfile::tempdir().unwrap();
    assert!(scan(&empty, &options).unwrap().is_empty());
}

#[test]
fn special_files_are_left_out_on_request() {
    let dir = tree(&[("ok", 1)]);
    let _socket = UnixListener::bind(dir.path().join("sock")).unwrap();
    symlink("sock", dir.path().join("to-sock")).unwrap();
    let error = scan(&dir, &all()).unwrap_err().to_string();
    assert!(error.contains("sock is a socket"), "{error}");
    let options = Options {
        skip_special: true,
        ..all()
    };
    let plan = scan(&dir, &options).unwrap();
    assert_eq!(names(&plan), ["ok"]);
    let skipped = vec!["sock".into(), "to-sock".into()];
    assert_eq!(noticed(&plan), [(NoticeKind::SkippedSpecial, skipped)]);
}

#[test]
fn times_are_kept_clamped_or_fixed() {
    let dir = tree(&[("new", 1), ("old", 1)]);
    for (name, secs) in [("new", 2_000_000_000), ("old", 1_000_000_000)] {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
        let file = fs::File::options().write(true).open(dir.path().join(name));
        file.unwrap().set_modified(time).unwrap();
    }
    let times = |times| {
        let plan = scan(&dir, &Options { times, ..all() }).unwrap();
        // The time that a file is compared with stays its own.
        assert_eq!(plan.entry(0).mtime.secs, 2_000_000_000);
        [plan.entry(0).time, plan.entry(1).time]
    };
    assert_eq!(
        times(Times::Keep { latest: None }),
        [2_000_000_000, 1_000_000_000]
    );
    let latest = Some(1_500_000_000);
    assert_eq!(
        times(Times::Keep { latest }),
        [1_500_000_000, 1_000_000_000]
    );
    assert_eq!(times(Times::Fixed(Times::FIRST)), [315_532_800; 2]);
}

#[test]
fn names_that_are_not_utf_8_are_allowed_on_request() {
    let dir = tree(&[("ok", 1)]);
    let name = OsStr::from_bytes(b"caf\xe9");
    if fs::write(dir.path().join(name), "x").is_err() {
        // This file system takes only UTF-8.
        return;
    }
    let error = scan(&dir, &all()).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
    let options = Options {
        raw_names: true,
        ..all()
    };
    let plan = scan(&dir, &options).unwrap();
    assert_eq!(plan.entry(0).name, b"caf\xe9");
    assert_eq!(plan.path(0), dir.path().join(name));
    assert_eq!(plan.notices()[0].kind, NoticeKind::RawName);
    assert_eq!(plan.notices()[0].paths, [dir.path().join(name)]);
    assert!(plan.notices()[0].to_string().contains(r"caf\xe9"));
}

#[test]
fn there_is_a_notice_of_what_readers_change() {
    let dir = tree(&[
        ("a\\b", 1),
        ("set", 1),
        ("tree/README", 1),
        ("tree/readme", 1),
    ]);
    fs::set_permissions(dir.path().join("set"), fs::Permissions::from_mode(0o4755)).unwrap();
    let plan = scan(&dir, &all()).unwrap();
    if plan.len() < 4 {
        // This file system ignores case.
        return;
    }
    assert_eq!(
        noticed(&plan),
        [
            (NoticeKind::SpecialBits, vec!["set".into()]),
            (NoticeKind::Backslash, vec!["a\\b".into()]),
            (
                NoticeKind::Collision,
                vec!["tree/README".into(), "tree/readme".into()]
            ),
        ]
    );
    assert_eq!(plan.collisions(), [[&b"tree/README"[..], b"tree/readme"]]);
}
