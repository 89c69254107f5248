//! Objects and buckets.

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
fn wrong_checksums_are_refused_and_leave_nothing() {
    let local = Local::start();
    for algorithm in [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ] {
        let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
        let (right, wrong) = (sum(algorithm, b"right"), sum(algorithm, b"wrong"));
        let refused = local.put("/bucket/k", &[(&header, &wrong)], b"right");
        assert_eq!(refused.error(), (400, "BadDigest"), "{header}");
        assert_eq!(
            local.put("/bucket/k", &[(&header, "?")], b"right").error(),
            (400, "InvalidRequest")
        );
        assert_eq!(local.get("/bucket/k").status, 404);
        let taken = local.put("/bucket/k", &[(&header, &right)], b"right");
        assert_eq!((taken.status, taken.header(&header)), (200, Some(&*right)));
        local.send("DELETE", "/bucket/k", &[], b"");
    }
    let wrong_md5 = ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(
        local.put("/bucket/k", &[wrong_md5], b"x").error(),
        (400, "BadDigest")
    );
    assert_eq!(
        local
            .put("/bucket/k", &[("Content-MD5", "x")], b"x")
            .error(),
        (400, "InvalidDigest")
    );
    let two = [
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
    ];
    assert_eq!(
        local.put("/bucket/k", &two, b"x").error(),
        (400, "InvalidRequest")
    );
    let announced = [("x-amz-sdk-checksum-algorithm", "CRC32")];
    assert_eq!(
        local.put("/bucket/k", &announced, b"x").error(),
        (400, "InvalidRequest")
    );
    let unknown = [("x-amz-checksum-xxhash64", "AAAAAAAAAAA=")];
    assert_eq!(
        local.put("/bucket/k", &unknown, b"x").error(),
        (501, "NotImplemented")
    );
    assert_eq!(local.get("/bucket/k").status, 404);
    assert!(names(&local.file("bucket/tmp")).is_empty());
}

#[test]
fn chunked_bodies_are_decoded_and_their_trailers_checked() {
    let local = Local::start();
    let chunked = |crc: &str, trailer: bool| {
        let trailer = if trailer {
            format!("x-amz-checksum-crc32:{crc}\r\n")
        } else {
            String::new()
        };
        let body = format!("5;chunk-signature=0\r\nhello\r\n6\r\n world\r\n0\r\n{trailer}\r\n");
        local.put(
            "/bucket/chunked",
            &[
                ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
                ("Content-Encoding", "aws-chunked,gzip"),
                ("x-amz-decoded-content-length", "11"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
                ("x-amz-sdk-checksum-algorithm", "CRC32"),
                (
                    "Authorization",
                    "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request",
                ),
            ],
            body.as_bytes(),
        )
    };
    assert_eq!(
        chunked(&sum(Algorithm::Crc32, b"other"), true).error(),
        (400, "BadDigest")
    );
    assert_eq!(chunked("", false).error(), (400, "MalformedTrailerError"));
    let right = sum(Algorithm::Crc32, b"hello world");
    let put = chunked(&right, true);
    assert_eq!(
        (put.status, put.header("x-amz-checksum-crc32")),
        (200, Some(&*right))
    );
    let got = local.get("/bucket/chunked");
    assert_eq!(
        (got.text(), got.header("content-encoding")),
        ("hello world", Some("gzip"))
    );

    let unannounced = [("Content-Encoding", "aws-chunked")];
    assert_eq!(
        local.put("/bucket/x", &unannounced, b"0\r\n\r\n").error(),
        (411, "MissingContentLength")
    );
    let endless = [("Transfer-Encoding", "chunked")];
    assert_eq!(
        local.put("/bucket/x", &endless, b"0\r\n\r\n").error(),
        (411, "MissingContentLength")
    );
}

#[test]
fn conditions_hold_or_the_request_does_not() {
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
        read("If-Modified-Since", "Thu, 01 Dec 2039 16:00:00 GMT"),
        304
    );
    assert_eq!(
        read("If-Unmodified-Since", "Thu, 01 Dec 1994 16:00:00 GMT"),
        412
    );
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
fn copies_take_bytes_and_headers_along() {
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
fn listings_come_in_pages_and_fold() {
    let local = Local::start();
    for key in ["a", "d/1", "d/2", "e%20f", "z"] {
        local.put(&format!("/bucket/{key}"), &[], key.as_bytes());
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    for page in 0.. {
        assert!(page < 4, "pages do not end");
        let page = local.get(&format!(
            "/bucket?list-type=2&delimiter=/&encoding-type=url&max-keys=2{next}"
        ));
        assert_eq!(page.status, 200, "{}", page.text());
        seen.extend(page.all_xml("Key").into_iter().map(str::to_owned));
        let prefixes = page.all_xml("CommonPrefixes");
        seen.extend(prefixes.into_iter().map(str::to_owned));
        if page.xml("IsTruncated") == "false" {
            break;
        }
        next = format!("&continuation-token={}", page.xml("NextContinuationToken"));
    }
    seen.sort();
    assert_eq!(seen, ["<Prefix>d/</Prefix>", "a", "e%20f", "z"]);
    let old = local.get("/bucket?prefix=d/&marker=d/1");
    assert_eq!(old.all_xml("Key"), ["d/2"]);
    assert_eq!(old.xml("Size"), "3");
    assert_eq!(
        local
            .get("/bucket?list-type=2&continuation-token=%21")
            .error(),
        (400, "InvalidArgument")
    );

    let request = "<Delete><Object><Key>a</Key></Object><Object><Key>d/1</Key></Object></Delete>";
    let deleted = local.send("POST", "/bucket?delete", &[], request.as_bytes());
    assert_eq!(deleted.all_xml("Key"), ["a", "d/1"]);
    assert_eq!(local.get("/bucket?list-type=2").xml("KeyCount"), "3");
}

#[test]
fn buckets_have_regions_and_must_be_empty_to_go() {
    let local = Local::start();
    let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                 </CreateBucketConfiguration>";
    assert_eq!(local.put("/other", &[], place.as_bytes()).status, 200);
    assert_eq!(
        local.put("/other", &[], place.as_bytes()).error(),
        (409, "BucketAlreadyOwnedByYou")
    );
    assert_eq!(local.put("/bucket", &[], b"").status, 200);
    assert!(local.get("/other?location").text().contains("eu-west-1"));
    assert!(!local.get("/bucket?location").text().contains("us-east-1"));
    assert_eq!(local.get("/").all_xml("Name"), ["bucket", "other"]);
    let first = local.get("/?max-buckets=1");
    assert_eq!(first.all_xml("Name"), ["bucket"]);
    let rest = local.get(&format!(
        "/?continuation-token={}",
        first.xml("ContinuationToken")
    ));
    assert_eq!(rest.all_xml("Name"), ["other"]);
    local.put("/other/k", &[], b"x");
    assert_eq!(
        local.send("DELETE", "/other", &[], b"").error(),
        (409, "BucketNotEmpty")
    );
    local.send("DELETE", "/other/k", &[], b"");
    assert_eq!(local.send("DELETE", "/other", &[], b"").status, 204);
    assert_eq!(local.get("/other/k").error(), (404, "NoSuchBucket"));
    assert_eq!(local.get("/bucket?acl").error(), (501, "NotImplemented"));

    // The bucket in the host's name.
    let named = [("Host", "bucket.localhost:1")];
    assert_eq!(local.put("/by-host", &named, b"x").status, 200);
    assert_eq!(local.get("/bucket/by-host").text(), "x");
}

#[test]
fn versions_are_kept_listed_and_restored() {
    let local = Local::start();
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    local.put("/bucket/k", &[], b"before");
    assert_eq!(
        local.put("/bucket?versioning", &[], on.as_bytes()).status,
        200
    );
    assert_eq!(local.get("/bucket?versioning").xml("Status"), "Enabled");
    let put = |body: &[u8]| {
        local
            .put("/bucket/k", &[], body)
            .header("x-amz-version-id")
            .unwrap()
            .to_owned()
    };
    let (one, two) = (put(b"one"), put(b"two"));
    assert_eq!(
        local.get("/bucket?versions").all_xml("VersionId"),
        [&*two, &one, "null"]
    );
    let paged = local.get(&format!(
        "/bucket?versions&max-keys=1&key-marker=k&version-id-marker={two}"
    ));
    assert_eq!(
        (paged.xml("VersionId"), paged.xml("NextVersionIdMarker")),
        (&*one, &*one)
    );
    let version = |id: &str| format!("/bucket/k?versionId={id}");
    assert_eq!(local.get(&version(&one)).text(), "one");
    assert_eq!(local.get(&version("null")).text(), "before");
    assert_eq!(
        local.get(&version("../../k")).error(),
        (404, "NoSuchVersion")
    );
    assert_eq!(local.send("DELETE", &version(&two), &[], b"").status, 204);
    assert_eq!(local.get("/bucket/k").text(), "one");
    let marker = local.send("DELETE", "/bucket/k", &[], b"");
    assert_eq!(marker.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(local.get("/bucket/k").error(), (404, "NoSuchKey"));
    assert_eq!(local.get(&version(&one)).text(), "one");
}

#[test]
fn presigned_urls_need_no_key_and_carry_their_headers() {
    let local = Local::start();
    let sum = crc64(b"signed")
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D");
    let signed = format!(
        "/bucket/k?x-id=PutObject&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=a%2F20200101%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20200101T000000Z&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=00\
         &x-amz-checksum-crc64nvme={sum}"
    );
    assert_eq!(
        local.put(&signed, &[], b"forged").error(),
        (400, "BadDigest")
    );
    assert_eq!(local.put(&signed, &[], b"signed").status, 200);
    assert_eq!(
        local
            .get("/bucket/k?AWSAccessKeyId=a&Signature=b&Expires=1")
            .text(),
        "signed"
    );
}

#[test]
fn a_large_refused_body_does_not_hide_the_answer() {
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

/// A page whose name was pointed to 127.0.0.1, and one that posts here from its own.
#[test]
fn what_comes_in_the_name_of_another_machine_is_refused() {
    let local = Local::start();
    for (header, value) in [
        ("Host", "evil.example"),
        ("Host", "evil.example:80"),
        ("Host", "127.0.0.1.evil.example"),
        ("Host", "localhost.evil.example"),
        ("Host", "10.0.0.1"),
        ("Host", "0.0.0.0"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ] {
        let answer = local.put("/bucket/k", &[(header, value)], b"x");
        assert_eq!(answer.status, 403, "{header}: {value}");
        assert!(answer.text().contains("AccessDenied"));
    }
    assert_eq!(local.get("/bucket/k").status, 404);
    for (header, value) in [
        ("Host", "localhost"),
        ("Host", "LOCALHOST:8080"),
        ("Host", "bucket.localhost:1"),
        ("Host", "127.0.0.1"),
        ("Host", "127.5.5.5:9"),
        ("Host", "[::1]:9"),
        ("Origin", "http://localhost:3000"),
    ] {
        let path = if value.starts_with("bucket") {
            "/k"
        } else {
            "/bucket/k"
        };
        let answer = local.put(path, &[(header, value)], b"x");
        assert_eq!(answer.status, 200, "{header}: {value}");
    }
}
