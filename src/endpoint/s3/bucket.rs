//! Buckets.

use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::super::ids;
use super::super::store::{self, Versioning};
use super::Service;
use super::list::{from_token, to_token};

/// The region of a bucket created without a location constraint.
const DEFAULT_REGION: &str = "us-east-1";

/// Most buckets in a page (S3 API reference).
const MAX_BUCKETS: usize = 10_000;

impl Service {
    pub(super) async fn make_bucket(
        &self,
        input: CreateBucketInput,
    ) -> S3Result<CreateBucketOutput> {
        let region = input
            .create_bucket_configuration
            .and_then(|configuration| configuration.location_constraint)
            .map(|region| region.as_str().to_owned())
            .filter(|region| !region.is_empty())
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let name = input.bucket;
        let location = format!("/{name}");
        self.with_store(move |store| {
            if store.create_bucket(&name, &region)? {
                return Ok(());
            }
            // S3 answers 200 to the owner's repeated request in us-east-1 only.
            if region == DEFAULT_REGION && store.bucket(&name)?.region == DEFAULT_REGION {
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
        input: HeadBucketInput,
    ) -> S3Result<HeadBucketOutput> {
        let bucket = self
            .with_store(move |store| store.bucket(&input.bucket))
            .await?;
        Ok(HeadBucketOutput {
            bucket_region: Some(bucket.region),
            ..Default::default()
        })
    }

    pub(super) async fn remove_bucket(
        &self,
        input: DeleteBucketInput,
    ) -> S3Result<DeleteBucketOutput> {
        self.with_store(move |store| store.delete_bucket(&input.bucket))
            .await?;
        Ok(DeleteBucketOutput::default())
    }

    pub(super) async fn buckets(&self, input: ListBucketsInput) -> S3Result<ListBucketsOutput> {
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
        let all = self.with_store(super::Store::buckets).await?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let mut found = all
            .into_iter()
            .filter(|bucket| after.as_ref().is_none_or(|after| bucket.name > *after))
            .filter(|bucket| bucket.name.starts_with(&prefix))
            .filter(|bucket| {
                input
                    .bucket_region
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

    pub(super) async fn location(
        &self,
        input: GetBucketLocationInput,
    ) -> S3Result<GetBucketLocationOutput> {
        let bucket = self
            .with_store(move |store| store.bucket(&input.bucket))
            .await?;
        let elsewhere = (bucket.region != DEFAULT_REGION).then_some(bucket.region);
        Ok(GetBucketLocationOutput {
            location_constraint: elsewhere.map(BucketLocationConstraint::from),
        })
    }

    pub(super) async fn versioning(
        &self,
        input: GetBucketVersioningInput,
    ) -> S3Result<GetBucketVersioningOutput> {
        let bucket = self
            .with_store(move |store| store.bucket(&input.bucket))
            .await?;
        let status = match bucket.versioning {
            Versioning::Off => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        Ok(GetBucketVersioningOutput {
            status: status.map(BucketVersioningStatus::from_static),
            ..Default::default()
        })
    }

    pub(super) async fn set_versioning(
        &self,
        input: PutBucketVersioningInput,
    ) -> S3Result<PutBucketVersioningOutput> {
        let status = input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => {
                return Err(s3_error!(
                    IllegalVersioningConfigurationException,
                    "The versioning status must be Enabled or Suspended"
                ));
            }
        };
        self.with_store(move |store| store.set_versioning(&input.bucket, versioning))
            .await?;
        Ok(PutBucketVersioningOutput::default())
    }
}
