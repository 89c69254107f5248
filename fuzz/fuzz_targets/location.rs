//! What a user types about an object: its address, its tags and its metadata. A text that is accepted means
//! what was written, and fits into a request's headers.

#![no_main]

use hoist::aws::s3::{Metadata, S3Location, S3Prefix, Tags};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(place) = text.parse::<S3Location>() {
        assert!(!place.bucket.is_empty() && !place.key.is_empty());
        // The first character of the bucket may be a slash, as in the AWS CLI.
        let bucket = &place.bucket[place.bucket.chars().next().map_or(0, char::len_utf8)..];
        assert!(!bucket.contains('/'), "{place:?}");
        assert_eq!(place.to_string(), text);
        let prefix = text.parse::<S3Prefix>().ok();
        let prefix = prefix.map(|place| (place.bucket, place.prefix));
        let is_bucket = !place.bucket.starts_with('/');
        assert_eq!(prefix, is_bucket.then_some((place.bucket, place.key)));
    }
    if let Ok(tags) = Tags::parse(text) {
        let header = tags.header();
        if let Some(header) = &header {
            assert!(
                header.bytes().all(|byte| matches!(byte, b'!'..=b'~')),
                "{header:?}"
            );
        }
        // What S3 reads is what was meant.
        assert_eq!(Tags::parse(header.as_deref().unwrap_or_default()), Ok(tags));
    }
    if let Ok(metadata) = Metadata::parse(text) {
        let mut bytes = 0;
        for (key, value) in metadata.pairs() {
            assert!(!key.is_empty());
            assert!(key.bytes().all(|byte| byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || b"-_.".contains(&byte)));
            assert!(
                value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{value:?}"
            );
            bytes += key.len() + value.len();
        }
        assert!(bytes <= 2048);
        // Quoted, everything comes back.
        let quoted: Vec<String> = metadata
            .pairs()
            .map(|(key, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                format!("{key}=\"{value}\"")
            })
            .collect();
        assert_eq!(Metadata::parse(&quoted.join(",")), Ok(metadata));
    }
});
