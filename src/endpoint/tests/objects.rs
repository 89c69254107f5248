//! Objects: what comes back of them, conditions, copies and versions.

use super::*;

#[test]
fn an_object_comes_back_as_it_was_put() {
    let local = Local::start();
    let body = noise(3_000_000, 1);
    let put = local.put(
        "/bucket/dir/a%20b%C3%BC.bin",
        &[
            ("x-amz-checksum-crc64nvme", &crc64(&body)),
            ("Content-Type", "application/x-test"),
            ("Expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
            ("x-amz-meta-digest", "abc"),
            ("x-amz-server-side-encryption", "aws:kms"),
        ],
        &body,
    );
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(put.etag(), md5(&body));
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), Some(&*crc64(&body)));
    assert_eq!(put.header("x-amz-version-id"), None);
    assert!(put.header("x-amz-request-id").is_some());

    let path = "/bucket/dir/a%20b%C3%BC.bin";
    let got = local.get(path);
    assert!(got.body == body);
    for (name, value) in [
        ("content-type", "application/x-test"),
        ("expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
        ("x-amz-meta-digest", "abc"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("content-length", "3000000"),
    ] {
        assert_eq!(got.header(name), Some(value));
    }
    let head = local.send("HEAD", path, &[("x-amz-checksum-mode", "ENABLED")], b"");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("3000000"))
    );
    assert_eq!(head.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert!(head.body.is_empty());

    for (range, expected) in [
        ("bytes=10-19", &body[10..20]),
        ("bytes=2999990-", &body[2_999_990..]),
        ("bytes=2999990-9999999", &body[2_999_990..]),
        ("bytes=-5", &body[2_999_995..]),
        ("bytes=0-2097152", &body[..2_097_153]),
    ] {
        let part = local.send("GET", path, &[("Range", range)], b"");
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == expected, "{range}");
    }
    let part = local.send("GET", path, &[("Range", "bytes=10-19")], b"");
    assert_eq!(part.header("content-range"), Some("bytes 10-19/3000000"));
    let beyond = local.send("GET", path, &[("Range", "bytes=3000000-")], b"");
    assert_eq!(beyond.error(), (416, "InvalidRange"));

    assert_eq!(local.send("DELETE", path, &[], b"").status, 204);
    assert_eq!(local.get(path).error(), (404, "NoSuchKey"));
    assert_eq!(local.send("HEAD", path, &[], b"").status, 404);
    assert_eq!(local.send("DELETE", path, &[], b"").status, 204);
    assert!(names(&local.file("bucket/tmp")).is_empty());
}

#[test]
fn a_request_whose_condition_does_not_hold_has_no_effect() {
    let local = Local::start();
    let fresh = [("If-None-Match", "*")];
    let etag = format!("\"{}\"", local.put("/bucket/k", &fresh, b"1").etag());
    assert_eq!(
        local.put("/bucket/k", &fresh, b"2").error(),
        (412, "PreconditionFailed")
    );
    assert_eq!(
        local
            .put("/bucket/k", &[("If-Match", "\"0\"")], b"2")
            .error(),
        (412, "PreconditionFailed")
    );
    assert_eq!(
        local
            .put("/bucket/none", &[("If-Match", &etag)], b"2")
            .error(),
        (404, "NoSuchKey")
    );
    assert_eq!(local.get("/bucket/k").text(), "1");

    let read =
        |name: &str, value: &str| local.send("GET", "/bucket/k", &[(name, value)], b"").status;
    assert_eq!(read("If-Match", &etag), 200);
    assert_eq!(read("If-Match", "\"0\""), 412);
    assert_eq!(read("If-None-Match", &etag), 304);
    assert_eq!(
        local.put("/bucket/k", &[("If-Match", &etag)], b"3").status,
        200
    );

    let owner = |id: &str| {
        local
            .send(
                "GET",
                "/bucket/k",
                &[("x-amz-expected-bucket-owner", id)],
                b"",
            )
            .status
    };
    assert_eq!(
        (owner("111111111111"), owner(super::super::server::OWNER)),
        (403, 200)
    );
}

#[test]
fn a_copy_has_the_bytes_and_the_headers_of_its_source() {
    let local = Local::start();
    let body = noise(100_000, 4);
    let put = local.put(
        "/bucket/from",
        &[("x-amz-meta-a", "1"), ("Content-Type", "a/b")],
        &body,
    );
    let etag = put.etag();
    let copy = |to: &str, headers: &[(&str, &str)]| {
        let source = [&[("x-amz-copy-source", "/bucket/from")], headers].concat();
        local.put(to, &source, b"")
    };
    assert_eq!(copy("/bucket/to", &[]).xml_etag(), etag);
    let got = local.get("/bucket/to");
    assert!(got.body == body);
    assert_eq!(
        (got.header("x-amz-meta-a"), got.header("content-type")),
        (Some("1"), Some("a/b"))
    );
    let replaced = [
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-b", "2"),
    ];
    assert_eq!(copy("/bucket/to", &replaced).status, 200);
    let got = local.get("/bucket/to");
    assert_eq!(
        (got.header("x-amz-meta-a"), got.header("x-amz-meta-b")),
        (None, Some("2"))
    );
    assert_eq!(copy("/bucket/from", &[]).error(), (400, "InvalidRequest"));
    let unlike = [("x-amz-copy-source-if-match", "\"0\"")];
    assert_eq!(
        copy("/bucket/to", &unlike).error(),
        (412, "PreconditionFailed")
    );
}

#[test]
fn a_versioned_bucket_keeps_what_is_replaced_or_deleted() {
    let local = Local::start();
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    local.put("/bucket/k", &[], b"before");
    assert_eq!(
        local.put("/bucket?versioning", &[], on.as_bytes()).status,
        200
    );
    let put = |body: &[u8]| {
        local
            .put("/bucket/k", &[], body)
            .header("x-amz-version-id")
            .unwrap()
            .to_owned()
    };
    let (one, two) = (put(b"one"), put(b"two"));
    let version = |id: &str| format!("/bucket/k?versionId={id}");
    assert_eq!(local.get(&version(&one)).text(), "one");
    assert_eq!(local.get(&version("null")).text(), "before");
    assert_eq!(
        local.get(&version("../../k")).error(),
        (404, "NoSuchVersion")
    );
    assert_eq!(local.get("/bucket/k").text(), "two");
    let one_version = local.send("DELETE", &version(&two), &[], b"");
    assert_eq!(one_version.error(), (501, "NotImplemented"));
    let marker = local.send("DELETE", "/bucket/k", &[], b"");
    assert_eq!(marker.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(local.get("/bucket/k").error(), (404, "NoSuchKey"));
    for (id, body) in [(&one, "one"), (&two, "two")] {
        assert_eq!(local.get(&version(id)).text(), body);
    }
    assert_eq!(
        local.send("DELETE", "/bucket", &[], b"").error(),
        (409, "BucketNotEmpty")
    );
}

#[test]
fn a_client_that_writes_a_large_refused_body_reads_the_answer() {
    let local = Local::start();
    let body = vec![0; 20 << 20];
    assert_eq!(
        local.put("/nonesuch/k", &[], &body).error(),
        (404, "NoSuchBucket")
    );
    let refused = local.put("/bucket/k?partNumber=1&uploadId=none", &[], &body);
    assert_eq!(refused.error(), (404, "NoSuchUpload"));
    let huge = [("Content-Length", "5368709121"), ("Expect", "100-continue")];
    assert_eq!(
        local.put("/bucket/k", &huge, b"").error(),
        (400, "EntityTooLarge")
    );
}
