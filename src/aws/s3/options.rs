//! What S3 is told about an object besides its bytes.
//!
//! These are headers of requests, sent where S3 reads them: all of them with `PutObject` and
//! `CreateMultipartUpload`, the expected owner and the payer with every request, the condition with those
//! that make the object (`PutObject`, `CompleteMultipartUpload`). Bucket policies that demand encryption
//! look at the request, so a bucket's default does not satisfy them.
//!
//! Whether a storage class or a key exists is for S3 to say. Its limits on tags and metadata are checked
//! here, since S3 would refuse them only after the first part has been packed.

use std::collections::BTreeMap;
use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// How many tags an object may have ("Object tagging", Amazon S3 user guide).
const MAX_TAGS: usize = 10;
/// Longest key and value of a tag, in characters.
const MAX_TAG: (usize, usize) = (128, 256);
/// How many bytes of user-defined metadata, keys and values, an object may have ("Working with object metadata").
const MAX_METADATA: usize = 2048;
/// How many of them hoist keeps for its own metadata.
const RESERVED: usize = 128;
/// How the keys of hoist's own metadata begin.
const PREFIX: &str = "hoist-";
/// The key of the nonce of the push that wrote the object.
pub(super) const NONCE_KEY: &str = "hoist-push";

/// Options of an object and of the requests for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectOptions {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub encryption: Option<String>,
    /// The KMS key: its id, alias or ARN.
    pub kms_key: Option<String>,
    /// A canned ACL.
    pub acl: Option<String>,
    /// A storage class.
    pub storage_class: Option<String>,
    /// Tags.
    pub tags: Tags,
    /// User-defined metadata.
    pub metadata: Metadata,
    /// The account that must own the bucket, in 12 digits.
    pub expected_owner: Option<String>,
    /// Whether the caller pays for requests, and not the owner of the bucket.
    pub requester_pays: bool,
    /// Whether writing fails if there is an object already.
    pub no_overwrite: bool,
}

impl ObjectOptions {
    /// The headers with which the object is created, in a fixed order. The owner, the payer and the
    /// condition are not among them: they belong to each request, or to the last.
    pub(super) fn creation_headers(&self) -> Vec<(String, String)> {
        let set = [
            ("x-amz-server-side-encryption", self.encryption.clone()),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                self.kms_key.clone(),
            ),
            ("x-amz-acl", self.acl.clone()),
            ("x-amz-storage-class", self.storage_class.clone()),
            ("x-amz-tagging", self.tags.header()),
        ];
        let set = set.into_iter();
        let set = set.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let metadata = self.metadata.pairs();
        let metadata = metadata.map(|(key, value)| (format!("x-amz-meta-{key}"), value.to_owned()));
        set.chain(metadata).collect()
    }
}

/// Tags of an object, which S3 takes in a header in the syntax of a URL's query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

/// Why a text is not a list of tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTags {
    /// A tag has no key.
    #[error("a tag needs a key; write KEY=VALUE&KEY2=VALUE2")]
    NoKey,
    /// A percent sign escapes nothing, or bytes are not UTF-8.
    #[error("{0} is not URL-encoded; write a percent sign as %25")]
    Encoding(String),
    /// Two tags have the same key.
    #[error("the tag {0} is there twice")]
    Twice(String),
    /// S3 takes no tag that is so long.
    #[error(
        "the tag {0} is too long: S3 takes keys of {max_key} characters and values of {max_value}",
        max_key = MAX_TAG.0,
        max_value = MAX_TAG.1
    )]
    Long(String),
    /// S3 takes fewer tags.
    #[error("{0} tags are too many: S3 takes {MAX_TAGS}")]
    Many(usize),
}

impl Tags {
    /// Reads `k=v&k2=v2`, in which characters may be escaped as in a URL's query.
    pub fn parse(text: &str) -> Result<Self, BadTags> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let read =
                |text: &str| unescape(text).ok_or_else(|| BadTags::Encoding(text.to_owned()));
            let (key, value) = (read(key)?, read(value)?);
            if key.is_empty() {
                return Err(BadTags::NoKey);
            }
            if key.chars().count() > MAX_TAG.0 || value.chars().count() > MAX_TAG.1 {
                return Err(BadTags::Long(key));
            }
            if tags.iter().any(|(known, _)| *known == key) {
                return Err(BadTags::Twice(key));
            }
            tags.push((key, value));
        }
        match tags.len() {
            many if many > MAX_TAGS => Err(BadTags::Many(many)),
            _ => Ok(Self(tags)),
        }
    }

    /// The header's value. None if there are no tags.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        let pairs = self.0.iter();
        let pairs = pairs.map(|(key, value)| format!("{}={}", escape(key), escape(value)));
        Some(pairs.collect::<Vec<_>>().join("&")).filter(|text| !text.is_empty())
    }
}

/// User-defined metadata: the values of headers `x-amz-meta-KEY`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

/// Why a text is not metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMetadata {
    /// It has something that is not a pair.
    #[error("{0:?} is not KEY=VALUE; separate pairs by commas, and quote a value that has one")]
    NotAPair(String),
    /// A key cannot be part of a header's name.
    #[error("the metadata key {0:?} cannot be in a header's name; use letters, digits and -_.")]
    Key(String),
    /// A value cannot be that of a header.
    #[error("the value of the metadata key {0} must be printable ASCII, as headers are")]
    Value(String),
    /// Two pairs have the same key; S3 does not distinguish upper case from lower case.
    #[error("the metadata key {0} is there twice")]
    Twice(String),
    /// A key is reserved for hoist.
    #[error("the metadata key {0} is one of hoist's own: keys that begin with {PREFIX} are")]
    Reserved(String),
    /// S3 takes less metadata.
    #[error(
        "the metadata has {0} bytes; S3 takes {MAX_METADATA}, of which hoist keeps {RESERVED} for its own"
    )]
    Long(usize),
}

impl Metadata {
    /// Reads the AWS CLI's shorthand syntax, `k=v,k2="v,2"`. Quotes are single or double; in double quotes
    /// a backslash escapes.
    pub fn parse(text: &str) -> Result<Self, BadMetadata> {
        let mut pairs = BTreeMap::new();
        let mut rest = text;
        while !rest.is_empty() {
            let bad = || BadMetadata::NotAPair(rest.to_owned());
            let (key, after) = rest.split_once('=').ok_or_else(bad)?;
            let (value, after) = value(after).ok_or_else(bad)?;
            rest = match after.strip_prefix(',') {
                Some("") => return Err(bad()),
                Some(more) => more,
                None if after.is_empty() => "",
                None => return Err(bad()),
            };
            let key = key.trim().to_ascii_lowercase();
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if key.is_empty() || !key.bytes().all(fits) {
                return Err(BadMetadata::Key(key));
            }
            if key.starts_with(PREFIX) {
                return Err(BadMetadata::Reserved(key));
            }
            if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(BadMetadata::Value(key));
            }
            if pairs.insert(key.clone(), value).is_some() {
                return Err(BadMetadata::Twice(key));
            }
        }
        let bytes = pairs
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        match bytes {
            long if long > MAX_METADATA - RESERVED => Err(BadMetadata::Long(long)),
            _ => Ok(Self(pairs)),
        }
    }

    /// The pairs, with keys in lower case.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// A value of the shorthand syntax, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let quote = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => {
            let end = text.find(',').unwrap_or(text.len());
            let (value, rest) = text.split_at(end);
            return Some((value.trim().to_owned(), rest));
        }
    };
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => value.push(characters.next()?.1),
            end if end == quote => return Some((value, &text[at + 1..])),
            other => value.push(other),
        }
    }
    None
}

/// All characters but those that RFC 3986 calls unreserved.
const RESERVED_CHARACTERS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Those that are escaped in the path of a URL.
pub(super) const PATH_CHARACTERS: &AsciiSet = &RESERVED_CHARACTERS.remove(b'/');

pub(super) fn escape(text: &str) -> impl Display {
    utf8_percent_encode(text, RESERVED_CHARACTERS)
}

fn unescape(text: &str) -> Option<String> {
    // The decoder would leave an incomplete escape as it is.
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_the_query_of_a_url() {
        let header = |text: &str| Tags::parse(text).map(|tags| tags.header());
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(header("team=web&stage=prod"), some("team=web&stage=prod"));
        assert_eq!(header("a b=c/d"), some("a%20b=c%2Fd"));
        assert_eq!(header("a%20b=c+d&e"), some("a%20b=c%20d&e="));
        assert_eq!(header("k=a=b"), some("k=a%3Db"));
        assert_eq!(header("k=%C3%BC"), some("k=%C3%BC"));
        assert_eq!(header(""), Ok(None));
        assert_eq!(header("=v"), Err(BadTags::NoKey));
        assert_eq!(header("k=%zz"), Err(BadTags::Encoding("%zz".into())));
        assert_eq!(header("k=%C3"), Err(BadTags::Encoding("%C3".into())));
        assert_eq!(header("k=1&k=2"), Err(BadTags::Twice("k".into())));
        let long = "x".repeat(129);
        assert_eq!(header(&long), Err(BadTags::Long(long.clone())));
        assert_eq!(
            header(&format!("k={}", "ü".repeat(256))).map(|_| ()),
            Ok(())
        );
        let tags = |many: usize| {
            (0..many)
                .map(|n| format!("k{n}=v"))
                .collect::<Vec<_>>()
                .join("&")
        };
        assert!(header(&tags(10)).is_ok());
        assert_eq!(header(&tags(11)), Err(BadTags::Many(11)));
    }

    #[test]
    fn metadata_is_read_in_the_shorthand_of_the_aws_cli() {
        let pairs = |text: &str| {
            let metadata = Metadata::parse(text)?;
            let pairs = metadata
                .pairs()
                .map(|(key, value)| format!("{key}:{value}"));
            Ok(pairs.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            pairs("commit=abc,Build=17"),
            Ok("build:17 commit:abc".into())
        );
        assert_eq!(
            pairs(r#"a="x,y",b='it, too',c="q\"q""#),
            Ok("a:x,y b:it, too c:q\"q".into())
        );
        assert_eq!(pairs("a=b=c,d="), Ok("a:b=c d:".into()));
        assert_eq!(pairs(""), Ok(String::new()));
        for bad in ["a", "a=b,", "a=b,c", "a=\"x", "a=\"x\"y"] {
            let error = Metadata::parse(bad).unwrap_err();
            assert!(matches!(error, BadMetadata::NotAPair(_)), "{bad}: {error}");
        }
        assert_eq!(pairs("a b=c"), Err(BadMetadata::Key("a b".into())));
        assert_eq!(pairs("a=ü"), Err(BadMetadata::Value("a".into())));
        assert_eq!(pairs("a=1,A=2"), Err(BadMetadata::Twice("a".into())));
        assert_eq!(
            pairs("Hoist-Push=1"),
            Err(BadMetadata::Reserved("hoist-push".into()))
        );
        assert!(pairs(&format!("a={}", "x".repeat(1919))).is_ok());
        assert_eq!(
            pairs(&format!("a={}", "x".repeat(1920))),
            Err(BadMetadata::Long(1921))
        );
    }
}
