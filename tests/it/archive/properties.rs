//! Any tree, packed and read back, is the tree: names, contents, modes, times, and what links
//! lead to, in the eyes of four readers that share no code with the writer.

use std::cell::RefCell;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::support::{Entries, Run as _, hoist, tool};
use flate2::read::DeflateDecoder;
use hoist::archive::deflate::Level;
use hoist::archive::limits::Limits;
use hoist::archive::pack;
use hoist::archive::plan::{self, Plan};
use hoist::bundle::Format;
use hoist::cancel::Cancel;
use hoist::progress::Progress;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::forest::{Planted, Spec, specs};

/// What MS-DOS fields can say, in UTC: 1980-01-01 00:00:00 and 2107-12-31 23:59:58.
const DOS_FIRST: i64 = 315_532_800;
const DOS_LAST: i64 = 4_354_819_198;

/// How to pack a tree.
#[derive(Clone, Debug)]
struct Way {
    ignore_hidden: bool,
    level: u8,
    threads: usize,
    /// Bytes, and the library; or whatever the binary takes.
    part_size: Option<u64>,
}

fn ways() -> impl Strategy<Value = Way> {
    let part_size = prop::option::weighted(0.9, prop::sample::select(vec![64 << 10, 8 << 20]));
    (any::<bool>(), 0..=9_u8, 1..=4_usize, part_size).prop_map(
        |(ignore_hidden, level, threads, part_size)| Way {
            ignore_hidden,
            level,
            threads,
            part_size,
        },
    )
}

#[test]
fn any_tree_that_is_packed_is_read_back() {
    let out = tempfile::tempdir().unwrap();
    // Python takes longer to start than to read, so it sees all archives at once.
    let archives: RefCell<Vec<(PathBuf, Entries)>> = RefCell::default();
    let config = Config {
        cases: 40,
        max_shrink_iters: 100,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&(specs(), ways()), |(spec, way)| {
        let planted = Planted::new(&spec);
        let expected = expected(&planted, way.ignore_hidden);
        let archive = out.path().join(format!("{}.zip", archives.borrow().len()));
        pack_in(&way, planted.path(), &archive);
        let bytes = fs::read(&archive).unwrap();
        as_checked(&bytes, &expected)?;
        as_rawzip_reads(&bytes, &expected)?;
        as_zip_reads(&bytes, &expected)?;
        archives.borrow_mut().push((archive, expected));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    as_python_reads(&archives.into_inner());
}

#[test]
fn the_trees_of_this_property_have_entries_of_every_kind() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let specs: Vec<Spec> = (0..200)
        .map(|_| specs().new_tree(&mut runner).unwrap().current())
        .collect();
    let files = || specs.iter().flat_map(|spec| &spec.files);
    assert!(files().any(|file| file.name.starts_with('.') || file.name.contains("/.")));
    assert!(files().any(|file| !file.name.is_ascii()));
    assert!(files().any(|file| file.name.contains(' ')));
    assert!(files().any(|file| file.name.split('/').count() > 20));
    assert!(files().any(|file| file.len == 0));
    assert!(files().any(|file| file.len > 1 << 20));
    assert!(files().any(|file| file.mtime.0 % 2 == 1));
    assert!(files().any(|file| file.mtime.0 < DOS_FIRST));
    assert!(files().any(|file| file.mtime.0 > DOS_LAST));
    assert!(files().any(|file| file.mode & 0o111 != 0));
    assert!(specs.iter().any(|spec| spec.links.len() > 2));
    assert!(specs.iter().any(|spec| spec.files.is_empty()));
}

/// What an archive of the tree should hold: links to files are files, links to directories are
/// nothing.
fn expected(planted: &Planted, ignore_hidden: bool) -> Entries {
    let mut entries = crate::support::entries(planted.path());
    entries.retain(|name, entry| {
        let name = std::str::from_utf8(name).unwrap();
        if ignore_hidden && name.split('/').any(|part| part.starts_with('.')) {
            return false;
        }
        if entry.mode & 0o170_000 == 0 {
            return true;
        }
        let target = fs::canonicalize(planted.path().join(name)).unwrap();
        if target.is_dir() {
            return false;
        }
        let file_name = target.file_name().unwrap().as_encoded_bytes();
        *entry = crate::support::entries(target.parent().unwrap())[file_name].clone();
        true
    });
    entries
}

fn pack_in(way: &Way, source: &Path, archive: &Path) {
    let Some(part_size) = way.part_size else {
        let mut command = hoist();
        command.args(["pack", "-q", "--source"]).arg(source);
        command.arg("--output").arg(archive);
        command.args(["--level", &way.level.to_string()]);
        command.args(["--threads", &way.threads.to_string()]);
        if way.ignore_hidden {
            command.arg("--ignore-hidden-files");
        }
        return command.silent();
    };
    let (stop, progress) = (Cancel::new(), Progress::new());
    let options = plan::Options {
        ignore_hidden: way.ignore_hidden,
        threads: way.threads,
        ..plan::Options::default()
    };
    let plan = Plan::scan(source, &options, &stop).unwrap();
    let limits = Limits::for_archive(plan.worst_case(), way.threads, 1).unwrap();
    let options = pack::Options {
        level: Level::new(way.level).unwrap().into(),
        limits: Limits {
            part_size,
            ..limits
        },
        format: Format::Zip,
        digest: false,
    };
    let packed = pack::pack_to_file(&plan, archive, &options, None, &stop, &progress).unwrap();
    assert_eq!(packed.archive, archive.metadata().unwrap().len());
    assert!(packed.archive <= plan.worst_case());
}

/// The time of a UT field, where there is one: it has 32 bits, and a name outside ASCII must go
/// without, since with any extra field `unzip` changes such a name in the C locale.
fn exact_time(name: &[u8], mtime: i64) -> Option<i32> {
    i32::try_from(mtime).ok().filter(|_| name.is_ascii())
}

fn dos_time(mtime: i64) -> i64 {
    (mtime - mtime.rem_euclid(2)).clamp(DOS_FIRST, DOS_LAST)
}

/// The time of an entry, as a reader has it that knows the UT field and takes DOS for UTC.
fn time(name: &[u8], mtime: i64) -> i64 {
    exact_time(name, mtime).map_or(dos_time(mtime), i64::from)
}

fn as_checked(bytes: &[u8], expected: &Entries) -> Result<(), TestCaseError> {
    let entries = crate::strict_zip::check(bytes);
    prop_assert!(entries.is_ok(), "{:?}", entries);
    let entries = entries.unwrap();
    prop_assert!(entries.iter().map(|entry| entry.name).eq(expected.keys()));
    for (entry, (name, wanted)) in entries.iter().zip(expected) {
        let shown = name.escape_ascii();
        prop_assert_eq!(entry.mode, 0o100_000 | wanted.mode, "mode of {}", shown);
        prop_assert_eq!(entry.mtime, time(name, wanted.mtime), "time of {}", shown);
        let len = wanted.contents.len() as u64;
        prop_assert_eq!(entry.uncompressed, len, "{}", shown);
        prop_assert_eq!(entry.crc32, crc32fast::hash(&wanted.contents), "{}", shown);
    }
    Ok(())
}

fn as_rawzip_reads(bytes: &[u8], expected: &Entries) -> Result<(), TestCaseError> {
    let archive = rawzip::ZipArchive::from_slice(bytes).unwrap();
    let mut entries = archive.entries();
    for (name, wanted) in expected {
        let shown = name.escape_ascii();
        let header = entries.next_entry().unwrap();
        prop_assert!(header.is_some(), "{} is missing", shown);
        let header = header.unwrap();
        prop_assert_eq!(header.file_path().as_bytes(), name, "{}", shown);
        prop_assert_eq!(header.mode().value(), 0o100_000 | wanted.mode, "{}", shown);
        prop_assert!(!header.is_dir());

        let dos = header.last_modified_dos();
        let date = [dos.year().into(), dos.month().into(), dos.day().into()];
        let clock = [dos.hour().into(), dos.minute().into(), dos.second().into()];
        prop_assert_eq!(epoch(date, clock), dos_time(wanted.mtime), "{}", shown);

        let entry = archive.get_entry(header.wayfinder()).unwrap();
        let local = entry.local_header();
        prop_assert_eq!(local.last_modified(), header.last_modified(), "{}", shown);
        let mut contents = Vec::new();
        let read = match header.compression_method() {
            rawzip::CompressionMethod::STORE => entry
                .verifying_reader(entry.data())
                .read_to_end(&mut contents),
            rawzip::CompressionMethod::DEFLATE => entry
                .verifying_reader(DeflateDecoder::new(entry.data()))
                .read_to_end(&mut contents),
            other => panic!("{shown} has method {other:?}"),
        };
        prop_assert!(read.is_ok(), "{}: {:?}", shown, read);
        prop_assert!(contents == wanted.contents, "contents of {}", shown);
    }
    prop_assert!(entries.next_entry().unwrap().is_none(), "too many entries");
    Ok(())
}

fn as_zip_reads(bytes: &[u8], expected: &Entries) -> Result<(), TestCaseError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    prop_assert_eq!(archive.len(), expected.len());
    for (index, (name, wanted)) in expected.iter().enumerate() {
        let shown = name.escape_ascii();
        let mut entry = archive.by_index(index).unwrap();
        prop_assert_eq!(entry.name_raw(), name, "{}", shown);
        let mode = 0o100_000 | wanted.mode;
        prop_assert_eq!(entry.unix_mode(), Some(mode), "mode of {}", shown);
        let exact = entry.extra_data_fields().find_map(|field| match field {
            zip::ExtraField::ExtendedTimestamp(time) => time.mod_time(),
            _ => None,
        });
        // The crate knows no time before 1970.
        let exact = exact.map(u32::cast_signed);
        prop_assert_eq!(exact, exact_time(name, wanted.mtime), "time of {}", shown);
        let mut contents = Vec::new();
        let read = entry.read_to_end(&mut contents);
        prop_assert!(read.is_ok(), "{}: {:?}", shown, read);
        prop_assert!(contents == wanted.contents, "contents of {}", shown);
    }
    Ok(())
}

fn as_python_reads(archives: &[(PathBuf, Entries)]) {
    let Some(mut python) = tool("Python", &["python3", "python"]) else {
        return;
    };
    let program: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/it/archive/tell.py"]
        .iter()
        .collect();
    python.args(["-W", "error"]).arg(program);
    python.args(archives.iter().map(|(archive, _)| archive));
    let said = python.ok().stdout;
    let mut lines = said.lines();
    for (index, (_, expected)) in archives.iter().enumerate() {
        for (name, wanted) in expected {
            let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
            let exact = exact_time(name, wanted.mtime);
            let line = format!(
                "{index} {hex} {} {} {} {} {}",
                0o100_000 | wanted.mode,
                wanted.contents.len(),
                crc32fast::hash(&wanted.contents),
                dos_time(wanted.mtime),
                exact.map_or("-".to_owned(), |time| time.to_string()),
            );
            assert_eq!(lines.next(), Some(&*line), "{}", name.escape_ascii());
        }
    }
    assert_eq!(lines.next(), None);
}

/// Seconds since 1970 of a date and a time of day, counted day by day.
fn epoch([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> i64 {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i64 = (1970..year).map(|year| 365 + i64::from(leap(year))).sum();
    let february = 28 + i64::from(leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = years + months[..month as usize - 1].iter().sum::<i64>() + day - 1;
    ((days * 24 + hour) * 60 + minute) * 60 + second
}
