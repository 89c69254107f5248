//! `hoist register`, and the command that a push prints which stored its bundle and could not
//! register it.

use hoist::endpoint::faults::{Fault, Operation, Refusal};

use crate::support::{Run as _, Scene, Server, names, shell};

const KEY: [&str; 2] = ["--s3-location", "s3://bucket/key.zip"];

fn register(server: &Server, arguments: &[&str]) -> std::process::Command {
    let mut command = server.hoist(&["register", "--application-name", "App"]);
    command.args(KEY).args(arguments);
    command
}

#[test]
fn the_printed_command_registers_what_was_stored() {
    let scene = Scene::new();
    scene.deny(&[Operation::RegisterApplicationRevision]);
    let description = ["--description", "it's \"the\" $one"];
    let mut push = scene.push(&description);
    let done = push.args(["--region", "us-east-1"]).fails(254);
    let expected = "hoist: An error occurred (AccessDeniedException) when calling the \
                    RegisterApplicationRevision operation: ";
    assert!(done.stderr.starts_with(expected), "{done}");
    done.says("the bundle is in S3, at s3://bucket/key.zip");
    assert!(!scene.is_registered());

    scene.forget();
    let (_, line) = done.stderr.split_once("run: ").unwrap();
    let mut command = shell(line.lines().next().unwrap());
    let done = scene.point(&mut command).ok();
    let expected = "To deploy with this revision, run:\naws deploy create-deployment \
                    --application-name App --s3-location \
                    bucket=bucket,key=key.zip,bundleType=zip,eTag=";
    assert!(done.stdout.starts_with(expected), "{done}");
    assert!(scene.revisions().contains("eTag"));
    let dir = scene.dir().join("codedeploy/us-east-1");
    let kept = std::fs::read_to_string(dir.join(&names(&dir)[0])).unwrap();
    assert!(kept.contains(r#"it's \"the\" $one"#), "{kept}");
}

#[test]
fn register_asks_for_the_etag_unless_it_is_given() {
    let scene = Scene::new();
    scene.push(&[]).ok();
    scene.make_application("Other", "Server");
    scene.forget();
    let done = register(&scene, &[]).ok();
    assert_eq!(scene.count(Operation::HeadObject), 1);
    let etag = done.etag();
    assert_eq!(etag.len(), 32, "{done}");

    // The shorthand of CodeDeploy's other commands.
    scene.forget();
    let location = format!("bucket=bucket,key=key.zip,bundleType=tgz,eTag={etag}");
    let other = ["register", "--application-name", "Other", "--s3-location"];
    let done = scene.hoist(&other).arg(&location).ok();
    done.prints(&format!("bundleType=tgz,eTag={etag} "));
    assert_eq!(scene.count(Operation::HeadObject), 0);
    assert!(scene.revisions_of("Other").contains("tgz"));
}

#[test]
fn without_the_permission_to_ask_for_the_etag_it_registers_without_one() {
    let scene = Scene::new();
    scene.push(&[]).ok();
    scene.deny(&[Operation::HeadObject]);
    let done = register(&scene, &[]).ok();
    done.prints("bundleType=zip --deployment");
    let expected = "hoist: note: registered without an ETag";
    assert!(done.stderr.starts_with(expected), "{done}");
}

#[test]
fn register_names_what_is_wrong() {
    let server = Server::ready();
    let done = register(&server, &[]).fails(255);
    done.says("s3://bucket/key.zip is not there; upload it first");
    let mut command = register(&server, &["--application-name", "None"]);
    assert_eq!(
        command.args(["--etag", "e"]).fails(254).stderr,
        "hoist: An error occurred (ApplicationDoesNotExistException) when calling the \
         RegisterApplicationRevision operation: No application found for name: None\n"
    );
    for location in [
        "bucket/k",
        "s3://bucket",
        "bucket=b",
        "bucket=b,key=k,bundleType=rar",
    ] {
        register(&server, &["--s3-location", location]).fails(252);
    }
    let twice = ["--s3-location", "bucket=b,key=k,eTag=e", "--etag", "e"];
    register(&server, &twice).fails(252);
}

#[test]
fn a_throttled_registration_is_made_again() {
    let scene = Scene::new();
    let throttled = Fault::Refuse(Refusal::Throttling);
    scene.on(Operation::RegisterApplicationRevision, 1..=2, throttled);
    scene.push(&[]).ok();
    assert_eq!(scene.count(Operation::RegisterApplicationRevision), 3);
}
