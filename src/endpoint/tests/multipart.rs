//! The rules of multipart uploads: which parts and which Completes S3 accepts.

use super::*;

#[test]
fn wrong_parts_and_completes_are_refused_and_the_upload_stays() {
    let local = Local::start();
    let (one, two, tail) = (noise(PART, 1), noise(PART, 2), b"tail".to_vec());
    let upload = Upload::begin(&local, &DECLARED);
    let wrong = [("x-amz-checksum-crc64nvme", &*crc64(b"other"))];
    assert_eq!(upload.part(1, &wrong, b"bytes").error(), (400, "BadDigest"));
    let other = [("x-amz-checksum-crc32", &*sum(Algorithm::Crc32, b"bytes"))];
    assert_eq!(
        upload.part(1, &other, b"bytes").error(),
        (400, "InvalidRequest")
    );
    assert_eq!(upload.part(0, &[], b"x").error(), (400, "InvalidArgument"));
    assert_eq!(
        upload.part(10_001, &[], b"x").error(),
        (400, "InvalidArgument")
    );
    assert!(upload.list("").all_xml("PartNumber").is_empty());

    let parts = [
        upload.good(1, &one),
        upload.good(2, &two),
        upload.good(3, &tail),
    ];
    let with = |at: usize, etag: &str| {
        let mut parts = parts.to_vec();
        parts[at].1 = etag.to_owned();
        parts
    };
    let reversed: Vec<_> = parts.iter().rev().cloned().collect();
    let missing = [parts.to_vec(), vec![(4, "0".to_owned())]].concat();
    let small = [
        parts[0].clone(),
        upload.good(5, &tail),
        upload.good(6, &tail),
    ];
    for (parts, headers, expected) in [
        (with(1, "0"), vec![], "InvalidPart"),
        (missing, vec![], "InvalidPart"),
        (reversed, vec![], "InvalidPartOrder"),
        (vec![], vec![], "MalformedXML"),
        (small.to_vec(), vec![], "EntityTooSmall"),
        (
            parts.to_vec(),
            vec![("x-amz-checksum-crc64nvme", &*crc64(b"?"))],
            "BadDigest",
        ),
        (
            parts.to_vec(),
            vec![("x-amz-checksum-crc32", "AAAAAA==")],
            "InvalidRequest",
        ),
        (
            parts.to_vec(),
            vec![("x-amz-checksum-type", "COMPOSITE")],
            "InvalidRequest",
        ),
        (
            parts.to_vec(),
            vec![("x-amz-mp-object-size", "10485763")],
            "InvalidRequest",
        ),
    ] {
        assert_eq!(upload.complete(&parts, &headers).error(), (400, expected));
    }
    let whole = [one, two, tail].concat();
    assert_eq!(local.put("/bucket/k", &[], b"in the way").status, 200);
    assert_eq!(
        upload.complete(&parts, &[("If-None-Match", "*")]).error(),
        (412, "PreconditionFailed")
    );
    assert_eq!(local.get("/bucket/k").text(), "in the way");
    let size = whole.len().to_string();
    assert_eq!(
        upload
            .complete(&parts, &[("x-amz-mp-object-size", &size)])
            .status,
        200
    );
    assert!(local.get("/bucket/k").body == whole);
}

#[test]
fn a_repeated_complete_is_answered_again_if_the_faults_say_so() {
    let local = Local::start_with(Faults::new().repeatable_completes());
    let upload = Upload::begin(&local, &DECLARED);
    let parts = [upload.good(1, b"one")];
    let done = upload.complete(&parts, &[]);
    assert_eq!(done.status, 200, "{}", done.text());
    let again = upload.complete(&parts, &[]);
    assert_eq!(again.xml("ETag"), done.xml("ETag"));
    let other = [(1, "0".to_owned())];
    assert_eq!(upload.complete(&other, &[]).error(), (404, "NoSuchUpload"));
    assert_eq!(upload.list("").error(), (404, "NoSuchUpload"));
}

#[test]
fn headers_of_an_upload_are_listed_and_kept_for_the_object() {
    let mut local = Local::start();
    let said = [
        &DECLARED[..],
        &[("x-amz-meta-tool", "hoist 1"), ("x-amz-meta-nonce", "n-1")],
    ];
    let upload = Upload::begin(&local, &said.concat());
    let parts = [upload.good(1, b"one")];
    let id = upload.id;
    for key in ["other/1", "other/2", "z"] {
        local.send("POST", &format!("/bucket/{key}?uploads"), &[], b"");
    }
    local.restart();
    assert_eq!(local.endpoint.as_ref().unwrap().open_uploads().len(), 4);

    let some = local.get("/bucket?uploads&prefix=other/");
    assert_eq!(some.all_xml("Key"), ["other/1", "other/2"]);
    let ours = local.get("/bucket?uploads&prefix=k");
    let year = ours.xml("Initiated").split('-').next().unwrap().to_owned();
    assert!(
        (2024..3000).contains(&year.parse::<u32>().unwrap()),
        "{year}"
    );
    assert_eq!(ours.xml("ChecksumAlgorithm"), "CRC64NVME");

    let upload = Upload { local: &local, id };
    let listed = upload.list("");
    assert_eq!(
        (listed.xml("ChecksumAlgorithm"), listed.xml("ChecksumType")),
        ("CRC64NVME", "FULL_OBJECT")
    );
    assert_eq!(
        (listed.xml("Size"), listed.xml("IsTruncated")),
        ("3", "false")
    );
    assert_eq!(upload.complete(&parts, &[]).status, 200);
    let head = |headers: &[(&str, &str)]| local.send("HEAD", "/bucket/k", headers, b"");
    let plain = head(&[]);
    assert_eq!(plain.header("x-amz-meta-tool"), Some("hoist 1"));
    assert_eq!(plain.header("x-amz-meta-nonce"), Some("n-1"));
    assert_eq!(plain.header("x-amz-checksum-crc64nvme"), None);
    let summed = head(&[("x-amz-checksum-mode", "ENABLED")]);
    assert_eq!(
        summed.header("x-amz-checksum-crc64nvme"),
        Some(&*crc64(b"one"))
    );
    assert_eq!(summed.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
}

#[test]
fn an_aborted_upload_is_gone_with_its_bytes() {
    let local = Local::start();
    let upload = Upload::begin(&local, &[]);
    let part = upload.good(1, b"bytes");
    assert_eq!(
        local.get("/bucket?uploads").all_xml("UploadId"),
        [&*upload.id]
    );
    let path = format!("/bucket/k?uploadId={}", upload.id);
    assert_eq!(local.send("DELETE", &path, &[], b"").status, 204);
    assert_eq!(
        local.send("DELETE", &path, &[], b"").error(),
        (404, "NoSuchUpload")
    );
    assert_eq!(upload.list("").error(), (404, "NoSuchUpload"));
    assert_eq!(upload.part(2, &[], b"more").error(), (404, "NoSuchUpload"));
    assert_eq!(upload.complete(&[part], &[]).error(), (404, "NoSuchUpload"));
    assert!(local.get("/bucket?uploads").all_xml("UploadId").is_empty());
    assert!(names(&local.file("bucket/uploads")).is_empty());
}

#[test]
fn a_part_can_be_copied_from_a_range_of_an_object() {
    let local = Local::start();
    let source = noise(PART + 500, 5);
    local.put("/bucket/source", &[], &source);
    let upload = Upload::begin(&local, &DECLARED);
    let copy = |number: u32, headers: &[(&str, &str)]| {
        let headers = [&[("x-amz-copy-source", "bucket/source")], headers].concat();
        upload.part(number, &headers, b"")
    };
    let range = format!("bytes=100-{}", PART + 99);
    let first = copy(1, &[("x-amz-copy-source-range", &range)]);
    assert_eq!(
        first.xml("ChecksumCRC64NVME"),
        crc64(&source[100..PART + 100])
    );
    for bad in ["bytes=5-1", "bytes=0-", "0-5", "bytes=0-99999999"] {
        let refused = copy(2, &[("x-amz-copy-source-range", bad)]);
        assert_eq!(refused.error(), (400, "InvalidArgument"), "{bad}");
    }
    let unlike = [("x-amz-copy-source-if-match", "\"0\"")];
    assert_eq!(copy(2, &unlike).error(), (412, "PreconditionFailed"));
    let missing = upload.part(2, &[("x-amz-copy-source", "bucket/none")], b"");
    assert_eq!(missing.error(), (404, "NoSuchKey"));
    let second = copy(2, &[]);
    let parts: Vec<(u32, String)> = [first, second]
        .iter()
        .zip(1..)
        .map(|(copied, number)| (number, copied.xml_etag()))
        .collect();
    let done = upload.complete(&parts, &[]);
    assert_eq!(done.status, 200, "{}", done.text());
    let expected = [&source[100..PART + 100], &source[..]].concat();
    assert!(local.get("/bucket/k").body == expected);
    assert_eq!(done.xml("ChecksumCRC64NVME"), crc64(&expected));
}

#[test]
fn unfinished_uploads_survive_a_restart_and_are_listed_in_pages() {
    let mut local = Local::start();
    let upload = Upload::begin(&local, &DECLARED);
    let one = noise(PART, 1);
    let parts = [
        upload.good(1, &one),
        upload.good(2, b"two"),
        upload.good(3, b"three"),
    ];
    let page = upload.list("&max-parts=1&part-number-marker=1");
    assert_eq!(page.all_xml("PartNumber"), ["2"]);
    assert_eq!(
        (page.xml("IsTruncated"), page.xml("NextPartNumberMarker")),
        ("true", "2")
    );
    assert_eq!(page.xml("ChecksumCRC64NVME"), crc64(b"two"));
    assert_eq!(page.xml_etag(), md5(b"two"));
    let second = local
        .send("POST", "/bucket/k?uploads", &[], b"")
        .xml("UploadId")
        .to_owned();
    let id = upload.id;

    local.restart();
    let listed = local.get("/bucket?uploads&max-uploads=1");
    assert_eq!(
        (listed.xml("UploadId"), listed.xml("IsTruncated")),
        (&*id, "true")
    );
    let rest = format!(
        "/bucket?uploads&key-marker={}&upload-id-marker={}",
        listed.xml("NextKeyMarker"),
        listed.xml("NextUploadIdMarker")
    );
    assert_eq!(local.get(&rest).all_xml("UploadId"), [&*second]);
    let upload = Upload { local: &local, id };
    assert_eq!(upload.list("").all_xml("PartNumber"), ["1", "2", "3"]);
    assert_eq!(upload.complete(&parts[..2], &[]).status, 200);
    assert!(local.get("/bucket/k").body == [&one[..], b"two"].concat());
}
