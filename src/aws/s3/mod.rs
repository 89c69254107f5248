//! S3 as hoist calls it: every request is made by the one `Caller`.
//!
//! Every part carries the CRC-64/NVME that the packer computed, as a header. S3 refuses a part that does
//! not match it, and checks the whole object by the CRC that those of the parts combine to ("Checking
//! object integrity", Amazon S3 user guide). So the payload is not signed: SHA-256 of every part would
//! cost more than sending it, and TLS protects it. Over plain HTTP to another machine nothing does, so
//! there it is signed.
//!
//! Stores that do not know CRC-64/NVME can be told a CRC-32 instead, or nothing. hoist never chooses that by
//! itself: a user who gives up a check must know it.

mod bucket;
mod checksum;
mod copy;
mod head;
mod list;
mod location;
mod nonce;
mod object;
mod options;
mod types;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::RequestPayer;

pub use self::bucket::BadBucket;
pub use self::checksum::Checksum;
pub use self::copy::{Copied, CopySource};
pub use self::head::Bucket;
pub use self::list::{S3Uploads, UploadMarker, UploadPage};
pub use self::location::{BadLocation, BadPrefix, S3Location, S3Prefix};
pub use self::nonce::Nonce;
pub use self::object::S3Object;
pub use self::options::{BadMetadata, BadTags, Metadata, ObjectOptions, Tags};
pub use self::types::{
    ListedPart, ObjectHead, Stored, UnfinishedUpload, UploadId, UploadedPart, whole,
};

use super::call::Caller;
use super::error::CallError;

/// S3 in one region, or at one endpoint.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    caller: Caller,
    /// Whether payloads are signed, since nothing else protects them on their way.
    sign_payload: bool,
    /// The region, if the store is Amazon's.
    region: Option<String>,
}

impl S3 {
    pub(super) fn new(
        client: Client,
        caller: Caller,
        sign_payload: bool,
        region: Option<String>,
    ) -> Self {
        Self {
            client,
            caller,
            sign_payload,
            region,
        }
    }

    /// An object, which need not exist yet. Its requests pay their retries from tokens of their own.
    #[must_use]
    pub fn object(&self, location: S3Location, options: ObjectOptions) -> S3Object {
        S3Object::new(self.independent(), location, options)
    }

    /// The unfinished multipart uploads below a prefix. Of the options, the owner and the payer count.
    #[must_use]
    pub fn uploads(&self, prefix: S3Prefix, options: ObjectOptions) -> S3Uploads {
        S3Uploads::new(self.independent(), prefix, options)
    }

    fn independent(&self) -> Self {
        Self {
            caller: self.caller.independent(),
            ..self.clone()
        }
    }
}

fn payer(options: &ObjectOptions) -> Option<RequestPayer> {
    options.requester_pays.then_some(RequestPayer::Requester)
}

/// The ETag of an answer, without its quotes.
fn unquoted(operation: &'static str, etag: Option<String>) -> Result<String, CallError> {
    let etag = etag.ok_or_else(|| CallError::incomplete(operation, "ETag"))?;
    Ok(etag.trim_matches('"').to_owned())
}
