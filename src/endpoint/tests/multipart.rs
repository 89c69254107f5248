//! Multipart uploads: what S3 accepts, and what it must not.

use super::super::store::MIN_PART;
use super::*;

const PART: usize = MIN_PART as usize;

/// A multipart upload of the object `k`.
struct Upload<'a> {
    local: &'a Local,
    id: String,
}

impl<'a> Upload<'a> {
    fn begin(local: &'a Local, headers: &[(&str, &str)]) -> Self {
        let begun = local.send("POST", "/bucket/k?uploads", headers, b"");
        assert_eq!(begun.status, 200, "{}", begun.text());
        Self {
            local,
            id: begun.xml("UploadId").to_owned(),
        }
    }

    fn part(&self, number: u32, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let path = format!("/bucket/k?partNumber={number}&uploadId={}", self.id);
        self.local.put(&path, headers, body)
    }

    /// Uploads a part and returns its ETag.
    fn good(&self, number: u32, body: &[u8]) -> (u32, String) {
        let sums = sums(None, body);
        let crc = sums.crc64nvme().value;
        let answer = self.part(number, &[("x-amz-checksum-crc64nvme", &crc)], body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.etag(), sums.etag());
        (number, answer.etag())
    }

    fn complete(&self, parts: &[(u32, String)], headers: &[(&str, &str)]) -> Answer {
        let parts: String = parts
            .iter()
            .map(|(number, etag)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>")
            })
            .collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let path = format!("/bucket/k?uploadId={}", self.id);
        self.local.send("POST", &path, headers, body.as_bytes())
    }

    fn list(&self, query: &str) -> Answer {
        self.local
            .get(&format!("/bucket/k?uploadId={}{query}", self.id))
    }
}

const DECLARED: [(&str, &str); 2] = [
    ("x-amz-checksum-algorithm", "CRC64NVME"),
    ("x-amz-checksum-type", "FULL_OBJECT"),
];

#[test]
fn parts_in_any_order_become_one_object_without_a_copy() {
    let local = Local::start();
    let body = noise(2 * PART + 1234, 7);
    let upload = Upload::begin(&local, &DECLARED);
    let mut parts: Vec<(u32, String)> = [3, 1, 2]
        .into_iter()
        .map(|number| {
            let start = (number as usize - 1) * PART;
            upload.good(number, &body[start..body.len().min(start + PART)])
        })
        .collect();
    parts.sort();
    let shared = local.file(&format!("bucket/uploads/{}/parts-{PART}", upload.id));
    #[cfg(unix)]
    let before = std::fs::metadata(&shared).unwrap();
    let done = upload.complete(
        &parts,
        &[
            ("x-amz-checksum-crc64nvme", &crc64(&body)),
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("x-amz-mp-object-size", &body.len().to_string()),
            ("If-None-Match", "*"),
        ],
    );
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.xml("ChecksumCRC64NVME"), crc64(&body));
    let got = local.get("/bucket/k");
    assert!(got.body == body);
    let hashes: Vec<u8> = parts
        .iter()
        .flat_map(|(_, etag)| {
            (0..16).map(|at| u8::from_str_radix(&etag[2 * at..2 * at + 2], 16).unwrap())
        })
        .collect();
    assert_eq!(got.etag(), format!("{}-3", md5(&hashes)));
    let after = std::fs::metadata(local.file("bucket/objects/k%")).unwrap();
    assert_eq!(after.len(), body.len() as u64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(
            before.ino(),
            after.ino(),
            "the parts' file must become the object"
        );
    }
    assert!(names(&local.file("bucket/uploads")).is_empty());

    // One part of it.
    let last = local.get("/bucket/k?partNumber=3");
    assert!(last.body == body[2 * PART..]);
    assert_eq!(
        (last.status, last.header("x-amz-mp-parts-count")),
        (206, Some("3"))
    );
    assert_eq!(
        local.get("/bucket/k?partNumber=4").error(),
        (416, "InvalidPartNumber")
    );

    // It is not there any more.
    for parts in [&parts[..], &parts[..2]] {
        assert_eq!(upload.complete(parts, &[]).error(), (404, "NoSuchUpload"));
    }
    assert_eq!(upload.list("").error(), (404, "NoSuchUpload"));
    assert_eq!(upload.part(1, &[], b"x").error(), (404, "NoSuchUpload"));
}

#[test]
fn a_complete_can_be_repeated_where_the_endpoint_says_so() {
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
fn what_is_said_of_an_upload_is_kept_and_told() {
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
    let folded = local.get("/bucket?uploads&delimiter=/");
    assert_eq!(folded.all_xml("Key"), ["k", "z"]);
    assert!(folded.text().contains("<Prefix>other/</Prefix>"));
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

/// The last process was killed while it wrote that it had a part.
#[test]
fn a_note_cut_short_hides_no_later_part() {
    let mut local = Local::start();
    let upload = Upload::begin(&local, &DECLARED);
    upload.good(1, b"one");
    let id = upload.id;
    let journal = local.file(&format!("bucket/uploads/{id}/parts.jsonl"));
    let mut noted = std::fs::read(&journal).unwrap();
    let line = noted.clone();
    noted.extend_from_slice(&line[..line.len() / 2]);
    std::fs::write(&journal, noted).unwrap();
    local.restart();
    Upload {
        local: &local,
        id: id.clone(),
    }
    .good(2, b"two");
    local.restart();
    let listed = Upload { local: &local, id }.list("");
    assert_eq!(listed.all_xml("PartNumber"), ["1", "2"]);
}

#[test]
fn what_does_not_fit_is_refused_and_the_upload_goes_on() {
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
fn a_part_that_breaks_off_does_not_count() {
    let local = Local::start();
    let upload = Upload::begin(&local, &DECLARED);
    let kept = upload.good(1, b"first try");
    let mut stream = TcpStream::connect(local.address()).unwrap();
    let head = format!(
        "PUT /bucket/k?partNumber=1&uploadId={} HTTP/1.1\r\n\
         Host: x\r\nContent-Length: 9\r\n\r\nshort",
        upload.id
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    // The server may close without an answer, or with one.
    drop(stream.read_to_end(&mut rest));
    assert_eq!(upload.list("").all_xml("Size"), ["9"]);
    assert_eq!(upload.complete(&[kept], &[]).status, 200);
    assert_eq!(local.get("/bucket/k").text(), "first try");
}

#[test]
fn uneven_and_replaced_parts_are_joined_in_order() {
    let local = Local::start();
    let (a, b, c) = (noise(PART + 10, 1), noise(PART, 2), noise(30, 3));
    let upload = Upload::begin(&local, &DECLARED);
    // Numbers may have gaps with a checksum of the whole object.
    let parts = [
        upload.good(2, &b),
        upload.good(30, &a),
        upload.good(10_000, &c),
    ];
    assert_eq!(upload.complete(&parts, &[]).status, 200);
    assert!(local.get("/bucket/k").body == [b.clone(), a, c].concat());

    // A replaced part of equal size lies beside its place, and is put there at the end.
    let upload = Upload::begin(&local, &DECLARED);
    upload.good(1, &noise(PART, 9));
    let parts = [upload.good(1, &b), upload.good(2, b"end")];
    assert_eq!(upload.complete(&parts, &[]).status, 200);
    assert!(local.get("/bucket/k").body == [&b[..], b"end"].concat());
}

#[test]
fn composite_checksums_need_every_part() {
    let local = Local::start();
    let refused = |headers: &[(&str, &str)]| {
        let answer = local.send("POST", "/bucket/k?uploads", headers, b"");
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{headers:?}");
    };
    refused(&[
        ("x-amz-checksum-algorithm", "SHA256"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ]);
    refused(&[
        ("x-amz-checksum-algorithm", "CRC64NVME"),
        ("x-amz-checksum-type", "COMPOSITE"),
    ]);
    refused(&[("x-amz-checksum-type", "FULL_OBJECT")]);

    let upload = Upload::begin(&local, &[("x-amz-checksum-algorithm", "SHA256")]);
    assert_eq!(
        upload.part(1, &[], b"bytes").error(),
        (400, "InvalidRequest")
    );
    let value = sum(Algorithm::Sha256, b"bytes");
    let part = upload.part(1, &[("x-amz-checksum-sha256", &value)], b"bytes");
    assert_eq!(
        upload.complete(&[(1, part.etag())], &[]).error(),
        (400, "InvalidRequest")
    );
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag>\
         <ChecksumSHA256>{value}</ChecksumSHA256></Part></CompleteMultipartUpload>",
        part.etag()
    );
    let path = format!("/bucket/k?uploadId={}", upload.id);
    let done = local.send("POST", &path, &[], body.as_bytes());
    assert_eq!((done.status, done.xml("ChecksumType")), (200, "COMPOSITE"));
    assert!(done.xml("ChecksumSHA256").ends_with("-1"));
}

#[test]
fn parts_can_be_copied_from_objects() {
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
