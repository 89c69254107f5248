//! The unfinished uploads of an S3 bucket.

use super::{Held, Uploads};
use crate::aws::error::CallError;
use crate::aws::s3::{S3Uploads, UnfinishedUpload, UploadMarker, UploadPage};

impl Uploads for S3Uploads {
    async fn list(&self, after: Option<&UploadMarker>) -> Result<UploadPage, CallError> {
        self.page(after).await
    }

    async fn held(&self, upload: &UnfinishedUpload) -> Result<Held, CallError> {
        let parts = self.parts(upload).await?;
        let sizes = parts.iter().map(|part| part.size);
        Ok(Held {
            parts: parts.len() as u64,
            bytes: sizes.fold(0, u64::saturating_add),
        })
    }

    async fn abort(&self, upload: &UnfinishedUpload) -> Result<(), CallError> {
        self.abort(upload).await
    }
}
