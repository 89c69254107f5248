//! What `hoist push` asks before the first byte, and `hoist register` after one that failed.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Between, Server, Tree, denied, noise, run, run_failing, shell};

const APPSPEC: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";

fn revision() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", APPSPEC).file("a.txt", "a\n");
    tree
}

/// A server with the bucket `bucket` and the application `App`.
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

fn register(server: &Server) -> Command {
    let mut command = server.client();
    command
        .args(["register", "--application-name", "App"])
        .args(["--s3-location", "s3://bucket/key.zip"]);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_application_that_is_not_there_is_known_before_the_first_byte() {
    let (server, tree) = (Server::start(), revision());
    server.make_bucket("bucket");
    let between = Between::watching(&server);
    let mut command = push(&server, tree.path());
    between.point(&mut command);
    let output = run_failing(&mut command, 254);
    let said = stderr(&output);
    assert_eq!(
        said.lines().next().unwrap(),
        "hoist: An error occurred (ApplicationDoesNotExistException) when calling the \
         GetApplication operation: No application found for name: App"
    );
    assert!(said.contains("nothing was uploaded"), "{said}");
    assert!(
        said.contains("aws deploy create-application --application-name App"),
        "{said}"
    );
    assert_eq!(between.of("PutObject").len(), 0);
}

#[test]
fn an_application_for_functions_takes_no_bundle() {
    let (server, tree) = (Server::start(), revision());
    server.make_bucket("bucket");
    server.make_application("App", "Lambda");
    let output = run_failing(&mut push(&server, tree.path()), 255);
    let said = stderr(&output);
    assert!(
        said.starts_with(
            "hoist: the application App is for the compute platform Lambda, which takes an AppSpec \
             file in YAML or JSON: this is a bundle\n"
        ),
        "{said}"
    );
    assert!(!server.dir().join("buckets/bucket/objects/key.zip").exists());
}

#[test]
fn a_bucket_in_another_region_is_refused_and_both_are_named() {
    let (server, tree) = (Server::start(), revision());
    server.make_application("App", "Server");
    server.make_bucket_in("bucket", "eu-west-1");
    let output = run_failing(&mut push(&server, tree.path()), 255);
    let said = stderr(&output);
    assert!(
        said.starts_with(
            "hoist: the bucket bucket is in eu-west-1, and CodeDeploy is asked in us-east-1"
        ),
        "{said}"
    );
    assert!(
        said.contains("say --region eu-west-1, or use a bucket in us-east-1"),
        "{said}"
    );
}

/// S3 names the region when it refuses, too.
#[test]
fn a_refusal_that_names_another_region_is_understood() {
    for status in [301, 400, 403] {
        let (server, tree) = (server(), revision());
        let between = Between::before(&server, move |head| {
            let headers = vec![("x-amz-bucket-region", "ap-south-1")];
            (head.operation() == "HeadBucket").then_some((status, headers, ""))
        });
        let mut command = push(&server, tree.path());
        between.point(&mut command);
        let output = run_failing(&mut command, 255);
        let said = stderr(&output);
        assert!(
            said.contains("is in ap-south-1") && said.contains("us-east-1"),
            "{said}"
        );
        assert_eq!(between.of("PutObject").len(), 0, "{status}");
    }
}

#[test]
fn a_refusal_that_names_this_region_is_enough() {
    let (server, tree) = (server(), revision());
    let between = Between::before(&server, |head| {
        let headers = vec![("x-amz-bucket-region", "us-east-1")];
        (head.operation() == "HeadBucket").then_some((403, headers, ""))
    });
    let mut command = push(&server, tree.path());
    between.point(&mut command);
    let said = stderr(&run(&mut command));
    assert!(!said.contains("note:"), "{said}");
}

/// All that a push cannot do without.
fn is_needed(operation: &str) -> bool {
    [
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "RegisterApplicationRevision",
    ]
    .contains(&operation)
}

#[test]
fn two_permissions_are_enough_and_what_was_not_checked_is_said() {
    let large = revision();
    for n in 0..3 {
        large.file(&format!("noise-{n}.bin"), noise(5 << 20, n));
    }
    for tree in [revision(), large] {
        for options in [&[][..], &["--no-overwrite"]] {
            let server = server();
            let between = Between::before(&server, |head| {
                (!is_needed(&head.operation())).then(|| denied(head))
            });
            let mut command = push(&server, tree.path());
            between.point(command.args(options));
            let output = run(&mut command);
            assert!(stdout(&output).starts_with("To deploy with this revision, run:\n"));
            let said = stderr(&output);
            let notes: Vec<_> = said.lines().filter(|line| line.contains("note:")).collect();
            assert_eq!(notes.len(), 2 + options.len(), "{said}");
            for (note, about) in [
                ("the bucket's region", "HeadBucket"),
                ("App", "GetApplication"),
            ] {
                let is = |line: &&&str| {
                    line.starts_with("hoist: note: not checked: ")
                        && line.contains(note)
                        && line.contains(about)
                        && line.contains("AccessDenied")
                };
                assert_eq!(notes.iter().filter(is).count(), 1, "{said}");
            }
            assert!(server.revisions("App").contains("key.zip"));
        }
    }
}

#[test]
fn a_store_that_knows_no_such_operation_takes_a_push() {
    for status in [404, 405, 501] {
        let (server, tree) = (server(), revision());
        let between = Between::before(&server, move |head| {
            let unknown = match &*head.operation() {
                // Nobody can tell this from a bucket that is not there.
                "HeadBucket" if status == 404 => false,
                "HeadBucket" | "GetApplication" => true,
                _ => false,
            };
            unknown.then_some((status, vec![], "<html>no such page</html>"))
        });
        let mut command = push(&server, tree.path());
        between.point(&mut command);
        let said = stderr(&run(&mut command));
        assert!(
            said.contains("note: not checked: whether the application App"),
            "{said}"
        );
    }
}

#[test]
fn nothing_is_asked_that_need_not_be() {
    let (server, tree) = (server(), revision());
    for (key, options, asked) in [
        ("a", &[][..], &["HeadBucket", "GetApplication"][..]),
        (
            "b",
            &["--no-overwrite"],
            &["HeadBucket", "GetApplication", "HeadObject"],
        ),
        ("c", &["--no-preflight"], &[]),
    ] {
        let between = Between::watching(&server);
        let mut command = push(&server, tree.path());
        between.point(&mut command);
        command
            .args(options)
            .args(["--s3-location", &format!("s3://bucket/{key}")]);
        // The last of two counts, as with the AWS CLI.
        run(&mut command);
        let mut found: Vec<_> = between
            .heads()
            .iter()
            .map(crate::support::Head::operation)
            .collect();
        found.retain(|operation| !is_needed(operation));
        found.sort();
        let mut asked = asked.to_vec();
        asked.sort_unstable();
        assert_eq!(found, asked);
    }
}

/// The source comes first, whichever is known first: as with `aws deploy push`.
#[test]
fn what_is_wrong_with_the_source_is_said_first() {
    let server = Server::start();
    let tree = Tree::new();
    tree.file("a.txt", "a");
    let output = run_failing(&mut push(&server, tree.path()), 255);
    let said = stderr(&output);
    assert!(said.ends_with("appspec.yml was not found\n"), "{said}");
}

#[test]
fn names_and_descriptions_are_measured_before_anything_is_asked() {
    let (server, tree) = (server(), revision());
    let long = "x".repeat(101);
    for name in ["", "two words", &long] {
        let mut command = server.client();
        command.args([
            "push",
            "--application-name",
            name,
            "--s3-location",
            "s3://bucket/k",
        ]);
        let output = run_failing(command.arg("--source").arg(tree.path()), 252);
        let said = stderr(&output);
        assert!(
            said.contains("cannot be the name of an application"),
            "{said}"
        );
    }
    let mut command = push(&server, tree.path());
    let output = run_failing(command.args(["--description", &"x".repeat(513)]), 252);
    assert!(stderr(&output).contains("the description has 513 characters"));
    let mut command = push(&server, tree.path());
    let output = run(command.args(["--description", &"x".repeat(300)]));
    let said = stderr(&output);
    assert!(
        said.starts_with("hoist: warning: the description has 300 characters"),
        "{said}"
    );
}

/// What a shell makes of a line.
fn paste(server: &Server, line: &str) -> Command {
    let mut command = shell(line);
    server.point(&mut command);
    command
}

#[test]
fn the_printed_command_registers_what_was_stored() {
    let (server, tree) = (server(), revision());
    let between = Between::before(&server, |head| {
        (head.operation() == "RegisterApplicationRevision").then(|| denied(head))
    });
    let mut command = push(&server, tree.path());
    between.point(&mut command);
    command.args([
        "--description",
        "it's \"the\" $one",
        "--region",
        "us-east-1",
    ]);
    let output = run_failing(&mut command, 254);
    let said = stderr(&output);
    assert!(
        said.starts_with(
            "hoist: An error occurred (AccessDeniedException) when calling the \
             RegisterApplicationRevision operation: not authorized\n"
        ),
        "{said}"
    );
    let (_, line) = said.split_once("run: ").unwrap();
    assert!(
        said.contains("the bundle is in S3, at s3://bucket/key.zip"),
        "{said}"
    );
    assert!(!server.revisions("App").contains("key.zip"));

    let output = run(&mut paste(&server, line.lines().next().unwrap()));
    assert!(
        stdout(&output).starts_with(
            "To deploy with this revision, run:\naws deploy create-deployment --application-name \
             App --s3-location bucket=bucket,key=key.zip,bundleType=zip,eTag="
        ),
        "{}",
        stdout(&output)
    );
    let revisions = server.revisions("App");
    assert!(
        revisions.contains("key.zip") && revisions.contains("eTag"),
        "{revisions}"
    );
    let dir = server.dir().join("codedeploy/us-east-1");
    let file = std::fs::read_dir(dir).unwrap().next().unwrap().unwrap();
    let kept = std::fs::read_to_string(file.path()).unwrap();
    assert!(kept.contains(r#"it's \"the\" $one"#), "{kept}");
}

#[test]
fn register_asks_for_the_etag_that_it_is_not_told() {
    let (server, tree) = (server(), revision());
    run(push(&server, tree.path()).arg("--no-preflight"));
    server.make_application("Other", "Server");
    let between = Between::watching(&server);
    let mut command = register(&server);
    between.point(&mut command);
    let asked = stdout(&run(&mut command));
    assert_eq!(between.of("HeadObject").len(), 1);
    let (_, etag) = asked.split_once("eTag=").unwrap();
    let etag = etag.split(' ').next().unwrap();
    assert_eq!(etag.len(), 32, "{asked}");

    // The shorthand is what CodeDeploy's other commands are told.
    let between = Between::watching(&server);
    let mut command = server.client();
    command.args(["register", "--application-name", "Other", "--s3-location"]);
    command.arg(format!(
        "bucket=bucket,key=key.zip,bundleType=tgz,eTag={etag}"
    ));
    between.point(&mut command);
    let told = stdout(&run(&mut command));
    assert!(
        told.contains(&format!("bundleType=tgz,eTag={etag} ")),
        "{told}"
    );
    assert_eq!(between.of("HeadObject").len(), 0);
    assert!(server.revisions("Other").contains("tgz"));
}

#[test]
fn register_goes_on_without_an_etag_that_it_may_not_ask_for() {
    let (server, tree) = (server(), revision());
    run(push(&server, tree.path()).arg("--no-preflight"));
    let between = Between::before(&server, |head| {
        (head.operation() == "HeadObject").then(|| denied(head))
    });
    let mut command = register(&server);
    between.point(&mut command);
    let output = run(&mut command);
    assert!(
        stdout(&output).contains("bundleType=zip --deployment"),
        "{}",
        stdout(&output)
    );
    let said = stderr(&output);
    assert!(
        said.starts_with("hoist: note: registered without an ETag"),
        "{said}"
    );
}

#[test]
fn register_says_what_is_wrong() {
    let server = server();
    let output = run_failing(&mut register(&server), 255);
    assert!(stderr(&output).contains("s3://bucket/key.zip is not there; upload it first"));

    let mut command = server.client();
    command.args(["register", "--application-name", "None", "--etag", "e"]);
    let output = run_failing(command.args(["--s3-location", "s3://bucket/k"]), 254);
    assert_eq!(
        stderr(&output),
        "hoist: An error occurred (ApplicationDoesNotExistException) when calling the \
         RegisterApplicationRevision operation: No application found for name: None\n"
    );
    for location in [
        "bucket/k",
        "s3://bucket",
        "bucket=b",
        "bucket=b,key=k,bundleType=rar",
    ] {
        let mut command = server.client();
        command.args([
            "register",
            "--application-name",
            "App",
            "--s3-location",
            location,
        ]);
        run_failing(&mut command, 252);
    }
    let mut command = register(&server);
    command.args(["--s3-location", "bucket=b,key=k,eTag=e", "--etag", "e"]);
    run_failing(&mut command, 252);
}
