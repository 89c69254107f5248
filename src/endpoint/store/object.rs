//! Committed objects: one plain file with the bytes and one JSON file with everything else.
//!
//! The JSON describes a file of one size and time of modification. Where they disagree (the process
//! was killed between the two renames, or a person replaced the file) the file counts and is
//! described anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use s3s::dto::ETagCondition;
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::super::checksum::{Algorithm, Checksum, Sums};
use super::super::{ids, keys};
use super::receive::{Fidelity, copy_hashed};
use super::{Store, disk, lock, read_json, remove_if_there, write_json};

/// The version of an object written before the bucket was versioned.
const NULL_VERSION: &str = "null";

/// What a client says about an object beside its bytes. All of it is returned as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::endpoint) struct Attributes {
    pub(in crate::endpoint) content_type: Option<String>,
    pub(in crate::endpoint) content_encoding: Option<String>,
    pub(in crate::endpoint) content_language: Option<String>,
    pub(in crate::endpoint) content_disposition: Option<String>,
    pub(in crate::endpoint) cache_control: Option<String>,
    /// As HTTP writes it.
    pub(in crate::endpoint) expires: Option<String>,
    pub(in crate::endpoint) storage_class: Option<String>,
    pub(in crate::endpoint) encryption: Option<String>,
    pub(in crate::endpoint) kms_key: Option<String>,
    pub(in crate::endpoint) bucket_key: Option<bool>,
    pub(in crate::endpoint) tagging: Option<String>,
    pub(in crate::endpoint) website_redirect: Option<String>,
    /// The `x-amz-meta-` headers.
    pub(in crate::endpoint) metadata: BTreeMap<String, String>,
}

/// One version of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::endpoint) struct Object {
    pub(in crate::endpoint) key: String,
    pub(in crate::endpoint) size: u64,
    /// Without quotes.
    pub(in crate::endpoint) etag: String,
    pub(in crate::endpoint) checksum: Checksum,
    pub(in crate::endpoint) modified_ms: u64,
    pub(in crate::endpoint) attributes: Attributes,
    /// Set if the bucket was versioned when the object was written.
    pub(in crate::endpoint) version: Option<String>,
    pub(super) origin: Option<Origin>,
    /// The file's time of modification in nanoseconds since 1970.
    stamp_ns: u64,
}

/// The multipart upload an object came from, so that a repeated Complete can be answered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) upload: String,
    /// Number and ETag of each part.
    pub(super) parts: Vec<(i32, String)>,
}

impl Attributes {
    /// The attributes of a copy whose request says `given`: storage class, encryption, tags and
    /// redirect are the request's, all others are the source's (CopyObject in the S3 API reference).
    pub(in crate::endpoint) fn copied(&self, given: Self) -> Self {
        Self {
            content_type: self.content_type.clone(),
            content_encoding: self.content_encoding.clone(),
            content_language: self.content_language.clone(),
            content_disposition: self.content_disposition.clone(),
            cache_control: self.cache_control.clone(),
            expires: self.expires.clone(),
            metadata: self.metadata.clone(),
            ..given
        }
    }
}

/// Conditions of a write on the object that it would replace.
#[derive(Debug, Clone, Default)]
pub(in crate::endpoint) struct Precondition {
    pub(in crate::endpoint) if_match: Option<ETagCondition>,
    pub(in crate::endpoint) if_none_match: Option<ETagCondition>,
}

impl Precondition {
    /// Fails with `PreconditionFailed` (412), or `NoSuchKey` when `If-Match` meets no object.
    fn check(&self, current: Option<&Object>) -> S3Result<()> {
        match (&self.if_match, current) {
            (Some(_), None) => return Err(no_such_key()),
            (Some(wanted), Some(object)) if !object.matches(wanted) => {
                return Err(precondition_failed("If-Match"));
            }
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(object)) if object.matches(unwanted) => {
                Err(precondition_failed("If-None-Match"))
            }
            _ => Ok(()),
        }
    }
}

/// The error for a condition that did not hold.
pub(in crate::endpoint) fn precondition_failed(condition: &str) -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

fn no_such_version() -> S3Error {
    s3_error!(NoSuchVersion, "The specified version does not exist.")
}

impl Object {
    /// An object before it is committed.
    pub(super) fn new(
        key: &str,
        size: u64,
        etag: String,
        checksum: Checksum,
        attributes: Attributes,
    ) -> Self {
        Self {
            key: key.to_owned(),
            size,
            etag,
            checksum,
            modified_ms: ids::now_ms(),
            attributes,
            version: None,
            origin: None,
            stamp_ns: 0,
        }
    }

    /// An object whose bytes have `sums`, before it is committed.
    pub(in crate::endpoint) fn with_sums(
        key: &str,
        sums: &Sums,
        algorithm: Algorithm,
        attributes: Attributes,
    ) -> Self {
        let checksum = sums.checksum(algorithm);
        Self::new(key, sums.length, sums.etag(), checksum, attributes)
    }

    fn version_id(&self) -> &str {
        self.version.as_deref().unwrap_or(NULL_VERSION)
    }

    /// Whether an ETag condition names this object.
    pub(in crate::endpoint) fn matches(&self, condition: &ETagCondition) -> bool {
        match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == self.etag,
        }
    }
}

impl Store {
    /// The file with the bytes of the newest version of an object.
    fn object_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.objects(bucket).join(keys::to_path(key))
    }

    pub(super) fn objects(&self, bucket: &str) -> PathBuf {
        self.buckets.join(bucket).join("objects")
    }

    fn metadata_path(&self, bucket: &str, key: &str) -> PathBuf {
        let metadata = self.buckets.join(bucket).join("metadata");
        with_json(&metadata.join(keys::to_path(key)))
    }

    fn version_path(&self, bucket: &str, key: &str, version: &str) -> S3Result<PathBuf> {
        // Only what `ids::unique` makes may become part of a path.
        let is_ours = version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        if version != NULL_VERSION && !is_ours {
            return Err(no_such_version());
        }
        let versions = self.buckets.join(bucket).join("versions");
        Ok(versions.join(keys::to_path(key)).join(version))
    }

    /// The newest version of an object, or `None`. The caller holds the commit lock.
    fn current(&self, bucket: &str, key: &str) -> S3Result<Option<Object>> {
        let data = self.object_path(bucket, key);
        let found = match fs::metadata(&data) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk(&data)(error)),
        };
        let metadata = self.metadata_path(bucket, key);
        if let Some(object) = read_json::<Object>(&metadata)?
            && object.size == found.len()
            && object.stamp_ns == stamp_ns(&found)
        {
            return Ok(Some(object));
        }
        let mut file = File::open(&data).map_err(disk(&data))?;
        let sums = copy_hashed(&mut file, found.len(), &mut io::sink(), Fidelity::Exact);
        let sums = sums.map_err(disk(&data))?;
        let (algorithm, attributes) = (Algorithm::Crc64Nvme, Attributes::default());
        let mut object = Object::with_sums(key, &sums, algorithm, attributes);
        object.stamp_ns = stamp_ns(&found);
        write_json(&metadata, &object)?;
        Ok(Some(object))
    }

    /// The newest version of an object.
    pub(in crate::endpoint) fn find(&self, bucket: &str, key: &str) -> S3Result<Option<Object>> {
        self.bucket(bucket)?;
        let _commit = lock(&self.commit);
        self.current(bucket, key)
    }

    /// A version of an object, the newest one if none is named, and the file with its bytes.
    /// Fails with `NoSuchKey`, `NoSuchVersion`.
    pub(in crate::endpoint) fn open_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<(Object, File)> {
        self.bucket(bucket)?;
        let _commit = lock(&self.commit);
        let current = self.current(bucket, key)?;
        let (object, path) = match (version, current) {
            (None, None) => return Err(no_such_key()),
            (Some(version), current)
                if current.as_ref().map(Object::version_id) != Some(version) =>
            {
                let path = self.version_path(bucket, key, version)?;
                let object = read_json(&with_json(&path))?.ok_or_else(no_such_version)?;
                (object, path)
            }
            (_, Some(object)) => (object, self.object_path(bucket, key)),
            (Some(_), None) => return Err(no_such_version()),
        };
        let file = File::open(&path).map_err(disk(&path))?;
        Ok((object, file))
    }

    /// Makes `object` the newest version of its key; `place` moves its bytes to the path it is
    /// given.
    /// Fails with `NoSuchBucket`, `PreconditionFailed`, `NoSuchKey` and disk errors.
    pub(in crate::endpoint) fn commit(
        &self,
        bucket: &str,
        mut object: Object,
        precondition: &Precondition,
        place: impl FnOnce(&Path) -> S3Result<()>,
    ) -> S3Result<Object> {
        let _commit = lock(&self.commit);
        let versioned = self.bucket(bucket)?.versioned;
        let current = self.current(bucket, &object.key)?;
        precondition.check(current.as_ref())?;
        object.version = versioned.then(ids::unique);
        if let Some(old) = current.filter(|_| versioned) {
            self.archive(bucket, &old)?;
        }
        let data = self.object_path(bucket, &object.key);
        make_parent(&data)?;
        place(&data)?;
        if !self.keeps_bytes() {
            let file = super::open_at(&data, 0).and_then(|file| file.set_len(object.size));
            file.map_err(disk(&data))?;
        }
        object.stamp_ns = stamp_ns(&fs::metadata(&data).map_err(disk(&data))?);
        write_json(&self.metadata_path(bucket, &object.key), &object)?;
        Ok(object)
    }

    /// Moves the newest version among the older ones. The caller holds the commit lock.
    fn archive(&self, bucket: &str, object: &Object) -> S3Result<()> {
        let kept = self.version_path(bucket, &object.key, object.version_id())?;
        write_json(&with_json(&kept), object)?;
        let data = self.object_path(bucket, &object.key);
        fs::rename(&data, &kept).map_err(disk(&data))
    }

    /// Deletes an object. One that is not there counts as deleted.
    ///
    /// Returns whether the bucket is versioned: then the object is hidden behind a delete marker and
    /// kept among the older versions. The marker itself is not kept.
    pub(in crate::endpoint) fn delete(&self, bucket: &str, key: &str) -> S3Result<bool> {
        let versioned = self.bucket(bucket)?.versioned;
        let _commit = lock(&self.commit);
        if let Some(object) = self.current(bucket, key)?.filter(|_| versioned) {
            self.archive(bucket, &object)?;
        }
        for path in [
            self.metadata_path(bucket, key),
            self.object_path(bucket, key),
        ] {
            remove_if_there(&path)?;
            remove_empty_parents(&path);
        }
        Ok(versioned)
    }

    /// Copies `length` bytes of an open object from `offset` into `sink`, hashing them on the way.
    pub(in crate::endpoint) fn copy_bytes(
        source: &mut File,
        offset: u64,
        length: u64,
        sink: &mut File,
        fidelity: Fidelity,
    ) -> S3Result<Sums> {
        source
            .seek(SeekFrom::Start(offset))
            .and_then(|_| copy_hashed(source, length, sink, fidelity))
            .map_err(|error| {
                s3_error!(
                    InternalError,
                    "cannot copy {length} bytes from {offset}: {error}"
                )
            })
    }
}

/// `path` with `.json` appended to its last name.
fn with_json(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn make_parent(path: &Path) -> S3Result<()> {
    path.parent().map_or(Ok(()), |parent| {
        fs::create_dir_all(parent).map_err(disk(parent))
    })
}

/// Removes the directories above `path` that became empty, up to the bucket's own, which is never
/// empty.
fn remove_empty_parents(path: &Path) {
    for directory in path.ancestors().skip(1) {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
}

fn stamp_ns(file: &fs::Metadata) -> u64 {
    let since = file
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
