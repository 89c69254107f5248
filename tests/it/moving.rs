//! A source that changes while it is pushed: what is registered is whole, or nothing is left.
//!
//! Requests go through a proxy that changes the source when the first part passes, so each change
//! comes when the walk is over and the upload is under way. A giant keeps the packer busy until
//! then: what comes after it in the archive was not read yet.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::support::settings::stderr;
use crate::support::{Between, Server, Tree, as_nobody, hoist, noise, run, text};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// More than the packer may have read before somebody took the first part, several times.
const GIANT: u64 = 200 << 20;

const SMALL: &str = "site/small";

/// A revision whose giant comes before its small file. Its zeros take no room on the disk.
fn revision() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC)
        .file("giant", "")
        .file(SMALL, text(3000, 1));
    let giant = fs::File::options()
        .write(true)
        .open(tree.path().join("giant"));
    giant.unwrap().set_len(GIANT).unwrap();
    tree.mtime("giant", Tree::MTIME);
    tree
}

/// A server, and nothing that a push may leave on the disk besides.
struct Place {
    server: Server,
    temporary: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let server = Server::start();
        server.make_bucket("bucket");
        server.make_application("App", "Server");
        Self {
            server,
            temporary: tempfile::tempdir().unwrap(),
        }
    }

    /// A push that reads one thing after the other.
    fn push(&self, source: &Path) -> Command {
        let mut command = self.server.client();
        command
            .args(["push", "-q", "--application-name", "App", "--level", "0"])
            .args(["--threads", "1", "--concurrency", "1"])
            .args(["--s3-location", "s3://bucket/key.zip", "--source"])
            .arg(source)
            .env("TMPDIR", self.temporary.path())
            .current_dir(self.temporary.path());
        command
    }

    fn object(&self) -> PathBuf {
        self.server.dir().join("buckets/bucket/objects/key.zip")
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        assert!(!self.object().exists(), "an object");
        let uploads = fs::read_dir(self.server.dir().join("buckets/bucket/uploads"));
        assert_eq!(uploads.unwrap().count(), 0, "open uploads");
        let revisions = self.server.revisions("App");
        assert!(revisions.contains(r#""revisions":[]"#), "{revisions}");
        let temporary = fs::read_dir(self.temporary.path()).unwrap();
        assert_eq!(temporary.count(), 0, "temporary files");
    }
}

/// Pushes, and changes the source when the first part passes.
fn pushed(
    place: &Place,
    source: &Path,
    command: impl FnOnce(Command) -> Command,
    change: impl Fn(&Path) + Send + Sync + 'static,
) -> Output {
    let (done, path) = (Arc::new(AtomicBool::new(false)), source.to_owned());
    let changed = Arc::clone(&done);
    let proxy = Between::before(&place.server, move |head| {
        if head.operation() == "UploadPart" && !changed.swap(true, Ordering::SeqCst) {
            change(&path);
        }
        None
    });
    let mut push = command(place.push(source));
    proxy.point(&mut push);
    let output = push.output().unwrap();
    assert!(done.load(Ordering::SeqCst), "no part: {}", stderr(&output));
    output
}

#[track_caller]
fn assert_fails(name: &str, how: &str, change: impl Fn(&Path) + Send + Sync + 'static) {
    let (place, tree) = (Place::new(), revision());
    let output = pushed(&place, tree.path(), |push| push, change);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(255), "{name}, {how}: {said}");
    let path = tree.path().join(name);
    let expected = format!(
        "hoist: {} changed while it was being packed: {how}; try again when nothing writes to the \
         source\n",
        path.display()
    );
    assert_eq!(said, expected);
    assert_eq!(output.stdout, b"");
    place.assert_nothing_is_left();
}

fn append(path: &Path) {
    let file = fs::File::options().append(true).open(path).unwrap();
    std::io::Write::write_all(&mut &file, b"more").unwrap();
}

fn shorten(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(1000).unwrap();
}

/// Renames another file over it.
fn replace(path: &Path, content: &[u8]) {
    let other = path.with_extension("other");
    fs::write(&other, content).unwrap();
    fs::rename(other, path).unwrap();
}

#[test]
fn a_file_that_grows_fails_the_push() {
    assert_fails("giant", "its size changed", |dir| {
        append(&dir.join("giant"))
    });
    assert_fails(SMALL, "its size changed", |dir| append(&dir.join(SMALL)));
}

#[test]
fn a_file_that_shrinks_fails_the_push() {
    assert_fails("giant", "it shrank", |dir| shorten(&dir.join("giant")));
    assert_fails(SMALL, "its size changed", |dir| shorten(&dir.join(SMALL)));
}

#[test]
fn a_file_that_vanishes_fails_the_push() {
    assert_fails(SMALL, "it vanished", |dir| {
        fs::remove_file(dir.join(SMALL)).unwrap();
    });
    assert_fails(SMALL, "it vanished", |dir| {
        fs::remove_dir_all(dir.join("site")).unwrap();
    });
}

#[test]
fn a_file_that_is_replaced_fails_the_push() {
    assert_fails(SMALL, "its size changed", |dir| {
        replace(&dir.join(SMALL), b"another");
    });
    assert_fails(SMALL, "it became a symbolic link", |dir| {
        fs::rename(dir.join(SMALL), dir.join("aside")).unwrap();
        symlink("../aside", dir.join(SMALL)).unwrap();
    });
    assert_fails(SMALL, "it is no longer a file", |dir| {
        fs::remove_file(dir.join(SMALL)).unwrap();
        fs::create_dir(dir.join(SMALL)).unwrap();
    });
}

#[test]
fn a_giant_that_is_touched_fails_the_push() {
    assert_fails("giant", "it was modified", |dir| {
        let file = fs::File::open(dir.join("giant")).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    });
    assert_fails("giant", "its permissions changed", |dir| {
        fs::set_permissions(dir.join("giant"), fs::Permissions::from_mode(0o600)).unwrap();
    });
}

/// Same names, sizes, times and modes outside: only where they are tells them apart.
#[test]
fn a_directory_that_becomes_a_link_fails_the_push() {
    let outside = Tree::new();
    outside.file("small", vec![b's'; 3000]);
    let target = outside.path().to_owned();
    let how = "a directory on the way to it became a symbolic link";
    assert_fails(SMALL, how, move |dir| {
        fs::rename(dir.join("site"), dir.join("aside")).unwrap();
        symlink(&target, dir.join("site")).unwrap();
    });
    // Neither does one that stays inside.
    assert_fails(SMALL, how, |dir| {
        fs::rename(dir.join("site"), dir.join("aside")).unwrap();
        symlink("aside", dir.join("site")).unwrap();
    });
}

/// The source itself is another directory now; what was listed is pushed.
#[test]
fn a_source_that_is_replaced_is_read_where_it_is() {
    let (place, holder) = (Place::new(), tempfile::tempdir().unwrap());
    let tree = revision();
    let source = holder.path().join("source");
    fs::rename(tree.path(), &source).unwrap();
    fs::create_dir(tree.path()).unwrap();
    let output = pushed(
        &place,
        &source,
        |push| push,
        |dir| {
            fs::rename(dir, dir.with_extension("moved")).unwrap();
            fs::create_dir_all(dir.join("site")).unwrap();
            fs::write(dir.join(SMALL), vec![b's'; 3000]).unwrap();
        },
    );
    assert!(output.status.success(), "{}", stderr(&output));
    // A byte of the small file, stored as it was.
    let archive = fs::read(place.object()).unwrap();
    let tail = &archive[archive.len() - 10_000..];
    let content = text(3000, 1);
    assert!(tail.windows(3000).any(|window| window == content));
}

#[test]
fn a_file_that_loses_its_permissions_fails_the_push() {
    let (place, tree) = (Place::new(), revision());
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.temporary.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let Some((nobody, _binary)) = as_nobody(&place.push(tree.path())) else {
        return;
    };
    let output = pushed(
        &place,
        tree.path(),
        |_| nobody,
        |dir| {
            fs::set_permissions(dir.join(SMALL), fs::Permissions::from_mode(0o000)).unwrap();
        },
    );
    let said = stderr(&output);
    let path = tree.path().join(SMALL);
    let expected = format!("hoist: cannot open {}: Permission denied", path.display());
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(output.status.code(), Some(255));
    place.assert_nothing_is_left();
}

/// A name that goes while the file is open takes nothing away.
#[test]
fn a_giant_that_vanishes_after_it_was_opened_is_whole() {
    let (place, tree) = (Place::new(), revision());
    let output = pushed(
        &place,
        tree.path(),
        |push| push,
        |dir| {
            fs::remove_file(dir.join("giant")).unwrap();
        },
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(fs::metadata(place.object()).unwrap().len() > GIANT);
}

/// A small file that is another of the same size before it is read is the other, wholly.
#[test]
fn a_small_file_is_the_newer_one() {
    let (place, tree) = (Place::new(), revision());
    let output = pushed(
        &place,
        tree.path(),
        |push| push,
        |dir| {
            replace(&dir.join(SMALL), &text(3000, 9));
            let file = fs::File::open(dir.join(SMALL)).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            file.set_modified(time).unwrap();
        },
    );
    assert!(output.status.success(), "{}", stderr(&output));
    // Byte for byte what a push of the tree as it is now gives.
    let (still, quiet) = (fs::read(place.object()).unwrap(), Place::new());
    run(&mut quiet.push(tree.path()));
    assert!(fs::read(quiet.object()).unwrap() == still);
}

/// Files that are rewritten all the time, each with one byte again and again, and renamed, and
/// given other modes: a push fails and names one of them, or every file in it is of one piece.
#[test]
fn a_race_is_never_lost_without_a_word() {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC);
    let names: Vec<String> = (0..6).map(|n| format!("dir-{}/f{n}", n % 2)).collect();
    let len = |n: usize| [100, 5000, 200_000, 700_000, 1 << 20, 3 << 20][n];
    for (n, name) in names.iter().enumerate() {
        tree.file(name, vec![b'a'; len(n)]);
    }
    tree.file("noise", noise(1 << 20, 1));
    let over = AtomicBool::new(false);
    let (mut whole, mut failed) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let n = round as usize % names.len();
                let path = tree.path().join(&names[n]);
                let bytes = vec![b'a' + u8::try_from(round % 26).unwrap(); len(n)];
                match round % 4 {
                    0 => replace(&path, &bytes),
                    1 => {
                        let file = fs::File::options().write(true).open(&path).unwrap();
                        std::io::Write::write_all(&mut &file, &bytes).unwrap();
                    }
                    2 => fs::write(&path, &bytes).unwrap(),
                    _ => {
                        let mode = fs::Permissions::from_mode(0o600 + (round / 4) % 64);
                        fs::set_permissions(&path, mode).unwrap();
                    }
                }
                round += 1;
                thread::sleep(Duration::from_micros(u64::from(round) * 7919 % 40_000));
            }
        });
        let out = tempfile::tempdir().unwrap();
        for round in 0..30 {
            let target = out.path().join("out.zip");
            let mut pack = hoist();
            pack.args(["pack", "-q", "--level", "1", "--threads", "3", "--source"])
                .arg(tree.path())
                .arg("-o")
                .arg(&target);
            let output = pack.output().unwrap();
            if output.status.success() {
                assert_of_one_piece(&target, round);
                fs::remove_file(&target).unwrap();
                whole += 1;
            } else {
                let said = stderr(&output);
                let named = names.iter().any(|name| said.contains(name.as_str()));
                assert!(named && said.contains("changed"), "{said}");
                failed += 1;
            }
            assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "left behind");
        }
        over.store(true, Ordering::Relaxed);
    });
    eprintln!("{whole} whole, {failed} failed");
    assert!(failed > 0, "nothing raced");
}

/// Every file of the race holds one byte, however often.
fn assert_of_one_piece(archive: &Path, round: usize) {
    let mut zip = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        if !name.starts_with("dir-") {
            continue;
        }
        let mut content = Vec::new();
        // It checks the CRC-32.
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        assert_eq!(content.len() as u64, entry.size());
        let first = content[0];
        let torn = content.iter().position(|&byte| byte != first);
        assert_eq!(torn, None, "round {round}: {name} of {first}");
    }
}
