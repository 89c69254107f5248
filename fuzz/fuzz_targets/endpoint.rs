//! The embedded endpoint on the bytes of a connection: requests made of names that S3 and CodeDeploy
//! know, and arbitrary bytes. The endpoint never panics, never makes or changes a file outside of its
//! directory, and answers the next request as before.
//!
//! Its directory lies four levels below one that is checked after each run, so that a key that climbs
//! out is noticed.

#![no_main]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use hoist::endpoint::Unconnected;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// A longer pause means that no more of the answer comes.
const QUIET: Duration = Duration::from_millis(2);

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Request(Request<'a>),
    Bytes(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    method: Method,
    bucket: Bucket<'a>,
    key: Vec<Segment<'a>>,
    query: Vec<(Parameter, Value<'a>)>,
    headers: Vec<(Header, Value<'a>)>,
    body: Body<'a>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Options,
}

#[derive(Arbitrary, Debug)]
enum Bucket<'a> {
    Known,
    None,
    Up,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Segment<'a> {
    Name,
    Dots,
    EscapedDots,
    EscapedSlash,
    Nul,
    Absolute,
    Long,
    Text(&'a str),
}

macro_rules! names {
    ($name:ident: $($variant:ident = $text:expr),+ $(,)?) => {
        #[derive(Arbitrary, Debug, Clone, Copy)]
        enum $name { $($variant),+ }
        impl $name {
            fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

names!(Parameter:
    Uploads = "uploads", UploadId = "uploadId", PartNumber = "partNumber", VersionId = "versionId",
    Versions = "versions", Versioning = "versioning", Delete = "delete", ListType = "list-type",
    Prefix = "prefix", Delimiter = "delimiter", Marker = "key-marker", Encoding = "encoding-type",
    Max = "max-keys", Attributes = "attributes", Location = "location", Tagging = "tagging",
    Acl = "acl", Meta = "x-amz-meta-a", Signature = "X-Amz-Signature", Token = "continuation-token",
);

names!(Header:
    Range = "range", IfMatch = "if-match", IfNoneMatch = "if-none-match", Md5 = "content-md5",
    Encoding = "content-encoding", Decoded = "x-amz-decoded-content-length",
    Sha256 = "x-amz-content-sha256", Crc64 = "x-amz-checksum-crc64nvme",
    Crc32 = "x-amz-checksum-crc32", Algorithm = "x-amz-checksum-algorithm",
    Type = "x-amz-checksum-type", Size = "x-amz-mp-object-size", Source = "x-amz-copy-source",
    SourceRange = "x-amz-copy-source-range", Owner = "x-amz-expected-bucket-owner",
    Target = "x-amz-target", Authorization = "authorization", Trailer = "x-amz-trailer",
    Transfer = "transfer-encoding", Length = "content-length", Host = "host", Expect = "expect",
    Meta = "x-amz-meta-a", Attributes = "x-amz-object-attributes",
);

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Number(u32),
    Chunked,
    Streaming,
    Operation(u8),
    Scope(&'a str),
    CopyUp,
    Zero,
    Text(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    Chunks(Vec<(u8, &'a [u8])>),
    Complete(Vec<(u16, &'a str)>),
    Delete(Vec<&'a str>),
    Application(&'a str),
    Revision(&'a str, &'a str, &'a str),
}

/// The text without control characters, which would end the line.
fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn escaped(text: &str) -> String {
    let bytes = text.bytes().take(1200);
    bytes
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

impl Value<'_> {
    fn text(&self) -> String {
        const OPERATIONS: [&str; 6] = [
            "CreateApplication",
            "GetApplication",
            "RegisterApplicationRevision",
            "GetApplicationRevision",
            "ListApplicationRevisions",
            "CreateDeployment",
        ];
        match self {
            Self::Number(number) => number.to_string(),
            Self::Chunked => "aws-chunked".into(),
            Self::Streaming => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into(),
            Self::Operation(n) => format!("CodeDeploy_20141006.{}", OPERATIONS[usize::from(n % 6)]),
            Self::Scope(region) => format!(
                "AWS4-HMAC-SHA256 Credential=K/20260101/{}/s3/aws4_request, Signature=0",
                line(region)
            ),
            Self::CopyUp => "/bucket/..%2f..%2f..%2f..%2fout".into(),
            Self::Zero => "AAAAAAAAAAA=".into(),
            Self::Text(text) => line(text),
        }
    }
}

impl Body<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Chunks(chunks) => {
                let mut out = Vec::new();
                for (off, bytes) in chunks {
                    // Some sizes are wrong by one.
                    let len = bytes.len() + usize::from(*off == 7);
                    out.extend(format!("{len:x}\r\n").bytes().chain(bytes.iter().copied()));
                    out.extend(b"\r\n");
                }
                out.extend(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
                out
            }
            Self::Complete(parts) => {
                let parts = parts.iter().map(|(number, etag)| {
                    format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", line(etag))
                });
                let parts: String = parts.collect();
                format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").into()
            }
            Self::Delete(keys) => {
                let keys = keys.iter().map(|key| format!("<Object><Key>{}</Key></Object>", line(key)));
                let keys: String = keys.collect();
                format!("<Delete>{keys}</Delete>").into()
            }
            Self::Application(name) => format!("{{\"applicationName\":{name:?}}}").into(),
            Self::Revision(name, bucket, key) => format!(
                "{{\"applicationName\":{name:?},\"revision\":{{\"revisionType\":\"S3\",\"s3Location\":{{\"bucket\":{bucket:?},\"key\":{key:?},\"bundleType\":\"zip\"}}}}}}"
            )
            .into(),
        }
    }
}

impl Request<'_> {
    fn bytes(&self) -> Vec<u8> {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        };
        let bucket = match self.bucket {
            Bucket::Known => "bucket".to_owned(),
            Bucket::None => String::new(),
            Bucket::Up => "..".to_owned(),
            Bucket::Other(text) => escaped(text),
        };
        let mut target = format!("/{bucket}");
        for segment in &self.key {
            target.push('/');
            target.push_str(&match segment {
                Segment::Name => "name.zip".to_owned(),
                Segment::Dots => "..".to_owned(),
                Segment::EscapedDots => "%2e%2e".to_owned(),
                Segment::EscapedSlash => "..%2f..%2f..%2f..%2fout".to_owned(),
                Segment::Nul => "a%00b".to_owned(),
                Segment::Absolute => format!("{}", place().outside.display()),
                Segment::Long => "l".repeat(300),
                Segment::Text(text) => escaped(text),
            });
        }
        for (n, (name, value)) in self.query.iter().enumerate() {
            target.push(if n == 0 { '?' } else { '&' });
            target.push_str(&format!("{}={}", name.text(), escaped(&value.text())));
        }
        let body = self.body.bytes();
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        let has = |wanted: &str| self.headers.iter().any(|(name, _)| name.text() == wanted);
        if !has("host") {
            head.push_str("host: localhost\r\n");
        }
        if !has("content-length") && !has("transfer-encoding") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{}: {}\r\n", name.text(), value.text()));
        }
        [head.as_bytes(), b"\r\n", &body].concat()
    }
}

struct Place {
    outside: PathBuf,
    dir: PathBuf,
    state: Mutex<(usize, Option<Unconnected>)>,
    runtime: tokio::runtime::Runtime,
}

fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        // In memory where possible: a disk would take most of the time.
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let outside = above.join(format!("hoist-fuzz-{}", std::process::id()));
        let dir = outside.join("a/b/c/dir");
        Place {
            outside,
            dir,
            state: Mutex::new((0, None)),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    })
}

/// All files and directories outside of the endpoint's directory.
fn outside(place: &Place) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![place.outside.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path != place.dir && path.is_dir() {
                open.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// Sends a request and returns the answer. The client hangs up only when no byte has come for
/// [`QUIET`]: hyper drops requests whose client has gone, and then little of the endpoint would run.
async fn answer(endpoint: &Unconnected, request: &[u8]) -> Vec<u8> {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (mut from, mut to) = tokio::io::split(client);
    let mut answer = Vec::new();
    let talk = async {
        // The endpoint may hang up before it has read all of it.
        let _ = to.write_all(request).await;
        loop {
            match timeout(QUIET, from.read_buf(&mut answer)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => break,
                Err(_) => {
                    let _ = to.shutdown().await;
                    let _ = from.read_to_end(&mut answer).await;
                    break;
                }
            }
        }
    };
    let _ = tokio::join!(endpoint.serve(server), talk);
    answer
}

/// Returns the answer to a request after which the endpoint hangs up.
async fn asked(endpoint: &Unconnected, request: &[u8]) -> Vec<u8> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let mut answer = Vec::new();
    let talk = async {
        client.write_all(request).await.unwrap();
        client.read_to_end(&mut answer).await.unwrap();
    };
    tokio::join!(endpoint.serve(server), talk);
    answer
}

fuzz_target!(|pieces: Vec<Piece<'_>>| {
    let place = place();
    let mut state = place.state.lock().unwrap();
    let (runs, endpoint) = &mut *state;
    *runs += 1;
    // A new directory now and then: the state grows.
    if endpoint.is_none() || *runs % 2000 == 0 {
        *endpoint = None;
        let _ = fs::remove_dir_all(&place.outside);
        fs::create_dir_all(&place.dir).unwrap();
        fs::write(place.outside.join("a/b/c/out"), "untouched").unwrap();
        *endpoint = Some(Unconnected::open(&place.dir).unwrap());
    }
    let endpoint = endpoint.as_ref().unwrap();
    let before = outside(place);
    let requests: Vec<u8> = pieces
        .iter()
        .take(8)
        .flat_map(|piece| match piece {
            Piece::Request(request) => request.bytes(),
            Piece::Bytes(bytes) => bytes.to_vec(),
        })
        .collect();
    place.runtime.block_on(async {
        let make = b"PUT /bucket HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        asked(endpoint, make).await;
        answer(endpoint, &requests).await;
        let made = asked(endpoint, make).await;
        // The requests may have deleted the bucket and made it again in another region; there, S3 says that it is
        // owned already.
        assert!(
            made.starts_with(b"HTTP/1.1 200") || made.starts_with(b"HTTP/1.1 409"),
            "{}",
            String::from_utf8_lossy(&made)
        );
    });
    assert_eq!(outside(place), before, "outside of the directory");
    let untouched = fs::read_to_string(place.outside.join("a/b/c/out")).unwrap();
    assert_eq!(untouched, "untouched");
});
