//! S3 calls that list what is unfinished.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::RequestPayer;

use super::options::ObjectOptions;
use super::{ListedPart, S3Location, UnfinishedUpload, UploadId, call_error, decoded};
use crate::aws::error::CallError;

/// The uploads of `location` that were begun and not ended.
///
/// # Errors
///
/// [`CallError`].
pub(super) async fn uploads(
    client: &Client,
    location: &S3Location,
    options: &ObjectOptions,
) -> Result<Vec<UnfinishedUpload>, CallError> {
    let mut uploads = Vec::new();
    let mut marker: Option<(String, Option<String>)> = None;
    loop {
        let (key, id) = marker.take().unzip();
        let answer = client
            .list_multipart_uploads()
            .bucket(&location.bucket)
            .prefix(&location.key)
            .set_key_marker(key)
            .set_upload_id_marker(id.flatten())
            .set_expected_bucket_owner(options.expected_owner.clone())
            .set_request_payer(options.requester_pays.then_some(RequestPayer::Requester))
            .send()
            .await
            .map_err(|error| call_error("ListMultipartUploads", &error))?;
        // The prefix of other keys, which come later.
        let of_key = |upload: &&aws_sdk_s3::types::MultipartUpload| {
            upload.key.as_deref() == Some(&*location.key)
        };
        let listed = answer.uploads();
        uploads.extend(listed.iter().filter(of_key).filter_map(|upload| {
            Some(UnfinishedUpload {
                id: UploadId(upload.upload_id.clone()?),
                at: upload.initiated.map_or(0, |time| time.secs()),
            })
        }));
        let is_behind = listed.last().is_some_and(|last| !of_key(&last));
        match answer.next_key_marker {
            Some(next) if answer.is_truncated == Some(true) && !is_behind => {
                marker = Some((next, answer.next_upload_id_marker));
            }
            _ => return Ok(uploads),
        }
    }
}

/// The parts that are stored of an upload.
///
/// # Errors
///
/// [`CallError`].
pub(super) async fn parts(
    client: &Client,
    location: &S3Location,
    upload: &UploadId,
    options: &ObjectOptions,
) -> Result<Vec<ListedPart>, CallError> {
    let mut parts = Vec::new();
    let mut marker = None;
    loop {
        let answer = client
            .list_parts()
            .bucket(&location.bucket)
            .key(&location.key)
            .upload_id(&upload.0)
            .set_part_number_marker(marker.take())
            .set_expected_bucket_owner(options.expected_owner.clone())
            .set_request_payer(options.requester_pays.then_some(RequestPayer::Requester))
            .send()
            .await
            .map_err(|error| call_error("ListParts", &error))?;
        parts.extend(answer.parts().iter().filter_map(|part| {
            Some(ListedPart {
                number: u32::try_from(part.part_number?).ok()?,
                size: u64::try_from(part.size?).ok()?,
                etag: part.e_tag.clone()?,
                crc64nvme: part.checksum_crc64_nvme().and_then(decoded),
                at: part.last_modified.map_or(0, |time| time.secs()),
            })
        }));
        marker = answer.next_part_number_marker;
        if answer.is_truncated != Some(true) || marker.is_none() {
            return Ok(parts);
        }
    }
}
