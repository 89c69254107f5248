//! Whole archives, read back by readers that share no code with the packer.

mod budget;
mod changes;
mod tickets;

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::archive::limits::{CHUNK, MIB};
use crate::archive::plan;
use crate::archive::zip::Method;
use crate::archive::zip::strict::{Checked, check};

/// Bytes that deflate to about a third of their size.
fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            b"etaoin shrdlu"[(state >> 33) as usize % 13]
        })
        .collect()
}

/// Bytes that do not deflate.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn tree(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn scan(source: &Path, threads: usize) -> Plan {
    let options = plan::Options {
        threads,
        ..plan::Options::default()
    };
    Plan::scan(source, &options, &Cancel::new()).unwrap()
}

fn options(threads: usize, level: u8) -> Options {
    let limits = Limits {
        threads,
        budget: 4 * MIB,
        part_size: 64 << 10,
        queue: 1,
        concurrency: 2,
        uploads: 1,
    };
    Options {
        level: Level::new(level).unwrap().into(),
        limits,
        format: Format::Zip,
        digest: true,
    }
}

/// Packs into memory.
fn pack_plan(plan: &Plan, options: &Options) -> Result<(Vec<u8>, Packed), Error> {
    let mut parts = Vec::new();
    let packed = pack(
        plan,
        options,
        &Cancel::new(),
        &Progress::new(),
        &mut |part| {
            parts.push(part);
            Ok(())
        },
    )?;
    parts.sort_by_key(|part| part.number);
    Ok((
        parts
            .iter()
            .flat_map(|part| part.body.iter().copied())
            .collect(),
        packed,
    ))
}

fn inflated(entry: &Checked<'_>) -> Vec<u8> {
    let data = entry.data.unwrap();
    match entry.method {
        Method::Stored => data.to_vec(),
        Method::Deflate => {
            let mut bytes = vec![0; entry.uncompressed as usize];
            let len = libdeflater::Decompressor::new()
                .deflate_decompress(data, &mut bytes)
                .unwrap();
            assert_eq!(len, bytes.len());
            bytes
        }
    }
}

fn assert_holds(archive: &[u8], files: &[(&str, Vec<u8>)]) {
    let entries = check(archive).unwrap();
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_bytes());
    assert_eq!(entries.len(), sorted.len());
    for (entry, (name, content)) in entries.iter().zip(sorted) {
        assert_eq!(entry.name, name.as_bytes());
        assert_eq!(entry.crc32, crc32fast::hash(content), "{name}");
        assert!(inflated(entry) == *content, "content of {name}");
    }
}

fn mixed() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("appspec.yml", text(200, 1)),
        ("empty", Vec::new()),
        ("exactly-a-chunk", text(CHUNK, 2)),
        ("giant/noise", noise(2 * CHUNK + 77, 3)),
        ("giant/text", text(3 * CHUNK + 1, 4)),
        ("noise", noise(300_000, 5)),
        ("one-more", text(CHUNK + 1, 6)),
        ("z/é", text(10, 7)),
    ]
}

#[test]
fn an_archive_holds_the_tree_at_every_level_that_works_differently() {
    let files = mixed();
    let dir = tree(&files);
    let plan = scan(dir.path(), 2);
    for level in [0, 1, 6] {
        let (archive, packed) = pack_plan(&plan, &options(2, level)).unwrap();
        assert_holds(&archive, &files);
        assert_eq!(packed.archive, archive.len() as u64);
        assert_eq!(packed.files, files.len() as u64);
        assert_eq!(packed.content, plan.total_size());
        assert!(packed.archive <= plan.worst_case());
    }
}

#[test]
fn content_that_does_not_compress_is_stored() {
    let files = mixed();
    let dir = tree(&files);
    let (archive, _) = pack_plan(&scan(dir.path(), 1), &options(1, 6)).unwrap();
    for entry in check(&archive).unwrap() {
        let name = String::from_utf8_lossy(entry.name);
        let stored = name.contains("noise") || name == "empty";
        // A few bytes can be either.
        if entry.uncompressed != 0 && entry.uncompressed < 100 {
            continue;
        }
        assert_eq!(entry.method == Method::Stored, stored, "{name}");
    }
}

#[test]
fn bytes_do_not_depend_on_threads_or_parts() {
    let dir = tree(&mixed());
    let (first, packed) = pack_plan(&scan(dir.path(), 1), &options(1, 6)).unwrap();
    for (threads, part_size) in [(2, 4096), (16, 1 << 20), (3, 1 << 30)] {
        let mut options = options(threads, 6);
        options.limits.part_size = part_size;
        let (bytes, other) = pack_plan(&scan(dir.path(), threads), &options).unwrap();
        assert!(bytes == first, "{threads} threads, parts of {part_size}");
        assert_eq!(other, packed);
    }
}

#[test]
fn the_digest_depends_on_contents_and_modes_but_not_on_the_level() {
    let dir = tree(&mixed());
    let digest = |level| {
        pack_plan(&scan(dir.path(), 1), &options(1, level))
            .unwrap()
            .1
            .digest
    };
    let first = digest(6);
    assert_eq!(digest(1), first);
    let script = dir.path().join("appspec.yml");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let with_mode = digest(6);
    assert_ne!(with_mode, first);
    fs::write(&script, "other").unwrap();
    assert_ne!(digest(6), with_mode);
}

#[test]
fn an_empty_tree_is_an_empty_archive() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, packed) = pack_plan(&scan(dir.path(), 1), &options(1, 6)).unwrap();
    assert_eq!((packed.files, archive.len()), (0, 22));
    assert!(check(&archive).unwrap().is_empty());
}

/// Root can read a file of mode 0000, which must not be packed as readable by all.
#[test]
fn a_file_of_mode_0000_keeps_its_mode() {
    let dir = tree(&[("secret", text(100, 1))]);
    fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    let plan = scan(dir.path(), 1);
    match pack_plan(&plan, &options(1, 6)) {
        Ok((archive, _)) => assert_eq!(check(&archive).unwrap()[0].mode & 0o777, 0),
        // Other users cannot read it.
        Err(error) => assert!(error.to_string().contains("Permission denied"), "{error}"),
    }
}

#[test]
fn an_error_of_the_receiver_ends_the_pack() {
    let dir = tree(&mixed());
    let plan = scan(dir.path(), 1);
    for allowed in 0..5 {
        let mut left = allowed;
        let result = pack(
            &plan,
            &options(2, 6),
            &Cancel::new(),
            &Progress::new(),
            &mut |_| {
                if left == 0 {
                    return Err(Error::Closed);
                }
                left -= 1;
                Ok(())
            },
        );
        assert!(matches!(result, Err(Error::Closed)));
    }
}

#[test]
fn a_cancel_ends_the_pack() {
    let dir = tree(&mixed());
    let plan = scan(dir.path(), 1);
    let stop = Cancel::new();
    let result = pack(&plan, &options(2, 6), &stop, &Progress::new(), &mut |_| {
        stop.cancel();
        Ok(())
    });
    assert!(matches!(result, Err(Error::Stopped)), "{result:?}");
}

#[test]
fn a_budget_smaller_than_a_file_is_enough() {
    let files = mixed();
    let dir = tree(&files);
    let mut options = options(2, 6);
    options.limits.budget = 1;
    let (archive, _) = pack_plan(&scan(dir.path(), 1), &options).unwrap();
    assert_holds(&archive, &files);
}

#[test]
fn a_failed_pack_leaves_the_old_archive_and_nothing_else() {
    let files = mixed();
    let dir = tree(&files);
    let plan = scan(dir.path(), 1);
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("bundle.zip");
    fs::write(&target, "old").unwrap();
    let stop = Cancel::new();
    let packed = pack_to_file(
        &plan,
        &target,
        &options(2, 6),
        None,
        &stop,
        &Progress::new(),
    )
    .unwrap();
    let archive = fs::read(&target).unwrap();
    assert_eq!(packed.archive, archive.len() as u64);
    assert_holds(&archive, &files);

    fs::remove_file(dir.path().join("z/é")).unwrap();
    pack_to_file(
        &plan,
        &target,
        &options(2, 6),
        None,
        &stop,
        &Progress::new(),
    )
    .unwrap_err();
    assert!(
        fs::read(&target).unwrap() == archive,
        "the old archive is still there"
    );
    assert_eq!(
        fs::read_dir(out.path()).unwrap().count(),
        1,
        "and nothing else"
    );
}

#[test]
fn the_progress_ends_at_the_planned_totals() {
    let dir = tree(&mixed());
    let plan = scan(dir.path(), 1);
    let progress = Progress::new();
    let packed = pack(
        &plan,
        &options(2, 6),
        &Cancel::new(),
        &progress,
        &mut |_| Ok(()),
    )
    .unwrap();
    let snapshot = progress.snapshot();
    assert_eq!(snapshot.files_packed, snapshot.files_planned);
    assert_eq!(snapshot.bytes_packed, snapshot.bytes_planned);
    assert_eq!(snapshot.bytes_out, packed.archive);
}

/// Names and contents of a tar or tgz, read with the crates `tar` and `flate2`.
fn untar(format: Format, archive: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes: Box<dyn Read + '_> = match format {
        // This decoder stops after one member.
        Format::Tgz => Box::new(flate2::bufread::GzDecoder::new(archive)),
        _ => Box::new(archive),
    };
    let mut archive = ::tar::Archive::new(bytes);
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.push((entry.path_bytes().into_owned(), content));
    }
    files
}

/// The content of a file: text or noise.
fn content(len: usize, seed: u64) -> Vec<u8> {
    match seed % 3 {
        0 => noise(len, seed),
        _ => text(len, seed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sizes lie around those of blocks, batches, chunks and pieces.
    #[test]
    fn any_tree_comes_back_from_every_format(
        sizes in proptest::collection::vec(
            prop_oneof![
                4 => 0..2000_usize,
                2 => prop::sample::select(vec![511, 512, 513, 1024]),
                1 => prop::sample::select(vec![CHUNK - 1024, CHUNK - 512, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7]),
                1 => 100_000..300_000_usize,
            ],
            0..40,
        ),
        threads in 1..5_usize,
        level in 0..10_u8,
        part_size in 1000..200_000_u64,
    ) {
        let names: Vec<String> = (0..sizes.len()).map(|n| format!("d{}/f{n:03}", n / 7)).collect();
        let files: Vec<(&str, Vec<u8>)> = names
            .iter()
            .zip(&sizes)
            .enumerate()
            .map(|(n, (name, &size))| (name.as_str(), content(size, n as u64)))
            .collect();
        let dir = tree(&files);
        let plan = scan(dir.path(), 1);
        for format in Format::ALL {
            let mut options = Options { format, ..options(threads, level) };
            options.limits.part_size = part_size;
            let (archive, packed) = pack_plan(&plan, &options).unwrap();
            prop_assert_eq!(packed.files, files.len() as u64);
            prop_assert_eq!(packed.archive, archive.len() as u64);
            prop_assert!(packed.archive <= worst_case(&plan, format));
            if format == Format::Zip {
                assert_holds(&archive, &files);
            } else {
                let read = untar(format, &archive);
                prop_assert_eq!(read.len(), files.len());
                for ((name, content), (path, is)) in files.iter().zip(&read) {
                    prop_assert!(name.as_bytes() == path && content == is, "{} of {}", name, format);
                }
            }
            let alone = Options { format, ..self::options(1, level) };
            prop_assert!(pack_plan(&plan, &alone).unwrap().0 == archive, "{}", format);
        }
    }
}
