//! Buckets and their listings, and which requests are taken at all.

use super::*;

#[test]
fn a_bucket_has_a_region_and_is_removed_only_when_empty() {
    let local = Local::start();
    let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                 </CreateBucketConfiguration>";
    assert_eq!(local.put("/other", &[], place.as_bytes()).status, 200);
    assert_eq!(
        local.put("/other", &[], place.as_bytes()).error(),
        (409, "BucketAlreadyOwnedByYou")
    );
    assert_eq!(local.put("/bucket", &[], b"").status, 200);
    let region = |path: &str| {
        let head = local.send("HEAD", path, &[], b"");
        head.header("x-amz-bucket-region").unwrap().to_owned()
    };
    assert_eq!(region("/other"), "eu-west-1");
    assert_eq!(region("/bucket"), "us-east-1");
    assert_eq!(local.get("/").all_xml("Name"), ["bucket", "other"]);
    let first = local.get("/?max-buckets=1");
    assert_eq!(first.all_xml("Name"), ["bucket"]);
    let rest = local.get(&format!(
        "/?continuation-token={}",
        first.xml("ContinuationToken")
    ));
    assert_eq!(rest.all_xml("Name"), ["other"]);
    local.put("/other/k", &[], b"x");
    assert_eq!(
        local.send("DELETE", "/other", &[], b"").error(),
        (409, "BucketNotEmpty")
    );
    local.send("DELETE", "/other/k", &[], b"");
    assert_eq!(local.send("DELETE", "/other", &[], b"").status, 204);
    assert_eq!(local.get("/other/k").error(), (404, "NoSuchBucket"));
}

#[test]
fn listings_come_in_pages_and_roll_prefixes_up() {
    let local = Local::start();
    for key in ["a", "d/1", "d/2", "e%20f", "z"] {
        local.put(&format!("/bucket/{key}"), &[], key.as_bytes());
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    for page in 0.. {
        assert!(page < 4, "pages do not end");
        let page = local.get(&format!(
            "/bucket?list-type=2&delimiter=/&encoding-type=url&max-keys=2{next}"
        ));
        assert_eq!(page.status, 200, "{}", page.text());
        seen.extend(page.all_xml("Key").into_iter().map(str::to_owned));
        let prefixes = page.all_xml("CommonPrefixes");
        seen.extend(prefixes.into_iter().map(str::to_owned));
        if page.xml("IsTruncated") == "false" {
            break;
        }
        next = format!("&continuation-token={}", page.xml("NextContinuationToken"));
    }
    seen.sort();
    assert_eq!(seen, ["<Prefix>d/</Prefix>", "a", "e%20f", "z"]);
    let some = local.get("/bucket?list-type=2&prefix=d/&start-after=d/1");
    assert_eq!((some.xml("Key"), some.xml("Size")), ("d/2", "3"));
    assert_eq!(
        local
            .get("/bucket?list-type=2&continuation-token=%21")
            .error(),
        (400, "InvalidArgument")
    );

    let request = "<Delete><Object><Key>a</Key></Object><Object><Key>d/1</Key></Object></Delete>";
    let deleted = local.send("POST", "/bucket?delete", &[], request.as_bytes());
    assert_eq!(deleted.all_xml("Key"), ["a", "d/1"]);
    assert_eq!(local.get("/bucket?list-type=2").xml("KeyCount"), "3");
}

#[test]
fn the_host_may_name_the_bucket() {
    let local = Local::start();
    let named = [("Host", "bucket.localhost:1")];
    assert_eq!(local.put("/by-host", &named, b"x").status, 200);
    assert_eq!(local.get("/bucket/by-host").text(), "x");
}

#[test]
fn what_is_not_offered_is_refused() {
    let local = Local::start();
    local.put("/bucket/k", &[], b"x");
    let date = "Thu, 01 Dec 2039 16:00:00 GMT";
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let copy = ("x-amz-copy-source", "/bucket/k");
    for (method, path, headers, body) in [
        ("GET", "/bucket", &[][..], ""),
        ("GET", "/bucket?acl", &[], ""),
        ("GET", "/bucket?location", &[], ""),
        ("GET", "/bucket?versioning", &[], ""),
        ("GET", "/bucket?versions", &[], ""),
        ("GET", "/bucket?uploads&delimiter=/", &[], ""),
        ("GET", "/bucket/k?partNumber=1", &[], ""),
        ("GET", "/bucket/k", &[("If-Modified-Since", date)], ""),
        ("DELETE", "/bucket/k?versionId=null", &[], ""),
        ("DELETE", "/bucket/k", &[("If-Match", "*")], ""),
        ("PUT", "/bucket?versioning", &[], suspended),
        (
            "PUT",
            "/bucket/copy",
            &[
                copy,
                (
                    "x-amz-copy-source-server-side-encryption-customer-algorithm",
                    "AES256",
                ),
            ],
            "",
        ),
    ] {
        let answer = local.send(method, path, headers, body.as_bytes());
        assert_eq!(answer.error(), (501, "NotImplemented"), "{method} {path}");
    }
    assert_eq!(local.get("/bucket/k").text(), "x");
}

/// Pages in a browser whose name was pointed to 127.0.0.1, or that send requests here.
#[test]
fn a_request_of_another_machines_page_is_refused() {
    let local = Local::start();
    for (header, value) in [
        ("Host", "evil.example"),
        ("Host", "evil.example:80"),
        ("Host", "127.0.0.1.evil.example"),
        ("Host", "localhost.evil.example"),
        ("Host", "10.0.0.1"),
        ("Host", "0.0.0.0"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ] {
        let answer = local.put("/bucket/k", &[(header, value)], b"x");
        assert_eq!(answer.status, 403, "{header}: {value}");
        assert!(answer.text().contains("AccessDenied"));
    }
    assert_eq!(local.get("/bucket/k").status, 404);
    for (header, value) in [
        ("Host", "localhost"),
        ("Host", "LOCALHOST:8080"),
        ("Host", "bucket.localhost:1"),
        ("Host", "127.0.0.1"),
        ("Host", "127.5.5.5:9"),
        ("Host", "[::1]:9"),
        ("Origin", "http://localhost:3000"),
    ] {
        let path = if value.starts_with("bucket") {
            "/k"
        } else {
            "/bucket/k"
        };
        let answer = local.put(path, &[(header, value)], b"x");
        assert_eq!(answer.status, 200, "{header}: {value}");
    }
}
