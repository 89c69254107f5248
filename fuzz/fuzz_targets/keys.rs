//! Keys of the embedded endpoint: whatever a client names, it stays below its directory, comes back as
//! what it was, and is never the directory of another.

#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/endpoint/keys.rs"]
mod keys;

fuzz_target!(|input: (&str, &str)| {
    let (one, other) = input;
    let paths = [one, other].map(|key| {
        let path = keys::to_path(key);
        assert!(
            path.components()
                .all(|part| matches!(part, Component::Normal(_))),
            "{path:?}"
        );
        // File systems stop at 255, and ".json" comes behind.
        assert!(path.iter().all(|name| name.len() <= 250), "{path:?}");
        assert!(
            !path.as_os_str().as_encoded_bytes().contains(&0),
            "{path:?}"
        );
        assert_eq!(keys::from_path(&path).as_deref(), Some(key));
        path
    });
    if one != other {
        assert!(
            !paths[0].starts_with(&paths[1]) && !paths[1].starts_with(&paths[0]),
            "{paths:?}"
        );
    }
    // A name that somebody put there by hand.
    if let Some(key) = keys::from_path(Path::new(one)) {
        assert_eq!(keys::to_path(&key), Path::new(one));
    }
    let encoded = keys::url_encode(one);
    assert!(encoded.is_ascii());
    assert_eq!(keys::unescape(&encoded).as_deref(), Some(one));
    let _ = keys::unescape(other);
});
