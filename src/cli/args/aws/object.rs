//! What S3 stores with the object.

use clap::Args;
use hoist::aws::s3::{Metadata, ObjectOptions, Tags};
use hoist::error::shown;

use super::bucket::BucketArgs;
use crate::cli::Failure;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "S3 object")]
pub(crate) struct ObjectArgs {
    /// Server-side encryption
    #[arg(long, value_name = "KIND", value_parser = ["AES256", "aws:kms", "aws:kms:dsse"])]
    sse: Option<String>,

    /// KMS key to encrypt with: its id, alias or ARN; needs --sse aws:kms or aws:kms:dsse
    #[arg(long, value_name = "KEY", requires = "sse")]
    sse_kms_key_id: Option<String>,

    /// Canned ACL of the object
    #[arg(long, value_name = "ACL", value_parser = [
        "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
        "bucket-owner-read", "bucket-owner-full-control",
    ])]
    acl: Option<String>,

    /// Storage class; GLACIER and DEEP_ARCHIVE are refused, since instances cannot read them
    #[arg(long, value_name = "CLASS", value_parser = storage_class)]
    storage_class: Option<String>,

    /// Tags, URL-encoded: KEY=VALUE&KEY2=VALUE2, at most 10
    #[arg(long, value_name = "TAGS", value_parser = Tags::parse)]
    tagging: Option<Tags>,

    /// Metadata: KEY=VALUE,KEY2=VALUE2, at most 2 KiB
    #[arg(long, value_name = "PAIRS", value_parser = Metadata::parse)]
    metadata: Option<Metadata>,

    #[command(flatten)]
    pub(crate) bucket: BucketArgs,

    /// Fail if the object exists already
    #[arg(long)]
    no_overwrite: bool,
}

impl ObjectArgs {
    pub(crate) fn options(&self) -> Result<ObjectOptions, Failure> {
        if self.sse_kms_key_id.is_some() && self.sse.as_deref() == Some("AES256") {
            return Err(Failure::usage(
                "--sse AES256 takes no key; --sse-kms-key-id needs --sse aws:kms or aws:kms:dsse",
            ));
        }
        Ok(ObjectOptions {
            encryption: self.sse.clone(),
            kms_key: self.sse_kms_key_id.clone(),
            acl: self.acl.clone(),
            storage_class: self.storage_class.clone(),
            tags: self.tagging.clone().unwrap_or_default(),
            metadata: self.metadata.clone().unwrap_or_default(),
            no_overwrite: self.no_overwrite,
            ..self.bucket.options()
        })
    }

    /// Takes from `other` what is not `given` here. A key is for one kind of encryption.
    pub(crate) fn inherit(&mut self, other: &Self, given: &dyn Fn(&str) -> bool) {
        let own = self.clone();
        let is_of_kind = !given("sse") || self.sse == other.sse;
        let key = other.sse_kms_key_id.clone().filter(|_| is_of_kind);
        *self = Self {
            sse: own.sse.or_else(|| other.sse.clone()),
            sse_kms_key_id: own.sse_kms_key_id.or(key),
            acl: own.acl.or_else(|| other.acl.clone()),
            storage_class: own.storage_class.or_else(|| other.storage_class.clone()),
            tagging: own.tagging.or_else(|| other.tagging.clone()),
            metadata: own.metadata.or_else(|| other.metadata.clone()),
            bucket: own.bucket.or(&other.bucket),
            no_overwrite: own.no_overwrite || other.no_overwrite && !given("no-overwrite"),
        };
    }

    /// Why S3 cannot encrypt with this key in `region`: keys of KMS belong to one region. A key that is not
    /// the destination's own was named for another region.
    pub(crate) fn problem_of_key(&self, region: &str, is_own: bool) -> Option<String> {
        let key = self.sse_kms_key_id.as_deref()?;
        let of_arn = |arn: &str| arn.split(':').nth(2).map(str::to_owned);
        let of = match key.strip_prefix("arn:") {
            Some(arn) => of_arn(arn).filter(|of| of != region)?,
            // An alias may exist in each region, and a multi-Region key has one id in all of them.
            None if is_own || key.starts_with("alias/") || key.starts_with("mrk-") => return None,
            None => "another region".to_owned(),
        };
        Some(format!(
            "the key {} is one of {}, and S3 takes keys of the bucket's region: name one of {region} with \
             sse-kms-key-id",
            shown(key),
            shown(&of)
        ))
    }
}

/// Takes any class but those that must be restored before they can be read, since a deployment would
/// fail.
fn storage_class(text: &str) -> Result<String, String> {
    match text {
        "GLACIER" | "DEEP_ARCHIVE" => Err(format!(
            "instances cannot read an object of class {text} before it is restored; GLACIER_IR can \
             be read at once"
        )),
        "STANDARD"
        | "REDUCED_REDUNDANCY"
        | "STANDARD_IA"
        | "ONEZONE_IA"
        | "INTELLIGENT_TIERING"
        | "GLACIER_IR"
        | "OUTPOSTS"
        | "SNOW"
        | "EXPRESS_ONEZONE"
        | "FSX_OPENZFS" => Ok(text.to_owned()),
        _ => Err(
            "choose STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR or another \
             that S3 has for this bucket"
                .to_owned(),
        ),
    }
}
