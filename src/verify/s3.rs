//! An object in S3, read in ranges.
//!
//! Every range asks for the ETag that was there at first, so S3 refuses if another object has been put in
//! its place ("Conditional reads", Amazon S3 user guide).

use std::ops::Range;

use ::bytes::Bytes;

use super::{Error, Object};
use crate::aws::error::CallError;
use crate::aws::s3::{ObjectHead, S3Object};

impl Object for S3Object {
    async fn head(&self) -> Result<ObjectHead, Error> {
        let head = self.head_with_checksum().await?;
        let missing = || CallError {
            operation: "HeadObject",
            code: Some("NoSuchKey".to_owned()),
            message: "there is no such object, or no such bucket".to_owned(),
        };
        Ok(head.ok_or_else(missing)?)
    }

    async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, Error> {
        Ok(self.get(range, etag).await?)
    }
}
