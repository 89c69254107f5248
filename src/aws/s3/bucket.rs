//! Which names Amazon's buckets can have, so that a wrong one is known before anything is packed.
//!
//! "General purpose bucket naming rules" in the Amazon S3 user guide. Other stores have rules of their own.

use std::net::Ipv4Addr;

use super::S3;

/// Where buckets of before March 2018 may have names of before the rules.
const OLD_REGION: &str = "us-east-1";

/// No bucket of Amazon S3 can have this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not the name of a bucket of Amazon S3: {why}")]
pub struct BadBucket {
    name: String,
    why: &'static str,
}

impl S3 {
    /// Judges the name of a bucket, if the store is Amazon's. Returns a warning, if only an old bucket can
    /// have it.
    ///
    /// # Errors
    ///
    /// [`BadBucket`].
    pub fn check_bucket(&self, name: &str) -> Result<Option<String>, BadBucket> {
        match &self.region {
            None => Ok(None),
            Some(region) => check(name, region),
        }
    }
}

fn check(name: &str, region: &str) -> Result<Option<String>, BadBucket> {
    let Err(why) = judge(name) else {
        return Ok(None);
    };
    let error = BadBucket {
        name: name.to_owned(),
        why,
    };
    let is_old = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let may_be_old = (3..=255).contains(&name.len())
        && name.bytes().all(is_old)
        && name.parse::<Ipv4Addr>().is_err();
    if region == OLD_REGION && may_be_old {
        return Ok(Some(format!(
            "{error}, unless the bucket is older than 2018"
        )));
    }
    Err(error)
}

/// Why a bucket cannot have this name.
fn judge(name: &str) -> Result<(), &'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(is_allowed);
    match () {
        () if !(3..=63).contains(&name.len()) => Err("it must have 3 to 63 characters"),
        () if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Err("it must have no upper-case letters")
        }
        () if !name
            .bytes()
            .all(|byte| is_allowed(byte) || b".-".contains(&byte)) =>
        {
            Err("it may have lower-case letters, digits, dots and hyphens only")
        }
        () if !ends(name.bytes().next()) || !ends(name.bytes().next_back()) => {
            Err("it must begin and end with a letter or a digit")
        }
        () if name.contains("..") => Err("it must not have two dots side by side"),
        () if name.parse::<Ipv4Addr>().is_ok() => Err("it must not look like an IP address"),
        () if name.starts_with("xn--") || name.starts_with("sthree-") => {
            Err("names that begin with xn-- or sthree- are reserved")
        }
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_the_rules_of_amazon() {
        let long = "a".repeat(63);
        for good in [
            "abc",
            "my-bucket",
            "a.b-c.d",
            "123",
            "1.2.3",
            "256.1.1.1",
            "amzn-s3-demo-bucket",
            "ap-alias-s3alias",
            &long,
        ] {
            assert_eq!(check(good, "eu-west-1"), Ok(None), "{good}");
        }
        for bad in [
            "",
            "ab",
            &format!("{long}a"),
            "My-Bucket",
            "my_bucket",
            "bücket",
            "my bucket",
            "a\nb\nc",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "192.168.5.4",
            "xn--bucket",
            "sthree-x",
            "/b/c",
        ] {
            let text = check(bad, "eu-west-1").unwrap_err().to_string();
            assert!(text.starts_with(&format!("{bad:?} is not")), "{text}");
        }
    }

    #[test]
    fn an_old_bucket_may_have_an_old_name_in_the_oldest_region() {
        for old in ["My_Bucket", "a..b", &*"x".repeat(255)] {
            assert!(check(old, "us-east-1").unwrap().is_some(), "{old}");
        }
        for never in ["a", "my bucket", "192.168.5.4", &*"x".repeat(256)] {
            check(never, "us-east-1").unwrap_err();
        }
    }
}
