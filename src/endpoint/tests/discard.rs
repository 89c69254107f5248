//! The store that discards bytes, and the link with latency and rates.

use std::time::{Duration, Instant};

use super::*;

fn discarding(link: Link) -> Local {
    Local::start_as(|settings| Settings {
        storage: Storage::Discard,
        link,
        ..settings
    })
}

/// Uploads `body` at once and in parts. Returns both ETags.
fn upload(local: &Local, body: &[u8]) -> (String, String) {
    let put = local.put("/bucket/put", &[], body);
    assert_eq!(put.status, 200, "{}", put.text());
    let upload = Upload::begin(local, &DECLARED);
    let parts: Vec<(u32, String)> = (1..)
        .zip(body.chunks(PART))
        .map(|(number, part)| upload.good(number, part))
        .collect();
    let size = body.len().to_string();
    let done = upload.complete(
        &parts,
        &[
            ("x-amz-checksum-crc64nvme", &crc64(body)),
            ("x-amz-mp-object-size", &size),
        ],
    );
    assert_eq!(done.status, 200, "{}", done.text());
    (put.etag(), done.xml_etag())
}

#[test]
fn a_discarding_store_has_the_etags_of_a_keeping_one() {
    let body = noise(2 * PART + 1234, 7);
    let (keeping, discarding) = (Local::start(), discarding(Link::default()));
    assert_eq!(upload(&keeping, &body), upload(&discarding, &body));

    // Objects are described, and cannot be read.
    let head = discarding.send("HEAD", "/bucket/k", &[], b"");
    let length = body.len().to_string();
    assert_eq!(head.header("content-length"), Some(&*length));
    let listed = discarding.get("/bucket?list-type=2");
    assert_eq!(listed.all_xml("Size"), [&*length, &length]);
    for path in ["/bucket/k", "/bucket/put"] {
        assert_eq!(discarding.get(path).error(), (501, "NotImplemented"));
    }
    let copy = [("x-amz-copy-source", "/bucket/k")];
    let copied = discarding.put("/bucket/copy", &copy, b"");
    assert_eq!(copied.error(), (501, "NotImplemented"));

    let wrong = [("x-amz-checksum-crc64nvme", &*crc64(b"other"))];
    let refused = discarding.put("/bucket/wrong", &wrong, b"bytes");
    assert_eq!(refused.error(), (400, "BadDigest"));
}

#[test]
fn statistics_count_the_bytes_and_requests_of_uploads() {
    let local = discarding(Link::default());
    let body = noise(PART + 10, 1);
    upload(&local, &body);
    let seen = local.endpoint.as_ref().unwrap().statistics();
    assert_eq!(seen.bytes, 2 * body.len() as u64);
    assert_eq!(seen.requests["UploadPart"], 2);
    assert_eq!(seen.requests["CompleteMultipartUpload"], 1);
    assert_eq!(seen.statuses, [(200, 5)].into());
    assert_eq!((seen.most_uploads, seen.connections), (1, 5));
    assert!(seen.upload_seconds > Duration::ZERO);
}

#[test]
fn requests_take_the_latency_and_bodies_the_rate_of_the_link() {
    let latency = Duration::from_millis(100);
    let local = discarding(Link {
        latency,
        rate: Some(1_000_000),
        total_rate: None,
    });
    let since = Instant::now();
    local.send("HEAD", "/bucket", &[], b"");
    assert!(since.elapsed() >= latency);
    // Two connections at a time share no rate, two that share one take twice as long.
    let body = noise(300_000, 2);
    let took = |local: &Local| {
        let since = Instant::now();
        std::thread::scope(|scope| {
            for key in ["/bucket/a", "/bucket/b"] {
                scope.spawn(|| assert_eq!(local.put(key, &[], &body).status, 200));
            }
        });
        since.elapsed()
    };
    let each = took(&local);
    assert!(each >= latency + Duration::from_millis(280), "{each:?}");
    let shared = discarding(Link {
        total_rate: Some(1_000_000),
        ..Link::default()
    });
    let together = took(&shared);
    assert!(together >= Duration::from_millis(580), "{together:?}");
}
