//! A push by the library to an endpoint that is made to go wrong, and what is there afterwards.
//!
//! Pauses between attempts are short, and an answer that does not come is waited for for two seconds.

// Every test file uses its own part of this module.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use hoist::archive::deflate::Level;
use hoist::aws::call::DEFAULT_ATTEMPTS;
use hoist::aws::codedeploy::Platform;
use hoist::aws::renew::Renewal;
use hoist::aws::s3::S3Location;
use hoist::aws::s3::{ObjectOptions, S3Store};
use hoist::bundle::{Content, Format};
use hoist::cancel::Cancel;
use hoist::endpoint::Endpoint;
use hoist::endpoint::faults::Faults;
use hoist::push::preflight::{PATIENCE as PREFLIGHT, Preflight};
use hoist::push::{
    Destination, Error, Observer, Packing, Pushed, Registrar, Request, Source as What, Uploading,
    push,
};
use hoist::verify::{self, Report, S3Object, Wanted};
use tokio::runtime::Runtime;

use super::support::{Tree, hoist, noise, packed, text};

/// How long an answer may take to begin.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// No push takes longer, whatever happens to it.
pub(crate) const ENDLESS: Duration = Duration::from_secs(90);

/// The access key id of the clients.
pub(crate) const KEY_ID: &str = "AKIDTEST";

/// Their session token.
pub(crate) const TOKEN: &str = "token-of-the-test";

/// Runs `work` on the runtime of all endpoints and pushes.
pub(crate) fn run_there<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        hoist::aws::call::hurry(500);
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            // Not optimised, the futures of the SDK are large.
            .thread_stack_size(16 << 20)
            .enable_all()
            .build()
            .unwrap()
    });
    match runtime.block_on(runtime.spawn(work)) {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Connections are shared: no test has an endpoint of another.
fn connections() -> SharedHttpClient {
    static CONNECTIONS: OnceLock<SharedHttpClient> = OnceLock::new();
    let plain = || aws_smithy_http_client::Builder::new().build_http();
    CONNECTIONS.get_or_init(plain).clone()
}

/// A revision, and the archive that it must become.
pub(crate) struct Source {
    tree: Tree,
    pub(crate) packed: Vec<u8>,
}

impl Source {
    pub(crate) fn new(fill: impl FnOnce(&Tree)) -> Self {
        let tree = Tree::new();
        tree.file("appspec.yml", "version: 0.0\nos: linux\n");
        fill(&tree);
        let packed = packed(tree.path(), "a.zip", &["--level", "1"]);
        Self { tree, packed }
    }

    /// One part.
    pub(crate) fn small() -> &'static Self {
        static SMALL: OnceLock<Source> = OnceLock::new();
        SMALL.get_or_init(|| {
            Self::new(|tree| {
                tree.file("a.txt", text(20_000, 1));
                tree.file("b.bin", noise(5_000, 1));
            })
        })
    }

    /// Two parts.
    pub(crate) fn large() -> &'static Self {
        static LARGE: OnceLock<Source> = OnceLock::new();
        LARGE.get_or_init(|| {
            Self::new(|tree| {
                tree.file("a.txt", text(20_000, 2));
                tree.file("noise.bin", noise(8_600_000, 2));
            })
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.tree.path()
    }
}

/// An endpoint with the bucket `bucket` and the application `App`, and clients of it.
pub(crate) struct Rig {
    pub(crate) faults: Faults,
    pub(crate) endpoint: Endpoint,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) codedeploy: aws_sdk_codedeploy::Client,
    /// Of the object.
    pub(crate) options: ObjectOptions,
    dir: tempfile::TempDir,
}

/// How a push ended, and what is there.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) pushed: Result<Pushed, Error>,
    /// What the preflight said.
    pub(crate) notes: Vec<String>,
    pub(crate) object: Option<Vec<u8>>,
    /// ETags of the revisions.
    pub(crate) revisions: Vec<String>,
    pub(crate) open: Vec<String>,
}

impl Rig {
    pub(crate) async fn start(faults: Faults) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::start_with(dir.path(), 0, faults.clone())
            .await
            .unwrap();
        endpoint.prepare("bucket", "us-east-1", "App").unwrap();
        let credentials = Credentials::new(KEY_ID, "secret", Some(TOKEN.to_owned()), None, "test");
        let retry = RetryConfig::standard()
            .with_initial_backoff(Duration::from_millis(1))
            .with_max_backoff(Duration::from_millis(4));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(PATIENCE)
            .build();
        // The SDK's tokens for retries are those of the process otherwise.
        let tokens = RetryPartition::custom(endpoint.url().to_owned()).build();
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials.clone())
            .endpoint_url(endpoint.url())
            .force_path_style(true)
            .retry_config(retry.clone())
            .retry_partition(tokens.clone())
            .timeout_config(timeouts.clone())
            .http_client(connections())
            .build();
        let codedeploy = aws_sdk_codedeploy::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url(endpoint.url())
            .retry_config(retry)
            .retry_partition(tokens)
            .timeout_config(timeouts)
            .http_client(connections())
            .build();
        Self {
            faults,
            endpoint,
            s3: aws_sdk_s3::Client::from_conf(s3),
            codedeploy: aws_sdk_codedeploy::Client::from_conf(codedeploy),
            options: ObjectOptions::default(),
            dir,
        }
    }

    pub(crate) fn location() -> S3Location {
        S3Location {
            bucket: "bucket".into(),
            key: "dir/key.zip".into(),
        }
    }

    pub(crate) async fn push(&self, source: &Source) -> Ended {
        self.push_within(source, &Cancel::new()).await
    }

    pub(crate) async fn push_within(&self, source: &Source, cancel: &Cancel) -> Ended {
        let request = Request {
            source: What {
                path: source.path().to_owned(),
                content: Content::Archive(Format::Zip),
                select: hoist::archive::plan::Options::default(),
                lint: true,
            },
            packing: Packing {
                level: Level::new(1).unwrap().into(),
                threads: 2,
                ..Packing::default()
            },
            uploading: Uploading {
                concurrency: 4,
                ..Uploading::default()
            },
        };
        let store = S3Store::new(self.s3.clone(), Self::location(), false);
        let destination = Destination {
            store: Arc::new(store.with_options(self.options.clone())),
            location: Self::location(),
            preflight: Some(Preflight {
                s3: self.s3.clone(),
                codedeploy: self.codedeploy.clone(),
                region: "us-east-1".into(),
                options: self.options.clone(),
                platform: Some(Platform::Server),
                patience: PREFLIGHT,
            }),
            verification: None,
            registrar: Some(Registrar {
                codedeploy: self.codedeploy.clone(),
                application: "App".into(),
                description: "a test".into(),
                attempts: DEFAULT_ATTEMPTS,
                renewal: Renewal::default(),
            }),
        };
        let observer = Observer::default();
        let pushing = push(&request, &destination, &observer, cancel);
        let pushed = tokio::time::timeout(ENDLESS, pushing).await;
        Ended {
            pushed: pushed.expect("it hangs"),
            notes: observer.notes.take(),
            object: fs::read(self.object()).ok(),
            revisions: self.revisions(),
            open: self.endpoint.open_uploads(),
        }
    }

    /// `hoist push` of the same to the same endpoint.
    pub(crate) fn command(&self, source: &Source) -> Command {
        let mut command = hoist();
        command
            .env("AWS_ENDPOINT_URL", self.endpoint.url())
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .args(["push", "--application-name", "App", "--level", "1"])
            .args(["--s3-location", "s3://bucket/dir/key.zip", "--source"])
            .arg(source.path());
        command
    }

    pub(crate) fn object(&self) -> PathBuf {
        self.dir.path().join("buckets/bucket/objects/dir/key.zip")
    }

    /// The ETags of the application's revisions.
    pub(crate) fn revisions(&self) -> Vec<String> {
        let mut files = fs::read_dir(self.dir.path().join("codedeploy/us-east-1")).unwrap();
        // Whatever the name of the one application becomes there.
        let file = files.next().unwrap().unwrap().path();
        let kept: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let revisions = kept["revisions"].as_array().unwrap().iter();
        revisions
            .map(|kept| {
                let etag = &kept["revision"]["s3Location"]["eTag"];
                etag.as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// Reads the object back, as `hoist verify` does.
    pub(crate) async fn verify(&self) -> Result<Report, verify::Error> {
        let (client, options) = (self.s3.clone(), self.options.clone());
        let object = S3Object::new(client, Self::location(), None, options);
        verify::verify(&Arc::new(object), &Wanted::default(), None).await
    }

    pub(crate) async fn end(self) {
        self.endpoint.shutdown().await;
    }
}

impl Ended {
    /// It is stored whole and registered once, and nothing else is there.
    #[track_caller]
    pub(crate) fn is_registered(&self, source: &Source, what: &str) {
        let pushed = self.pushed.as_ref();
        let pushed = pushed.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            self.object.as_ref() == Some(&source.packed),
            "{what}: it is another object"
        );
        assert_eq!(
            self.revisions,
            [&*pushed.revision.stored.etag],
            "{what}: other revisions"
        );
        assert_eq!(self.open, [""; 0], "{what}: uploads are left");
    }

    /// It failed, and nothing is there. The error's text.
    #[track_caller]
    pub(crate) fn is_clean_failure(&self, what: &str) -> String {
        let error = self.failure(what);
        assert_eq!(self.open, [""; 0], "{what}: uploads are left by {error}");
        assert!(
            error.left().is_none(),
            "{what}: nothing is left, but {error:?}"
        );
        assert!(self.object.is_none(), "{what}: there is an object");
        error.to_string()
    }

    /// It failed, and the upload that is left is told with the command that removes it. The error's
    /// text.
    #[track_caller]
    pub(crate) fn is_told_failure(&self, what: &str) -> String {
        let error = self.failure(what);
        assert_eq!(self.open.len(), 1, "{what}: {error}");
        let left = error
            .left()
            .unwrap_or_else(|| panic!("{what}: untold: {error}"));
        let command = format!("--upload-id {}", self.open[0]);
        assert!(
            left.command
                .starts_with("aws s3api abort-multipart-upload --bucket bucket")
                && left.command.ends_with(&command),
            "{what}: {left}"
        );
        error.to_string()
    }

    #[track_caller]
    fn failure(&self, what: &str) -> &Error {
        assert_eq!(self.revisions, [""; 0], "{what}: it is registered");
        match &self.pushed {
            Ok(_) => panic!("{what}: it was pushed"),
            Err(error) => error,
        }
    }
}
