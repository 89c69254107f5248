//! S3 calls that ask without changing or reading anything: where a bucket is, and what an object is.

use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::ChecksumMode;

use super::checksum::decode_crc64;
use super::options::{NONCE_KEY, ObjectOptions};
use super::{ObjectHead, S3, S3Object, payer, unquoted};
use crate::aws::answer::Foreign;
use crate::aws::call::{PREFLIGHT_ATTEMPTS, Request};
use crate::aws::error::{CallError, cause};

/// The header in which S3 names a bucket's region, in refusals too.
const REGION: &str = "x-amz-bucket-region";

/// What S3 says about a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its region, if S3 named it.
    pub region: Option<String>,
    /// Why S3 refused to say more, if it did.
    pub refused: Option<CallError>,
}

impl S3 {
    /// Asks where a bucket is. `HeadBucket` needs `s3:ListBucket`, but a refusal names the region, too.
    ///
    /// # Errors
    ///
    /// [`CallError`], if there was no answer.
    pub async fn head_bucket(
        &self,
        name: &str,
        options: &ObjectOptions,
    ) -> Result<Bucket, CallError> {
        const OPERATION: &str = "HeadBucket";
        let attempt = || async {
            let request = self
                .client
                .head_bucket()
                .bucket(name)
                .set_expected_bucket_owner(options.expected_owner.clone());
            let error = match request.send().await {
                Ok(answer) => {
                    let region = answer.bucket_region.filter(|region| !region.is_empty());
                    let refused = None;
                    return Ok(Bucket { region, refused });
                }
                Err(error) => error,
            };
            let region = error
                .raw_response()
                .and_then(|answer| answer.headers().get(REGION))
                .filter(|region| !region.is_empty())
                .map(str::to_owned);
            let error = refusal(OPERATION, &error);
            if error.code.is_some() && error.is_final() {
                let refused = Some(error);
                return Ok(Bucket { region, refused });
            }
            Err(error)
        };
        let caller = self.caller.limited(PREFLIGHT_ATTEMPTS, Duration::MAX);
        match caller.call(Request::new(OPERATION), attempt).await {
            Err(error) if error.code.is_some() => Ok(Bucket {
                region: None,
                refused: Some(error),
            }),
            done => done,
        }
    }
}

impl S3Object {
    /// Asks what the object is, without its checksum. None if there is no such object or bucket.
    ///
    /// # Errors
    ///
    /// [`CallError`]. If it has no code, there was no answer.
    pub async fn head(&self) -> Result<Option<ObjectHead>, CallError> {
        self.head_with(None).await
    }

    /// Asks what the object is. If it is encrypted with KMS, S3 gives its checksum only to callers with
    /// `kms:Decrypt`, and refuses others. None if there is no such object or bucket.
    ///
    /// # Errors
    ///
    /// [`CallError`]. If it has no code, there was no answer.
    pub async fn head_with_checksum(&self) -> Result<Option<ObjectHead>, CallError> {
        self.head_with(Some(ChecksumMode::Enabled)).await
    }

    async fn head_with(&self, mode: Option<ChecksumMode>) -> Result<Option<ObjectHead>, CallError> {
        const OPERATION: &str = "HeadObject";
        let attempt = || async {
            let request = self
                .s3
                .client
                .head_object()
                .bucket(&self.location.bucket)
                .key(&self.location.key)
                .set_version_id(self.version.clone())
                .set_checksum_mode(mode.clone())
                .set_expected_bucket_owner(self.options.expected_owner.clone())
                .set_request_payer(payer(&self.options));
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let error = refusal(OPERATION, &error);
                    return if error.is_missing() {
                        Ok(None)
                    } else {
                        Err(error)
                    };
                }
            };
            let nonce = answer.metadata().and_then(|pairs| pairs.get(NONCE_KEY));
            let nonce = nonce.and_then(|text| text.parse().ok());
            let size = answer.content_length.and_then(|size| size.try_into().ok());
            Ok(Some(ObjectHead {
                etag: unquoted(OPERATION, answer.e_tag)?,
                version: answer.version_id,
                size: size.ok_or_else(|| CallError::incomplete(OPERATION, "size"))?,
                crc64nvme: answer.checksum_crc64_nvme.as_deref().and_then(decode_crc64),
                nonce,
            }))
        };
        self.s3.caller.call(Request::new(OPERATION), attempt).await
    }
}

/// Why a HEAD request failed. Its answer has no body that could name a code, so the status does.
fn refusal<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = CallError::of(operation, error);
    let is_named = !said.is_status() && said.code.as_deref() != Some("NotFound");
    let Some(answer) = error.raw_response() else {
        return said;
    };
    if is_named || cause::<Foreign>(error).is_some() {
        return said;
    }
    let (code, message) = match answer.status().as_u16() {
        301 => ("PermanentRedirect", "The bucket is in another region"),
        400 => ("BadRequest", "Bad Request"),
        403 => ("AccessDenied", "Access Denied"),
        404 => ("NoSuchBucket", "The specified bucket does not exist"),
        405 => ("MethodNotAllowed", "Method Not Allowed"),
        501 => ("NotImplemented", "Not Implemented"),
        500.. => ("InternalError", "Internal Error"),
        _ => return said,
    };
    CallError::refused(operation, Some(code), Some(message))
}
