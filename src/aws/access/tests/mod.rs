//! How AWS is reached.

mod botocore;
mod rows;

use super::*;

#[test]
fn payloads_are_signed_only_over_plain_http_to_another_machine() {
    for url in [
        "https://s3.example.com",
        "http://127.0.0.1:9000",
        "http://127.8.8.8",
        "http://[::1]:9000/path",
        "http://localhost",
        "HTTP://LocalHost:1/x",
    ] {
        assert!(!is_plain_and_remote(url), "{url}");
    }
    for url in [
        "http://minio:9000",
        "http://10.0.0.1",
        "Http://[fe80::1]:1",
        "http://localhost.evil/",
    ] {
        assert!(is_plain_and_remote(url), "{url}");
    }
}

#[test]
fn a_timeout_of_zero_means_no_limit() {
    let of = |connect: Option<u64>, read: Option<u64>| {
        let timeouts = timeouts(&Access {
            connect_timeout: connect.map(Duration::from_secs),
            read_timeout: read.map(Duration::from_secs),
            ..Access::default()
        });
        (timeouts.connect_timeout(), timeouts.read_timeout())
    };
    assert_eq!(of(None, None), (Some(CONNECT), None));
    assert_eq!(of(Some(0), Some(0)), (None, None));
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(of(Some(60), Some(5)), (seconds(60), seconds(5)));
}

#[test]
fn an_endpoint_needs_a_scheme_and_a_host() {
    for url in [
        "http://h",
        "HTTPS://h:1/p",
        "http://[::1]:9",
        "https://127.0.0.1",
        "http://u:p@h:80/p",
    ] {
        assert!(check_endpoint(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "h",
        "h:1",
        "ftp://h",
        "http://",
        "http:///p",
        "http://:1",
        "é://",
        "http://h:99999",
        "http://h:1/p?q=1",
        "http://h/#f",
        "http://a b",
    ] {
        assert!(check_endpoint(url).is_err(), "{url}");
    }
}
