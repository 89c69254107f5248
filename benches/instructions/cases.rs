//! The cases that are counted. Work before a case's first round does not depend on the number of rounds,
//! so it cancels out.

use std::convert::Infallible;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hoist::archive::deflate::{Engine, Level, stitch};
use hoist::archive::limits::{CHUNK, Limits, MIB};
use hoist::archive::pack::{Cutter, Options, Part, pack};
use hoist::archive::plan::{self, Plan};
use hoist::archive::zip::{
    CentralDirectory, Directory, DirectoryReader, Entry, Method, NonUtf8, Sizes, check_name,
    check_order, end_window, local_header,
};
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::progress::Progress;

use crate::data::{binary, names, noise, text};

/// Work whose instructions are counted.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How often the shorter of the two runs does the work.
    pub(crate) rounds: usize,
    /// Does the work this many times. The path is a tree that [`plant`] made.
    pub(crate) work: fn(&Path, usize),
}

const fn case(name: &'static str, rounds: usize, work: fn(&Path, usize)) -> Case {
    Case { name, rounds, work }
}

pub(crate) const CASES: [Case; 9] = [
    case("zip-local", 2, |_, times| local_headers(times)),
    case("zip-central", 2, |_, times| central_directory(times)),
    case("zip-read", 2, |_, times| read_directory(times)),
    case("zip-names", 2, |_, times| check_names(times)),
    case("scan-text", 2, |_, times| scan(&text(1, CHUNK), times)),
    case("scan-binary", 2, |_, times| scan(&binary(1, CHUNK), times)),
    case("cut", 2, |_, times| cut(times)),
    case("pack", 2, |tree, times| {
        pack_away(tree, Level::default(), times);
    }),
    // Without compression, the packer's own share shows. So does that of waiting for other threads,
    // which more rounds even out.
    case("pack-stored", 4, |tree, times| {
        pack_away(tree, Level::STORE, times);
    }),
];

/// Entries of the archives in memory.
const ENTRIES: usize = 10_000;

fn entry(name: &str) -> Entry<'_> {
    Entry {
        name: name.as_bytes(),
        mode: 0o100_644,
        mtime: 1_700_000_000,
        method: Method::Stored,
    }
}

fn render_local(names: &[String], out: &mut Vec<u8>) -> Vec<u64> {
    let none = Sizes::known(0, 0, 0);
    out.clear();
    let mut offsets = Vec::with_capacity(names.len());
    for name in names {
        offsets.push(out.len() as u64);
        local_header(out, &entry(name), &none);
    }
    offsets
}

fn render_central(names: &[String], offsets: &[u64], start: u64, out: &mut Vec<u8>) {
    let none = Sizes::known(0, 0, 0);
    let mut directory = CentralDirectory::new(start);
    for (name, &offset) in names.iter().zip(offsets) {
        directory.entry(out, &entry(name), &none, offset);
    }
    directory.finish(out);
}

// Vectors get their capacity beforehand, so that their growth is not counted.
fn local_headers(times: usize) {
    let names = names(ENTRIES);
    let mut out = Vec::with_capacity(200 * ENTRIES);
    for _ in 0..times {
        black_box(render_local(black_box(&names), &mut out));
    }
}

fn central_directory(times: usize) {
    let names = names(ENTRIES);
    let mut out = Vec::with_capacity(200 * ENTRIES);
    let offsets = render_local(&names, &mut out);
    let start = out.len() as u64;
    for _ in 0..times {
        out.clear();
        render_central(black_box(&names), &offsets, start, &mut out);
        black_box(&out);
    }
}

fn read_directory(times: usize) {
    let names = names(ENTRIES);
    let mut out = Vec::with_capacity(400 * ENTRIES);
    let offsets = render_local(&names, &mut out);
    let start = out.len() as u64;
    render_central(&names, &offsets, start, &mut out);
    let size = |offset| usize::try_from(offset).unwrap();
    for _ in 0..times {
        let archive = black_box(&out);
        let len = archive.len() as u64;
        let tail = &archive[size(end_window(len).start)..];
        let mut reader = DirectoryReader::new(&Directory::find(tail, len).unwrap());
        let mut entries = 0;
        while let Some((offset, piece)) = reader.next_piece().unwrap() {
            piece.copy_from_slice(&archive[size(offset)..][..piece.len()]);
            while reader.next_header().unwrap().is_some() {
                entries += 1;
            }
        }
        assert_eq!(entries, ENTRIES);
    }
}

fn check_names(times: usize) {
    let names = names(ENTRIES);
    for _ in 0..times {
        let names = black_box(&names).iter().map(String::as_bytes);
        for name in names.clone() {
            check_name(name, NonUtf8::Refuse).unwrap();
        }
        check_order(names).unwrap();
    }
}

/// Finds the ends of a stream, as joining a giant's chunk to the next one does.
fn scan(content: &[u8], times: usize) {
    let mut stream = Vec::new();
    assert!(Engine::new(Level::default()).deflate(content, &mut stream));
    for _ in 0..times {
        black_box(stitch::scan(black_box(&stream)).unwrap());
    }
}

/// Cuts more than four parts from pieces, with a header held back in every second part.
fn cut(times: usize) {
    let piece = noise(2, 300_000);
    for _ in 0..times {
        let mut parts = 0;
        let mut emit = |part: Part| -> Result<(), Infallible> {
            black_box(part);
            parts += 1;
            Ok(())
        };
        let mut cutter = Cutter::new(usize::try_from(MIB).unwrap());
        for _ in 0..2 {
            let open = cutter.append_open(&[0; 90], &mut emit).unwrap();
            for _ in 0..7 {
                cutter.append(black_box(&piece), &mut emit).unwrap();
            }
            cutter.close(open, &[1; 90], &mut emit).unwrap();
        }
        cutter.finish(&mut emit).unwrap();
        assert_eq!(parts, 5);
    }
}

/// Makes the tree that the pack cases read: 200 small files, and one that is packed in chunks.
pub(crate) fn plant(tree: &Path) {
    for n in 0..200_usize {
        let len = 500 + n * 67 % 16_000;
        let content = match n % 4 {
            0 => binary(n as u64, len),
            1 => noise(n as u64, len),
            _ => text(n as u64, len),
        };
        let folder = tree.join(format!("folder-{:02}", n % 12));
        fs::create_dir_all(&folder).unwrap();
        write(&folder.join(format!("file-{n:03}.js")), &content);
    }
    let mut giant = text(1000, CHUNK / 2);
    giant.extend(binary(1001, CHUNK));
    write(&tree.join("giant.bin"), &giant);
}

/// The modification time is fixed, because headers hold it.
fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// Packs the tree with one worker, and drops the parts.
fn pack_away(tree: &Path, level: Level, times: usize) {
    let options = plan::Options {
        threads: 1,
        ..plan::Options::default()
    };
    let plan = Plan::scan(tree, &options, &Cancel::new()).unwrap();
    assert_eq!(plan.len(), 201);
    let limits = Limits::for_archive(plan.worst_case(), 1, 1).unwrap();
    let options = Options {
        level: level.into(),
        limits,
        format: Format::Zip,
        digest: false,
    };
    for _ in 0..times {
        let mut emit = |part: Part| {
            black_box(part);
            Ok(())
        };
        let packed = pack(&plan, &options, &Cancel::new(), &Progress::new(), &mut emit);
        black_box(packed.unwrap());
    }
}
