//! The whole way of a push: plan, then pack and upload at the same time, then register.
//!
//! Packing runs on threads, uploading on tasks; parts cross from one to the other over a bounded
//! channel, so each side waits for the other and neither runs ahead. Whichever fails, or whoever
//! says stop, both ends are joined before this returns, and the error is the cause: never that
//! one side noticed the other's end.

mod error;
mod fingerprint;
pub mod prebuilt;
pub mod preflight;
mod prepare;
mod preview;
mod proof;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

pub use self::error::Error;
pub use self::preview::{Listed, Preview, preview};
pub use self::proof::Unproven;

use self::preflight::Preflight;
use self::prepare::Prepared;
use self::proof::{Memory, Proof};
use crate::appspec::Report;
use crate::archive::deflate::Level;
use crate::archive::limits::Limits;
use crate::archive::pack::{self, Packed};
use crate::archive::plan::{self, Notice};
use crate::aws::codedeploy::{self, Registrar, Registration, Revision};
use crate::aws::s3::S3Location;
use crate::aws::s3::{S3Object, Stored};
use crate::bundle::Content;
use crate::cancel::Cancel;
use crate::notes::Notes;
use crate::progress::Progress;
use crate::transfer::{self, CleanupHint, PartStore, Resume, UploadContext};
use crate::verify;

/// How often an upload begins again when somebody else writes the object at the same time, as S3 asks
/// for.
const AGAIN: u32 = 2;

/// What to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The directory, or the file.
    pub source: PathBuf,
    /// What of it is sent. Of a file that is sent as it is, only `concurrency` counts of what follows.
    pub content: Content,
    /// What goes in of a directory. Its number of threads is of no account: `threads` is.
    pub select: plan::Options,
    /// How hard to compress.
    pub level: Level,
    /// Let the link decide instead; the bytes are then not reproducible.
    pub auto: bool,
    /// Threads that read and compress.
    pub threads: usize,
    /// Requests at a time, memory permitting.
    pub concurrency: usize,
    /// How often each request is tried.
    pub attempts: u32,
    /// Bytes of memory to take, the plan aside; threads and concurrency are lowered to fit. None:
    /// [`MEMORY_TARGET`](crate::archive::limits::MEMORY_TARGET), or more if the archive's parts need it.
    pub memory: Option<u64>,
    /// Bytes a second that the store's client sends at most. It must keep to that by itself.
    pub bandwidth: Option<u64>,
    /// Whether to go on with an upload of the same object that was not finished; true: there is one,
    /// and nobody else is at it. Not with `auto`.
    pub resume: Option<bool>,
    /// Whether to compute [`Packed::digest`].
    pub digest: bool,
    /// Where the [manifest](crate::archive::manifest) goes when all is done, if one is wanted. A file that is
    /// sent as it is has none.
    pub manifest: Option<PathBuf>,
    /// Whether an error in the AppSpec file stops it.
    pub lint: bool,
}

/// Where to push it.
#[derive(Debug)]
pub struct Target<S> {
    /// The object.
    pub store: Arc<S>,
    /// What the object is called.
    pub location: S3Location,
    /// Who registers it.
    pub registrar: Registrar,
    /// What to ask before anything is sent.
    pub preflight: Option<Preflight>,
    /// The object, to be read back before it is registered.
    pub verify: Option<S3Object>,
    /// Gets what is no error.
    pub notes: Notes,
    /// Knows what to clean up by hand.
    pub underway: CleanupHint,
}

/// A bundle that is stored.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What went in.
    pub packed: Packed,
    /// As what the store keeps it.
    pub stored: Stored,
    /// What should be known of the source.
    pub notices: Vec<Notice>,
    /// What was found in the AppSpec file, if it was looked at.
    pub report: Option<Report>,
}

/// A bundle that is stored and registered.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// What was sent.
    pub sent: Sent,
    /// What was registered.
    pub revision: Revision,
    /// What was found when it was read back, if it was.
    pub verified: Option<verify::Report>,
}

/// Packs the bundle into its object and registers that as a revision.
///
/// # Errors
///
/// [`Error`]. Nothing is registered then, and no multipart upload is left unless
/// [`Error::left`] says so.
pub async fn push<S: PartStore>(
    bundle: &Bundle,
    target: &Target<S>,
    progress: &Arc<Progress>,
    cancel: &CancellationToken,
) -> Result<Pushed, Error> {
    let store = Arc::clone(&target.store);
    let gate = async {
        match &target.preflight {
            Some(preflight) => preflight.run().await.map_err(|error| match error {
                // As it is said when the upload finds out.
                preflight::Error::Bucket(error) => Error::Upload {
                    source_dir: bundle.source.clone(),
                    location: target.location.clone(),
                    error: Box::new(transfer::Cause::Store(error).into()),
                },
                error => Error::Preflight(error),
            }),
            None => Ok(()),
        }
    };
    let side = Side {
        bundle,
        location: &target.location,
        progress,
        cancel,
        notes: &target.notes,
        underway: &target.underway,
    };
    let (sent, proof) = send_if(gate, store, side).await?;
    let revision = Revision {
        location: target.location.clone(),
        bundle: bundle.content.bundle_type(),
        stored: sent.stored.clone(),
    };
    let mut verified = None;
    if let Some(object) = &target.verify {
        let holding = proof.hold(object.clone(), &sent.stored, bundle.content);
        let held = cancel.run_until_cancelled(holding).await;
        verified = match held.unwrap_or(Err(Unproven::Stopped)) {
            Ok(report) => Some(report),
            Err(error) => {
                let revision = Box::new(revision);
                return Err(Error::Unproven { error, revision });
            }
        };
    }
    let registration = Registration::from(&revision);
    let registering = target.registrar.register(&registration);
    let registered = cancel.run_until_cancelled(registering).await;
    let registered = registered.map(|done| done.map_err(codedeploy::Error::Call));
    match registered.unwrap_or(Err(codedeploy::Error::Stopped)) {
        Ok(()) => match proof.keep() {
            Ok(()) => Ok(Pushed {
                sent,
                revision,
                verified,
            }),
            Err(error) => Err(Error::Unlisted {
                error,
                revision: Box::new(revision),
            }),
        },
        Err(error) => Err(Error::Register {
            error,
            revision: Box::new(revision),
        }),
    }
}

/// Packs the bundle into its object.
///
/// # Errors
///
/// [`Error`]. No multipart upload is left unless [`Error::left`] says so.
pub async fn send<S: PartStore>(
    bundle: &Bundle,
    store: Arc<S>,
    location: &S3Location,
    progress: &Arc<Progress>,
    cancel: &CancellationToken,
) -> Result<Sent, Error> {
    let side = Side {
        bundle,
        location,
        progress,
        cancel,
        notes: &Notes::default(),
        underway: &CleanupHint::default(),
    };
    let (sent, proof) = send_if(async { Ok(()) }, store, side).await?;
    proof.keep().map_err(Error::Manifest)?;
    Ok(sent)
}

/// What stays the same on the whole way.
#[derive(Clone, Copy)]
struct Side<'a> {
    bundle: &'a Bundle,
    location: &'a S3Location,
    progress: &'a Arc<Progress>,
    cancel: &'a CancellationToken,
    notes: &'a Notes,
    underway: &'a CleanupHint,
}

/// Boxed, because types of requests in requests become too deep for the compiler.
type Sending<'a> = Pin<Box<dyn Future<Output = Result<(Sent, Proof), Error>> + Send + 'a>>;

/// Packs the bundle into its object, but nothing before `gate` says that it may be.
fn send_if<'a, S: PartStore>(
    gate: impl Future<Output = Result<(), Error>> + Send + 'a,
    store: Arc<S>,
    side: Side<'a>,
) -> Sending<'a> {
    Box::pin(async move {
        let stop = Cancel::new();
        // Threads know a flag only.
        let relay = async {
            side.cancel.cancelled().await;
            stop.cancel();
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            sent = send_all(gate, store, side, &stop) => sent,
            never = relay => match never {},
        }
    })
}

async fn send_all<S: PartStore>(
    gate: impl Future<Output = Result<(), Error>> + Send,
    store: Arc<S>,
    side: Side<'_>,
    stop: &Cancel,
) -> Result<(Sent, Proof), Error> {
    let prepared = prepare_while(gate, side.bundle, side.progress, side.cancel, stop).await?;
    let limits = prepared.limits(side.bundle)?;
    let prepared = Arc::new(prepared);
    let mut again = AGAIN;
    loop {
        match transfer(&prepared, limits, Arc::clone(&store), side, stop).await {
            Err(Error::Upload { error, .. })
                if matches!(error.cause, transfer::Cause::Conflict(_))
                    && error.left.is_none()
                    && again > 0 =>
            {
                again -= 1;
                side.notes.add(format!("the upload began again: {error}"));
            }
            done => return done,
        }
    }
}

/// Packs and uploads, at the same time.
async fn transfer<S: PartStore>(
    prepared: &Arc<Prepared>,
    limits: Limits,
    store: Arc<S>,
    side: Side<'_>,
    stop: &Cancel,
) -> Result<(Sent, Proof), Error> {
    let report = prepared.report().cloned();
    let memory = Memory::new(side.bundle).map_err(Error::Manifest)?;
    let (bundle, progress) = (side.bundle, side.progress);
    let (parts, received) = mpsc::channel(limits.queue);
    let packing = on_a_thread({
        let (bundle, stop, progress) = (bundle.clone(), stop.clone(), Arc::clone(progress));
        let prepared = Arc::clone(prepared);
        move || {
            memory.pack(&prepared, &bundle, limits, &stop, &progress, &mut |part| {
                parts.blocking_send(part).map_err(|_| pack::Error::Closed)
            })
        }
    });
    // Parts on their way are not waited for once there will never be a last one.
    let give_up = stop.child();
    let packing = async {
        // A panic is one more failure of the packer: what the upload leaves must still be told.
        let packed = packing.await.unwrap_or(Err(pack::Error::Worker));
        if packed.is_err() {
            give_up.cancel();
        }
        packed
    };
    let options = transfer::Options {
        concurrency: limits.concurrency,
        bandwidth: bundle.bandwidth,
        resume: bundle.resume.map(|insist| Resume {
            insist,
            fingerprint: fingerprint::fingerprint(bundle.level, bundle.content, prepared.digest()),
            part_size: limits.part_size,
        }),
    };
    let context = UploadContext {
        progress,
        cancel: &give_up,
        notes: side.notes,
        cleanup: side.underway,
    };
    let uploading = async {
        let stored = transfer::upload(store, received, &options, context).await;
        match &stored {
            // Everything is packed by then, and will be again.
            Ok(_)
            | Err(transfer::Error {
                cause: transfer::Cause::Conflict(_),
                ..
            }) => {}
            Err(_) => stop.cancel(),
        }
        stored
    };
    let (packed, stored) = tokio::join!(packing, uploading);
    match (packed, stored) {
        (Ok((packed, proof)), Ok(stored)) => {
            let sent = Sent {
                packed,
                stored,
                notices: prepared.notices().to_vec(),
                report,
            };
            Ok((sent, proof))
        }
        (packed, stored) => Err(cause(packed.err(), stored.err(), side)),
    }
}

/// Lists the source, and takes it for a revision, while `gate` opens. What is wrong with the source
/// is said first, whichever is known first.
async fn prepare_while(
    gate: impl Future<Output = Result<(), Error>> + Send,
    bundle: &Bundle,
    progress: &Arc<Progress>,
    cancel: &CancellationToken,
    stop: &Cancel,
) -> Result<Prepared, Error> {
    let mut preparing = std::pin::pin!(Prepared::new(bundle, progress, stop));
    let mut gate = std::pin::pin!(cancel.run_until_cancelled(gate));
    let (prepared, gate) = tokio::select! {
        prepared = &mut preparing => (prepared?, gate.await),
        gate = &mut gate => (preparing.await?, gate),
    };
    gate.unwrap_or(Err(Error::Stopped { left: None }))?;
    Ok(prepared)
}

/// Which of two failures caused the other.
fn cause(
    packing: Option<pack::Error>,
    uploading: Option<transfer::Error>,
    side: Side<'_>,
) -> Error {
    // These only say that the other side ended, or that somebody said stop.
    let packing =
        packing.filter(|error| !matches!(error, pack::Error::Closed | pack::Error::Stopped));
    let (uploading, left) = match uploading {
        Some(transfer::Error {
            cause: transfer::Cause::Unfinished | transfer::Cause::Stopped,
            left,
        }) => (None, left),
        Some(error) => {
            let left = error.left.clone();
            (Some(error), left)
        }
        None => (None, None),
    };
    match (packing, uploading) {
        (Some(error), _) => Error::Pack { error, left },
        (None, Some(error)) => Error::Upload {
            source_dir: side.bundle.source.clone(),
            location: side.location.clone(),
            error: Box::new(error),
        },
        (None, None) if side.cancel.is_cancelled() => Error::Stopped { left },
        (None, None) => Error::Panic,
    }
}

/// Runs blocking work on a thread of its own.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work)
        .await
        .map_err(|_: JoinError| Error::Panic)
}
