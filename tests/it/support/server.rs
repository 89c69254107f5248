//! `hoist serve` for one test, and a proxy in front of it that loses requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::hoist;

/// The endpoint on a directory of its own. It ends on drop.
pub(crate) struct Server {
    child: Child,
    dir: tempfile::TempDir,
    authority: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_on(tempfile::tempdir().unwrap())
    }

    /// Ends it, lets `change` do something to its directory, and starts it again.
    pub(crate) fn restarted(mut self, change: impl FnOnce(&Path)) -> Self {
        self.stop("TERM");
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        change(dir.path());
        Self::start_on(dir)
    }

    fn start_on(dir: tempfile::TempDir) -> Self {
        let mut child = hoist()
            .args(["serve", "--port", "0", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim_end()
            .strip_prefix("export AWS_ENDPOINT_URL=")
            .unwrap();
        let authority = url.strip_prefix("http://").unwrap().to_owned();
        Self {
            child,
            dir,
            authority,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// hoist as a client of this server.
    pub(crate) fn client(&self) -> Command {
        let mut command = hoist();
        self.point(&mut command);
        command
    }

    /// Makes any AWS tool a client of this server.
    pub(crate) fn point(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", self.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1");
    }

    pub(crate) fn make_bucket(&self, name: &str) {
        self.ask(&format!("PUT /{name}"), &[], "");
    }

    pub(crate) fn make_bucket_in(&self, name: &str, region: &str) {
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
        self.ask(&format!("PUT /{name}"), &[], &body);
    }

    /// Makes an application for `platform`, in us-east-1.
    pub(crate) fn make_application(&self, name: &str, platform: &str) {
        let body = format!(r#"{{"applicationName":"{name}","computePlatform":"{platform}"}}"#);
        self.codedeploy("CreateApplication", &body);
    }

    /// Makes an application for `platform`, in `region`, which CodeDeploy takes from the signature.
    pub(crate) fn make_application_in(&self, name: &str, platform: &str, region: &str) {
        let body = format!(r#"{{"applicationName":"{name}","computePlatform":"{platform}"}}"#);
        let signature =
            format!("AWS4-HMAC-SHA256 Credential=key/20260101/{region}/codedeploy/aws4_request");
        let target = "CodeDeploy_20141006.CreateApplication";
        let headers = [("X-Amz-Target", target), ("Authorization", &signature)];
        self.ask("POST /", &headers, &body);
    }

    /// The revisions of an application, as CodeDeploy lists them.
    pub(crate) fn revisions(&self, application: &str) -> String {
        let body = format!(r#"{{"applicationName":"{application}"}}"#);
        self.codedeploy("ListApplicationRevisions", &body)
    }

    fn codedeploy(&self, operation: &str, body: &str) -> String {
        let target = format!("CodeDeploy_20141006.{operation}");
        self.ask("POST /", &[("X-Amz-Target", &target)], body)
    }

    /// Sends a request that succeeds. Its answer's body.
    pub(crate) fn ask(&self, what: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.authority,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    }

    /// The head and the body of what is at a path of S3.
    pub(crate) fn get(&self, path: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.authority
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        (head, body)
    }

    /// Turns the versions of a bucket on.
    pub(crate) fn keep_versions(&self, bucket: &str) {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.ask(&format!("PUT /{bucket}?versioning"), &[], body);
    }

    /// Signals the server and waits for its end.
    pub(crate) fn stop(&mut self, signal: &str) -> Option<i32> {
        send_signal(&self.child, signal);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send_signal(child: &Child, signal: &str) {
    // A shell's background job ignores interrupts, and so does all that it starts: the test would wait
    // for ever.
    const SIGINT: u64 = 1 << 1;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let status = status.unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    assert!(
        signal != "INT" || ignored.unwrap_or(0) & SIGINT == 0,
        "interrupts are ignored here; run the tests in the foreground, or by env --default-signal=INT"
    );
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(child.id().to_string())
        .status();
    assert!(status.unwrap().success());
}

/// Forwards connections to a server, until one of them sends a request that begins as told: that
/// request, and whatever comes after it on its connection, is never answered.
pub(crate) struct BlackHole {
    pub(crate) url: String,
    swallowed: Arc<AtomicUsize>,
}

impl BlackHole {
    pub(crate) fn before(server: &Server, request: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let swallowed = Arc::new(AtomicUsize::new(0));
        let (authority, count) = (server.authority.clone(), Arc::clone(&swallowed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&authority) else {
                    return;
                };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let count = Arc::clone(&count);
                thread::spawn(move || forward(client, server, request, &count));
            }
        });
        Self { url, swallowed }
    }

    /// How many requests were swallowed so far.
    pub(crate) fn swallowed(&self) -> usize {
        self.swallowed.load(Ordering::SeqCst)
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream, request: &str, swallowed: &AtomicUsize) {
    let mut buffer = vec![0; 64 << 10];
    let mut lost = false;
    while let Ok(len @ 1..) = client.read(&mut buffer) {
        if !lost && buffer.starts_with(request.as_bytes()) {
            lost = true;
            swallowed.fetch_add(1, Ordering::SeqCst);
        }
        if !lost && server.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}
