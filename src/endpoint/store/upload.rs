//! Unfinished multipart uploads. Their parts are laid out so that completing needs no copy.
//!
//! All parts of one size share one file, each at (part number - 1) × size. Clients send parts of
//! equal size but for the last, so that file *is* the object once the last part is put behind the
//! others. A part whose place is taken (a client replaces it, or retries it while the first attempt
//! still runs) gets a file of its own, so no attempt ever writes over bytes that were accepted.
//!
//! ```text
//! uploads/ID/upload.json    key, headers, declared checksum
//! uploads/ID/parts.jsonl    one line for each accepted part; the last line of a number counts
//! uploads/ID/parts-SIZE     all parts of SIZE bytes
//! uploads/ID/part-N-ID      a part that has a file of its own
//! ```

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::super::checksum::{Algorithm, Kind, Sums};
use super::super::ids;
use super::{
    Attributes, MAX_PART_NUMBER, Page, Query, Store, disk, lock, open_at, read_json,
    remove_dir_if_there, write_json,
};

/// The checksum declared when the upload was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::endpoint) struct Declared {
    pub(in crate::endpoint) algorithm: Algorithm,
    pub(in crate::endpoint) kind: Kind,
}

/// What is known of an upload from the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::endpoint) struct UploadSpec {
    pub(in crate::endpoint) key: String,
    pub(in crate::endpoint) initiated_ms: u64,
    pub(in crate::endpoint) declared: Option<Declared>,
    pub(in crate::endpoint) attributes: Attributes,
}

/// A part that was accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::endpoint) struct Part {
    pub(in crate::endpoint) number: u16,
    pub(in crate::endpoint) sums: Sums,
    pub(in crate::endpoint) modified_ms: u64,
    /// The part's own file, if it does not lie in the one shared by parts of its size.
    pub(super) own_file: Option<String>,
}

impl Part {
    pub(in crate::endpoint) fn size(&self) -> u64 {
        self.sums.length
    }
}

/// An unfinished multipart upload.
pub(in crate::endpoint) struct Upload {
    /// Sorts by time of creation.
    pub(in crate::endpoint) id: String,
    pub(in crate::endpoint) bucket: String,
    pub(in crate::endpoint) spec: UploadSpec,
    pub(super) dir: PathBuf,
    pub(super) state: Mutex<State>,
    /// Held by the one Complete or Abort that runs.
    pub(super) ending: Mutex<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) parts: BTreeMap<u16, Part>,
    /// Places that are being written: size and part number.
    pub(super) busy: HashSet<(u64, u16)>,
    /// The upload takes no more parts.
    pub(super) ended: bool,
}

/// The place where one part is written. Unless [`Upload::accept`] takes it, dropping it frees the
/// place.
pub(in crate::endpoint) struct Slot {
    upload: Arc<Upload>,
    number: u16,
    size: u64,
    own_file: Option<String>,
    accepted: bool,
}

/// The error for a body that is shorter or longer than its announced length.
pub(in crate::endpoint) fn incomplete_body() -> S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header."
    )
}

pub(super) fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed."
    )
}

impl Upload {
    /// Loads the upload in the directory `dir`, or returns `None` if it was never begun.
    pub(super) fn load(bucket: &str, dir: &Path) -> io::Result<Option<Self>> {
        let spec = read_json(&dir.join("upload.json")).map_err(io::Error::other)?;
        let id = dir.file_name().and_then(|name| name.to_str());
        let (Some(spec), Some(id)) = (spec, id) else {
            return Ok(None);
        };
        let path = dir.join("parts.jsonl");
        let journal = fs::read_to_string(&path).unwrap_or_default();
        let mut state = State::default();
        // A line cut short by a crash belongs to a part that was never acknowledged. The next line
        // must not be appended to it.
        if !journal.is_empty() && !journal.ends_with('\n') {
            let mut file = fs::OpenOptions::new().append(true).open(&path)?;
            file.write_all(b"\n")?;
        }
        for part in journal
            .lines()
            .filter_map(|line| serde_json::from_str::<Part>(line).ok())
        {
            state.parts.insert(part.number, part);
        }
        Ok(Some(Self {
            id: id.to_owned(),
            bucket: bucket.to_owned(),
            spec,
            dir: dir.to_owned(),
            state: Mutex::new(state),
            ending: Mutex::default(),
        }))
    }

    /// Checks the algorithm of the checksum sent with a part, before any byte is read.
    /// Fails with `InvalidRequest` when another algorithm was declared, or when none was sent and
    /// the object's checksum will be a composite one.
    pub(in crate::endpoint) fn check_claim(&self, claimed: Option<Algorithm>) -> S3Result<()> {
        let Some(declared) = self.spec.declared else {
            return Ok(());
        };
        let fits = match claimed {
            Some(algorithm) => algorithm == declared.algorithm,
            None => declared.kind == Kind::FullObject,
        };
        if fits {
            return Ok(());
        }
        Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            declared.algorithm.name().to_ascii_lowercase(),
            claimed.map_or("null".to_owned(), |claimed| claimed
                .name()
                .to_ascii_lowercase())
        ))
    }

    /// Reserves a place for `size` bytes of part `number`.
    /// Fails with `InvalidArgument` for a number out of range, `NoSuchUpload`.
    pub(in crate::endpoint) fn claim(self: &Arc<Self>, number: i32, size: u64) -> S3Result<Slot> {
        let number = u16::try_from(number)
            .ok()
            .filter(|number| (1..=MAX_PART_NUMBER).contains(number))
            .ok_or_else(|| {
                s3_error!(
                    InvalidArgument,
                    "Part number must be an integer between 1 and 10000, inclusive"
                )
            })?;
        let mut state = lock(&self.state);
        if state.ended {
            return Err(no_such_upload());
        }
        let held = state
            .parts
            .get(&number)
            .is_some_and(|part| part.size() == size && part.own_file.is_none());
        let free = !held && state.busy.insert((size, number));
        Ok(Slot {
            upload: Arc::clone(self),
            number,
            size,
            own_file: (!free).then(|| format!("part-{number}-{}", ids::unique())),
            accepted: false,
        })
    }

    /// Accepts a part that was written and verified.
    /// Fails with `NoSuchUpload` when the upload ended meanwhile, `IncompleteBody` when bytes are
    /// missing.
    pub(in crate::endpoint) fn accept(&self, mut slot: Slot, sums: Sums) -> S3Result<Part> {
        if sums.length != slot.size {
            return Err(incomplete_body());
        }
        let part = Part {
            number: slot.number,
            sums,
            modified_ms: ids::now_ms(),
            own_file: slot.own_file.clone(),
        };
        let mut line = serde_json::to_vec(&part).map_err(|error| disk(&self.dir)(error.into()))?;
        line.push(b'\n');
        let mut state = lock(&self.state);
        if state.ended {
            return Err(no_such_upload());
        }
        let journal = self.dir.join("parts.jsonl");
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&journal)
            .and_then(|mut file| file.write_all(&line))
            .map_err(disk(&journal))?;
        slot.accepted = true;
        let replaced = state.parts.insert(part.number, part.clone());
        drop(state);
        if let Some(file) = replaced.and_then(|part| part.own_file) {
            drop(fs::remove_file(self.dir.join(file)));
        }
        Ok(part)
    }

    /// The accepted parts after `marker`, at most `limit`, and whether there are more.
    pub(in crate::endpoint) fn parts(&self, marker: u16, limit: usize) -> (Vec<Part>, bool) {
        let state = lock(&self.state);
        let mut rest = state
            .parts
            .range(marker.saturating_add(1)..)
            .map(|(_, part)| part.clone());
        let page = rest.by_ref().take(limit).collect();
        (page, rest.next().is_some())
    }

    /// The file that holds a part, and where in it the part begins.
    pub(super) fn place(&self, part: &Part) -> (PathBuf, u64) {
        match &part.own_file {
            Some(file) => (self.dir.join(file), 0),
            None => (
                self.shared_file(part.size()),
                offset(part.number, part.size()),
            ),
        }
    }

    pub(super) fn shared_file(&self, size: u64) -> PathBuf {
        self.dir.join(format!("parts-{size}"))
    }
}

/// Where the shared file of parts of `size` bytes holds part `number`.
fn offset(number: u16, size: u64) -> u64 {
    u64::from(number.saturating_sub(1)).saturating_mul(size)
}

impl Slot {
    /// Opens the part's place for writing.
    pub(in crate::endpoint) fn open(&self) -> S3Result<File> {
        let (path, offset) = match &self.own_file {
            Some(file) => (self.upload.dir.join(file), 0),
            None => (
                self.upload.shared_file(self.size),
                offset(self.number, self.size),
            ),
        };
        // Held while opening, so that no file appears in a directory that an abort removes.
        let state = lock(&self.upload.state);
        if state.ended {
            return Err(no_such_upload());
        }
        open_at(&path, offset).map_err(disk(&path))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match &self.own_file {
            Some(file) if !self.accepted => drop(fs::remove_file(self.upload.dir.join(file))),
            Some(_) => {}
            None => {
                lock(&self.upload.state)
                    .busy
                    .remove(&(self.size, self.number));
            }
        }
    }
}

impl Store {
    /// Begins a multipart upload.
    pub(in crate::endpoint) fn begin_upload(
        &self,
        bucket: &str,
        spec: UploadSpec,
    ) -> S3Result<Arc<Upload>> {
        let id = ids::unique();
        let upload = Arc::new(Upload {
            dir: self.buckets.join(bucket).join("uploads").join(&id),
            bucket: bucket.to_owned(),
            spec,
            state: Mutex::default(),
            ending: Mutex::default(),
            id,
        });
        let _commit = lock(&self.commit);
        self.bucket(bucket)?;
        write_json(&upload.dir.join("upload.json"), &upload.spec)?;
        lock(&self.uploads).insert(upload.id.clone(), Arc::clone(&upload));
        Ok(upload)
    }

    /// The unfinished upload `id` of the object `key`.
    /// Fails with `NoSuchBucket`, `NoSuchUpload`.
    pub(in crate::endpoint) fn upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<Arc<Upload>> {
        self.bucket(bucket)?;
        lock(&self.uploads)
            .get(id)
            .filter(|upload| upload.bucket == bucket && upload.spec.key == key)
            .map(Arc::clone)
            .ok_or_else(no_such_upload)
    }

    /// The ids of all unfinished uploads, in order of their creation.
    pub(in crate::endpoint) fn open_uploads(&self) -> Vec<String> {
        let mut ids: Vec<String> = lock(&self.uploads).keys().cloned().collect();
        ids.sort();
        ids
    }

    /// One page of the unfinished uploads in a bucket, ordered by key and time of creation.
    ///
    /// With `after_id`, uploads of the key `query.after` with later ids are listed too.
    pub(in crate::endpoint) fn list_uploads(
        &self,
        bucket: &str,
        query: &Query,
        after_id: Option<&str>,
    ) -> S3Result<Page<Arc<Upload>>> {
        self.bucket(bucket)?;
        let mut uploads: Vec<Arc<Upload>> = lock(&self.uploads)
            .values()
            .filter(|upload| upload.bucket == bucket)
            .filter(|upload| match after_id {
                Some(id) if upload.spec.key == query.after => upload.id.as_str() > id,
                _ => upload.spec.key > query.after,
            })
            .map(Arc::clone)
            .collect();
        uploads.sort_by(|a, b| (&a.spec.key, &a.id).cmp(&(&b.spec.key, &b.id)));
        Ok(query.page(uploads, |upload| &upload.spec.key))
    }

    /// Removes an upload with all its parts.
    /// Fails with `NoSuchBucket`, `NoSuchUpload`.
    pub(in crate::endpoint) fn abort_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<()> {
        let upload = self.upload(bucket, key, id)?;
        let _ending = lock(&upload.ending);
        self.upload(bucket, key, id)?;
        lock(&upload.state).ended = true;
        self.forget_upload(&upload)
    }

    pub(super) fn forget_upload(&self, upload: &Upload) -> S3Result<()> {
        lock(&self.uploads).remove(&upload.id);
        remove_dir_if_there(&upload.dir).map_err(disk(&upload.dir))
    }
}
