//! Every fault, as a client meets it that does not retry.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::faults::{Fault, Operation, Refusal, Reply, When};
use super::*;

const ONCE: std::ops::RangeInclusive<u64> = 1..=1;

/// Sends a request that gets no answer. Returns how its connection ended.
fn lost(local: &Local, method: &str, path: &str, body: &[u8]) -> ErrorKind {
    let mut stream = local.open(method, path, &[], body.len());
    let mut answer = Vec::new();
    // The reset may come while the body is written.
    let ended = stream
        .write_all(body)
        .and_then(|()| stream.read_to_end(&mut answer));
    assert_eq!(String::from_utf8_lossy(&answer), "");
    ended.expect_err("it ended well").kind()
}

/// An end without a reset is `UnexpectedEof` for a client that waits for an answer.
fn is_reset(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

pub(super) fn codedeploy(local: &Local, operation: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let input = json!({
        "applicationName": "app",
        "revision": { "revisionType": "S3",
                      "s3Location": { "bucket": "b", "key": "k", "bundleType": "zip" } },
    });
    let target = format!("CodeDeploy_20141006.{operation}");
    let headers = [&[("X-Amz-Target", &*target)], headers].concat();
    let answer = local.send("POST", "/", &headers, input.to_string().as_bytes());
    let output = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status, output)
}

#[test]
fn a_refusal_has_status_and_code_of_the_service() {
    use Refusal as R;

    const INTERNAL: (u16, &str) = (500, "InternalFailure");
    const THROTTLING: (u16, &str) = (400, "ThrottlingException");
    const UNAVAILABLE: (u16, &str) = (503, "ServiceUnavailableException");
    const DENIED: (u16, &str) = (400, "AccessDeniedException");
    const EXPIRED: (u16, &str) = (400, "ExpiredTokenException");

    for (refusal, status, code, codedeploy_says) in [
        (R::SlowDown, 503, "SlowDown", THROTTLING),
        (R::Throttling, 503, "SlowDown", THROTTLING),
        (
            R::ServiceUnavailable,
            503,
            "ServiceUnavailable",
            UNAVAILABLE,
        ),
        (R::InternalError, 500, "InternalError", INTERNAL),
        (R::AccessDenied, 403, "AccessDenied", DENIED),
        (R::ExpiredToken, 400, "ExpiredToken", EXPIRED),
        (R::RequestTimeout, 400, "RequestTimeout", INTERNAL),
        (R::NoSuchUpload, 404, "NoSuchUpload", INTERNAL),
        (
            R::ConditionalRequestConflict,
            409,
            "ConditionalRequestConflict",
            INTERNAL,
        ),
        (R::OperationAborted, 409, "OperationAborted", INTERNAL),
        (R::PreconditionFailed, 412, "PreconditionFailed", INTERNAL),
    ] {
        let s3 = (status, code);
        let faults = Faults::new()
            .on(Operation::PutObject, ONCE, Fault::Refuse(refusal))
            .on(Operation::HeadObject, ONCE, Fault::Refuse(refusal))
            .on(
                Operation::RegisterApplicationRevision,
                ONCE,
                Fault::Refuse(refusal),
            );
        let local = Local::start_with(faults.clone());
        let refused = local.put("/bucket/k", &[], &noise(1 << 20, 1));
        assert_eq!(refused.error(), s3);
        assert!(!refused.xml("Message").is_empty() && refused.header("x-amz-request-id").is_some());
        let head = local.send("HEAD", "/bucket/k", &[], b"");
        assert_eq!((head.status, head.body.len()), (s3.0, 0));
        let (status, output) = codedeploy(&local, "RegisterApplicationRevision", &[]);
        assert_eq!(
            (status, &output["__type"]),
            (codedeploy_says.0, &json!(codedeploy_says.1))
        );
        // The refused requests had no effect, and the next ones succeed.
        assert_eq!(local.send("HEAD", "/bucket/k", &[], b"").status, 404);
        let (_, list) = codedeploy(&local, "ListApplicationRevisions", &[]);
        assert_eq!(list["revisions"], json!([]));
        assert_eq!(local.put("/bucket/k", &[], b"x").status, 200);

        let seen: Vec<_> = faults
            .requests()
            .into_iter()
            .map(|seen| (seen.operation, seen.fault.is_some(), seen.status))
            .collect();
        assert_eq!(
            seen,
            [
                (Operation::PutObject, true, Some(s3.0)),
                (Operation::HeadObject, true, Some(s3.0)),
                (
                    Operation::RegisterApplicationRevision,
                    true,
                    Some(codedeploy_says.0)
                ),
                (Operation::HeadObject, false, Some(404)),
                (Operation::ListApplicationRevisions, false, Some(200)),
                (Operation::PutObject, false, Some(200)),
            ]
        );
    }
}

#[test]
fn a_reset_request_has_its_effect_only_after_commit() {
    for (when, is_there) in [
        (When::BeforeBody, false),
        (When::AfterBody, false),
        (When::AfterCommit, true),
    ] {
        let fault = Fault::Reset(when);
        let faults = Faults::new().on(Operation::PutObject, ONCE, fault).on(
            Operation::RegisterApplicationRevision,
            ONCE,
            fault,
        );
        let local = Local::start_with(faults.clone());
        let body = noise(3 << 20, 2);
        let kind = lost(&local, "PUT", "/bucket/k", &body);
        assert!(is_reset(kind), "{when:?}: {kind}");
        let found = local.get("/bucket/k");
        assert_eq!(found.status, if is_there { 200 } else { 404 }, "{when:?}");
        assert!(!is_there || found.body == body);
        assert_eq!(faults.requests()[0].status, None);
        assert_eq!(faults.requests()[0].place, "bucket/k");
    }
}

#[test]
fn a_complete_whose_answer_is_lost_has_made_the_object() {
    let lost_answer = Fault::Reset(When::AfterCommit);
    let faults = Faults::new().on(Operation::CompleteMultipartUpload, ONCE, lost_answer);
    let local = Local::start_with(faults);
    let begun = local.send("POST", "/bucket/k?uploads", &[], b"");
    let id = begun.xml("UploadId");
    let part = local.put(
        &format!("/bucket/k?partNumber=1&uploadId={id}"),
        &[],
        b"one",
    );
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
         </CompleteMultipartUpload>",
        part.etag()
    );
    let path = format!("/bucket/k?uploadId={id}");
    assert!(is_reset(lost(&local, "POST", &path, parts.as_bytes())));
    assert_eq!(local.get("/bucket/k").text(), "one");
    assert!(local.endpoint.as_ref().unwrap().open_uploads().is_empty());
    let again = local.send("POST", &path, &[], parts.as_bytes());
    assert_eq!(again.error(), (404, "NoSuchUpload"));
}

#[test]
fn a_stalled_request_gets_no_answer_until_the_endpoint_ends() {
    for (when, is_there) in [
        (When::BeforeBody, false),
        (When::AfterBody, false),
        (When::AfterCommit, true),
    ] {
        let faults = Faults::new().on(Operation::PutObject, ONCE, Fault::Stall(when));
        let mut local = Local::start_with(faults);
        let mut stream = local.open("PUT", "/bucket/k", &[], 5);
        stream.write_all(b"bytes").unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut answer = [0; 1];
        let kind = stream.read(&mut answer).unwrap_err().kind();
        assert!(
            matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{kind}"
        );
        assert_eq!(local.get("/bucket/k").status == 200, is_there, "{when:?}");
        let since = Instant::now();
        local.restart();
        assert!(
            since.elapsed() < Duration::from_secs(2),
            "it held the endpoint up"
        );
        assert!(is_reset(stream.read(&mut answer).unwrap_err().kind()));
    }
}

#[test]
fn a_body_that_is_not_read_blocks_its_writer() {
    let stall = Fault::Stall(When::BeforeBody);
    let local = Local::start_with(Faults::new().on(Operation::PutObject, ONCE, stall));
    let mut stream = local.open("PUT", "/bucket/k", &[], 64 << 20);
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let block = vec![0; 1 << 20];
    let written = (0..64).take_while(|_| stream.write_all(&block).is_ok());
    assert!(written.count() < 64, "the body was read");
}

#[test]
fn slow_bodies_pass_at_the_given_rate() {
    let slow = Fault::Slow(1_000_000);
    let faults =
        Faults::new()
            .on(Operation::PutObject, ONCE, slow)
            .on(Operation::GetObject, ONCE, slow);
    let local = Local::start_with(faults);
    let body = noise(300_000, 3);
    let since = Instant::now();
    assert_eq!(local.put("/bucket/k", &[], &body).status, 200);
    let put = since.elapsed();
    assert!(local.get("/bucket/k").body == body);
    let got = since.elapsed() - put;
    for took in [put, got] {
        assert!(took >= Duration::from_millis(290), "{took:?}");
    }
    let since = Instant::now();
    assert!(local.get("/bucket/k").body == body);
    assert!(since.elapsed() < put, "later requests are slow");
}

#[test]
fn an_error_may_come_inside_a_200() {
    let inside = Fault::RefuseInside(Refusal::InternalError);
    let faults = Faults::new().on(Operation::CompleteMultipartUpload, ONCE, inside);
    let local = Local::start_with(faults);
    let begun = local.send("POST", "/bucket/k?uploads", &[], b"");
    let path = format!("/bucket/k?uploadId={}", begun.xml("UploadId"));
    let mut stream = local.open("POST", &path, &[], 4);
    stream.write_all(b"<a/>").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let xml = body.find("<?xml").unwrap();
    let error = body.find("<Error><Code>InternalError</Code>").unwrap();
    assert!(xml < error && body[xml..error].contains("   "), "{body}");
    assert_eq!(local.endpoint.as_ref().unwrap().open_uploads().len(), 1);
}

#[test]
fn bytes_change_or_are_cut_off_on_their_way() {
    let faults = Faults::new()
        .on(Operation::PutObject, 1..=2, Fault::Corrupt)
        .on(Operation::GetObject, 2..=2, Fault::CorruptAnswer)
        .on(Operation::GetObject, 3..=3, Fault::Truncate(70_000));
    let local = Local::start_with(faults);
    let body = noise(100_000, 4);
    let claim = [("x-amz-checksum-crc64nvme", &*crc64(&body))];
    assert_eq!(
        local.put("/bucket/k", &claim, &body).error(),
        (400, "BadDigest")
    );
    assert_eq!(local.get("/bucket/k").status, 404);
    // Without a claim the change is not noticed.
    assert_eq!(local.put("/bucket/other", &[], &body).status, 200);
    assert_eq!(local.put("/bucket/k", &claim, &body).status, 200);

    let wrong = local.get("/bucket/k");
    assert_eq!((wrong.status, wrong.body.len()), (200, body.len()));
    let differ = wrong.body.iter().zip(&body).filter(|(a, b)| a != b);
    assert_eq!(differ.count(), 1);
    let mut stream = local.open("GET", "/bucket/k", &[], 0);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    assert!(String::from_utf8_lossy(&answer[..end]).contains("content-length: 100000"));
    assert!(answer[end + 4..] == body[..70_000]);
    assert!(local.get("/bucket/k").body == body);
}

#[test]
fn a_test_can_make_an_answer_up() {
    let reply = Reply {
        status: 301,
        headers: &[("x-amz-bucket-region", "eu-west-1")],
        body: "<Error><Code>PermanentRedirect</Code></Error>",
    };
    let faults = Faults::new().choose(move |request| {
        (request.header("x-amz-meta-a") == Some("1")).then_some(Fault::Reply(reply))
    });
    let local = Local::start_with(faults.clone());
    let headers = [("x-amz-meta-a", "1")];
    let answer = local.put("/bucket/k", &headers, &noise(1 << 20, 1));
    assert_eq!(answer.error(), (301, "PermanentRedirect"));
    assert_eq!(answer.header("x-amz-bucket-region"), Some("eu-west-1"));
    let head = local.send("HEAD", "/bucket/k", &headers, b"");
    assert_eq!((head.status, head.body.len()), (301, 0));
    assert_eq!(local.get("/bucket/k").status, 404);
    let seen = &faults.of(Operation::PutObject)[0];
    assert_eq!((seen.status, &*seen.target), (Some(301), "/bucket/k"));
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = |seed| {
        let odds = [
            (Operation::PutObject, Fault::Refuse(Refusal::SlowDown), 0.3),
            (
                Operation::PutObject,
                Fault::Refuse(Refusal::InternalError),
                0.3,
            ),
        ];
        let faults = Faults::new().random(seed, odds);
        let local = Local::start_with(faults);
        let put = |_| local.put("/bucket/k", &[], b"x").status;
        (0..40).map(put).collect::<Vec<u16>>()
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    assert_eq!(BTreeSet::from_iter(first), BTreeSet::from([200, 500, 503]));
}
