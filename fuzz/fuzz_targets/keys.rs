//! Keys of the embedded endpoint: the file of any key stays below its directory, maps back to the key,
//! and is never a directory in the path of another key.

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
        // File systems allow 255 bytes, and ".json" is appended.
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
    // A file that was put there by hand.
    if let Some(key) = keys::from_path(Path::new(one)) {
        assert_eq!(keys::to_path(&key), Path::new(one));
    }
    let encoded = keys::url_encode(one);
    assert!(encoded.is_ascii());
    assert_eq!(keys::unescape(&encoded).as_deref(), Some(one));
    // It may refuse any text, and must not panic.
    let _ = keys::unescape(other);
});
