//! What is typed about the object: its address, tags and metadata. Whatever is taken means what was
//! written, and goes into a request's headers as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/aws/s3/location.rs"]
mod location;
#[allow(dead_code, unused_imports)]
#[path = "../../src/aws/s3/options.rs"]
mod options;

use location::S3Location;
use options::{Metadata, Tags};

fuzz_target!(|text: &str| {
    if let Ok(place) = text.parse::<S3Location>() {
        assert!(!place.bucket.is_empty() && !place.key.is_empty());
        // A slash may be the first character of what stands for the bucket, as in the AWS CLI.
        let bucket = &place.bucket[place.bucket.chars().next().map_or(0, char::len_utf8)..];
        assert!(!bucket.contains('/'), "{place:?}");
        assert_eq!(place.to_string(), text);
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
