//! Pushes that are told to stop, by signals and by the end of whoever listens.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Between, BlackHole, Server, Tree, denied, noise, run, send_signal};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

fn revision() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC);
    for n in 0..4 {
        tree.file(&format!("noise-{n}.bin"), noise(5 << 20, n));
    }
    tree
}

fn server() -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    server
}

fn push(command: &mut Command, url: &str, source: &Path) {
    command
        .env("AWS_ENDPOINT_URL", url)
        .args(["push", "--application-name", "App", "--level", "1"])
        .args([
            "--s3-location",
            "s3://bucket/key.zip",
            "--no-preflight",
            "--source",
        ])
        .arg(source)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

fn uploads(server: &Server) -> Vec<String> {
    let dir = server.dir().join("buckets/bucket/uploads");
    let names = fs::read_dir(dir).into_iter().flatten();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn end(child: Child) -> (Output, String) {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

#[test]
fn each_signal_has_its_exit_code_and_leaves_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (server, tree) = (server(), revision());
        let hole = BlackHole::before(&server, "PUT ");
        let mut command = server.client();
        push(&mut command, &hole.url, tree.path());
        let child = command.spawn().unwrap();
        wait_until("a part is sent", || hole.swallowed() > 0);
        assert_eq!(uploads(&server).len(), 1);
        send_signal(&child, signal);
        let (output, said) = end(child);
        assert_eq!(output.status.code(), Some(code), "{signal}: {said}");
        assert_eq!(said, "hoist: stopped\n");
        assert_eq!(uploads(&server), [""; 0]);
    }
}

/// As `timeout` sends them: to the command, and to the group that it is in.
#[test]
fn signals_that_come_together_are_one() {
    let (server, tree) = (server(), revision());
    let hole = BlackHole::before(&server, "PUT ");
    let mut command = server.client();
    push(&mut command, &hole.url, tree.path());
    let child = command.spawn().unwrap();
    wait_until("a part is sent", || hole.swallowed() > 0);
    let id = child.id().to_string();
    let twice = Command::new("sh")
        .args(["-c", "kill -INT \"$1\" && kill -INT \"$1\"", "sh", &id])
        .status();
    assert!(twice.unwrap().success());
    let (output, said) = end(child);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_eq!(said, "hoist: stopped\n");
    assert_eq!(uploads(&server), [""; 0]);
}

/// `nohup` is how a push is kept from its terminal's end.
#[test]
fn a_hangup_that_is_ignored_is_ignored() {
    let (server, tree) = (server(), revision());
    let between = Between::watching(&server);
    let mut hoist = server.client();
    push(&mut hoist, &between.url, tree.path());
    hoist.args(["--bandwidth-limit", "8M"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(hoist.get_program())
        .args(hoist.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in hoist.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let child = command.spawn().unwrap();
    wait_until("a part is sent", || !between.of("UploadPart").is_empty());
    send_signal(&child, "HUP");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(server.revisions("App").contains("key.zip"));
}

/// The first signal waits for the abort, which never comes; the second does not.
#[test]
fn a_second_signal_ends_at_once_and_says_what_is_left() {
    let (server, tree) = (server(), revision());
    // Two in a row: only what begins with either is lost.
    let aborts = BlackHole::before(&server, "DELETE ");
    let mut command = server.client();
    push(&mut command, &aborts.url, tree.path());
    command.args(["--bandwidth-limit", "1M", "--region", "us-east-1"]);
    // What such a push notes of itself is there before any part: the upload has been answered by then.
    command.arg("--resume=auto");
    let child = command.spawn().unwrap();
    let noted = |upload: &String| {
        let uploads = server.dir().join("buckets/bucket/uploads");
        uploads.join(upload).join("parts.jsonl").exists()
    };
    wait_until("an upload was answered", || {
        uploads(&server).iter().any(noted)
    });
    send_signal(&child, "INT");
    wait_until("the abort is sent", || aborts.swallowed() > 0);
    // Nobody presses it again sooner; see `signals_that_come_together_are_one`.
    thread::sleep(Duration::from_millis(300));
    let since = Instant::now();
    send_signal(&child, "INT");
    let (output, said) = end(child);
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(output.status.code(), Some(130), "{said}");
    let [upload] = &uploads(&server)[..] else {
        panic!("{:?}", uploads(&server))
    };
    let command = format!(
        "aws s3api abort-multipart-upload --bucket bucket --key key.zip --upload-id {upload} \
         --region us-east-1\n"
    );
    assert!(said.ends_with(&command), "{said}");
}

#[test]
fn an_abort_that_is_forbidden_does_not_hide_the_cause() {
    let (server, tree) = (server(), revision());
    let between = Between::before(&server, |head| match &*head.operation() {
        "AbortMultipartUpload" | "UploadPart" => Some(denied(head)),
        _ => None,
    });
    let mut command = server.client();
    push(&mut command, &between.url, tree.path());
    let url = between.url.clone();
    command.args(["--s3-endpoint-url", &url]);
    let (output, said) = end(command.spawn().unwrap());
    assert_eq!(output.status.code(), Some(255), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].contains("(AccessDenied) when calling the UploadPart"),
        "{said}"
    );
    let upload = &uploads(&server)[0];
    let command = format!("--upload-id {upload} --endpoint-url {url}");
    assert!(
        lines[1].contains("AbortMultipartUpload") && lines[1].ends_with(&command),
        "{said}"
    );
}

/// A log that nobody reads any more is no reason to fail.
#[test]
fn a_standard_error_that_is_closed_stops_nothing() {
    let (server, tree) = (server(), revision());
    let between = Between::watching(&server);
    for more in [&["--bandwidth-limit", "20M"][..], &["--debug"]] {
        let mut command = server.client();
        push(&mut command, &between.url, tree.path());
        command.args(more);
        let mut child = command.spawn().unwrap();
        drop(child.stderr.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{more:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("eTag="));
    }
    // Nor are streams that were never open.
    let mut hoist = server.client();
    push(&mut hoist, &between.url, tree.path());
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" <&- 2>&-", "sh"]);
    command.arg(hoist.get_program()).args(hoist.get_args());
    for (name, value) in hoist.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    run(&mut command);
}
