//! An object in S3, read in ranges.
//!
//! Every range asks for the entity tag that was there at first, so S3 refuses when somebody has put
//! another object in its place ("Conditional reads", Amazon S3 user guide). What does not come, or does
//! not come whole, is asked for again.

use std::ops::Range;
use std::sync::Arc;

use ::bytes::Bytes;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumMode, RequestPayer};
use base64_simd::STANDARD;

use super::{Error, Head, Object};
use crate::aws::call::{Caller, DEFAULT_ATTEMPTS};
use crate::aws::error::CallError;
use crate::aws::s3::S3Location;
use crate::aws::s3::{ObjectOptions, call_error, refusal};

/// An object in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Object {
    client: Client,
    location: S3Location,
    version: Option<String>,
    options: ObjectOptions,
    retries: Arc<Caller>,
}

impl S3Object {
    /// The object at `location`, or one version of it. Of the options, whose bucket it is and who
    /// pays.
    #[must_use]
    pub fn new(
        client: Client,
        location: S3Location,
        version: Option<String>,
        options: ObjectOptions,
    ) -> Self {
        Self {
            client,
            location,
            version,
            options,
            retries: Arc::new(Caller::new(DEFAULT_ATTEMPTS)),
        }
    }

    /// The same, with each request tried so often at most.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        let retries = Arc::new(Caller::new(attempts));
        Self { retries, ..self }
    }

    /// The same, of this version.
    #[must_use]
    pub fn with_version(self, version: Option<String>) -> Self {
        Self { version, ..self }
    }

    fn payer(&self) -> Option<RequestPayer> {
        let pays = self.options.requester_pays;
        pays.then_some(RequestPayer::Requester)
    }
}

impl Object for S3Object {
    async fn head(&self) -> Result<Head, Error> {
        let attempt = || self.head_once();
        let head = self.retries.request(HEAD, 0, || (), attempt).await;
        Ok(head?)
    }

    async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, Error> {
        let size = range.end.saturating_sub(range.start);
        let attempt = || self.get_once(range.clone(), etag);
        let bytes = self.retries.request(GET, size, || (), attempt).await;
        Ok(bytes?)
    }
}

const HEAD: &str = "HeadObject";
const GET: &str = "GetObject";

impl S3Object {
    async fn head_once(&self) -> Result<Head, CallError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_version_id(self.version.clone())
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| match refusal(HEAD, &error) {
                // The answer to a HEAD says no more than this.
                Ok(refusal) if refusal.status == 404 => CallError::refused(
                    HEAD,
                    Some("NoSuchKey"),
                    Some("there is no such object, or no such bucket"),
                ),
                Ok(refusal) => refusal.error,
                Err(error) => error,
            })?;
        let lacks = |what| CallError {
            operation: HEAD,
            code: None,
            message: format!("the answer has no {what}"),
        };
        let size = answer.content_length.and_then(|size| size.try_into().ok());
        Ok(Head {
            size: size.ok_or_else(|| lacks("size"))?,
            etag: answer
                .e_tag
                .map(|etag| etag.trim_matches('"').to_owned())
                .ok_or_else(|| lacks("ETag"))?,
            version: answer.version_id,
            crc64nvme: answer.checksum_crc64_nvme.as_deref().and_then(decoded),
        })
    }

    async fn get_once(&self, range: Range<u64>, etag: &str) -> Result<Bytes, CallError> {
        let size = range.end.saturating_sub(range.start);
        let answer = self
            .client
            .get_object()
            .bucket(&self.location.bucket)
            .key(&self.location.key)
            .set_version_id(self.version.clone())
            .set_expected_bucket_owner(self.options.expected_owner.clone())
            .set_request_payer(self.payer())
            .range(format!(
                "bytes={}-{}",
                range.start,
                range.end.saturating_sub(1)
            ))
            .if_match(format!("\"{etag}\""))
            .send()
            .await
            .map_err(|error| call_error(GET, &error))?;
        let whole = |came: Option<u64>| match came {
            Some(came) if came != size => Err(CallError {
                operation: GET,
                code: None,
                message: format!("{came} bytes came of {size}"),
            }),
            _ => Ok(()),
        };
        // A store that knows no ranges would send all of it.
        whole(answer.content_length.and_then(|len| len.try_into().ok()))?;
        let body = answer.body.collect().await;
        let body = body
            .map_err(|error| CallError::unanswered(GET, &error))?
            .into_bytes();
        whole(Some(body.len() as u64))?;
        Ok(body)
    }
}

/// A checksum that S3 wrote: base64 of its big-endian bytes.
fn decoded(text: &str) -> Option<u64> {
    let bytes = STANDARD.decode_to_vec(text).ok()?;
    bytes.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_read_as_s3_writes_them() {
        assert_eq!(decoded("rosUhgp5mIg="), Some(0xAE8B_1486_0A79_9888));
        for bad in ["", "rosUhgp5mI", "rosUhgp5mIg", "AAAA"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
