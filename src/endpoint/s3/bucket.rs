//! Buckets.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::super::server::SignedFor;
use super::super::store::{self, Store};
use super::super::{ids, region};
use super::Service;
use super::list::{from_token, to_token};
use super::request::not_offered;

/// Most buckets in a page (S3 API reference).
const MAX_BUCKETS: usize = 10_000;

impl Service {
    pub(super) async fn make_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<CreateBucketOutput> {
        let input = request.input;
        let signed = request.extensions.get::<SignedFor>();
        let signed = signed.and_then(|SignedFor(region)| region.as_deref());
        let constraint = input.create_bucket_configuration.map(|configuration| {
            let constraint = configuration.location_constraint;
            constraint.map_or_else(String::new, |region| region.as_str().to_owned())
        });
        let region = region::of_new_bucket(signed, constraint.as_deref())?;
        let name = input.bucket;
        let location = format!("/{name}");
        self.with_store(move |store| {
            if store.create_bucket(&name, &region)? {
                return Ok(());
            }
            // S3 answers 200 to the owner's repeated request in us-east-1 only.
            if region == region::DEFAULT && store.bucket(&name)?.region == region {
                return Ok(());
            }
            Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own \
                 it: {name}"
            ))
        })
        .await?;
        Ok(CreateBucketOutput {
            location: Some(location),
        })
    }

    pub(super) async fn describe_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<HeadBucketOutput> {
        let name = request.input.bucket;
        let bucket = self.with_store(move |store| store.bucket(&name)).await?;
        Ok(HeadBucketOutput {
            bucket_region: Some(bucket.region),
            ..Default::default()
        })
    }

    pub(super) async fn remove_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<DeleteBucketOutput> {
        let name = request.input.bucket;
        self.with_store(move |store| store.delete_bucket(&name))
            .await?;
        Ok(DeleteBucketOutput::default())
    }

    pub(super) async fn buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<ListBucketsOutput> {
        let input = request.input;
        let limit = input
            .max_buckets
            .map_or(Ok(MAX_BUCKETS), usize::try_from)
            .unwrap_or(0);
        if !(1..=MAX_BUCKETS).contains(&limit) {
            return Err(s3_error!(
                InvalidArgument,
                "Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}"
            ));
        }
        let after = input
            .continuation_token
            .as_deref()
            .map(from_token)
            .transpose()?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let region = input.bucket_region;
        let mut found = self
            .with_store(Store::buckets)
            .await?
            .into_iter()
            .filter(|bucket| after.as_ref().is_none_or(|after| bucket.name > *after))
            .filter(|bucket| bucket.name.starts_with(&prefix))
            .filter(|bucket| {
                region
                    .as_ref()
                    .is_none_or(|region| *region == bucket.region)
            });
        let page: Vec<store::Bucket> = found.by_ref().take(limit).collect();
        let more = found.next().is_some();
        let next = page
            .last()
            .filter(|_| more)
            .map(|bucket| to_token(&bucket.name));
        let buckets = page.into_iter().map(|bucket| Bucket {
            name: Some(bucket.name),
            bucket_region: Some(bucket.region),
            creation_date: Some(ids::time(bucket.created_ms).into()),
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            continuation_token: next,
            prefix: input.prefix,
            ..Default::default()
        })
    }

    pub(super) async fn keep_versions(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        let input = request.input;
        let status = input.versioning_configuration.status;
        if status.as_ref().map(BucketVersioningStatus::as_str)
            != Some(BucketVersioningStatus::ENABLED)
        {
            return Err(not_offered("a versioning status other than Enabled"));
        }
        self.with_store(move |store| store.keep_versions(&input.bucket))
            .await?;
        Ok(PutBucketVersioningOutput::default())
    }
}
