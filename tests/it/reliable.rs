//! What a push does when answers are lost, when stores are not Amazon's, and when it may not take all
//! there is of time, memory and the link.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Answer, Between, Head, Server, Tree, denied, noise, run, run_failing};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// A revision of one part, or of three.
fn revision(large: bool) -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC);
    for n in 0..if large { 4 } else { 0 } {
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

fn push(server: &Server, between: &Between, source: &Path) -> Command {
    let mut command = server.client();
    between.point(&mut command);
    command
        .args(["push", "--application-name", "App", "--level", "1"])
        .args(["--s3-location", "s3://bucket/key.zip", "--source"])
        .arg(source);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn uploads(server: &Server) -> usize {
    fs::read_dir(server.dir().join("buckets/bucket/uploads")).map_or(0, Iterator::count)
}

fn stored(server: &Server) -> Option<u64> {
    let object = server.dir().join("buckets/bucket/objects/key.zip");
    fs::metadata(object).ok().map(|object| object.len())
}

/// Says yes once, to the first request of `operation`.
fn first(operation: &'static str) -> impl Fn(&Head) -> bool + Send + Sync {
    let asked = AtomicUsize::new(0);
    move |head| head.operation() == operation && asked.fetch_add(1, Ordering::SeqCst) == 0
}

fn error(code: u16, body: &'static str) -> Option<Answer> {
    Some((code, vec![("content-type", "application/xml")], body))
}

#[test]
fn whichever_answer_is_lost_the_push_is_done() {
    for (operation, large) in [
        ("PutObject", false),
        ("CreateMultipartUpload", true),
        ("UploadPart", true),
        ("CompleteMultipartUpload", true),
        ("RegisterApplicationRevision", false),
    ] {
        for overwrite in [true, false] {
            let (server, tree) = (server(), revision(large));
            let between = Between::losing(&server, first(operation));
            let mut command = push(&server, &between, tree.path());
            if !overwrite {
                command.arg("--no-overwrite");
            }
            let output = run(&mut command);
            assert!(stored(&server).is_some());
            assert!(server.revisions("App").contains("key.zip"));
            let said = stderr(&output);
            let strays = usize::from(operation == "CreateMultipartUpload");
            // One that nobody knows of is told, and not aborted: it may be another push's.
            assert_eq!(uploads(&server), strays, "{operation}: {said}");
            assert_eq!(
                said.contains("abort-multipart-upload"),
                strays == 1,
                "{said}"
            );
            assert!(between.of(operation).len() > 1, "{operation}");
        }
    }
}

/// The answer of the object's own making is lost, and the retry hears that there is one.
#[test]
fn a_412_of_our_own_object_is_no_failure() {
    let (server, tree) = (server(), revision(false));
    let between = Between::losing(&server, first("PutObject"));
    run(push(&server, &between, tree.path()).arg("--no-overwrite"));
    // Before the upload, and after the second answer.
    assert_eq!(between.of("HeadObject").len(), 2);
    let nonce = between.of("PutObject")[0]
        .get("x-amz-meta-hoist-push")
        .map(str::len);
    assert_eq!(nonce, Some(16));

    // Of somebody else's it is.
    let between = Between::watching(&server);
    let mut command = push(&server, &between, tree.path());
    command.args(["--no-overwrite", "--no-preflight"]);
    let said = stderr(&run_failing(&mut command, 255));
    assert!(
        said.contains("(PreconditionFailed)") && said.contains("choose another key"),
        "{said}"
    );
    assert_eq!(between.of("HeadObject").len(), 0, "there is no doubt");
}

#[test]
fn who_may_not_look_is_told_how_to_go_on() {
    let (server, tree) = (server(), revision(true));
    let lost = AtomicUsize::new(0);
    let between = Between::before(&server, move |head| match &*head.operation() {
        "HeadObject" => Some(denied(head)),
        "CompleteMultipartUpload" if lost.fetch_add(1, Ordering::SeqCst) < 9 => error(
            500,
            "<Error><Code>InternalError</Code><Message>try again</Message></Error>",
        ),
        _ => None,
    });
    let mut command = push(&server, &between, tree.path());
    command.args(["--max-attempts", "2", "--no-preflight"]);
    let said = stderr(&run_failing(&mut command, 255));
    for expected in [
        "(InternalError)",
        "not known",
        "HeadObject",
        "hoist register --application-name App --s3-location s3://bucket/key.zip",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(uploads(&server), 0);
    assert!(stored(&server).is_none());
}

/// S3 begins to answer before it knows how it ends.
#[test]
fn an_error_in_a_200_is_an_error() {
    let (server, tree) = (server(), revision(true));
    let asked = AtomicUsize::new(0);
    let between = Between::before(&server, move |head| {
        let is_first = head.operation() == "CompleteMultipartUpload"
            && asked.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| {
            error(
                200,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code>\
                 <Message>We encountered an internal error.</Message></Error>",
            )
            .unwrap()
        })
    });
    run(&mut push(&server, &between, tree.path()));
    assert_eq!(between.of("CompleteMultipartUpload").len(), 2);
    assert!(stored(&server).is_some());
}

#[test]
fn a_conflict_begins_again_as_a_whole() {
    let (server, tree) = (server(), revision(true));
    let asked = AtomicUsize::new(0);
    let between = Between::before(&server, move |head| {
        let is_first = head.operation() == "CompleteMultipartUpload"
            && asked.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| {
            let body = "<Error><Code>ConditionalRequestConflict</Code><Message>The conditional \
                        request cannot succeed due to a conflicting operation against this \
                        resource.</Message></Error>";
            error(409, body).unwrap()
        })
    });
    let output = run(push(&server, &between, tree.path()).arg("--no-overwrite"));
    let said = stderr(&output);
    assert!(said.contains("the upload began again"), "{said}");
    assert_eq!(between.of("CreateMultipartUpload").len(), 2);
    assert_eq!(between.of("AbortMultipartUpload").len(), 1);
    assert_eq!(uploads(&server), 0);
    assert!(stored(&server).is_some());
}

#[test]
fn each_checksum_is_sent_and_declared_as_it_is() {
    let crc64 = "x-amz-checksum-crc64nvme";
    let crc32 = "x-amz-checksum-crc32";
    for (kind, header, other, algorithm) in [
        ("crc64nvme", Some(crc64), crc32, Some("CRC64NVME")),
        ("crc32", Some(crc32), crc64, Some("CRC32")),
        ("none", None, crc32, None),
    ] {
        for large in [false, true] {
            let (server, tree) = (server(), revision(large));
            let between = Between::watching(&server);
            run(push(&server, &between, tree.path()).args(["--checksum", kind]));
            let bodies = if large { "UploadPart" } else { "PutObject" };
            for head in between.of(bodies) {
                assert_eq!(
                    header.is_some_and(|name| head.get(name).is_some()),
                    header.is_some()
                );
                assert_eq!(head.get(other), None, "{head:?}");
                let chunked = head
                    .get("x-amz-trailer")
                    .or(head.get("x-amz-sdk-checksum-algorithm"));
                assert_eq!(chunked, None, "{head:?}");
            }
            if large {
                let create = &between.of("CreateMultipartUpload")[0];
                assert_eq!(create.get("x-amz-checksum-algorithm"), algorithm);
                let complete = &between.of("CompleteMultipartUpload")[0];
                if let Some(header) = header {
                    assert!(complete.get(header).is_some(), "{complete:?}");
                }
            }
            assert!(stored(&server).is_some());
        }
    }
}

#[test]
fn a_store_that_knows_no_checksum_is_answered_with_the_option() {
    let (server, tree) = (server(), revision(false));
    let between = Between::before(&server, |head| {
        let has = head.get("x-amz-checksum-crc64nvme").is_some();
        has.then(|| {
            error(
                501,
                "<Error><Code>NotImplemented</Code><Message>Header 'x-amz-checksum-crc64nvme' with \
                 value 'x' not implemented</Message></Error>",
            )
            .unwrap()
        })
    });
    let said = stderr(&run_failing(&mut push(&server, &between, tree.path()), 255));
    assert!(
        said.contains("--checksum crc32") && said.contains("--checksum none"),
        "{said}"
    );
    run(push(&server, &between, tree.path()).args(["--checksum", "none"]));
    let mut resuming = push(&server, &between, tree.path());
    let said = stderr(&run_failing(
        resuming.args(["--checksum", "none", "--resume"]),
        252,
    ));
    assert!(said.contains("--checksum"), "{said}");
}

/// Keys in a file that somebody else writes again.
#[test]
fn credentials_that_expired_are_read_again_once() {
    let (server, tree) = (server(), revision(true));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("credentials");
    let keys =
        |id: &str| format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = s\n");
    fs::write(&file, keys("OLD")).unwrap();
    let (renewed, text, written) = (file.clone(), keys("NEW"), AtomicUsize::new(0));
    let between = Between::before(&server, move |head| {
        let is_old = head
            .get("authorization")
            .is_some_and(|text| text.contains("Credential=OLD/"));
        let expires = is_old && head.operation() == "UploadPart";
        expires.then(|| {
            // Several requests hear it at once; nobody may read half a file.
            let name = format!("new-{}", written.fetch_add(1, Ordering::SeqCst));
            let new = renewed.with_file_name(name);
            fs::write(&new, &text).unwrap();
            fs::rename(&new, &renewed).unwrap();
            let body = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.\
                        </Message></Error>";
            error(400, body).unwrap()
        })
    });
    let mut command = push(&server, &between, tree.path());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_SHARED_CREDENTIALS_FILE", &file);
    run(&mut command);
    let last = between.of("RegisterApplicationRevision");
    assert!(
        last[0]
            .get("authorization")
            .unwrap()
            .contains("Credential=NEW/")
    );

    // Those of the environment stay as they are.
    let between = Between::before(&server, |head| {
        let body = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.\
                    </Message></Error>";
        (head.operation() == "CreateMultipartUpload").then(|| error(400, body).unwrap())
    });
    let said = stderr(&run_failing(&mut push(&server, &between, tree.path()), 255));
    assert!(said.contains("(ExpiredToken)"), "{said}");
    assert_eq!(between.of("CreateMultipartUpload").len(), 2);
}

#[test]
fn credentials_that_fail_are_not_asked_for_long() {
    let (server, tree) = (server(), revision(false));
    let between = Between::watching(&server);
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    fs::write(&config, "[default]\ncredential_process = /bin/false\n").unwrap();
    let mut command = push(&server, &between, tree.path());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONFIG_FILE", &config)
        .arg("--no-preflight");
    let since = Instant::now();
    let said = stderr(&run_failing(&mut command, 255));
    assert!(said.contains("cannot get credentials"), "{said}");
    assert!(
        since.elapsed() < Duration::from_secs(40),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn a_throttled_registration_is_made_again() {
    let (server, tree) = (server(), revision(false));
    let asked = AtomicUsize::new(0);
    let between = Between::before(&server, move |head| {
        // More often than the SDK tries by itself.
        let throttled = head.operation() == "RegisterApplicationRevision"
            && asked.fetch_add(1, Ordering::SeqCst) < 4;
        throttled.then(|| {
            let body = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
            (
                400,
                vec![("content-type", "application/x-amz-json-1.1")],
                body,
            )
        })
    });
    run(&mut push(&server, &between, tree.path()));
    assert_eq!(between.of("RegisterApplicationRevision").len(), 5);
}

#[test]
fn the_bandwidth_limit_holds() {
    let (server, tree) = (server(), revision(true));
    let between = Between::watching(&server);
    let since = Instant::now();
    run(push(&server, &between, tree.path()).args(["--bandwidth-limit", "4M"]));
    // 20 MiB that do not compress.
    let took = since.elapsed().as_secs_f64();
    assert!(
        // Above, it is the machine that is slow.
        (4.6..=30.0).contains(&took),
        "{took} s for 20 MiB at 4 MiB/s"
    );
}

#[test]
fn time_that_is_over_stops_and_leaves_nothing() {
    let (server, tree) = (server(), revision(true));
    let between = Between::watching(&server);
    let mut command = push(&server, &between, tree.path());
    command.args(["--timeout", "2", "--bandwidth-limit", "1M"]);
    let said = stderr(&run_failing(&mut command, 255));
    assert_eq!(
        said,
        "hoist: stopped: not done after 2 s, which is --timeout\n"
    );
    assert_eq!(uploads(&server), 0);
    assert_eq!(between.of("AbortMultipartUpload").len(), 1);
}

#[test]
fn memory_is_what_it_may_be() {
    let (server, tree) = (server(), revision(true));
    let between = Between::watching(&server);
    let limited = |limit: &str| {
        let mut command = push(&server, &between, tree.path());
        command.args(["--memory-limit", limit, "--concurrency", "64"]);
        command
    };
    let said = stderr(&run_failing(&mut limited("84M"), 255));
    assert!(
        said.contains("needs 85 MiB") && said.contains("allows 84 MiB"),
        "{said}"
    );
    run(&mut limited("85M"));
    run(&mut limited("128M"));
}

/// The most memory that a push of this build took, in KiB.
#[cfg(target_os = "linux")]
fn peak_of(command: &mut Command) -> u64 {
    use std::io::Read as _;

    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut said = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut said).unwrap();
    assert!(said.contains("eTag="), "{said}");
    peak
}

/// On a link that is slower than packing, every part exists that may.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_its_limit() {
    /// What the limits count for the program, in KiB.
    const PROGRAM: u64 = 24 << 10;

    let (server, empty, tree) = (server(), revision(false), Tree::new());
    tree.file("appspec.yml", APPSPEC);
    (0..20).for_each(|n| {
        tree.file(&format!("noise-{n}.bin"), noise(8 << 20, n));
    });
    let between = Between::watching(&server);
    // Without optimisations the code alone is larger than that: what a push of nothing takes above it
    // is the build's, and not the limits'.
    let program = peak_of(&mut push(&server, &between, empty.path()));
    let more = program.saturating_sub(PROGRAM);
    eprintln!("the program alone: {program} KiB, {more} KiB more than counted");
    assert!(
        cfg!(debug_assertions) || more == 0,
        "BASE in src/limits.rs is too small: {program} KiB"
    );
    for (limit, mib) in [("96M", 96), ("128M", 128)] {
        let mut command = push(&server, &between, tree.path());
        command.args(["--memory-limit", limit, "--bandwidth-limit", "40M"]);
        let peak = peak_of(&mut command);
        eprintln!("--memory-limit {limit}: peak {peak} KiB");
        assert!(peak <= (mib << 10) + more, "{limit}: {peak} KiB");
    }
}
