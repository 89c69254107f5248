//! One object: the S3 calls that write it, and the one that reads it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectCannedAcl,
    ServerSideEncryption, StorageClass,
};
use bytes::{Bytes, BytesMut};

use super::checksum::{encode_crc32, encode_crc64};
use super::options::NONCE_KEY;
use super::types::whole_crc32;
use super::{
    Checksum, Nonce, ObjectOptions, S3, S3Location, Stored, UploadId, UploadedPart, payer,
    unquoted, whole,
};
use crate::archive::pack::Part;
use crate::aws::call::{Attempts, Request};
use crate::aws::counted::CountBody;
use crate::aws::error::CallError;
use crate::progress::UnderWay;

/// What S3 may take to complete a multipart upload ("several minutes", says its API reference), and what
/// it may take in addition for each part.
const COMPLETING: Duration = Duration::from_secs(300);
const COMPLETING_A_PART: Duration = Duration::from_millis(60);

/// An object in an S3 bucket, which need not exist yet.
#[derive(Clone, Debug)]
pub struct S3Object {
    pub(super) s3: S3,
    pub(super) location: S3Location,
    pub(super) version: Option<String>,
    pub(super) options: ObjectOptions,
    pub(super) checksum: Checksum,
    under_way: UnderWay,
}

/// Adds to a request what S3 keeps of an object besides its bytes.
macro_rules! with_object_headers {
    ($object:expr, $nonce:expr, $request:expr) => {{
        let options = &$object.options;
        let metadata = options.metadata.pairs();
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let nonce = (NONCE_KEY.to_owned(), $nonce.to_string());
        $request
            .set_server_side_encryption(
                options
                    .encryption
                    .as_deref()
                    .map(ServerSideEncryption::from),
            )
            .set_ssekms_key_id(options.kms_key.clone())
            .set_acl(options.acl.as_deref().map(ObjectCannedAcl::from))
            .set_storage_class(options.storage_class.as_deref().map(StorageClass::from))
            .set_tagging(options.tags.header())
            .set_metadata(Some(metadata.chain([nonce]).collect()))
    }};
}

/// Addresses a request to the object.
macro_rules! addressed {
    ($object:expr, $request:expr) => {
        $request
            .bucket(&$object.location.bucket)
            .key(&$object.location.key)
            .set_expected_bucket_owner($object.options.expected_owner.clone())
            .set_request_payer(payer(&$object.options))
    };
}

pub(super) use {addressed, with_object_headers};

/// Sends a request that has a payload, which is signed only where nothing else protects it.
macro_rules! send_payload {
    ($object:expr, $operation:expr, $count:expr, $request:expr) => {{
        let request = $request.customize();
        let request = request.interceptor(CountBody(Arc::clone(&$count)));
        let request = if $object.s3.sign_payload {
            request
        } else {
            request.disable_payload_signing()
        };
        let sent = request.send().await;
        sent.map_err(|error| {
            $count.restart();
            CallError::of($operation, &error)
        })
    }};
}

impl S3Object {
    pub(super) fn new(s3: S3, location: S3Location, options: ObjectOptions) -> Self {
        Self {
            s3,
            location,
            version: None,
            options,
            checksum: Checksum::default(),
            under_way: UnderWay::default(),
        }
    }

    /// Sets the checksum by which S3 checks what is written.
    #[must_use]
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        if checksum == Checksum::None {
            // The SDK would add one of its own.
            let config = self.s3.client.config().to_builder();
            let required = RequestChecksumCalculation::WhenRequired;
            let config = config.request_checksum_calculation(required).build();
            self.s3.client = aws_sdk_s3::Client::from_conf(config);
        }
        self
    }

    /// Sets which version is looked at and read.
    #[must_use]
    pub fn with_version(self, version: Option<String>) -> Self {
        Self { version, ..self }
    }

    /// Sets where the bytes of bodies that are on their way are counted, sent and received ones.
    #[must_use]
    pub fn counting(self, under_way: UnderWay) -> Self {
        Self { under_way, ..self }
    }

    /// Returns this with tokens for retries of its own, where each request makes at most `attempts` and
    /// waits at most for `answer`.
    #[must_use]
    pub fn limited(&self, attempts: u32, answer: Duration) -> Self {
        let caller = self.s3.caller.limited(attempts, answer);
        let s3 = S3 {
            caller,
            ..self.s3.clone()
        };
        Self { s3, ..self.clone() }
    }

    /// Where the object is.
    #[must_use]
    pub fn location(&self) -> &S3Location {
        &self.location
    }

    /// The headers, besides its nonce, with which the object is created. They cannot be changed later.
    #[must_use]
    pub fn creation_headers(&self) -> Vec<(String, String)> {
        let algorithm = self.algorithm().map(|name| name.as_str().to_owned());
        let mut headers = self.options.creation_headers();
        headers.extend(algorithm.map(|name| ("x-amz-checksum-algorithm".to_owned(), name)));
        headers
    }

    pub(super) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        match self.checksum {
            Checksum::Crc64Nvme => Some(ChecksumAlgorithm::Crc64Nvme),
            Checksum::Crc32 => Some(ChecksumAlgorithm::Crc32),
            Checksum::None => None,
        }
    }

    fn is_crc64(&self) -> bool {
        self.checksum == Checksum::Crc64Nvme
    }

    fn crc32(&self, body: &[u8]) -> Option<u32> {
        (self.checksum == Checksum::Crc32).then(|| crc32fast::hash(body))
    }

    /// Whether writing fails if there is an object already.
    #[must_use]
    pub fn keeps_existing(&self) -> bool {
        self.options.no_overwrite
    }

    /// The condition of a request that must not replace an object.
    pub(super) fn if_none_match(&self) -> Option<String> {
        self.options.no_overwrite.then(|| "*".to_owned())
    }

    /// Stores a part that is the whole object.
    pub async fn put(
        &self,
        part: &Part,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> Result<Stored, CallError> {
        const OPERATION: &str = "PutObject";
        let crc32 = self.crc32(&part.body);
        let count = self.under_way.body();
        let attempt = || async {
            let request = addressed!(self, self.s3.client.put_object());
            let request = with_object_headers!(self, nonce, request)
                .set_if_none_match(self.if_none_match())
                .set_checksum_crc64_nvme(self.is_crc64().then(|| encode_crc64(part.crc64nvme)))
                .set_checksum_crc32(crc32.map(encode_crc32))
                .body(ByteStream::from(part.body.clone()));
            let answer = send_payload!(self, OPERATION, count, request)?;
            Ok(Stored {
                etag: unquoted(OPERATION, answer.e_tag)?,
                version: answer.version_id,
            })
        };
        let request = Request::new(OPERATION).of_size(part.body.len() as u64);
        let caller = &self.s3.caller;
        caller.call_recording(request, attempts, attempt).await
    }

    /// Creates a multipart upload.
    pub async fn create(&self, nonce: Nonce, attempts: &Attempts) -> Result<UploadId, CallError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let attempt = || async {
            let request = addressed!(self, self.s3.client.create_multipart_upload());
            let algorithm = self.algorithm();
            let answer = with_object_headers!(self, nonce, request)
                .set_checksum_type(algorithm.as_ref().map(|_| ChecksumType::FullObject))
                .set_checksum_algorithm(algorithm)
                .send()
                .await
                .map_err(|error| CallError::of(OPERATION, &error))?;
            let id = answer.upload_id.map(UploadId);
            id.ok_or_else(|| CallError::incomplete(OPERATION, "upload id"))
        };
        let request = Request::new(OPERATION);
        let caller = &self.s3.caller;
        caller.call_recording(request, attempts, attempt).await
    }

    /// Sends a part of a multipart upload.
    pub async fn send(
        &self,
        upload: &UploadId,
        part: &Part,
        attempts: &Attempts,
    ) -> Result<UploadedPart, CallError> {
        const OPERATION: &str = "UploadPart";
        let crc32 = self.crc32(&part.body);
        let size = part.body.len() as u64;
        let count = self.under_way.body();
        let attempt = || async {
            let request = addressed!(self, self.s3.client.upload_part())
                .upload_id(&upload.0)
                .part_number(part_number(part.number))
                .set_checksum_crc64_nvme(self.is_crc64().then(|| encode_crc64(part.crc64nvme)))
                .set_checksum_crc32(crc32.map(encode_crc32))
                .body(ByteStream::from(part.body.clone()));
            let etag = send_payload!(self, OPERATION, count, request)?.e_tag;
            Ok(UploadedPart {
                number: part.number,
                size,
                etag: etag.ok_or_else(|| CallError::incomplete(OPERATION, "ETag"))?,
                crc64nvme: part.crc64nvme,
                crc32,
            })
        };
        let request = Request::new(OPERATION).of_size(size);
        let caller = &self.s3.caller;
        caller.call_recording(request, attempts, attempt).await
    }

    /// Makes all parts, in order, the object.
    pub async fn complete(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
        attempts: &Attempts,
    ) -> Result<Stored, CallError> {
        const OPERATION: &str = "CompleteMultipartUpload";
        let is_crc64 = self.is_crc64();
        let (size, crc64nvme) = whole(parts);
        let is_crc32 = self.checksum == Checksum::Crc32;
        let crc32 = is_crc32.then(|| whole_crc32(parts)).flatten();
        let attempt = || async {
            let completed = parts.iter().map(|part| {
                CompletedPart::builder()
                    .part_number(part_number(part.number))
                    .e_tag(&part.etag)
                    .set_checksum_crc64_nvme(is_crc64.then(|| encode_crc64(part.crc64nvme)))
                    .set_checksum_crc32(part.crc32.map(encode_crc32))
                    .build()
            });
            let completed = CompletedMultipartUpload::builder()
                .set_parts(Some(completed.collect()))
                .build();
            let request = addressed!(self, self.s3.client.complete_multipart_upload())
                .set_if_none_match(self.if_none_match())
                .upload_id(&upload.0)
                .multipart_upload(completed)
                .set_checksum_crc64_nvme(is_crc64.then(|| encode_crc64(crc64nvme)))
                .set_checksum_crc32(crc32.map(encode_crc32));
            let request = match self.checksum {
                // A store that knows no checksums may not know these headers either.
                Checksum::None => request,
                _ => request
                    .checksum_type(ChecksumType::FullObject)
                    // An object has at most 48.8 TiB.
                    .mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX)),
            };
            let answer = request.send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            Ok(Stored {
                etag: unquoted(OPERATION, answer.e_tag)?,
                version: answer.version_id,
            })
        };
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let limit = COMPLETING + COMPLETING_A_PART.saturating_mul(count);
        let request = Request::new(OPERATION).within(limit);
        let caller = &self.s3.caller;
        caller.call_recording(request, attempts, attempt).await
    }

    /// Reads a range of the object, if its ETag is still `etag`.
    ///
    /// # Errors
    ///
    /// [`CallError`], also if another number of bytes comes.
    pub async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, CallError> {
        const OPERATION: &str = "GetObject";
        let size = range.end.saturating_sub(range.start);
        let check = |came: Option<u64>| match came {
            Some(came) if came != size => Err(CallError {
                operation: OPERATION,
                code: None,
                message: format!("{came} bytes came of {size}"),
            }),
            _ => Ok(()),
        };
        let count = self.under_way.body();
        let attempt = || async {
            count.restart();
            let last = range.end.saturating_sub(1);
            let answer = addressed!(self, self.s3.client.get_object())
                .set_version_id(self.version.clone())
                .range(format!("bytes={}-{last}", range.start))
                .if_match(format!("\"{etag}\""))
                .send()
                .await
                .map_err(|error| CallError::of(OPERATION, &error))?;
            // A store that knows no ranges would send the whole object.
            check(answer.content_length.and_then(|len| len.try_into().ok()))?;
            let (mut pieces, mut body) = (answer.body, BytesMut::new());
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| CallError::unanswered(OPERATION, &error))?;
                if body.is_empty() {
                    body.reserve(usize::try_from(size).unwrap_or(0));
                }
                body.extend_from_slice(&piece);
                count.add(piece.len() as u64);
                if body.len() as u64 > size {
                    break;
                }
            }
            check(Some(body.len() as u64))?;
            Ok(body.freeze())
        };
        let request = Request::new(OPERATION).of_size(size);
        self.s3.caller.call(request, attempt).await
    }
}

/// A part's number as the SDK has it. There are at most 10,000.
pub(super) fn part_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
