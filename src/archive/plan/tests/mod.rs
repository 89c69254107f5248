//! The plan of real trees.

mod kinds;
mod links;
mod select;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use super::*;

/// The default options.
fn all() -> Options {
    Options {
        threads: 2,
        ..Options::default()
    }
}

fn tree(files: &[(&str, usize)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, size) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![b'x'; *size]).unwrap();
    }
    dir
}

fn scan(dir: &TempDir, options: &Options) -> Result<Plan, Error> {
    Plan::scan(dir.path(), options, &Cancel::new())
}

fn names(plan: &Plan) -> Vec<String> {
    (0..plan.len())
        .map(|index| String::from_utf8_lossy(plan.entry(index).name).into())
        .collect()
}

/// The kinds of the notices, with their paths below the source.
fn noticed(plan: &Plan) -> Vec<(NoticeKind, Vec<String>)> {
    let below = |path: &PathBuf| {
        let path = path.strip_prefix(plan.source()).unwrap();
        path.display().to_string()
    };
    let notices = plan.notices().iter();
    notices
        .map(|notice| {
            assert_eq!(notice.count, notice.paths.len() as u64);
            (notice.kind, notice.paths.iter().map(below).collect())
        })
        .collect()
}

#[test]
fn files_are_sorted_by_the_bytes_of_their_whole_names() {
    let dir = tree(&[
        ("a/b", 1),
        ("a.txt", 2),
        ("a-b/c", 3),
        ("B", 4),
        ("ä", 5),
        ("a/a/z", 0),
    ]);
    for threads in [1, 2, 16] {
        let plan = scan(&dir, &Options { threads, ..all() }).unwrap();
        assert_eq!(names(&plan), ["B", "a-b/c", "a.txt", "a/a/z", "a/b", "ä"]);
        assert_eq!(plan.total_size(), 15);
        assert_eq!(plan.find(b"a.txt"), Some(2));
        assert_eq!(plan.find(b"a"), None);
        assert_eq!(plan.path(2), dir.path().join("a.txt"));
    }
}

#[test]
fn hidden_files_are_left_out_only_on_request() {
    let dir = tree(&[
        (".env", 1),
        (".git/config", 1),
        ("src/.keep", 1),
        ("src/main", 1),
    ]);
    let plan = scan(&dir, &all()).unwrap();
    assert_eq!(
        names(&plan),
        [".env", ".git/config", "src/.keep", "src/main"]
    );
    let plan = scan(
        &dir,
        &Options {
            ignore_hidden: true,
            ..all()
        },
    )
    .unwrap();
    assert_eq!(names(&plan), ["src/main"]);
}

#[test]
fn a_hidden_source_itself_is_not_left_out() {
    let dir = tree(&[(".hidden/file", 1)]);
    let source = dir.path().join(".hidden");
    let options = Options {
        ignore_hidden: true,
        ..all()
    };
    assert_eq!(
        names(&Plan::scan(&source, &options, &Cancel::new()).unwrap()),
        ["file"]
    );
}

#[test]
fn entries_have_the_modes_and_times_of_their_files() {
    let dir = tree(&[("run.sh", 1)]);
    let path = dir.path().join("run.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    let time = std::time::UNIX_EPOCH - std::time::Duration::from_millis(1500);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let plan = scan(&dir, &all()).unwrap();
    let entry = plan.entry(0);
    assert_eq!(entry.mode, 0o4751);
    assert_eq!(
        entry.mtime,
        Mtime {
            secs: -2,
            nanos: 500_000_000
        }
    );
    assert!(!entry.via_link);
}

#[test]
fn by_default_links_to_files_are_followed_and_links_to_directories_are_left_out_with_a_notice() {
    let outside = tree(&[("target", 7)]);
    let dir = tree(&[("d/f", 1)]);
    symlink(outside.path().join("target"), dir.path().join("link")).unwrap();
    symlink("d", dir.path().join("to-d")).unwrap();
    symlink(".", dir.path().join("d/loop")).unwrap();
    let plan = scan(&dir, &all()).unwrap();
    assert_eq!(names(&plan), ["d/f", "link"]);
    assert_eq!((plan.entry(1).size, plan.entry(1).via_link), (7, true));
    assert_eq!(
        noticed(&plan),
        [
            (
                NoticeKind::DroppedLink,
                vec!["d/loop".into(), "to-d".into()]
            ),
            (NoticeKind::ExternalLink, vec!["link".into()]),
        ]
    );
}

#[test]
fn an_error_names_what_cannot_be_packed() {
    let dir = tree(&[("ok", 1)]);
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let error = scan(&dir, &all()).unwrap_err().to_string();
    assert!(
        error.contains("follow the symbolic link") && error.contains("dangling"),
        "{error}"
    );

    let dir = tree(&[("ok", 1)]);
    let _socket = UnixListener::bind(dir.path().join("sock")).unwrap();
    let error = scan(&dir, &all()).unwrap_err().to_string();
    assert!(error.contains("sock is a socket"), "{error}");

    let dir = tree(&[("a\nb", 1)]);
    let error = scan(&dir, &all()).unwrap_err();
    assert!(matches!(error, Error::Name { .. }), "{error}");
    assert_eq!(error.to_string().matches("rename").count(), 1, "{error}");
}

#[test]
fn a_source_must_be_a_directory() {
    let dir = tree(&[("file", 1)]);
    for (name, word) in [("file", "read"), ("missing", "find")] {
        let error = Plan::scan(&dir.path().join(name), &all(), &Cancel::new()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("cannot {word} the source directory")),
            "{text}"
        );
    }
}

#[test]
fn a_cancel_ends_the_walk() {
    let dir = tree(&[("file", 1)]);
    let stop = Cancel::new();
    stop.cancel();
    assert!(matches!(
        Plan::scan(dir.path(), &all(), &stop),
        Err(Error::Stopped)
    ));
}

#[test]
fn runs_cover_every_entry_once_and_split_at_giants() {
    let small = usize::try_from(BATCH_BYTES).unwrap() / 2;
    let dir = tree(&[
        ("a", small),
        ("b", small),
        ("c", 1),
        ("d", CHUNK),
        ("e", CHUNK + 1),
        ("f", CHUNK + 1),
        ("g", 0),
    ]);
    let runs: Vec<_> = scan(&dir, &all()).unwrap().runs().collect();
    assert_eq!(
        runs,
        [
            Run::Batch(0..2),
            Run::Batch(2..3),
            Run::Batch(3..4),
            Run::Giant(4),
            Run::Giant(5),
            Run::Batch(6..7)
        ]
    );
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(scan(&empty, &all()).unwrap().runs().count(), 0);
}

#[test]
fn an_item_takes_32_bytes() {
    assert_eq!(size_of::<Item>(), 32);
}
