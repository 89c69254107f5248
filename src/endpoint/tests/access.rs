//! Credentials, permissions and the clock of an endpoint with faults.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::super::faults::{Action, Operation};
use super::faults::codedeploy;
use super::*;

fn signed(key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

#[test]
fn expired_credentials_are_refused() {
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
fn a_wrong_clock_refuses_requests_signed_at_the_right_time() {
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

/// Seconds since 1970 as an `x-amz-date`.
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
fn only_allowed_actions_are_done() {
    let faults = Faults::new();
    faults.allow([Action::PutObject, Action::RegisterApplicationRevision]);
    let local = Local::start_with(faults.clone());

    // These two are enough for a push.
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

    // And not for other operations.
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
    // The refusal names the region, as S3's does.
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

    // Without s3:ListBucket it stays unknown that an object is missing.
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

#[test]
fn every_operation_is_recorded_by_its_name() {
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
        "/bucket?list-type=2",
        "/bucket?uploads",
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
        .filter(|operation| {
            let has = |word| operation.name().contains(word);
            has("Application") || has("Deployment")
        })
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
    // The endpoint offers all of them.
    let status = |seen: &super::super::faults::Request| seen.status.unwrap();
    assert!(faults.requests().iter().all(|seen| status(seen) != 501));
}
