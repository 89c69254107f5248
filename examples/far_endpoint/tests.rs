use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use crate::s3::Endpoint;
use crate::unix::listen;

fn start() -> (SocketAddr, Arc<Endpoint>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = Arc::new(Endpoint::default());
    let serving = Arc::clone(&endpoint);
    std::thread::spawn(move || listen(&listener, &serving));
    (address, endpoint)
}

/// Sends requests over one connection, and returns all that is answered.
fn talk(address: SocketAddr, requests: &[(&str, &str, &[u8])]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    for (index, (start, headers, body)) in requests.iter().enumerate() {
        let close = if index + 1 == requests.len() {
            "Connection: close\r\n"
        } else {
            ""
        };
        let length = body.len();
        let head = format!("{start} HTTP/1.1\r\n{headers}{close}Content-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const PART: &str =
    "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nX-Amz-Checksum-Crc64nvme: rosUhgp5mIg=\r\n";

fn list(numbers: &[u32]) -> Vec<u8> {
    let parts = numbers.iter();
    let parts = parts.map(|n| format!("<Part><PartNumber>{n}</PartNumber></Part>"));
    parts.collect::<String>().into_bytes()
}

#[test]
fn a_push_is_answered_and_counted() {
    let (address, endpoint) = start();
    let big = vec![7; 1 << 20];
    let answer = talk(
        address,
        &[
            ("POST /b/k?uploads", "", b""),
            (
                "PUT /b/k?x-id=UploadPart&partNumber=1&uploadId=upload-1",
                PART,
                &big,
            ),
            (
                "PUT /b/k?x-id=UploadPart&partNumber=2&uploadId=upload-1",
                PART,
                b"end",
            ),
            (
                "POST /b/k?uploadId=upload-1",
                "x-amz-mp-object-size: 1048579\r\n",
                &list(&[1, 2]),
            ),
            (
                "POST /",
                "X-Amz-Target: CodeDeploy_20141006.RegisterApplicationRevision\r\n",
                b"{}",
            ),
        ],
    );
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 5, "{answer}");
    for text in [
        "<UploadId>upload-1</UploadId>",
        "etag: \"upload-1-2\"",
        "x-amz-checksum-crc64nvme: rosUhgp5mIg=",
        "&quot;upload-1-2&quot;",
    ] {
        assert!(answer.contains(text), "{text} in {answer}");
    }
    let stats = endpoint.state().stats.json();
    for field in [
        "\"bytes\":1048579,",
        "\"UploadPart\":2",
        "\"violations\":{},",
        "\"unknown\":[],",
        "\"most_parts\":1,",
    ] {
        assert!(stats.contains(field), "{field} in {stats}");
    }
}

#[test]
fn costly_headers_are_counted() {
    let (address, endpoint) = start();
    let headers = "Content-Encoding: gzip,aws-chunked\r\nX-Amz-Trailer: x-amz-checksum-crc32\r\n\
                   X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n";
    talk(address, &[("PUT /b/k", headers, b"abc")]);
    let stats = endpoint.state().stats.json();
    let violations =
        "\"violations\":{\"aws-chunked\":1,\"no-crc64nvme\":1,\"payload-hash\":1,\"trailer\":1}";
    assert!(stats.contains(violations), "{stats}");
}

#[test]
fn what_a_push_does_not_ask_for_is_refused() {
    let unknown: [(&str, &str); 6] = [
        ("GET /b/k", ""),
        ("HEAD /b/k", ""),
        ("PUT /b/k?acl", ""),
        ("PUT /b/k", "X-Amz-Copy-Source: /b/other\r\n"),
        ("PUT /b/k?partNumber=x&uploadId=u", ""),
        (
            "POST /",
            "X-Amz-Target: CodeDeploy_20141006.CreateDeployment\r\n",
        ),
    ];
    for (request, headers) in unknown {
        let (address, endpoint) = start();
        let answer = talk(address, &[(request, headers, b"")]);
        assert!(answer.starts_with("HTTP/1.1 501 "), "{request}: {answer}");
        assert!(endpoint.state().stats.json().contains("\"unknown\":1"));
    }
}

#[test]
fn the_bucket_is_where_it_is_looked_for() {
    let (address, endpoint) = start();
    let scope =
        "Authorization: AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/s3/aws4_request\r\n";
    let answer = talk(address, &[("HEAD /b/", scope, b"")]);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(
        answer.contains("x-amz-bucket-region: eu-west-1"),
        "{answer}"
    );
    let target = "X-Amz-Target: CodeDeploy_20141006.GetApplication\r\n";
    let answer = talk(address, &[("POST /", target, b"{}")]);
    assert!(answer.contains("\"Server\""), "{answer}");
    assert!(endpoint.state().stats.json().contains("\"unknown\":[]"));
}

#[test]
fn a_completion_must_name_what_came() {
    for (numbers, size) in [
        (&[1][..], "6"),
        (&[1, 2, 3], "6"),
        (&[2, 1], "6"),
        (&[1, 2], "7"),
    ] {
        let (address, _) = start();
        let answer = talk(
            address,
            &[
                ("POST /b/k?uploads", "", b""),
                ("PUT /b/k?partNumber=1&uploadId=upload-1", PART, b"abc"),
                ("PUT /b/k?partNumber=2&uploadId=upload-1", PART, b"def"),
                (
                    "POST /b/k?uploadId=upload-1",
                    &format!("x-amz-mp-object-size: {size}\r\n"),
                    &list(numbers),
                ),
                ("DELETE /b/k?uploadId=upload-1", "", b""),
                ("DELETE /b/k?uploadId=upload-1", "", b""),
            ],
        );
        for (text, count) in [
            ("InvalidPart", 1),
            ("HTTP/1.1 204 ", 1),
            ("NoSuchUpload", 1),
        ] {
            assert_eq!(answer.matches(text).count(), count, "{text} in {answer}");
        }
    }
}
