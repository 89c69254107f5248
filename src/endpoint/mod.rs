//! An S3 and CodeDeploy endpoint inside the process, for trials and tests without AWS.
//!
//! [`Endpoint::start`] serves both on one port of the loopback interface; everything it is told is
//! kept in plain files under one directory and found again at the next start:
//!
//! ```text
//! DIR/buckets/BUCKET/objects/KEY              objects, as they were uploaded
//! DIR/codedeploy/REGION/APPLICATION.json      applications and their revisions
//! DIR/lock                                    held while an endpoint uses the directory
//! ```
//!
//! It is as strict as S3 where a push can go wrong: checksums in headers and trailers,
//! `Content-MD5`, part numbers, order and sizes, the checksum and size of the whole object,
//! conditional writes, uploads that have ended. What it lacks (ACLs, policies, lifecycles,
//! encryption with a customer's key, deployments) it refuses with `NotImplemented` or
//! `UnknownOperationException`, and never pretends to do.
//!
//! For tests of what talks to it, requests can [go wrong](faults) in all the ways that they do on the
//! way to AWS, and in none of them otherwise.
//!
//! It guards nothing: any credentials will do, and none, and signatures are not checked. That is
//! why it listens on 127.0.0.1 only, and refuses requests whose `Host` or `Origin` is another machine's:
//! a page in a browser may have had its name pointed here. It does not sync files to the device either.

mod checksum;
mod chunked;
mod codedeploy;
pub mod faults;
mod ids;
mod keys;
mod s3;
mod server;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::faults::Faults;
use self::server::Server;

/// What keeps an endpoint from starting or being prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory cannot be made, read or written.
    #[error("cannot keep state in {}; choose another directory", .dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another endpoint uses the directory.
    #[error("another endpoint uses {}; stop it or choose another directory", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on 127.0.0.1:{port}; choose another port, or 0 for any")]
    Port {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The bucket can neither be found nor made.
    #[error("cannot make the bucket {bucket}: {reason}")]
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// What S3 would say.
        reason: String,
    },
    /// The application can neither be found nor made.
    #[error("cannot make the application {application} in {region}: {reason}")]
    Application {
        /// The application's name.
        application: String,
        /// The region.
        region: String,
        /// What CodeDeploy would say.
        reason: String,
    },
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
    /// The directory is made if it is missing. S3 and CodeDeploy share the port: requests with an
    /// `X-Amz-Target` header are CodeDeploy's. Buckets are named in the path, or as
    /// `BUCKET.localhost`.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], [`Error::InUse`], [`Error::Port`].
    pub async fn start(dir: impl Into<PathBuf>, port: u16) -> Result<Self, Error> {
        Self::open(dir.into(), port, None).await
    }

    /// The same, for tests: what goes wrong is as the test says.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], [`Error::InUse`], [`Error::Port`].
    pub async fn start_with(
        dir: impl Into<PathBuf>,
        port: u16,
        faults: Faults,
    ) -> Result<Self, Error> {
        Self::open(dir.into(), port, Some(faults)).await
    }

    async fn open(dir: PathBuf, port: u16, faults: Option<Faults>) -> Result<Self, Error> {
        let opened = dir.clone();
        let (server, lock) = tokio::task::spawn_blocking(move || open(&opened, faults))
            .await
            .unwrap_or_else(|error| {
                Err(Error::Directory {
                    dir,
                    source: io::Error::other(error),
                })
            })?;
        let bind = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bind.await.map_err(|source| Error::Port { port, source })?;
        let server = Arc::new(server);
        let stop = CancellationToken::new();
        let running = Arc::clone(&server).run(listener, stop.clone());
        let task = tokio::spawn(async move {
            running.await;
            drop(lock);
        });
        Ok(Self {
            url: format!("http://{address}"),
            server,
            task,
            stop: stop.drop_guard(),
        })
    }

    /// Where it is: `http://127.0.0.1:PORT`, for S3 and for CodeDeploy.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes `bucket` in `region`, and `application` (for EC2 and on-premises servers) in `region`,
    /// where they are missing.
    ///
    /// It writes two small files, and blocks for that long.
    ///
    /// # Errors
    ///
    /// [`Error::Bucket`], [`Error::Application`].
    pub fn prepare(&self, bucket: &str, region: &str, application: &str) -> Result<(), Error> {
        self.server
            .store
            .create_bucket(bucket, region)
            .map_err(|error| Error::Bucket {
                bucket: bucket.to_owned(),
                reason: error.message().unwrap_or(error.code().as_str()).to_owned(),
            })?;
        self.server
            .codedeploy
            .ensure(region, application)
            .map_err(|failure| Error::Application {
                application: application.to_owned(),
                region: region.to_owned(),
                reason: failure.message,
            })
    }

    /// The ids of the multipart uploads that are neither completed nor aborted.
    #[must_use]
    pub fn open_uploads(&self) -> Vec<String> {
        self.server.store.open_uploads()
    }

    /// Takes no more connections, gives the open ones two seconds to finish, and ends.
    pub async fn shutdown(self) {
        drop(self.stop);
        // It fails only if the task panicked, and then it has ended too.
        drop(self.task.await);
    }
}

/// The endpoint without a port: what a fuzzer writes to, which has no time for sockets.
#[doc(hidden)]
pub struct Unconnected(Arc<Server>);

impl Unconnected {
    /// Opens the state under `dir`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(Server::open(dir, None)?)))
    }

    /// Answers what comes on `stream` until it ends.
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

/// Opens the state and takes the lock on it.
fn open(dir: &Path, faults: Option<Faults>) -> Result<(Server, File), Error> {
    let unusable = |source| Error::Directory {
        dir: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(unusable)?;
    let lock = File::create(dir.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::InUse {
                dir: dir.to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    Ok((Server::open(dir, faults).map_err(unusable)?, lock))
}
