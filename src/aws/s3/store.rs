//! What an upload needs of an object store, and how it names things.

use std::future::Future;

use crc_fast::CrcAlgorithm;

use super::Nonce;
use crate::archive::pack::Part;
use crate::aws::error::CallError;

/// What an upload needs of an object store: one object, to be written once.
pub trait PartStore: Send + Sync + 'static {
    /// Stores a part that is the whole object, in the name of `nonce`.
    fn put(
        &self,
        part: Part,
        nonce: Nonce,
    ) -> impl Future<Output = Result<Stored, CallError>> + Send;

    /// Begins a multipart upload in the name of `nonce`.
    fn create(&self, nonce: Nonce) -> impl Future<Output = Result<UploadId, CallError>> + Send;

    /// Sends a part of it.
    fn send(
        &self,
        upload: &UploadId,
        part: Part,
    ) -> impl Future<Output = Result<UploadedPart, CallError>> + Send;

    /// Makes the parts, which are all there are and in order, an object.
    fn complete(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
    ) -> impl Future<Output = Result<Stored, CallError>> + Send;

    /// Ends the upload and frees its parts.
    fn abort(&self, upload: &UploadId) -> impl Future<Output = Result<(), CallError>> + Send;

    /// The uploads of this object that were begun and not ended.
    fn uploads(&self) -> impl Future<Output = Result<Vec<UnfinishedUpload>, CallError>> + Send;

    /// The parts that are stored of one.
    fn parts(
        &self,
        upload: &UploadId,
    ) -> impl Future<Output = Result<Vec<ListedPart>, CallError>> + Send;

    /// The object, if there is one.
    fn object(&self) -> impl Future<Output = Result<Option<ObjectHead>, CallError>> + Send;

    /// Whatever is said of the object when its upload begins, besides its nonce.
    fn headers(&self) -> String;

    /// The command that does what [`abort`](Self::abort) does.
    fn abort_command(&self, upload: &UploadId) -> String;

    /// The command that does what [`uploads`](Self::uploads) does.
    fn uploads_command(&self) -> String;
}

/// The store's name for a multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId(pub String);

/// An object, as the store confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its version, if the bucket keeps versions.
    pub version: Option<String>,
}

/// An object, as the store describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its names.
    pub stored: Stored,
    /// Bytes.
    pub size: u64,
    /// CRC-64/NVME of its bytes, if the store has it.
    pub crc64nvme: Option<u64>,
    /// The push that wrote it, if one did.
    pub nonce: Option<Nonce>,
}

/// An upload that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// Its name.
    pub id: UploadId,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// A part that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    /// From 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Its entity tag, as the store wrote it.
    pub etag: String,
    /// CRC-64/NVME of its bytes, if the store has it.
    pub crc64nvme: Option<u64>,
    /// Since when, in seconds since 1970; 0 if that is not told.
    pub at: i64,
}

/// A part, as the store confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedPart {
    /// From 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Its entity tag, as the store wrote it.
    pub etag: String,
    /// CRC-64/NVME of its bytes.
    pub crc64nvme: u64,
    /// CRC-32 of its bytes, where the store goes by that.
    pub crc32: Option<u32>,
}

/// Size and CRC-64/NVME of the object that parts, in order, make.
#[must_use]
pub fn whole(parts: &[UploadedPart]) -> (u64, u64) {
    combined(parts, CrcAlgorithm::Crc64Nvme, |part| part.crc64nvme)
}

/// Size and checksum of the object that parts, in order, make.
pub(super) fn combined(
    parts: &[UploadedPart],
    algorithm: CrcAlgorithm,
    of: impl Fn(&UploadedPart) -> u64,
) -> (u64, u64) {
    parts.iter().fold((0, 0), |(size, crc), part| {
        let crc = if size == 0 {
            of(part)
        } else {
            crc_fast::checksum_combine(algorithm, crc, of(part), part.size)
        };
        (size + part.size, crc)
    })
}
