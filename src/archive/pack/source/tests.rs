//! Files that change while they are read, at chosen moments.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use super::hook::{Moment, hooked};
use super::*;
use crate::archive::deflate::Level;
use crate::archive::limits::{CHUNK, Limits, MIB};
use crate::archive::pack::{Options, Packed, pack};
use crate::archive::plan;
use crate::archive::tar;
use crate::bundle::Format;
use crate::cancel::Cancel;
use crate::progress::Progress;

const NAME: &str = "dir/file";

/// 2024, on a whole second and an even one, as zip has them.
const PLANNED: u64 = 1_720_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn set(path: &Path, content: &[u8], seconds: u64, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    fs::File::open(path)
        .unwrap()
        .set_modified(at(seconds))
        .unwrap();
}

struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    fn of(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("dir")).unwrap();
        set(&dir.path().join(NAME), content, PLANNED, 0o644);
        Self { dir }
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join(NAME)
    }

    /// Packs, and calls `change` with the path at the `n`th time that the moment comes.
    fn pack(
        &self,
        format: Format,
        when: Moment,
        times: std::ops::Range<usize>,
        change: impl Fn(&Path) + Send + Sync + 'static,
    ) -> (Result<(Vec<u8>, Packed), Error>, usize) {
        let options = plan::Options {
            ignore_hidden: false,
            threads: 1,
            ..plan::Options::default()
        };
        let plan = Plan::scan(self.dir.path(), &options, &Cancel::new()).unwrap();
        let options = Options {
            format,
            level: Level::default().into(),
            limits: Limits {
                threads: 1,
                budget: 4 * MIB,
                part_size: 64 << 10,
                queue: 1,
                concurrency: 1,
            },
            digest: true,
        };
        let (path, opened) = (self.file(), Arc::new(AtomicUsize::new(0)));
        let (count, seen) = (Arc::clone(&opened), AtomicUsize::new(0));
        let hook = move |moment: Moment, name: &str| {
            assert_eq!(name, NAME);
            if moment == Moment::Open {
                count.fetch_add(1, SeqCst);
            }
            if moment == when && times.contains(&seen.fetch_add(1, SeqCst)) {
                change(&path);
            }
        };
        let mut parts = Vec::new();
        let packed = hooked(hook, || {
            pack(
                &plan,
                &options,
                &Cancel::new(),
                &Progress::new(),
                &mut |part| {
                    parts.push(part);
                    Ok(())
                },
            )
        });
        parts.sort_by_key(|part| part.number);
        let bytes = parts.iter().flat_map(|part| part.body.to_vec()).collect();
        let tries = opened.load(SeqCst);
        (packed.map(|packed| (bytes, packed)), tries)
    }
}

/// Time, mode and content of the only entry, as both readers of a zip see them, or a tar's.
fn entry(format: Format, archive: &[u8]) -> (i64, u32, Vec<u8>) {
    let inflate = |data: &[u8], len: usize| {
        let mut bytes = vec![0; len];
        let done = libdeflater::Decompressor::new().deflate_decompress(data, &mut bytes);
        assert_eq!(done.unwrap(), len);
        bytes
    };
    if format == Format::Zip {
        // The checker compares local and central headers.
        let entries = crate::archive::zip::check(archive).unwrap();
        let only = &entries[0];
        let data = only.data.unwrap();
        let content = match only.method {
            crate::archive::zip::Method::Stored => data.to_vec(),
            crate::archive::zip::Method::Deflate => inflate(data, only.uncompressed as usize),
        };
        assert_eq!(only.crc32, crc32fast::hash(&content));
        return (only.mtime, only.mode & 0o7777, content);
    }
    let mut stream = archive.to_vec();
    if format == Format::Tgz {
        stream.clear();
        let mut decoder = flate2::read::MultiGzDecoder::new(archive);
        std::io::Read::read_to_end(&mut decoder, &mut stream).unwrap();
    }
    let header = tar::parse(stream[..512].try_into().unwrap())
        .unwrap()
        .unwrap();
    let octal = |range: std::ops::Range<usize>| {
        let text = std::str::from_utf8(&stream[range]).unwrap();
        i64::from_str_radix(text.trim_matches(['\0', ' ']), 8).unwrap()
    };
    let len = header.size as usize;
    let (mode, mtime) = (octal(100..108) as u32, octal(136..148));
    (mtime, mode, stream[512..512 + len].to_vec())
}

fn how(result: Result<(Vec<u8>, Packed), Error>) -> &'static str {
    match result.unwrap_err() {
        Error::Changed { path, how } => {
            assert!(path.ends_with(NAME), "{path:?}");
            how
        }
        other => panic!("{other}"),
    }
}

const OLD: &[u8] = b"the old content, all of it, of this file";
const NEW: &[u8] = b"the new content, all of it, of that file";

#[test]
fn a_small_file_that_becomes_another_of_its_size_is_read_once_more() {
    for format in Format::ALL {
        for when in [Moment::Open, Moment::Opened, Moment::Read] {
            let tree = Tree::of(OLD);
            let (packed, tries) = tree.pack(format, when, 0..1, |path| {
                set(path, NEW, PLANNED + 600, 0o755);
            });
            let (archive, packed) = packed.unwrap();
            assert_eq!(tries, 2, "{format} {when:?}");
            let now = (PLANNED as i64 + 600, 0o755, NEW.to_vec());
            assert_eq!(entry(format, &archive), now, "{format} {when:?}");
            // What a push of it gives that nothing disturbs.
            let (again, tries) = tree.pack(format, Moment::Read, 0..0, |_| ());
            assert_eq!(again.unwrap(), (archive, packed), "{format} {when:?}");
            assert_eq!(tries, 1);
        }
    }
}

#[test]
fn only_a_mode_or_a_time_counts_as_well() {
    for format in Format::ALL {
        for (seconds, mode) in [(PLANNED, 0o600), (PLANNED + 2, 0o644)] {
            let tree = Tree::of(OLD);
            let change = move |path: &Path| set(path, OLD, seconds, mode);
            let (packed, tries) = tree.pack(format, Moment::Read, 0..1, change);
            let now = (seconds as i64, mode, OLD.to_vec());
            assert_eq!(entry(format, &packed.unwrap().0), now, "{format}");
            assert_eq!(tries, 2);
        }
    }
}

#[test]
fn a_file_that_is_replaced_meanwhile_is_the_new_one() {
    for format in Format::ALL {
        let tree = Tree::of(OLD);
        let (packed, tries) = tree.pack(format, Moment::Open, 0..1, |path| {
            let other = path.with_extension("other");
            set(&other, NEW, PLANNED - 60, 0o644);
            fs::rename(&other, path).unwrap();
        });
        let now = (PLANNED as i64 - 60, 0o644, NEW.to_vec());
        assert_eq!(entry(format, &packed.unwrap().0), now, "{format}");
        assert_eq!(tries, 2);
    }
}

#[test]
fn a_file_that_is_written_anew_is_waited_for_once() {
    let tree = Tree::of(OLD);
    // Emptied first, as editors do it, and full again at the second look.
    let (emptied, full) = (AtomicUsize::new(0), PLANNED + 10);
    let (packed, tries) = tree.pack(Format::Zip, Moment::Open, 0..2, move |path| {
        match emptied.fetch_add(1, SeqCst) {
            0 => fs::write(path, "").unwrap(),
            _ => set(path, NEW, full, 0o644),
        }
    });
    let now = (PLANNED as i64 + 10, 0o644, NEW.to_vec());
    assert_eq!(entry(Format::Zip, &packed.unwrap().0), now);
    assert_eq!(tries, 2);
}

#[test]
fn a_file_that_does_not_hold_still_is_given_up() {
    for format in Format::ALL {
        let tree = Tree::of(OLD);
        let changes = AtomicUsize::new(1);
        let (packed, tries) = tree.pack(format, Moment::Read, 0..9, move |path| {
            let seconds = PLANNED + 60 * changes.fetch_add(1, SeqCst) as u64;
            set(path, NEW, seconds, 0o644);
        });
        assert_eq!(how(packed), "it was modified", "{format}");
        assert_eq!(tries, 2, "one more try and no other");
    }
}

#[test]
fn another_size_is_never_packed() {
    for format in Format::ALL {
        for (when, len) in [
            (Moment::Open, OLD.len() + 1),
            (Moment::Read, OLD.len() + 1),
            (Moment::Open, OLD.len() - 1),
            (Moment::Read, 0),
        ] {
            let tree = Tree::of(OLD);
            let (packed, tries) = tree.pack(format, when, 0..1, move |path| {
                set(path, &vec![b'x'; len], PLANNED, 0o644);
            });
            assert_eq!(how(packed), "its size changed", "{format} {when:?} {len}");
            assert_eq!(tries, 2);
        }
    }
}

/// A time that a tar has no field for takes another header, and where entries are is settled.
#[test]
fn a_tar_has_no_room_for_a_time_before_1970() {
    for (format, fits) in [
        (Format::Zip, true),
        (Format::Tar, false),
        (Format::Tgz, false),
    ] {
        let tree = Tree::of(OLD);
        let (packed, _) = tree.pack(format, Moment::Open, 0..1, |path| {
            let file = fs::File::open(path).unwrap();
            let time = SystemTime::UNIX_EPOCH - Duration::from_secs(100_000_000_000);
            file.set_modified(time).unwrap();
        });
        match fits {
            true => drop(packed.unwrap()),
            false => assert_eq!(how(packed), "it was modified", "{format}"),
        }
    }
}

#[test]
fn a_giant_is_never_read_twice() {
    let content = vec![b'g'; 2 * CHUNK + 5];
    let same = content.clone();
    type Change = Box<dyn Fn(&Path) + Send + Sync>;
    let changes: [(Change, &str); 5] = [
        (
            Box::new(move |path| set(path, &same, PLANNED + 1, 0o644)),
            "it was modified",
        ),
        (
            Box::new(|path| set(path, b"small", PLANNED, 0o644)),
            "its size changed",
        ),
        (
            Box::new(|path| {
                let file = fs::File::options().append(true).open(path).unwrap();
                file.set_len(3 * CHUNK as u64).unwrap();
                file.set_modified(at(PLANNED)).unwrap();
            }),
            "its size changed",
        ),
        (
            Box::new(|path| {
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
            }),
            "its permissions changed",
        ),
        (
            Box::new(|path| {
                fs::File::create(path)
                    .unwrap()
                    .set_modified(at(PLANNED))
                    .unwrap()
            }),
            "its size changed",
        ),
    ];
    for (change, expected) in changes {
        let change: Arc<dyn Fn(&Path) + Send + Sync> = Arc::from(change);
        for format in Format::ALL {
            let tree = Tree::of(&content);
            let change = Arc::clone(&change);
            // Its last moment: all of it was read.
            let (packed, tries) = tree.pack(format, Moment::Read, 0..1, move |path| change(path));
            assert_eq!(how(packed), expected, "{format}");
            assert_eq!(tries, 1, "{format}");
        }
    }
}

#[test]
fn a_giant_whose_name_goes_is_still_whole() {
    let content = vec![b'g'; 2 * CHUNK + 5];
    for format in Format::ALL {
        let tree = Tree::of(&content);
        let (packed, _) = tree.pack(format, Moment::Read, 0..1, |path| {
            fs::remove_file(path).unwrap()
        });
        let planned = (PLANNED as i64, 0o644, content.clone());
        assert_eq!(entry(format, &packed.unwrap().0), planned, "{format}");
    }
}

/// What is outside has the planned size, time and mode, so that nothing else gives it away.
#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    for content in [OLD.to_vec(), vec![b'g'; 2 * CHUNK]] {
        for format in Format::ALL {
            let tree = Tree::of(&content);
            let outside = tempfile::tempdir().unwrap();
            let secret = vec![b's'; content.len()];
            set(&outside.path().join("file"), &secret, PLANNED, 0o644);
            let target = outside.path().to_owned();
            let (packed, _) = tree.pack(format, Moment::Open, 0..1, move |path| {
                let dir = path.parent().unwrap();
                fs::rename(dir, dir.with_extension("aside")).unwrap();
                symlink(&target, dir).unwrap();
            });
            let expected = "a directory on the way to it became a symbolic link";
            assert_eq!(how(packed), expected, "{format}");
        }
    }
}

#[test]
fn a_link_that_the_walk_saw_is_followed() {
    let tree = Tree::of(OLD);
    let outside = tempfile::tempdir().unwrap();
    set(&outside.path().join("x"), NEW, PLANNED, 0o640);
    fs::remove_file(tree.file()).unwrap();
    symlink(outside.path().join("x"), tree.file()).unwrap();
    for format in Format::ALL {
        let (packed, tries) = tree.pack(format, Moment::Read, 0..0, |_| ());
        let linked = (PLANNED as i64, 0o640, NEW.to_vec());
        assert_eq!(entry(format, &packed.unwrap().0), linked, "{format}");
        assert_eq!(tries, 1);
    }
}

/// Within one tick of the clock that files take their time from, a second change leaves no trace.
#[test]
fn a_file_of_the_present_tick_is_read_in_the_next() {
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
    // And nobody waits for a day to come, or for one that is long gone.
    for time in [now() + Duration::from_hours(24), Duration::ZERO] {
        settle(at(time));
    }
    settle(Mtime { secs: -5, nanos: 0 });
}
