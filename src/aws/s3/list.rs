//! S3 calls that list and abort unfinished multipart uploads.

use std::time::SystemTime;

use aws_sdk_s3::primitives::DateTime;

use super::checksum::decode_crc64;
use super::{
    ListedPart, ObjectOptions, S3, S3Location, S3Object, S3Prefix, UnfinishedUpload, UploadId,
    payer,
};
use crate::aws::call::Request;
use crate::aws::error::CallError;

/// The unfinished multipart uploads below a prefix.
#[derive(Clone, Debug)]
pub struct S3Uploads {
    s3: S3,
    prefix: S3Prefix,
    options: ObjectOptions,
}

/// The place in a list of uploads where a page of it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadMarker {
    /// The last key.
    pub key: String,
    /// The last of its uploads.
    pub id: Option<String>,
}

/// A page of a list of uploads.
#[derive(Clone, Debug, Default)]
pub struct UploadPage {
    /// Its uploads.
    pub uploads: Vec<UnfinishedUpload>,
    /// Where the next page begins, if there is one.
    pub next: Option<UploadMarker>,
}

impl S3Uploads {
    pub(super) fn new(s3: S3, prefix: S3Prefix, options: ObjectOptions) -> Self {
        Self {
            s3,
            prefix,
            options,
        }
    }

    /// The page of the list that begins after `after`.
    pub async fn page(&self, after: Option<&UploadMarker>) -> Result<UploadPage, CallError> {
        uploads(&self.s3, &self.prefix, after, &self.options).await
    }

    /// The stored parts of an upload.
    pub async fn parts(&self, upload: &UnfinishedUpload) -> Result<Vec<ListedPart>, CallError> {
        parts(&self.s3, &self.location(upload), &upload.id, &self.options).await
    }

    /// Aborts an upload, and frees its parts.
    pub async fn abort(&self, upload: &UnfinishedUpload) -> Result<(), CallError> {
        abort(&self.s3, &self.location(upload), &upload.id, &self.options).await
    }

    fn location(&self, upload: &UnfinishedUpload) -> S3Location {
        S3Location {
            bucket: self.prefix.bucket.clone(),
            key: upload.key.clone(),
        }
    }
}

impl S3Object {
    /// The unfinished uploads of this key.
    pub async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        let prefix = S3Prefix {
            bucket: self.location.bucket.clone(),
            prefix: self.location.key.clone(),
        };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = uploads(&self.s3, &prefix, after.as_ref(), &self.options).await?;
            // Keys that only begin with this one come later in the list.
            let of_key = |upload: &UnfinishedUpload| upload.key == self.location.key;
            let is_behind = page.uploads.last().is_some_and(|last| !of_key(last));
            found.extend(page.uploads.into_iter().filter(of_key));
            if is_behind || page.next.is_none() || page.next == after {
                return Ok(found);
            }
            after = page.next;
        }
    }

    /// The stored parts of an upload.
    pub async fn parts(&self, upload: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        parts(&self.s3, &self.location, upload, &self.options).await
    }

    /// Aborts an upload, and frees its parts.
    pub async fn abort(&self, upload: &UploadId) -> Result<(), CallError> {
        abort(&self.s3, &self.location, upload, &self.options).await
    }
}

async fn uploads(
    s3: &S3,
    S3Prefix { bucket, prefix }: &S3Prefix,
    after: Option<&UploadMarker>,
    options: &ObjectOptions,
) -> Result<UploadPage, CallError> {
    const OPERATION: &str = "ListMultipartUploads";
    let attempt = || async {
        s3.client
            .list_multipart_uploads()
            .bucket(bucket)
            .set_prefix((!prefix.is_empty()).then(|| prefix.clone()))
            .set_key_marker(after.map(|after| after.key.clone()))
            .set_upload_id_marker(after.and_then(|after| after.id.clone()))
            .set_expected_bucket_owner(options.expected_owner.clone())
            .set_request_payer(payer(options))
            .send()
            .await
            .map_err(|error| CallError::of(OPERATION, &error))
    };
    let answer = s3.caller.call(Request::new(OPERATION), attempt).await?;
    let is_truncated = answer.is_truncated == Some(true);
    let (key, id) = (answer.next_key_marker, answer.next_upload_id_marker);
    let next = key.filter(|_| is_truncated);
    let uploads = answer.uploads.unwrap_or_default().into_iter();
    let uploads = uploads.filter_map(|upload| {
        Some(UnfinishedUpload {
            key: upload.key?,
            id: UploadId(upload.upload_id?),
            initiated: time(upload.initiated),
        })
    });
    Ok(UploadPage {
        uploads: uploads.collect(),
        next: next.map(|key| UploadMarker { key, id }),
    })
}

async fn parts(
    s3: &S3,
    location: &S3Location,
    upload: &UploadId,
    options: &ObjectOptions,
) -> Result<Vec<ListedPart>, CallError> {
    const OPERATION: &str = "ListParts";
    let (mut parts, mut marker) = (Vec::new(), None::<String>);
    loop {
        let attempt = || async {
            s3.client
                .list_parts()
                .bucket(&location.bucket)
                .key(&location.key)
                .upload_id(&upload.0)
                .set_part_number_marker(marker.clone())
                .set_expected_bucket_owner(options.expected_owner.clone())
                .set_request_payer(payer(options))
                .send()
                .await
                .map_err(|error| CallError::of(OPERATION, &error))
        };
        let answer = s3.caller.call(Request::new(OPERATION), attempt).await?;
        parts.extend(answer.parts().iter().filter_map(|part| {
            Some(ListedPart {
                number: u32::try_from(part.part_number?).ok()?,
                size: u64::try_from(part.size?).ok()?,
                etag: part.e_tag.clone()?,
                crc64nvme: part.checksum_crc64_nvme().and_then(decode_crc64),
                modified: time(part.last_modified),
            })
        }));
        let next = answer.next_part_number_marker;
        if answer.is_truncated != Some(true) || next.is_none() || next == marker {
            return Ok(parts);
        }
        marker = next;
    }
}

async fn abort(
    s3: &S3,
    location: &S3Location,
    upload: &UploadId,
    options: &ObjectOptions,
) -> Result<(), CallError> {
    const OPERATION: &str = "AbortMultipartUpload";
    let attempt = || async {
        let request = s3
            .client
            .abort_multipart_upload()
            .bucket(&location.bucket)
            .key(&location.key)
            .upload_id(&upload.0)
            .set_expected_bucket_owner(options.expected_owner.clone())
            .set_request_payer(payer(options));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(CallError::of(OPERATION, &error)),
        }
    };
    s3.caller.call(Request::new(OPERATION), attempt).await
}

fn time(time: Option<DateTime>) -> Option<SystemTime> {
    time.and_then(|time| time.try_into().ok())
}
