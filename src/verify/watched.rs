//! An object that reports how much of it was read, for a display.

use std::ops::Range;
use std::sync::Arc;

use ::bytes::Bytes;

use super::{Error, Object};
use crate::aws::s3::ObjectHead;
use crate::progress::Progress;

/// An object whose reading is counted.
#[derive(Debug)]
pub struct Watched<O> {
    object: O,
    progress: Arc<Progress>,
}

impl<O> Watched<O> {
    /// Counts in `progress` what is read of `object`.
    pub fn new(object: O, progress: Arc<Progress>) -> Self {
        Self { object, progress }
    }
}

impl<O: Object> Object for Watched<O> {
    async fn head(&self) -> Result<ObjectHead, Error> {
        let head = self.object.head().await?;
        self.progress.to_read(head.size);
        Ok(head)
    }

    async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, Error> {
        let body = self.object.get(range, etag).await?;
        self.progress.read(body.len() as u64);
        Ok(body)
    }
}
