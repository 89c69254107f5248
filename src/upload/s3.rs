//! The S3 calls that write. Those that only ask are in `bucket.rs`.
//!
//! Every part carries the CRC-64/NVME that the packer computed, as a header; S3 refuses a part that
//! does not match it, and the whole object is declared, and checked, by the CRC that the parts'
//! combine to ("Checking object integrity", Amazon S3 user guide). With that in place the payload
//! is not signed: hashing every part with SHA-256 would cost more than sending it, and TLS protects
//! it. Over plain HTTP to another machine nothing does, so there it is signed.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectCannedAcl,
    RequestPayer, ServerSideEncryption, StorageClass,
};
use base64_simd::STANDARD;

use super::options::ObjectOptions;
use super::{PartStore, SentPart, Stored, UploadId, whole};
use crate::error::{CallError, quoted};
use crate::pack::Part;
use crate::revision::S3Location;

/// An object in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    location: S3Location,
    sign_payload: bool,
    options: ObjectOptions,
}

impl S3Store {
    /// The object at `location`. `sign_payload` is for plain HTTP to another machine.
    #[must_use]
    pub fn new(client: Client, location: S3Location, sign_payload: bool) -> Self {
        Self {
            client,
            location,
            sign_payload,
            options: ObjectOptions::default(),
        }
    }

    /// The same, with what S3 is to know of it.
    #[must_use]
    pub fn with_options(self, options: ObjectOptions) -> Self {
        Self { options, ..self }
    }

    fn owner(&self) -> Option<String> {
        self.options.expected_owner.clone()
    }

    fn payer(&self) -> Option<RequestPayer> {
        let pays = self.options.requester_pays;
        pays.then_some(RequestPayer::Requester)
    }

    /// Any object that is there is one too many.
    fn unless_there(&self) -> Option<String> {
        self.options.no_overwrite.then(|| "*".to_owned())
    }
}

/// Adds to a request what makes an object what it is.
macro_rules! described {
    ($store:expr, $request:expr) => {{
        let options = &$store.options;
        let metadata = options.metadata.pairs();
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
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
            .set_metadata((!options.metadata.is_empty()).then(|| metadata.collect()))
    }};
}

/// Ends a request: signs its payload or does not, sends it, and names its operation if it fails.
macro_rules! send_payload {
    ($store:expr, $operation:literal, $request:expr) => {{
        let request = $request.customize();
        let request = if $store.sign_payload {
            request
        } else {
            request.disable_payload_signing()
        };
        request
            .send()
            .await
            .map_err(|error| call_error($operation, &error))
    }};
}

impl PartStore for S3Store {
    async fn put(&self, part: Part) -> Result<Stored, CallError> {
        let request = described!(self, self.client.put_object())
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .set_if_none_match(self.unless_there())
            .checksum_crc64_nvme(encoded(part.crc64nvme))
            .body(ByteStream::from(part.body));
        let answer = send_payload!(self, "PutObject", request)?;
        stored("PutObject", answer.e_tag, answer.version_id)
    }

    async fn create(&self) -> Result<UploadId, CallError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let answer = described!(self, self.client.create_multipart_upload())
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject)
            .send()
            .await
            .map_err(|error| call_error(OPERATION, &error))?;
        answer
            .upload_id
            .map(UploadId)
            .ok_or_else(|| incomplete(OPERATION, "upload id"))
    }

    async fn send(&self, upload: &UploadId, part: Part) -> Result<SentPart, CallError> {
        let size = part.body.len() as u64;
        let request = self
            .client
            .upload_part()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .upload_id(&upload.0)
            .part_number(part_number(part.number))
            .checksum_crc64_nvme(encoded(part.crc64nvme))
            .body(ByteStream::from(part.body));
        let answer = send_payload!(self, "UploadPart", request)?;
        let etag = answer
            .e_tag
            .ok_or_else(|| incomplete("UploadPart", "ETag"))?;
        Ok(SentPart {
            number: part.number,
            size,
            etag,
            crc64nvme: part.crc64nvme,
        })
    }

    async fn complete(&self, upload: &UploadId, parts: &[SentPart]) -> Result<Stored, CallError> {
        let (size, crc64nvme) = whole(parts);
        let completed = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(part_number(part.number))
                .e_tag(&part.etag)
                .checksum_crc64_nvme(encoded(part.crc64nvme))
                .build()
        });
        let completed = CompletedMultipartUpload::builder()
            .set_parts(Some(completed.collect()))
            .build();
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .set_if_none_match(self.unless_there())
            .upload_id(&upload.0)
            .multipart_upload(completed)
            .checksum_crc64_nvme(encoded(crc64nvme))
            .checksum_type(ChecksumType::FullObject)
            // An object is 48.8 TiB at most.
            .mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX))
            .send()
            .await
            .map_err(|error| call_error("CompleteMultipartUpload", &error))?;
        stored("CompleteMultipartUpload", answer.e_tag, answer.version_id)
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), CallError> {
        self.client
            .abort_multipart_upload()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .upload_id(&upload.0)
            .send()
            .await
            .map_err(|error| call_error("AbortMultipartUpload", &error))?;
        Ok(())
    }

    fn abort_command(&self, upload: &UploadId) -> String {
        format!(
            "aws s3api abort-multipart-upload --bucket {} --key {} --upload-id {}",
            quoted(&self.location.bucket),
            quoted(&self.location.key),
            quoted(&upload.0)
        )
    }
}

/// A checksum as S3 writes it: base64 of its big-endian bytes.
fn encoded(crc64nvme: u64) -> String {
    STANDARD.encode_to_string(crc64nvme.to_be_bytes())
}

/// A part's number as the SDK has it. There are 10,000 at most.
fn part_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn stored(
    operation: &'static str,
    etag: Option<String>,
    version: Option<String>,
) -> Result<Stored, CallError> {
    let etag = etag.ok_or_else(|| incomplete(operation, "ETag"))?;
    Ok(Stored {
        etag: etag.trim_matches('"').to_owned(),
        version,
    })
}

fn incomplete(operation: &'static str, what: &str) -> CallError {
    CallError {
        operation,
        code: None,
        message: format!("the answer has no {what}"),
    }
}

pub(crate) fn call_error<E, R>(operation: &'static str, error: &SdkError<E, R>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            CallError::refused(operation, answer.err().code(), answer.err().message())
        }
        _ => CallError::unanswered(operation, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_written_as_s3_writes_them() {
        // The catalogue's check value of CRC-64/NVME.
        assert_eq!(encoded(0xAE8B_1486_0A79_9888), "rosUhgp5mIg=");
    }

    #[test]
    fn the_whole_is_what_the_parts_combine_to() {
        let part = |number, bytes: &[u8]| SentPart {
            number,
            size: bytes.len() as u64,
            etag: String::new(),
            crc64nvme: crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes),
        };
        let parts = [part(1, b"1234"), part(2, b"567"), part(3, b"89")];
        assert_eq!(whole(&parts), (9, 0xAE8B_1486_0A79_9888));
        assert_eq!(whole(&[]), (0, 0));
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("releases/app-1.2.zip"), "releases/app-1.2.zip");
        assert_eq!(quoted("it's a key; rm"), r"'it'\''s a key; rm'");
        assert_eq!(quoted(""), "''");
    }
}
