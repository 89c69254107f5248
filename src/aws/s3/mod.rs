//! The S3 calls that write. Those that only ask are in `bucket.rs` and `list.rs`.
//!
//! Every part carries the CRC-64/NVME that the packer computed, as a header; S3 refuses a part that
//! does not match it, and the whole object is declared, and checked, by the CRC that the parts'
//! combine to ("Checking object integrity", Amazon S3 user guide). With that in place the payload
//! is not signed: hashing every part with SHA-256 would cost more than sending it, and TLS protects
//! it. Over plain HTTP to another machine nothing does, so there it is signed.
//!
//! Stores that do not know CRC-64/NVME can be told a CRC-32 instead, or nothing. That is never done
//! by itself: who gives up a check should know.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectCannedAcl,
    RequestPayer, ServerSideEncryption, StorageClass,
};
use base64_simd::STANDARD;
use crc_fast::CrcAlgorithm;

mod bucket;
mod list;
mod location;
mod nonce;
mod options;
mod store;

pub(crate) use self::bucket::refusal;
pub use self::bucket::{Bucket, Refusal, bucket, object};
pub use self::location::{BadLocation, S3Location};
pub use self::nonce::Nonce;
pub use self::options::{BadMetadata, BadTags, Metadata, ObjectOptions, Tags};
pub use self::store::{
    ListedPart, ObjectHead, PartStore, Stored, UnfinishedUpload, UploadId, UploadedPart, whole,
};

use self::options::NONCE_KEY;
use self::store::combined;
use crate::archive::pack::Part;
use crate::aws::error::CallError;
use crate::aws::renew::Renewal;
use crate::error::quoted;

/// What a store checks the bytes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// CRC-64/NVME, which the packer has computed.
    #[default]
    Crc64Nvme,
    /// CRC-32, which more stores know.
    Crc32,
    /// Nothing: only the connection protects them.
    None,
}

/// An object in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    /// The same, without retries of its own: for requests of which it must be known how often they
    /// were made.
    once: Client,
    location: S3Location,
    sign_payload: bool,
    options: ObjectOptions,
    checksum: Checksum,
    renewal: Renewal,
    words: Vec<String>,
}

impl S3Store {
    /// The object at `location`. `sign_payload` is for plain HTTP to another machine.
    #[must_use]
    pub fn new(client: Client, location: S3Location, sign_payload: bool) -> Self {
        let once = client.config().to_builder();
        let once = once.retry_config(RetryConfig::disabled()).build();
        Self {
            client,
            once: Client::from_conf(once),
            location,
            sign_payload,
            options: ObjectOptions::default(),
            checksum: Checksum::default(),
            renewal: Renewal::default(),
            words: Vec::new(),
        }
    }

    /// The same, with what S3 is to know of it.
    #[must_use]
    pub fn with_options(self, options: ObjectOptions) -> Self {
        Self { options, ..self }
    }

    /// The same, checked by `checksum`.
    #[must_use]
    pub fn with_checksum(self, checksum: Checksum) -> Self {
        if checksum != Checksum::None {
            return Self { checksum, ..self };
        }
        // The SDK would add one of its own.
        let without = |client: &Client| {
            let required = RequestChecksumCalculation::WhenRequired;
            let config = client.config().to_builder();
            Client::from_conf(config.request_checksum_calculation(required).build())
        };
        Self {
            client: without(&self.client),
            once: without(&self.once),
            checksum,
            ..self
        }
    }

    /// The same, with credentials that can be renewed.
    #[must_use]
    pub fn with_renewal(self, renewal: Renewal) -> Self {
        Self { renewal, ..self }
    }

    /// The same. `words` tell the AWS CLI how to reach it, in the commands that an error gives.
    #[must_use]
    pub fn reached_by(self, words: Vec<String>) -> Self {
        Self { words, ..self }
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

    /// The part's checksums, as the headers have them: CRC-64/NVME or CRC-32 or none.
    fn sums(&self, part: &Part) -> (Option<String>, Option<String>, Option<u32>) {
        match self.checksum {
            Checksum::Crc64Nvme => (Some(encoded(part.crc64nvme)), None, None),
            Checksum::Crc32 => {
                let crc32 = crc32fast::hash(&part.body);
                (None, Some(encoded_crc32(crc32)), Some(crc32))
            }
            Checksum::None => (None, None, None),
        }
    }

    /// Words of a command of the AWS CLI that reach the object's bucket.
    fn command(&self, operation: &str, words: &[&str]) -> String {
        let owner = self.options.expected_owner.as_deref();
        let owner = owner.map_or(vec![], |owner| vec!["--expected-bucket-owner", owner]);
        let payer = match self.options.requester_pays {
            true => vec!["--request-payer", "requester"],
            false => vec![],
        };
        let all = ["aws", "s3api", operation, "--bucket", &self.location.bucket];
        let all = all.into_iter().chain(words.iter().copied());
        let all = all.chain(owner).chain(payer);
        let all = all.chain(self.words.iter().map(String::as_str));
        all.map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// Adds to a request what makes an object what it is.
macro_rules! described {
    ($store:expr, $nonce:expr, $request:expr) => {{
        let options = &$store.options;
        let metadata = options.metadata.pairs();
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let ours = (NONCE_KEY.to_owned(), $nonce.to_string());
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
            .set_metadata(Some(metadata.chain([ours]).collect()))
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

impl S3Store {
    async fn put_once(&self, part: Part, nonce: Nonce) -> Result<Stored, CallError> {
        let (crc64nvme, crc32, _) = self.sums(&part);
        let request = described!(self, nonce, self.once.put_object())
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .set_if_none_match(self.unless_there())
            .set_checksum_crc64_nvme(crc64nvme)
            .set_checksum_crc32(crc32)
            .body(ByteStream::from(part.body));
        let answer = send_payload!(self, "PutObject", request)?;
        stored("PutObject", answer.e_tag, answer.version_id)
    }

    async fn create_once(&self, nonce: Nonce) -> Result<UploadId, CallError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let algorithm = match self.checksum {
            Checksum::Crc64Nvme => Some(ChecksumAlgorithm::Crc64Nvme),
            Checksum::Crc32 => Some(ChecksumAlgorithm::Crc32),
            Checksum::None => None,
        };
        let answer = described!(self, nonce, self.once.create_multipart_upload())
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .set_checksum_type(algorithm.as_ref().map(|_| ChecksumType::FullObject))
            .set_checksum_algorithm(algorithm)
            .send()
            .await
            .map_err(|error| call_error(OPERATION, &error))?;
        answer
            .upload_id
            .map(UploadId)
            .ok_or_else(|| incomplete(OPERATION, "upload id"))
    }

    async fn send_once(&self, upload: &UploadId, part: Part) -> Result<UploadedPart, CallError> {
        let size = part.body.len() as u64;
        let (crc64nvme, crc32, sum32) = self.sums(&part);
        let request = self
            .client
            .upload_part()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .upload_id(&upload.0)
            .part_number(part_number(part.number))
            .set_checksum_crc64_nvme(crc64nvme)
            .set_checksum_crc32(crc32)
            .body(ByteStream::from(part.body));
        let answer = send_payload!(self, "UploadPart", request)?;
        let etag = answer
            .e_tag
            .ok_or_else(|| incomplete("UploadPart", "ETag"))?;
        Ok(UploadedPart {
            number: part.number,
            size,
            etag,
            crc64nvme: part.crc64nvme,
            crc32: sum32,
        })
    }

    async fn complete_once(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
    ) -> Result<Stored, CallError> {
        let (is_64, is_32) = match self.checksum {
            Checksum::Crc64Nvme => (true, false),
            Checksum::Crc32 => (false, true),
            Checksum::None => (false, false),
        };
        let (size, crc64nvme) = whole(parts);
        let crc32 = || {
            let of = |part: &UploadedPart| part.crc32.unwrap_or_default().into();
            let (_, crc32) = combined(parts, CrcAlgorithm::Crc32IsoHdlc, of);
            // Its upper half is zero.
            encoded_crc32(u32::try_from(crc32).unwrap_or_default())
        };
        let completed = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(part_number(part.number))
                .e_tag(&part.etag)
                .set_checksum_crc64_nvme(is_64.then(|| encoded(part.crc64nvme)))
                .set_checksum_crc32(part.crc32.map(encoded_crc32))
                .build()
        });
        let completed = CompletedMultipartUpload::builder()
            .set_parts(Some(completed.collect()))
            .build();
        let request = self
            .once
            .complete_multipart_upload()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .set_if_none_match(self.unless_there())
            .upload_id(&upload.0)
            .multipart_upload(completed)
            .set_checksum_crc64_nvme(is_64.then(|| encoded(crc64nvme)))
            .set_checksum_crc32(is_32.then(crc32));
        let request = match self.checksum {
            // A store that knows no checksums may not know these either.
            Checksum::None => request,
            _ => request
                .checksum_type(ChecksumType::FullObject)
                // An object is 48.8 TiB at most.
                .mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX)),
        };
        let answer = request
            .send()
            .await
            .map_err(|error| call_error("CompleteMultipartUpload", &error))?;
        stored("CompleteMultipartUpload", answer.e_tag, answer.version_id)
    }

    async fn abort_once(&self, upload: &UploadId) -> Result<(), CallError> {
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
}

impl PartStore for S3Store {
    async fn put(&self, part: Part, nonce: Nonce) -> Result<Stored, CallError> {
        let put = || self.put_once(part.clone(), nonce);
        self.renewal.fresh(put).await
    }

    async fn create(&self, nonce: Nonce) -> Result<UploadId, CallError> {
        self.renewal.fresh(|| self.create_once(nonce)).await
    }

    async fn send(&self, upload: &UploadId, part: Part) -> Result<UploadedPart, CallError> {
        let send = || self.send_once(upload, part.clone());
        self.renewal.fresh(send).await
    }

    async fn complete(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
    ) -> Result<Stored, CallError> {
        let complete = || self.complete_once(upload, parts);
        self.renewal.fresh(complete).await
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), CallError> {
        self.renewal.fresh(|| self.abort_once(upload)).await
    }

    async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        let list = || list::uploads(&self.client, &self.location, &self.options);
        self.renewal.fresh(list).await
    }

    async fn parts(&self, upload: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        let list = || list::parts(&self.client, &self.location, upload, &self.options);
        self.renewal.fresh(list).await
    }

    async fn object(&self) -> Result<Option<ObjectHead>, CallError> {
        let find = || bucket::found(&self.client, &self.location, &self.options);
        self.renewal.fresh(find).await
    }

    fn headers(&self) -> String {
        let ObjectOptions {
            encryption,
            kms_key,
            acl,
            storage_class,
            tags,
            metadata,
            // These are of each request, or of the last.
            expected_owner: _,
            requester_pays: _,
            no_overwrite: _,
        } = &self.options;
        format!(
            "{encryption:?} {kms_key:?} {acl:?} {storage_class:?} {tags:?} {metadata:?} {:?}",
            self.checksum
        )
    }

    fn abort_command(&self, upload: &UploadId) -> String {
        let words = ["--key", &self.location.key, "--upload-id", &upload.0];
        self.command("abort-multipart-upload", &words)
    }

    fn uploads_command(&self) -> String {
        self.command("list-multipart-uploads", &["--prefix", &self.location.key])
    }
}

/// A checksum as S3 writes it: base64 of its big-endian bytes.
fn encoded(crc64nvme: u64) -> String {
    STANDARD.encode_to_string(crc64nvme.to_be_bytes())
}

fn encoded_crc32(crc32: u32) -> String {
    STANDARD.encode_to_string(crc32.to_be_bytes())
}

/// What S3 wrote, read again.
pub(super) fn decoded(crc64nvme: &str) -> Option<u64> {
    let bytes = STANDARD.decode_to_vec(crc64nvme).ok()?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
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
        assert_eq!(decoded("rosUhgp5mIg="), Some(0xAE8B_1486_0A79_9888));
        for other in ["rosUhgp5mIg=-3", "y/Q5Jg==", ""] {
            assert_eq!(decoded(other), None, "{other}");
        }
        assert_eq!(encoded_crc32(0xCBF4_3926), "y/Q5Jg==");
    }

    #[test]
    fn the_whole_is_what_the_parts_combine_to() {
        let part = |number, bytes: &[u8]| UploadedPart {
            number,
            size: bytes.len() as u64,
            etag: String::new(),
            crc64nvme: crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes),
            crc32: Some(crc32fast::hash(bytes)),
        };
        let parts = [part(1, b"1234"), part(2, b"567"), part(3, b"89")];
        assert_eq!(whole(&parts), (9, 0xAE8B_1486_0A79_9888));
        assert_eq!(whole(&[]), (0, 0));
        let of = |part: &UploadedPart| part.crc32.unwrap().into();
        let crc32 = combined(&parts, CrcAlgorithm::Crc32IsoHdlc, of);
        assert_eq!(crc32, (9, 0xCBF4_3926));
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("releases/app-1.2.zip"), "releases/app-1.2.zip");
        assert_eq!(quoted("it's a key; rm"), r"'it'\''s a key; rm'");
        assert_eq!(quoted(""), "''");
    }
}
