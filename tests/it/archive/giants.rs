//! Large files and many files, with real data: chunk by chunk, beyond 32 bits, beyond 16 bits of
//! entries, and all that in bounded memory.
//!
//! The trees that are beyond zip64's limits take long to make, pack and read (4 GiB: 24 s of
//! processor time to pack in an unoptimised build, 10 to 17 s for each reader; all of it two
//! minutes, on all cores), so they are only tried under `HOIST_REQUIRE_TOOLS=1`, as in CI.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::strict_zip::{Checked, check, check_sparse};
use crate::support::{Run as _, Tree, hoist, missing, noise, packed, text, tool};
use hoist::archive::zip::Method;

const MIB: u64 = 1 << 20;
/// What a push may take, and so what packing alone must stay below, in MiB.
const MEMORY: u64 = 256;

/// Runs a command and prints the most memory it held, in bytes.
const PEAK: &str = "
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak if sys.platform == 'darwin' else peak * 1024)
sys.exit(code)
";

/// Checks every CRC and prints sizes.
const SIZES: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    bad = archive.testzip()
    assert bad is None, bad
    for entry in archive.infolist():
        print(entry.filename, entry.file_size, entry.compress_size)
";

#[test]
fn stored_files_may_end_anywhere_in_a_chunk() {
    let tree = Tree::new();
    let chunk = MIB as usize;
    let contents = [
        ("a-small", text(100, 1)),
        ("b-one-more", noise(chunk + 1, 2)),
        ("c-chunks", text(3 * chunk, 3)),
        ("d-zeros", vec![0; 2 * chunk + 77]),
        ("e-exactly", text(chunk, 4)),
        ("f-parts", noise(9 * chunk + 5, 5)),
        ("g-small", text(100, 6)),
    ];
    for (name, contents) in &contents {
        tree.file(name, contents);
    }
    let bytes = packed(tree.path(), "stored.zip", &["--level", "0"]);
    let entries = check(&bytes).unwrap();
    assert_eq!(entries.len(), contents.len());
    for (entry, (name, contents)) in entries.iter().zip(&contents) {
        assert_eq!(entry.name, name.as_bytes());
        assert_eq!(entry.method, Method::Stored, "{name}");
        assert!(entry.data == Some(contents), "content of {name}");
        assert_eq!(entry.crc32, crc32fast::hash(contents), "{name}");
    }
}

#[test]
fn packing_takes_no_more_memory_for_a_larger_tree() {
    let tree = Tree::new();
    tree.file("noise/0", noise(5 * MIB as usize, 1));
    for n in 1..64 {
        // Each is read and stored for itself: 320 MiB that do not compress.
        let link = tree.path().join(format!("noise/{n}"));
        fs::hard_link(tree.path().join("noise/0"), link).unwrap();
    }
    tree.sparse("zeros", 300 * MIB, b"end");
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("out.zip");
    // More workers than cores: each holds its chunk while another one runs.
    let Some(peak) = peak(tree.path(), &archive, &["--threads", "16"]) else {
        return;
    };
    assert!(archive.metadata().unwrap().len() > 320 * MIB);
    let taken = peak / MIB;
    assert!(
        (1..MEMORY).contains(&taken),
        "packing 620 MiB took {taken} MiB"
    );
}

#[test]
fn more_entries_than_16_bits_count() {
    if !takes_time("a tree of 200,000 files") {
        return;
    }
    let tree = Tree::new();
    let (dirs, files) = (200, 1000);
    for dir in 0..dirs {
        let dir = tree.path().join(format!("{dir:03}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..files {
            File::create_new(dir.join(format!("{file:03}"))).unwrap();
        }
    }
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("many.zip");
    let Some(peak) = peak(tree.path(), &archive, &[]) else {
        return;
    };
    let taken = peak / MIB;
    assert!(
        (1..MEMORY).contains(&taken),
        "packing 200,000 files took {taken} MiB"
    );
    let bytes = fs::read(&archive).unwrap();
    let entries = check(&bytes).unwrap();
    assert_eq!(entries.len(), dirs * files);
    assert_eq!(entries[123_456].name, b"123/456");
    let zip = zip::ZipArchive::new(File::open(&archive).unwrap()).unwrap();
    assert_eq!(zip.len(), dirs * files);
    every_reader_accepts(&archive);
}

#[test]
fn a_file_beyond_32_bits() {
    if !takes_time("a file of 4 GiB") {
        return;
    }
    let tree = four_gib();
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("deflated.zip");
    pack(tree.path(), &archive, &[]);

    let bytes = fs::read(&archive).unwrap();
    let [big, small] = <[Checked<'_>; 2]>::try_from(check(&bytes).unwrap()).unwrap();
    assert_eq!((big.name, small.name), (&b"big"[..], &b"small"[..]));
    assert_eq!(big.uncompressed, FOUR_GIB + END.len() as u64);
    assert_eq!(big.method, Method::Deflate);
    assert!(big.compressed < 16 * MIB, "{} bytes", big.compressed);
    // Both sizes are in the zip64 extra: the local header's fields say so.
    let local = big.header_offset as usize;
    assert_eq!(bytes[local + 18..local + 26], [0xFF; 8]);

    let sizes = format!(
        "big {} {}\nsmall {} {}\n",
        big.uncompressed, big.compressed, small.uncompressed, small.compressed
    );
    thread::scope(|scope| {
        scope.spawn(|| every_reader_accepts(&archive));
        scope.spawn(|| {
            if let Some(mut python) = tool("Python", &["python3", "python"]) {
                let said = python.args(["-c", SIZES]).arg(&archive).ok().stdout;
                assert_eq!(said, sizes);
            }
        });
        scope.spawn(|| {
            let mut zip = zip::ZipArchive::new(File::open(&archive).unwrap()).unwrap();
            let mut entry = zip.by_name("big").unwrap();
            assert_eq!(entry.size(), big.uncompressed);
            assert_eq!(entry.compressed_size(), big.compressed);
            assert_eq!(entry.crc32(), big.crc32);
            assert_is_big(&mut entry);
            drop(entry);
            assert_eq!(read(&mut zip.by_name("small").unwrap()), SMALL);
        });
    });
}

#[test]
fn an_offset_beyond_32_bits() {
    if !takes_time("an archive of 4 GiB") {
        return;
    }
    let tree = four_gib();
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("stored.zip");
    pack(tree.path(), &archive, &["--level", "0"]);

    let mut file = File::open(&archive).unwrap();
    let len = file.metadata().unwrap().len();
    let mut head = vec![0; 4096];
    file.read_exact_at(&mut head, 0).unwrap();
    let mut tail = vec![0; 4096];
    file.read_exact_at(&mut tail, len - 4096).unwrap();
    let pieces = [(0, head.as_slice()), (len - 4096, &tail)];
    let [big, small] = <[Checked<'_>; 2]>::try_from(check_sparse(&pieces).unwrap()).unwrap();
    assert_eq!(big.method, Method::Stored);
    assert_eq!(big.compressed, FOUR_GIB + END.len() as u64);
    assert!(small.header_offset > FOUR_GIB);
    assert_eq!(small.crc32, crc32fast::hash(SMALL));
    file.seek(SeekFrom::Start(big.data_offset)).unwrap();
    assert_is_big(&mut file.take(big.compressed));

    let mut zip = zip::ZipArchive::new(File::open(&archive).unwrap()).unwrap();
    assert_eq!(read(&mut zip.by_name("small").unwrap()), SMALL);
    let readers: [(&str, &[&str], &[&str]); 3] = [
        ("unzip", &["unzip"], &["-p"]),
        ("7-Zip", &["7zz", "7z"], &["x", "-so"]),
        ("bsdtar", &["bsdtar"], &["-xOf"]),
    ];
    for (name, candidates, arguments) in readers {
        if let Some(mut reader) = tool(name, candidates) {
            let done = reader.args(arguments).arg(&archive).arg("small").quiet();
            assert_eq!(done.stdout.as_bytes(), SMALL, "{name}");
        }
    }
}

const FOUR_GIB: u64 = 1 << 32;
const END: &[u8; 10] = b"not a zero";
const SMALL: &[u8] = b"after the giant";

/// A sparse file of 4 GiB and some bytes, and one behind it.
fn four_gib() -> Tree {
    let tree = Tree::new();
    tree.sparse("big", FOUR_GIB, END).file("small", SMALL);
    tree
}

/// Asserts that `content` is what [`four_gib`] wrote.
fn assert_is_big(content: &mut dyn Read) {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut buffer = vec![0; ZEROS.len()];
    let mut left = FOUR_GIB;
    while left > 0 {
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let len = content.read(&mut buffer[..most]).unwrap();
        assert!(len > 0, "{left} zeros are missing");
        assert!(buffer[..len] == ZEROS[..len], "in the last {left} zeros");
        left -= len as u64;
    }
    assert_eq!(read(content), END);
}

fn read(content: &mut dyn Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Has the programs at hand read all of `archive`, at the same time.
fn every_reader_accepts(archive: &Path) {
    let reads = |name, candidates: &[&str], arguments: &[&str]| {
        if let Some(mut reader) = tool(name, candidates) {
            // bsdtar writes the contents, which /dev/null takes.
            let reader = reader.args(arguments).arg(archive);
            reader.stdout(Stdio::null()).quiet();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| reads("unzip", &["unzip"], &["-tqq"]));
        scope.spawn(|| reads("7-Zip", &["7zz", "7z"], &["t", "-bso0", "-bsp0"]));
        scope.spawn(|| reads("bsdtar", &["bsdtar"], &["-xOf"]));
    });
}

#[track_caller]
fn pack(source: &Path, archive: &Path, options: &[&str]) {
    packing(hoist(), source, archive, options).silent();
}

fn packing(mut command: Command, source: &Path, archive: &Path, options: &[&str]) -> Command {
    command.args(["pack", "-q", "--source"]).arg(source);
    command.arg("--output").arg(archive).args(options);
    command
}

/// Packs, and returns the most memory that took, in bytes. None without Python.
#[track_caller]
fn peak(source: &Path, archive: &Path, options: &[&str]) -> Option<u64> {
    let mut python = tool("Python", &["python3", "python"])?;
    python.args(["-c", PEAK]).arg(hoist().get_program());
    let done = packing(python, source, archive, options).ok();
    Some(done.stdout.trim().parse().unwrap())
}

/// Whether to take the time. Otherwise it says that `what` was not tried.
fn takes_time(what: &str) -> bool {
    let required = crate::support::required();
    if !required {
        missing(what, "takes a minute, and HOIST_REQUIRE_TOOLS is not 1");
    }
    required
}
