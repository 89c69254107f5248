//! `hoist push` as a user runs it, against the embedded endpoint.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    BlackHole, Server, Tree, as_nobody, hoist, noise, run, run_failing, run_silent, send_signal,
    text, tool,
};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

/// A small revision.
fn small() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC)
        .file("scripts/start.sh", "#!/bin/sh\n")
        .mode("scripts/start.sh", 0o755)
        .file("site/index.html", text(20_000, 1))
        .file(".env", "KEY=value\n");
    tree
}

/// A revision of several parts, with a large file whose header's part is kept back.
fn large() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC)
        .file("z.txt", text(100, 2));
    for n in 0..3 {
        tree.file(&format!("noise-{n}.bin"), noise(9 << 20, n));
    }
    tree
}

fn push(source: &Path, dir: &Path) -> Command {
    let mut command = hoist();
    command
        .args([
            "push",
            "--application-name",
            "App",
            "--s3-location",
            "s3://bucket/dir/key.zip",
        ])
        .arg("--source")
        .arg(source)
        .arg("--local")
        .arg(dir);
    command
}

fn object(dir: &Path) -> PathBuf {
    dir.join("buckets/bucket/objects/dir/key.zip")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The value of `eTag=` in the success text.
fn etag(output: &Output) -> String {
    let text = stdout(output);
    let (_, rest) = text.split_once("eTag=").unwrap();
    rest.split([',', ' ']).next().unwrap().to_owned()
}

fn packed(source: &Path) -> Vec<u8> {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("out.zip");
    run_silent(
        hoist()
            .args(["pack", "-q", "--source"])
            .arg(source)
            .arg("-o")
            .arg(&file),
    );
    fs::read(file).unwrap()
}

/// Paths below `dir` that hold a multipart upload.
fn uploads(dir: &Path) -> usize {
    fs::read_dir(dir.join("buckets/bucket/uploads")).map_or(0, Iterator::count)
}

#[test]
fn the_success_text_is_that_of_the_aws_cli() {
    let (tree, dir) = (small(), tempfile::tempdir().unwrap());
    let output = run(&mut push(tree.path(), dir.path()));
    let etag = etag(&output);
    assert_eq!(
        stdout(&output),
        format!(
            "To deploy with this revision, run:\n\
             aws deploy create-deployment --application-name App --s3-location \
             bucket=bucket,key=dir/key.zip,bundleType=zip,eTag={etag} \
             --deployment-group-name <deployment-group-name> \
             --deployment-config-name <deployment-config-name> --description <description>\n"
        )
    );
    let summary = stderr(&output);
    assert!(summary.starts_with("hoist: pushed 4 files, "), "{summary}");
    assert_eq!(summary.lines().count(), 1, "{summary}");
}

#[test]
fn push_stores_what_pack_writes() {
    for tree in [small(), large()] {
        let dir = tempfile::tempdir().unwrap();
        let output = run(push(tree.path(), dir.path()).arg("--quiet"));
        assert_eq!(stderr(&output), "");
        assert!(fs::read(object(dir.path())).unwrap() == packed(tree.path()));
        assert_eq!(uploads(dir.path()), 0);
    }
}

#[test]
fn the_etag_is_the_same_with_any_number_of_threads() {
    let tree = large();
    let tags = ["1", "2", "16"].map(|threads| {
        let dir = tempfile::tempdir().unwrap();
        etag(&run(
            push(tree.path(), dir.path()).args(["--threads", threads])
        ))
    });
    assert!(tags[0].ends_with("-4"), "{tags:?}");
    assert_eq!(tags[0], tags[1]);
    assert_eq!(tags[0], tags[2]);
}

#[test]
fn hidden_files_are_left_out_when_asked() {
    let (tree, dir) = (small(), tempfile::tempdir().unwrap());
    let output = run(push(tree.path(), dir.path()).arg("--ignore-hidden-files"));
    assert!(
        stderr(&output).starts_with("hoist: pushed 3 files, "),
        "{}",
        stderr(&output)
    );
    let output = run(push(tree.path(), dir.path()).arg("--no-ignore-hidden-files"));
    assert!(
        stderr(&output).starts_with("hoist: pushed 4 files, "),
        "{}",
        stderr(&output)
    );
}

#[test]
fn links_to_directories_are_warned_about() {
    let (tree, dir) = (small(), tempfile::tempdir().unwrap());
    tree.symlink("current", "site")
        .symlink("copy.html", "site/index.html");
    let output = run(&mut push(tree.path(), dir.path()));
    let said = stderr(&output);
    let mut lines = said.lines();
    let warning = lines.next().unwrap();
    assert!(
        warning.contains("warning: ") && warning.contains("current is a symbolic link"),
        "{said}"
    );
    assert!(
        lines.next().unwrap().starts_with("hoist: pushed 5 files, "),
        "{said}"
    );
}

#[test]
fn the_registered_revision_is_the_stored_one() {
    let (tree, dir) = (small(), tempfile::tempdir().unwrap());
    let output = run(push(tree.path(), dir.path()).args(["--description", "a release"]));
    let registered = fs::read_dir(dir.path().join("codedeploy/us-east-1"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect::<String>();
    for expected in ["a release", &etag(&output), "dir/key.zip", "zip"] {
        assert!(registered.contains(expected), "{expected} in {registered}");
    }
}

/// Runs a push that must fail; returns what it said.
fn failing(arguments: &[&str], code: i32) -> String {
    let (tree, dir) = (small(), tempfile::tempdir().unwrap());
    let mut command = hoist();
    command.current_dir(tree.path()).arg("push").args(arguments);
    if !arguments.contains(&"--endpoint-url") {
        command.arg("--local").arg(dir.path());
    }
    let output = run_failing(&mut command, code);
    assert_eq!(stdout(&output), "");
    assert_eq!(uploads(dir.path()), 0);
    stderr(&output)
}

#[test]
fn bad_arguments_have_the_texts_of_the_aws_cli() {
    let name = ["--application-name", "App"];
    let with = |more: &[&'static str]| [&name[..], more].concat();
    let said = failing(&with(&["--s3-location", "bucket/key"]), 252);
    assert_eq!(
        said,
        "hoist: --s3-location must specify the Amazon S3 URL format as s3://<bucket>/<key>.\n"
    );
    let both = [
        "--s3-location",
        "s3://b/k",
        "--ignore-hidden-files",
        "--no-ignore-hidden-files",
    ];
    let said = failing(&with(&both), 252);
    assert_eq!(
        said,
        "hoist: You cannot specify both --ignore-hidden-files and --no-ignore-hidden-files.\n"
    );
    assert!(failing(&name, 252).contains("--s3-location"));
    let said = failing(&with(&["--s3-location", "s3://b/k", "--level", "13"]), 252);
    assert!(
        said.contains("0 (store) to 12") && said.contains("auto"),
        "{said}"
    );
}

#[test]
fn no_region_has_the_text_of_the_aws_cli() {
    let arguments = [
        "--application-name",
        "App",
        "--s3-location",
        "s3://b/k",
        "--endpoint-url",
        "http://127.0.0.1:9",
    ];
    assert_eq!(
        failing(&arguments, 253),
        "hoist: You must specify a region. You can also configure your region by running \"aws \
         configure\".\n"
    );
}

#[test]
fn a_source_without_an_appspec_is_no_revision() {
    let (tree, dir) = (small(), tempfile::tempdir().unwrap());
    fs::remove_file(tree.path().join("appspec.yml")).unwrap();
    let output = run_failing(&mut push(tree.path(), dir.path()), 255);
    assert_eq!(
        stderr(&output),
        format!(
            "hoist: {} was not found\n",
            tree.path().join("appspec.yml").display()
        )
    );
    assert!(!object(dir.path()).exists());
}

#[test]
fn an_endpoint_inside_the_source_is_refused() {
    let tree = small();
    let output = run_failing(&mut push(tree.path(), &tree.path().join("out")), 252);
    assert!(
        stderr(&output).contains("is inside the source"),
        "{}",
        stderr(&output)
    );
    assert!(!tree.path().join("out").exists());
}

#[test]
fn a_file_that_cannot_be_packed_is_named_and_nothing_is_stored() {
    let (tree, dir) = (large(), tempfile::tempdir().unwrap());
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("z.sock")).unwrap();
    let output = run_failing(&mut push(tree.path(), dir.path()), 255);
    assert!(
        stderr(&output).contains("z.sock is a socket"),
        "{}",
        stderr(&output)
    );
    assert!(!object(dir.path()).exists());
    assert_eq!(uploads(dir.path()), 0);
}

/// Pushes `source` through a proxy that loses `request`, and signals once that happened.
fn interrupted(server: &Server, source: &Path, request: &'static str, signal: &str) -> Output {
    server.make_bucket("bucket");
    let hole = BlackHole::before(server, request);
    let mut command = server.client();
    command
        .env("AWS_ENDPOINT_URL", &hole.url)
        .args([
            "push",
            "--application-name",
            "App",
            "--s3-location",
            "s3://bucket/key.zip",
            // Its requests are not the ones to be lost.
            "--no-preflight",
        ])
        .arg("--source")
        .arg(source)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while hole.swallowed() == 0 {
        assert!(Instant::now() < deadline, "{request} was never sent");
        thread::sleep(Duration::from_millis(5));
    }
    send_signal(&child, signal);
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output), "");
    output
}

/// A signal while parts are on their way that will never be answered.
fn interrupted_upload(signal: &str, code: i32) {
    let (server, tree) = (Server::start(), large());
    let output = interrupted(&server, tree.path(), "PUT ", signal);
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert_eq!(stderr(&output), "hoist: stopped\n");
    assert_eq!(uploads(server.dir()), 0, "it was aborted");
    assert!(!server.dir().join("buckets/bucket/objects/key.zip").exists());
    // There was one to abort.
    assert!(server.dir().join("buckets/bucket/uploads").exists());
}

#[test]
fn ctrl_c_while_registering_says_what_is_stored() {
    let (server, tree) = (Server::start(), small());
    let output = interrupted(&server, tree.path(), "POST / ", "INT");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let said = stderr(&output);
    let (first, next) = said.split_once('\n').unwrap();
    assert_eq!(
        first,
        "hoist: stopped before RegisterApplicationRevision was answered"
    );
    assert!(
        next.contains("run: hoist register --application-name App"),
        "{said}"
    );
    assert!(server.dir().join("buckets/bucket/objects/key.zip").exists());
}

#[test]
fn ctrl_c_aborts_the_upload() {
    interrupted_upload("INT", 130);
}

#[test]
fn sigterm_aborts_the_upload() {
    interrupted_upload("TERM", 143);
}

#[test]
fn what_cannot_be_read_is_named() {
    let everybody = fs::Permissions::from_mode(0o755);
    for locked in ["site/index.html", "site"] {
        let (tree, out) = (small(), tempfile::tempdir().unwrap());
        fs::set_permissions(tree.path(), everybody.clone()).unwrap();
        fs::set_permissions(out.path(), fs::Permissions::from_mode(0o777)).unwrap();
        tree.mode(locked, 0o000);
        let mut command = hoist();
        command.args(["pack", "-q", "--source"]).arg(tree.path());
        command.arg("-o").arg(out.path().join("out.zip"));
        let Some((mut command, _binary)) = as_nobody(&command) else {
            return;
        };
        let output = run_failing(&mut command, 255);
        tree.mode(locked, 0o755);
        let said = stderr(&output);
        let expected = tree.path().join(locked).display().to_string();
        assert!(
            said.contains(&expected) && said.contains("Permission denied"),
            "{said}"
        );
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }
}

/// Whether a traced call opens something without making it or writing to it.
fn only_reads(call: &str) -> bool {
    let reads = call.contains("O_RDONLY") || call.contains("O_PATH");
    call.contains(" open") && reads && !call.contains("O_CREAT")
}

/// Every file that a push opens to write to, or makes, is in the directory of `--local`.
#[test]
fn nothing_is_written_elsewhere() {
    let (tree, dir) = (large(), tempfile::tempdir().unwrap());
    let trace = tempfile::NamedTempFile::new().unwrap();
    let Some(mut strace) = tool("strace", &["strace"]) else {
        return;
    };
    let calls = "trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,\
                 symlinkat,rename,renameat,renameat2,memfd_create,truncate";
    strace
        .args(["-f", "-qq", "-e", calls, "-o"])
        .arg(trace.path());
    let push = push(tree.path(), dir.path());
    strace.arg(push.get_program()).args(push.get_args());
    run(&mut strace);
    let trace = fs::read_to_string(trace.path()).unwrap();
    let dir = format!("\"{}", dir.path().display());
    let (inside, outside): (Vec<&str>, Vec<&str>) = trace
        .lines()
        // The rest of a call that was interrupted names no file; its begin did.
        .filter(|call| call.contains('"') && !only_reads(call))
        .filter(|call| !call.contains("\"/dev/null\""))
        .partition(|call| call.contains(&dir));
    assert!(
        inside.iter().any(|call| call.contains("/objects/")),
        "{trace}"
    );
    assert!(outside.is_empty(), "{outside:#?}");
}

#[test]
fn a_bucket_that_does_not_exist_is_named() {
    let server = Server::start();
    let tree = small();
    let output = run_failing(
        server.client().args([
            "push",
            "--application-name",
            "App",
            "--s3-location",
            "s3://no-such-bucket/key",
            "--source",
            tree.path().to_str().unwrap(),
        ]),
        255,
    );
    let said = stderr(&output);
    assert_eq!(
        said.lines().next().unwrap(),
        format!(
            "hoist: Failed to upload '{}' to 's3://no-such-bucket/key': An error occurred \
             (NoSuchBucket) when calling the HeadBucket operation: The specified bucket does not \
             exist",
            tree.path().display()
        )
    );
    assert!(said.contains("create the bucket"), "{said}");
}
