//! A push by the library to an endpoint of its own that is made to go wrong, and what is there
//! afterwards.
//!
//! All that these tests use of the library's interface is in this file. Pauses between attempts are short,
//! and an answer is waited for for two seconds.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hoist::archive::deflate::Level;
use hoist::aws::access::{Access, Clients, Keys, connect};
use hoist::aws::call::Timing;
use hoist::aws::codedeploy::{Platform, Registrar};
use hoist::aws::s3::{ObjectOptions, S3Location, S3Object};
use hoist::bundle::{Content, Format};
use hoist::cancel::Cancel;
use hoist::endpoint::Endpoint;
use hoist::endpoint::faults::Faults;
use hoist::notes::Note;
use hoist::push::preflight::{PATIENCE as PREFLIGHT, Preflight};
use hoist::push::{
    Destination, Destinations, Error, Observer, Packing, Pushed, Request, Source as What,
    Uploading, push,
};
use hoist::verify::{self, Report, Wanted};

use super::support::{Tree, noise, packed, runtime, text};

/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(2);

/// No push takes longer, whatever happens to it.
const ENDLESS: Duration = Duration::from_secs(90);

/// The access key id of the clients.
pub(crate) const KEY_ID: &str = "AKIDTEST";

/// Their session token.
const TOKEN: &str = "token-of-the-test";

/// Runs `work` on the threads of all endpoints.
pub(crate) fn run_there<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match runtime().block_on(runtime().spawn(work)) {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A revision, and the archive that it must become.
pub(crate) struct Source {
    tree: Tree,
    pub(crate) packed: Vec<u8>,
}

impl Source {
    pub(crate) fn new(fill: impl FnOnce(&Tree)) -> Self {
        let tree = Tree::revision();
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
}

/// An endpoint with the bucket `bucket` and the application `App`, and clients of it.
pub(crate) struct Rig {
    pub(crate) faults: Faults,
    endpoint: Endpoint,
    clients: Clients,
    /// Options about the object.
    pub(crate) options: ObjectOptions,
    dir: tempfile::TempDir,
}

/// How a push ended, and what is there.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) pushed: Result<Pushed, Error>,
    /// Its notes, as the facts that they hold.
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
        Self {
            faults,
            clients: clients(&endpoint, "us-east-1").await,
            endpoint,
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
        let request = request(source);
        let destination = destination(&self.clients, "us-east-1", Self::location(), &self.options);
        let destination = destination.into();
        let observer = Observer::default();
        Ended {
            pushed: pushed(&request, &destination, &observer, cancel).await,
            notes: observer.notes.take().iter().map(fact).collect(),
            object: fs::read(self.dir.path().join("buckets/bucket/objects/dir/key.zip")).ok(),
            revisions: revisions(self.dir.path(), "us-east-1"),
            open: self.endpoint.open_uploads(),
        }
    }

    /// Reads the object back, as `hoist verify` does.
    pub(crate) async fn verify(&self) -> Result<Report, verify::Error> {
        let object = self
            .clients
            .s3
            .object(Self::location(), self.options.clone());
        verify::verify(&Arc::new(object), &Wanted::default(), None).await
    }

    pub(crate) async fn end(self) {
        self.endpoint.shutdown().await;
    }
}

/// Clients of an endpoint in a region.
pub(crate) async fn clients(endpoint: &Endpoint, region: &str) -> Clients {
    let access = Access {
        region: Some(region.into()),
        endpoint_url: Some(endpoint.url().to_owned()),
        keys: Some(Keys {
            id: KEY_ID.into(),
            secret: "secret".into(),
            token: Some(TOKEN.into()),
        }),
        read_timeout: Some(PATIENCE),
        timing: Timing {
            pause: Duration::from_millis(1),
            slow_down_pause: Duration::from_millis(4),
            longest_pause: Duration::from_millis(40),
            ..Timing::default()
        },
        ..Access::default()
    };
    connect(&access).await.unwrap()
}

/// A push of `source`.
pub(crate) fn request(source: &Source) -> Request {
    Request {
        source: What {
            path: source.tree.path().to_owned(),
            content: Content::Archive(Format::Zip),
            select: hoist::archive::plan::Options::default(),
            lint: true,
            hardened: false,
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
    }
}

/// A destination that is asked first and where the revision is registered.
pub(crate) fn destination(
    clients: &Clients,
    region: &str,
    location: S3Location,
    options: &ObjectOptions,
) -> Destination<S3Object> {
    let Clients { s3, codedeploy, .. } = clients.clone();
    let object = s3.object(location.clone(), options.clone());
    Destination {
        preflight: Some(Preflight {
            s3,
            codedeploy: codedeploy.clone(),
            region: region.into(),
            options: options.clone(),
            platform: Some(Platform::Server),
            patience: PREFLIGHT,
        }),
        registrar: Some(Registrar::new(codedeploy, "App".into(), "a test".into())),
        region: region.into(),
        ..Destination::new(object, location)
    }
}

/// Runs a push, which may not hang.
pub(crate) async fn pushed(
    request: &Request,
    destinations: &Destinations<S3Object>,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<Pushed, Error> {
    let pushing = push(request, destinations, observer, cancel);
    let pushed = tokio::time::timeout(ENDLESS, pushing).await;
    pushed.expect("it hangs")
}

/// The ETags of the revisions in a region of the endpoint whose state is in `dir`.
pub(crate) fn revisions(dir: &Path, region: &str) -> Vec<String> {
    let Ok(files) = fs::read_dir(dir.join("codedeploy").join(region)) else {
        return Vec::new();
    };
    let files = files
        .map(|file| file.unwrap().path())
        .filter(|file| file.is_file());
    let kept = files
        .map(|file| serde_json::from_slice::<serde_json::Value>(&fs::read(file).unwrap()).unwrap());
    let etags = kept.flat_map(|kept| {
        let revisions = kept["revisions"].as_array().cloned().unwrap_or_default();
        revisions.into_iter().map(|kept| {
            let etag = &kept["revision"]["s3Location"]["eTag"];
            etag.as_str().unwrap().to_owned()
        })
    });
    etags.collect()
}

/// A note's sentence, or its facts.
pub(crate) fn fact(note: &Note) -> String {
    match note {
        Note::Text(text) => text.clone(),
        other => format!("{other:?}"),
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
            [&*pushed.delivered[0].revision.stored.etag],
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

    /// It failed, and the error names the upload that is left. The error's text.
    #[track_caller]
    pub(crate) fn is_failure_with_leftover(&self, what: &str) -> String {
        let error = self.failure(what);
        assert_eq!(self.open.len(), 1, "{what}: {error}");
        let left = error
            .left()
            .unwrap_or_else(|| panic!("{what}: the upload is not named: {error}"));
        assert_eq!(left.upload.0, self.open[0], "{what}: {left}");
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
