//! The embedded endpoint in this process, what it was asked, and what goes wrong with it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hoist::endpoint::faults::{Fault, Faults, Operation, Refusal, Request};
use hoist::endpoint::{Endpoint, Error, Link, Settings, Statistics, Storage};
use tokio::runtime::Runtime;

use super::run::{Run as _, hoist};

/// The threads of all endpoints, and of pushes by the library.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            // Unoptimised, the futures of the SDK are large.
            .thread_stack_size(16 << 20)
            .enable_all()
            .build()
            .unwrap()
    })
}

/// An endpoint on a directory of its own. It ends on drop.
pub(crate) struct Server {
    endpoint: Endpoint,
    /// What goes wrong. Rules may be added while it runs.
    pub(crate) faults: Faults,
    /// How many requests [`forget`](Self::forget) has forgotten.
    forgotten: AtomicUsize,
    dir: tempfile::TempDir,
}

impl Server {
    /// With neither buckets nor applications.
    pub(crate) fn start() -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), Faults::new())
    }

    /// With the bucket `bucket` and the application `App`, both in us-east-1.
    pub(crate) fn ready() -> Self {
        Self::ready_over(Link::default())
    }

    /// As [`ready`](Self::ready), at the far end of a link.
    pub(crate) fn ready_over(link: Link) -> Self {
        let server = Self::start_over(link, tempfile::tempdir().unwrap(), Faults::new());
        server
            .endpoint
            .prepare("bucket", "us-east-1", "App")
            .unwrap();
        server
    }

    pub(crate) fn start_on(dir: tempfile::TempDir, faults: Faults) -> Self {
        Self::start_over(Link::default(), dir, faults)
    }

    fn start_over(link: Link, dir: tempfile::TempDir, faults: Faults) -> Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        let settings = Settings {
            link,
            faults: Some(faults.clone()),
            ..Settings::new(Storage::Keep(dir.path().to_owned()))
        };
        let endpoint = loop {
            let started = Endpoint::open(settings.clone());
            match runtime().block_on(started) {
                // A child that another test starts holds the lock of the directory until it runs its program.
                Err(Error::InUse { .. }) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                started => break started.unwrap(),
            }
        };
        Self {
            endpoint,
            faults,
            forgotten: AtomicUsize::new(0),
            dir,
        }
    }

    /// Ends it, lets `change` do something to its directory, and starts it again.
    pub(crate) fn restarted(self, change: impl FnOnce(&Path)) -> Self {
        runtime().block_on(self.endpoint.shutdown());
        change(self.dir.path());
        Self::start_on(self.dir, Faults::new())
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> &str {
        self.endpoint.url()
    }

    /// Makes any AWS tool a client of this server.
    pub(crate) fn point<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", self.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
    }

    /// `hoist` with these arguments, as a client of this server.
    pub(crate) fn hoist(&self, arguments: &[&str]) -> Command {
        let mut command = hoist();
        self.point(&mut command).args(arguments);
        command
    }

    /// `hoist push` of `source` to `s3://bucket/key.zip`. Of an option that is given twice the last counts.
    pub(crate) fn push_of(&self, source: &Path, arguments: &[&str]) -> Command {
        let mut command = self.hoist(&["push", "--application-name", "App"]);
        command
            .args(["--s3-location", "s3://bucket/key.zip", "--source"])
            .arg(source)
            .args(arguments);
        command
    }

    // What is made there before a command runs.

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

    /// Turns the versions of a bucket on.
    pub(crate) fn keep_versions(&self, bucket: &str) {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.ask(&format!("PUT /{bucket}?versioning"), &[], body);
    }

    /// Makes an application for a compute platform.
    pub(crate) fn make_application(&self, name: &str, platform: &str) {
        self.make_application_in(name, platform, "us-east-1");
    }

    /// CodeDeploy takes the region from the signature.
    pub(crate) fn make_application_in(&self, name: &str, platform: &str, region: &str) {
        let body = format!(r#"{{"applicationName":"{name}","computePlatform":"{platform}"}}"#);
        let signature =
            format!("AWS4-HMAC-SHA256 Credential=key/20260101/{region}/codedeploy/aws4_request");
        let headers = [
            ("X-Amz-Target", "CodeDeploy_20141006.CreateApplication"),
            ("Authorization", &signature),
        ];
        self.ask("POST /", &headers, &body);
    }

    /// Makes a deployment group of one instance.
    pub(crate) fn make_group_in(&self, application: &str, name: &str, region: &str) {
        self.endpoint
            .prepare_group(region, application, name)
            .unwrap();
    }

    // What is there afterwards.

    /// Where the endpoint keeps an object of `bucket`.
    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.dir().join("buckets/bucket/objects").join(key)
    }

    /// The bytes of `s3://bucket/key.zip`, if it is there.
    pub(crate) fn stored(&self) -> Option<Vec<u8>> {
        fs::read(self.object("key.zip")).ok()
    }

    /// What it has counted.
    pub(crate) fn statistics(&self) -> Statistics {
        self.endpoint.statistics()
    }

    /// The ids of the uploads that are neither completed nor aborted.
    pub(crate) fn uploads(&self) -> Vec<String> {
        self.endpoint.open_uploads()
    }

    /// The revisions of `App`, as CodeDeploy lists them.
    pub(crate) fn revisions(&self) -> String {
        self.revisions_of("App")
    }

    pub(crate) fn revisions_of(&self, application: &str) -> String {
        let body = format!(r#"{{"applicationName":"{application}"}}"#);
        let target = "CodeDeploy_20141006.ListApplicationRevisions";
        self.ask("POST /", &[("X-Amz-Target", target)], &body)
    }

    /// Whether `s3://bucket/key.zip` is registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.revisions().contains("key.zip")
    }

    /// There is neither an object, nor an upload, nor a revision.
    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        assert!(self.stored().is_none(), "there is an object");
        assert_eq!(self.uploads(), [""; 0], "there are uploads");
        assert!(!self.is_registered(), "there is a revision");
    }

    // What goes wrong, and what was asked.

    /// Lets `fault` happen to the requests of an operation with these numbers.
    pub(crate) fn on(
        &self,
        operation: Operation,
        numbers: impl RangeBounds<u64>,
        fault: Fault,
    ) -> &Self {
        drop(self.faults.clone().on(operation, numbers, fault));
        self
    }

    /// Denies operations.
    pub(crate) fn deny(&self, operations: &[Operation]) -> &Self {
        for operation in operations {
            self.on(*operation, .., Fault::Refuse(Refusal::AccessDenied));
        }
        self
    }

    /// Lets `choose` say what goes wrong with a request. It may also do something else then.
    pub(crate) fn choose(
        &self,
        choose: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> &Self {
        drop(self.faults.clone().choose(choose));
        self
    }

    /// Forgets the requests so far, and what goes wrong.
    pub(crate) fn forget(&self) {
        self.faults.heal();
        self.forgotten
            .store(self.faults.requests().len(), Ordering::SeqCst);
    }

    /// All requests since [`forget`](Self::forget), without those of the test itself.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let forgotten = self.forgotten.load(Ordering::SeqCst);
        let mut requests = self.faults.requests().split_off(forgotten);
        requests.retain(|request| request.header("user-agent").is_some());
        requests
    }

    /// The requests of an operation.
    pub(crate) fn of(&self, operation: Operation) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.operation == operation);
        requests
    }

    pub(crate) fn count(&self, operation: Operation) -> usize {
        self.of(operation).len()
    }

    /// What was asked for, in order.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let requests = self.requests();
        requests.iter().map(|request| request.operation).collect()
    }

    // Requests of the test itself, which name no agent.

    /// Sends a request that succeeds. Its answer's body.
    pub(crate) fn ask(&self, what: &str, headers: &[(&str, &str)], body: &str) -> String {
        let (_, body) = self.send(what, headers, body);
        String::from_utf8(body).unwrap()
    }

    /// The head and the body of what is at a path of S3.
    pub(crate) fn get(&self, path: &str) -> (String, Vec<u8>) {
        self.send(&format!("GET {path}"), &[], "")
    }

    fn send(&self, what: &str, headers: &[(&str, &str)], body: &str) -> (String, Vec<u8>) {
        let authority = self.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(authority).unwrap();
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: {authority}\r\n{headers}Content-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let body = answer.split_off(end.unwrap() + 4);
        let head = String::from_utf8(answer).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{what}: {head}");
        (head, body)
    }
}
