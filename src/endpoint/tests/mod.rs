//! The endpoint over real sockets, with a client small enough to send what no SDK would.

mod access;
mod buckets;
mod checksums;
mod codedeploy;
mod copies;
mod deployments;
mod discard;
mod faults;
mod multipart;
mod objects;
mod parts;
mod regions;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use tokio::runtime::Runtime;

use super::checksum::{Algorithm, Hasher, Sums};
use super::faults::Faults;
use super::store::MIN_PART;
use super::{Endpoint, Error, Link, Settings, Storage};

/// A running endpoint with the bucket `bucket` and the application `app` in us-east-1.
struct Local {
    runtime: Runtime,
    endpoint: Option<Endpoint>,
    dir: tempfile::TempDir,
}

/// A response; names of headers are in lower case.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Local {
    fn start() -> Self {
        Self::start_as(|settings| settings)
    }

    fn start_with(faults: Faults) -> Self {
        Self::start_as(|settings| Settings {
            faults: Some(faults),
            ..settings
        })
    }

    fn start_as(change: impl FnOnce(Settings) -> Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let settings = change(Settings::new(Storage::Keep(dir.path().to_owned())));
        let endpoint = runtime.block_on(Endpoint::open(settings)).unwrap();
        endpoint.prepare("bucket", "us-east-1", "app").unwrap();
        Self {
            runtime,
            endpoint: Some(endpoint),
            dir,
        }
    }

    fn restart(&mut self) {
        self.runtime
            .block_on(self.endpoint.take().unwrap().shutdown());
        let endpoint = self
            .runtime
            .block_on(Endpoint::start(self.dir.path(), 0))
            .unwrap();
        self.endpoint = Some(endpoint);
    }

    fn address(&self) -> &str {
        self.endpoint
            .as_ref()
            .unwrap()
            .url()
            .strip_prefix("http://")
            .unwrap()
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join("buckets").join(path)
    }

    /// Sends a request; its `Host` and `Content-Length` are added unless they are given.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.open(method, path, headers, body.len());
        stream.write_all(body).unwrap();
        Answer::read(stream)
    }

    /// Sends the head of a request.
    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let has = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        if !has("host") {
            head.push_str(&format!("Host: {}\r\n", self.address()));
        }
        if !has("content-length") && !has("transfer-encoding") {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    fn put(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send("PUT", path, headers, body)
    }
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let end = all
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .expect("a whole head");
        let head = std::str::from_utf8(&all[..end]).unwrap().to_owned();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let answer = Self {
            status,
            headers,
            body: all.split_off(end + 4),
        };
        assert_eq!(
            answer.header("transfer-encoding"),
            None,
            "this client reads plain bodies only"
        );
        answer
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| &**value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The text of the first XML element `name`, or an empty text.
    fn xml(&self, name: &str) -> &str {
        self.all_xml(name).first().copied().unwrap_or_default()
    }

    fn all_xml(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let elements = self.text().split(&*open).skip(1);
        elements
            .map(|rest| rest.split(&*close).next().unwrap())
            .collect()
    }

    fn xml_etag(&self) -> String {
        self.xml("ETag").replace("&quot;", "").replace('"', "")
    }

    /// Status and S3 error code, to be compared at once.
    fn error(&self) -> (u16, &str) {
        (self.status, self.xml("Code"))
    }

    fn etag(&self) -> String {
        self.header("etag")
            .expect("an ETag")
            .trim_matches('"')
            .to_owned()
    }
}

fn sums(bytes: &[u8]) -> Sums {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// The checksum of `bytes` as clients send it.
fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
    sums(bytes).checksum(algorithm).value
}

fn crc64(bytes: &[u8]) -> String {
    sum(Algorithm::Crc64Nvme, bytes)
}

fn md5(bytes: &[u8]) -> String {
    sums(bytes).etag()
}

/// Bytes that differ from place to place, so that a part in the wrong place shows.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 4096);
    for block in 0u64.. {
        if bytes.len() >= length {
            break;
        }
        let mark = (block << 8 | seed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes();
        bytes.extend_from_slice(&mark.repeat(512));
    }
    bytes.truncate(length);
    bytes
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const PART: usize = MIN_PART as usize;

const DECLARED: [(&str, &str); 2] = [
    ("x-amz-checksum-algorithm", "CRC64NVME"),
    ("x-amz-checksum-type", "FULL_OBJECT"),
];

/// A multipart upload of the object `k`.
struct Upload<'a> {
    local: &'a Local,
    id: String,
}

impl<'a> Upload<'a> {
    fn begin(local: &'a Local, headers: &[(&str, &str)]) -> Self {
        let begun = local.send("POST", "/bucket/k?uploads", headers, b"");
        assert_eq!(begun.status, 200, "{}", begun.text());
        Self {
            local,
            id: begun.xml("UploadId").to_owned(),
        }
    }

    fn part(&self, number: u32, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let path = format!("/bucket/k?partNumber={number}&uploadId={}", self.id);
        self.local.put(&path, headers, body)
    }

    /// Uploads a part and returns its ETag.
    fn good(&self, number: u32, body: &[u8]) -> (u32, String) {
        let sums = sums(body);
        let crc = sums.checksum(Algorithm::Crc64Nvme).value;
        let answer = self.part(number, &[("x-amz-checksum-crc64nvme", &crc)], body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.etag(), sums.etag());
        (number, answer.etag())
    }

    fn complete(&self, parts: &[(u32, String)], headers: &[(&str, &str)]) -> Answer {
        let parts: String = parts
            .iter()
            .map(|(number, etag)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>")
            })
            .collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let path = format!("/bucket/k?uploadId={}", self.id);
        self.local.send("POST", &path, headers, body.as_bytes())
    }

    fn list(&self, query: &str) -> Answer {
        self.local
            .get(&format!("/bucket/k?uploadId={}{query}", self.id))
    }
}

#[test]
fn the_error_names_what_keeps_the_endpoint_from_starting() {
    let local = Local::start();
    let start = |dir: &Path, port| local.runtime.block_on(Endpoint::start(dir, port));

    assert!(
        matches!(start(local.dir.path(), 0), Err(Error::InUse { dir }) if dir == local.dir.path())
    );

    let free = tempfile::tempdir().unwrap();
    let port = local.address().rsplit_once(':').unwrap().1.parse().unwrap();
    let taken = start(free.path(), port).unwrap_err();
    assert!(
        taken.to_string().contains(&format!("127.0.0.1:{port}")),
        "{taken}"
    );

    let file = free.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(start(&file, 0), Err(Error::Directory { dir, .. }) if dir == file));

    let endpoint = local.endpoint.as_ref().unwrap();
    let bucket = endpoint
        .prepare("No_Bucket", "us-east-1", "app")
        .unwrap_err();
    assert!(
        matches!(&bucket, Error::Bucket { bucket, .. } if bucket == "No_Bucket"),
        "{bucket}"
    );
    let application = endpoint
        .prepare("bucket", "us-east-1", "no app")
        .unwrap_err();
    assert!(application.to_string().contains("no app"), "{application}");
    let region = endpoint.prepare("bucket", "../up", "app").unwrap_err();
    assert!(matches!(region, Error::Application { .. }), "{region}");
    // What exists already stays as it is.
    endpoint.prepare("bucket", "eu-west-1", "app").unwrap();
    assert_eq!(
        local
            .send("HEAD", "/bucket", &[], b"")
            .header("x-amz-bucket-region"),
        Some("us-east-1")
    );
}

#[test]
fn a_shut_down_endpoint_is_gone_and_its_state_stays() {
    let mut local = Local::start();
    assert_eq!(
        local
            .put("/bucket/a.txt", &[("x-amz-meta-note", "kept")], b"one")
            .status,
        200
    );
    let before = local.address().to_owned();
    // A connection that sends nothing must not hold the endpoint up.
    let idle = TcpStream::connect(&before).unwrap();
    local.restart();
    if local.address() != before {
        assert!(TcpStream::connect(&before).is_err());
    }
    drop(idle);
    let found = local.get("/bucket/a.txt");
    assert_eq!((found.status, found.text()), (200, "one"));
    assert_eq!(found.header("x-amz-meta-note"), Some("kept"));
    assert_eq!(
        std::fs::read(local.file("bucket/objects/a.txt")).unwrap(),
        b"one"
    );
}
