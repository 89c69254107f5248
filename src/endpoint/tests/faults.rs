//! Every fault as a client without any help meets it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::faults::{Action, Fault, Operation, Refusal, When};
use super::*;

const ONCE: std::ops::RangeInclusive<u64> = 1..=1;

/// Sends a request that gets no answer; how its connection ended.
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

fn codedeploy(local: &Local, operation: &str, headers: &[(&str, &str)]) -> (u16, Value) {
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
fn errors_are_those_of_the_services() {
    for (refusal, s3, codedeploy_says) in [
        (
            Refusal::SlowDown,
            (503, "SlowDown"),
            (400, "ThrottlingException"),
        ),
        (
            Refusal::Throttling,
            (503, "SlowDown"),
            (400, "ThrottlingException"),
        ),
        (
            Refusal::ServiceUnavailable,
            (503, "ServiceUnavailable"),
            (503, "ServiceUnavailableException"),
        ),
        (
            Refusal::InternalError,
            (500, "InternalError"),
            (500, "InternalFailure"),
        ),
        (
            Refusal::AccessDenied,
            (403, "AccessDenied"),
            (400, "AccessDeniedException"),
        ),
        (
            Refusal::ExpiredToken,
            (400, "ExpiredToken"),
            (400, "ExpiredTokenException"),
        ),
        (
            Refusal::RequestTimeout,
            (400, "RequestTimeout"),
            (500, "InternalFailure"),
        ),
        (
            Refusal::NoSuchUpload,
            (404, "NoSuchUpload"),
            (500, "InternalFailure"),
        ),
        (
            Refusal::ConditionalRequestConflict,
            (409, "ConditionalRequestConflict"),
            (500, "InternalFailure"),
        ),
        (
            Refusal::OperationAborted,
            (409, "OperationAborted"),
            (500, "InternalFailure"),
        ),
        (
            Refusal::PreconditionFailed,
            (412, "PreconditionFailed"),
            (500, "InternalFailure"),
        ),
    ] {
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
        // Nothing was done, and the next are as ever.
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
fn a_reset_tells_nothing_of_how_far_it_got() {
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
fn a_lost_complete_has_made_the_object() {
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
fn a_stall_is_silent_until_the_endpoint_ends() {
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
fn an_unread_body_fills_the_way_to_the_endpoint() {
    let stall = Fault::Stall(When::BeforeBody);
    let local = Local::start_with(Faults::new().on(Operation::PutObject, ONCE, stall));
    let mut stream = local.open("PUT", "/bucket/k", &[], 64 << 20);
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let block = vec![0; 1 << 20];
    let written = (0..64).take_while(|_| stream.write_all(&block).is_ok());
    assert!(written.count() < 64, "somebody reads");
}

#[test]
fn slow_bodies_take_their_time() {
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
    assert!(since.elapsed() < put, "it is slow for ever");
}

#[test]
fn an_error_may_come_inside_a_success() {
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
fn bytes_change_on_their_way_in_and_out() {
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
    // Who claims nothing is not told.
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

fn signed(key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/s3/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

#[test]
fn credentials_expire() {
    let faults = Faults::new();
    faults.expire("AKIDOLD", 1);
    faults.expire("token-1", 0);
    let local = Local::start_with(faults.clone());
    let old = signed("AKIDOLD");
    let put = |headers: &[(&str, &str)]| local.put("/bucket/k", headers, b"x");
    assert_eq!(put(&[("Authorization", &old)]).status, 200);
    let refused = put(&[("Authorization", &old)]);
    assert_eq!(refused.error(), (400, "ExpiredToken"));
    let (status, output) = codedeploy(&local, "GetApplication", &[("Authorization", &old)]);
    assert_eq!(
        (status, &output["__type"]),
        (400, &json!("ExpiredTokenException"))
    );
    let new = signed("AKIDNEW");
    assert_eq!(put(&[("Authorization", &new)]).status, 200);
    let with_token = [
        ("Authorization", &*new),
        ("x-amz-security-token", "token-1"),
    ];
    assert_eq!(put(&with_token).error(), (400, "ExpiredToken"));
    assert_eq!(put(&[]).status, 200);
    let keys: Vec<_> = faults
        .requests()
        .into_iter()
        .map(|seen| seen.key_id)
        .collect();
    assert_eq!(keys[0].as_deref(), Some("AKIDOLD"));
    assert_eq!(keys[3].as_deref(), Some("AKIDNEW"));
    assert_eq!(keys[5], None);
    let refused = faults
        .requests()
        .iter()
        .filter(|seen| seen.fault.is_some())
        .count();
    assert_eq!(refused, 3);
}

#[test]
fn a_wrong_clock_refuses_what_is_signed_by_the_right_one() {
    let hour = Duration::from_secs(3600);
    for faults in [
        Faults::new().clock_ahead(hour),
        Faults::new().clock_behind(hour),
    ] {
        let ahead = format!("{faults:?}");
        let local = Local::start_with(faults);
        let there = local.get("/bucket").header("date").unwrap().to_owned();
        let now = http_seconds(&there);
        let here = super::super::ids::now_ms() / 1000;
        assert!(now.abs_diff(here).abs_diff(3600) < 60, "{ahead}: {there}");

        let at = |seconds: u64| [("x-amz-date", amz_date(seconds))];
        let put = |date: &[(&str, String); 1]| {
            let headers = date.each_ref().map(|(name, value)| (*name, &**value));
            local.put("/bucket/k", &headers, b"x")
        };
        let refused = put(&at(here));
        assert_eq!(refused.error(), (403, "RequestTimeTooSkewed"));
        assert!(http_seconds(refused.header("date").unwrap()).abs_diff(now) < 60);
        assert_eq!(put(&at(now)).status, 200);
        assert_eq!(put(&at(now + 14 * 60)).status, 200);
        let date = amz_date(here);
        let (status, output) = codedeploy(&local, "GetApplication", &[("x-amz-date", &date)]);
        assert_eq!(
            (status, &output["__type"]),
            (400, &json!("InvalidSignatureException"))
        );
    }
}

/// Seconds since 1970 as `x-amz-date` has them.
fn amz_date(seconds: u64) -> String {
    let mut text = Vec::new();
    s3s::dto::Timestamp::from(super::super::ids::time(seconds * 1000))
        .format(s3s::dto::TimestampFormat::DateTime, &mut text)
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    let digits: String = text[..19].replace(['-', ':'], "");
    format!("{digits}Z")
}

fn http_seconds(date: &str) -> u64 {
    let time = s3s::dto::Timestamp::parse(s3s::dto::TimestampFormat::HttpDate, date).unwrap();
    let mut text = Vec::new();
    time.format(s3s::dto::TimestampFormat::EpochSeconds, &mut text)
        .unwrap();
    String::from_utf8(text)
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn only_what_is_allowed_can_be_done() {
    let faults = Faults::new();
    faults.allow([Action::PutObject, Action::RegisterApplicationRevision]);
    let local = Local::start_with(faults.clone());

    // Enough for a push.
    assert_eq!(local.put("/bucket/k", &[], b"x").status, 200);
    let begun = local.send("POST", "/bucket/m?uploads", &[], b"");
    let id = begun.xml("UploadId").to_owned();
    let of_upload = format!("/bucket/m?uploadId={id}");
    let part = local.put(&format!("{of_upload}&partNumber=1"), &[], b"one");
    assert_eq!(part.status, 200);
    assert_eq!(
        codedeploy(&local, "RegisterApplicationRevision", &[]).0,
        200
    );

    // And not for anything else.
    let answers = [
        ("s3:GetObject", local.get("/bucket/k")),
        ("s3:GetObjectVersion", local.get("/bucket/k?versionId=1")),
        ("s3:ListMultipartUploadParts", local.get(&of_upload)),
        (
            "s3:ListBucketMultipartUploads",
            local.get("/bucket?uploads"),
        ),
        ("s3:ListBucket", local.get("/bucket?list-type=2")),
        (
            "s3:AbortMultipartUpload",
            local.send("DELETE", &of_upload, &[], b""),
        ),
        (
            "s3:DeleteObject",
            local.send("DELETE", "/bucket/k", &[], b""),
        ),
        (
            "s3:PutObjectTagging",
            local.put("/bucket/k", &[("x-amz-tagging", "a=b")], b"x"),
        ),
        ("s3:CreateBucket", local.put("/other", &[], b"")),
    ];
    for (action, answer) in answers {
        assert_eq!(answer.error(), (403, "AccessDenied"), "{action}");
        let message = answer.xml("Message");
        assert!(
            message.contains(&format!("perform: {action} on resource")),
            "{message}"
        );
    }
    assert_eq!(local.get("/bucket?acl").error(), (403, "AccessDenied"));
    let head = local.send("HEAD", "/bucket/k", &[], b"");
    assert_eq!((head.status, head.body.len()), (403, 0));
    // The region is named all the same.
    let bucket = local.send("HEAD", "/bucket", &[], b"");
    assert_eq!(
        (bucket.status, bucket.header("x-amz-bucket-region")),
        (403, Some("us-east-1"))
    );
    let (status, denied) = codedeploy(&local, "GetApplication", &[]);
    assert_eq!(status, 400);
    assert_eq!(denied["__type"], "AccessDeniedException");
    assert_eq!(
        denied["message"],
        "User: arn:aws:iam::000000000000:user/test is not authorized to perform: \
         codedeploy:GetApplication on resource: \
         arn:aws:codedeploy:us-east-1:000000000000:application:app because no identity-based \
         policy allows the codedeploy:GetApplication action"
    );
    assert_eq!(local.endpoint.as_ref().unwrap().open_uploads(), [id]);

    // What is not there is a secret without s3:ListBucket.
    faults.allow([Action::GetObject]);
    assert_eq!(local.get("/bucket/k").text(), "x");
    assert_eq!(local.get("/bucket/none").error(), (403, "AccessDenied"));
    assert_eq!(local.send("HEAD", "/bucket/none", &[], b"").status, 403);
    assert_eq!(local.get("/nonesuch/k").error(), (404, "NoSuchBucket"));
    faults.allow([Action::GetObject, Action::ListBucket]);
    assert_eq!(local.get("/bucket/none").error(), (404, "NoSuchKey"));
    assert_eq!(local.send("HEAD", "/bucket/none", &[], b"").status, 404);

    faults.heal();
    assert_eq!(local.send("DELETE", &of_upload, &[], b"").status, 204);
}

/// The name of an operation in the list is that of what the endpoint did.
#[test]
fn every_operation_is_known_by_its_name() {
    let faults = Faults::new();
    let local = Local::start_with(faults.clone());
    local.put("/made", &[], b"");
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    local.put("/made?versioning", &[], on.as_bytes());
    local.put("/bucket/k", &[], b"x");
    let copy = [("x-amz-copy-source", "/bucket/k")];
    local.put("/bucket/copy", &copy, b"");
    let begun = local.send("POST", "/bucket/m?uploads", &[], b"");
    let path = format!("/bucket/m?uploadId={}", begun.xml("UploadId"));
    local.put(&format!("{path}&partNumber=1"), &[], b"one");
    local.put(&format!("{path}&partNumber=2"), &copy, b"");
    local.send("POST", &path, &[], b"");
    local.send("DELETE", &path, &[], b"");
    for path in [
        "/",
        "/bucket",
        "/bucket?list-type=2",
        "/bucket?versions",
        "/bucket?uploads",
        "/bucket?location",
        "/bucket?versioning",
        "/bucket/k",
        &path,
    ] {
        local.get(path);
    }
    for path in ["/bucket", "/bucket/k"] {
        local.send("HEAD", path, &[], b"");
    }
    local.send("POST", "/bucket?delete", &[], b"<Delete/>");
    local.send("DELETE", "/bucket/k", &[], b"");
    local.send("DELETE", "/made", &[], b"");
    let of_codedeploy: Vec<&Operation> = Operation::ALL
        .iter()
        .filter(|operation| operation.name().contains("Application"))
        .collect();
    for operation in of_codedeploy {
        codedeploy(&local, operation.name(), &[]);
    }
    let seen: BTreeSet<_> = faults
        .requests()
        .iter()
        .map(|seen| seen.operation)
        .collect();
    assert_eq!(seen, Operation::ALL.iter().copied().collect());
    // None of them is one that the endpoint does not know.
    let status = |seen: &super::super::faults::Request| seen.status.unwrap();
    assert!(faults.requests().iter().all(|seen| status(seen) != 501));
}

#[test]
fn the_same_seed_is_the_same_trouble() {
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
