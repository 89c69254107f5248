use std::io::Read as _;

use proptest::prelude::*;

use super::*;

fn entry(name: &[u8]) -> Entry<'_> {
    Entry {
        name,
        kind: Kind::File,
        mode: 0o100_644,
        mtime: 1_700_000_001,
        size: 5,
    }
}

fn rendered(entry: &Entry<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    header(&mut out, entry);
    assert_eq!(out.len() as u64, header_len(entry));
    out
}

/// A whole archive of one entry, whose content is the letter x.
fn archive(entry: &Entry<'_>) -> Vec<u8> {
    let mut out = rendered(entry);
    let size = usize::try_from(entry.size).unwrap();
    out.resize(out.len() + size, b'x');
    out.resize(out.len() + padding(entry.size), 0);
    let end = usize::try_from(end_len(out.len() as u64)).unwrap();
    out.resize(out.len() + end, 0);
    out
}

#[test]
fn the_header_has_the_bytes_that_posix_asks_for() {
    let block = rendered(&entry(b"dir/file.txt"));
    assert_eq!(block.len(), BLOCK);
    assert_eq!(&block[..13], b"dir/file.txt\0");
    assert_eq!(&block[100..108], b"0000644\0");
    assert_eq!(&block[108..124], b"0000000\x000000000\0");
    assert_eq!(&block[124..136], b"00000000005\0");
    // 1,700,000,001 seconds.
    assert_eq!(&block[136..148], b"14524770401\0");
    assert_eq!(block[156], b'0');
    assert_eq!(&block[257..265], b"ustar\x0000");
    assert!(
        block[265..329].iter().all(|&byte| byte == 0),
        "no owner has a name"
    );
    assert!(block[345..].iter().all(|&byte| byte == 0));
    // POSIX: the sum of all bytes, with spaces in place of the checksum.
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    let own: u32 = block[148..156].iter().map(|&byte| u32::from(byte)).sum();
    let said = std::str::from_utf8(&block[148..154]).unwrap();
    assert_eq!(u32::from_str_radix(said, 8).unwrap(), sum - own + 8 * 32);
}

#[test]
fn values_that_do_not_fit_go_into_a_pax_header() {
    let long = [b"d/".repeat(60), b"n".repeat(150)].concat();
    let split = [b"d/".repeat(60), b"n".repeat(90)].concat();
    let plain = entry(b"a");
    let at = |mtime| Entry { mtime, ..plain };
    let of = |size| Entry { size, ..plain };
    for (entry, blocks) in [
        (plain, 1),
        (entry(&split), 1),
        (entry(&long), 3),
        (entry("caf\u{e9}".as_bytes()), 3),
        (at(-1), 3),
        (at(1 << 33), 3),
        (at((1 << 33) - 1), 1),
        (of(1 << 33), 3),
        (of((1 << 33) - 1), 1),
    ] {
        assert_eq!(rendered(&entry).len(), blocks * BLOCK, "{entry:?}");
    }
    // An independent reader takes the size from there. The content is left out.
    let huge = rendered(&of(20 << 30));
    let mut archive = ::tar::Archive::new(&huge[..]);
    let read = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(read.size(), 20 << 30);
}

/// pax says that texts are UTF-8 unless a record says otherwise, and bsdtar refuses other bytes then.
#[test]
fn a_long_name_that_is_not_utf8_is_marked_as_binary() {
    let long = [&b"caf\xe9-"[..], &[b'x'; 120]].concat();
    let records = |entry: &Entry<'_>| {
        let bytes = rendered(entry);
        let header: &[u8; BLOCK] = bytes[..BLOCK].try_into().unwrap();
        let size = usize::try_from(parse(header).unwrap().unwrap().size).unwrap();
        let body = bytes[BLOCK..BLOCK + size].to_vec();
        let owned = |(key, value): (&[u8], &[u8])| (key.to_vec(), value.to_vec());
        let records: Vec<_> = pax(&body).map(|record| owned(record.unwrap())).collect();
        records
    };
    let mark = (b"hdrcharset".to_vec(), b"BINARY".to_vec());
    let path = (b"path".to_vec(), long.clone());
    assert_eq!(records(&entry(&long)), [mark.clone(), path]);
    let link = Entry {
        kind: Kind::Symlink(&long),
        ..entry(b"a")
    };
    let target = (b"linkpath".to_vec(), long.clone());
    assert_eq!(records(&link), [mark, target]);
    // A short one stands in the header, and needs no mark.
    assert_eq!(rendered(&entry(b"caf\xe9")).len(), BLOCK);
}

#[test]
fn an_archive_ends_with_zeros_up_to_a_whole_record() {
    for position in [0, 512, 9216, 9728, 10_240, 1 << 40] {
        let end = end_len(position);
        assert!((1024..1024 + 10_240).contains(&end), "{position}");
        assert_eq!((position + end) % 10_240, 0, "{position}");
    }
    assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
}

fn kind() -> impl Strategy<Value = (bool, Vec<u8>)> {
    // The crate ends a record at any line feed.
    let target = prop::collection::vec(11..=255_u8, 1..300);
    (any::<bool>(), target)
}

proptest! {
    /// The `tar` crate is the reader of CodeDeploy's second agent.
    #[test]
    fn the_tar_crate_reads_what_was_written(
        name in "([a-z\u{e9}]{1,70}/){0,4}[a-z\u{1F4E6} ]{1,160}",
        (link, target) in kind(),
        mode in any::<u32>(),
        mtime in prop_oneof![any::<i32>().prop_map(i64::from), -(1_i64 << 36)..(1 << 36)],
        size in 0..1500_u64,
    ) {
        let kind = if link { Kind::Symlink(&target) } else { Kind::File };
        let size = if link { 0 } else { size };
        let entry = Entry { name: name.as_bytes(), kind, mode, mtime, size };
        let archive = archive(&entry);
        let mut reader = ::tar::Archive::new(&archive[..]);
        let mut entries = reader.entries().unwrap();
        let mut read = entries.next().unwrap().unwrap();
        prop_assert_eq!(read.path_bytes(), name.as_bytes());
        prop_assert_eq!(read.header().mode().unwrap(), mode & 0o777);
        prop_assert_eq!((read.header().uid().unwrap(), read.header().gid().unwrap()), (0, 0));
        if link {
            prop_assert_eq!(read.link_name_bytes().unwrap(), &target[..]);
        }
        let pax = read.pax_extensions().unwrap().and_then(|mut records| {
            let mtime = records.find_map(|record| {
                let record = record.unwrap();
                (record.key() == Ok("mtime")).then(|| record.value().unwrap().parse::<i64>())
            });
            mtime.transpose().unwrap()
        });
        let said = pax.unwrap_or_else(|| i64::try_from(read.header().mtime().unwrap()).unwrap());
        prop_assert_eq!(said, mtime);
        let mut content = Vec::new();
        read.read_to_end(&mut content).unwrap();
        prop_assert_eq!(content.len() as u64, size);
        drop(read);
        prop_assert!(entries.next().is_none());
    }

    #[test]
    fn our_reader_reads_what_was_written(
        name in "[a-z]{1,90}",
        mode in 0..0o1000_u32,
        mtime in 0..1_i64 << 33,
        size in 0..1_u64 << 33,
    ) {
        let block = rendered(&Entry { name: name.as_bytes(), kind: Kind::File, mode, mtime, size });
        let read = parse(block.first_chunk().unwrap()).unwrap().unwrap();
        let expected = Header {
            name: name.into_bytes(),
            link: Vec::new(),
            kind: b'0',
            mode: mode.into(),
            owner: (0, 0),
            size,
            mtime,
        };
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), BLOCK..2 * BLOCK)) {
        let _ = parse(bytes.first_chunk().unwrap());
        let _ = pax(&bytes).count();
    }

    #[test]
    fn a_changed_byte_is_refused_by_the_checksum(at in 0..BLOCK, by in 1..=255_u8) {
        let mut block = rendered(&entry(b"name"));
        block[at] = block[at].wrapping_add(by);
        let read = parse(block.first_chunk().unwrap());
        // The checksum field may end in a zero or a space.
        prop_assume!(!(154..156).contains(&at));
        prop_assert!(read.is_err(), "byte {}", at);
    }
}
