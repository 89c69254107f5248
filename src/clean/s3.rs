//! The S3 calls of cleaning.

use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::RequestPayer;

use super::{Held, Marker, Page, Place, Upload, Uploads};
use crate::aws::error::CallError;
use crate::aws::s3::{ObjectOptions, call_error};

/// The unfinished uploads in a bucket.
#[derive(Clone, Debug)]
pub struct S3Uploads {
    client: Client,
    place: Place,
    options: ObjectOptions,
}

impl S3Uploads {
    /// Those at `place`. Of the options, whose bucket it is and who pays.
    #[must_use]
    pub fn new(client: Client, place: Place, options: ObjectOptions) -> Self {
        Self {
            client,
            place,
            options,
        }
    }

    fn owner(&self) -> Option<String> {
        self.options.expected_owner.clone()
    }

    fn payer(&self) -> Option<RequestPayer> {
        let pays = self.options.requester_pays;
        pays.then_some(RequestPayer::Requester)
    }
}

impl Uploads for S3Uploads {
    async fn list(&self, after: Option<&Marker>) -> Result<Page, CallError> {
        let prefix = &self.place.prefix;
        let answer = self
            .client
            .list_multipart_uploads()
            .bucket(&self.place.bucket)
            .set_prefix((!prefix.is_empty()).then(|| prefix.clone()))
            .set_key_marker(after.map(|after| after.key.clone()))
            .set_upload_id_marker(after.and_then(|after| after.id.clone()))
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .send()
            .await
            .map_err(|error| call_error("ListMultipartUploads", &error))?;
        let more = answer.is_truncated.unwrap_or(false);
        let (key, id) = (answer.next_key_marker, answer.next_upload_id_marker);
        let next = key.filter(|_| more).map(|key| Marker { key, id });
        let uploads = answer.uploads.unwrap_or_default().into_iter();
        let uploads = uploads.filter_map(|upload| {
            Some(Upload {
                key: upload.key?,
                id: upload.upload_id?,
                initiated: upload
                    .initiated
                    .and_then(|time| SystemTime::try_from(time).ok()),
            })
        });
        Ok(Page {
            uploads: uploads.collect(),
            next,
        })
    }

    async fn held(&self, upload: &Upload) -> Result<Held, CallError> {
        let mut held = Held::default();
        let mut marker: Option<String> = None;
        loop {
            let answer = self
                .client
                .list_parts()
                .bucket(&self.place.bucket)
                .key(&upload.key)
                .upload_id(&upload.id)
                .set_part_number_marker(marker.clone())
                .set_expected_bucket_owner(self.owner())
                .set_request_payer(self.payer())
                .send()
                .await
                .map_err(|error| call_error("ListParts", &error))?;
            for part in answer.parts.unwrap_or_default() {
                held.parts += 1;
                let size = part.size.and_then(|size| u64::try_from(size).ok());
                held.bytes = held.bytes.saturating_add(size.unwrap_or(0));
            }
            let more = answer.is_truncated.unwrap_or(false);
            let next = answer.next_part_number_marker.filter(|_| more);
            // It would be listed for ever.
            if next.is_none() || next == marker {
                return Ok(held);
            }
            marker = next;
        }
    }

    async fn abort(&self, upload: &Upload) -> Result<(), CallError> {
        self.client
            .abort_multipart_upload()
            .bucket(&self.place.bucket)
            .key(&upload.key)
            .upload_id(&upload.id)
            .set_expected_bucket_owner(self.owner())
            .set_request_payer(self.payer())
            .send()
            .await
            .map_err(|error| call_error("AbortMultipartUpload", &error))?;
        Ok(())
    }
}
