//! S3 calls that ask and change nothing: where a bucket is, and what an object is.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ChecksumMode, RequestPayer};

use super::options::{NONCE_KEY, ObjectOptions};
use super::{ObjectHead, S3Location, Stored, call_error, decoded, stored};
use crate::aws::error::CallError;

/// The header in which S3 names a bucket's region, in refusals too.
const REGION: &str = "x-amz-bucket-region";

/// What S3 says about a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its region, if S3 named it.
    pub region: Option<String>,
    /// Why S3 said no more, if it did not.
    pub refused: Option<Refusal>,
}

/// A refusal of a request that only asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What was asked and what was answered.
    pub error: CallError,
}

/// Asks where a bucket is. `HeadBucket` needs `s3:ListBucket`, but the region is named without, too.
///
/// # Errors
///
/// [`CallError`], if there was no answer.
pub async fn bucket(
    client: &Client,
    bucket: &str,
    options: &ObjectOptions,
) -> Result<Bucket, CallError> {
    const OPERATION: &str = "HeadBucket";
    let request = client
        .head_bucket()
        .bucket(bucket)
        .set_expected_bucket_owner(options.expected_owner.clone());
    match request.send().await {
        Ok(answer) => Ok(Bucket {
            region: answer.bucket_region.filter(|region| !region.is_empty()),
            refused: None,
        }),
        Err(error) => {
            let region = error
                .raw_response()
                .and_then(|answer| answer.headers().get(REGION))
                .filter(|region| !region.is_empty())
                .map(str::to_owned);
            let refused = Some(refusal(OPERATION, &error)?);
            Ok(Bucket { region, refused })
        }
    }
}

/// Asks what an object is. None if there is no such object.
///
/// # Errors
///
/// [`CallError`], if there was no answer; the [`Refusal`] is what the answer was if it was none of
/// the object.
pub async fn object(
    client: &Client,
    location: &S3Location,
    version: Option<&str>,
    options: &ObjectOptions,
) -> Result<Result<Option<Stored>, Refusal>, CallError> {
    const OPERATION: &str = "HeadObject";
    let request = client
        .head_object()
        .bucket(&location.bucket)
        .key(&location.key)
        .set_version_id(version.map(str::to_owned))
        .set_expected_bucket_owner(options.expected_owner.clone())
        .set_request_payer(options.requester_pays.then_some(RequestPayer::Requester));
    match request.send().await {
        Ok(answer) => {
            stored(OPERATION, answer.e_tag, answer.version_id).map(|stored| Ok(Some(stored)))
        }
        Err(error) => {
            let refusal = refusal(OPERATION, &error)?;
            match refusal.status {
                404 => Ok(Ok(None)),
                _ => Ok(Err(refusal)),
            }
        }
    }
}

/// Asks what an object is, its checksum and the push that wrote it included. None if there is none.
///
/// # Errors
///
/// [`CallError`], whether there was no answer or one that says nothing of the object.
pub(super) async fn found(
    client: &Client,
    location: &S3Location,
    options: &ObjectOptions,
) -> Result<Option<ObjectHead>, CallError> {
    const OPERATION: &str = "HeadObject";
    let request = client
        .head_object()
        .bucket(&location.bucket)
        .key(&location.key)
        .checksum_mode(ChecksumMode::Enabled)
        .set_expected_bucket_owner(options.expected_owner.clone())
        .set_request_payer(options.requester_pays.then_some(RequestPayer::Requester));
    match request.send().await {
        Ok(answer) => {
            let nonce = answer.metadata().and_then(|pairs| pairs.get(NONCE_KEY));
            Ok(Some(ObjectHead {
                nonce: nonce.and_then(|text| text.parse().ok()),
                size: answer
                    .content_length()
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or_default(),
                crc64nvme: answer.checksum_crc64_nvme().and_then(decoded),
                stored: stored(OPERATION, answer.e_tag, answer.version_id)?,
            }))
        }
        Err(error) => match refusal(OPERATION, &error)? {
            Refusal { status: 404, .. } => Ok(None),
            Refusal { status, error } if status >= 500 => Err(CallError {
                code: Some("InternalError".to_owned()),
                ..error
            }),
            Refusal { error, .. } => Err(error),
        },
    }
}

/// What a service said no with.
///
/// # Errors
///
/// What kept it from saying anything.
pub(crate) fn refusal<E>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> Result<Refusal, CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut said = call_error(operation, error);
    let Some(answer) = error.raw_response() else {
        return Err(said);
    };
    let status = answer.status().as_u16();
    // The answer to a HEAD has no body, so it names no code.
    if said
        .code
        .as_deref()
        .is_none_or(|code| matches!(code, "Unknown" | "NotFound"))
    {
        let (code, message) = match status {
            301 => ("PermanentRedirect", "The bucket is in another region"),
            400 => ("BadRequest", "Bad Request"),
            403 => ("AccessDenied", "Access Denied"),
            404 => ("NoSuchBucket", "The specified bucket does not exist"),
            405 => ("MethodNotAllowed", "Method Not Allowed"),
            501 => ("NotImplemented", "Not Implemented"),
            _ => ("Unknown", "Unknown"),
        };
        said = CallError::refused(operation, Some(code), Some(message));
    }
    Ok(Refusal {
        status,
        error: said,
    })
}
