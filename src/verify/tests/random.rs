//! Random changes are found, and nothing panics.

use proptest::prelude::*;

use super::*;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_byte_is_found(at in any::<proptest::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = ours();
        let sum = crc(&bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let stored = Stored::recorded(bytes, Some(sum));
        let report = run(verify(&stored, &Wanted::default(), None)).unwrap();
        prop_assert!(!report.is_whole(), "byte {at}");
    }

    #[test]
    fn any_truncation_is_found(len in any::<proptest::sample::Index>()) {
        let mut bytes = ours();
        bytes.truncate(len.index(bytes.len()));
        let report = run(report(bytes));
        prop_assert!(!report.is_whole());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = bytes;
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0\0\0");
        run(report(bytes));
    }

    /// Permissions are in the central directory alone, so an archive does not contradict itself.
    #[test]
    fn any_changed_permission_is_found(entry in 0..4_usize, bit in 0..12_u32) {
        let (mut bytes, manifest) = ours_and_manifest();
        let name = [&b"appspec.yml"[..], b"empty", b"large", b"sub/text"][entry];
        let at = find(&bytes, name, 1) - 46 + 38;
        let mut attributes = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        attributes ^= 1 << (16 + bit);
        bytes[at..at + 4].copy_from_slice(&attributes.to_le_bytes());
        let differences = run(against(bytes.clone(), &manifest));
        prop_assert_eq!(differences.len(), 1);
        prop_assert!(differences[0].contains("its permissions are "), "{:?}", differences);
        // Without a manifest and a checksum, a change of permissions cannot be found.
        prop_assert!(run(report(bytes)).is_whole());
    }

    #[test]
    fn an_object_that_is_replaced_after_any_request_is_an_error(after in 0..3_usize) {
        let (bytes, manifest) = ours_and_manifest();
        let stored = Arc::new(Stored {
            bytes,
            crc64nvme: None,
            swapped_after: after,
            requests: AtomicUsize::new(0),
        });
        let mut from = &manifest[..];
        let read = run(verify(&stored, &Wanted::default(), Some(&mut from)));
        let changed = matches!(read, Err(Error::Changed { .. }));
        prop_assert!(changed);
    }
}
