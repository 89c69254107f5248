//! `s3://` addresses, split as the AWS CLI splits them.
//!
//! Whether the store can have a bucket of this name is judged in `bucket`.

use std::fmt;
use std::str::FromStr;

/// The place of an object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// A text is not the address of an object in S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an object's address is written s3://<bucket>/<key>")]
pub struct BadLocation;

/// A bucket, and how the keys begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Prefix {
    /// The bucket's name.
    pub bucket: String,
    /// The prefix, byte for byte; empty for all keys.
    pub prefix: String,
}

/// A text is not the address of a bucket, with or without a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("say which bucket, as s3://<bucket> or s3://<bucket>/<prefix>")]
pub struct BadPrefix;

/// The bucket and what follows its slash. As in `aws deploy push`, the bucket ends at the first slash after
/// its first character, and the key is all that follows, leading slashes and question marks included.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text.strip_prefix("s3://")?;
    let first = rest.chars().next()?.len_utf8();
    match rest[first..].find('/') {
        Some(slash) => {
            let (bucket, key) = rest.split_at(first + slash);
            Some((bucket, Some(&key[1..])))
        }
        None => Some((rest, None)),
    }
}

impl FromStr for S3Location {
    type Err = BadLocation;

    fn from_str(text: &str) -> Result<Self, BadLocation> {
        match split(text) {
            Some((bucket, Some(key))) if !key.is_empty() => Ok(Self {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }),
            _ => Err(BadLocation),
        }
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for S3Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        match split(text) {
            Some((bucket, prefix)) if !bucket.starts_with('/') => Ok(Self {
                bucket: bucket.to_owned(),
                prefix: prefix.unwrap_or_default().to_owned(),
            }),
            _ => Err(BadPrefix),
        }
    }
}

impl fmt::Display for S3Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
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
        assert_eq!(split("s3:///b/k"), both("/b", "k"));
        assert_eq!(split("s3://b/k?versionId=1"), both("b", "k?versionId=1"));
        for bad in [
            "", "b/k", "S3://b/k", "s3://", "s3://b", "s3://b/", "s3:///k",
        ] {
            assert_eq!(split(bad), Err(BadLocation), "{bad}");
        }
        let location: S3Location = "s3://b/a/b".parse().unwrap();
        assert_eq!(location.to_string(), "s3://b/a/b");
    }

    #[test]
    fn a_prefix_is_a_bucket_and_the_beginning_of_keys_byte_for_byte() {
        let parsed = |text: &str| {
            let place = text.parse::<S3Prefix>()?;
            Ok((place.bucket, place.prefix))
        };
        let both = |bucket: &str, prefix: &str| Ok((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(parsed("s3://b"), both("b", ""));
        assert_eq!(parsed("s3://b/"), both("b", ""));
        assert_eq!(parsed("s3://b/a"), both("b", "a"));
        assert_eq!(parsed("s3://b//a/*"), both("b", "/a/*"));
        for bad in ["", "b", "s3://", "s3:///a", "S3://b"] {
            assert_eq!(parsed(bad), Err(BadPrefix), "{bad}");
        }
    }
}
