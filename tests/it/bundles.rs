//! Every kind of revision, pushed to the embedded endpoint: what is stored and what is registered.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Server, Tree, hoist, noise, run, run_failing, text};

const EC2: &str = "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /srv\n";
const LAMBDA: &str = "version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      \
                      Properties:\n        Name: f\n        Alias: live\n        CurrentVersion: \
                      \"1\"\n        TargetVersion: \"2\"\n";
const ECS: &str = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service",
    "Properties": {"TaskDefinition": "t", "LoadBalancerInfo": {"ContainerName": "c",
    "ContainerPort": 80}}}}]}"#;

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", EC2)
        .file("hooks/start.sh", "#!/bin/sh\n")
        .mode("hooks/start.sh", 0o755)
        .file("site/index.html", text(30_000, 1))
        .file("site/image.png", noise(9 << 20, 2));
    tree
}

fn server(platform: &str) -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", platform);
    server
}

fn push(server: &Server, source: &Path, key: &str) -> Command {
    let mut command = server.client();
    command
        .args(["push", "--application-name", "App", "--s3-location"])
        .arg(format!("s3://bucket/{key}"))
        .arg("--source")
        .arg(source);
    command
}

/// Where the endpoint keeps an object.
fn object(server: &Server, key: &str) -> PathBuf {
    server.dir().join("buckets/bucket/objects").join(key)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn packed(tree: &Tree, path: &Path) {
    let mut command = hoist();
    command
        .args(["pack", "--quiet", "--source"])
        .arg(tree.path());
    run(command.arg("--output").arg(path));
}

/// Pushes `source` as `key`, which must be registered as this type, and says what is stored.
#[track_caller]
fn pushed(server: &Server, source: &Path, key: &str, bundle: &str) -> Vec<u8> {
    let output = run(&mut push(server, source, key));
    let text = stdout(&output);
    assert!(
        text.contains(&format!("key={key},bundleType={bundle},eTag=")),
        "{text}"
    );
    let revisions = server.revisions("App");
    let registered = format!(r#""bundleType":"{bundle}""#);
    let at = revisions.find(&format!(r#""key":"{key}""#)).expect(key);
    let start = revisions[..at].rfind('{').unwrap();
    let end = at + revisions[at..].find('}').unwrap();
    assert!(revisions[start..end].contains(&registered), "{revisions}");
    fs::read(object(server, key)).unwrap()
}

#[test]
fn a_directory_becomes_what_the_key_says() {
    let (server, tree, dir) = (server("Server"), tree(), tempfile::tempdir().unwrap());
    for (key, bundle) in [
        ("a.zip", "zip"),
        ("a.bin", "zip"),
        ("a.tar", "tar"),
        ("a.tgz", "tgz"),
        ("dir/a.tar.gz", "tgz"),
    ] {
        let stored = pushed(&server, tree.path(), key, bundle);
        let path = dir.path().join(Path::new(key).file_name().unwrap());
        packed(&tree, &path);
        assert!(stored == fs::read(path).unwrap(), "{key}");
    }
    let output = run(push(&server, tree.path(), "b.zip").args(["--bundle-type", "tar"]));
    assert!(
        stdout(&output).contains("bundleType=tar"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn an_archive_that_is_there_already_is_sent_as_it_is() {
    let (server, tree, dir) = (server("Server"), tree(), tempfile::tempdir().unwrap());
    for (name, bundle) in [("a.zip", "zip"), ("a.tar", "tar"), ("a.tgz", "tgz")] {
        let path = dir.path().join(name);
        packed(&tree, &path);
        // Of several parts, and told by what is in it, not by a name.
        let other = dir.path().join("other");
        fs::copy(&path, &other).unwrap();
        let key = format!("from/{name}");
        assert!(
            pushed(&server, &other, &key, bundle) == fs::read(&path).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn an_archive_that_cannot_be_deployed_is_refused_before_the_first_byte() {
    let (server, tree, dir) = (server("Server"), tree(), tempfile::tempdir().unwrap());
    let place = |name: &str| dir.path().join(name);
    let without = Tree::new();
    without.file("sub/appspec.yml", EC2).file("a.txt", "a");
    for name in ["a.zip", "a.tar", "a.tgz"] {
        let path = place(name);
        packed(&without, &path);
        let said = stderr(&run_failing(&mut push(&server, &path, name), 255));
        assert!(
            said.contains("appspec.yml") && said.contains(name),
            "{said}"
        );

        packed(&tree, &path);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let said = stderr(&run_failing(&mut push(&server, &path, name), 255));
        assert!(said.contains(name), "{said}");
    }
    fs::write(place("text.zip"), "not an archive").unwrap();
    let said = stderr(&run_failing(
        &mut push(&server, &place("text.zip"), "t.zip"),
        255,
    ));
    assert!(said.contains("text.zip"), "{said}");
    assert!(!server.revisions("App").contains("bundleType"));
    assert!(!object(&server, "a.zip").exists());
}

#[test]
fn an_appspec_file_is_a_revision_of_lambda_and_ecs() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    fs::write(place("appspec.yaml"), LAMBDA).unwrap();
    fs::write(place("service.json"), ECS).unwrap();
    let lambda = server("Lambda");
    let stored = pushed(&lambda, &place("appspec.yaml"), "a.yaml", "YAML");
    assert_eq!(stored, LAMBDA.as_bytes());
    // From the directory, since the key asks for it.
    let stored = pushed(&lambda, dir.path(), "dir.yml", "YAML");
    assert_eq!(stored, LAMBDA.as_bytes());
    let ecs = server("ECS");
    let stored = pushed(&ecs, &place("service.json"), "a.json", "JSON");
    assert_eq!(stored, ECS.as_bytes());

    let instances = server("Server");
    let mut command = push(&instances, &place("appspec.yaml"), "a.yaml");
    let said = stderr(&run_failing(&mut command, 255));
    assert!(said.contains("compute platform Server"), "{said}");
    let tree = tree();
    let said = stderr(&run_failing(&mut push(&lambda, tree.path(), "a.zip"), 255));
    assert!(said.contains("compute platform Lambda"), "{said}");
}

#[test]
fn a_file_for_instances_is_no_revision_by_itself() {
    let (server, dir) = (server("Server"), tempfile::tempdir().unwrap());
    let path = dir.path().join("appspec.yml");
    fs::write(&path, EC2).unwrap();
    let said = stderr(&run_failing(&mut push(&server, &path, "a.yml"), 255));
    assert!(said.contains("appspec.yml"), "{said}");
    assert!(!object(&server, "a.yml").exists());
}
