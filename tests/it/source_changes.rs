//! A source that changes while it is pushed: what is registered is whole, or nothing is left.
//!
//! The endpoint changes the source when the first part arrives, when the walk is over and the upload is
//! under way. A giant keeps the packer busy until then, so that it has not read what comes after the
//! giant in the archive.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use hoist::endpoint::faults::Operation;

use crate::support::{
    APPSPEC, Done, Run as _, Scene, Tree, as_nobody, hoist, names, noise, packed, text,
};

/// Several times what the packer may have read before a part is sent.
const GIANT: u64 = 72 << 20;

const SMALL: &str = "site/small";

/// A revision whose giant comes before its small file. Its zeros take no room on the disk.
fn revision() -> Tree {
    let tree = Tree::revision();
    tree.sparse("giant", GIANT, b"").file(SMALL, text(3000, 1));
    tree
}

/// A scene, and an empty directory for what a push may leave on the disk besides.
struct Place {
    scene: Scene,
    temporary: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            scene: Scene::of(revision()),
            temporary: tempfile::tempdir().unwrap(),
        }
    }

    /// A push that reads one thing after the other.
    fn push(&self, source: &Path) -> Command {
        let mut command = self.scene.push_of(source, &["-q", "--level", "0"]);
        command
            .args(["--threads", "1", "--concurrency", "1"])
            .env("TMPDIR", self.temporary.path())
            .current_dir(self.temporary.path());
        command
    }

    /// Runs a push, and changes the source when its first part arrives.
    fn run(
        &self,
        source: &Path,
        push: &mut Command,
        change: impl Fn(&Path) + Send + Sync + 'static,
    ) -> Done {
        let (changed, path) = (Arc::new(AtomicBool::new(false)), source.to_owned());
        let done = Arc::clone(&changed);
        self.scene.choose(move |request| {
            if request.operation == Operation::UploadPart && !done.swap(true, Ordering::SeqCst) {
                change(&path);
            }
            None
        });
        let done = push.done();
        assert!(changed.load(Ordering::SeqCst), "no part came: {done}");
        done
    }

    /// A push of the tree that is changed like this must succeed.
    #[track_caller]
    fn succeeds(&self, change: impl Fn(&Path) + Send + Sync + 'static) -> Vec<u8> {
        let source = self.scene.tree.path();
        let done = self.run(source, &mut self.push(source), change);
        assert_eq!(done.code, Some(0), "{done}");
        self.scene.stored().unwrap()
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        self.scene.assert_nothing_is_left();
        assert_eq!(names(self.temporary.path()), [""; 0], "temporary files");
    }
}

#[track_caller]
fn assert_fails(name: &str, how: &str, change: impl Fn(&Path) + Send + Sync + 'static) {
    let place = Place::new();
    let source = place.scene.tree.path();
    let done = place.run(source, &mut place.push(source), change);
    assert_eq!(done.code, Some(255), "{name}, {how}: {done}");
    let expected = format!(
        "hoist: {} changed while it was being packed: {how}; try again when nothing writes to the \
         source\n",
        source.join(name).display()
    );
    assert_eq!((&*done.stdout, done.stderr), ("", expected));
    place.assert_nothing_is_left();
}

fn append(path: &Path) {
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(b"more").unwrap();
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

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_grows_fails_the_push() {
    assert_fails("giant", "its size changed", |dir| {
        append(&dir.join("giant"));
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
fn a_giant_whose_time_or_mode_changes_fails_the_push() {
    assert_fails("giant", "it was modified", |dir| {
        let file = fs::File::open(dir.join("giant")).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    });
    assert_fails("giant", "its permissions changed", |dir| {
        set_mode(&dir.join("giant"), 0o600);
    });
}

/// The other file has the same name, size, time and mode, and only its place is another.
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
    // A link that stays inside the source fails it too.
    assert_fails(SMALL, how, |dir| {
        fs::rename(dir.join("site"), dir.join("aside")).unwrap();
        symlink("aside", dir.join("site")).unwrap();
    });
}

/// Another directory takes the place of the source: the one that was listed is pushed.
#[test]
fn a_source_that_is_replaced_is_read_where_it_went() {
    let place = Place::new();
    let holder = tempfile::tempdir().unwrap();
    let source = holder.path().join("source");
    fs::rename(place.scene.tree.path(), &source).unwrap();
    fs::create_dir(place.scene.tree.path()).unwrap();
    let done = place.run(&source, &mut place.push(&source), |dir| {
        fs::rename(dir, dir.with_extension("moved")).unwrap();
        fs::create_dir_all(dir.join("site")).unwrap();
        fs::write(dir.join(SMALL), vec![b's'; 3000]).unwrap();
    });
    assert_eq!(done.code, Some(0), "{done}");
    // At level 0 the small file is stored as it was.
    let archive = place.scene.stored().unwrap();
    let tail = &archive[archive.len() - 10_000..];
    let content = text(3000, 1);
    assert!(tail.windows(3000).any(|window| window == content));
}

#[test]
fn a_file_that_loses_its_permissions_fails_the_push() {
    let place = Place::new();
    let source = place.scene.tree.path();
    set_mode(source, 0o755);
    set_mode(place.temporary.path(), 0o777);
    let Some((mut push, _binary)) = as_nobody(&place.push(source)) else {
        return;
    };
    let done = place.run(source, &mut push, |dir| set_mode(&dir.join(SMALL), 0o000));
    let path = source.join(SMALL);
    let expected = format!("hoist: cannot open {}: Permission denied", path.display());
    assert!(done.stderr.starts_with(&expected), "{done}");
    assert_eq!(done.code, Some(255));
    place.assert_nothing_is_left();
}

#[test]
fn a_giant_that_vanishes_after_it_was_opened_is_pushed_whole() {
    let object = Place::new().succeeds(|dir| fs::remove_file(dir.join("giant")).unwrap());
    assert!(object.len() as u64 > GIANT);
}

/// A file of the same size that takes the place of a small file before it is read is pushed, wholly.
#[test]
fn a_small_file_that_is_replaced_before_it_is_read_is_the_newer_one() {
    let place = Place::new();
    let object = place.succeeds(|dir| {
        replace(&dir.join(SMALL), &text(3000, 9));
        let file = fs::File::open(dir.join(SMALL)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        file.set_modified(time).unwrap();
    });
    let now = packed(place.scene.tree.path(), "a.zip", &["--level", "0"]);
    assert!(
        object == now,
        "it is not the archive of the tree as it is now"
    );
}

/// Files are rewritten all the time, each with one byte again and again, and renamed, and given other
/// modes: a pack fails and names one of them, or every file in the archive is of one piece.
#[test]
fn under_constant_change_a_pack_fails_or_every_file_is_of_one_piece() {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC);
    let files: Vec<String> = (0..6).map(|n| format!("dir-{}/f{n}", n % 2)).collect();
    let len = |n: usize| [100, 5000, 200_000, 700_000, 1 << 20, 3 << 20][n];
    for (n, name) in files.iter().enumerate() {
        tree.file(name, vec![b'a'; len(n)]);
    }
    tree.file("noise", noise(1 << 20, 1));
    let over = AtomicBool::new(false);
    let (mut whole, mut failed) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let n = round as usize % files.len();
                let path = tree.path().join(&files[n]);
                let bytes = vec![b'a' + u8::try_from(round % 26).unwrap(); len(n)];
                match round % 4 {
                    0 => replace(&path, &bytes),
                    1 => {
                        let mut file = fs::File::options().write(true).open(&path).unwrap();
                        file.write_all(&bytes).unwrap();
                    }
                    2 => fs::write(&path, &bytes).unwrap(),
                    _ => set_mode(&path, 0o600 + (round / 4) % 64),
                }
                round += 1;
                thread::sleep(Duration::from_micros(u64::from(round) * 7919 % 40_000));
            }
        });
        // Also when an assertion fails: the scope waits for the writer.
        let _end = StoredWhenDropped(&over);
        let out = tempfile::tempdir().unwrap();
        for round in 0..30 {
            let target = out.path().join("out.zip");
            let mut pack = hoist();
            pack.args(["pack", "-q", "--level", "1", "--threads", "3", "--source"]);
            let done = pack.arg(tree.path()).arg("-o").arg(&target).done();
            if done.code == Some(0) {
                assert_of_one_piece(&target, round);
                fs::remove_file(&target).unwrap();
                whole += 1;
            } else {
                let named = files.iter().any(|name| done.stderr.contains(name));
                assert!(named && done.stderr.contains("changed"), "{done}");
                failed += 1;
            }
            assert_eq!(names(out.path()), [""; 0], "something is left");
        }
    });
    eprintln!("{whole} whole, {failed} failed");
    assert!(failed > 0, "nothing changed at the wrong time");
}

/// Says that something is over.
struct StoredWhenDropped<'a>(&'a AtomicBool);

impl Drop for StoredWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Every file of that test holds one byte, however often.
fn assert_of_one_piece(archive: &Path, round: usize) {
    let mut zip = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        if !name.starts_with("dir-") {
            continue;
        }
        let mut content = Vec::new();
        // The reader checks the CRC-32.
        entry.read_to_end(&mut content).unwrap();
        assert_eq!(content.len() as u64, entry.size());
        // Writing a file anew empties it first, so a file that was listed then is empty.
        let Some(&first) = content.first() else {
            continue;
        };
        let torn = content.iter().position(|&byte| byte != first);
        assert_eq!(torn, None, "round {round}: {name} of {first}");
    }
}
