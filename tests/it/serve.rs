//! `hoist serve`, judged by the clients that it is for: the AWS CLI and boto3.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use hoist::endpoint::{Endpoint, Settings, Storage};

use crate::support::{Server, Tree, noise, run, run_text, text, tool};

/// The AWS CLI as a client of `server`.
fn aws(server: &Server) -> Option<Command> {
    let mut command = tool("AWS CLI", &["aws"])?;
    server.point(&mut command);
    command
        .env("AWS_PAGER", "")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    Some(command)
}

fn revision() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("site/index.html", text(50_000, 1))
        .file("site/photo.jpg", noise(7 << 20, 2));
    tree
}

/// Pushes `tree` as hoist does.
fn push(server: &Server, tree: &Tree, location: &str) {
    let mut command = server.client();
    command.args([
        "push",
        "--application-name",
        "App",
        "--s3-location",
        location,
    ]);
    command.args(["--description", "by hoist", "--source"]);
    run(command.arg(tree.path()));
}

#[test]
fn the_aws_cli_copies_what_hoist_pushed() {
    let (server, tree, out) = (Server::start(), revision(), tempfile::tempdir().unwrap());
    let Some(mut cli) = aws(&server) else { return };
    server.make_bucket("bucket");
    run(cli.args(["deploy", "create-application", "--application-name", "App"]));
    push(&server, &tree, "s3://bucket/a/b.zip");

    let file = out.path().join("b.zip");
    let mut cli = aws(&server).unwrap();
    run(cli
        .args(["s3", "cp", "--quiet", "s3://bucket/a/b.zip"])
        .arg(&file));
    let stored = server.dir().join("buckets/bucket/objects/a/b.zip");
    assert!(fs::read(&file).unwrap() == fs::read(stored).unwrap());

    let mut cli = aws(&server).unwrap();
    cli.args([
        "deploy",
        "list-application-revisions",
        "--application-name",
        "App",
    ]);
    let listed = run_text(cli.args(["--output", "text"]));
    assert!(
        listed.contains("a/b.zip") && listed.contains("bucket"),
        "{listed}"
    );
}

#[test]
fn aws_deploy_push_works_as_hoist_push_does() {
    let (server, tree) = (Server::start(), revision());
    let Some(mut cli) = aws(&server) else { return };
    server.make_bucket("bucket");
    run(cli.args(["deploy", "create-application", "--application-name", "App"]));
    let push = [
        "push",
        "--application-name",
        "App",
        "--s3-location",
        "s3://bucket/key.zip",
    ];
    let by_aws = run_text(
        aws(&server)
            .unwrap()
            .arg("deploy")
            .args(push)
            .arg("--source")
            .arg(tree.path()),
    );
    let by_hoist = run_text(server.client().args(push).arg("--source").arg(tree.path()));
    let without_etag = |text: &str| {
        let (before, rest) = text.split_once("eTag=").unwrap();
        let (_, after) = rest.split_once(' ').unwrap();
        format!("{before}{after}")
    };
    assert_eq!(without_etag(&by_hoist), without_etag(&by_aws));
}

#[test]
fn boto3_finds_checksums_and_revisions() {
    const PROGRAM: &str = r#"
import boto3, sys
s3, deploy = boto3.client("s3"), boto3.client("codedeploy")
head = s3.head_object(Bucket="bucket", Key="key.zip", ChecksumMode="ENABLED")
assert head["ChecksumType"] == "FULL_OBJECT", head
assert head["ChecksumCRC64NVME"], head
revision = deploy.list_application_revisions(applicationName="App")["revisions"][0]
assert revision["s3Location"]["eTag"] == head["ETag"].strip('"'), revision
info = deploy.get_application_revision(applicationName="App", revision=revision)
print(info["revisionInfo"]["description"])
assert not s3.list_multipart_uploads(Bucket="bucket").get("Uploads")
"#;
    let (server, tree) = (Server::start(), revision());
    // Where the AWS CLI is, its Python is, and boto3 beside it.
    let Some(mut python) = tool("Python", &["python3"]) else {
        return;
    };
    if !python
        .args(["-c", "import boto3"])
        .output()
        .unwrap()
        .status
        .success()
    {
        return crate::support::missing("boto3", "python3 cannot import it");
    }
    server.make_bucket("bucket");
    let Some(mut cli) = aws(&server) else { return };
    run(cli.args(["deploy", "create-application", "--application-name", "App"]));
    push(&server, &tree, "s3://bucket/key.zip");
    let mut python = tool("Python", &["python3"]).unwrap();
    server.point(&mut python);
    assert_eq!(run_text(python.args(["-c", PROGRAM])), "by hoist\n");
}

#[test]
fn ctrl_c_ends_it_without_an_error() {
    let mut server = Server::start();
    assert_eq!(server.stop("INT"), Some(0));
}

/// A runtime with a thread that serves while the test waits for a command.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_push_to_a_discarding_endpoint_has_the_etag_of_one_that_keeps() {
    let (server, tree, runtime) = (Server::start(), revision(), runtime());
    server.make_bucket("bucket");
    server.make_application("App", "Server");
    let settings = Settings::new(Storage::Discard);
    let discarding = runtime.block_on(Endpoint::open(settings)).unwrap();
    discarding.prepare("bucket", "us-east-1", "App").unwrap();
    let pushed = |url: &str| {
        let mut command = server.client();
        command.env("AWS_ENDPOINT_URL", url);
        command.args(["push", "--application-name", "App", "--source"]);
        command.arg(tree.path());
        run_text(command.args(["--s3-location", "s3://bucket/key.zip"]))
    };
    assert_eq!(pushed(discarding.url()), pushed(&server.url()));
    let stored = server.dir().join("buckets/bucket/objects/key.zip");
    let seen = discarding.statistics();
    assert_eq!(seen.bytes, fs::metadata(stored).unwrap().len());
    assert_eq!(seen.requests["RegisterApplicationRevision"], 1);
}

#[test]
fn serve_discard_prints_its_statistics_when_it_ends() {
    let mut serve = crate::support::hoist();
    serve.args(["serve", "--discard", "--latency", "1ms", "--rate", "9MB/s"]);
    let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    assert!(address.starts_with("export AWS_ENDPOINT_URL=http://127.0.0.1:"));
    crate::support::send_signal(&child, "TERM");
    let statistics = lines.next().unwrap().unwrap();
    assert!(statistics.starts_with(r#"{"bytes":0,"#), "{statistics}");
    assert!(child.wait().unwrap().success());
}
