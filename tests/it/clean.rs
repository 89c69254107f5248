//! `hoist clean` on uploads that were begun and never ended.

use std::fs;
use std::process::Command;

use hoist::endpoint::faults::Operation;
use serde_json::Value;

use crate::support::{Run as _, Server, names};

const HOUR: u64 = 3600 * 1000;

/// A server with an upload of each key, begun so many hours ago, in as many parts of one byte.
fn server(uploads: &[(&str, u64, usize)]) -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    for (key, _, parts) in uploads {
        let begun = server.ask(&format!("POST /bucket/{key}?uploads"), &[], "");
        let id = begun.split("<UploadId>").nth(1).unwrap();
        let id = id.split('<').next().unwrap();
        for number in 1..=*parts {
            let what = format!("PUT /bucket/{key}?partNumber={number}&uploadId={id}");
            server.ask(&what, &[], "x");
        }
    }
    // All of them were begun now: make them older.
    server.restarted(|dir| {
        for entry in fs::read_dir(dir.join("buckets/bucket/uploads")).unwrap() {
            let path = entry.unwrap().path().join("upload.json");
            let mut upload: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let key = upload["key"].as_str().unwrap();
            let (_, hours, _) = uploads.iter().find(|(name, ..)| *name == key).unwrap();
            let begun = upload["initiated_ms"].as_u64().unwrap();
            upload["initiated_ms"] = (begun - hours * HOUR).into();
            fs::write(&path, upload.to_string()).unwrap();
        }
    })
}

fn clean(server: &Server, arguments: &[&str]) -> Command {
    let mut command = server.hoist(&["clean"]);
    command.args(arguments);
    command
}

#[test]
fn stale_uploads_are_aborted_and_young_ones_stay() {
    let server = server(&[("a.zip", 25, 3), ("b.zip", 23, 1), ("c.zip", 48, 0)]);
    let done = clean(&server, &["s3://bucket", "--dry-run"]).ok();
    done.prints("would abort s3://bucket/a.zip, begun ")
        .prints(", 3 parts, 3 B\n")
        .prints("would abort 2 uploads of 3 B; 1 younger than 24h stays\n");
    assert_eq!(server.uploads().len(), 3);

    let done = clean(&server, &["s3://bucket"]).ok();
    done.prints("aborted s3://bucket/a.zip, begun ")
        .prints("aborted s3://bucket/c.zip, begun ")
        .prints("aborted 2 uploads of 3 B; 1 younger than 24h stays\n");
    assert_eq!(server.uploads().len(), 1);
    let done = clean(&server, &["s3://bucket", "--older-than", "90m"]).ok();
    done.prints("aborted s3://bucket/b.zip");
    assert_eq!(server.uploads(), [""; 0]);
    let done = clean(&server, &["s3://bucket"]).ok();
    let expected = "aborted 0 uploads of 0 B; 0 younger than 24h stay\n";
    assert_eq!(done.stdout, expected);
}

#[test]
fn a_prefix_is_compared_character_by_character() {
    let server = server(&[
        ("app", 48, 0),
        ("app/x", 48, 0),
        ("apple", 48, 0),
        ("b/app/x", 48, 0),
    ]);
    let done = clean(&server, &["s3://bucket/app/"]).ok();
    done.prints("aborted 1 upload of");
    let done = clean(&server, &["s3://bucket/app"]).ok();
    done.prints("aborted 2 uploads of");
    assert_eq!(server.uploads().len(), 1);
}

#[test]
fn json_is_one_object_with_every_aborted_upload() {
    let server = server(&[("a.zip", 25, 2), ("b.zip", 1, 1)]);
    let said = clean(&server, &["s3://bucket/", "--output", "json"]).ok();
    let said = said.json();
    let counts = ["aborted", "bytes", "kept"].map(|key| &said[key]);
    assert_eq!(counts, [1, 2, 1]);
    assert_eq!(said["uploads"].as_array().unwrap().len(), 1);
    let upload = &said["uploads"][0];
    assert_eq!(upload["key"], "a.zip");
    assert_eq!(upload["parts"], 2);
    assert_eq!(upload["end"], "aborted");
}

/// More than a page of uploads, and of the parts of one.
#[test]
fn every_page_is_read() {
    let server = server(&[("k0000", 48, 1)]).restarted(|dir| {
        let uploads = dir.join("buckets/bucket/uploads");
        let name = names(&uploads).remove(0);
        let first = uploads.join(&name);
        let read = |file: &str| -> Value {
            serde_json::from_slice(&fs::read(first.join(file)).unwrap()).unwrap()
        };
        let (mut part, mut upload) = (read("parts.jsonl"), read("upload.json"));
        let old = upload["initiated_ms"].clone();
        for n in 1..1005 {
            let dir = uploads.join(format!("{name}{n:04}"));
            fs::create_dir(&dir).unwrap();
            upload["key"] = format!("k{n:04}").into();
            let young = old.as_u64().unwrap() + 47 * HOUR;
            upload["initiated_ms"] = if n == 1004 { old.clone() } else { young.into() };
            fs::write(dir.join("upload.json"), upload.to_string()).unwrap();
        }
        let parts = (1..=1003).map(|number| {
            part["number"] = number.into();
            format!("{part}\n")
        });
        fs::write(first.join("parts.jsonl"), parts.collect::<String>()).unwrap();
    });
    let done = clean(&server, &["s3://bucket"]).ok();
    done.prints("k0000, begun")
        .prints(", 1003 parts, 1003 B\n")
        .prints("aborted s3://bucket/k1004, begun")
        .prints("aborted 2 uploads of 1003 B; 1003 younger");
    assert_eq!(server.uploads().len(), 1003);
    assert_eq!(server.count(Operation::ListMultipartUploads), 2);
    assert_eq!(server.count(Operation::ListParts), 3);
}

#[test]
fn each_denial_names_the_permission() {
    let server = server(&[("a.zip", 25, 2), ("b.zip", 26, 2)]);
    server.deny(&[Operation::ListMultipartUploads]);
    let done = clean(&server, &["s3://bucket/x"]).fails(255);
    done.says("cannot list the unfinished uploads at s3://bucket/x: ")
        .says("s3:ListBucketMultipartUploads");

    server.forget();
    server.deny(&[Operation::AbortMultipartUpload]);
    let done = clean(&server, &["s3://bucket"]).fails(255);
    done.says("s3:AbortMultipartUpload")
        .says("aws s3api abort-multipart-upload --bucket bucket --key a.zip --upload-id ")
        .says("2 uploads are still there")
        .prints("still there: s3://bucket/b.zip");
    assert_eq!(server.uploads().len(), 2);

    // Without the permission to list parts, uploads can still be aborted.
    server.forget();
    server.deny(&[Operation::ListParts]);
    let done = clean(&server, &["s3://bucket"]).ok();
    done.prints("size unknown (AccessDenied)")
        .prints("aborted 2 uploads of 0 B, and 2 of unknown size; 0");
    assert_eq!(server.uploads(), [""; 0]);
}

#[test]
fn ages_and_places_are_checked_before_anything_is_asked() {
    let server = Server::start();
    for (arguments, said) in [
        (&["s3://bucket", "--older-than", "0h"][..], "at least 1m"),
        (&["s3://bucket", "--older-than", "1w"], "90m, 24h or 7d"),
        (&["bucket"], "s3://<bucket>/<prefix>"),
    ] {
        clean(&server, arguments).fails(252).says(said);
    }
    assert_eq!(server.operations(), []);
}

#[test]
fn the_command_for_an_upload_that_stays_reaches_the_same_bucket() {
    let server = server(&[("it's", 48, 0)]);
    server.deny(&[Operation::AbortMultipartUpload]);
    let owner = "000000000000";
    let options = [
        "s3://bucket",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        server.url(),
        "--expected-bucket-owner",
        owner,
        "--request-payer",
        "requester",
        "--no-sign-request",
    ];
    let done = clean(&server, &options).fails(255);
    let id = &server.uploads()[0];
    done.says(&format!(
        "by hand: aws s3api abort-multipart-upload --bucket bucket --key 'it'\\''s' --upload-id {id} \
         --expected-bucket-owner {owner} --request-payer requester --region eu-west-1 --endpoint-url {} \
         --no-sign-request",
        server.url()
    ));
}
