#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::super::testing::{self, File, archive};
use super::super::{Entry, Sizes, local_header};
use super::*;

/// One entry of every kind.
fn sample() -> Vec<File> {
    let mut files = vec![
        File::new("dir/", b""),
        File::new("dir/stored", b"stored"),
        File::new("dir/deflated", &[b'x'; 100]).deflated(),
        File::new("dir/empty", b""),
        File::new("caf\u{e9}", b"unicode"),
        File {
            mode: 0o120_777,
            ..File::new("link", b"dir/stored")
        },
        File {
            mtime: -1,
            ..File::new("before-1970", b"")
        },
        File {
            mtime: 1 << 40,
            ..File::new("far-future", b"")
        },
        File {
            giant: Some(1 << 33),
            ..File::new("giant", b"not that large").deflated()
        },
        File {
            name: b"raw\xE9".to_vec(),
            ..File::new("", b"raw")
        },
    ];
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// Offset of the first central header.
fn directory_at(archive: &[u8], start: u64) -> usize {
    let last = check_from(archive, start).unwrap().pop().unwrap();
    usize::try_from(last.data_offset + last.compressed - start).unwrap()
}

/// For each byte, whether it is data, or a mode in a central header.
fn is_free(archive: &[u8], start: u64) -> Vec<bool> {
    let mut free = vec![false; archive.len()];
    let mut central = directory_at(archive, start);
    for entry in check_from(archive, start).unwrap() {
        let data = usize::try_from(entry.data_offset - start).unwrap();
        free[data..data + entry.data.unwrap().len()].fill(true);
        free[central + 40..central + 42].fill(true);
        let length =
            |at| usize::from(archive[central + at]) + 256 * usize::from(archive[central + at + 1]);
        central += 46 + length(28) + length(30);
    }
    free
}

#[test]
fn a_sample_of_everything_passes() {
    let files = sample();
    let out = archive(0, &files);
    let entries = check(&out).unwrap();
    assert_eq!(entries.len(), files.len());
    for (file, entry) in files.iter().zip(&entries) {
        assert_eq!(entry.name, file.name);
        assert_eq!((entry.mode, entry.method), (file.mode, file.method));
        assert_eq!(entry.crc32, crc32fast::hash(&file.content));
        assert_eq!(entry.uncompressed, file.content.len() as u64);
        if file.method == Method::Stored {
            assert_eq!(entry.data, Some(file.content.as_slice()));
        }
        let mtime = match file.mtime {
            late if late == 1 << 40 => 4_354_819_198,
            odd if !file.name.is_ascii() => odd - 1,
            exact => exact,
        };
        assert_eq!(entry.mtime, mtime);
    }
}

#[test]
fn an_empty_archive_passes() {
    assert_eq!(check(&archive(0, &[])), Ok(vec![]));
    assert_eq!(check_from(&archive(1 << 40, &[]), 1 << 40), Ok(vec![]));
    assert!(check(b"").is_err());
    assert!(check_sparse(&[]).is_err());
}

/// No bit of a header can change without notice, but for the mode.
#[test]
fn every_changed_header_byte_is_refused() {
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
fn data_is_the_callers_to_verify() {
    let mut out = archive(0, &[File::new("a", b"data")]);
    let data = usize::try_from(check(&out).unwrap()[0].data_offset).unwrap();
    out[data] ^= 1;
    assert_eq!(check(&out).unwrap()[0].data, Some(&b"eata"[..]));
}

#[test]
fn nothing_may_come_before_between_or_after() {
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
}

/// Renders local headers and data, and a directory that may say something else.
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
fn entries_are_back_to_back_and_in_order() {
    let (a, b) = (File::new("a", b""), File::new("b", b""));
    let (a, b) = (a.entry(), b.entry());
    let none = Sizes::known(0, 0, 0);
    let both = [(a, none, &b""[..]), (b, none, &b""[..])];
    let accepts = |local, central: &[_]| check(&mismatched(local, central)).is_ok();

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
}

#[test]
fn names_obey_the_rules() {
    let refused = |names: &[&str]| {
        let files: Vec<_> = names.iter().map(|name| File::new(name, b"")).collect();
        match check(&archive(0, &files)) {
            Err(CheckError::Name(error)) => error.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert!(refused(&["a", "a"]).contains("occurs twice"));
    assert!(refused(&["b", "a"]).contains("sort names"));
    assert!(refused(&["a", "a-b", "a/b"]).contains("to be a directory"));
    assert!(refused(&["../a"]).contains("'..'"));
    assert!(refused(&["a\nb"]).contains("0x0a"));
}

/// Each rule of one entry, broken in one header or in both alike.
#[test]
fn each_broken_rule_is_named() {
    let expect = |file: &File, local: (usize, &[u8]), central: (usize, &[u8]), part| {
        let mut out = archive(0, std::slice::from_ref(file));
        let directory = directory_at(&out, 0);
        for (at, (offset, bytes)) in [(0, local), (directory, central)] {
            out[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        }
        let error = check(&out).unwrap_err().to_string();
        assert!(error.contains(part), "{error} lacks {part}");
    };
    // A field that both headers have; the central one has more before it.
    let both = |file: &File, offset: usize, bytes: &[u8], part| {
        let further = if offset < 30 { 2 } else { 16 };
        expect(file, (offset, bytes), (offset + further, bytes), part);
    };
    let central = |file: &File, offset: usize, bytes: &[u8], part| {
        expect(file, (0, b""), (offset, bytes), part);
    };
    let local = |file: &File, offset: usize, bytes: &[u8], part| {
        expect(file, (offset, bytes), (0, b""), part);
    };
    let stored = File::new("f", b"data");
    let directory = File::new("d/", b"");

    both(&stored, 4, &[20], "version needed is 0x14, expected 0xa");
    both(&stored, 6, &[0x08], "flags is 0x8, expected 0x0");
    both(&stored, 7, &[0x08], "flags is 0x800, expected 0x0");
    both(
        &File::new("\u{e9}", b""),
        7,
        &[0],
        "flags is 0x0, expected 0x800",
    );
    both(&stored, 8, &[12], "method is 0xc");
    both(&stored, 12, &[0, 0], "not in the calendar");
    both(&stored, 11, &[0xC0], "not in the calendar"); // 24 o'clock
    both(&stored, 10, &[0], "the two times differ");
    both(&stored, 18, &[3], "compressed size is 0x3, expected 0x4");
    both(&File::new("f", b""), 14, &[1], "no data has CRC 0");
    both(&stored, 18, &[0xFF; 4], "one size is zip64");
    both(&stored, 18, &[0xFF; 8], "zip64 extra's id");
    both(&stored, 30, b"\n", "0x0a");
    both(&stored, 31, b"ux", "extended timestamp's id is 0x7875");
    both(&stored, 35, &[3], "extended timestamp's flags is 0x3");
    both(&directory, 18, &[1, 0, 0, 0, 1], "directory's size is 0x1");

    central(&stored, 5, &[0], "version made by is 0x3f, expected 0x33f");
    central(&stored, 34, &[1], "disk is 0x1");
    central(&stored, 36, &[1], "internal attributes is 0x1");
    central(
        &stored,
        38,
        &[0x10],
        "MS-DOS attributes is 0x10, expected 0x0",
    );
    central(
        &directory,
        38,
        &[0],
        "MS-DOS attributes is 0x0, expected 0x10",
    );
    central(&stored, 40, &[0, 0], "the mode is not");
    central(&stored, 41, &[0x41], "the mode is not"); // a directory
    central(&stored, 41, &[0x89], "the mode is not"); // setuid
    central(
        &stored,
        42,
        &[1],
        "local header offset is 0x1, expected 0x0",
    );

    local(
        &stored,
        8,
        &[8, 0],
        "local header at offset 0: version needed",
    );
    local(
        &stored,
        14,
        &[0; 4],
        "local header at offset 0: CRC-32 is 0x0",
    );
    local(
        &stored,
        30,
        b"g",
        "local header at offset 0: the name differs",
    );
    local(
        &stored,
        36,
        &[0],
        "local header at offset 0: the extended timestamp",
    );
    let giant = File {
        giant: Some(1 << 32),
        ..stored
    };
    local(
        &giant,
        35,
        &[5],
        "local header at offset 0: zip64 sizes differ",
    );
}

#[test]
fn a_timestamp_goes_with_an_ascii_name() {
    // The same archive under a name of the same length but of the other kind.
    let rename = |from: &str, to: &str| {
        let mut out = archive(0, &[File::new(from, b"")]);
        let central = directory_at(&out, 0);
        for (flags, name) in [(7, 30), (central + 9, central + 46)] {
            out[flags] = if to.is_ascii() { 0 } else { 8 };
            out[name..name + to.len()].copy_from_slice(to.as_bytes());
        }
        check(&out).unwrap_err().to_string()
    };
    assert!(rename("ab", "\u{e9}").contains("the name is not ASCII"));
    assert!(rename("\u{e9}", "ab").contains("timestamp is missing"));
}

#[test]
fn a_header_left_open_is_refused() {
    let file = File::new("giant", b"").deflated();
    let data = testing::deflate(b"0123456789");
    let open = Sizes::open(10, 1 << 33);
    let closed = open.close(crc32fast::hash(b"0123456789"), data.len() as u64);
    let entry = file.entry();
    let accepts = |local, central| {
        check(&mismatched(
            &[(entry, local, &data)],
            &[(entry, central, 0)],
        ))
        .is_ok()
    };
    assert!(accepts(closed, closed));
    assert!(!accepts(open, closed));
    assert!(!accepts(open, open));
}

#[test]
fn zip64_end_records_come_only_when_needed() {
    let start = 0xFFFF_FFFF_u64;
    let out = archive(start, &[]);
    assert_eq!(out.len(), 98);
    assert!(check_from(&out, start).is_ok());
    // Moved down to where the plain record is enough.
    let mut moved = out;
    moved[48..56].copy_from_slice(&(start - 1).to_le_bytes());
    moved[64..72].copy_from_slice(&(start - 1).to_le_bytes());
    let error = check_from(&moved, start - 1).unwrap_err().to_string();
    let part = "directory offset is 0xffffffff, expected 0xfffffffe";
    assert!(error.contains(part), "{error}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        start in prop_oneof![Just(0), Just(u64::MAX), any::<u64>()],
    ) {
        // The chance that random bytes form an archive is nil.
        prop_assert!(check_from(&bytes, start).is_err());
    }

    #[test]
    fn damaged_archives_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        start in prop_oneof![Just(0), Just(0xFFFF_FFFF), any::<u64>()],
    ) {
        let mut out = archive(0, &sample());
        for (at, byte) in edits {
            let at = at.index(out.len());
            out[at] = byte;
        }
        if let Ok(entries) = check_from(&out, start) {
            prop_assert_eq!((entries.len(), start), (sample().len(), 0));
        }
    }
}
