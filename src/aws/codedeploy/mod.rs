//! CodeDeploy as hoist calls it: asks for an application, registers a revision with it, and deploys.
//!
//! A revision is registered with the ETag, and the version if there is one, that S3 answered with, so that
//! a deployment of the revision can never get other bytes.

mod application;
pub mod deployment;
mod group;
mod registration;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::primitives::{DateTime, DateTimeFormat};

pub use self::application::{
    Application, BadName, LongDescription, Platform, check_description, check_name,
};
pub use self::group::Group;
pub use self::registration::{BadObject, Named, Registrar, Registration};

use crate::aws::call::Caller;
use crate::aws::error::CallError;
use crate::aws::s3::{S3Location, Stored};
use crate::bundle::BundleType;

/// CodeDeploy in one region, or at one endpoint.
#[derive(Clone, Debug)]
pub struct CodeDeploy {
    client: Client,
    caller: Caller,
    is_amazon: bool,
}

impl CodeDeploy {
    pub(super) fn new(client: Client, caller: Caller, is_amazon: bool) -> Self {
        Self {
            client,
            caller,
            is_amazon,
        }
    }

    /// Whether it is Amazon's, so that the AWS console shows what is there.
    #[must_use]
    pub fn is_amazon(&self) -> bool {
        self.is_amazon
    }
}

/// A bundle in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Where it is.
    pub location: S3Location,
    /// Its type.
    pub bundle: BundleType,
    /// Its ETag and version.
    pub stored: Stored,
}

impl Revision {
    /// The revision in the AWS CLI's shorthand syntax.
    #[must_use]
    pub fn shorthand(&self) -> String {
        Registration::from(self).shorthand()
    }
}

/// A time, in seconds since 1970, in UTC and in the format of RFC 3339. None beyond the year 9999.
#[must_use]
pub fn utc(secs: i64) -> Option<String> {
    DateTime::from_secs(secs).fmt(DateTimeFormat::DateTime).ok()
}

/// The description of a revision for which the user gives none.
#[must_use]
pub fn default_description(now: SystemTime) -> String {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros());
    let secs = i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX);
    let time = utc(secs).unwrap_or_default();
    // Always six digits, even if the last are zeros.
    let micros = micros % 1_000_000;
    format!(
        "Uploaded by hoist {}.{micros:06} UTC",
        time.trim_end_matches('Z')
    )
}

/// CodeDeploy did not register a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// CodeDeploy refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The push was cancelled before the answer came.
    #[error("stopped before RegisterApplicationRevision was answered")]
    Stopped,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bundle::Format;

    #[test]
    fn a_revision_is_written_in_the_shorthand_of_the_aws_cli() {
        let mut revision = Revision {
            location: S3Location {
                bucket: "b".into(),
                key: "k".into(),
            },
            bundle: BundleType::Archive(Format::Zip),
            stored: Stored {
                etag: "abc-2".into(),
                version: None,
            },
        };
        assert_eq!(
            revision.shorthand(),
            "bucket=b,key=k,bundleType=zip,eTag=abc-2"
        );
        revision.stored.version = Some("v1".into());
        assert_eq!(
            revision.shorthand(),
            "bucket=b,key=k,bundleType=zip,eTag=abc-2,version=v1"
        );
        revision.bundle = BundleType::Yaml;
        assert!(revision.shorthand().contains(",bundleType=YAML,"));
    }

    #[test]
    fn the_default_description_has_the_time_in_microseconds() {
        for (micros, expected) in [(123_456, "123456"), (120_000, "120000"), (0, "000000")] {
            let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + micros);
            assert_eq!(
                default_description(time),
                format!("Uploaded by hoist 2023-11-14T22:13:20.{expected} UTC")
            );
        }
    }
}
