//! A revision: where it is, and how CodeDeploy learns of it. The only CodeDeploy calls.
//!
//! It is registered with the ETag, and the version if there is one, that S3 answered with: a
//! deployment of this revision can then never get other bytes.

mod application;
mod registration;

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_codedeploy::primitives::{DateTime, DateTimeFormat};

pub use self::application::{
    Application, BadName, LongDescription, Platform, application, check_description, check_name,
};
pub use self::registration::{BadObject, Named, Registration};

use crate::bundle::BundleType;
use crate::error::CallError;
use crate::upload::Stored;

/// An object's place in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// Not an S3 location. The text is that of `aws deploy push`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--s3-location must specify the Amazon S3 URL format as s3://<bucket>/<key>.")]
pub struct BadLocation;

impl FromStr for S3Location {
    type Err = BadLocation;

    /// Splits as `aws deploy push` does: at the first slash behind a bucket of at least one
    /// character. What follows is the key, leading slashes and question marks included.
    fn from_str(text: &str) -> Result<Self, BadLocation> {
        let rest = text.strip_prefix("s3://").ok_or(BadLocation)?;
        let mut characters = rest.chars();
        let first = characters.next().ok_or(BadLocation)?;
        let (more, key) = characters.as_str().split_once('/').ok_or(BadLocation)?;
        if key.is_empty() {
            return Err(BadLocation);
        }
        Ok(Self {
            bucket: format!("{first}{more}"),
            key: key.to_owned(),
        })
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// A bundle in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Where it is.
    pub location: S3Location,
    /// What it is.
    pub bundle: BundleType,
    /// As what S3 stored it.
    pub stored: Stored,
}

impl Revision {
    /// As the AWS CLI's `--s3-location` takes it (shorthand syntax).
    #[must_use]
    pub fn shorthand(&self) -> String {
        Registration::from(self).shorthand()
    }
}

/// A time in seconds since 1970 as RFC 3339 has it, in UTC; None beyond the year 9999.
#[must_use]
pub fn utc(secs: i64) -> Option<String> {
    DateTime::from_secs(secs).fmt(DateTimeFormat::DateTime).ok()
}

/// What a revision is described as if its owner says nothing.
#[must_use]
pub fn default_description(now: SystemTime) -> String {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros());
    let secs = i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX);
    let time = utc(secs).unwrap_or_default();
    // All six digits, though the last may be zeros.
    let micros = micros % 1_000_000;
    format!(
        "Uploaded by hoist {}.{micros:06} UTC",
        time.trim_end_matches('Z')
    )
}

/// The operation that registers.
const REGISTER: &str = "RegisterApplicationRevision";

/// CodeDeploy did not register a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It was not waited for.
    #[error("stopped before RegisterApplicationRevision was answered")]
    Stopped,
}

/// Registers `revision` with `application`.
///
/// # Errors
///
/// [`Error`].
pub async fn register(
    client: &Client,
    application: &str,
    description: &str,
    revision: &Revision,
) -> Result<(), Error> {
    let registration = Registration::from(revision);
    registration
        .register(client, application, description)
        .await
}

fn call_error<E, R>(operation: &'static str, error: &SdkError<E, R>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            CallError::refused(operation, answer.err().code(), answer.err().message())
        }
        _ => CallError::unanswered(operation, error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bundle::Format;

    #[test]
    fn locations_are_split_as_the_aws_cli_splits_them() {
        let split = |text: &str| text.parse().map(|S3Location { bucket, key }| (bucket, key));
        let both = |bucket: &str, key: &str| Ok((bucket.to_owned(), key.to_owned()));
        assert_eq!(split("s3://b/k"), both("b", "k"));
        assert_eq!(split("s3://b/a/b.zip"), both("b", "a/b.zip"));
        assert_eq!(split("s3://b//k"), both("b", "/k"));
        assert_eq!(split("s3://b/k?versionId=1"), both("b", "k?versionId=1"));
        for bad in [
            "", "b/k", "S3://b/k", "s3://", "s3://b", "s3://b/", "s3:///k",
        ] {
            assert_eq!(split(bad), Err(BadLocation), "{bad}");
        }
        assert_eq!(
            "s3://b/a/b".parse::<S3Location>().unwrap().to_string(),
            "s3://b/a/b"
        );
    }

    #[test]
    fn a_revision_is_written_in_shorthand() {
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
    fn the_default_description_has_the_time() {
        for (micros, expected) in [(123_456, "123456"), (120_000, "120000"), (0, "000000")] {
            let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + micros);
            assert_eq!(
                default_description(time),
                format!("Uploaded by hoist 2023-11-14T22:13:20.{expected} UTC")
            );
        }
    }
}
