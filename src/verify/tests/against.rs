//! An archive against a manifest.

use super::*;

/// A manifest of these lines of another one, with a last line that adds them up.
fn relisted(manifest: &[u8], change: impl Fn(usize, &mut manifest::Entry<'_>) -> bool) -> Vec<u8> {
    let mut reader = manifest::Reader::new(manifest).unwrap();
    let mut writer = manifest::Writer::new(Vec::new()).unwrap();
    let mut at = 0;
    while let Some(mut entry) = reader.entry().unwrap() {
        if change(at, &mut entry) {
            writer.entry(&entry).unwrap();
        }
        at += 1;
    }
    writer.finish().unwrap().0
}

#[tokio::test]
async fn an_archive_that_matches_its_manifest_has_its_digest() {
    let (bytes, manifest) = ours_and_manifest();
    assert_eq!(against(bytes.clone(), &manifest).await, [""; 0]);
    let stored = Stored::new(bytes);
    let mut from = &manifest[..];
    let wanted = Wanted::default();
    let report = verify(&stored, &wanted, Some(&mut from)).await.unwrap();
    let text = String::from_utf8(manifest).unwrap();
    let digest = report.digest.unwrap();
    assert!(
        text.ends_with(&format!("\"digest\":\"blake3:{digest}\"}}\n")),
        "{text}"
    );
}

#[tokio::test]
async fn every_field_of_a_manifest_is_compared() {
    let (bytes, manifest) = ours_and_manifest();
    type Change = fn(&mut manifest::Entry<'_>);
    // In order: appspec.yml, empty, large, sub/text.
    let cases: [(usize, Change, &str); 8] = [
        (
            0,
            |entry| entry.mode = 0o755,
            "\"appspec.yml\": its permissions are 0644, and 0755 in the manifest",
        ),
        (
            1,
            |entry| entry.kind = manifest::Kind::Symlink,
            "\"empty\": it is a file, and a symbolic link in the manifest",
        ),
        (
            1,
            |entry| entry.size = 1,
            "\"empty\": it has 0 bytes, and 1 in the manifest",
        ),
        (3, |entry| entry.crc32 = 1, " in the manifest"),
        (
            3,
            |entry| entry.blake3 = blake3::hash(b"other"),
            "\"sub/text\": its BLAKE3 is not the one in the manifest",
        ),
        (
            2,
            |entry| entry.blake3 = blake3::hash(b"other"),
            "\"large\": its BLAKE3 is not the one in the manifest",
        ),
        // What hoist leaves out of an archive.
        (0, |entry| entry.mode = 0o4644, ""),
        (0, |_| (), ""),
    ];
    for (which, change, said) in cases {
        let changed = relisted(&manifest, |at, entry| {
            if at == which {
                change(entry);
            }
            true
        });
        let differences = against(bytes.clone(), &changed).await;
        match said {
            "" => assert_eq!(differences, [""; 0]),
            said => {
                assert_eq!(differences.len(), 1, "{differences:?}");
                assert!(differences[0].ends_with(said), "{differences:?}");
            }
        }
    }
}

#[tokio::test]
async fn missing_and_additional_entries_are_reported() {
    let (bytes, manifest) = ours_and_manifest();
    for (which, name) in ["appspec.yml", "empty", "large", "sub/text"]
        .iter()
        .enumerate()
    {
        let without = relisted(&manifest, |at, _| at != which);
        let differences = against(bytes.clone(), &without).await;
        assert_eq!(
            differences,
            [format!("\"{name}\": it is not in the manifest")]
        );
    }
    for (which, path) in [(0, &b"0"[..]), (1, b"b"), (3, b"sub/a"), (4, b"z")] {
        let mut reader = manifest::Reader::new(&manifest[..]).unwrap();
        let mut writer = manifest::Writer::new(Vec::new()).unwrap();
        for at in 0..=4 {
            if at == which {
                let more = manifest::Entry {
                    path,
                    kind: manifest::Kind::File,
                    mode: 0o644,
                    size: 0,
                    crc32: 0,
                    blake3: blake3::hash(b""),
                };
                writer.entry(&more).unwrap();
            }
            if let Some(entry) = reader.entry().unwrap() {
                writer.entry(&entry).unwrap();
            }
        }
        let more = writer.finish().unwrap().0;
        let name = String::from_utf8_lossy(path);
        let differences = against(bytes.clone(), &more).await;
        assert_eq!(differences, [format!("\"{name}\": it is missing")]);
    }
}

/// Names of the same length change places in both headers: each entry is whole, and has the other's
/// content.
#[tokio::test]
async fn entries_in_another_order_than_the_manifest_are_reported() {
    let names = ["appspec.yml", "scripts.yml"];
    let make = |names: [&str; 2], contents: [&str; 2]| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in names.into_iter().zip(contents) {
            let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
            zip.start_file(name, options).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let contents = ["first", "other"];
    let mut writer = manifest::Writer::new(Vec::new()).unwrap();
    for (name, content) in names.into_iter().zip(contents) {
        let entry = manifest::Entry {
            path: name.as_bytes(),
            kind: manifest::Kind::File,
            mode: 0o644,
            size: content.len() as u64,
            crc32: crc32fast::hash(content.as_bytes()),
            blake3: blake3::hash(content.as_bytes()),
        };
        writer.entry(&entry).unwrap();
    }
    let manifest = writer.finish().unwrap().0;
    assert_eq!(against(make(names, contents), &manifest).await, [""; 0]);

    let swapped = against(make(names, ["other", "first"]), &manifest).await;
    assert!(
        swapped.len() == 2 && swapped.iter().all(|text| text.contains("its CRC-32 is ")),
        "{swapped:?}"
    );
    let reordered = make(["scripts.yml", "appspec.yml"], ["other", "first"]);
    let said = "\"appspec.yml\": it comes after \"scripts.yml\", and in the manifest before it";
    assert_eq!(against(reordered, &manifest).await, [said]);
}

#[tokio::test]
async fn an_unreadable_manifest_is_an_error() {
    let (bytes, manifest) = ours_and_manifest();
    for bad in [&b""[..], b"{}\n", &manifest[..manifest.len() - 1]] {
        let (stored, mut from) = (Stored::new(bytes.clone()), bad);
        let error = verify(&stored, &Wanted::default(), Some(&mut from)).await;
        assert!(matches!(error, Err(Error::Manifest(_))), "{error:?}");
    }
}
