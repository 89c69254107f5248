//! Where a revision is: the address that is typed, as the AWS CLI reads it.
//!
//! It refuses to judge names of buckets and keys; S3 does.

use std::fmt;
use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
