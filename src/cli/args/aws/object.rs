//! Options about the object in S3.

use clap::Args;
use hoist::aws::s3::{Metadata, ObjectOptions, Tags};

use crate::cli::Failure;

/// What S3 is told about the object.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Object options")]
pub(crate) struct ObjectArgs {
    /// Encryption at rest
    #[arg(long, value_name = "KIND", value_parser = ["AES256", "aws:kms", "aws:kms:dsse"])]
    sse: Option<String>,

    /// The KMS key to encrypt with: its id, alias or ARN; needs --sse aws:kms or aws:kms:dsse
    #[arg(long, value_name = "KEY", requires = "sse")]
    sse_kms_key_id: Option<String>,

    /// A canned ACL
    #[arg(long, value_name = "ACL", value_parser = [
        "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
        "bucket-owner-read", "bucket-owner-full-control",
    ])]
    acl: Option<String>,

    /// A storage class from which instances can read at once
    #[arg(long, value_name = "CLASS", value_parser = storage_class)]
    storage_class: Option<String>,

    /// Tags, URL-encoded: KEY=VALUE&KEY2=VALUE2, 10 at most
    #[arg(long, value_name = "TAGS", value_parser = Tags::parse)]
    tagging: Option<Tags>,

    /// Metadata: KEY=VALUE,KEY2=VALUE2, 2 KB at most
    #[arg(long, value_name = "PAIRS", value_parser = Metadata::parse)]
    metadata: Option<Metadata>,

    /// Fail unless this account owns the bucket: 12 digits
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    expected_bucket_owner: Option<String>,

    /// Pay for the requests in the bucket owner's place
    #[arg(long, value_name = "PAYER", value_parser = ["requester"])]
    request_payer: Option<String>,

    /// Fail if there is an object already
    #[arg(long)]
    no_overwrite: bool,
}

impl ObjectArgs {
    /// What the library is to know.
    pub(crate) fn options(&self) -> Result<ObjectOptions, Failure> {
        if self.sse_kms_key_id.is_some() && self.sse.as_deref() == Some("AES256") {
            return Err(Failure::usage(
                "--sse AES256 takes no key; for --sse-kms-key-id say --sse aws:kms or aws:kms:dsse",
            ));
        }
        Ok(ObjectOptions {
            encryption: self.sse.clone(),
            kms_key: self.sse_kms_key_id.clone(),
            acl: self.acl.clone(),
            storage_class: self.storage_class.clone(),
            tags: self.tagging.clone().unwrap_or_default(),
            metadata: self.metadata.clone().unwrap_or_default(),
            expected_owner: self.expected_bucket_owner.clone(),
            requester_pays: self.request_payer.is_some(),
            no_overwrite: self.no_overwrite,
        })
    }

    /// Those of the words that also say how to ask for the object.
    pub(crate) fn words(&self) -> Vec<String> {
        [
            ("--expected-bucket-owner", &self.expected_bucket_owner),
            ("--request-payer", &self.request_payer),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]))
        .flatten()
        .collect()
    }
}

/// Any class but those that must be restored first: a deployment would fail.
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

pub(crate) fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account has 12 digits".to_owned())
}
