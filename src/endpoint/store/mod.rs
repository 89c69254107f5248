//! Buckets, objects and multipart uploads on disk.
//!
//! State must survive a restart, and a file that was removed by hand must be gone, so the disk is
//! the only truth: only unfinished uploads are kept in memory. What is committed becomes visible by
//! a rename within one directory tree. Files are not synced to the device, since the store serves
//! tests on one machine and need not be durable.
//!
//! ```text
//! DIR/buckets/BUCKET/bucket.json               region, time of creation, versioning
//! DIR/buckets/BUCKET/objects/KEY               the newest version of each object, plain
//! DIR/buckets/BUCKET/metadata/KEY.json         its ETag, checksum and headers
//! DIR/buckets/BUCKET/versions/KEY/ID{,.json}   older versions, in versioned buckets
//! DIR/buckets/BUCKET/uploads/ID/               unfinished multipart uploads
//! DIR/buckets/BUCKET/tmp/                      objects whose bytes are arriving
//! ```
//!
//! `KEY` is the object's key as a path, escaped where it must be (see [`super::keys`]).
//!
//! A store that discards counts and hashes all bytes and writes none of them: the files of its
//! objects have the right length, and no contents.

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

pub(super) use complete::{Completion, CompletionPart};
pub(super) use listing::{Listed, Page, Query};
pub(super) use object::{Attributes, Object, Precondition, precondition_failed};
pub(super) use receive::{Fidelity, receive};
pub(super) use upload::{Declared, Part, Slot, Upload, UploadSpec, incomplete_body};

/// Smallest size of a part that is not the last, in bytes ("Amazon S3 multipart upload limits").
pub(super) const MIN_PART: u64 = 5 << 20;
/// Largest size of a part, and of an object in one request, in bytes (same page).
pub(super) const MAX_PART: u64 = 5 << 30;
/// Largest part number (same page).
const MAX_PART_NUMBER: u16 = 10_000;

/// How a store differs from S3.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Behavior {
    /// A CompleteMultipartUpload that is repeated is answered as it was answered first.
    pub(super) repeats_completes: bool,
    /// The bytes of objects are counted and hashed, and not kept.
    pub(super) discards: bool,
}

/// Everything under the endpoint's directory but CodeDeploy's part of it.
pub(super) struct Store {
    buckets: PathBuf,
    /// Held while files are renamed, so that an object's two files change together.
    commit: Mutex<()>,
    uploads: Mutex<HashMap<String, Arc<Upload>>>,
    behavior: Behavior,
}

/// What `bucket.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    #[serde(skip)]
    pub(super) name: String,
    pub(super) region: String,
    pub(super) created_ms: u64,
    /// Whether older versions of objects are kept.
    #[serde(default)]
    pub(super) versioned: bool,
}

impl Store {
    /// Opens the store under `dir`, which is made if it is missing, with the unfinished uploads found
    /// there.
    pub(super) fn open(dir: &Path, behavior: Behavior) -> io::Result<Self> {
        let store = Self {
            buckets: dir.join("buckets"),
            commit: Mutex::default(),
            uploads: Mutex::default(),
            behavior,
        };
        fs::create_dir_all(&store.buckets)?;
        for bucket in fs::read_dir(&store.buckets)? {
            let bucket = bucket?;
            let Ok(name) = bucket.file_name().into_string() else {
                continue;
            };
            // Objects that were arriving when the last process ended.
            remove_dir_if_there(&bucket.path().join("tmp"))?;
            for upload in read_dir_if_there(&bucket.path().join("uploads"))? {
                if let Some(upload) = Upload::load(&name, &upload?.path())? {
                    lock(&store.uploads).insert(upload.id.clone(), Arc::new(upload));
                }
            }
        }
        Ok(store)
    }

    /// Makes the bucket `name`. Returns false if it is there already.
    /// Fails with `InvalidBucketName`.
    pub(super) fn create_bucket(&self, name: &str, region: &str) -> S3Result<bool> {
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
            versioned: false,
        })?;
        Ok(true)
    }

    fn save_bucket(&self, bucket: &Bucket) -> S3Result<()> {
        write_json(&self.buckets.join(&bucket.name).join("bucket.json"), bucket)
    }

    /// The bucket `name`.
    /// Fails with `NoSuchBucket`.
    pub(super) fn bucket(&self, name: &str) -> S3Result<Bucket> {
        // s3s checks the names in paths, but not the one in a copy's source.
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
    pub(super) fn buckets(&self) -> S3Result<Vec<Bucket>> {
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

    /// Lets a bucket keep older versions of its objects from now on.
    pub(super) fn keep_versions(&self, name: &str) -> S3Result<()> {
        let _commit = lock(&self.commit);
        let mut bucket = self.bucket(name)?;
        bucket.versioned = true;
        self.save_bucket(&bucket)
    }

    /// Removes a bucket without objects, together with its unfinished uploads.
    /// Fails with `NoSuchBucket`, `BucketNotEmpty`.
    pub(super) fn delete_bucket(&self, name: &str) -> S3Result<()> {
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

    /// A new file in the bucket for an object whose bytes arrive.
    pub(super) fn incoming(&self, bucket: &str) -> Incoming {
        Incoming(self.buckets.join(bucket).join("tmp").join(ids::unique()))
    }

    /// Whether the bytes of objects are kept.
    pub(super) fn keeps_bytes(&self) -> bool {
        !self.behavior.discards
    }
}

/// A temporary file, removed when dropped unless it was moved into place.
pub(super) struct Incoming(PathBuf);

impl Incoming {
    /// Creates the file.
    pub(super) fn create(&self) -> S3Result<File> {
        let create = || {
            if let Some(parent) = self.0.parent() {
                fs::create_dir_all(parent)?;
            }
            File::create(&self.0)
        };
        create().map_err(disk(&self.0))
    }

    /// Moves the file to `path`.
    pub(super) fn place(&self, path: &Path) -> S3Result<()> {
        fs::rename(&self.0, path).map_err(disk(path))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // The file is missing when it was moved or never created. One that cannot be removed is
        // removed at the next start.
        drop(fs::remove_file(&self.0));
    }
}

/// Runs file work off the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> S3Result<T> + Send + 'static,
) -> S3Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| s3_error!(InternalError, "file work stopped: {error}"))?
}

/// Locks a mutex whose data is valid even if another holder panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns a file error into one that names the path. The client runs on the same machine, so the path
/// is no secret.
pub(super) fn disk(path: &Path) -> impl Fn(io::Error) -> S3Error + '_ {
    move |error| {
        S3Error::with_message(
            S3ErrorCode::InternalError,
            format!("{}: {error}", path.display()),
        )
    }
}

/// Writes `value` beside `path` and renames it there; parent directories are made.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> S3Result<()> {
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
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> S3Result<Option<T>> {
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
