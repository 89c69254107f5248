//! Requests across regions, and where buckets are made.

use super::super::faults::{Action, Operation};
use super::*;

/// The header of a request that is signed for `region`.
fn signed(region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=key/20260101/{region}/s3/aws4_request, SignedHeaders=host, \
         Signature=0"
    )
}

/// With the bucket `west` in us-west-2, beside `bucket` in us-east-1.
fn two_regions(faults: Faults) -> Local {
    let local = Local::start_with(faults);
    let endpoint = local.endpoint.as_ref().unwrap();
    endpoint.prepare("west", "us-west-2", "app").unwrap();
    local
}

#[test]
fn a_request_that_is_signed_for_another_region_is_redirected() {
    let local = two_regions(Faults::new());
    let (east, west) = (signed("us-east-1"), signed("us-west-2"));
    let body = noise(1 << 20, 1);
    let put = local.put("/west/k", &[("Authorization", &west)], &body);
    assert_eq!(put.status, 200, "{}", put.text());

    let complete = "<CompleteMultipartUpload/>";
    for (method, path, body) in [
        ("GET", "/west?list-type=2", ""),
        ("GET", "/west/k", ""),
        ("GET", "/west?uploads", ""),
        ("PUT", "/west/k", "other"),
        ("POST", "/west/k?uploads", ""),
        ("PUT", "/west/k?partNumber=1&uploadId=u", "x"),
        ("POST", "/west/k?uploadId=u", complete),
        ("DELETE", "/west/k?uploadId=u", ""),
        ("DELETE", "/west/k", ""),
        ("DELETE", "/west", ""),
    ] {
        let answer = local.send(method, path, &[("Authorization", &east)], body.as_bytes());
        let what = format!("{method} {path}");
        assert_eq!(answer.error(), (301, "PermanentRedirect"), "{what}");
        assert_eq!(answer.xml("Bucket"), "west", "{what}");
        assert_eq!(answer.xml("Endpoint"), local.address(), "{what}");
        assert_eq!(answer.header("x-amz-bucket-region"), Some("us-west-2"));
        assert!(answer.header("x-amz-request-id").is_some());
    }
    for path in ["/west", "/west/k", "/west/none"] {
        let head = local.send("HEAD", path, &[("Authorization", &east)], b"");
        assert_eq!((head.status, head.body.len()), (301, 0), "{path}");
        assert_eq!(head.header("x-amz-bucket-region"), Some("us-west-2"));
    }
    // A client that writes a large body before it reads gets the answer, too.
    let large = vec![0; 20 << 20];
    let answer = local.put("/west/k", &[("Authorization", &east)], &large);
    assert_eq!(answer.status, 301);

    assert!(local.get("/west/k").body == body, "it is written to");
    let there = local.send("HEAD", "/west", &[("Authorization", &west)], b"");
    assert_eq!(there.status, 200);
    assert_eq!(there.header("x-amz-bucket-region"), Some("us-west-2"));
    let missing = local.send("GET", "/none/k", &[("Authorization", &west)], b"");
    assert_eq!(missing.error(), (404, "NoSuchBucket"));
    // All regions have one list of buckets.
    let all = local.send("GET", "/", &[("Authorization", &west)], b"");
    assert_eq!(all.all_xml("Name"), ["bucket", "west"]);
    assert_eq!(all.all_xml("BucketRegion"), ["us-east-1", "us-west-2"]);
}

#[test]
fn the_global_name_of_a_bucket_refuses_a_signature_for_us_east_1() {
    let local = two_regions(Faults::new());
    let host = ("Host", "west.localhost");
    let east = signed("us-east-1");
    let answer = local.send("GET", "/k", &[host, ("Authorization", &east)], b"");
    assert_eq!(answer.error(), (400, "AuthorizationHeaderMalformed"));
    assert_eq!(answer.xml("Region"), "us-west-2");
    let expected = "The authorization header is malformed; the region 'us-east-1' is wrong; \
                    expecting 'us-west-2'";
    assert_eq!(answer.xml("Message"), expected);
    for path in ["/", "/k"] {
        let head = local.send("HEAD", path, &[host, ("Authorization", &east)], b"");
        assert_eq!((head.status, head.body.len()), (400, 0));
        assert_eq!(head.header("x-amz-bucket-region"), Some("us-west-2"));
    }
    // The name with a region in it is that region's endpoint, which redirects.
    let europe = signed("eu-west-1");
    let answer = local.send("GET", "/k", &[host, ("Authorization", &europe)], b"");
    assert_eq!(answer.error(), (301, "PermanentRedirect"));
    for nowhere in ["auto", "us-east", "<b>"] {
        let scope = signed(nowhere);
        let answer = local.send("GET", "/west/k", &[("Authorization", &scope)], b"");
        assert_eq!(answer.error(), (400, "AuthorizationHeaderMalformed"));
        assert!(!answer.text().contains("<b>"), "{}", answer.text());
    }
}

#[test]
fn a_redirect_comes_before_the_callers_permissions() {
    let faults = Faults::new();
    let local = two_regions(faults.clone());
    faults.allow([Action::PutObject]);
    let east = signed("us-east-1");
    let head = local.send("HEAD", "/west", &[("Authorization", &east)], b"");
    assert_eq!(head.status, 301);
    let west = signed("us-west-2");
    let head = local.send("HEAD", "/west", &[("Authorization", &west)], b"");
    assert_eq!(head.status, 403);
    assert_eq!(head.header("x-amz-bucket-region"), Some("us-west-2"));
    assert_eq!(faults.count(Operation::HeadBucket), 2);
}

#[test]
fn permissions_may_differ_by_bucket_and_by_region_of_codedeploy() {
    let faults = Faults::new();
    let local = two_regions(faults.clone());
    faults.allow_at("west", [Action::PutObject]);
    faults.allow_at("us-west-2", [Action::GetApplication]);
    assert_eq!(local.put("/west/k", &[], b"x").status, 200);
    assert_eq!(local.get("/west/k").error(), (403, "AccessDenied"));
    assert_eq!(
        local.put("/bucket/k", &[], b"x").error(),
        (403, "AccessDenied")
    );
    for (region, expected) in [("us-west-2", 200), ("us-east-1", 400)] {
        let scope = signed(region).replace("/s3/", "/codedeploy/");
        let headers = [
            ("Authorization", &*scope),
            ("X-Amz-Target", "CodeDeploy_20141006.GetApplication"),
        ];
        let answer = local.send("POST", "/", &headers, br#"{"applicationName":"app"}"#);
        assert_eq!(answer.status, expected, "{region}: {}", answer.text());
    }
}

#[test]
fn a_bucket_is_made_where_endpoint_and_constraint_say() {
    let local = Local::start();
    let constrained = |region: &str| {
        format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
             </CreateBucketConfiguration>"
        )
    };
    let make = |bucket: &str, signed_for: &str, body: &str| {
        let signed = signed(signed_for);
        let headers = [("Authorization", &*signed)];
        local.put(&format!("/{bucket}"), &headers, body.as_bytes())
    };
    let region = |bucket: &str| {
        let head = local.send("HEAD", &format!("/{bucket}"), &[], b"");
        head.header("x-amz-bucket-region").map(str::to_owned)
    };
    let europe = constrained("eu-west-1");
    assert_eq!(make("first", "us-east-1", "").status, 200);
    assert_eq!(region("first").as_deref(), Some("us-east-1"));
    assert_eq!(make("second", "us-east-1", &europe).status, 200);
    assert_eq!(region("second").as_deref(), Some("eu-west-1"));
    assert_eq!(make("third", "eu-west-1", &europe).status, 200);
    assert_eq!(region("third").as_deref(), Some("eu-west-1"));

    let illegal = (400, "IllegalLocationConstraintException");
    let refused = make("fourth", "eu-west-1", "");
    assert_eq!(refused.error(), illegal);
    assert!(
        refused
            .xml("Message")
            .starts_with("The unspecified location constraint is")
    );
    let elsewhere = make("fourth", "us-west-2", &europe);
    assert_eq!(elsewhere.error(), illegal);
    assert!(
        elsewhere
            .xml("Message")
            .starts_with("The eu-west-1 location constraint is")
    );
    let named = make("fourth", "us-east-1", &constrained("us-east-1"));
    assert_eq!(named.error(), (400, "InvalidLocationConstraint"));
    let empty = make("fourth", "us-east-1", "<CreateBucketConfiguration/>");
    assert_eq!(empty.error(), (400, "MalformedXML"));
    assert_eq!(region("fourth"), None);

    let owned = (409, "BucketAlreadyOwnedByYou");
    assert_eq!(make("first", "us-east-1", "").status, 200);
    assert_eq!(make("second", "us-east-1", "").error(), owned);
    assert_eq!(make("second", "us-east-1", &europe).error(), owned);
    assert_eq!(make("third", "eu-west-1", &europe).error(), owned);
    assert_eq!(make("first", "eu-west-1", &europe).error(), owned);
}
