//! Machines that have little: of descriptors, cores, memory, places to write, and open streams.

#![cfg(all(
    target_os = "linux",
    feature = "cli",
    feature = "push",
    feature = "local"
))]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::settings::stderr;
use crate::support::{
    BlackHole, Server, Tree, as_nobody, hoist, noise, run, send_signal, text, tool,
};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// Many directories and several parts, with a giant.
fn revision() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC)
        .file("giant", noise(12 << 20, 1));
    for n in 0..60 {
        for m in 0..4 {
            let name = format!("dir-{n}/below-{m}/file");
            tree.file(&name, noise(60_000, n * 4 + m));
        }
    }
    tree
}

fn server() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    server
}

fn push(server: &Server, source: &Path) -> Command {
    let mut command = server.client();
    command
        .args(["push", "--application-name", "App"])
        .args(["--s3-location", "s3://bucket/key.zip", "--source"])
        .arg(source);
    command
}

fn object(server: &Server) -> PathBuf {
    server.dir().join("buckets/bucket/objects/key.zip")
}

fn uploads(server: &Server) -> usize {
    fs::read_dir(server.dir().join("buckets/bucket/uploads")).map_or(0, Iterator::count)
}

/// The command from a shell that runs `before` first.
fn after(before: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("{before}; exec \"$@\""))
        .arg("sh")
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    shell
}

/// The bytes of a push on a machine that has plenty.
fn plenty(source: &Path) -> Vec<u8> {
    let server = server();
    run(&mut push(&server, source));
    fs::read(object(&server)).unwrap()
}

#[test]
fn few_descriptors_are_enough() {
    let (server, tree) = (server(), revision());
    for n in 0..30 {
        // Each stays open while its chunks are under way.
        tree.file(&format!("large/{n}"), noise(1_200_000, n));
    }
    let expected = plenty(tree.path());
    for options in [
        &[][..],
        &["--threads", "1", "--concurrency", "1"],
        // Each worker has a directory and a file, and each request a connection.
        &["--threads", "256", "--concurrency", "64"],
    ] {
        let mut command = push(&server, tree.path());
        run(&mut after("ulimit -n 64", command.args(options)));
        assert!(
            fs::read(object(&server)).unwrap() == expected,
            "{options:?}"
        );
        // The endpoint has its files and connections too.
        let dir = tempfile::tempdir().unwrap();
        let mut local = hoist();
        local
            .args(["push", "--application-name", "App", "--region", "us-east-1"])
            .args(["--s3-location", "s3://bucket/key.zip", "--source"])
            .arg(tree.path())
            .arg("--local")
            .arg(dir.path());
        run(&mut after("ulimit -n 64", local.args(options)));
        let stored = fs::read(dir.path().join("buckets/bucket/objects/key.zip")).unwrap();
        assert!(stored == expected, "{options:?}");
    }
}

/// What is listed and not yet looked at must not stay open, level after level.
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
        pack.args(["pack", "-q", "--threads", threads, "--source"])
            .arg(tree.path())
            .arg("-o")
            .arg(out.path().join("out.zip"));
        run(&mut after("ulimit -n 64", &pack));
    }
}

#[test]
fn one_core_is_enough() {
    let (server, tree) = (server(), revision());
    let expected = plenty(tree.path());
    let Some(mut one) = tool("taskset", &["taskset"]) else {
        return;
    };
    let command = push(&server, tree.path());
    one.args(["-c", "0"])
        .arg(command.get_program())
        .args(command.get_args());
    server.point(&mut one);
    run(&mut one);
    assert!(fs::read(object(&server)).unwrap() == expected);
    let mut alone = push(&server, tree.path());
    run(alone.args(["--threads", "1", "--concurrency", "1"]));
    assert!(fs::read(object(&server)).unwrap() == expected);
}

/// `name` of /proc, in KiB.
fn status(child: &Child, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Nothing is answered, so nothing is sent: what was packed waits, and no more is.
#[test]
fn a_stalled_server_takes_no_memory() {
    // What the limits promise, and what a program without optimisations has more.
    stalled(&[], 256);
}

/// The same of little memory. Not optimised, the code alone is some 15 MiB larger than what the limits
/// count for it.
#[test]
fn a_stalled_server_takes_no_more_than_the_memory_limit() {
    let more = if cfg!(debug_assertions) { 20 } else { 0 };
    stalled(
        &["--memory-limit", "128M", "--concurrency", "64"],
        128 + more,
    );
}

/// Pushes to a server that answers no part, until memory stays as it is, below so many MiB.
fn stalled(options: &[&str], most: u64) {
    let (server, tree) = (server(), Tree::new());
    tree.file("appspec.yml", APPSPEC).file("giant", "");
    let giant = fs::File::options()
        .write(true)
        .open(tree.path().join("giant"));
    // More than all of the memory that it may take, many times. It takes no room on the disk.
    giant.unwrap().set_len(4 << 30).unwrap();
    let hole = BlackHole::before(&server, "PUT ");
    let mut command = push(&server, tree.path());
    command
        .args(["--level", "0"])
        .args(options)
        .env("AWS_ENDPOINT_URL", &hole.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let until = |what: &str, done: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    until("no part came", &mut || hole.swallowed() > 0);
    // Until it has what it may hold.
    let (mut before, mut still) = (0, 0);
    until("it goes on and on", &mut || {
        let now = status(&child, "VmHWM");
        still = if now == before { still + 1 } else { 0 };
        before = now;
        still == 25
    });
    thread::sleep(Duration::from_secs(1));
    let now = status(&child, "VmHWM");
    assert!(now <= before + 1024, "{before} KiB became {now}");
    eprintln!("{options:?}: {now} KiB");
    assert!(now < most << 10, "{now} KiB");
    send_signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(stderr(&output), "hoist: stopped\n");
    assert_eq!(uploads(&server), 0);
    assert!(!object(&server).exists());
}

/// No directory that can be written to: not the present one, nor that of temporary files, nor home.
#[test]
fn it_writes_nowhere() {
    let (server, tree) = (server(), revision());
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let nowhere = Path::new("/nonexistent");
    for home in [Some(nowhere), Some(tree.path()), None] {
        let mut command = push(&server, tree.path());
        command.env("TMPDIR", nowhere).current_dir(tree.path());
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        let Some((mut command, _binary)) = as_nobody(&command) else {
            return;
        };
        let output = run(&mut command);
        assert!(
            stderr(&output).contains("pushed 242 files"),
            "{}",
            stderr(&output)
        );
        assert!(object(&server).exists());
        fs::remove_file(object(&server)).unwrap();
    }
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_file_system_that_is_read_only_is_enough() {
    let (server, tree) = (server(), revision());
    let Some(unshare) = tool("unshare", &["unshare"]) else {
        return;
    };
    let all =
        "mount --make-rprivate / && mount -o remount,ro,bind / && ! touch /not-written 2>/dev/null";
    let command = after(all, push(&server, tree.path()).env("TMPDIR", "/"));
    let mut alone = unshare;
    alone.args(["--mount", "--map-root-user"]);
    let can = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", all])
        .output()
        .unwrap();
    if !can.status.success() {
        // A sandbox that gives no namespaces, as CI often is. The test above has no such need.
        eprintln!("skipped: {}", String::from_utf8_lossy(&can.stderr));
        return;
    }
    alone.arg(command.get_program()).args(command.get_args());
    server.point(&mut alone);
    run(&mut alone);
    assert!(object(&server).exists());
}

/// Streams that are closed are taken by whatever opens next: the archive or a socket must not.
#[test]
fn closed_streams_do_no_harm() {
    let (server, tree) = (server(), revision());
    let expected = plenty(tree.path());
    for (closed, says) in [
        ("exec <&-", true),
        ("exec 2>&-", true),
        ("exec <&- 2>&-", true),
        ("exec >&-", false),
        ("exec <&- >&-", false),
        ("exec >&- 2>&-", false),
        ("exec <&- >&- 2>&-", false),
    ] {
        let mut command = after(closed, &push(&server, tree.path()));
        let output: Output = command.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{closed}: {}",
            stderr(&output)
        );
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(said.contains("eTag="), says, "{closed}: {said}");
        assert!(fs::read(object(&server)).unwrap() == expected, "{closed}");
        let revisions = server.revisions("App");
        assert!(revisions.contains("key.zip"), "{closed}: {revisions}");
        fs::remove_file(object(&server)).unwrap();
    }
}

/// A reader that is gone, and a disk that is full.
#[test]
fn what_cannot_be_said_is_an_error_and_no_panic() {
    let (server, tree) = (server(), Tree::new());
    tree.file("appspec.yml", APPSPEC).file("x", text(100, 1));
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    // Standard error: there is nobody to tell, and the push is as good.
    let mut command = push(&server, tree.path());
    let output = command.arg("--debug").stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.is_empty());
    // Standard output: scripts wait for what is not there.
    let output = push(&server, tree.path()).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    let said = stderr(&output);
    assert!(
        said.contains("the revision is registered, but: No space left on device"),
        "{said}"
    );
    // Pipes that nobody reads.
    for stream in ["out", "err", "both"] {
        let mut command = push(&server, tree.path());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        match stream {
            "out" => drop(command.stdout(writer)),
            "err" => drop(command.arg("--debug").stderr(writer)),
            _ => drop(command.stdout(writer.try_clone().unwrap()).stderr(writer)),
        }
        let output = command.output().unwrap();
        let code = if stream == "err" { 0 } else { 255 };
        assert_eq!(
            output.status.code(),
            Some(code),
            "{stream}: {}",
            stderr(&output)
        );
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
    for arguments in [
        &["--help"][..],
        &["push", "--help"],
        &["man"],
        &["completions", "bash"],
        &["nonsense"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = hoist();
        let both = writer.try_clone().unwrap();
        let output = command.args(arguments).stdout(writer).output().unwrap();
        assert!(!stderr(&output).contains("panicked"), "{arguments:?}");
        assert!(
            output.status.code().is_some_and(|code| code != 101),
            "{arguments:?}"
        );
        let output = hoist().args(arguments).stderr(both).output().unwrap();
        assert!(
            output.status.code().is_some_and(|code| code != 101),
            "{arguments:?}"
        );
    }
}
