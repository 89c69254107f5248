//! The same tree gives the same bytes: neither threads, nor the order of the file system, nor the path
//! to the source show in an archive, and nothing that an archive keeps can change without changing its
//! bytes. Its parts hold that any tree and any size is read back as it was.

mod forest;
mod giants;
mod properties;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Run as _, Tree, after, hoist, noise, text};

/// A name in the tree, and how to make it.
type Step = (String, Box<dyn Fn(&Tree, &str)>);

/// What is done to a tree, and how.
type Change<'a> = (&'a str, &'a dyn Fn(&Tree));

/// The tree, as steps that may be taken in any order.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut file = |name: &str, contents: Vec<u8>, mode: u32, mtime: i64| {
        let make = move |tree: &Tree, name: &str| {
            tree.file(name, &contents)
                .mode(name, mode)
                .mtime(name, mtime);
        };
        steps.push((name.to_owned(), Box::new(make)));
    };
    file("appspec.yml", text(300, 1), 0o644, 1_700_000_000);
    file("empty", Vec::new(), 0o600, 1);
    file("caf\u{e9}/.hidden", text(20, 2), 0o755, 1_700_000_001);
    for n in 0..120_u64 {
        let name = format!("site/{}/{}/page-{n}.html", n % 3, n * 7 % 11);
        file(
            &name,
            text(n as usize * 90, n),
            0o644,
            1_600_000_000 + n as i64,
        );
    }
    file("big/text", text((2 << 20) + 77, 3), 0o640, 1_650_000_000);
    file("big/noise", noise((1 << 20) + 1, 4), 0o644, 1_650_000_001);
    let both = [noise(1 << 19, 5), text(1 << 19, 6), vec![0; 1 << 19]].concat();
    file("big/both", both, 0o444, 1_650_000_002);
    for (name, target) in [
        ("link", "big/text"),
        ("site/up", ".."),
        ("caf\u{e9}/x", "/"),
    ] {
        let make = move |tree: &Tree, name: &str| {
            tree.symlink(name, target);
        };
        steps.push((name.to_owned(), Box::new(make)));
    }
    steps
}

fn tree<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Tree {
    let tree = Tree::new();
    for (name, make) in steps {
        make(&tree, name);
    }
    tree
}

/// The archive of `source`, relative to `from`.
#[track_caller]
fn pack(from: &Path, source: impl AsRef<Path>, configure: impl Fn(&mut Command)) -> Vec<u8> {
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("out.zip");
    let mut command = hoist();
    command
        .args(["pack", "-q", "--source"])
        .arg(source.as_ref());
    command.arg("--output").arg(&archive).current_dir(from);
    configure(&mut command);
    command.ok();
    fs::read(&archive).unwrap()
}

#[track_caller]
fn pack_plain(tree: &Tree) -> Vec<u8> {
    pack(Path::new("/"), tree.path(), |_| {})
}

#[test]
fn the_order_of_files_and_the_threads_do_not_show() {
    let steps = steps();
    let forwards = tree(&steps);
    let backwards = tree(steps.iter().rev());
    // 53 is prime, so every step is taken once.
    assert_ne!(steps.len() % 53, 0);
    let strides = tree((0..steps.len()).map(|n| &steps[n * 53 % steps.len()]));
    let first = pack_plain(&forwards);
    // Some file systems list names in an order of their own, and then only `check` shows whether names
    // are sorted; the file system in memory lists them in the order in which they were made.
    crate::strict_zip::check(&first).unwrap();
    let copy = in_memory(backwards.path());
    for (order, tree) in [
        ("forwards", forwards.path()),
        ("backwards", backwards.path()),
        ("in strides", strides.path()),
        (
            "in memory",
            copy.as_ref().map_or(backwards.path(), |copy| copy.path()),
        ),
    ] {
        for threads in ["1", "16"] {
            let bytes = pack(Path::new("/"), tree, |command| {
                command.args(["--threads", threads]);
            });
            assert!(bytes == first, "made {order}, packed by {threads} threads");
        }
    }
}

/// A copy on Linux's file system in memory, if there is one.
fn in_memory(tree: &Path) -> Option<tempfile::TempDir> {
    let copy = tempfile::tempdir_in("/dev/shm").ok()?;
    let mut cp = Command::new("cp");
    cp.arg("-a").arg(tree.join(".")).arg(copy.path()).ok();
    Some(copy)
}

#[test]
fn the_path_to_the_source_does_not_show() {
    let outer = tempfile::tempdir().unwrap();
    let tree = small_tree();
    let wanted = pack_plain(&tree);
    let link = outer.path().join("link");
    symlink(tree.path(), &link).unwrap();
    let parent = tree.path().parent().unwrap();
    let name = Path::new(tree.path().file_name().unwrap());
    for (from, source) in [
        (parent, name.to_owned()),
        (parent, Path::new(".").join(name)),
        (parent, name.join("")),
        (parent, name.join("dir/../caf\u{e9}/..")),
        (tree.path(), ".".into()),
        (&tree.path().join("dir"), "..".into()),
        (outer.path(), "link".into()),
        (outer.path(), link.join(".")),
        (&link, ".".into()),
    ] {
        let bytes = pack(from, &source, |_| {});
        assert!(
            bytes == wanted,
            "{} from {}",
            source.display(),
            from.display()
        );
    }
}

#[test]
fn the_environment_does_not_show() {
    let tree = small_tree();
    let wanted = pack_plain(&tree);
    for (name, value) in [
        ("TZ", "Pacific/Auckland"),
        ("LC_ALL", "tr_TR.UTF-8"),
        // It is meant to show in times after it, and this one is later than any file's.
        ("SOURCE_DATE_EPOCH", "4102444800"),
        ("RAYON_NUM_THREADS", "1"),
    ] {
        let bytes = pack(Path::new("/"), tree.path(), |command| {
            command.env(name, value);
        });
        assert!(bytes == wanted, "{name}={value}");
    }
    let bytes = pack(Path::new("/"), tree.path(), |command| {
        *command = after("umask 077", command);
    });
    assert!(bytes == wanted, "umask 077");
}

#[test]
fn a_change_of_what_an_archive_keeps_changes_its_bytes() {
    let first = pack_plain(&small_tree());
    let changes: [Change<'_>; 8] = [
        ("a second", &|tree| {
            tree.mtime("dir/page", Tree::MTIME + 1);
        }),
        ("a permission", &|tree| {
            tree.mode("dir/page", Tree::MODE | 1);
        }),
        ("content of the same length and time", &|tree| {
            tree.file("other", "OTHER");
        }),
        ("a name", &|tree| {
            fs::rename(tree.path().join("other"), tree.path().join("Other")).unwrap();
        }),
        ("a file less", &|tree| {
            fs::remove_file(tree.path().join("other")).unwrap();
        }),
        ("an empty file more", &|tree| {
            tree.file("dir/a", "");
        }),
        ("another target of a link", &|tree| {
            fs::remove_file(tree.path().join("link")).unwrap();
            tree.symlink("link", "other");
        }),
        ("the permissions of a link's target", &|tree| {
            tree.mode("dir/page", 0o600);
        }),
    ];
    for (what, change) in changes {
        let tree = small_tree();
        assert!(pack_plain(&tree) == first, "before {what}");
        change(&tree);
        assert!(pack_plain(&tree) != first, "{what} does not show");
    }
}

#[test]
fn a_change_of_what_an_archive_does_not_keep_changes_nothing() {
    let tree = small_tree();
    let first = pack_plain(&tree);
    let root = tree.path();
    let unchanged = |what: &str| assert!(pack_plain(&tree) == first, "{what} shows");

    tree.dir("empty/below/it").dir(".hidden");
    unchanged("an empty directory");
    fs::set_permissions(root.join("dir"), fs::Permissions::from_mode(0o700)).unwrap();
    tree.mtime("dir", 5);
    unchanged("a directory's mode or time");
    let page = fs::File::open(root.join("dir/page")).unwrap();
    let seconds = Duration::from_secs(Tree::MTIME.unsigned_abs());
    let nanos = Duration::from_nanos(999_999_999);
    page.set_modified(UNIX_EPOCH + seconds + nanos).unwrap();
    unchanged("a part of a second");
    tree.symlink("up", "..");
    unchanged("a link to a directory");
    let outside = tempfile::tempdir().unwrap();
    fs::hard_link(root.join("dir/page"), outside.path().join("twin")).unwrap();
    unchanged("a second hard link");
    fs::remove_file(root.join("link")).unwrap();
    tree.file("link", text(5000, 1));
    unchanged("a copy in a link's place");
    tree.file("dir/page", text(5000, 1));
    unchanged("the same file, written again");
}

fn small_tree() -> Tree {
    let tree = Tree::new();
    tree.file("dir/page", text(5000, 1)).file("other", "other");
    tree.file("caf\u{e9}/.hidden", text(20, 2))
        .mode("caf\u{e9}/.hidden", 0o755);
    tree.symlink("link", "dir/page");
    tree
}
