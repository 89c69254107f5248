//! Options about the object, on the wire: which request carries which header.

use std::fs;
use std::process::Command;

use hoist::endpoint::faults::{Fault, Operation, Refusal, Request};

use crate::support::{Run as _, Scene};

/// What describes an object: header, and the value that the options below give it.
const DESCRIBED: [(&str, &str); 7] = [
    ("x-amz-server-side-encryption", "aws:kms"),
    (
        "x-amz-server-side-encryption-aws-kms-key-id",
        "alias/deploy",
    ),
    ("x-amz-acl", "bucket-owner-full-control"),
    ("x-amz-storage-class", "STANDARD_IA"),
    ("x-amz-tagging", "team=web&stage=a%20b"),
    ("x-amz-meta-commit", "abc"),
    ("x-amz-meta-note", "one, two"),
];

/// What goes with every request.
const ALWAYS: [(&str, &str); 2] = [
    ("x-amz-expected-bucket-owner", "000000000000"),
    ("x-amz-request-payer", "requester"),
];

const KEEPS_OBJECTS: [(&str, &str); 1] = [("if-none-match", "*")];

fn push_with_all(scene: &Scene) -> Command {
    let mut command = scene.push(&["--sse", "aws:kms", "--sse-kms-key-id", "alias/deploy"]);
    command
        .args(["--acl", "bucket-owner-full-control"])
        .args(["--storage-class", "STANDARD_IA"])
        .args(["--tagging", "team=web&stage=a b"])
        .args(["--metadata", "Commit=abc,note=\"one, two\""])
        .args(["--expected-bucket-owner", "000000000000"])
        .args(["--request-payer", "requester", "--no-overwrite"]);
    command
}

#[track_caller]
fn assert_has(request: &Request, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        assert_eq!(request.header(name), Some(*value), "{name}: {request:?}");
    }
}

#[track_caller]
fn assert_lacks(request: &Request, headers: &[(&str, &str)]) {
    for (name, _) in headers {
        assert_eq!(request.header(name), None, "{name}: {request:?}");
    }
}

/// The one request of an operation.
#[track_caller]
fn only(scene: &Scene, operation: Operation) -> Request {
    let mut requests = scene.of(operation);
    assert_eq!(requests.len(), 1, "{operation}: {:?}", scene.operations());
    requests.remove(0)
}

#[test]
fn a_put_carries_every_header() {
    let scene = Scene::new();
    push_with_all(&scene).ok();
    let put = only(&scene, Operation::PutObject);
    assert_has(&put, &DESCRIBED);
    assert_has(&put, &ALWAYS);
    assert_has(&put, &KEEPS_OBJECTS);
    assert_has(&only(&scene, Operation::HeadBucket), &ALWAYS[..1]);
    assert_has(&scene.of(Operation::HeadObject)[0], &ALWAYS);
}

#[test]
fn each_request_of_a_multipart_upload_carries_the_headers_that_s3_takes_there() {
    let scene = Scene::large();
    push_with_all(&scene).ok();
    let create = only(&scene, Operation::CreateMultipartUpload);
    assert_has(&create, &DESCRIBED);
    assert_has(&create, &ALWAYS);
    assert_lacks(&create, &KEEPS_OBJECTS);
    let parts = scene.of(Operation::UploadPart);
    assert_eq!(parts.len(), 2);
    for part in &parts {
        assert_has(part, &ALWAYS);
        assert_lacks(part, &DESCRIBED);
        assert_lacks(part, &KEEPS_OBJECTS);
    }
    let complete = only(&scene, Operation::CompleteMultipartUpload);
    assert_has(&complete, &ALWAYS);
    assert_has(&complete, &KEEPS_OBJECTS);
    assert_lacks(&complete, &DESCRIBED);
    assert_eq!(scene.count(Operation::AbortMultipartUpload), 0);
}

#[test]
fn an_abort_carries_owner_and_payer() {
    let scene = Scene::large();
    scene.deny(&[Operation::CompleteMultipartUpload]);
    push_with_all(&scene).fails(255);
    assert_has(&only(&scene, Operation::AbortMultipartUpload), &ALWAYS);
}

#[test]
fn without_options_no_such_header_is_sent() {
    for is_large in [false, true] {
        let scene = Scene::of_size(is_large);
        scene.push(&[]).ok();
        for request in scene.requests() {
            assert_lacks(&request, &DESCRIBED);
            assert_lacks(&request, &ALWAYS);
            assert_lacks(&request, &KEEPS_OBJECTS);
        }
    }
}

#[test]
fn the_endpoint_keeps_what_describes_an_object() {
    let scene = Scene::new();
    push_with_all(&scene).ok();
    let kept = scene.dir().join("buckets/bucket/metadata/key.zip.json");
    let kept = fs::read_to_string(kept).unwrap();
    for value in [
        "aws:kms",
        "alias/deploy",
        "STANDARD_IA",
        "team=web&stage=a%20b",
        "one, two",
    ] {
        assert!(kept.contains(value), "{value}: {kept}");
    }
}

#[test]
fn no_overwrite_keeps_the_object_whether_that_is_known_before_the_upload_or_by_it() {
    for is_large in [false, true] {
        let scene = Scene::of_size(is_large);
        scene.push(&[]).ok();
        let before = scene.stored();
        scene.tree.file("more.txt", "more\n");
        let done = scene.push(&["--no-overwrite"]).fails(255);
        done.says("hoist: s3://bucket/key.zip is there already")
            .says("--no-overwrite")
            .says("nothing was changed\n");

        // Without the permission to ask beforehand.
        scene.forget();
        scene.deny(&[Operation::HeadObject]);
        let done = scene.push(&["--no-overwrite"]).fails(255);
        done.says("An error occurred (PreconditionFailed)")
            .says("nothing was changed; choose another key");
        assert!(scene.stored() == before);
        let aborts = usize::from(is_large);
        assert_eq!(scene.count(Operation::AbortMultipartUpload), aborts);

        let to_another = ["--no-overwrite", "--s3-location", "s3://bucket/new"];
        scene.push(&to_another).ok();
    }
}

#[test]
fn a_conflicting_write_at_the_same_time_is_named() {
    let scene = Scene::new();
    let conflict = Fault::Refuse(Refusal::ConditionalRequestConflict);
    scene.on(Operation::PutObject, .., conflict);
    let mut push = scene.push(&["--no-overwrite", "--max-attempts", "1"]);
    push.fails(255).says("push again");
}

#[test]
fn values_that_s3_refuses_are_refused_before_anything_is_asked() {
    let scene = Scene::new();
    let many = (0..11).map(|n| format!("k{n}=v")).collect::<Vec<_>>();
    let many = many.join("&");
    let long = format!("k={}", "x".repeat(2048));
    for options in [
        &["--sse", "none"][..],
        &["--sse-kms-key-id", "k"],
        &["--sse", "AES256", "--sse-kms-key-id", "k"],
        &["--acl", "everybody"],
        &["--storage-class", "GLACIER"],
        &["--storage-class", "CHEAP"],
        &["--tagging", &many],
        &["--tagging", "k=1&k=2"],
        &["--metadata", "k"],
        &["--metadata", &long],
        &["--expected-bucket-owner", "me"],
        &["--request-payer", "you"],
    ] {
        let done = scene.push(options).fails(252);
        assert!(!done.stderr.is_empty(), "{options:?}");
    }
    assert_eq!(scene.operations(), []);
}
