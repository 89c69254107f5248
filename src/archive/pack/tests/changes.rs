//! Trees that change after the walk. What happens while a single file is read is in `source/tests.rs`.

use std::fs::{rename, set_permissions, write};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::*;
use crate::archive::plan::Symlinks::{self, Follow, Preserve};

const SMALL: usize = 100;
const GIANT: usize = 3 * CHUNK;

fn with(format: Format) -> Options {
    Options {
        format,
        ..options(2, 6)
    }
}

fn set_time(path: &Path, time: SystemTime) {
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

fn minutes_ago(minutes: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(60 * minutes)
}

#[track_caller]
fn assert_changed<T>(result: Result<T, Error>, name: &str, expected: &str) {
    match result.map(drop).unwrap_err() {
        Error::Changed { path, how } => {
            assert!(path.ends_with(name), "{path:?}");
            assert_eq!(how, expected);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_small_file_that_becomes_another_of_its_size_is_packed_as_it_is_now() {
    type Change = fn(&Path);
    let changes: [Change; 5] = [
        |file| write(file, text(SMALL, 9)).unwrap(),
        |file| set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap(),
        |file| set_time(file, minutes_ago(10)),
        |file| {
            // An older file takes its place.
            let other = file.with_extension("other");
            write(&other, text(SMALL, 9)).unwrap();
            set_time(&other, minutes_ago(20));
            rename(&other, file).unwrap();
        },
        // Its directory is replaced, too.
        |file| {
            let dir = file.parent().unwrap();
            rename(dir, dir.with_extension("aside")).unwrap();
            fs::create_dir(dir).unwrap();
            write(file, text(SMALL, 9)).unwrap();
        },
    ];
    for change in changes {
        for format in Format::ALL {
            let dir = tree(&[("dir/f", text(SMALL, 1))]);
            let plan = scan(dir.path(), 1);
            change(&dir.path().join("dir/f"));
            let packed = pack_plan(&plan, &with(format)).unwrap();
            let _ = fs::remove_dir_all(dir.path().join("dir.aside"));
            let undisturbed = scan(dir.path(), 1);
            assert!(
                packed == pack_plan(&undisturbed, &with(format)).unwrap(),
                "{format}"
            );
        }
    }
}

#[test]
fn a_tar_has_no_room_for_a_new_time_that_needs_a_longer_header() {
    for format in Format::ALL {
        let dir = tree(&[("dir/f", text(SMALL, 1))]);
        let plan = scan(dir.path(), 1);
        let time = SystemTime::UNIX_EPOCH - Duration::from_secs(100_000_000_000);
        set_time(&dir.path().join("dir/f"), time);
        let packed = pack_plan(&plan, &with(format));
        match format {
            Format::Zip => drop(packed.unwrap()),
            Format::Tar | Format::Tgz => assert_changed(packed, "dir/f", "it was modified"),
        }
    }
}

#[test]
fn a_file_that_changed_is_named() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 6] = [
        (
            |dir| fs::remove_file(dir.join("dir/f")).unwrap(),
            "it vanished",
        ),
        (
            |dir| write(dir.join("dir/f"), "other").unwrap(),
            "its size changed",
        ),
        (
            |dir| write(dir.join("dir/f"), vec![b'x'; GIANT + 1]).unwrap(),
            "its size changed",
        ),
        (
            |dir| {
                rename(dir.join("dir/f"), dir.join("dir/g")).unwrap();
                symlink("g", dir.join("dir/f")).unwrap();
            },
            "it became a symbolic link",
        ),
        (
            |dir| {
                fs::remove_file(dir.join("dir/f")).unwrap();
                fs::create_dir(dir.join("dir/f")).unwrap();
            },
            "it is no longer a file",
        ),
        (
            |dir| {
                rename(dir.join("dir"), dir.join("elsewhere")).unwrap();
                symlink("elsewhere", dir.join("dir")).unwrap();
            },
            "a directory on the way to it became a symbolic link",
        ),
    ];
    for size in [SMALL, GIANT] {
        for (change, expected) in changes {
            for format in Format::ALL {
                let dir = tree(&[("dir/f", text(size, 1))]);
                let plan = scan(dir.path(), 1);
                change(dir.path());
                assert_changed(pack_plan(&plan, &with(format)), "dir/f", expected);
            }
        }
    }
}

/// The file that the link leads to has the planned size, time and mode, so nothing else gives it away.
#[test]
fn a_directory_that_became_a_link_is_not_entered() {
    for size in [SMALL, GIANT] {
        for inside in [true, false] {
            for format in Format::ALL {
                let dir = tree(&[("d/e/f", text(size, 1)), ("other/e/f", text(size, 1))]);
                let outside = tempfile::tempdir().unwrap();
                let aside = match inside {
                    true => dir.path().join("moved"),
                    false => outside.path().join("moved"),
                };
                let plan = scan(dir.path(), 1);
                rename(dir.path().join("d"), &aside).unwrap();
                symlink(&aside, dir.path().join("d")).unwrap();
                let how = "a directory on the way to it became a symbolic link";
                assert_changed(pack_plan(&plan, &with(format)), "d/e/f", how);
            }
        }
    }
}

/// Packs a giant, and calls `change` with its path while it is open and some of it is still to be read:
/// when the first part comes, since the budget lets one chunk at a time be read.
fn while_a_giant_is_read(format: Format, change: impl Fn(&Path)) -> Result<Vec<Part>, Error> {
    let dir = tree(&[("giant", noise(GIANT, 1))]);
    let plan = scan(dir.path(), 1);
    let mut options = Options {
        format,
        ..options(1, 6)
    };
    options.limits.budget = 1;
    let (mut parts, mut changed) = (Vec::new(), false);
    let (stop, progress) = (Cancel::new(), Progress::new());
    pack(&plan, &options, &stop, &progress, &mut |part| {
        if !changed {
            change(&dir.path().join("giant"));
            changed = true;
        }
        parts.push(part);
        Ok(())
    })?;
    Ok(parts)
}

#[test]
fn a_giant_that_changes_while_it_is_read_is_never_read_again() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 5] = [
        (|giant| set_time(giant, minutes_ago(1)), "it was modified"),
        (
            |giant| write(giant, noise(GIANT, 1)).unwrap(),
            "it was modified",
        ),
        (|giant| write(giant, "small").unwrap(), "it shrank"),
        (
            |giant| {
                let file = fs::File::options().append(true).open(giant).unwrap();
                file.set_len(GIANT as u64 + 1).unwrap();
            },
            "its size changed",
        ),
        (
            |giant| set_permissions(giant, fs::Permissions::from_mode(0o600)).unwrap(),
            "its permissions changed",
        ),
    ];
    for (change, expected) in changes {
        for format in Format::ALL {
            assert_changed(while_a_giant_is_read(format, change), "giant", expected);
        }
    }
}

#[test]
fn a_giant_whose_name_is_removed_while_it_is_read_is_packed_whole() {
    for format in Format::ALL {
        let removed = while_a_giant_is_read(format, |giant| fs::remove_file(giant).unwrap());
        let undisturbed = while_a_giant_is_read(format, |_| ()).unwrap();
        let sizes = |parts: &[Part]| parts.iter().map(|part| part.body.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&removed.unwrap()), sizes(&undisturbed));
    }
}

/// Packs a tree with a followed directory, a followed file, or kept links and an empty directory, before
/// and after `change`.
fn assert_a_changed_link_is_refused(symlinks: Symlinks, change: impl Fn(&Path)) {
    for format in Format::ALL {
        let dir = tree(&[("d/f", text(SMALL, 1)), ("other/f", text(SMALL, 1))]);
        let file = |name: &str| dir.path().join(name);
        symlink("d", file("link")).unwrap();
        symlink("d/f", file("file")).unwrap();
        fs::create_dir(file("empty")).unwrap();
        let select = plan::Options {
            symlinks,
            empty_dirs: true,
            ..plan::Options::default()
        };
        let plan = Plan::scan(dir.path(), &select, &Cancel::new()).unwrap();
        pack_plan(&plan, &with(format)).unwrap();
        change(dir.path());
        let error = pack_plan(&plan, &with(format)).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{format}: {error}");
    }
}

fn relink(link: &Path, text: impl AsRef<Path>) {
    fs::remove_file(link).unwrap();
    symlink(text, link).unwrap();
}

#[test]
fn a_link_to_a_file_is_followed_where_the_walk_saw_it() {
    let outside = tree(&[("x", text(SMALL, 3))]);
    let dir = tree(&[("dir/other", text(SMALL, 1))]);
    symlink(outside.path().join("x"), dir.path().join("dir/link")).unwrap();
    let (archive, _) = pack_plan(&scan(dir.path(), 1), &options(1, 6)).unwrap();
    let files = [("dir/link", text(SMALL, 3)), ("dir/other", text(SMALL, 1))];
    assert_holds(&archive, &files);
}

#[test]
fn links_that_changed_after_the_walk_are_not_followed() {
    let outside = tree(&[("f", text(SMALL, 1))]);
    // A file that a link leads to must stay in the source.
    assert_a_changed_link_is_refused(Follow, |dir| {
        relink(&dir.join("file"), outside.path().join("f"));
    });
    // A followed directory stays where it was, whatever becomes of the link.
    assert_a_changed_link_is_refused(Follow, |dir| {
        rename(dir.join("d"), dir.join("moved")).unwrap();
        symlink("moved", dir.join("d")).unwrap();
    });
    assert_a_changed_link_is_refused(Preserve, |dir| relink(&dir.join("link"), "other"));
    assert_a_changed_link_is_refused(Preserve, |dir| {
        fs::remove_file(dir.join("link")).unwrap();
        fs::create_dir(dir.join("link")).unwrap();
    });
    assert_a_changed_link_is_refused(Preserve, |dir| fs::remove_dir(dir.join("empty")).unwrap());
    assert_a_changed_link_is_refused(Preserve, |dir| write(dir.join("empty/file"), "x").unwrap());
}
