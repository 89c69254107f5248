//! Whose bucket it is, and who pays for the requests.

use clap::Args;
use hoist::aws::s3::ObjectOptions;

#[derive(Clone, Debug, Args)]
pub(crate) struct BucketArgs {
    /// Fail unless this account, of 12 digits, owns the bucket
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(crate) expected_bucket_owner: Option<String>,

    /// Pay for the requests instead of the bucket's owner
    #[arg(long, value_name = "PAYER", value_parser = ["requester"])]
    pub(crate) request_payer: Option<String>,
}

impl BucketArgs {
    pub(crate) fn options(&self) -> ObjectOptions {
        ObjectOptions {
            expected_owner: self.expected_bucket_owner.clone(),
            requester_pays: self.request_payer.is_some(),
            ..ObjectOptions::default()
        }
    }

    /// These, and from `other` what is not given here.
    pub(crate) fn or(self, other: &Self) -> Self {
        let (owner, payer) = (&other.expected_bucket_owner, &other.request_payer);
        Self {
            expected_bucket_owner: self.expected_bucket_owner.or_else(|| owner.clone()),
            request_payer: self.request_payer.or_else(|| payer.clone()),
        }
    }

    /// The same options for another command line.
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

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account has 12 digits".to_owned())
}
