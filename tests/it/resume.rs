//! `push --resume` after a push that was killed: only what is missing is sent, and the object is the same.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Between, Server, Tree, denied, noise, run, run_failing};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// Requests at a time, in all of these pushes.
const CONCURRENCY: usize = 4;

/// A revision of about `mib` MiB that do not compress, with a file of several parts.
fn revision(mib: usize) -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC)
        .file("large.bin", noise((mib / 2) << 20, 0));
    for n in 1..=mib / 2 {
        tree.file(&format!("noise-{n:03}.bin"), noise(1 << 20, n as u64));
    }
    tree
}

fn server() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    server
}

fn push(server: &Server, between: &Between, source: &Path) -> Command {
    let mut command = server.client();
    between.point(&mut command);
    command
        .args([
            "push",
            "--application-name",
            "App",
            "--level",
            "1",
            "--no-preflight",
        ])
        .args(["--s3-location", "s3://bucket/key.zip"])
        .args(["--concurrency", &CONCURRENCY.to_string(), "--source"])
        .arg(source);
    command
}

fn object(server: &Server) -> PathBuf {
    server.dir().join("buckets/bucket/objects/key.zip")
}

fn uploads(server: &Server) -> Vec<PathBuf> {
    let dir = server.dir().join("buckets/bucket/uploads");
    let names = fs::read_dir(dir).into_iter().flatten();
    names.map(|entry| entry.unwrap().path()).collect()
}

/// The numbers of the parts that the endpoint has accepted of an upload, notes aside.
fn stored(upload: &Path) -> BTreeSet<u32> {
    let journal = fs::read_to_string(upload.join("parts.jsonl")).unwrap_or_default();
    let number = |line: &str| -> Option<u32> {
        let (_, rest) = line.split_once("\"number\":")?;
        rest.split(',').next()?.parse().ok()
    };
    journal
        .lines()
        .filter_map(number)
        .filter(|number| *number < 9_999)
        .collect()
}

/// The numbers of the parts that were sent, notes aside.
fn sent(between: &Between) -> Vec<u32> {
    let parts = between.of("UploadPart").into_iter().map(|head| {
        let (_, rest) = head.line.split_once("partNumber=").unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    });
    parts.filter(|number| *number < 9_999).collect()
}

/// What a push that was killed had done.
struct Killed {
    /// Numbers of parts whose requests had begun.
    sent: BTreeSet<u32>,
    /// Numbers of parts that are stored.
    stored: BTreeSet<u32>,
}

/// Pushes, and kills that after `time`.
fn killed(server: &Server, source: &Path, time: Duration) -> Killed {
    let between = Between::watching(server);
    let mut command = push(server, &between, source);
    command
        .arg("--resume")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
    // What had come through is still being stored.
    let now = || {
        let uploads = uploads(server);
        uploads
            .first()
            .map(|upload| stored(upload))
            .unwrap_or_default()
    };
    let (mut stored, mut still) = (now(), 0);
    while still < 4 {
        thread::sleep(Duration::from_millis(250));
        let later = now();
        still = if later == stored { still + 1 } else { 0 };
        stored = later;
    }
    Killed {
        sent: sent(&between).into_iter().collect(),
        stored,
    }
}

#[test]
fn a_push_that_was_killed_is_gone_on_with() {
    let thorough = std::env::var_os("HOIST_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    let (mib, moments) = if thorough { (160, 20) } else { (64, 3) };
    let tree = revision(mib);
    let (expected, whole) = {
        let server = server();
        let between = Between::watching(&server);
        let since = Instant::now();
        run(push(&server, &between, tree.path()).arg("--resume"));
        (fs::read(object(&server)).unwrap(), since.elapsed())
    };
    let parts = expected.len().div_ceil(8 << 20);
    let seed = std::process::id();
    eprintln!("seed {seed}; a whole push takes {whole:.2?} and has {parts} parts");
    eprintln!("| killed after | parts stored then | sent after | of these, begun before | parts |");
    eprintln!("|---:|---:|---:|---:|---:|");
    let mut random = u64::from(seed);
    let mut left = moments;
    while left > 0 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let time = whole.mul_f64((random >> 33) as f64 / (1_u64 << 31) as f64);
        let server = server();
        let before = killed(&server, tree.path(), time);
        if object(&server).exists() {
            // It was faster than the first.
            continue;
        }
        left -= 1;
        let between = Between::watching(&server);
        let output = run(push(&server, &between, tree.path()).arg("--resume"));
        let mut after = sent(&between);
        let twice = after.iter().filter(|part| before.sent.contains(part));
        let twice = twice.count();
        eprintln!(
            "| {} ms | {} | {} | {twice} | {parts} |",
            time.as_millis(),
            before.stored.len(),
            after.len(),
        );
        assert!(twice <= CONCURRENCY, "{twice} were sent twice");
        let all = 1..=u32::try_from(parts).unwrap();
        let missing = all.filter(|part| !before.stored.contains(part));
        after.sort_unstable();
        assert_eq!(after, missing.collect::<Vec<_>>());
        assert!(fs::read(object(&server)).unwrap() == expected);
        // One that was killed before it said what it is was left alone, and told.
        for left in uploads(&server) {
            let id = left.file_name().unwrap().to_str().unwrap();
            assert_eq!(stored(&left).len(), 0, "{output:?}");
            assert!(stderr(&output).contains(id), "{output:?}");
        }
        assert!(server.revisions("App").contains("key.zip"));
    }
}

/// A push that was killed when `parts` parts were stored.
fn interrupted(parts: usize, tree: &Tree, more: &[&str]) -> Server {
    let server = server();
    let between = Between::watching(&server);
    let mut command = push(&server, &between, tree.path());
    command
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // One part at a time, in so many seconds.
    command.args(["--bandwidth-limit", "16M"]);
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while uploads(&server)
        .first()
        .is_none_or(|upload| stored(upload).len() < parts)
    {
        assert!(Instant::now() < deadline, "no part was stored");
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    server
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn other_options_are_named_and_the_upload_is_left_alone() {
    let tree = revision(32);
    let server = interrupted(1, &tree, &["--resume"]);
    let between = Between::watching(&server);
    for (more, why) in [
        (&["--level", "2"][..], "--level"),
        (&["--metadata", "commit=other"], "metadata"),
        (&["--storage-class", "STANDARD_IA"], "class"),
    ] {
        let mut command = push(&server, &between, tree.path());
        command.args(more).arg("--resume");
        let said = stderr(&run_failing(&mut command, 255));
        assert!(
            said.contains(why) && said.contains("abort-multipart-upload"),
            "{said}"
        );
        assert_eq!(uploads(&server).len(), 1);
    }
    // With auto a new one is begun beside it.
    let mut command = push(&server, &between, tree.path());
    let said = stderr(&run(command.args(["--level", "2", "--resume=auto"])));
    assert!(said.contains("--level"), "{said}");
    assert_eq!(uploads(&server).len(), 1, "the old one");
    // It is still taken by who has the same options.
    let between = Between::watching(&server);
    let said = stderr(&run(push(&server, &between, tree.path()).arg("--resume")));
    assert!(said.contains("resumed: "), "{said}");
    assert_eq!(uploads(&server).len(), 0);
}

#[test]
fn a_source_that_changed_is_sent_where_it_differs() {
    let tree = revision(32);
    let server = interrupted(3, &tree, &["--resume"]);
    // The last file of the archive.
    fs::write(tree.path().join("noise-016.bin"), noise(1 << 20, 99)).unwrap();
    let between = Between::watching(&server);
    let said = stderr(&run(push(&server, &between, tree.path()).arg("--resume")));
    assert!(
        said.contains("the source changed") && said.contains("resumed: "),
        "{said}"
    );
    assert!(sent(&between).len() <= 3, "{:?}", sent(&between));
    let packed = tempfile::tempdir().unwrap();
    let file = packed.path().join("out.zip");
    let mut pack = crate::support::hoist();
    pack.args(["pack", "-q", "--level", "1", "--source"])
        .arg(tree.path());
    run(pack.arg("-o").arg(&file));
    assert!(fs::read(object(&server)).unwrap() == fs::read(file).unwrap());
}

#[test]
fn what_cannot_be_gone_on_with_begins_anew() {
    let tree = revision(32);
    // Of a push that did not say that it may be resumed.
    let server = interrupted(1, &tree, &[]);
    let between = Between::watching(&server);
    let said = stderr(&run(
        push(&server, &between, tree.path()).arg("--resume=auto")
    ));
    assert!(said.contains("not begun by hoist push --resume"), "{said}");
    assert_eq!(uploads(&server).len(), 1);
    // Without the permission to list.
    let between = Between::before(&server, |head| {
        (head.operation() == "ListMultipartUploads").then(|| denied(head))
    });
    let said = stderr(&run(push(&server, &between, tree.path()).arg("--resume")));
    assert!(said.contains("cannot be listed"), "{said}");
    // Whose bytes are others each time.
    let mut command = push(&server, &between, tree.path());
    command.args(["--level", "auto", "--resume"]);
    let said = stderr(&run_failing(&mut command, 252));
    assert!(said.contains("--level auto"), "{said}");
}
