//! Archives that are whole, and archives with damage, read back from memory. The other files have what is
//! compared with a manifest, what the store says of an object, and random changes.

mod against;
mod objects;
mod random;

use std::fs;
use std::io::{Cursor, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

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

async fn against(bytes: Vec<u8>, manifest: &[u8]) -> Vec<String> {
    let stored = Stored::new(bytes);
    let mut manifest = manifest;
    let wanted = Wanted::default();
    let report = verify(&stored, &wanted, Some(&mut manifest)).await.unwrap();
    assert_eq!(report.digest.is_some(), report.is_whole());
    report.differences.iter().map(ToString::to_string).collect()
}
