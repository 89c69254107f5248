//! `push --resume` after a push that was killed: only the missing parts are sent, and the object is what
//! it would have been.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hoist::endpoint::Link;
use hoist::endpoint::faults::{Fault, Operation, Request, When};

use crate::support::{Run as _, Scene, Tree, noise, packed, required, wait_until};

/// Requests at a time, in all of these pushes.
const CONCURRENCY: usize = 4;

/// Parts from this number on hold notes about the push and no content.
const NOTES: u32 = 9_999;

/// A revision of about `mib` MiB that do not compress, with a file of several parts.
fn scene(mib: usize) -> Scene {
    let tree = Tree::revision();
    tree.file("large.bin", noise((mib / 2) << 20, 0));
    for n in 1..=mib / 2 {
        tree.file(&format!("noise-{n:03}.bin"), noise(1 << 20, n as u64));
    }
    Scene::of(tree)
}

fn push(scene: &Scene, more: &[&str]) -> Command {
    let concurrency = CONCURRENCY.to_string();
    let mut command = scene.push(&["--level", "1", "--no-preflight"]);
    command.args(["--concurrency", &concurrency]).args(more);
    command
}

/// The object that such a push makes of the tree.
fn expected(scene: &Scene) -> Vec<u8> {
    packed(scene.tree.path(), "a.zip", &["--level", "1"])
}

/// The directories in which the endpoint keeps unfinished uploads.
fn uploads(scene: &Scene) -> Vec<PathBuf> {
    let dir = scene.dir().join("buckets/bucket/uploads");
    let names = fs::read_dir(dir).into_iter().flatten();
    names.map(|entry| entry.unwrap().path()).collect()
}

/// The numbers of the parts with content that the endpoint has stored of an upload.
fn stored(upload: &Path) -> BTreeSet<u32> {
    let journal = fs::read_to_string(upload.join("parts.jsonl")).unwrap_or_default();
    let number = |line: &str| -> Option<u32> {
        let (_, rest) = line.split_once("\"number\":")?;
        rest.split(',').next()?.parse().ok()
    };
    let numbers = journal.lines().filter_map(number);
    numbers.filter(|number| *number < NOTES).collect()
}

fn part_number(request: &Request) -> Option<u32> {
    let (_, rest) = request.target.split_once("partNumber=")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|number| *number < NOTES)
}

/// The numbers of the parts with content that were sent, in order of their requests.
fn sent(scene: &Scene) -> Vec<u32> {
    let requests = scene.of(Operation::UploadPart);
    requests.iter().filter_map(part_number).collect()
}

#[derive(Clone, Copy, Debug)]
enum Killed {
    After(Duration),
    /// When so many parts are stored. No more are answered.
    AtParts(usize),
}

/// Pushes, and kills the push. Returns the parts whose requests had begun, and those that are stored.
fn killed(scene: &Scene, more: &[&str], when: Killed) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let now = || match uploads(scene).first() {
        Some(upload) => stored(upload),
        None => BTreeSet::new(),
    };
    if let Killed::AtParts(parts) = when {
        let asked = AtomicUsize::new(0);
        scene.choose(move |request| {
            part_number(request)?;
            let before = asked.fetch_add(1, Ordering::SeqCst);
            (before >= parts).then_some(Fault::Stall(When::BeforeBody))
        });
    }
    let running = push(scene, more).start();
    match when {
        Killed::After(time) => thread::sleep(time),
        Killed::AtParts(parts) => wait_until("parts are stored", || now().len() == parts),
    }
    running.kill();
    // The endpoint still stores what has arrived.
    let (mut parts, mut unchanged) = (now(), 0);
    while unchanged < 4 {
        thread::sleep(Duration::from_millis(50));
        let later = now();
        unchanged = if later == parts { unchanged + 1 } else { 0 };
        parts = later;
    }
    let begun = sent(scene).into_iter().collect();
    scene.forget();
    (begun, parts)
}

/// With the tools required, at twenty moments that a seed chooses.
#[test]
fn only_the_missing_parts_are_sent_and_the_object_is_the_same() {
    let thorough = required();
    let mib = if thorough { 160 } else { 40 };
    let tree = scene(mib).tree;
    let whole = Scene::of(tree);
    let since = Instant::now();
    push(&whole, &["--resume"]).ok();
    let (whole, took) = (whole.tree, since.elapsed());
    let seed = std::process::id();
    eprintln!("seed {seed}; a whole push takes {took:.2?}");
    let mut random = u64::from(seed);
    let mut moments = vec![Killed::AtParts(1), Killed::AtParts(3)];
    for _ in 0..if thorough { 20 } else { 1 } {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let part = (random >> 33) as f64 / (1_u64 << 31) as f64;
        moments.push(Killed::After(took.mul_f64(part)));
    }
    let mut tree = Some(whole);
    for when in moments {
        let scene = Scene::of(tree.take().unwrap());
        let expected = expected(&scene);
        let (begun, before) = killed(&scene, &["--resume"], when);
        if scene.object("key.zip").exists() {
            // It was faster than the first, and there is nothing to resume.
            tree = Some(scene.tree);
            continue;
        }
        let done = push(&scene, &["--resume"]).ok();
        let mut after = sent(&scene);
        let twice = after.iter().filter(|part| begun.contains(part)).count();
        let parts = u32::try_from(expected.len().div_ceil(8 << 20)).unwrap();
        eprintln!(
            "{when:?}: of {parts} parts {} were stored, {} sent afterwards, {twice} of them again",
            before.len(),
            after.len()
        );
        assert!(twice <= CONCURRENCY, "{twice} were sent twice");
        let missing = (1..=parts).filter(|part| !before.contains(part));
        after.sort_unstable();
        assert_eq!(after, missing.collect::<Vec<_>>());
        assert!(scene.stored() == Some(expected));
        // An upload that was killed before it could be recognised is left alone and named.
        for left in uploads(&scene) {
            assert_eq!(stored(&left).len(), 0, "{done}");
            done.says(left.file_name().unwrap().to_str().unwrap());
        }
        assert!(scene.is_registered());
        tree = Some(scene.tree);
    }
}

#[test]
fn an_upload_with_other_options_is_left_alone_and_the_option_is_named() {
    let scene = scene(20);
    killed(&scene, &["--resume"], Killed::AtParts(1));
    for (more, why) in [
        (["--level", "2"], "--level"),
        (["--metadata", "commit=other"], "metadata"),
        (["--storage-class", "STANDARD_IA"], "class"),
    ] {
        let done = push(&scene, &["--resume"]).args(more).fails(255);
        done.says(why).says("abort-multipart-upload");
        assert_eq!(scene.uploads().len(), 1);
    }
    // With auto another upload is begun beside it.
    let done = push(&scene, &["--level", "2", "--resume=auto"]).ok();
    done.says("--level");
    assert_eq!(scene.uploads().len(), 1, "the old one");
    // The old one is still resumed with the same options.
    push(&scene, &["--resume"]).ok().says("resumed: ");
    assert_eq!(scene.uploads(), [""; 0]);
}

#[test]
fn of_a_source_that_changed_only_the_parts_that_differ_are_sent() {
    let scene = scene(32);
    killed(&scene, &["--resume"], Killed::AtParts(3));
    // The last file of the archive.
    let last = scene.tree.file("noise-016.bin", noise(1 << 20, 99));
    last.mtime("noise-016.bin", Tree::MTIME + 1);
    let done = push(&scene, &["--resume"]).ok();
    done.says("the source changed").says("resumed: ");
    let sent = sent(&scene);
    assert!(sent.len() <= 3, "{sent:?}");
    assert!(scene.stored() == Some(expected(&scene)));
}

#[test]
fn an_upload_that_cannot_be_resumed_is_begun_again() {
    let scene = scene(20);
    // Of a push that did not say that it may be resumed.
    killed(&scene, &[], Killed::AtParts(1));
    let done = push(&scene, &["--resume=auto"]).ok();
    done.says("not begun by hoist push --resume");
    assert_eq!(scene.uploads().len(), 1);
    scene.deny(&[Operation::ListMultipartUploads]);
    push(&scene, &["--resume"]).ok().says("cannot be listed");
    // The bytes of `--level auto` differ from push to push.
    let done = push(&scene, &["--level", "auto", "--resume"]).fails(252);
    done.says("--level auto");
}

/// Each row is a rate in MiB per second, and how many MiB are pushed; one row unless the tools are required.
#[test]
fn a_push_that_is_killed_half_way_over_a_slow_link_keeps_most_of_what_it_sent() {
    for (rate, mib) in [(8, 160), (2, 160)] {
        if rate != 8 && !required() {
            continue;
        }
        let tree = scene(mib).tree;
        let slow = Link {
            total_rate: Some(rate << 20),
            ..Link::default()
        };
        let scene = Scene::over(slow, tree);
        let expected = expected(&scene);
        let half = expected.len() as u64 / 2;
        let push = |scene: &Scene| scene.push(&["--level", "1", "--no-preflight", "--resume"]);
        let running = push(&scene).start();
        wait_until("half is sent", || scene.statistics().bytes >= half);
        running.kill();
        // What is on its way still arrives.
        let bytes = || {
            thread::sleep(Duration::from_millis(250));
            scene.statistics().bytes
        };
        let (mut sent, mut later) = (bytes(), bytes());
        while later > sent {
            (sent, later) = (later, bytes());
        }
        let parts = u32::try_from(expected.len().div_ceil(8 << 20)).unwrap();
        let before = stored(&uploads(&scene)[0]);
        let kept = before.len() * 100 * (8 << 20) / usize::try_from(sent).unwrap();
        eprintln!(
            "{rate} MiB/s: {} of {parts} parts are stored, {kept}% of what was sent",
            before.len()
        );
        assert!(kept >= 80, "{kept}%");
        let Scene { tree, server } = scene;
        let scene = Scene {
            tree,
            server: server.restarted(|_| {}),
        };
        push(&scene).ok().says("resumed: ");
        let mut after = self::sent(&scene);
        after.sort_unstable();
        let missing = (1..=parts).filter(|part| !before.contains(part));
        assert_eq!(after, missing.collect::<Vec<_>>());
        assert!(scene.stored() == Some(expected));
        assert!(scene.is_registered());
    }
}
