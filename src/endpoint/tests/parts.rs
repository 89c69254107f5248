//! How the bytes of parts are kept on disk and become an object.

use super::*;

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
        .flat_map(|(_, etag)| hex_simd::decode_to_vec(etag).unwrap())
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

    // A completed upload is gone.
    for parts in [&parts[..], &parts[..2]] {
        assert_eq!(upload.complete(parts, &[]).error(), (404, "NoSuchUpload"));
    }
    assert_eq!(upload.list("").error(), (404, "NoSuchUpload"));
    assert_eq!(upload.part(1, &[], b"x").error(), (404, "NoSuchUpload"));
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

/// The last process was killed while it recorded a part.
#[test]
fn a_journal_line_cut_short_hides_no_later_part() {
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
