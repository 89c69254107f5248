//! Any entries are written and read back: by the strict judge with `rawzip`, by the `zip` crate, and by
//! hoist's own reader.

#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::strict::{Sparse, check, check_from};
use super::testing::{self, File, Seen, archive};
use super::{
    CENTRAL_LEN, Directory, DirectoryReader, Entry, LOCAL_LEN, Method, NonUtf8, ReadError, Record,
    Sizes, check_name, check_order, descriptor_len, end_window, local_header, local_header_size,
    read_local_header,
};

/// Names that share prefixes, and sometimes any bytes.
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

/// Files in the order of the plan, whose names may be written.
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

/// What a reader should see of a file by the rules of the format. `compressed` and the offset, which depend
/// on the archive, are taken from `seen`.
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
    fn every_reader_sees_the_entries_that_were_written(files in files(), start in start()) {
        let out = archive(start, &files);
        let checked = check_from(&out, start).unwrap();
        prop_assert_eq!(checked.len(), files.len());
        if start == 0 {
            testing::validate_with_zip(&out);
        }
        let seen = testing::read_with_zip(Sparse::new(&[(start, &out)]));
        prop_assert_eq!(seen.len(), files.len());
        for ((file, seen), checked) in files.iter().zip(&seen).zip(&checked) {
            prop_assert_eq!(seen, &expected(file, seen));
            prop_assert_eq!(&seen.name, checked.name);
            prop_assert_eq!((seen.mode, seen.method), (checked.mode, checked.method));
            prop_assert_eq!((seen.crc32, seen.compressed), (checked.crc32, checked.compressed));
            prop_assert_eq!(seen.uncompressed, checked.uncompressed);
            prop_assert_eq!(seen.header_offset, checked.header_offset);
            prop_assert_eq!(checked.data.unwrap().len() as u64, seen.compressed);
            let clamped = file.mtime.clamp(315_532_800, 4_354_819_199);
            let mtime = seen.timestamp.map_or(clamped - clamped % 2, i64::from);
            prop_assert_eq!(checked.mtime, mtime);
        }

        let central = central_headers(&out, start).unwrap();
        prop_assert_eq!(central.len(), files.len());
        for (read, checked) in central.iter().zip(&checked) {
            let header = (read.crc32, read.compressed, read.uncompressed);
            prop_assert_eq!(header, (checked.crc32, checked.compressed, checked.uncompressed));
            prop_assert_eq!((&read.name[..], read.offset), (checked.name, checked.header_offset));
            prop_assert_eq!((read.made_by >> 8, read.attributes >> 16), (3, checked.mode));
            let local = &out[usize::try_from(read.offset - start).unwrap()..];
            let size = local_header_size(local.first_chunk::<LOCAL_LEN>().unwrap()).unwrap();
            prop_assert_eq!(size as u64, checked.data_offset - checked.header_offset);
            prop_assert_eq!(read_local_header(&local[..size]).unwrap().name, checked.name);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in vec(any::<u8>(), 0..300),
        start in prop_oneof![Just(0), Just(u64::MAX >> 1), 0..u64::MAX >> 1],
    ) {
        let mut bytes = bytes;
        // The chance that random bytes form an archive is nil.
        prop_assert!(check_from(&bytes, start).is_err());
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0\0\0");
        let _ = central_headers(&bytes, start);
        let _ = read_local_header(&bytes);
    }

    #[test]
    fn damaged_archives_never_panic(
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        start in prop_oneof![Just(0), Just(0xFFFF_FFFF), 0..u64::MAX >> 1],
    ) {
        let mut out = archive(0, &sample());
        for (at, byte) in edits {
            let at = at.index(out.len());
            out[at] = byte;
        }
        if let Ok(entries) = check_from(&out, start) {
            prop_assert_eq!((entries.len(), start), (sample().len(), 0));
        }
        let _ = central_headers(&out, start);
    }
}

/// What [`DirectoryReader`] finds in an archive from `start` on.
#[derive(Debug)]
struct Read {
    name: Vec<u8>,
    crc32: u32,
    compressed: u64,
    uncompressed: u64,
    made_by: u16,
    attributes: u32,
    offset: u64,
}

fn central_headers(archive: &[u8], start: u64) -> Result<Vec<Read>, ReadError> {
    let end = start + archive.len() as u64;
    let window = end_window(end);
    let tail = usize::try_from(window.start.saturating_sub(start)).unwrap();
    let directory = Directory::find(&archive[tail..], end)?;
    let mut reader = DirectoryReader::new(&directory);
    let mut found = Vec::new();
    while let Some((offset, piece)) = reader.next_piece()? {
        let from = offset
            .checked_sub(start)
            .map(|at| usize::try_from(at).unwrap());
        let Some(bytes) = from.and_then(|from| archive.get(from..from + piece.len())) else {
            assert!(offset < start, "a read behind the archive");
            return Ok(found);
        };
        piece.copy_from_slice(bytes);
        while let Some(central) = reader.next_header()? {
            found.push(Read {
                name: central.header.name.to_vec(),
                crc32: central.header.crc32,
                compressed: central.header.compressed,
                uncompressed: central.header.uncompressed,
                made_by: central.made_by,
                attributes: central.attributes,
                offset: central.offset,
            });
        }
    }
    Ok(found)
}

#[test]
fn a_directory_of_several_pieces_is_read_whole() {
    let names: Vec<_> = (0..5000).map(|n| format!("{n:0200}")).collect();
    let files: Vec<_> = names.iter().map(|name| File::new(name, b"")).collect();
    let out = archive(0, &files);
    let found = central_headers(&out, 0).unwrap();
    assert!(
        found
            .iter()
            .map(|read| &read.name)
            .eq(files.iter().map(|file| &file.name))
    );

    // One byte less: the last header is cut short.
    let mut directory = Directory::find(&out[out.len() - 22..], out.len() as u64).unwrap();
    directory.len -= 1;
    let mut reader = DirectoryReader::new(&directory);
    let mut entries = 0;
    let error = loop {
        match reader.next_piece() {
            Ok(Some((offset, piece))) => {
                let from = usize::try_from(offset).unwrap();
                piece.copy_from_slice(&out[from..from + piece.len()]);
            }
            Ok(None) => panic!("the directory is whole"),
            Err(error) => break error,
        }
        while reader.next_header().unwrap().is_some() {
            entries += 1;
        }
    };
    let record = Record::CentralHeader;
    assert_eq!((entries, error), (4999, ReadError::Truncated { record }));
}

#[test]
fn bytes_before_and_after_an_archive_are_counted() {
    let plain = archive(0, &[File::new("a", b"data")]);
    let find = |bytes: &[u8]| Directory::find(bytes, bytes.len() as u64).unwrap();
    let own = find(&plain);
    assert_eq!((own.gap, own.trailing), (0, 0));
    let bytes = [b"program", &plain[..], b"junk"].concat();
    let found = find(&bytes);
    assert_eq!((found.start, found.gap, found.trailing), (own.start, 7, 4));
    let moved = found.moved_unless_found(*b"amPK");
    assert_eq!((moved.start, moved.gap), (own.start + 7, 0));
    assert_eq!(found.moved_unless_found(*b"PK\x01\x02"), found);
    // The end record of an archive inside of the archive does not count.
    let nested = archive(0, &[File::new("inner.zip", &plain)]);
    assert_eq!(find(&nested).trailing, 0);
    assert_eq!(find(&[&nested[..], b"junk"].concat()).trailing, 4);
}

#[test]
fn end_records_that_cannot_be_followed_are_refused() {
    let plain = archive(0, &[File::new("a", b"data")]);
    let end = plain.len() - 22;
    let changed = |at: usize, bytes: &[u8]| {
        let mut out = plain.clone();
        out[end + at..end + at + bytes.len()].copy_from_slice(bytes);
        central_headers(&out, 0).unwrap_err().to_string()
    };
    assert!(changed(0, b"Q").contains("no end record"));
    assert!(changed(4, &[1]).contains("several disks"));
    assert!(changed(8, &[2]).contains("several disks"));
    assert!(changed(14, &[1]).contains("behind its end record"));
    assert!(changed(16, &[0]).contains("no central header"));
    let mut far = archive(0xFFFF_FFFF, &[]);
    far[56 + 8] ^= 1;
    let error = central_headers(&far, 0xFFFF_FFFF).unwrap_err();
    assert_eq!(error, ReadError::Zip64);
}

/// Writers leave out the signature or not, and write sizes of 32 or 64 bits.
#[test]
fn data_descriptors_of_all_four_forms_are_known() {
    let header = super::Header {
        flags: super::FLAG_DESCRIPTOR,
        method: 8,
        dos_time: 0,
        crc32: 1,
        compressed: 2,
        uncompressed: 3,
        name: b"a",
    };
    for signature in [&b""[..], b"PK\x07\x08"] {
        let crc32 = 1_u32.to_le_bytes();
        let narrow = [2_u32, 3].map(u32::to_le_bytes).concat();
        let wide = [2_u64, 3].map(u64::to_le_bytes).concat();
        for sizes in [narrow, wide] {
            let mut bytes = [signature, &crc32, &sizes, b"next"].concat();
            assert_eq!(descriptor_len(&bytes, &header), Some(bytes.len() - 4));
            bytes[signature.len()] ^= 1;
            assert_eq!(descriptor_len(&bytes, &header), None);
        }
    }
}

/// One entry of every kind.
fn sample() -> Vec<File> {
    let file = File::new;
    let mut files = vec![
        file("dir/", b""),
        file("dir/stored", b"stored"),
        file("dir/deflated", &[b'x'; 100]).deflated(),
        file("dir/empty", b""),
        file("caf\u{e9}", b"unicode"),
        File {
            mode: 0o120_777,
            ..file("link", b"dir/stored")
        },
        File {
            mtime: -1,
            ..file("before-1970", b"")
        },
        File {
            mtime: 1 << 40,
            ..file("far-future", b"")
        },
        File {
            giant: Some(1 << 33),
            ..file("giant", b"not that large").deflated()
        },
        File {
            name: b"raw\xE9".to_vec(),
            ..file("", b"raw")
        },
    ];
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// For each byte of an archive, whether it is data, or permissions in a central header.
fn is_free(archive: &[u8], start: u64) -> Vec<bool> {
    let entries = check_from(archive, start).unwrap();
    let mut free = vec![false; archive.len()];
    let last = entries.last().unwrap();
    let mut central = usize::try_from(last.data_offset + last.compressed - start).unwrap();
    for entry in &entries {
        let data = usize::try_from(entry.data_offset - start).unwrap();
        free[data..data + entry.data.unwrap().len()].fill(true);
        free[central + 40..central + 42].fill(true);
        let length = |at| usize::from(archive[central + at]);
        central += CENTRAL_LEN + length(28) + length(30);
    }
    free
}

#[test]
fn the_judge_refuses_every_changed_header_byte() {
    for start in [0, 0xFFFF_FF00] {
        let mut out = archive(start, &sample());
        let free = is_free(&out, start);
        for at in 0..out.len() {
            let true_byte = out[at];
            for change in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF] {
                out[at] = true_byte ^ change;
                let accepted = check_from(&out, start).is_ok();
                assert!(!accepted || free[at], "byte {at} ^ {change:#x}");
            }
            out[at] = true_byte;
        }
        assert!(check_from(&out, start).is_ok());
    }
}

#[test]
fn the_judge_refuses_a_byte_more_and_a_byte_less_anywhere() {
    let out = archive(0, &sample());
    for at in 0..=out.len() {
        let mut longer = out.clone();
        longer.insert(at, 0);
        assert!(check(&longer).is_err(), "a byte more at {at}");
    }
    for at in 0..out.len() {
        let mut shorter = out.clone();
        shorter.remove(at);
        assert!(check(&shorter).is_err(), "a byte less at {at}");
        assert!(check(&out[..at]).is_err(), "the first {at}");
        assert!(check(&out[at + 1..]).is_err(), "without the first {at}");
    }
    assert!(check_from(&out, 1).is_err());
    assert_eq!(check(&archive(0, &[])), Ok(vec![]));
}

/// Local headers and data, and a directory that may say something else.
fn mismatched(local: &[(Entry<'_>, Sizes, &[u8])], central: &[(Entry<'_>, Sizes, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (entry, sizes, data) in local {
        local_header(&mut out, entry, sizes);
        out.extend_from_slice(data);
    }
    let start = out.len() as u64;
    out.extend_from_slice(&testing::directory(start, central));
    out
}

#[test]
fn the_judge_wants_entries_back_to_back_in_order_and_closed() {
    let (a, b) = (File::new("a", b""), File::new("b", b""));
    let (a, b) = (a.entry(), b.entry());
    let none = Sizes::known(0, 0, 0);
    let both = [(a, none, &b""[..]), (b, none, &b""[..])];
    let accepts = |local: &[_], central: &[_]| check(&mismatched(local, central)).is_ok();

    assert!(accepts(&both, &[(a, none, 0), (b, none, 40)]));
    // Listed out of order, twice, or not at all.
    assert!(!accepts(&both, &[(b, none, 40), (a, none, 0)]));
    assert!(!accepts(&both, &[(a, none, 0), (a, none, 0)]));
    assert!(!accepts(&both, &[(a, none, 0)]));
    assert!(!accepts(&both, &[(b, none, 40)]));
    assert!(!accepts(&both, &[]));
    // A gap.
    let gap = [(a, none, &b"?"[..]), both[1]];
    assert!(!accepts(&gap, &[(a, none, 0), (b, none, 41)]));
    // A file that is also a directory.
    let inside = Entry { name: b"a/b", ..a };
    let clash = [(a, none, &b""[..]), (inside, none, &b""[..])];
    assert!(!accepts(&clash, &[(a, none, 0), (inside, none, 40)]));
    // The header of a giant that was never closed.
    let giant = File::new("giant", b"").deflated();
    let data = testing::deflate(b"0123456789");
    let open = Sizes::open(10, 1 << 33);
    let closed = open.close(crc32fast::hash(b"0123456789"), data.len() as u64);
    let giant = giant.entry();
    let accepts = |local, central| accepts(&[(giant, local, &data[..])], &[(giant, central, 0)]);
    assert!(accepts(closed, closed));
    assert!(!accepts(open, closed));
    assert!(!accepts(open, open));
}
