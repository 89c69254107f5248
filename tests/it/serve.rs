//! `hoist serve`, as a process, and judged by the clients that it is for: the AWS CLI and boto3.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;

use hoist::endpoint::{Endpoint, Settings, Storage};

use crate::support::{Run as _, Running, Tree, aws, hoist, missing, noise, text, tool};

/// `hoist serve` on a directory of its own.
pub(crate) struct Serve {
    running: Running,
    url: String,
    /// The lines that a client evaluates.
    exports: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Serve {
    fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = hoist();
        command.arg("serve").args(options);
        command.args(["--port", "0", "--dir"]);
        let mut running = command.arg(dir.path()).start();
        let stdout = BufReader::new(running.child().stdout.take().unwrap());
        let exports: Vec<String> = stdout.lines().take(5).map(Result::unwrap).collect();
        let url = exports[0].strip_prefix("export AWS_ENDPOINT_URL=");
        Self {
            url: url.unwrap().to_owned(),
            exports: exports.join("\n"),
            running,
            dir,
        }
    }

    /// With the bucket `bucket` and the application `App`, which the AWS CLI makes. None without it.
    fn ready() -> Option<Self> {
        Self::ready_with(&[])
    }

    pub(crate) fn ready_with(options: &[&str]) -> Option<Self> {
        let serve = Self::start_with(options);
        serve.aws(&["s3", "mb", "s3://bucket"])?.ok();
        let create = ["deploy", "create-application", "--application-name", "App"];
        serve.aws(&create)?.ok();
        Some(serve)
    }

    /// Makes a command a client.
    pub(crate) fn client(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1");
        command
    }

    pub(crate) fn aws(&self, arguments: &[&str]) -> Option<Command> {
        Some(self.client(aws()?, arguments))
    }

    /// Pushes `tree` with `hoist push`.
    pub(crate) fn push(&self, tree: &Tree) -> Command {
        let push = [
            "push",
            "--application-name",
            "App",
            "--description",
            "by hoist",
        ];
        let mut command = self.client(hoist(), &push);
        command.args(["--s3-location", "s3://bucket/a/b.zip", "--source"]);
        command.arg(tree.path());
        command
    }
}

fn revision() -> Tree {
    let tree = Tree::revision();
    tree.file("site/index.html", text(50_000, 1))
        .file("site/photo.jpg", noise(8 << 20, 2));
    tree
}

#[test]
fn the_aws_cli_lists_and_copies_what_hoist_pushed() {
    let Some(serve) = Serve::ready() else { return };
    serve.push(&revision()).ok();
    let copy = serve.dir.path().join("copy");
    let mut cp = serve
        .aws(&["s3", "cp", "--quiet", "s3://bucket/a/b.zip"])
        .unwrap();
    cp.arg(&copy).ok();
    let stored = serve.dir.path().join("buckets/bucket/objects/a/b.zip");
    assert!(fs::read(&copy).unwrap() == fs::read(stored).unwrap());

    let list = [
        "deploy",
        "list-application-revisions",
        "--application-name",
        "App",
    ];
    let mut list = serve.aws(&list).unwrap();
    let done = list.args(["--output", "text"]).ok();
    done.prints("a/b.zip").prints("bucket");
}

/// The region of a bucket is that of `s3 mb --region`; clients of other regions are redirected to it.
#[test]
fn the_aws_cli_copies_to_from_and_between_the_buckets_of_several_regions() {
    let Some(serve) = Serve::ready() else { return };
    let europe = ["s3", "mb", "s3://europe", "--region", "eu-west-1"];
    serve.aws(&europe).unwrap().ok();
    let dir = serve.dir.path();
    // One request, and several parts.
    for (name, bytes) in [("small", noise(1000, 1)), ("large", noise(9 << 20, 2))] {
        let file = dir.join(name);
        fs::write(&file, &bytes).unwrap();
        let file = file.to_str().unwrap();
        let there = format!("s3://europe/{name}");
        let here = format!("s3://bucket/{name}");
        let back = dir.join("back");
        let cp = |arguments: &[&str]| {
            let copy = ["s3", "cp", "--quiet"];
            let mut command = serve.aws(&[&copy, arguments].concat()).unwrap();
            command.ok();
        };
        cp(&[file, &there, "--region", "us-east-1"]);
        cp(&[&there, back.to_str().unwrap(), "--region", "us-west-2"]);
        assert!(fs::read(&back).unwrap() == bytes, "{name}");
        cp(&[
            &there,
            &here,
            "--source-region",
            "eu-west-1",
            "--region",
            "us-east-1",
        ]);
        let again = format!("{there}-again");
        cp(&[
            &here,
            &again,
            "--source-region",
            "us-east-1",
            "--region",
            "eu-west-1",
        ]);
        let stored = Endpoint::object_path(dir, "europe", &format!("{name}-again"));
        assert!(fs::read(stored).unwrap() == bytes, "{name}");
    }
    let list = ["s3", "ls", "s3://europe", "--region", "us-east-1"];
    let done = serve.aws(&list).unwrap().ok();
    done.prints("large-again").prints("small-again");
}

#[test]
fn the_aws_cli_makes_buckets_where_s3_would() {
    let Some(serve) = Serve::ready() else { return };
    let make = |arguments: &[&str]| {
        let make = ["s3api", "create-bucket", "--bucket"];
        serve.aws(&[&make, arguments].concat()).unwrap().done()
    };
    let europe = "LocationConstraint=eu-west-1";
    for (arguments, said) in [
        (&["one", "--region", "us-east-1"][..], ""),
        (&["one", "--region", "us-east-1"], ""),
        (
            &["two", "--region", "eu-west-1"],
            "(IllegalLocationConstraintException)",
        ),
        (
            &[
                "two",
                "--region",
                "eu-west-1",
                "--create-bucket-configuration",
                europe,
            ],
            "",
        ),
        (
            &[
                "two",
                "--region",
                "eu-west-1",
                "--create-bucket-configuration",
                europe,
            ],
            "(BucketAlreadyOwnedByYou)",
        ),
    ] {
        let done = make(arguments);
        assert_eq!(done.code == Some(0), said.is_empty(), "{done}");
        done.says(said);
    }
    for (region, bucket) in [("us-east-1", "one"), ("eu-west-1", "two")] {
        // The answer to HeadBucket is followed, too.
        let head = [
            "s3api",
            "head-bucket",
            "--region",
            "us-west-2",
            "--bucket",
            bucket,
        ];
        serve.aws(&head).unwrap().ok().prints(region);
    }
}

#[test]
fn a_push_to_a_bucket_of_another_region_names_that_region() {
    let Some(serve) = Serve::ready() else { return };
    let tree = revision();
    let done = serve.push(&tree).args(["--region", "eu-west-1"]).fails(255);
    done.says("us-east-1").says("eu-west-1");
    let without = ["--region", "eu-west-1", "--no-preflight"];
    let done = serve.push(&tree).args(without).fails(255);
    done.says("PermanentRedirect").says("--region");
    serve.push(&tree).ok();
}

#[test]
fn aws_deploy_push_prints_what_hoist_push_prints() {
    let Some(serve) = Serve::ready() else { return };
    let tree = revision();
    let by_hoist = serve.push(&tree).ok();
    let push = [
        "deploy",
        "push",
        "--application-name",
        "App",
        "--description",
        "by aws",
    ];
    let mut by_aws = serve.aws(&push).unwrap();
    by_aws.args(["--s3-location", "s3://bucket/a/b.zip", "--source"]);
    let by_aws = by_aws.arg(tree.path()).ok();
    let without_etag = |done: &crate::support::Done| done.stdout.replace(done.etag(), "");
    assert_eq!(without_etag(&by_hoist), without_etag(&by_aws));
}

#[test]
fn boto3_finds_checksums_and_revisions() {
    const PROGRAM: &str = r#"
import boto3, sys
s3, deploy = boto3.client("s3"), boto3.client("codedeploy")
head = s3.head_object(Bucket="bucket", Key="a/b.zip", ChecksumMode="ENABLED")
assert head["ChecksumType"] == "FULL_OBJECT", head
assert head["ChecksumCRC64NVME"], head
revision = deploy.list_application_revisions(applicationName="App")["revisions"][0]
assert revision["s3Location"]["eTag"] == head["ETag"].strip('"'), revision
info = deploy.get_application_revision(applicationName="App", revision=revision)
print(info["revisionInfo"]["description"])
assert not s3.list_multipart_uploads(Bucket="bucket").get("Uploads")
"#;
    // Where the AWS CLI is, its Python is, and boto3 beside it.
    let python = || tool("Python", &["python3"]);
    let Some(mut probe) = python() else { return };
    if probe.args(["-c", "import boto3"]).done().code != Some(0) {
        return missing("boto3", "python3 cannot import it");
    }
    let Some(serve) = Serve::ready() else { return };
    serve.push(&revision()).ok();
    let mut python = serve.client(python().unwrap(), &["-c", PROGRAM]);
    assert_eq!(python.ok().stdout, "by hoist\n");
}

#[test]
fn the_printed_lines_are_all_that_a_client_needs() {
    let serve = Serve::start();
    let tree = revision();
    // The shell has no settings of AWS but those that it evaluates.
    let script = format!(
        "eval '{}'; cd '{}'; \"$HOIST\" clean s3://bucket; \"$HOIST\" push --application-name App \
         --s3-location s3://bucket/a.zip",
        serve.exports,
        tree.path().display()
    );
    let run = |script: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).env("HOIST", hoist().get_program());
        sh.env("HOME", serve.dir.path())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        sh.env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION")
            .done()
    };
    // The endpoint answers: there is no bucket yet.
    let done = run(&script);
    done.says("NoSuchBucket");
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        assert!(serve.exports.contains(&format!("export {name}=")), "{name}");
    }
}

#[test]
fn verbose_writes_a_line_for_each_request() {
    let mut serve = Serve::start_with(&["--verbose"]);
    let mut stderr = serve.running.child().stderr.take().unwrap();
    let mut push = serve.client(hoist(), &["push", "--application-name", "App"]);
    push.args([
        "--no-preflight",
        "--s3-location",
        "s3://bucket/a b\n::error::x",
    ]);
    push.arg("--source").arg(revision().path()).done();
    serve.running.signal("INT");
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("CreateMultipartUpload"))
        .expect(&log);
    assert!(
        line.starts_with("hoist: POST /bucket/a%20b%0A%3A%3Aerror%3A%3Ax?uploads"),
        "{log}"
    );
    assert!(
        line.contains(" 404, 0 bytes in, ") && line.ends_with(" ms"),
        "{log}"
    );
    assert!(log.lines().all(|line| line.starts_with("hoist: ")), "{log}");
}

#[test]
fn an_interrupt_ends_it_without_an_error() {
    let Serve { running, .. } = Serve::start();
    running.signal("INT");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{done}");
}

#[test]
fn a_push_to_a_discarding_endpoint_has_the_etag_of_one_that_keeps() {
    let (tree, dir) = (revision(), tempfile::tempdir().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let [keeping, discarding] = [Storage::Keep(dir.path().into()), Storage::Discard].map(|to| {
        let endpoint = runtime.block_on(Endpoint::open(Settings::new(to))).unwrap();
        endpoint.prepare("bucket", "us-east-1", "App").unwrap();
        endpoint
    });
    let pushed = |endpoint: &Endpoint| {
        let mut push = hoist();
        push.env("AWS_ENDPOINT_URL", endpoint.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .args(["push", "--application-name", "App", "--source"])
            .arg(tree.path())
            .args(["--s3-location", "s3://bucket/key.zip"]);
        push.ok().stdout
    };
    assert_eq!(pushed(&discarding), pushed(&keeping));
    let stored = dir.path().join("buckets/bucket/objects/key.zip");
    let seen = discarding.statistics();
    assert_eq!(seen.bytes, fs::metadata(stored).unwrap().len());
    assert_eq!(seen.requests["RegisterApplicationRevision"], 1);
}

#[test]
fn serve_discard_prints_its_statistics_when_it_ends() {
    let mut serve = hoist();
    let mut running = serve
        .args(["serve", "--discard", "--latency", "1ms", "--rate", "9M"])
        .start();
    let mut lines = BufReader::new(running.child().stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    assert!(address.starts_with("export AWS_ENDPOINT_URL=http://127.0.0.1:"));
    running.signal("TERM");
    let statistics = lines.nth(4).unwrap().unwrap();
    assert!(statistics.starts_with(r#"{"bytes":0,"#), "{statistics}");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{done}");
}
