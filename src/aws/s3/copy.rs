//! Copies that S3 makes by itself: of a whole object, and of a range into a part of an upload.
//!
//! The request goes to the store of the copy, with the credentials for it. So these must be allowed to
//! read the source, which may be in another bucket, region or account ("Copying an object", Amazon S3 user
//! guide). Every request pins the source by its ETag, and by its version if there is one: S3 refuses to
//! copy another object that took its place. Some stores ignore these conditions, so what a store says of
//! the copied bytes is returned, and the caller compares it.
//!
//! The copy is an object of its own: its metadata, tags, encryption and class are those of the request, and
//! nothing is taken from the source but bytes.

use std::time::Duration;

use aws_sdk_s3::config::{Config, StalledStreamProtectionConfig};
use aws_sdk_s3::types::{
    MetadataDirective, ObjectCannedAcl, RequestPayer, ServerSideEncryption, StorageClass,
    TaggingDirective,
};
use percent_encoding::utf8_percent_encode;

use super::checksum::{decode_crc32, decode_crc64};
use super::object::{addressed, part_number, with_object_headers};
use super::options::{NONCE_KEY, PATH_CHARACTERS, escape};
use super::{Nonce, S3Location, S3Object, Stored, UploadId, UploadedPart, payer};
use crate::aws::call::{Attempts, Request};
use crate::aws::error::CallError;

/// What a copy may take, besides the time that its bytes may take: as long as S3 may take to complete an
/// upload. S3 answers when it has copied, and a copy between regions waits for the link between them.
const COPYING: Duration = Duration::from_secs(300);

/// Bytes per second below which a copy is given up. Within a region S3 copies about 70 MB/s per request.
const SLOWEST: u64 = 1 << 20;

/// The object that is copied, as it was when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    /// Where it is.
    pub location: S3Location,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its version, if its bucket keeps versions.
    pub version: Option<String>,
    /// The account that must own its bucket, in 12 digits.
    pub expected_owner: Option<String>,
    /// Whether the caller pays for requests to its bucket.
    pub requester_pays: bool,
}

impl CopySource {
    /// The header that names it: bucket and key, escaped as in a URL.
    fn header(&self) -> String {
        let S3Location { bucket, key } = &self.location;
        let key = utf8_percent_encode(key, PATH_CHARACTERS);
        match &self.version {
            Some(version) => format!("{bucket}/{key}?versionId={}", escape(version)),
            None => format!("{bucket}/{key}"),
        }
    }
}

/// What a store says of bytes that it copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The ETag of the object or part, as the store wrote it.
    pub etag: String,
    /// The version of the object, if its bucket keeps versions.
    pub version: Option<String>,
    /// The CRC-64/NVME of the bytes, if the store names it.
    pub crc64nvme: Option<u64>,
    /// Their CRC-32, if the store names it.
    pub crc32: Option<u32>,
}

impl Copied {
    /// The copied object.
    #[must_use]
    pub fn stored(&self) -> Stored {
        Stored {
            etag: self.etag.trim_matches('"').to_owned(),
            version: self.version.clone(),
        }
    }
}

/// Names the source in a request, and pins it.
macro_rules! with_source {
    ($object:expr, $source:expr, $request:expr) => {{
        let pays = $object.options.requester_pays || $source.requester_pays;
        $request
            .copy_source($source.header())
            .copy_source_if_match(format!("\"{}\"", $source.etag))
            .set_expected_source_bucket_owner($source.expected_owner.clone())
            .set_request_payer(pays.then_some(RequestPayer::Requester))
    }};
}

/// Sends a request whose answer takes as long as S3 copies. S3 may begin to answer at once and be silent
/// then, which the SDK would take for a broken connection. An accelerated endpoint, which only bodies need,
/// refuses copies from another region ("CopyObject", Amazon S3 API reference).
macro_rules! send_patiently {
    ($operation:expr, $request:expr) => {{
        let stalls = StalledStreamProtectionConfig::disabled();
        let patient = Config::builder().accelerate(false);
        let patient = patient.stalled_stream_protection(stalls);
        let sent = $request.customize().config_override(patient).send().await;
        sent.map_err(|error| CallError::of($operation, &error))
    }};
}

/// Reads what the store says of the bytes that it copied.
macro_rules! copied {
    ($operation:expr, $result:expr, $version:expr) => {{
        // A store that does not know copies may take the request for one without bytes.
        let result = $result.ok_or_else(|| no_copy($operation))?;
        let crc64nvme = result.checksum_crc64_nvme.as_deref();
        let crc32 = result.checksum_crc32.as_deref();
        Ok(Copied {
            crc64nvme: crc64nvme.and_then(decode_crc64),
            crc32: crc32.and_then(decode_crc32),
            etag: result.e_tag.ok_or_else(|| no_copy($operation))?,
            version: $version,
        })
    }};
}

impl S3Object {
    /// The object as a source of copies, as it was stored.
    #[must_use]
    pub fn as_source(&self, stored: &Stored) -> CopySource {
        CopySource {
            location: self.location.clone(),
            etag: stored.etag.clone(),
            version: stored.version.clone(),
            expected_owner: self.options.expected_owner.clone(),
            requester_pays: self.options.requester_pays,
        }
    }

    /// Copies a whole object of `size` bytes, at most 5 GiB.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn copy(
        &self,
        source: &CopySource,
        size: u64,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> Result<Copied, CallError> {
        const OPERATION: &str = "CopyObject";
        let attempt = || async {
            let request = addressed!(self, self.s3.client.copy_object());
            let request = with_object_headers!(self, nonce, request)
                .metadata_directive(MetadataDirective::Replace)
                .tagging_directive(TaggingDirective::Replace)
                .set_checksum_algorithm(self.algorithm())
                .set_if_none_match(self.if_none_match());
            let request = with_source!(self, source, request);
            let answer = send_patiently!(OPERATION, request)?;
            copied!(OPERATION, answer.copy_object_result, answer.version_id)
        };
        let request = Request::new(OPERATION).within(limit(size));
        let caller = &self.s3.caller;
        caller.call_recording(request, attempts, attempt).await
    }

    /// Copies the bytes of an object from `start` on, or the whole object, into a part of a multipart upload.
    /// They are to be those of `part`. S3 copies ranges only of objects of more than 5 MiB ("UploadPartCopy",
    /// Amazon S3 API reference).
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn copy_part(
        &self,
        upload: &UploadId,
        source: &CopySource,
        start: Option<u64>,
        part: &UploadedPart,
        attempts: &Attempts,
    ) -> Result<Copied, CallError> {
        const OPERATION: &str = "UploadPartCopy";
        let range = start.map(|start| range(start, part.size));
        let attempt = || async {
            let request = addressed!(self, self.s3.client.upload_part_copy())
                .upload_id(&upload.0)
                .part_number(part_number(part.number))
                .set_copy_source_range(range.clone());
            let request = with_source!(self, source, request);
            let answer = send_patiently!(OPERATION, request)?;
            copied!(OPERATION, answer.copy_part_result, None)
        };
        let request = Request::new(OPERATION).within(limit(part.size));
        let caller = &self.s3.caller;
        caller.call_recording(request, attempts, attempt).await
    }
}

fn limit(size: u64) -> Duration {
    COPYING + Duration::from_secs(size / SLOWEST)
}

/// `size` bytes from `start` on, which are one at least.
fn range(start: u64, size: u64) -> String {
    format!("bytes={start}-{}", (start + size).saturating_sub(1))
}

fn no_copy(operation: &'static str) -> CallError {
    let message = "the store's answer does not say that it copied anything";
    CallError::refused(operation, Some("NotImplemented"), Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_named_as_in_a_url_and_with_its_version() {
        let header = |key: &str, version: Option<&str>| {
            let source = CopySource {
                location: S3Location {
                    bucket: "from".to_owned(),
                    key: key.to_owned(),
                },
                etag: String::new(),
                version: version.map(str::to_owned),
                expected_owner: None,
                requester_pays: false,
            };
            source.header()
        };
        assert_eq!(header("a/b-1_2.~zip", None), "from/a/b-1_2.~zip");
        assert_eq!(
            header("/a+b c?d%e#ü", None),
            "from//a%2Bb%20c%3Fd%25e%23%C3%BC"
        );
        assert_eq!(header("k", Some("a/b=+")), "from/k?versionId=a%2Fb%3D%2B");
        assert_eq!(header("k", Some("null")), "from/k?versionId=null");
    }

    #[test]
    fn a_range_names_its_first_and_its_last_byte() {
        assert_eq!(range(0, 1), "bytes=0-0");
        assert_eq!(range(8 << 20, 8 << 20), "bytes=8388608-16777215");
    }
}
