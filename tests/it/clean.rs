//! `hoist clean` on uploads that were begun and never ended.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::process::{Command, Output};

use crate::support::{Between, Server, denied, run, run_failing};
use serde_json::Value;

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
    // Everything was begun now: make it older.
    server.restarted(|dir| {
        for entry in fs::read_dir(dir.join("buckets/bucket/uploads")).unwrap() {
            let path = entry.unwrap().path().join("upload.json");
            let mut upload: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let key = upload["key"].as_str().unwrap();
            let (_, hours, _) = uploads.iter().find(|(name, ..)| *name == key).unwrap();
            let begun = upload["initiated_ms"].as_u64().unwrap();
            upload["initiated_ms"] = (begun - hours * HOUR).into();
            fs::write(&path, serde_json::to_vec(&upload).unwrap()).unwrap();
        }
    })
}

fn clean(server: &Server, place: &str) -> Command {
    let mut command = server.client();
    command.args(["clean", place]);
    command
}

fn left(server: &Server) -> usize {
    fs::read_dir(server.dir().join("buckets/bucket/uploads"))
        .unwrap()
        .count()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn stale_uploads_are_aborted_and_young_ones_stay() {
    let server = server(&[("a.zip", 25, 3), ("b.zip", 23, 1), ("c.zip", 48, 0)]);
    let output = run(clean(&server, "s3://bucket").arg("--dry-run"));
    let said = stdout(&output);
    assert!(
        said.contains("would abort s3://bucket/a.zip, begun "),
        "{said}"
    );
    assert!(said.contains(", 3 parts, 3 B\n"), "{said}");
    assert!(
        said.contains("would abort 2 uploads of 3 B; 1 younger than 24h stays\n"),
        "{said}"
    );
    assert_eq!(left(&server), 3);

    let said = stdout(&run(&mut clean(&server, "s3://bucket")));
    assert!(said.contains("aborted s3://bucket/a.zip, begun "), "{said}");
    assert!(said.contains("aborted s3://bucket/c.zip, begun "), "{said}");
    assert!(
        said.ends_with("aborted 2 uploads of 3 B; 1 younger than 24h stays\n"),
        "{said}"
    );
    assert_eq!(left(&server), 1);
    let said = stdout(&run(
        clean(&server, "s3://bucket").args(["--older-than", "90m"])
    ));
    assert!(said.contains("aborted s3://bucket/b.zip"), "{said}");
    assert_eq!(left(&server), 0);
    let said = stdout(&run(&mut clean(&server, "s3://bucket")));
    assert_eq!(said, "aborted 0 uploads of 0 B; 0 younger than 24h stay\n");
}

#[test]
fn the_prefix_is_taken_to_the_letter() {
    let server = server(&[
        ("app", 48, 0),
        ("app/x", 48, 0),
        ("apple", 48, 0),
        ("b/app/x", 48, 0),
    ]);
    let said = stdout(&run(&mut clean(&server, "s3://bucket/app/")));
    assert!(said.contains("aborted 1 upload of"), "{said}");
    assert_eq!(left(&server), 3);
    let said = stdout(&run(&mut clean(&server, "s3://bucket/app")));
    assert!(said.contains("aborted 2 uploads of"), "{said}");
    assert_eq!(left(&server), 1);
}

#[test]
fn a_program_gets_one_object() {
    let server = server(&[("a.zip", 25, 2), ("b.zip", 1, 1)]);
    let output = run(clean(&server, "s3://bucket/").args(["--output", "json"]));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["aborted"], 1);
    assert_eq!(said["bytes"], 2);
    assert_eq!(said["kept"], 1);
    assert_eq!(said["uploads"][0]["key"], "a.zip");
    assert_eq!(said["uploads"][0]["parts"], 2);
    assert_eq!(said["uploads"][0]["end"], "aborted");
    assert_eq!(said["uploads"].as_array().unwrap().len(), 1);
}

/// More than a page of each: copies of one upload, and of its part.
#[test]
fn every_page_is_read() {
    let server = server(&[("k0000", 48, 1)]).restarted(|dir| {
        let uploads = dir.join("buckets/bucket/uploads");
        let first = fs::read_dir(&uploads)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let mut part: Value =
            serde_json::from_slice(&fs::read(first.join("parts.jsonl")).unwrap()).unwrap();
        let mut upload: Value =
            serde_json::from_slice(&fs::read(first.join("upload.json")).unwrap()).unwrap();
        let old = upload["initiated_ms"].clone();
        for n in 1..1005 {
            let dir = uploads.join(format!("{}{n:04}", first.file_name().unwrap().display()));
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
    let between = Between::watching(&server);
    let mut command = clean(&server, "s3://bucket");
    between.point(&mut command);
    let said = stdout(&run(&mut command));
    assert!(
        said.contains("k0000, begun") && said.contains(", 1003 parts, 1003 B\n"),
        "{said}"
    );
    assert!(said.contains("aborted s3://bucket/k1004, begun"), "{said}");
    assert!(
        said.contains("aborted 2 uploads of 1003 B; 1003 younger"),
        "{said}"
    );
    assert_eq!(left(&server), 1003);
    assert_eq!(between.of("ListMultipartUploads").len(), 2);
    assert_eq!(between.of("ListParts").len(), 3);
}

#[test]
fn what_is_denied_is_told() {
    let denying = |server: &Server, operation: &'static str| {
        Between::before(server, move |head| {
            (head.operation() == operation).then(|| denied(head))
        })
    };
    let server = server(&[("a.zip", 25, 2), ("b.zip", 26, 2)]);
    let between = denying(&server, "ListMultipartUploads");
    let mut command = clean(&server, "s3://bucket/x");
    between.point(&mut command);
    let said = stderr(&run_failing(&mut command, 255));
    assert!(
        said.contains("cannot list the unfinished uploads at s3://bucket/x: "),
        "{said}"
    );
    assert!(
        said.contains("it takes s3:ListBucketMultipartUploads"),
        "{said}"
    );

    let between = denying(&server, "AbortMultipartUpload");
    let mut command = clean(&server, "s3://bucket");
    between.point(&mut command);
    let output = run_failing(&mut command, 255);
    let (said, told) = (stderr(&output), stdout(&output));
    assert!(said.contains("it takes s3:AbortMultipartUpload"), "{said}");
    assert!(
        said.contains("aws s3api abort-multipart-upload --bucket bucket --key a.zip --upload-id "),
        "{said}"
    );
    assert!(said.contains("2 uploads are still there"), "{said}");
    assert!(told.contains("still there: s3://bucket/b.zip"), "{told}");
    assert_eq!(left(&server), 2);

    // Who may not look into uploads may abort them.
    let between = denying(&server, "ListParts");
    let mut command = clean(&server, "s3://bucket");
    between.point(&mut command);
    let told = stdout(&run(&mut command));
    assert!(told.contains("size unknown (AccessDenied)"), "{told}");
    assert!(
        told.contains("aborted 2 uploads of 0 B, and 2 of unknown size; 0"),
        "{told}"
    );
    assert_eq!(left(&server), 0);
}

#[test]
fn ages_and_places_are_checked_before_anything_is_asked() {
    let server = Server::start();
    for (arguments, code, said) in [
        (
            &["clean", "s3://bucket", "--older-than", "0h"][..],
            252,
            "at least 1m",
        ),
        (
            &["clean", "s3://bucket", "--older-than", "1w"],
            252,
            "90m, 24h or 7d",
        ),
        (&["clean", "bucket"], 252, "s3://<bucket>/<prefix>"),
    ] {
        let mut command = server.client();
        let output = stderr(&run_failing(command.args(arguments), code));
        assert!(output.contains(said), "{output}");
    }
}
