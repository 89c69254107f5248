//! Checksums of bodies, in headers and in trailers.

use super::*;

#[test]
fn wrong_checksums_are_refused_and_leave_nothing() {
    let local = Local::start();
    for algorithm in [Algorithm::Crc32, Algorithm::Crc64Nvme] {
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
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
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
    for (unknown, value) in [
        ("x-amz-checksum-crc32c", "AAAAAA=="),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("x-amz-checksum-sha256", "x"),
        ("x-amz-checksum-xxhash64", "AAAAAAAAAAA="),
    ] {
        assert_eq!(
            local.put("/bucket/k", &[(unknown, value)], b"x").error(),
            (501, "NotImplemented"),
            "{unknown}"
        );
    }
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
fn a_composite_checksum_needs_the_checksum_of_every_part() {
    let local = Local::start();
    let refused = |headers: &[(&str, &str)]| {
        let answer = local.send("POST", "/bucket/k?uploads", headers, b"");
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{headers:?}");
    };
    refused(&[
        ("x-amz-checksum-algorithm", "CRC64NVME"),
        ("x-amz-checksum-type", "COMPOSITE"),
    ]);
    refused(&[("x-amz-checksum-type", "FULL_OBJECT")]);

    let upload = Upload::begin(&local, &[("x-amz-checksum-algorithm", "CRC32")]);
    assert_eq!(
        upload.part(1, &[], b"bytes").error(),
        (400, "InvalidRequest")
    );
    let value = sum(Algorithm::Crc32, b"bytes");
    let part = upload.part(1, &[("x-amz-checksum-crc32", &value)], b"bytes");
    assert_eq!(
        upload.complete(&[(1, part.etag())], &[]).error(),
        (400, "InvalidRequest")
    );
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag>\
         <ChecksumCRC32>{value}</ChecksumCRC32></Part></CompleteMultipartUpload>",
        part.etag()
    );
    let path = format!("/bucket/k?uploadId={}", upload.id);
    let done = local.send("POST", &path, &[], body.as_bytes());
    assert_eq!((done.status, done.xml("ChecksumType")), (200, "COMPOSITE"));
    assert!(done.xml("ChecksumCRC32").ends_with("-1"));
}
