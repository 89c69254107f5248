//! What an upload needs of a store: five calls that write, two that copy, and a few that look.

use std::future::Future;
use std::time::Duration;

use super::CLEANUP;
use crate::archive::pack::Part;
use crate::aws::call::Attempts;
use crate::aws::error::CallError;
use crate::aws::s3::{
    Copied, CopySource, ListedPart, Nonce, ObjectHead, S3Object, Stored, UnfinishedUpload,
    UploadId, UploadedPart,
};

/// Writes one object. An implementation repeats its requests where that may help, and records each attempt.
pub trait PartStore: Lookup + 'static {
    /// Stores a part that is the whole object, marked with `nonce`.
    fn put(
        &self,
        part: &Part,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> impl Future<Output = Result<Stored, CallError>> + Send;

    /// Creates a multipart upload, marked with `nonce`.
    fn create(
        &self,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> impl Future<Output = Result<UploadId, CallError>> + Send;

    /// Sends a part of it, and keeps no clone of its body afterwards: other parts wait for this memory.
    fn send(
        &self,
        upload: &UploadId,
        part: &Part,
        attempts: &Attempts,
    ) -> impl Future<Output = Result<UploadedPart, CallError>> + Send;

    /// Makes these parts, which are all and in order, the object.
    fn complete(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
        attempts: &Attempts,
    ) -> impl Future<Output = Result<Stored, CallError>> + Send;

    /// Copies a whole object of `size` bytes, marked with `nonce`.
    fn copy(
        &self,
        source: &CopySource,
        size: u64,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> impl Future<Output = Result<Copied, CallError>> + Send;

    /// Copies the bytes of an object from `start` on, or all of them, which are to be those of `part`, into
    /// that part of an upload.
    fn copy_part(
        &self,
        upload: &UploadId,
        source: &CopySource,
        start: Option<u64>,
        part: &UploadedPart,
        attempts: &Attempts,
    ) -> impl Future<Output = Result<Copied, CallError>> + Send;

    /// The object, as it was stored, as a source of copies.
    fn as_source(&self, stored: &Stored) -> CopySource;

    /// Whether writing fails if there is an object already.
    fn keeps_existing(&self) -> bool;

    /// Ends the upload and frees its parts, in one attempt.
    fn abort(&self, upload: &UploadId) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Looks at what a store has of one object.
pub trait Lookup: Send + Sync {
    /// The unfinished uploads of the object.
    fn uploads(&self) -> impl Future<Output = Result<Vec<UnfinishedUpload>, CallError>> + Send;

    /// The stored parts of an upload.
    fn parts(
        &self,
        upload: &UploadId,
    ) -> impl Future<Output = Result<Vec<ListedPart>, CallError>> + Send;

    /// The object with its checksum, if there is one.
    fn head(&self) -> impl Future<Output = Result<Option<ObjectHead>, CallError>> + Send;

    /// The headers, besides the nonce, with which the object is created, as names and values.
    fn creation_headers(&self) -> Vec<(String, String)>;
}

/// Attempts to look at an object whose making was not confirmed.
const HEAD_ATTEMPTS: u32 = 3;

impl PartStore for S3Object {
    async fn put(
        &self,
        part: &Part,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> Result<Stored, CallError> {
        self.put(part, nonce, attempts).await
    }

    async fn create(&self, nonce: Nonce, attempts: &Attempts) -> Result<UploadId, CallError> {
        self.create(nonce, attempts).await
    }

    async fn send(
        &self,
        upload: &UploadId,
        part: &Part,
        attempts: &Attempts,
    ) -> Result<UploadedPart, CallError> {
        self.send(upload, part, attempts).await
    }

    async fn complete(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
        attempts: &Attempts,
    ) -> Result<Stored, CallError> {
        self.complete(upload, parts, attempts).await
    }

    async fn copy(
        &self,
        source: &CopySource,
        size: u64,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> Result<Copied, CallError> {
        self.copy(source, size, nonce, attempts).await
    }

    async fn copy_part(
        &self,
        upload: &UploadId,
        source: &CopySource,
        start: Option<u64>,
        part: &UploadedPart,
        attempts: &Attempts,
    ) -> Result<Copied, CallError> {
        self.copy_part(upload, source, start, part, attempts).await
    }

    fn as_source(&self, stored: &Stored) -> CopySource {
        self.as_source(stored)
    }

    fn keeps_existing(&self) -> bool {
        self.keeps_existing()
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), CallError> {
        self.limited(1, Duration::MAX).abort(upload).await
    }
}

impl Lookup for S3Object {
    async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        self.uploads().await
    }

    async fn parts(&self, upload: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        self.parts(upload).await
    }

    async fn head(&self) -> Result<Option<ObjectHead>, CallError> {
        let brief = self.limited(HEAD_ATTEMPTS, CLEANUP / 2);
        brief.head_with_checksum().await
    }

    fn creation_headers(&self) -> Vec<(String, String)> {
        self.creation_headers()
    }
}
