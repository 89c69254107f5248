//! An object in S3, read in ranges.
//!
//! Every range asks for the entity tag that was there at first, so S3 refuses when somebody has put
//! another object in its place ("Conditional reads", Amazon S3 user guide).

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumMode, RequestPayer};
use base64_simd::STANDARD;
use bytes::Bytes;

use super::{Head, Object};
use crate::error::CallError;
use crate::revision::S3Location;
use crate::upload::{ObjectOptions, call_error};

/// An object in an S3 bucket.
#[derive(Clone, Debug)]
pub struct S3Object {
    client: Client,
    location: S3Location,
    version: Option<String>,
    options: ObjectOptions,
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
        }
    }

    fn payer(&self) -> Option<RequestPayer> {
        let pays = self.options.requester_pays;
        pays.then_some(RequestPayer::Requester)
    }
}

impl Object for S3Object {
    async fn head(&self) -> Result<Head, CallError> {
        const OPERATION: &str = "HeadObject";
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
            .map_err(|error| call_error(OPERATION, &error))?;
        let lacks = |what| CallError {
            operation: OPERATION,
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

    async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, CallError> {
        const OPERATION: &str = "GetObject";
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
            .map_err(|error| call_error(OPERATION, &error))?;
        let body = answer.body.collect().await;
        body.map(aws_sdk_s3::primitives::AggregatedBytes::into_bytes)
            .map_err(|error| CallError::unanswered(OPERATION, &error))
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
