//! What a store or the disk says of an object, and answers that are wrong.

use super::*;

#[tokio::test]
async fn another_etag_size_or_checksum_than_wanted_is_a_difference() {
    let bytes = ours();
    let stored = Stored::recorded(bytes, Some(1));
    let wanted = Wanted {
        etag: Some("f".into()),
        size: Some(7),
        crc64nvme: Some(2),
    };
    let report = verify(&stored, &wanted, None).await.unwrap();
    let text: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
    assert_eq!(text[0], "its ETag is e, not f");
    assert!(text[1].ends_with("bytes, not 7"), "{text:?}");
    assert!(
        text[2].ends_with("0000000000000001 the store recorded"),
        "{text:?}"
    );
    assert!(
        text[3].ends_with("0000000000000002 was expected"),
        "{text:?}"
    );
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_an_error() {
    for swapped_after in [0, 1, 2] {
        let stored = Arc::new(Stored {
            bytes: ours(),
            crc64nvme: None,
            swapped_after,
            requests: AtomicUsize::new(0),
        });
        let error = verify(&stored, &Wanted::default(), None).await.unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_file_is_verified_as_an_object_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zip");
    let (bytes, manifest) = ours_and_manifest();
    fs::write(&path, &bytes).unwrap();
    let object = Arc::new(FileObject::open(&path).unwrap());
    let mut from = &manifest[..];
    let report = verify(&object, &Wanted::default(), Some(&mut from))
        .await
        .unwrap();
    assert!(report.is_whole(), "{:?}", report.differences);
    assert_eq!(report.crc64nvme, Some(crc(&bytes)));
    let report = verify_bytes(&object, &Wanted::default()).await.unwrap();
    assert_eq!((report.crc64nvme, report.entries), (Some(crc(&bytes)), 0));

    // Written to after it was looked at.
    let head = object.head().await.unwrap();
    fs::write(&path, &bytes[..100]).unwrap();
    let error = object.get(0..200, &head.etag).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("changed while it was being read"),
        "{error}"
    );
    let error = FileObject::open(dir.path()).unwrap_err();
    assert!(error.to_string().ends_with("it is not a file"), "{error}");
}

#[tokio::test]
async fn the_checksum_of_an_object_of_any_format_is_compared() {
    let bytes = b"no archive at all".to_vec();
    let sum = crc(&bytes);
    let wanted = Wanted {
        crc64nvme: Some(sum),
        ..Wanted::default()
    };
    let stored = Stored::recorded(bytes.clone(), Some(sum));
    let report = verify_bytes(&stored, &wanted).await.unwrap();
    assert!(report.is_whole() && report.crc64nvme == Some(sum));
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let stored = Stored::recorded(bytes, Some(sum));
        let report = verify_bytes(&stored, &wanted).await.unwrap();
        let text: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 2);
        assert!(
            text[0].ends_with("the store recorded") && text[1].ends_with("was expected"),
            "{text:?}"
        );
    }
    let (empty, wanted) = (Stored::new(Vec::new()), Wanted::default());
    let report = verify_bytes(&empty, &wanted).await.unwrap();
    assert_eq!(report.crc64nvme, Some(0));
}

#[tokio::test]
async fn an_answer_that_is_too_short_is_an_error() {
    struct Short(Vec<u8>);
    impl Object for Short {
        async fn head(&self) -> Result<ObjectHead, Error> {
            Ok(ObjectHead {
                size: self.0.len() as u64,
                etag: "e".into(),
                version: None,
                crc64nvme: None,
                nonce: None,
            })
        }
        async fn get(&self, range: Range<u64>, _: &str) -> Result<Bytes, Error> {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            Ok(Bytes::copy_from_slice(&self.0[range.start..range.end - 1]))
        }
    }
    let object = Arc::new(Short(ours()));
    let error = verify_bytes(&object, &Wanted::default()).await.unwrap_err();
    assert!(matches!(error, Error::Short { .. }), "{error}");
}
