//! Any entries, written and read back: by our checker and by two readers that
//! share no code with it or with the writer.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;

use super::testing::{self, File, Seen, Sparse, archive};
use super::{Method, NonUtf8, check_from, check_name, check_order};

/// Names that share prefixes, and now and then any bytes.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[ab.-]{1,3}(/[ab-]{1,2}){0,2}/?".prop_map(String::into_bytes),
        2 => "[a\u{e9}\u{1F4E6}\\\\;1]{1,6}/?".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 1..12),
    ]
}

fn mtime() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..=2_000_000_000_i64,
        -3_000_000_000..5_000_000_000_i64,
        (-2..=2_i64).prop_map(|by| i64::from(i32::MAX) + by),
        (-2..=2_i64).prop_map(|by| i64::from(i32::MIN) + by),
        (-3..=3_i64).prop_map(|by| 315_532_800 + by),
        (-3..=3_i64).prop_map(|by| 4_354_819_200 + by),
        any::<i64>(),
    ]
}

fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(0o100_644),
        Just(0o120_777),
        Just(0o102_755),
        any::<u32>(),
    ]
}

fn file() -> impl Strategy<Value = File> {
    let content = prop_oneof![Just(Vec::new()), vec(any::<u8>(), 1..200)];
    let worst_case = prop_oneof![Just(1000), (1_u64 << 32) - 3..(1 << 32) + 3];
    let giant = proptest::option::of(worst_case);
    (name(), mode(), mtime(), any::<bool>(), content, giant).prop_map(
        |(name, mode, mtime, deflate, content, giant)| {
            let directory = name.ends_with(b"/");
            let deflate = deflate && !directory;
            File {
                name,
                mode,
                mtime,
                method: if deflate {
                    Method::Deflate
                } else {
                    Method::Stored
                },
                content: if directory { Vec::new() } else { content },
                giant,
            }
        },
    )
}

/// Files as the plan would pass them: sorted, with names that may be written.
fn files() -> impl Strategy<Value = Vec<File>> {
    vec(file(), 0..12).prop_map(|mut files| {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut kept: Vec<File> = Vec::new();
        for file in files {
            let names = kept.iter().chain([&file]).map(|file| file.name.as_slice());
            if check_name(&file.name, NonUtf8::Raw).is_ok() && check_order(names).is_ok() {
                kept.push(file);
            }
        }
        kept
    })
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(0),
        2 => (1_u64 << 32) - 2000..(1 << 32) + 2,
        1 => 0..u64::MAX >> 2,
    ]
}

/// What a reader should see of a file, from the rules rather than the code.
/// Sizes in the archive and offsets are compared with what the checker found.
fn expected(file: &File, seen: &Seen) -> Seen {
    let directory = file.name.last() == Some(&b'/');
    let kind = match file.mode >> 12 & 0o17 {
        _ if directory => 0o04,
        0o12 => 0o12,
        _ => 0o10,
    };
    let permissions = match (file.mode, directory) {
        (0, true) => 0o755,
        (0, false) => 0o644,
        (mode, _) => mode % 0o1000,
    };
    let in_ut = file.name.is_ascii() && (-1 << 31..1 << 31).contains(&file.mtime);
    let time = file.mtime.clamp(315_532_800, 4_354_819_199);
    let time = rawzip::time::UtcDateTime::from_unix(time);
    Seen {
        name: file.name.clone(),
        mode: kind << 12 | permissions,
        dos_time: testing::dos_time([
            time.year(),
            time.month().into(),
            time.day().into(),
            time.hour().into(),
            time.minute().into(),
            time.second().into(),
        ]),
        timestamp: in_ut.then(|| i32::try_from(file.mtime).unwrap()),
        method: file.method,
        crc32: crc32fast::hash(&file.content),
        uncompressed: file.content.len() as u64,
        content: Some(file.content.clone()),
        ..seen.clone()
    }
}

proptest! {
    #[test]
    fn every_reader_sees_what_was_written(files in files(), start in start()) {
        let out = archive(start, &files);
        let checked = check_from(&out, start).unwrap();
        prop_assert_eq!(checked.len(), files.len());
        let pieces = [(start, out.as_slice())];
        let readers = if start == 0 {
            testing::validate_with_zip(&out);
            [
                testing::read_with_zip(Cursor::new(&out)),
                testing::read_with_rawzip(Cursor::new(&out)),
            ]
        } else {
            [
                testing::read_with_zip(Sparse::new(&pieces)),
                testing::read_with_rawzip(Sparse::new(&pieces)),
            ]
        };

        for seen in readers {
            prop_assert_eq!(seen.len(), files.len());
            for ((file, seen), checked) in files.iter().zip(&seen).zip(&checked) {
                prop_assert_eq!(seen, &expected(file, seen));
                prop_assert_eq!(&seen.name, checked.name);
                prop_assert_eq!(seen.mode, checked.mode);
                prop_assert_eq!(seen.method, checked.method);
                prop_assert_eq!(seen.crc32, checked.crc32);
                prop_assert_eq!(seen.compressed, checked.compressed);
                prop_assert_eq!(seen.uncompressed, checked.uncompressed);
                prop_assert_eq!(seen.header_offset, checked.header_offset);
                prop_assert_eq!(checked.data.unwrap().len() as u64, seen.compressed);
                let clamped = file.mtime.clamp(315_532_800, 4_354_819_199);
                let mtime = seen.timestamp.map_or(clamped - clamped % 2, i64::from);
                prop_assert_eq!(checked.mtime, mtime);
            }
        }
    }
}
