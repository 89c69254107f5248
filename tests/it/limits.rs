//! A push stays within its limits of time, memory and bandwidth, and needs few descriptors, cores,
//! places to write and open streams.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hoist::endpoint::faults::{Fault, Operation, When};

use crate::support::{
    Home, Run as _, Scene, Tree, after, as_nobody, hoist, noise, tool, wait_until, within,
};

/// Many directories and several parts, with a giant.
fn scene() -> Scene {
    let tree = Tree::revision();
    tree.file("giant", noise(10 << 20, 1));
    for n in 0..60 {
        for m in 0..4 {
            let name = format!("dir-{n}/below-{m}/file");
            tree.file(&name, noise(30_000, n * 4 + m));
        }
    }
    Scene::of(tree)
}

/// Asserts that the object is the archive of the tree, and removes it.
#[track_caller]
fn assert_stored(scene: &Scene, expected: &[u8], what: &str) {
    assert!(scene.stored().as_deref() == Some(expected), "{what}");
    fs::remove_file(scene.object("key.zip")).unwrap();
}

// Descriptors, cores, places to write, streams.

#[test]
fn few_descriptors_are_enough() {
    let scene = scene();
    for n in 0..30 {
        // Each stays open while its chunks are being packed.
        scene.tree.file(&format!("large/{n}"), noise(1_200_000, n));
    }
    let expected = scene.packed();
    for options in [
        &["--threads", "1", "--concurrency", "1"][..],
        // Each worker has a directory and a file, and each request a connection.
        &["--threads", "256", "--concurrency", "64"],
    ] {
        after("ulimit -n 64", &scene.push(options)).ok();
        assert_stored(&scene, &expected, &format!("{options:?}"));
        // The endpoint of `--local` has its files and connections too.
        let dir = tempfile::tempdir().unwrap();
        let mut local = scene.push(options);
        local.env_remove("AWS_ENDPOINT_URL");
        local.arg("--local").arg(dir.path());
        after("ulimit -n 64", &local).ok();
        let stored = dir.path().join("buckets/bucket/objects/key.zip");
        assert!(fs::read(stored).unwrap() == expected, "{options:?}");
    }
}

/// What is listed and not yet read must not stay open, level after level.
#[test]
fn few_descriptors_are_enough_for_a_deep_tree_of_large_directories() {
    let (tree, out) = (Tree::new(), tempfile::tempdir().unwrap());
    let mut path = tree.path().to_owned();
    for _ in 0..60 {
        for n in 0..600 {
            fs::File::create(path.join(format!("{n}"))).unwrap();
        }
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    for threads in ["1", "8"] {
        let mut pack = hoist();
        pack.args(["pack", "-q", "--threads", threads, "--source"]);
        pack.arg(tree.path())
            .arg("-o")
            .arg(out.path().join("a.zip"));
        after("ulimit -n 64", &pack).ok();
    }
}

#[test]
fn one_core_and_one_thread_are_enough() {
    let scene = scene();
    let expected = scene.packed();
    scene.push(&["--threads", "1", "--concurrency", "1"]).ok();
    assert_stored(&scene, &expected, "one thread");
    let Some(taskset) = tool("taskset", &["taskset"]) else {
        return;
    };
    let outer = [taskset.get_program(), "-c".as_ref(), "0".as_ref()];
    within(&outer, &scene.push(&[])).ok();
    assert_stored(&scene, &expected, "one core");
}

/// Neither the present directory, nor that of temporary files, nor home can be written to.
#[test]
fn a_push_needs_no_directory_that_it_can_write_to() {
    let scene = scene();
    let source = scene.tree.path();
    let set = |mode| fs::set_permissions(source, fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    let nowhere = Path::new("/nonexistent");
    for home in [Some(nowhere), Some(source), None] {
        let mut command = scene.push(&[]);
        command.env("TMPDIR", nowhere).current_dir(source);
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        let Some((mut command, _binary)) = as_nobody(&command) else {
            return;
        };
        command.ok().says("pushed 242 files");
        assert!(scene.stored().is_some());
    }
    set(0o755);
}

#[test]
fn a_file_system_that_is_read_only_is_enough() {
    let scene = scene();
    let Some(unshare) = tool("unshare", &["unshare"]) else {
        return;
    };
    let outer = [
        unshare.get_program(),
        "--mount".as_ref(),
        "--map-root-user".as_ref(),
    ];
    let all =
        "mount --make-rprivate / && mount -o remount,ro,bind / && ! touch /not-written 2>/dev/null";
    let can = within(&outer, Command::new("sh").args(["-c", all])).done();
    if can.code != Some(0) {
        // A sandbox without namespaces, as CI often is. The test above needs none.
        eprintln!("skipped: {can}");
        return;
    }
    let push = after(all, scene.push(&[]).env("TMPDIR", "/"));
    within(&outer, &push).ok();
    assert!(scene.stored().is_some());
}

/// The next descriptor that is opened takes the number of a stream that is closed. Nothing may be
/// written to the archive or a socket instead of the stream.
#[test]
fn closed_streams_do_no_harm() {
    let scene = Scene::large();
    let expected = scene.packed();
    for (closed, prints) in [
        ("exec <&-", true),
        ("exec 2>&-", true),
        ("exec <&- 2>&-", true),
        ("exec >&-", false),
        ("exec <&- >&-", false),
        ("exec >&- 2>&-", false),
        ("exec <&- >&- 2>&-", false),
    ] {
        let done = after(closed, &scene.push(&[])).ok();
        assert_eq!(done.stdout.contains("eTag="), prints, "{closed}: {done}");
        assert_stored(&scene, &expected, closed);
        assert!(scene.is_registered(), "{closed}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_never_a_panic() {
    let scene = Scene::new();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    // A push is as good without its log.
    let done = scene.push(&["--debug"]).stderr(full()).ok();
    done.prints("eTag=");
    // But scripts wait for what is on standard output.
    let done = scene.push(&[]).stdout(full()).fails(255);
    done.says("the revision is registered, but: No space left on device");
    let unread = || std::io::pipe().unwrap().1;
    for stream in ["out", "err", "both"] {
        let mut push = scene.push(&["--debug"]);
        if stream != "err" {
            push.stdout(unread());
        }
        if stream != "out" {
            push.stderr(unread());
        }
        // A reader that has seen enough, as head has, is no failure.
        push.ok()
            .is_silent_about("panicked")
            .is_silent_about("pipe");
    }
    for arguments in [
        &["--help"][..],
        &["push", "--help"],
        &["man"],
        &["completions", "bash"],
        &["nonsense"],
    ] {
        let done = hoist().args(arguments).stdout(unread()).done();
        done.is_silent_about("panicked");
        assert!(done.code.is_some_and(|code| code != 101), "{done}");
        let done = hoist().args(arguments).stderr(unread()).done();
        assert!(done.code.is_some_and(|code| code != 101), "{done}");
    }
}

// Time and bandwidth.

#[test]
fn the_bandwidth_limit_holds() {
    let scene = Scene::large();
    let since = Instant::now();
    scene.push(&["--bandwidth-limit", "4M"]).ok();
    let took = since.elapsed().as_secs_f64();
    // Of 10 MiB that do not compress. If it takes much longer, the machine is slow.
    assert!((2.2..=20.0).contains(&took), "{took} s at 4 MiB/s");
}

#[test]
fn a_push_that_is_out_of_time_stops_and_leaves_nothing() {
    let scene = Scene::large();
    scene.on(Operation::UploadPart, .., Fault::Stall(When::BeforeBody));
    let done = scene.push(&["--timeout", "1"]).fails(255);
    let expected = "hoist: stopped: not done after 1s, which is --timeout\n";
    assert_eq!(done.stderr, expected);
    scene.assert_nothing_is_left();
    assert_eq!(scene.count(Operation::AbortMultipartUpload), 1);
}

#[test]
fn credentials_that_fail_end_a_push_soon() {
    let scene = Scene::new();
    let home = Home::new("[default]\ncredential_process = /bin/false\n", "");
    let mut push = scene.push(&["--no-preflight"]);
    push.env_remove("AWS_ACCESS_KEY_ID");
    push.env_remove("AWS_SECRET_ACCESS_KEY");
    let since = Instant::now();
    home.point(&mut push)
        .fails(255)
        .says("cannot get credentials");
    let took = since.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
}

// Memory.

#[test]
fn a_memory_limit_that_is_too_low_is_refused_with_the_least() {
    let scene = Scene::large();
    let push = |limit| scene.push(&["--concurrency", "64", "--memory-limit", limit]);
    let done = push("84M").fails(255);
    done.says("needs 85 MiB").says("84 MiB are allowed");
    push("85M").ok();
}

#[cfg(target_os = "linux")]
mod of_a_process {
    use std::thread;

    use super::*;
    use crate::support::Running;

    /// What a line of /proc/PID/status says, in KiB.
    fn status(push: &Running, name: &str) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", push.id())).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// The most memory that a push took, in KiB.
    fn peak_of(push: &mut Command) -> u64 {
        let mut push = push.start();
        let mut peak = 0;
        while push.child().try_wait().unwrap().is_none() {
            peak = peak.max(status(&push, "VmHWM:").unwrap_or(0));
            thread::sleep(Duration::from_millis(5));
        }
        push.end().prints("eTag=");
        peak
    }

    /// On a link that is slower than packing, all parts are in memory that may be.
    #[test]
    fn a_push_stays_within_its_memory_limit() {
        /// What the limits count for the program, in KiB.
        const PROGRAM: u64 = 24 << 10;

        let small = Scene::new();
        // An unoptimised program is larger. That part is not the limits'.
        let program = peak_of(&mut small.push(&[]));
        let more = program.saturating_sub(PROGRAM);
        eprintln!("the program alone: {program} KiB, {more} KiB more than counted");
        let is_counted = cfg!(debug_assertions) || more == 0;
        assert!(
            is_counted,
            "limits.rs counts too little for the program: {program} KiB"
        );

        let tree = Tree::revision();
        for n in 0..12 {
            tree.file(&format!("noise-{n}.bin"), noise(8 << 20, n));
        }
        let scene = Scene::of(tree);
        for (limit, mib) in [("96M", 96), ("128M", 128)] {
            let arguments = ["--memory-limit", limit, "--bandwidth-limit", "60M"];
            let peak = peak_of(&mut scene.push(&arguments));
            eprintln!("--memory-limit {limit}: peak {peak} KiB");
            assert!(peak <= (mib << 10) + more, "{limit}: {peak} KiB");
        }
    }

    /// A server that answers no part gets no more parts, and nothing more is packed.
    #[test]
    fn a_server_that_stalls_takes_no_memory() {
        stalls(&[], 256);
    }

    #[test]
    fn a_server_that_stalls_takes_no_more_than_the_memory_limit() {
        // Unoptimised, the code alone is some 15 MiB larger than the limits count.
        let more = if cfg!(debug_assertions) { 20 } else { 0 };
        let arguments = ["--memory-limit", "128M", "--concurrency", "64"];
        stalls(&arguments, 128 + more);
    }

    /// Seven buckets beside the scene's, in regions of their own, and the options of a push to all.
    fn destinations(scene: &Scene) -> Vec<String> {
        let regions = [
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "eu-west-1",
            "eu-central-1",
            "ap-south-1",
            "ap-southeast-2",
        ];
        let of = |region: &&str| {
            let bucket = format!("bucket-{region}");
            scene.make_bucket_in(&bucket, region);
            scene.make_application_in("App", "Server", region);
            let pairs = format!("region={region},s3-location=s3://{bucket}/key.zip");
            ["--destination".to_owned(), pairs]
        };
        regions.iter().flat_map(of).collect()
    }

    /// Parts are in memory once, however many destinations they go to.
    #[test]
    fn eight_destinations_that_stall_take_no_more_memory_than_a_push_may() {
        let tree = Tree::revision();
        tree.sparse("giant", 4 << 30, b"");
        let scene = Scene::of(tree);
        let arguments = destinations(&scene);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        stall(&scene, &arguments, 256);
        assert_eq!(scene.count(Operation::CreateMultipartUpload), 8);
    }

    #[test]
    fn eight_destinations_that_take_all_parts_stay_within_the_memory_of_a_push() {
        let tree = Tree::revision();
        for n in 0..24 {
            tree.file(&format!("noise-{n}.bin"), noise(8 << 20, n));
        }
        let scene = Scene::of(tree);
        let one = peak_of(&mut scene.push(&[]));
        let arguments = destinations(&scene);
        let eight = peak_of(scene.push(&[]).args(arguments));
        eprintln!("one destination: {one} KiB, eight: {eight} KiB");
        assert!(eight < 256 << 10, "{eight} KiB");
        // The first push was to one of them.
        assert_eq!(scene.count(Operation::CompleteMultipartUpload), 1 + 8);
    }

    /// Pushes to a server that answers no part, until memory stays as it is, below so many MiB.
    fn stalls(arguments: &[&str], most: u64) {
        let tree = Tree::revision();
        // Many times the memory that a push may take.
        tree.sparse("giant", 4 << 30, b"");
        stall(&Scene::of(tree), arguments, most);
    }

    fn stall(scene: &Scene, arguments: &[&str], most: u64) {
        scene.on(Operation::UploadPart, .., Fault::Stall(When::BeforeBody));
        let push = scene.push(&["--level", "0"]).args(arguments).start();
        wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
        let (mut before, mut unchanged) = (0, 0);
        wait_until("memory stays as it is", || {
            thread::sleep(Duration::from_millis(20));
            let now = status(&push, "VmHWM:").unwrap();
            unchanged = if now == before { unchanged + 1 } else { 0 };
            before = now;
            unchanged == 25
        });
        thread::sleep(Duration::from_millis(500));
        let now = status(&push, "VmHWM:").unwrap();
        eprintln!("{arguments:?}: {now} KiB");
        assert!(now <= before + 1024, "{before} KiB became {now}");
        assert!(now < most << 10, "{now} KiB");
        push.signal("INT");
        let done = push.end();
        assert_eq!(done.code, Some(130), "{done}");
        assert_eq!(
            done.stderr,
            "hoist: stopped; nothing is registered, and no upload is left\n"
        );
        scene.assert_nothing_is_left();
    }
}
