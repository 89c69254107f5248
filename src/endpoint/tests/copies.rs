//! Copies that S3 makes itself: UploadPartCopy and CopyObject.

use super::super::faults::{CopyFault, Fault, Operation, Refusal};
use super::super::server::OWNER;
use super::*;

/// Larger than 5 MiB, so that ranges of it can be copied.
fn source() -> Vec<u8> {
    noise(PART + 1000, 5)
}

/// With the object `source` in the bucket `from` of us-west-2. Its ETag in quotes.
fn with_source(local: &Local) -> String {
    let endpoint = local.endpoint.as_ref().unwrap();
    endpoint.prepare("from", "us-west-2", "app").unwrap();
    let put = local.put("/from/source", &[], &source());
    format!("\"{}\"", put.etag())
}

fn copied_part(upload: &Upload<'_>, number: u32, headers: &[(&str, &str)]) -> Answer {
    let source = [&[("x-amz-copy-source", "/from/source")], headers].concat();
    upload.part(number, &source, b"")
}

#[test]
fn parts_that_are_copied_from_another_region_become_the_object() {
    let local = Local::start();
    let etag = with_source(&local);
    let body = source();
    let upload = Upload::begin(&local, &DECLARED);
    let east = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, Signature=0";
    let last = format!("bytes={PART}-{}", body.len() - 1);
    let mut parts = Vec::new();
    for (number, range, bytes) in [
        (1, "bytes=0-5242879", &body[..PART]),
        (2, &*last, &body[PART..]),
    ] {
        let headers = [
            ("Authorization", east),
            ("x-amz-copy-source-range", range),
            ("x-amz-copy-source-if-match", &*etag),
        ];
        let copied = copied_part(&upload, number, &headers);
        assert_eq!(copied.status, 200, "{}", copied.text());
        assert_eq!(copied.xml("ChecksumCRC64NVME"), crc64(bytes));
        assert_eq!(copied.xml_etag(), md5(bytes));
        parts.push((number, copied.xml_etag()));
    }
    let sum = crc64(&body);
    let whole = [("x-amz-checksum-crc64nvme", &*sum)];
    assert_eq!(upload.complete(&parts, &whole).status, 200);
    assert!(local.get("/bucket/k").body == body);

    // Without a declared algorithm no checksum is named.
    let upload = Upload::begin(&local, &[]);
    let copied = copied_part(&upload, 1, &[]);
    assert_eq!((copied.status, copied.xml("ChecksumCRC64NVME")), (200, ""));
    assert_eq!(copied.xml_etag(), md5(&body));
}

#[test]
fn a_range_names_its_first_and_its_last_byte_within_the_source() {
    let local = Local::start();
    with_source(&local);
    let upload = Upload::begin(&local, &DECLARED);
    let ranged = |range: &str| copied_part(&upload, 1, &[("x-amz-copy-source-range", range)]);
    let size = source().len();
    let form = "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
                and last are the zero-based offsets of the first and last bytes to copy";
    for range in [
        "0-9",
        "bytes=",
        "bytes=-",
        "bytes=0",
        "bytes=0-",
        "bytes=-9",
        "bytes=9-0",
        "bytes=+0-9",
        "bytes=0-+9",
        "bytes=0-9,11-12",
        "bytes= 0-9",
        "bytes=0 -9",
        "Bytes=0-9",
        "bytes 0-9",
        "bytes=0x0-9",
        "bytes=0-99999999999999999999",
    ] {
        let refused = ranged(range);
        assert_eq!(refused.error(), (400, "InvalidArgument"), "{range}");
        assert_eq!(refused.xml("Message"), form, "{range}");
    }
    for range in [format!("bytes=0-{size}"), format!("bytes={size}-{size}")] {
        let refused = ranged(&range);
        assert_eq!(refused.error(), (400, "InvalidArgument"), "{range}");
        assert!(refused.xml("Message").contains(&size.to_string()));
    }
    let last = size - 1;
    assert_eq!(ranged(&format!("bytes={last}-{last}")).status, 200);

    local.put("/from/source", &[], &source()[..PART]);
    assert_eq!(ranged("bytes=0-9").error(), (400, "InvalidRequest"));
    // All of it may be copied.
    assert_eq!(copied_part(&upload, 1, &[]).status, 200);
}

#[test]
fn a_copy_whose_condition_on_its_source_does_not_hold_is_not_made() {
    const PAST: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
    const FUTURE: &str = "Thu, 01 Dec 2039 16:00:00 GMT";
    let local = Local::start();
    let etag = with_source(&local);
    let upload = Upload::begin(&local, &DECLARED);
    let is = ("x-amz-copy-source-if-match", &*etag);
    let is_other = ("x-amz-copy-source-if-match", "\"0\"");
    let is_not = ("x-amz-copy-source-if-none-match", &*etag);
    let is_not_other = ("x-amz-copy-source-if-none-match", "\"0\"");
    let since = |time| ("x-amz-copy-source-if-modified-since", time);
    let not_since = |time| ("x-amz-copy-source-if-unmodified-since", time);
    for (conditions, holds) in [
        (&[is][..], true),
        (&[is_other], false),
        (&[is_not], false),
        (&[is_not_other], true),
        (&[since(PAST)], true),
        (&[since(FUTURE)], false),
        (&[not_since(PAST)], false),
        (&[not_since(FUTURE)], true),
        // A condition on the ETag decides before one on the time.
        (&[is, not_since(PAST)], true),
        (&[is_other, not_since(FUTURE)], false),
        (&[is_not, since(PAST)], false),
        (&[is_not_other, since(FUTURE)], true),
        (&[is, is_not], false),
    ] {
        let part = copied_part(&upload, 1, conditions);
        let source = [&[("x-amz-copy-source", "from/source")], conditions].concat();
        let object = local.put("/bucket/copy", &source, b"");
        for answer in [part, object] {
            if holds {
                assert_eq!(answer.status, 200, "{conditions:?}: {}", answer.text());
            } else {
                let failed = (412, "PreconditionFailed");
                assert_eq!(answer.error(), failed, "{conditions:?}");
            }
        }
    }
}

#[test]
fn a_copy_names_what_it_does_not_find() {
    let local = Local::start();
    with_source(&local);
    let upload = Upload::begin(&local, &DECLARED);
    let size = source().len().to_string();
    for (source, expected) in [
        ("/none/source", (404, "NoSuchBucket")),
        ("/from/none", (404, "NoSuchKey")),
        ("/from/source?versionId=none", (404, "NoSuchVersion")),
        ("/from/source?versionId=null", (200, "")),
        ("from/source", (200, "")),
        ("from/sour%63e", (200, "")),
        ("/from", (400, "InvalidArgument")),
    ] {
        let source = [("x-amz-copy-source", source)];
        let part = upload.part(1, &source, b"");
        assert_eq!(part.error(), expected, "{source:?}: {}", part.text());
        let object = local.put("/bucket/copy", &source, b"");
        assert_eq!(object.error(), expected, "{source:?}: {}", object.text());
    }
    assert_eq!(upload.list("").all_xml("Size"), [&*size]);
    let nowhere = [("x-amz-copy-source", "/from/source")];
    let path = "/bucket/k?partNumber=1&uploadId=none";
    assert_eq!(
        local.put(path, &nowhere, b"").error(),
        (404, "NoSuchUpload")
    );
    let part = copied_part(&upload, 10_001, &[]);
    assert_eq!(part.error(), (400, "InvalidArgument"));
    assert_eq!(
        local.put("/none/copy", &nowhere, b"").error(),
        (404, "NoSuchBucket")
    );
}

#[test]
fn one_version_of_the_source_can_be_copied() {
    let local = Local::start();
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    local.put("/bucket?versioning", &[], on.as_bytes());
    let put = |body: &[u8]| {
        let put = local.put("/bucket/from", &[], body);
        put.header("x-amz-version-id").unwrap().to_owned()
    };
    let (first, _) = (put(b"first"), put(b"second"));
    let source = format!("/bucket/from?versionId={first}");
    let source = [("x-amz-copy-source", &*source)];
    let upload = Upload::begin(&local, &DECLARED);
    let part = upload.part(1, &source, b"");
    assert_eq!(part.header("x-amz-copy-source-version-id"), Some(&*first));
    assert_eq!(part.xml("ChecksumCRC64NVME"), crc64(b"first"));
    assert_eq!(local.put("/bucket/to", &source, b"").status, 200);
    assert_eq!(local.get("/bucket/to").text(), "first");
}

#[test]
fn the_owners_of_source_and_target_can_be_expected() {
    let local = Local::start();
    with_source(&local);
    let upload = Upload::begin(&local, &DECLARED);
    let target = "x-amz-expected-bucket-owner";
    let from = "x-amz-source-expected-bucket-owner";
    for (header, owner, expected) in [
        (target, OWNER, (200, "")),
        (from, OWNER, (200, "")),
        (target, "111111111111", (403, "AccessDenied")),
        (from, "111111111111", (403, "AccessDenied")),
    ] {
        let copied = copied_part(&upload, 1, &[(header, owner)]);
        assert_eq!(copied.error(), expected, "{header}: {owner}");
    }
}

#[test]
fn directives_say_whether_metadata_and_tags_are_the_sources() {
    let local = Local::start();
    let given = [("x-amz-meta-a", "1"), ("x-amz-tagging", "t=1")];
    local.put("/bucket/from", &given, b"x");
    let count = |key: &str| {
        let got = local.get(key);
        let tags = got.header("x-amz-tagging-count").map(str::to_owned);
        (got.header("x-amz-meta-a").map(str::to_owned), tags)
    };
    let some = |text: &str| Some(text.to_owned());
    let replaced = ("x-amz-metadata-directive", "REPLACE");
    let retagged = ("x-amz-tagging-directive", "REPLACE");
    let two = ("x-amz-tagging", "t=1&u=2");
    for (headers, expected) in [
        (&[][..], (some("1"), some("1"))),
        (&[replaced], (None, some("1"))),
        (&[retagged], (some("1"), None)),
        (&[retagged, two], (some("1"), some("2"))),
        (&[replaced, retagged], (None, None)),
        // Tags that the directive does not ask for are not taken.
        (&[two], (some("1"), some("1"))),
    ] {
        let source = [&[("x-amz-copy-source", "/bucket/from")], headers].concat();
        assert_eq!(local.put("/bucket/to", &source, b"").status, 200);
        assert_eq!(count("/bucket/to"), expected, "{headers:?}");
    }
    let other = [
        ("x-amz-copy-source", "/bucket/from"),
        ("x-amz-metadata-directive", "KEEP"),
    ];
    assert_eq!(local.put("/bucket/to", &other, b"").error().0, 400);
}

#[test]
fn a_copied_object_replaces_another_only_if_its_condition_holds() {
    let local = Local::start();
    with_source(&local);
    let copy = |key: &str, header: &str, value: &str| {
        let headers = [("x-amz-copy-source", "/from/source"), (header, value)];
        local.put(key, &headers, b"").error().0
    };
    assert_eq!(copy("/bucket/to", "If-None-Match", "*"), 200);
    assert_eq!(copy("/bucket/to", "If-None-Match", "*"), 412);
    let etag = format!("\"{}\"", local.get("/bucket/to").etag());
    assert_eq!(copy("/bucket/to", "If-Match", "\"0\""), 412);
    assert_eq!(copy("/bucket/to", "If-Match", &etag), 200);
    assert_eq!(copy("/bucket/none", "If-Match", &etag), 404);
}

#[test]
fn a_copy_can_be_made_to_go_wrong() {
    let body = source();
    let copied = |fault: Option<CopyFault>| {
        let mut faults = Faults::new();
        if let Some(fault) = fault {
            faults = faults.on(Operation::UploadPartCopy, .., Fault::Copy(fault));
        }
        let local = Local::start_with(faults);
        with_source(&local);
        let upload = Upload::begin(&local, &DECLARED);
        let copied = copied_part(&upload, 1, &[]);
        let (sum, whole) = (copied.xml("ChecksumCRC64NVME"), crc64(&body));
        let told = (!sum.is_empty()).then(|| sum == whole);
        let parts = [(1, copied.xml_etag())];
        let done = upload.complete(&parts, &[("x-amz-checksum-crc64nvme", &*whole)]);
        (told, done.status, local.get("/bucket/k").body == body)
    };
    for (fault, expected) in [
        (None, (Some(true), 200, true)),
        (Some(CopyFault::OtherBytes), (Some(false), 400, false)),
        (Some(CopyFault::OtherBytesUntold), (None, 400, false)),
        (
            Some(CopyFault::OtherBytesUnnoticed),
            (Some(true), 200, false),
        ),
        (Some(CopyFault::NoChecksum), (None, 200, true)),
    ] {
        assert_eq!(copied(fault), expected, "{fault:?}");
    }
    let ignored = Fault::Copy(CopyFault::NoConditions);
    let faults = Faults::new().on_at("bucket", Operation::UploadPartCopy, 1..=1, ignored);
    let local = Local::start_with(faults);
    with_source(&local);
    let upload = Upload::begin(&local, &DECLARED);
    let copy = || copied_part(&upload, 1, &[("x-amz-copy-source-if-match", "\"0\"")]).status;
    assert_eq!((copy(), copy()), (200, 412));
}

#[test]
fn an_error_may_come_inside_the_200_of_a_copy() {
    let inside = Fault::RefuseInside(Refusal::InternalError);
    let faults = Faults::new().on(Operation::UploadPartCopy, 1..=1, inside);
    let local = Local::start_with(faults);
    with_source(&local);
    let upload = Upload::begin(&local, &DECLARED);
    let path = format!("/bucket/k?partNumber=1&uploadId={}", upload.id);
    let mut stream = local.open("PUT", &path, &[("x-amz-copy-source", "/from/source")], 0);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("<Error><Code>InternalError</Code>"),
        "{answer}"
    );
    assert_eq!(upload.list("").all_xml("Size"), [""; 0]);
    assert_eq!(copied_part(&upload, 1, &[]).status, 200);
}
