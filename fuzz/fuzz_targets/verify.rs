//! `hoist verify` on any bytes: it may find what it wants, not panic, nor read outside of them, nor
//! take what differs from what was recorded for whole.

#![no_main]

use std::io::BufRead;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hoist::archive::zip::*;
use hoist::aws::s3::ObjectHead;
use hoist::verify::{Error, Object, Report, Wanted, verify, verify_bytes};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/archive/zip/strict.rs"]
mod strict;

struct Memory(Bytes);

impl Object for Memory {
    async fn head(&self) -> Result<ObjectHead, Error> {
        Ok(ObjectHead {
            size: self.0.len() as u64,
            etag: String::new(),
            version: None,
            crc64nvme: None,
            nonce: None,
        })
    }

    async fn get(&self, range: Range<u64>, _: &str) -> Result<Bytes, Error> {
        let at = |offset| usize::try_from(offset).unwrap();
        Ok(self.0.slice(at(range.start)..at(range.end)))
    }
}

fuzz_target!(|data: (&[u8], &[u8])| {
    let (archive, manifest) = data;
    let object = Arc::new(Memory(Bytes::copy_from_slice(archive)));
    let wanted = Wanted::default();
    let bytes = run(verify_bytes(&object, &wanted)).unwrap();
    assert!(bytes.is_whole());
    let alone = run(verify(&object, &wanted, None)).unwrap();
    if alone.is_whole() {
        // Every byte was read, and read once.
        assert_eq!(alone.crc64nvme, bytes.crc64nvme);
    }
    if let Ok(entries) = strict::check(archive) {
        // The checker reads no data; what it finds wrong, this must.
        assert_eq!(alone.entries, entries.len() as u64);
    }
    let mut from = manifest;
    let listed = run(verify(
        &object,
        &wanted,
        Some(&mut from as &mut (dyn BufRead + Send)),
    ));
    match listed {
        // A manifest can only find more.
        Ok(listed) => assert!(alone.is_whole() || !listed.is_whole()),
        Err(Error::Manifest(_)) => {}
        Err(error) => panic!("{error}"),
    }
    let other = Wanted {
        crc64nvme: Some(!bytes.crc64nvme.unwrap()),
        ..Wanted::default()
    };
    let differs: Report = run(verify(&object, &other, None)).unwrap();
    assert!(!differs.is_whole());
});

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
