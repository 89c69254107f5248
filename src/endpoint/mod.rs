//! An S3 and CodeDeploy endpoint inside the process, for trials, tests and measurements without AWS.
//!
//! [`Endpoint::start`] serves both on one port of the loopback interface. It keeps all state in plain
//! files under one directory, and finds it again at the next start:
//!
//! ```text
//! DIR/buckets/BUCKET/objects/KEY              objects, as they were uploaded
//! DIR/codedeploy/REGION/APPLICATION.json      applications, their revisions and deployment groups
//! DIR/codedeploy/REGION/deployments/ID.json   deployments
//! DIR/codedeploy/REGION/agents/               what agents keep: unpacked bundles
//! DIR/instances/INSTANCE/                     what deployments installed
//! DIR/lock                                    held while an endpoint uses the directory
//! ```
//!
//! It offers what hoist and the `s3` and `deploy` commands of the AWS CLI call, and is as strict as S3
//! where a push can go wrong: checksums in headers and trailers, `Content-MD5`, part numbers, order and
//! sizes, the checksum and size of the whole object, conditional writes, uploads that have ended. All
//! other operations (ACLs, policies, lifecycles, encryption with a customer's key) are
//! refused with `NotImplemented` or `UnknownOperationException`.
//!
//! An endpoint that [discards](Storage::Discard) counts and hashes the bytes of objects and does not
//! keep them, a [`Link`] has a latency and rates, and [`Endpoint::statistics`] tells what was seen:
//! together they measure how a program uploads. For tests, requests can [go wrong](faults) in the ways
//! in which they do on the way to AWS.
//!
//! One port serves all regions. A request is for the region that it is signed for, and for its bucket's
//! if it is not signed. Requests for a bucket of another region are refused as S3 refuses them.
//!
//! It accepts any credentials, or none, and does not check signatures. That is why it listens on
//! 127.0.0.1 only, and refuses requests whose `Host` or `Origin` is another machine's: they come from a
//! page in a browser whose name was pointed here. It does not sync files to the device.

mod checksum;
mod chunked;
mod codedeploy;
pub mod faults;
mod ids;
mod keys;
mod link;
mod log;
mod operation;
mod region;
mod s3;
mod server;
mod statistics;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::codedeploy::Pace;
pub use self::link::Link;
pub use self::log::{Answered, Log};
pub use self::statistics::Statistics;

use self::faults::Faults;
use self::server::Server;
use crate::error::shown;

/// What the receive buffer of a paced connection may hold, in bytes (Linux allows twice as much): a
/// larger one would take in bytes faster than the link. Less than a few of loopback's segments of
/// 64 KiB would stall the connection.
const PACED_BUFFER: u32 = 256 << 10;

/// Why an endpoint cannot be started or prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory cannot be made, read or written.
    #[error("cannot keep state in {}; choose another directory", shown(dir))]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another endpoint uses the directory.
    #[error(
        "another endpoint uses {}; stop it or choose another directory",
        shown(dir)
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on 127.0.0.1:{port}; choose another port, or 0 for any")]
    Port {
        /// The port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The bucket is missing and cannot be made.
    #[error("cannot make the bucket {}: {reason}", shown(bucket))]
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// The message that S3 would have.
        reason: String,
    },
    /// The application is missing and cannot be made.
    #[error(
        "cannot make the application {} in {region}: {reason}",
        shown(application)
    )]
    Application {
        /// The application's name.
        application: String,
        /// The region.
        region: String,
        /// The message that CodeDeploy would have.
        reason: String,
    },
    /// The deployment group is missing and cannot be made.
    #[error(
        "cannot make the deployment group {} in {region}: {reason}",
        shown(group)
    )]
    Group {
        /// The group's name.
        group: String,
        /// The region.
        region: String,
        /// The message that CodeDeploy would have.
        reason: String,
    },
}

/// Where an endpoint keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In this directory, which is made if it is missing.
    Keep(PathBuf),
    /// Buckets, applications and the descriptions of objects in a temporary directory, and the bytes
    /// of objects nowhere: they are counted and hashed. Objects cannot be read or copied.
    Discard,
}

/// How an endpoint is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it keeps its state.
    pub storage: Storage,
    /// The port of 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// The latency and the rates of requests.
    pub link: Link,
    /// How fast deployments go.
    pub pace: Pace,
    /// What goes wrong. Without faults requests are not recorded.
    pub faults: Option<Faults>,
    /// Learns of each request when it is answered.
    pub log: Option<Log>,
}

impl Settings {
    /// An endpoint on any free port, as fast as the machine, on which nothing goes wrong.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        Self {
            storage,
            port: 0,
            link: Link::default(),
            pace: Pace::default(),
            faults: None,
            log: None,
        }
    }
}

/// A running S3 and CodeDeploy endpoint. It stops when it is dropped or [shut
/// down](Self::shutdown).
pub struct Endpoint {
    url: String,
    server: Arc<Server>,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Serves the state under `dir` on `port` of 127.0.0.1; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], [`Error::InUse`], [`Error::Port`].
    pub async fn start(dir: impl Into<PathBuf>, port: u16) -> Result<Self, Error> {
        Self::open(Settings {
            port,
            ..Settings::new(Storage::Keep(dir.into()))
        })
        .await
    }

    /// Serves the state under `dir` on `port`, with the faults of a test.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], [`Error::InUse`], [`Error::Port`].
    pub async fn start_with(
        dir: impl Into<PathBuf>,
        port: u16,
        faults: Faults,
    ) -> Result<Self, Error> {
        Self::open(Settings {
            port,
            faults: Some(faults),
            ..Settings::new(Storage::Keep(dir.into()))
        })
        .await
    }

    /// Starts an endpoint.
    ///
    /// S3 and CodeDeploy share the port: requests with an `X-Amz-Target` header are CodeDeploy's.
    /// Buckets are named in the path, or as `BUCKET.localhost`.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], [`Error::InUse`], [`Error::Port`].
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let Settings {
            storage,
            port,
            link,
            pace,
            faults,
            log,
        } = settings;
        let opening = tokio::task::spawn_blocking(move || open_state(storage, faults, link, pace));
        let (mut server, held) = opening.await.unwrap_or_else(|error| {
            Err(Error::Directory {
                dir: PathBuf::new(),
                source: io::Error::other(error),
            })
        })?;
        let listener = listen(port, link).map_err(|source| Error::Port { port, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Port { port, source })?;
        server.log = log;
        let server = Arc::new(server);
        let stop = CancellationToken::new();
        let running = Arc::clone(&server).run(listener, stop.clone());
        let task = tokio::spawn(async move {
            running.await;
            drop(held);
        });
        Ok(Self {
            url: format!("http://{address}"),
            server,
            task,
            stop: stop.drop_guard(),
        })
    }

    /// Its address for S3 and for CodeDeploy: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes `bucket` in `region`, and `application` (for EC2 and on-premises servers) in `region`,
    /// unless they exist.
    ///
    /// It writes two small files, and blocks for that long.
    ///
    /// # Errors
    ///
    /// [`Error::Bucket`], [`Error::Application`].
    pub fn prepare(&self, bucket: &str, region: &str, application: &str) -> Result<(), Error> {
        self.prepare_for(bucket, region, application, "Server")
    }

    /// As [`prepare`](Self::prepare), with an application for another compute platform: `Server`,
    /// `Lambda` or `ECS`, as the API names them. One that exists keeps its platform.
    ///
    /// # Errors
    ///
    /// [`Error::Bucket`], [`Error::Application`].
    pub fn prepare_for(
        &self,
        bucket: &str,
        region: &str,
        application: &str,
        platform: &str,
    ) -> Result<(), Error> {
        self.server
            .store
            .create_bucket(bucket, region)
            .map_err(|error| Error::Bucket {
                bucket: bucket.to_owned(),
                reason: error.message().unwrap_or(error.code().as_str()).to_owned(),
            })?;
        self.server
            .codedeploy
            .ensure(region, application, platform)
            .map_err(|failure| Error::Application {
                application: application.to_owned(),
                region: region.to_owned(),
                reason: failure.message,
            })
    }

    /// Makes the deployment group `group` of an application, unless it exists: of one instance, whose
    /// name is `i-` and the group's, or for ECS of the service `group`.
    ///
    /// # Errors
    ///
    /// [`Error::Group`].
    pub fn prepare_group(&self, region: &str, application: &str, group: &str) -> Result<(), Error> {
        self.server
            .codedeploy
            .ensure_group(region, application, group)
            .map_err(|failure| Error::Group {
                group: group.to_owned(),
                region: region.to_owned(),
                reason: failure.message,
            })
    }

    /// Where an endpoint whose state is in `dir` keeps the bytes of an object.
    #[must_use]
    pub fn object_path(dir: &Path, bucket: &str, key: &str) -> PathBuf {
        let objects = dir.join("buckets").join(bucket).join("objects");
        objects.join(keys::to_path(key))
    }

    /// Whether `dir` has the state of an endpoint.
    #[must_use]
    pub fn is_state(dir: &Path) -> bool {
        dir.join("buckets").is_dir() && dir.join("codedeploy").is_dir()
    }

    /// The ids of the multipart uploads that are neither completed nor aborted.
    #[must_use]
    pub fn open_uploads(&self) -> Vec<String> {
        self.server.store.open_uploads()
    }

    /// What the endpoint has seen since it started.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.server.meter.statistics()
    }

    /// Takes no more connections, gives the open ones two seconds to finish, and ends.
    pub async fn shutdown(self) {
        drop(self.stop);
        // Awaiting the task fails only if it panicked, and then it has ended too.
        drop(self.task.await);
    }
}

/// The endpoint without a port, for a fuzzer, for which sockets are too slow.
#[doc(hidden)]
pub struct Unconnected(Arc<Server>);

impl Unconnected {
    /// Opens the state under `dir`.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let server = Server::open(dir, false, None, Link::default(), Pace::default())?;
        Ok(Self(Arc::new(server)))
    }

    /// Answers the requests on `stream` until it ends.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let server = Arc::clone(&self.0);
        server.converse(stream, CancellationToken::new()).await;
    }
}

impl fmt::Debug for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unconnected").finish_non_exhaustive()
    }
}

/// What a running endpoint holds: the lock on its directory, and the directory if it is temporary.
struct Held {
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

/// Opens the state and locks its directory.
fn open_state(
    storage: Storage,
    faults: Option<Faults>,
    link: Link,
    pace: Pace,
) -> Result<(Server, Held), Error> {
    let (dir, temporary) = match storage {
        Storage::Keep(dir) => (dir, None),
        Storage::Discard => {
            let dir = tempfile::tempdir().map_err(|source| Error::Directory {
                dir: std::env::temp_dir(),
                source,
            })?;
            (dir.path().to_owned(), Some(dir))
        }
    };
    let unusable = |source| Error::Directory {
        dir: dir.clone(),
        source,
    };
    std::fs::create_dir_all(&dir).map_err(unusable)?;
    let lock = File::create(dir.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::InUse { dir }),
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let server = Server::open(&dir, temporary.is_some(), faults, link, pace).map_err(unusable)?;
    let held = Held {
        _lock: lock,
        _temporary: temporary,
    };
    Ok((server, held))
}

fn listen(port: u16, link: Link) -> io::Result<TcpListener> {
    const BACKLOG: u32 = 1024;

    let socket = TcpSocket::new_v4()?;
    // Elsewhere than on Unix this would let two programs share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    if link.is_paced() {
        // The connections inherit it.
        socket.set_recv_buffer_size(PACED_BUFFER)?;
    }
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)
}
