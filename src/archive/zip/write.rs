//! Renders the records. Nothing here fails: names and sizes were checked before.

use super::entry::{Entry, LIMIT_32, Sizes, saturated};
use super::names::MAX_PATH;

/// Unix (4.4.2.2), since readers take the mode only from this host; and version 6.3 of the specification,
/// which defines bit 11.
const MADE_BY: u16 = 3 << 8 | 63;
/// Version needed for zip64 records (4.4.3.2).
const ZIP64_VERSION: u16 = 45;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

const LOCAL_FIXED: u16 = 30;
const CENTRAL_FIXED: u16 = 46;

/// Extra field: sizes and offset in 64 bits (4.5.3).
const ZIP64_EXTRA: u16 = 0x0001;
/// Extra field: Info-ZIP's extended timestamp, "UT" (4.6.1, `extrafld.txt`).
const TIMESTAMP_EXTRA: u16 = 0x5455;
const EXTRA_FIXED: u16 = 4;
const TIMESTAMP_LEN: u16 = EXTRA_FIXED + 5;

/// The most bytes after the central headers: the zip64 record and its locator (4.3.14, 4.3.15), and the
/// end record (4.3.16).
pub const MAX_END: u64 = 56 + 20 + 22;

/// The most bytes of an entry besides its data: both headers, both copies of its name of `name_len` bytes,
/// and every extra field.
#[must_use]
pub const fn max_overhead(name_len: usize) -> u64 {
    const LOCAL: u16 = LOCAL_FIXED + EXTRA_FIXED + 16 + TIMESTAMP_LEN;
    const CENTRAL: u16 = CENTRAL_FIXED + EXTRA_FIXED + 24 + TIMESTAMP_LEN;
    (LOCAL + CENTRAL) as u64 + 2 * name_len as u64
}

/// Appends an entry's local header (4.3.7). Its data follows.
///
/// The CRC and the compressed size of a giant are not known yet. Its header is rendered with [`Sizes::open`]
/// first, and rendered again over the same bytes once the sizes are [closed](Sizes::close).
pub fn local_header(out: &mut Vec<u8>, entry: &Entry<'_>, sizes: &Sizes) {
    let header = Header::local(entry, sizes);
    out.reserve(local_header_len(entry, sizes));
    put32(out, LOCAL_HEADER);
    header.common(out);
    header.name_and_extra(out);
}

/// The number of bytes that [`local_header`] appends.
#[must_use]
pub fn local_header_len(entry: &Entry<'_>, sizes: &Sizes) -> usize {
    let header = Header::local(entry, sizes);
    usize::from(LOCAL_FIXED) + entry.name.len() + usize::from(header.extra_len())
}

/// Renders the central directory, one header at a time, and the end records.
///
/// It keeps only three numbers, so its bytes can be sent in pieces of any size.
#[derive(Debug)]
pub struct CentralDirectory {
    start: u64,
    len: u64,
    count: u64,
}

impl CentralDirectory {
    /// A directory that begins at offset `start`, where the last entry ends.
    #[must_use]
    pub fn new(start: u64) -> Self {
        CentralDirectory {
            start,
            len: 0,
            count: 0,
        }
    }

    /// Appends an entry's central header (4.3.12). `sizes` are closed;
    /// `header_offset` is where the local header starts.
    pub fn entry(
        &mut self,
        out: &mut Vec<u8>,
        entry: &Entry<'_>,
        sizes: &Sizes,
        header_offset: u64,
    ) {
        let before = out.len();
        let header = Header {
            entry,
            sizes,
            far: (header_offset >= LIMIT_32).then_some(header_offset),
        };
        put32(out, CENTRAL_HEADER);
        put16(out, MADE_BY);
        header.common(out);
        put16(out, 0); // comment length
        put16(out, 0); // disk
        put16(out, 0); // internal attributes
        put32(out, entry.external_attributes());
        put32(out, saturated(header_offset));
        header.name_and_extra(out);
        self.len += (out.len() - before) as u64;
        self.count += 1;
    }

    /// Appends the end record (4.3.16). If one of its fields is too small, the zip64 record and its locator
    /// (4.3.14, 4.3.15) come before it.
    pub fn finish(self, out: &mut Vec<u8>) {
        let CentralDirectory { start, len, count } = self;
        let count_16 = u16::try_from(count).unwrap_or(u16::MAX);
        let (len_32, start_32) = (saturated(len), saturated(start));

        if count_16 == u16::MAX || len_32 == u32::MAX || start_32 == u32::MAX {
            put32(out, ZIP64_END);
            put64(out, 44); // bytes that follow in this record
            put16(out, MADE_BY);
            put16(out, ZIP64_VERSION);
            put32(out, 0); // this disk
            put32(out, 0); // disk of the directory
            put64(out, count); // on this disk
            put64(out, count);
            put64(out, len);
            put64(out, start);

            put32(out, ZIP64_LOCATOR);
            put32(out, 0); // disk of the zip64 record
            put64(out, start + len);
            put32(out, 1); // disks
        }

        put32(out, END);
        put16(out, 0); // this disk
        put16(out, 0); // disk of the directory
        put16(out, count_16); // on this disk
        put16(out, count_16);
        put32(out, len_32);
        put32(out, start_32);
        put16(out, 0); // comment length
    }
}

/// What the local and the central header of an entry have in common.
struct Header<'a> {
    entry: &'a Entry<'a>,
    sizes: &'a Sizes,
    /// The local header's offset, if it needs 64 bits. Central headers only.
    far: Option<u64>,
}

impl<'a> Header<'a> {
    fn local(entry: &'a Entry<'a>, sizes: &'a Sizes) -> Self {
        Header {
            entry,
            sizes,
            far: None,
        }
    }

    /// The fields from version needed to extra length.
    fn common(&self, out: &mut Vec<u8>) {
        let Header { entry, sizes, far } = self;
        debug_assert!(entry.name.len() <= MAX_PATH, "unchecked name");
        put16(out, entry.version_needed(sizes.zip64() || far.is_some()));
        put16(out, entry.flags());
        put16(out, entry.method.id());
        put32(out, entry.dos_time());
        put32(out, sizes.crc32());
        put32(out, sizes.field(sizes.compressed()));
        put32(out, sizes.field(sizes.uncompressed()));
        put16(out, u16::try_from(entry.name.len()).unwrap_or(u16::MAX));
        put16(out, self.extra_len());
    }

    fn name_and_extra(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.entry.name);
        let values = self.zip64_len();
        if values > 0 {
            put16(out, ZIP64_EXTRA);
            put16(out, values);
            if self.sizes.zip64() {
                put64(out, self.sizes.uncompressed());
                put64(out, self.sizes.compressed());
            }
            if let Some(offset) = self.far {
                put64(out, offset);
            }
        }
        if let Some(mtime) = self.entry.timestamp() {
            put16(out, TIMESTAMP_EXTRA);
            put16(out, 5);
            out.push(1); // modification time only
            out.extend_from_slice(&mtime.to_le_bytes());
        }
    }

    fn extra_len(&self) -> u16 {
        let zip64 = match self.zip64_len() {
            0 => 0,
            values => EXTRA_FIXED + values,
        };
        let timestamp = match self.entry.timestamp() {
            None => 0,
            Some(_) => TIMESTAMP_LEN,
        };
        zip64 + timestamp
    }

    /// Bytes of the values in the zip64 extra. It has the values of exactly those fields that hold the
    /// sentinel, in the order of 4.5.3.
    fn zip64_len(&self) -> u16 {
        16 * u16::from(self.sizes.zip64()) + 8 * u16::from(self.far.is_some())
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Method;
    use super::super::strict::{Sparse, check, check_from, check_sparse};
    use super::super::testing::{self, File, archive};
    use super::*;

    /// Three entries, written out by hand from the APPNOTE.
    #[test]
    fn the_records_have_the_bytes_that_appnote_asks_for() {
        let directory = Entry {
            name: b"d/",
            mode: 0o041_777,
            mtime: 0,
            method: Method::Stored,
        };
        let stored = Entry {
            name: b"d/a",
            mode: 0o100_644,
            mtime: 1_704_164_645,
            method: Method::Stored,
        };
        let deflated = Entry {
            name: "\u{e9}".as_bytes(),
            mode: 0o100_755,
            mtime: 4_102_444_800,
            method: Method::Deflate,
        };
        let mut out = Vec::new();
        local_header(&mut out, &directory, &Sizes::known(0, 0, 0));
        local_header(&mut out, &stored, &Sizes::known(0xD893_2AAC, 2, 2));
        out.extend_from_slice(b"hi");
        local_header(&mut out, &deflated, &Sizes::known(0xCFD6_68D5, 4, 16));
        out.extend_from_slice(b"\x4B\x44\x03\x00"); // 16 times "a"
        let mut central = CentralDirectory::new(121);
        central.entry(&mut out, &directory, &Sizes::known(0, 0, 0), 0);
        central.entry(&mut out, &stored, &Sizes::known(0xD893_2AAC, 2, 2), 41);
        central.entry(&mut out, &deflated, &Sizes::known(0xCFD6_68D5, 4, 16), 85);
        central.finish(&mut out);

        #[rustfmt::skip]
        let expected: Vec<&[u8]> = vec![
            // 0: local header of "d/"
            b"PK\x03\x04", b"\x14\0",           // needs 2.0, for a directory
            b"\0\0", b"\0\0",                   // no flags, stored
            b"\0\0", b"\x21\0",                 // 00:00:00, 1980-01-01
            b"\0\0\0\0",                        // CRC-32
            b"\0\0\0\0", b"\0\0\0\0",           // sizes
            b"\x02\0", b"\x09\0",               // lengths of name and extra
            b"d/",
            b"UT\x05\0\x01", b"\0\0\0\0",       // 1970-01-01 00:00:00
            // 41: local header of "d/a"
            b"PK\x03\x04", b"\x0A\0",           // needs 1.0
            b"\0\0", b"\0\0",
            b"\x82\x18", b"\x22\x58",           // 03:04:04, 2024-01-02
            b"\xAC\x2A\x93\xD8",
            b"\x02\0\0\0", b"\x02\0\0\0",
            b"\x03\0", b"\x09\0",
            b"d/a",
            b"UT\x05\0\x01", b"\x25\x7D\x93\x65", // 2024-01-02 03:04:05
            b"hi",
            // 85: local header of "\u{e9}"
            b"PK\x03\x04", b"\x14\0",           // needs 2.0, for deflate
            b"\0\x08", b"\x08\0",               // bit 11, deflate
            b"\0\0", b"\x21\xF0",               // 2100-01-01
            b"\xD5\x68\xD6\xCF",
            b"\x04\0\0\0", b"\x10\0\0\0",
            b"\x02\0", b"\0\0",                 // no extra field
            b"\xC3\xA9",
            b"\x4B\x44\x03\x00",
            // 121: central headers
            b"PK\x01\x02", b"\x3F\x03",         // made by 6.3 on Unix
            b"\x14\0", b"\0\0", b"\0\0", b"\0\0", b"\x21\0",
            b"\0\0\0\0", b"\0\0\0\0", b"\0\0\0\0",
            b"\x02\0", b"\x09\0",
            b"\0\0", b"\0\0", b"\0\0",          // comment, disk, internal
            b"\x10\0\xFF\x41",                  // a directory, 040777
            b"\0\0\0\0",                        // offset
            b"d/", b"UT\x05\0\x01\0\0\0\0",
            b"PK\x01\x02", b"\x3F\x03",
            b"\x0A\0", b"\0\0", b"\0\0", b"\x82\x18", b"\x22\x58",
            b"\xAC\x2A\x93\xD8", b"\x02\0\0\0", b"\x02\0\0\0",
            b"\x03\0", b"\x09\0",
            b"\0\0", b"\0\0", b"\0\0",
            b"\0\0\xA4\x81",                    // 0100644
            b"\x29\0\0\0",
            b"d/a", b"UT\x05\0\x01\x25\x7D\x93\x65",
            b"PK\x01\x02", b"\x3F\x03",
            b"\x14\0", b"\0\x08", b"\x08\0", b"\0\0", b"\x21\xF0",
            b"\xD5\x68\xD6\xCF", b"\x04\0\0\0", b"\x10\0\0\0",
            b"\x02\0", b"\0\0",
            b"\0\0", b"\0\0", b"\0\0",
            b"\0\0\xED\x81",                    // 0100755
            b"\x55\0\0\0",
            b"\xC3\xA9",
            // 284: end record
            b"PK\x05\x06", b"\0\0", b"\0\0",
            b"\x03\0", b"\x03\0",
            b"\xA3\0\0\0", b"\x79\0\0\0",       // 163 bytes from 121
            b"\0\0",
        ];
        assert_eq!(out, expected.concat());
        assert_eq!(check(&out).map(|entries| entries.len()), Ok(3));
        assert_eq!(testing::read_with_zip(std::io::Cursor::new(&out)).len(), 3);
    }

    #[test]
    fn a_closed_header_of_a_giant_is_as_long_as_the_open_one() {
        for worst_case in [20, LIMIT_32 - 1, LIMIT_32, 1 << 40] {
            let sizes = Sizes::open(10, worst_case);
            for name in ["giant", "g\u{e9}ant"] {
                let giant = File::new(name, b"").deflated();
                let (mut open, mut closed) = (Vec::new(), Vec::new());
                local_header(&mut open, &giant.entry(), &sizes);
                local_header(&mut closed, &giant.entry(), &sizes.close(1, 12));
                assert_eq!(open.len(), closed.len());
                assert_eq!(open.len(), local_header_len(&giant.entry(), &sizes));
                assert_ne!(open, closed);
            }
            let giant = File {
                giant: Some(worst_case),
                ..File::new("giant", b"0123456789").deflated()
            };
            let out = archive(0, &[giant, File::new("small", b"")]);
            assert_eq!(check(&out).unwrap().len(), 2);
            assert_eq!(out[18..22] == [0xFF; 4], worst_case >= LIMIT_32);
        }
    }

    /// The large data of these archives reads as zeros.
    #[test]
    fn large_sizes_are_zip64_from_the_sentinel_on() {
        for size in [0xFFFF_FFFE, 0xFFFF_FFFF, 0x1_0000_0000, 1 << 40] {
            let zip64 = size >= 0xFFFF_FFFF;
            let (large, small) = (File::new("large", b""), File::new("small", b"hi"));
            let sizes = [
                Sizes::known(1, size, size),
                Sizes::known(crc32fast::hash(b"hi"), 2, 2),
            ];
            let mut head = Vec::new();
            local_header(&mut head, &large.entry(), &sizes[0]);
            assert_eq!(head.len(), 30 + 5 + 9 + if zip64 { 20 } else { 0 });
            let second = head.len() as u64 + size;
            let mut tail = Vec::new();
            local_header(&mut tail, &small.entry(), &sizes[1]);
            tail.extend_from_slice(b"hi");
            tail.extend_from_slice(&testing::directory(
                second + tail.len() as u64,
                &[
                    (large.entry(), sizes[0], 0),
                    (small.entry(), sizes[1], second),
                ],
            ));

            let pieces = [(0, head.as_slice()), (second, tail.as_slice())];
            let checked = check_sparse(&pieces).unwrap();
            assert_eq!((checked[0].uncompressed, checked[0].data), (size, None));
            assert_eq!(checked[1].header_offset, second);
            assert_eq!(checked[1].data, Some(&b"hi"[..]));
            let seen = testing::read_with_zip(Sparse::new(&pieces));
            assert_eq!((seen[0].compressed, seen[0].uncompressed), (size, size));
            assert_eq!(seen[1].header_offset, second);
            assert_eq!(seen[1].content.as_deref(), Some(&b"hi"[..]));
        }
    }

    #[test]
    fn far_offsets_are_zip64_from_the_sentinel_on() {
        for start in [0xFFFF_FFFE, 0xFFFF_FFFF, 0x1_0000_0000, 1 << 45] {
            let far = start >= 0xFFFF_FFFF;
            let file = File::new("f", b"hi");
            let out = archive(start, std::slice::from_ref(&file));
            // After the local header and the data come the central header's version needed, which a
            // zip64 offset raises, and its offset field.
            let central = &out[30 + 1 + 9 + 2..];
            assert_eq!(central[6], if far { 45 } else { 10 });
            assert_eq!(central[42..46] == [0xFF; 4], far);
            assert_eq!(central[30], if far { 12 + 9 } else { 9 });
            assert_eq!(out[4], 10);

            assert_eq!(check_from(&out, start).unwrap()[0].header_offset, start);
            let pieces = [(start, out.as_slice())];
            let seen = testing::read_with_zip(Sparse::new(&pieces));
            assert_eq!(seen[0].header_offset, start);
            assert_eq!(seen[0].content.as_deref(), Some(&b"hi"[..]));
        }
    }

    #[test]
    fn many_entries_are_zip64_from_65535_on() {
        let names: Vec<_> = (0..0xFFFF).map(|n| format!("{n:05}")).collect();
        for count in [0xFFFE, 0xFFFF] {
            let files: Vec<_> = names[..count].iter().map(|n| File::new(n, b"")).collect();
            let out = archive(0, &files);
            let has_locator = out[out.len() - 42..].starts_with(b"PK\x06\x07");
            assert_eq!(has_locator, count >= 0xFFFF);
            assert_eq!(check(&out).unwrap().len(), count);
            let cursor = std::io::Cursor::new(&out);
            assert_eq!(::zip::ZipArchive::new(cursor).unwrap().len(), count);
        }
    }

    #[test]
    fn the_end_record_has_the_values_that_fit() {
        let end = |start, len, count| {
            let mut out = Vec::new();
            CentralDirectory { start, len, count }.finish(&mut out);
            out
        };
        let plain = end(0xFFFF_FFFE, 0xFFFF_FFFE, 0xFFFE);
        assert_eq!(plain.len(), 22);
        assert_eq!(
            plain[8..20],
            *b"\xFE\xFF\xFE\xFF\xFE\xFF\xFF\xFF\xFE\xFF\xFF\xFF"
        );
        for (start, len, count, fields) in [
            (1, 2, 0xFFFF, b"\xFF\xFF\xFF\xFF\x02\0\0\0\x01\0\0\0"),
            (1, 0xFFFF_FFFF, 3, b"\x03\0\x03\0\xFF\xFF\xFF\xFF\x01\0\0\0"),
            (0xFFFF_FFFF, 2, 3, b"\x03\0\x03\0\x02\0\0\0\xFF\xFF\xFF\xFF"),
            (1 << 40, 2, 3, b"\x03\0\x03\0\x02\0\0\0\xFF\xFF\xFF\xFF"),
        ] {
            let zip64 = end(start, len, count);
            assert_eq!(zip64.len() as u64, MAX_END);
            assert_eq!(zip64[76 + 8..76 + 20], *fields);
            assert_eq!(zip64[24..32], count.to_le_bytes());
            assert_eq!(zip64[32..40], count.to_le_bytes());
            assert_eq!(zip64[40..48], len.to_le_bytes());
            assert_eq!(zip64[48..56], start.to_le_bytes());
            assert_eq!(zip64[56 + 8..56 + 16], (start + len).to_le_bytes());
        }
    }

    #[test]
    fn the_overhead_bound_is_reached_and_not_exceeded() {
        for (name, ascii) in [("name", true), ("n\u{e0}m\u{e9}", false)] {
            let file = File::new(name, b"");
            for (size, offset, all) in
                [(1 << 32, 1 << 32, true), (1, 1 << 32, false), (1, 1, false)]
            {
                let sizes = Sizes::known(0, size, size);
                let mut out = Vec::new();
                local_header(&mut out, &file.entry(), &sizes);
                CentralDirectory::new(0).entry(&mut out, &file.entry(), &sizes, offset);
                let bound = max_overhead(name.len());
                assert!(out.len() as u64 <= bound);
                assert_eq!(out.len() as u64 == bound, ascii && all);
            }
        }
    }

    /// Fixed part, name and extra of a central header have at most 65,535 bytes (4.4.10).
    #[test]
    fn the_longest_name_fits_a_central_header() {
        assert!(max_overhead(MAX_PATH) - MAX_PATH as u64 <= 0xFFFF);
    }
}
