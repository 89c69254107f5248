//! Committed objects: one plain file with the bytes and one JSON file with all the rest.
//!
//! The JSON describes a file of one size and time of modification. Where they disagree (the process
//! was killed between the two renames, or somebody replaced the file by hand) the file wins and is
//! described anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::super::checksum::{Algorithm, Checksum, Hasher, Sums};
use super::super::{ids, keys};
use super::receive::pump;
use super::{
    Store, Versioning, disk, lock, read_dir_if_there, read_json, remove_if_there, write_json,
};

/// The version of an object written while versioning was not enabled.
const NULL_VERSION: &str = "null";

/// What a client says about an object beside its bytes. Everything is returned as it came; nothing
/// is interpreted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) cache_control: Option<String>,
    /// As HTTP writes it.
    pub(crate) expires: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) tagging: Option<String>,
    pub(crate) website_redirect: Option<String>,
    /// The `x-amz-meta-` headers.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// One version of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) size: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Checksum,
    pub(crate) modified_ms: u64,
    pub(crate) attributes: Attributes,
    /// Set if the bucket was ever versioned when the object was written.
    pub(crate) version: Option<String>,
    /// The multipart upload it came from.
    pub(crate) origin: Option<Origin>,
    /// The file's time of modification in nanoseconds since 1970.
    stamp_ns: u64,
}

/// The multipart upload an object came from, so that a repeated Complete can be answered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) upload: String,
    pub(crate) parts: Vec<OriginPart>,
}

/// A part an object was joined from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OriginPart {
    pub(crate) number: u16,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) size: u64,
}

impl Attributes {
    /// The attributes of a copy whose request says `given`: storage class, encryption, tags and
    /// redirect are the request's, all else is the source's (CopyObject in the S3 API reference).
    pub(crate) fn copied(&self, given: Self) -> Self {
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

/// Conditions on the object that is in place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Precondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl Precondition {
    /// Checks a write against the object it would replace.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` (412), or `NoSuchKey` when `If-Match` meets no object.
    pub(crate) fn check_write(&self, current: Option<&Object>) -> S3Result<()> {
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
pub(crate) fn precondition_failed(condition: &str) -> s3s::S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

fn no_such_key() -> s3s::S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

impl Object {
    /// An object as it is before it is committed.
    pub(crate) fn new(key: &str, sums: &Sums, attributes: Attributes) -> Self {
        Self {
            key: key.to_owned(),
            size: sums.length,
            etag: sums.etag(),
            checksum: sums.checksum(),
            modified_ms: ids::now_ms(),
            attributes,
            version: None,
            origin: None,
            stamp_ns: 0,
        }
    }

    /// An object joined from the parts of a multipart upload, before it is committed.
    pub(super) fn joined(
        key: &str,
        size: u64,
        etag: String,
        checksum: Checksum,
        attributes: Attributes,
        origin: Origin,
    ) -> Self {
        Self {
            key: key.to_owned(),
            size,
            etag,
            checksum,
            modified_ms: ids::now_ms(),
            attributes,
            version: None,
            origin: Some(origin),
            stamp_ns: 0,
        }
    }

    /// The version's id in requests and responses.
    pub(crate) fn version_id(&self) -> &str {
        self.version.as_deref().unwrap_or(NULL_VERSION)
    }

    /// The bytes of the part `number`, and of a multipart object the number of its parts.
    pub(crate) fn part_range(&self, number: i32) -> Option<(Range<u64>, Option<i32>)> {
        let Some(origin) = &self.origin else {
            return (number == 1).then_some((0..self.size, None));
        };
        let mut start = 0;
        for part in &origin.parts {
            let end = start + part.size;
            if i32::from(part.number) == number {
                return Some((start..end, i32::try_from(origin.parts.len()).ok()));
            }
            start = end;
        }
        None
    }

    /// Whether an ETag condition names this object.
    pub(crate) fn matches(&self, condition: &ETagCondition) -> bool {
        match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == self.etag,
        }
    }
}

/// What a delete did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The object is hidden, its versions are kept.
    pub(crate) marker: bool,
}

impl Store {
    /// The plain file of the newest version of an object, whether or not there is one.
    pub(crate) fn object_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.objects(bucket).join(keys::to_path(key))
    }

    pub(super) fn objects(&self, bucket: &str) -> PathBuf {
        self.buckets.join(bucket).join("objects")
    }

    fn metadata_path(&self, bucket: &str, key: &str) -> PathBuf {
        with_json(
            &self
                .buckets
                .join(bucket)
                .join("metadata")
                .join(keys::to_path(key)),
        )
    }

    pub(super) fn versions(&self, bucket: &str) -> PathBuf {
        self.buckets.join(bucket).join("versions")
    }

    fn versions_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.versions(bucket).join(keys::to_path(key))
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
        let sums = pump(
            &mut file,
            found.len(),
            &mut io::sink(),
            Hasher::new(Some(Algorithm::Crc64Nvme)),
        )
        .map_err(disk(&data))?;
        let mut object = Object::new(key, &sums, Attributes::default());
        object.stamp_ns = stamp_ns(&found);
        write_json(&metadata, &object)?;
        Ok(Some(object))
    }

    /// The newest version of an object.
    pub(crate) fn find(&self, bucket: &str, key: &str) -> S3Result<Option<Object>> {
        self.bucket(bucket)?;
        let _commit = lock(&self.commit);
        self.current(bucket, key)
    }

    /// Opens a version of an object, the newest one if none is named.
    ///
    /// # Errors
    ///
    /// `NoSuchKey`, `NoSuchVersion`.
    pub(crate) fn open_object(
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
            (None, Some(object)) => (object, self.object_path(bucket, key)),
            (Some(version), Some(object)) if object.version_id() == version => {
                (object, self.object_path(bucket, key))
            }
            (Some(version), _) => {
                let path = self.version_path(bucket, key, version)?;
                let object = read_json(&with_json(&path))?.ok_or_else(|| {
                    s3_error!(NoSuchVersion, "The specified version does not exist.")
                })?;
                (object, path)
            }
        };
        let file = File::open(&path).map_err(disk(&path))?;
        Ok((object, file))
    }

    fn version_path(&self, bucket: &str, key: &str, version: &str) -> S3Result<PathBuf> {
        // Only what `ids::unique` makes may become part of a path.
        if version != NULL_VERSION
            && !(version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(s3_error!(
                NoSuchVersion,
                "The specified version does not exist."
            ));
        }
        Ok(self.versions_path(bucket, key).join(version))
    }

    /// Makes `object` the newest version of its key; `place` moves its bytes to the path it is
    /// given.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, what [`Precondition::check_write`] says, and disk errors.
    pub(crate) fn commit(
        &self,
        bucket: &str,
        mut object: Object,
        precondition: &Precondition,
        place: impl FnOnce(&Path) -> S3Result<()>,
    ) -> S3Result<Object> {
        let _commit = lock(&self.commit);
        let versioning = self.bucket(bucket)?.versioning;
        let current = self.current(bucket, &object.key)?;
        precondition.check_write(current.as_ref())?;
        object.version = match versioning {
            Versioning::Off => None,
            Versioning::Enabled => Some(ids::unique()),
            Versioning::Suspended => Some(NULL_VERSION.to_owned()),
        };
        if let Some(old) = current {
            let overwritten = old.version.is_none() || old.version == object.version;
            if versioning == Versioning::Enabled
                || (versioning == Versioning::Suspended && !overwritten)
            {
                self.archive(bucket, &old)?;
            }
        }
        if versioning == Versioning::Suspended {
            let null = self.version_path(bucket, &object.key, NULL_VERSION)?;
            remove_if_there(&with_json(&null))?;
            remove_if_there(&null)?;
        }
        let data = self.object_path(bucket, &object.key);
        make_parent(&data)?;
        place(&data)?;
        object.stamp_ns = stamp_ns(&fs::metadata(&data).map_err(disk(&data))?);
        write_json(&self.metadata_path(bucket, &object.key), &object)?;
        Ok(object)
    }

    /// Moves the newest version among the older ones. The caller holds the commit lock.
    fn archive(&self, bucket: &str, object: &Object) -> S3Result<()> {
        let version = object.version_id();
        let kept = self.version_path(bucket, &object.key, version)?;
        write_json(&with_json(&kept), object)?;
        let data = self.object_path(bucket, &object.key);
        fs::rename(&data, &kept).map_err(disk(&data))
    }

    /// Deletes an object, or one version of it. What is not there counts as deleted.
    ///
    /// In a versioned bucket a delete without version keeps the object among the older versions.
    /// The marker itself is not kept as a version.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<Deleted> {
        let versioning = self.bucket(bucket)?.versioning;
        let _commit = lock(&self.commit);
        let current = self.current(bucket, key)?;
        let mut deleted = Deleted::default();
        match version {
            None => {
                if versioning != Versioning::Off {
                    deleted.marker = true;
                    if let Some(object) = &current {
                        self.archive(bucket, object)?;
                    }
                }
                self.remove_current(bucket, key)?;
            }
            Some(version) => {
                let named = |object: &Object| object.version_id() == version;
                if current.as_ref().is_some_and(named) {
                    self.remove_current(bucket, key)?;
                    self.restore_newest(bucket, key)?;
                } else {
                    let path = self.version_path(bucket, key, version)?;
                    remove_if_there(&with_json(&path))?;
                    remove_if_there(&path)?;
                    prune(&path);
                }
            }
        }
        Ok(deleted)
    }

    fn remove_current(&self, bucket: &str, key: &str) -> S3Result<()> {
        for path in [
            self.metadata_path(bucket, key),
            self.object_path(bucket, key),
        ] {
            remove_if_there(&path)?;
            prune(&path);
        }
        Ok(())
    }

    /// The older versions of a key, newest first. The caller holds the commit lock.
    fn archived(&self, bucket: &str, key: &str) -> S3Result<Vec<Object>> {
        let dir = self.versions_path(bucket, key);
        let mut found = Vec::new();
        for entry in read_dir_if_there(&dir).map_err(disk(&dir))? {
            let path = entry.map_err(disk(&dir))?.path();
            // A key below this one may have its directory here.
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
                && path.is_file()
                && let Some(object) = read_json::<Object>(&path)?
                && object.key == key
            {
                found.push(object);
            }
        }
        found.sort_by(|a, b| (b.modified_ms, &b.version).cmp(&(a.modified_ms, &a.version)));
        Ok(found)
    }

    /// All versions of a key, newest first.
    pub(super) fn versions_of(&self, bucket: &str, key: &str) -> S3Result<Vec<(Object, bool)>> {
        let _commit = lock(&self.commit);
        let current = self.current(bucket, key)?.map(|object| (object, true));
        let older = self
            .archived(bucket, key)?
            .into_iter()
            .map(|object| (object, false));
        Ok(current.into_iter().chain(older).collect())
    }

    /// Makes the newest of the older versions the current one again.
    fn restore_newest(&self, bucket: &str, key: &str) -> S3Result<()> {
        let newest = self.archived(bucket, key)?.into_iter().next();
        if let Some(object) = newest {
            let kept = self.version_path(bucket, key, object.version_id())?;
            let data = self.object_path(bucket, key);
            make_parent(&data)?;
            fs::rename(&kept, &data).map_err(disk(&kept))?;
            write_json(&self.metadata_path(bucket, key), &object)?;
            remove_if_there(&with_json(&kept))?;
            prune(&kept);
        }
        Ok(())
    }

    /// Copies `length` bytes of an open object from `offset` into `sink`, hashing them on the way.
    pub(crate) fn copy_bytes(
        source: &mut File,
        offset: u64,
        length: u64,
        sink: &mut File,
        algorithm: Option<Algorithm>,
    ) -> S3Result<Sums> {
        source
            .seek(SeekFrom::Start(offset))
            .and_then(|_| pump(source, length, sink, Hasher::new(algorithm)))
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

/// Removes the directories above `path` that became empty, up to the bucket's own (which is never
/// empty).
fn prune(path: &Path) {
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
