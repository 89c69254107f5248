//! The requests of a push, and their answers: where the bucket and whether the application is, four
//! of a multipart upload, PutObject, and CodeDeploy's registration. Anything else is 501.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{Answer, Connection, Head, Spent};
use crate::pace::Link;
use crate::stats::Stats;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

/// The far end of the link.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    /// MB/s of each connection.
    pub(crate) connection_rate: Option<f64>,
    /// All connections together.
    pub(crate) link: Option<Link>,
    /// How long a request takes to arrive.
    pub(crate) latency: Duration,
    pub(crate) state: Mutex<State>,
}

/// What was sent and seen so far.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) stats: Stats,
    /// Sizes of parts by number, by upload.
    uploads: HashMap<String, BTreeMap<u32, u64>>,
    named: u64,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Operation<'a> {
    Stats,
    Reset,
    Bucket,
    Application,
    Register,
    Create,
    Part { upload: &'a str, number: u32 },
    Complete { upload: &'a str },
    Abort { upload: &'a str },
    Put,
}

impl Operation<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Stats => "stats",
            Self::Reset => "reset",
            Self::Bucket => "HeadBucket",
            Self::Application => "GetApplication",
            Self::Register => "RegisterApplicationRevision",
            Self::Create => "CreateMultipartUpload",
            Self::Part { .. } => "UploadPart",
            Self::Complete { .. } => "CompleteMultipartUpload",
            Self::Abort { .. } => "AbortMultipartUpload",
            Self::Put => "PutObject",
        }
    }
}

/// Tells operations apart as S3 does; `None` for all that a push does not ask for.
fn operation(head: &Head) -> Option<Operation<'_>> {
    let method = head.method.as_str();
    if let Some(target) = head.header("x-amz-target") {
        return match (method, target.strip_prefix("CodeDeploy_20141006.")?) {
            ("POST", "GetApplication") => Some(Operation::Application),
            ("POST", "RegisterApplicationRevision") => Some(Operation::Register),
            _ => None,
        };
    }
    match (method, head.path.as_str()) {
        ("GET", "/stats") => return Some(Operation::Stats),
        ("POST", "/reset") => return Some(Operation::Reset),
        _ => {}
    }
    // Path-style: /bucket/key.
    let path = head.path.strip_prefix('/')?;
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if method == "HEAD" && !bucket.is_empty() && key.is_empty() {
        return Some(Operation::Bucket);
    }
    if bucket.is_empty() || key.is_empty() {
        return None;
    }
    // `x-id` repeats the operation's name and means nothing.
    let mut names: Vec<&str> = head.query.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| *name != "x-id");
    names.sort_unstable();
    match (method, names.as_slice()) {
        ("POST", ["uploads"]) => Some(Operation::Create),
        ("PUT", ["partNumber", "uploadId"]) => Some(Operation::Part {
            upload: head.parameter("uploadId")?,
            number: head.parameter("partNumber")?.parse().ok()?,
        }),
        ("POST", ["uploadId"]) => Some(Operation::Complete {
            upload: head.parameter("uploadId")?,
        }),
        ("DELETE", ["uploadId"]) => Some(Operation::Abort {
            upload: head.parameter("uploadId")?,
        }),
        // A copy has the same address and another header.
        ("PUT", []) if head.header("x-amz-copy-source").is_none() => Some(Operation::Put),
        _ => None,
    }
}

/// What a payload's headers cost the client for nothing, on a connection that needs no signature.
fn violations(head: &Head) -> Vec<&'static str> {
    let chunked = head
        .header("content-encoding")
        .is_some_and(|encodings| encodings.contains("aws-chunked"));
    let unsigned = head.header("x-amz-content-sha256") == Some("UNSIGNED-PAYLOAD");
    [
        ("aws-chunked", chunked),
        ("trailer", head.header("x-amz-trailer").is_some()),
        (
            "decoded-length",
            head.header("x-amz-decoded-content-length").is_some(),
        ),
        ("payload-hash", !unsigned),
        ("no-crc64nvme", head.header(CHECKSUM).is_none()),
    ]
    .into_iter()
    .filter_map(|(what, broken)| broken.then_some(what))
    .collect()
}

impl Endpoint {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection until the client leaves.
    pub(crate) fn serve(&self, mut connection: Connection) -> io::Result<()> {
        let mut counted = false;
        let served = self.requests(&mut connection, &mut counted);
        if counted {
            self.state().stats.closed();
        }
        served
    }

    fn requests(&self, connection: &mut Connection, counted: &mut bool) -> io::Result<()> {
        let own = self.connection_rate.map(Link::new);
        let links: Vec<&Link> = own.iter().chain(&self.link).collect();
        while let Some(head) = connection.head()? {
            let asked = operation(&head);
            // Who only asks for counts is not counted.
            if !*counted && !matches!(asked, Some(Operation::Stats | Operation::Reset)) {
                *counted = true;
                self.state().stats.opened();
            }
            self.request(connection, &head, asked, own.as_ref(), &links)?;
            if head.header("connection") == Some("close") {
                break;
            }
        }
        Ok(())
    }

    fn request(
        &self,
        connection: &mut Connection,
        head: &Head,
        asked: Option<Operation<'_>>,
        own: Option<&Link>,
        links: &[&Link],
    ) -> io::Result<()> {
        let Some(asked) = asked else {
            return self.refuse(connection, head, "501 Not Implemented");
        };
        match asked {
            Operation::Stats => return connection.answer(&json(self.state().stats.json())),
            Operation::Reset => {
                self.state().stats.reset();
                return connection.answer(&json("{}".into()));
            }
            _ => self.state().stats.request(asked.name()),
        }
        let Some(length) = head.length() else {
            return self.refuse(connection, head, "411 Length Required");
        };
        let begun = Instant::now();
        let payload = matches!(asked, Operation::Part { .. } | Operation::Put);
        if payload {
            let mut state = self.state();
            state.stats.part_begins();
            for what in violations(head) {
                state.stats.violation(what);
            }
        }
        std::thread::sleep(self.latency);
        let body = self.body(connection, head, payload, length, own, links);
        let answered = body.and_then(|(spent, body)| {
            let answer = self.answer(&asked, head, length, &body);
            connection.answer(&answer).map(|()| spent)
        });
        if payload {
            let spent = answered.as_ref().copied().unwrap_or_default();
            self.state().stats.part_ends(begun.elapsed(), spent);
        }
        answered.map(drop)
    }

    /// Takes a request's body, at the links' pace if it is a payload.
    fn body(
        &self,
        connection: &mut Connection,
        head: &Head,
        payload: bool,
        length: u64,
        own: Option<&Link>,
        links: &[&Link],
    ) -> io::Result<(Spent, String)> {
        if head.header("expect").is_some() {
            self.state().stats.continued();
            connection.go_on()?;
        }
        if !payload {
            return Ok((Spent::default(), connection.keep(length)?));
        }
        if let Some(own) = own {
            own.begin(Instant::now());
        }
        let seen = |count| self.state().stats.came(count, Instant::now());
        Ok((connection.discard(length, links, seen)?, String::new()))
    }

    /// Answers what nobody knows. A body of unknown length cannot be skipped and ends the
    /// connection.
    fn refuse(
        &self,
        connection: &mut Connection,
        head: &Head,
        status: &'static str,
    ) -> io::Result<()> {
        let names: Vec<&str> = head.query.iter().map(|(name, _)| name.as_str()).collect();
        let target = head.header("x-amz-target").unwrap_or_default();
        let request = format!(
            "{status}: {} {}?{} {target}",
            head.method,
            head.path,
            names.join("&")
        );
        self.state().stats.unknown(request.clone());
        let length = head.length();
        if let Some(length) = length {
            connection.discard(length, &[], |_| {})?;
        }
        connection.answer(&error(status, "NotImplemented", &request))?;
        match length {
            Some(_) => Ok(()),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, request)),
        }
    }

    fn answer(&self, asked: &Operation<'_>, head: &Head, length: u64, body: &str) -> Answer {
        let mut state = self.state();
        let state = &mut *state;
        match *asked {
            Operation::Stats | Operation::Reset => json("{}".into()),
            Operation::Register => json("{}".into()),
            Operation::Application => {
                json(r#"{"application":{"computePlatform":"Server"}}"#.into())
            }
            Operation::Bucket => Answer {
                headers: vec![("x-amz-bucket-region", region(head).to_owned())],
                ..xml(String::new())
            },
            Operation::Create => {
                state.named += 1;
                let upload = format!("upload-{}", state.named);
                state.uploads.insert(upload.clone(), BTreeMap::new());
                created(head, &upload)
            }
            Operation::Part { upload, number } => {
                let Some(parts) = state.uploads.get_mut(upload) else {
                    return no_upload();
                };
                if parts.insert(number, length).is_some() {
                    state.stats.repeated();
                }
                stored(head, &format!("{upload}-{number}"))
            }
            Operation::Put => stored(head, "put"),
            Operation::Abort { upload } => match state.uploads.remove(upload) {
                Some(_) => Answer {
                    status: "204 No Content",
                    kind: "",
                    headers: Vec::new(),
                    body: String::new(),
                },
                None => no_upload(),
            },
            Operation::Complete { upload } => {
                let Some(parts) = state.uploads.get(upload) else {
                    return no_upload();
                };
                if let Err(why) = check(parts, head, body) {
                    return error("400 Bad Request", "InvalidPart", &why);
                }
                let etag = format!("{upload}-{}", parts.len());
                state.uploads.remove(upload);
                completed(head, &etag)
            }
        }
    }
}

/// Whether a completion names the parts that came.
fn check(parts: &BTreeMap<u32, u64>, head: &Head, body: &str) -> Result<(), String> {
    let numbers = body.split("<PartNumber>").skip(1);
    let named: Option<Vec<u32>> = numbers
        .map(|rest| rest.split_once("</PartNumber>")?.0.parse().ok())
        .collect();
    if named.as_deref() != Some(&parts.keys().copied().collect::<Vec<_>>()) {
        let count = parts.len();
        return Err(format!(
            "the list is not that of the {count} parts that came"
        ));
    }
    let size: u64 = parts.values().sum();
    match head.header("x-amz-mp-object-size") {
        Some(told) if told != size.to_string() => {
            Err(format!("{size} bytes came, and {told} are told of"))
        }
        _ => Ok(()),
    }
}

fn created(head: &Head, upload: &str) -> Answer {
    let (bucket, key) = names(head);
    xml(format!(
        "<InitiateMultipartUploadResult xmlns=\"{NAMESPACE}\"><Bucket>{bucket}</Bucket>\
         <Key>{key}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
    ))
}

fn completed(head: &Head, etag: &str) -> Answer {
    let (bucket, key) = names(head);
    xml(format!(
        "<CompleteMultipartUploadResult xmlns=\"{NAMESPACE}\"><Bucket>{bucket}</Bucket>\
         <Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>"
    ))
}

/// The answer to a payload: its ETag, and its checksum as it was claimed.
fn stored(head: &Head, etag: &str) -> Answer {
    let mut headers = vec![("etag", format!("\"{etag}\""))];
    if let Some(checksum) = head.header(CHECKSUM) {
        headers.push((CHECKSUM, checksum.to_owned()));
    }
    Answer {
        status: "200 OK",
        kind: "application/xml",
        headers,
        body: String::new(),
    }
}

/// The region that a request was signed for: the bucket is in any.
fn region(head: &Head) -> &str {
    let scope = head.header("authorization").unwrap_or_default();
    let scope = scope.split_once("Credential=").map_or("", |(_, rest)| rest);
    scope.split('/').nth(2).unwrap_or("us-east-1")
}

/// Bucket and key, escaped for XML.
fn names(head: &Head) -> (String, String) {
    let path = head.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    (escaped(bucket), escaped(key))
}

fn no_upload() -> Answer {
    error(
        "404 Not Found",
        "NoSuchUpload",
        "no such upload is under way",
    )
}

fn error(status: &'static str, code: &str, message: &str) -> Answer {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer {
        status,
        ..xml(body)
    }
}

fn xml(body: String) -> Answer {
    Answer {
        status: "200 OK",
        kind: "application/xml",
        headers: Vec::new(),
        body,
    }
}

fn json(body: String) -> Answer {
    Answer {
        kind: "application/x-amz-json-1.1",
        ..xml(body)
    }
}
