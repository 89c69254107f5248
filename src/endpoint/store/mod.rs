//! Buckets, objects and multipart uploads on disk.
//!
//! The disk is the only truth: nothing but unfinished uploads is kept in memory, so state survives
//! a restart and a file removed by hand is gone. What is committed becomes visible by a rename
//! within the same directory tree; nothing is synced to the device, since this store serves tests
//! and one machine, not durability.
//!
//! ```text
//! DIR/buckets/BUCKET/bucket.json               region, time of creation, versioning
//! DIR/buckets/BUCKET/objects/KEY               the newest version of each object, plain
//! DIR/buckets/BUCKET/metadata/KEY.json         its ETag, checksum, headers and parts
//! DIR/buckets/BUCKET/versions/KEY/ID{,.json}   older versions, in versioned buckets
//! DIR/buckets/BUCKET/uploads/ID/               unfinished multipart uploads
//! DIR/buckets/BUCKET/tmp/                      objects on their way in
//! ```
//!
//! `KEY` is the object's key as a path, escaped where it must be (see [`super::keys`]).

mod complete;
mod listing;
mod object;
mod receive;
mod upload;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ids;

pub(crate) use complete::{Completion, CompletionPart};
pub(crate) use listing::{Listed, Page, Query};
pub(crate) use object::{Attributes, Object, Precondition, precondition_failed};
pub(crate) use receive::receive;
pub(crate) use upload::{Declared, Part, Upload, UploadSpec, incomplete_body};

/// Smallest size of a part that is not the last, in bytes ("Amazon S3 multipart upload limits").
pub(crate) const MIN_PART: u64 = 5 << 20;
/// Largest size of a part, and of an object in one request, in bytes (same page).
pub(crate) const MAX_PART: u64 = 5 << 30;
/// Largest part number (same page).
pub(crate) const MAX_PART_NUMBER: u16 = 10_000;

/// Everything under the endpoint's directory but CodeDeploy's part of it.
pub(crate) struct Store {
    buckets: PathBuf,
    /// Held while files are renamed into or out of sight, so that an object's two files change
    /// together.
    commit: Mutex<()>,
    uploads: Mutex<HashMap<String, Arc<Upload>>>,
    /// Whether a Complete is answered again.
    repeats: bool,
}

/// What `bucket.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bucket {
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) created_ms: u64,
    #[serde(default)]
    pub(crate) versioning: Versioning,
}

/// Whether a bucket keeps old versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    /// Never turned on.
    #[default]
    Off,
    Enabled,
    Suspended,
}

impl Store {
    /// Opens the store under `dir` (created if missing) and takes up the unfinished uploads found
    /// there. `repeats`: see [`complete_upload`](Self::complete_upload).
    pub(crate) fn open(dir: &Path, repeats: bool) -> io::Result<Self> {
        let store = Self {
            buckets: dir.join("buckets"),
            commit: Mutex::default(),
            uploads: Mutex::default(),
            repeats,
        };
        fs::create_dir_all(&store.buckets)?;
        for bucket in fs::read_dir(&store.buckets)? {
            let bucket = bucket?;
            let Ok(name) = bucket.file_name().into_string() else {
                continue;
            };
            // Objects that were on their way in when the last process ended.
            remove_dir_if_there(&bucket.path().join("tmp"))?;
            for upload in read_dir_if_there(&bucket.path().join("uploads"))? {
                if let Some(upload) = Upload::load(&name, &upload?.path())? {
                    lock(&store.uploads).insert(upload.id.clone(), Arc::new(upload));
                }
            }
        }
        Ok(store)
    }

    /// Makes the bucket `name` if it is missing; tells whether it was.
    ///
    /// # Errors
    ///
    /// `InvalidBucketName`.
    pub(crate) fn create_bucket(&self, name: &str, region: &str) -> S3Result<bool> {
        if !s3s::path::check_bucket_name(name) {
            return Err(s3_error!(
                InvalidBucketName,
                "The specified bucket is not valid: {name}"
            ));
        }
        let _commit = lock(&self.commit);
        if self.bucket(name).is_ok() {
            return Ok(false);
        }
        self.save_bucket(&Bucket {
            name: name.to_owned(),
            region: region.to_owned(),
            created_ms: ids::now_ms(),
            versioning: Versioning::Off,
        })?;
        Ok(true)
    }

    fn save_bucket(&self, bucket: &Bucket) -> S3Result<()> {
        write_json(&self.buckets.join(&bucket.name).join("bucket.json"), bucket)
    }

    /// The bucket `name`.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`.
    pub(crate) fn bucket(&self, name: &str) -> S3Result<Bucket> {
        // s3s checks the names in paths, but a copy source is just text.
        let found = if s3s::path::check_bucket_name(name) {
            read_json::<Bucket>(&self.buckets.join(name).join("bucket.json"))?
        } else {
            None
        };
        let mut bucket =
            found.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))?;
        name.clone_into(&mut bucket.name);
        Ok(bucket)
    }

    /// All buckets in order of their names.
    pub(crate) fn buckets(&self) -> S3Result<Vec<Bucket>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.buckets).map_err(disk(&self.buckets))? {
            let name = entry.map_err(disk(&self.buckets))?.file_name();
            if let Some(bucket) = name.to_str().and_then(|name| self.bucket(name).ok()) {
                buckets.push(bucket);
            }
        }
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(buckets)
    }

    /// Turns versioning of a bucket on or, once on, to suspended.
    pub(crate) fn set_versioning(&self, name: &str, versioning: Versioning) -> S3Result<()> {
        let _commit = lock(&self.commit);
        let mut bucket = self.bucket(name)?;
        bucket.versioning = versioning;
        self.save_bucket(&bucket)
    }

    /// Removes a bucket without objects; its unfinished uploads go with it.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, `BucketNotEmpty`.
    pub(crate) fn delete_bucket(&self, name: &str) -> S3Result<()> {
        let _commit = lock(&self.commit);
        self.bucket(name)?;
        let dir = self.buckets.join(name);
        for kept in ["objects", "versions"] {
            if has_files(&dir.join(kept)).map_err(disk(&dir))? {
                return Err(s3_error!(
                    BucketNotEmpty,
                    "The bucket you tried to delete is not empty"
                ));
            }
        }
        lock(&self.uploads).retain(|_, upload| upload.bucket != name);
        fs::remove_dir_all(&dir).map_err(disk(&dir))
    }

    /// A new file in the bucket for an object on its way in.
    pub(crate) fn incoming(&self, bucket: &str) -> Incoming {
        Incoming(self.buckets.join(bucket).join("tmp").join(ids::unique()))
    }
}

/// A temporary file, removed when dropped unless it was moved into place.
pub(crate) struct Incoming(PathBuf);

impl Incoming {
    /// Creates the file.
    pub(crate) fn create(&self) -> S3Result<File> {
        let create = || {
            if let Some(parent) = self.0.parent() {
                fs::create_dir_all(parent)?;
            }
            File::create(&self.0)
        };
        create().map_err(disk(&self.0))
    }

    /// Moves the file to `path`.
    pub(crate) fn place(&self, path: &Path) -> S3Result<()> {
        fs::rename(&self.0, path).map_err(disk(path))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Missing when it was moved or never created; what stays is removed at the next start.
        drop(fs::remove_file(&self.0));
    }
}

/// Runs file work off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> S3Result<T> + Send + 'static,
) -> S3Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| s3_error!(InternalError, "file work stopped: {error}"))?
}

/// Locks a mutex whose data is whole even if another holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns a file error into one that names the path to the client: it runs on the same machine.
pub(crate) fn disk(path: &Path) -> impl Fn(io::Error) -> S3Error + '_ {
    move |error| {
        S3Error::with_message(
            S3ErrorCode::InternalError,
            format!("{}: {error}", path.display()),
        )
    }
}

/// Writes `value` beside `path` and renames it there; parent directories are made.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> S3Result<()> {
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let beside = path.with_file_name(format!(".{}", ids::unique()));
        fs::write(&beside, serde_json::to_vec(value)?)?;
        fs::rename(&beside, path).inspect_err(|_| drop(fs::remove_file(&beside)))
    };
    write().map_err(disk(path))
}

/// Reads what [`write_json`] wrote, or `None` if the file is missing.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> S3Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(
            serde_json::from_slice(&bytes).map_err(|error| disk(path)(error.into()))?,
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk(path)(error)),
    }
}

/// Opens `path` for writing at `offset`, making the file if it is missing.
fn open_at(path: &Path, offset: u64) -> io::Result<File> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

fn read_dir_if_there(
    path: &Path,
) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>> + use<>> {
    match fs::read_dir(path) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

fn remove_dir_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_if_there(path: &Path) -> S3Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(path)(error)),
        _ => Ok(()),
    }
}

fn has_files(dir: &Path) -> io::Result<bool> {
    for entry in read_dir_if_there(dir)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || has_files(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}
