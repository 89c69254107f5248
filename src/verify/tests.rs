use std::fs;
use std::io::{Cursor, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::archive::deflate::Level;
use crate::archive::limits::Limits;
use crate::archive::pack;
use crate::archive::plan::{self, Plan};
use crate::cancel::Cancel;
use crate::progress::Progress;

/// An object in memory.
struct Stored {
    bytes: Vec<u8>,
    /// The checksum that the store recorded.
    crc64nvme: Option<u64>,
    /// How many requests are answered before another object takes its place.
    swapped_after: usize,
    requests: AtomicUsize,
}

impl Stored {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        Self::recorded(bytes, None)
    }

    fn recorded(bytes: Vec<u8>, crc64nvme: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            crc64nvme,
            swapped_after: usize::MAX,
            requests: AtomicUsize::new(0),
        })
    }
}

/// What a read gets when another object has taken the place of this one.
fn swapped() -> Error {
    Error::Changed {
        path: "object".into(),
    }
}

impl Object for Stored {
    async fn head(&self) -> Result<ObjectHead, Error> {
        Ok(ObjectHead {
            size: self.bytes.len() as u64,
            etag: "e".into(),
            version: None,
            crc64nvme: self.crc64nvme,
            nonce: None,
        })
    }

    async fn get(&self, range: Range<u64>, etag: &str) -> Result<Bytes, Error> {
        assert_eq!(etag, "e");
        if self.requests.fetch_add(1, Ordering::Relaxed) >= self.swapped_after {
            return Err(swapped());
        }
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(Bytes::copy_from_slice(&self.bytes[range]))
    }
}

fn crc(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

async fn report(bytes: Vec<u8>) -> Report {
    verify(&Stored::new(bytes), &Wanted::default(), None)
        .await
        .unwrap()
}

/// What hoist packs of a small tree with a file of several chunks.
fn ours() -> Vec<u8> {
    ours_and_manifest().0
}

fn ours_and_manifest() -> (Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    fs::write(source.join("sub/text"), "text ".repeat(1000)).unwrap();
    fs::write(source.join("empty"), "").unwrap();
    let line = |n: u32| format!("line {n} of a file of more than one chunk\n");
    fs::write(
        source.join("large"),
        (0..40_000).map(line).collect::<String>(),
    )
    .unwrap();
    let (stop, progress) = (Cancel::new(), Progress::new());
    let options = plan::Options {
        threads: 1,
        ..plan::Options::default()
    };
    let plan = Plan::scan(&source, &options, &stop).unwrap();
    let options = pack::Options {
        format: crate::bundle::Format::Zip,
        level: Level::default().into(),
        limits: Limits::for_archive(plan.worst_case(), 1, 1).unwrap(),
        digest: false,
    };
    let target = dir.path().join("out.zip");
    let mut manifest = manifest::Writer::new(Vec::new()).unwrap();
    let mut list = |entry: &manifest::Entry<'_>| {
        manifest.entry(entry).unwrap();
        Ok(())
    };
    pack::pack_to_file(&plan, &target, &options, Some(&mut list), &stop, &progress).unwrap();
    let (manifest, _) = manifest.finish().unwrap();
    (fs::read(target).unwrap(), manifest)
}

/// What the `zip` crate makes, with descriptors when it cannot seek.
fn theirs(stream: bool) -> Vec<u8> {
    fn fill<W: std::io::Write + std::io::Seek>(mut zip: zip::ZipWriter<W>) -> W {
        for (name, method) in [
            ("a.txt", zip::CompressionMethod::Deflated),
            ("b/", zip::CompressionMethod::Stored),
            ("b/c.bin", zip::CompressionMethod::Stored),
            ("d.txt", zip::CompressionMethod::Deflated),
        ] {
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            if name.ends_with('/') {
                zip.add_directory(name, options).unwrap();
            } else {
                zip.start_file(name, options).unwrap();
                zip.write_all(name.repeat(300).as_bytes()).unwrap();
            }
        }
        zip.set_comment("made by another program").unwrap();
        zip.finish().unwrap()
    }
    if stream {
        let out = fill_stream();
        return out;
    }
    fill(zip::ZipWriter::new(Cursor::new(Vec::new()))).into_inner()
}

fn fill_stream() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new_stream(Vec::new());
    for name in ["a.txt", "b.txt"] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(name, options).unwrap();
        zip.write_all(name.repeat(300).as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn an_undamaged_archive_has_no_differences() {
    let bytes = ours();
    let sum = crc(&bytes);
    let stored = Stored::recorded(bytes.clone(), Some(sum));
    let wanted = Wanted {
        etag: Some("e".into()),
        size: Some(bytes.len() as u64),
        crc64nvme: Some(sum),
    };
    let report = verify(&stored, &wanted, None).await.unwrap();
    assert_eq!(report.differences, []);
    assert!(report.is_whole());
    assert_eq!((report.entries, report.crc64nvme), (4, Some(sum)));
    assert_eq!(report.content, 23 + 5000 + report_of_large());

    for stream in [false, true] {
        let report = self::report(theirs(stream)).await;
        assert_eq!(report.differences, [], "stream: {stream}");
    }
}

fn report_of_large() -> u64 {
    let line = |n: u32| format!("line {n} of a file of more than one chunk\n").len() as u64;
    (0..40_000).map(line).sum()
}

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

/// The offset of `what` in `bytes`, where it is for the `nth` time.
fn find(bytes: &[u8], what: &[u8], nth: usize) -> usize {
    let mut places = bytes.windows(what.len()).enumerate();
    places
        .by_ref()
        .filter(|(_, w)| *w == what)
        .nth(nth)
        .unwrap()
        .0
}

type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[tokio::test]
async fn each_kind_of_damage_is_reported_with_its_entry() {
    let good = ours();
    let cases: [(&str, Damage<'_>, &str); 9] = [
        (
            "appspec.yml",
            &|b| {
                let at = find(b, b"appspec.yml", 0) + 25;
                b[at] ^= 0x20;
            },
            "",
        ),
        (
            "sub/text",
            &|b| {
                let at = find(b, b"sub/text", 0);
                b[at] ^= 1;
            },
            "another name",
        ),
        (
            "empty",
            &|b| {
                let at = find(b, b"empty", 0) - 30 + 10;
                b[at] ^= 2;
            },
            "another time",
        ),
        (
            "empty",
            &|b| {
                let at = find(b, b"empty", 0) - 30;
                b[at] = b'Q';
            },
            "no local header",
        ),
        (
            "empty",
            &|b| {
                let at = find(b, b"empty", 0) - 30 + 14;
                b[at] ^= 2;
            },
            "another CRC-32",
        ),
        (
            "empty",
            &|b| {
                let at = find(b, b"empty", 1) - 46 + 16;
                b[at] ^= 2;
            },
            "another CRC-32",
        ),
        (
            "",
            &|b| {
                let at = b.len() - 1;
                b.truncate(at);
            },
            "no end record",
        ),
        (
            "",
            &|b| {
                let at = b.len() - 22 + 16;
                b[at] ^= 1;
            },
            "central directory would end",
        ),
        (
            "",
            &|b| {
                let at = b.len() - 22 + 10;
                b[at] ^= 1;
                b[at - 2] ^= 1;
            },
            "counts 5 entries",
        ),
    ];
    for (entry, damage, what) in cases {
        let mut bytes = good.clone();
        damage(&mut bytes);
        let report = self::report(bytes).await;
        let told = report.differences.iter().any(|difference| {
            difference
                .entry
                .as_deref()
                .unwrap_or_default()
                .trim_matches('"')
                == entry
                && difference.what.contains(what)
        });
        assert!(told, "{entry:?} {what:?}: {:?}", report.differences);
    }
}

#[tokio::test]
async fn bytes_that_belong_to_no_entry_are_reported() {
    // Ten bytes in front, as a self-extracting archive has them: all offsets are ten more.
    let mut zip = theirs(false);
    zip.splice(0..0, *b"0123456789");
    let report = self::report(zip).await;
    assert!(!report.is_whole());

    // Ten bytes between the last entry and the directory.
    let good = ours();
    let end = good.len() - 22;
    let start = u32::from_le_bytes(good[end + 16..end + 20].try_into().unwrap());
    let mut bytes = good.clone();
    bytes.splice(start as usize..start as usize, *b"0123456789");
    let moved = (start + 10).to_le_bytes();
    let end = bytes.len() - 22;
    bytes[end + 16..end + 20].copy_from_slice(&moved);
    let report = self::report(bytes).await;
    let text: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        ["10 bytes before the central directory belong to no entry"]
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
async fn an_entry_that_inflates_to_more_than_its_size_is_cut_off() {
    let mut bytes = ours();
    // The central directory and the local header agree that `sub/text` has one byte.
    for (nth, back) in [(0, 30 - 22), (1, 46 - 24)] {
        let at = find(&bytes, b"sub/text", nth) - back;
        bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    let report = report(bytes).await;
    let text = report.differences[0].to_string();
    assert_eq!(
        text,
        "\"sub/text\": it has more than the 1 bytes that were recorded"
    );
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

async fn against(bytes: Vec<u8>, manifest: &[u8]) -> Vec<String> {
    let stored = Stored::new(bytes);
    let mut manifest = manifest;
    let wanted = Wanted::default();
    let report = verify(&stored, &wanted, Some(&mut manifest)).await.unwrap();
    assert_eq!(report.digest.is_some(), report.is_whole());
    report.differences.iter().map(ToString::to_string).collect()
}

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
