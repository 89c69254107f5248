//! The operations of S3 on the store: a request becomes a call of the store, and its result becomes a
//! response.
//!
//! The operations are those that hoist and the `s3` and `deploy` commands of the AWS CLI send. All
//! others, and headers that would change what an operation means, are answered with
//! `NotImplemented` (501). Signatures, `aws-chunked` bodies and expected owners are settled before a
//! request gets here (see [`super::server`]); HTTP and XML are the `s3s` crate's.

mod bucket;
mod list;
mod object;
mod request;
mod upload;

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::store::{Store, blocking};

/// S3 on one store.
pub(super) struct Service {
    store: Arc<Store>,
}

impl Service {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Runs file work on the store off the runtime's threads.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let store = Arc::clone(&self.store);
        blocking(move || work(&store)).await
    }
}

/// Implements each operation by the method that is named behind it.
macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident: $method:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Service {
            $(async fn $operation(
                &self,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                self.$method(request).await.map(S3Response::new)
            })*
        }
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput: buckets;
    create_bucket(CreateBucketInput) -> CreateBucketOutput: make_bucket;
    head_bucket(HeadBucketInput) -> HeadBucketOutput: describe_bucket;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput: remove_bucket;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput: keep_versions;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output: list;
    put_object(PutObjectInput) -> PutObjectOutput: put;
    get_object(GetObjectInput) -> GetObjectOutput: get;
    head_object(HeadObjectInput) -> HeadObjectOutput: head;
    copy_object(CopyObjectInput) -> CopyObjectOutput: copy;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput: delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput: delete_many;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput: begin;
    upload_part(UploadPartInput) -> UploadPartOutput: put_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput: copy_part;
    complete_multipart_upload(CompleteMultipartUploadInput)
        -> CompleteMultipartUploadOutput: complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput: abort;
    list_parts(ListPartsInput) -> ListPartsOutput: parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput: uploads;
}
