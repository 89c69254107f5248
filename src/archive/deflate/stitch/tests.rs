use proptest::prelude::*;

use super::super::Level;
use super::super::testing::{assert_inflates, noise, skewed, text, zlib_len};
use super::*;

const END: usize = 256;

/// Writes a deflate stream bit by bit.
#[derive(Clone, Default)]
struct Writer {
    bytes: Vec<u8>,
    len: u64,
}

impl Writer {
    /// The low `n` bits of `value`, the lowest first.
    fn bits(mut self, value: usize, n: u32) -> Self {
        for at in 0..n {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> at & 1) as u8) << (self.len % 8);
            self.len += 1;
        }
        self
    }

    /// The Huffman code of a symbol, high bit first. `lens` are the code lengths of all symbols.
    fn symbol(self, lens: &[u8], symbol: usize) -> Self {
        let len = lens[symbol];
        let before = |&(other, &l): &(usize, &u8)| l > 0 && (l, other) < (len, symbol);
        let code: usize = lens
            .iter()
            .enumerate()
            .filter(before)
            .map(|(_, l)| 1 << (len - l))
            .sum();
        self.bits(
            code.reverse_bits() >> (usize::BITS - u32::from(len)),
            len.into(),
        )
    }

    fn symbols(self, lens: &[u8], symbols: impl IntoIterator<Item = usize>) -> Self {
        symbols
            .into_iter()
            .fold(self, |writer, symbol| writer.symbol(lens, symbol))
    }

    fn block(self, last: bool, kind: usize) -> Self {
        self.bits(last.into(), 1).bits(kind, 2)
    }

    /// The header of a dynamic block. Each of the 16 code lengths is written with a code of four bits, its
    /// own value.
    fn dynamic(self, last: bool, litlen: &[u8], distance: &[u8]) -> Self {
        let (litlen_count, distance_count) = (litlen.len() - 257, distance.len() - 1);
        let mut writer = self
            .block(last, 2)
            .bits(litlen_count, 5)
            .bits(distance_count, 5);
        writer = writer.bits(19 - 4, 4);
        // The codes of repetitions come first.
        for len in [0; 3].into_iter().chain([4; 16]) {
            writer = writer.bits(len, 3);
        }
        let each = [4; 16];
        writer.symbols(&each, litlen.iter().chain(distance).map(|&len| len.into()))
    }
}

/// The code lengths of blocks of type 1.
fn fixed() -> Vec<u8> {
    [[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat()
}

/// One literal, the end and two lengths, each of two bits.
fn few(literal: usize) -> Vec<u8> {
    let mut lens = vec![0; 259];
    lens[END..].fill(2);
    lens[literal] = 2;
    lens
}

fn ends(last_block: u64, end: u64) -> Result<Ends, Malformed> {
    Ok(Ends { last_block, end })
}

#[track_caller]
fn assert_refused(stream: &[u8], why: Malformed) {
    assert_eq!(scan(stream), Err(why));
    assert_eq!(zlib_len(stream), None, "zlib-rs takes it");
    assert_not_unfinished(stream, why);
}

/// Asserts that `unfinish` leaves `stream`, and what comes before it, as it was.
#[track_caller]
fn assert_not_unfinished(stream: &[u8], why: Malformed) {
    let mut out = [b"before", stream].concat();
    assert_eq!(unfinish(&mut out, 6), Err(why));
    assert_eq!(out, [b"before", stream].concat());
}

/// Asserts that `stream` inflates to `content`, and can be continued once it is unfinished.
#[track_caller]
fn assert_joins(stream: &[u8], content: &[u8]) {
    assert_inflates(stream, content);
    assert_eq!(scan(stream).unwrap().len_bytes(), stream.len() as u64);

    let mut out = [b"before", stream].concat();
    unfinish(&mut out, 6).unwrap();
    let len = out.len() - 6;
    assert!(
        (stream.len()..=stream.len() + 5).contains(&len),
        "{} became {len}",
        stream.len()
    );
    // The stream once more, as the last one.
    out.extend_from_slice(stream);
    assert_inflates(&out[6..], &content.repeat(2));
    assert_eq!(out[..6], *b"before");
}

fn libdeflate(level: u8, content: &[u8]) -> Vec<u8> {
    let mut compressor = Level::new(level).unwrap().compressor().unwrap();
    let mut stream = vec![0; compressor.deflate_compress_bound(content.len())];
    let len = compressor.deflate_compress(content, &mut stream).unwrap();
    stream.truncate(len);
    stream
}

/// Written by zlib-rs, with a flush after each piece but the last.
fn zlib(level: u32, pieces: &[&[u8]]) -> Vec<u8> {
    use std::io::Write;

    let level = flate2::Compression::new(level);
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            encoder.flush().unwrap();
        }
        encoder.write_all(piece).unwrap();
    }
    encoder.finish().unwrap()
}

fn contents() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"a".to_vec(),
        b"abcabcabcabcabcab".to_vec(),
        text(1, 150_000),
        noise(2, 70_000),
        skewed(100_000),
        vec![0; 300_000],
        [
            text(3, 50_000),
            noise(4, 140_000),
            skewed(20_000),
            vec![7; 5000],
        ]
        .concat(),
    ]
}

#[test]
fn streams_of_libdeflate_join_at_every_level() {
    for content in contents() {
        for level in 1..=12 {
            assert_joins(&libdeflate(level, &content), &content);
        }
    }
}

#[test]
fn streams_of_zlib_join_at_every_level() {
    for content in contents() {
        for level in 0..=9 {
            assert_joins(&zlib(level, &[&content]), &content);
            let (one, other) = content.split_at(content.len() / 3);
            assert_joins(&zlib(level, &[one, other]), &content);
        }
    }
}

#[test]
fn many_streams_join_one_after_the_other() {
    let mut out = Vec::new();
    let mut content = Vec::new();
    for (piece, level) in contents().iter().zip([1, 12, 6, 9, 2, 11, 4, 8]) {
        let start = out.len();
        out.extend_from_slice(&libdeflate(level, piece));
        unfinish(&mut out, start).unwrap();
        assert_eq!(scan(&out), Err(Malformed::Truncated), "no block is final");
        content.extend_from_slice(piece);
    }
    out.extend_from_slice(&[0x03, 0x00]);
    assert_inflates(&out, &content);
}

#[test]
fn the_ends_of_stored_blocks_are_found() {
    assert_eq!(scan(b"\x01\0\0\xff\xff"), ends(0, 40));
    assert_joins(b"\x01\x02\0\xfd\xffhi", b"hi");
    // The second header follows the first one's data. The padding bits may have any value.
    let two = b"\0\x02\0\xfd\xffhi\xf9\x01\0\xfe\xff!";
    assert_eq!(scan(two), ends(56, 104));
    assert_joins(two, b"hi!");
    // Data that is longer than the buffer.
    let large = [b"\x01\xff\xff\0\0".as_slice(), &noise(5, 65_535)].concat();
    assert_eq!(scan(&large), ends(0, 8 * 65_540));
    // After compressed data, whose last bits share a byte with the header.
    let mixed = Writer::default()
        .block(false, 1)
        .symbols(&fixed(), [b'a'.into(), END]);
    assert_eq!(mixed.len, 18);
    let mixed = [mixed.block(true, 0).bytes, b"\x01\0\xfe\xffb".to_vec()].concat();
    assert_eq!(scan(&mixed), ends(18, 64));
    assert_joins(&mixed, b"ab");
}

#[test]
fn the_ends_of_fixed_blocks_are_found_at_every_bit() {
    let lens = fixed();
    let mut used = [false; 8];
    for long in 0..8 {
        // A literal above 143 has nine bits.
        let content = [vec![b'x'; 3], vec![0xEE; long]].concat();
        let literals = content.iter().map(|&byte| byte.into());
        let block = Writer::default()
            .block(true, 1)
            .symbols(&lens, literals)
            .symbol(&lens, END);
        assert_eq!(scan(&block.bytes), ends(0, block.len));
        assert_joins(&block.bytes, &content);
        used[(block.len % 8) as usize] = true;

        // Bits after the end are ignored, and cleared.
        let spare = (8 - block.len % 8) as u32 % 8;
        let padded = block.clone().bits(0xFF, spare);
        assert_eq!(padded.bytes.len(), block.bytes.len());
        assert_eq!(scan(&padded.bytes), ends(0, block.len));
        let (mut clean, mut cleaned) = (block.bytes, padded.bytes);
        unfinish(&mut clean, 0).unwrap();
        unfinish(&mut cleaned, 0).unwrap();
        assert_eq!(clean, cleaned);
    }
    assert_eq!(used, [true; 8]);
}

#[test]
fn extra_bits_of_matches_are_skipped() {
    let lens = fixed();
    // Length 258 at distance 1, then length 115 (symbol 281) at distance 193 (symbol 15).
    let block = Writer::default().block(true, 1).symbol(&lens, b'x'.into());
    let block = block.symbol(&lens, 285).symbol(&[5; 32], 0);
    let block = block
        .symbol(&lens, 281)
        .bits(131 - 131, 5)
        .symbol(&[5; 32], 15)
        .bits(0x3F, 6);
    let block = block.symbol(&lens, END);
    assert_eq!(
        scan(&block.bytes),
        ends(0, 3 + 8 + 8 + 5 + 8 + 5 + 5 + 6 + 7)
    );
    assert_joins(&block.bytes, &[b'x'; 1 + 258 + 131]);
}

/// Codes of 1 to 15 bits in both alphabets, most of them longer than the table's index.
#[test]
fn the_ends_of_dynamic_blocks_with_the_longest_codes_are_found() {
    let rising: Vec<u8> = (1..=15).chain([15]).collect();
    let mut litlen = vec![0; 286];
    // Literals 0 to 12, the end, and the length 258, which takes one of the longest.
    litlen[..13].copy_from_slice(&rising[..13]);
    litlen[END] = 14;
    litlen[284] = 15;
    litlen[285] = 15;
    let mut distance = vec![0; 30];
    distance[14..].copy_from_slice(&rising);

    let mut block = Writer::default().dynamic(true, &litlen, &distance);
    let mut content: Vec<u8> = Vec::new();
    let put = |content: &mut Vec<u8>, writer: Writer, literal: usize| {
        content.push(literal as u8);
        writer.symbol(&litlen, literal)
    };
    for pass in 0..3000 {
        for literal in [12, pass % 13, 0] {
            block = put(&mut content, block, literal);
        }
        // A length of 258, and each distance that reaches no further than the data.
        let symbol = 14 + pass % 16;
        let extra = symbol as u32 / 2 - 1;
        let back = (2 + symbol % 2) << extra | 5;
        if back < content.len() {
            block = block
                .symbol(&litlen, 285)
                .symbol(&distance, symbol)
                .bits(5, extra);
            let from = content.len() - back - 1;
            for at in from..from + 258 {
                content.push(content[at]);
            }
        }
    }
    block = block.symbol(&litlen, END);
    assert!(content.len() > 600_000, "few matches");
    assert_eq!(scan(&block.bytes), ends(0, block.len));
    assert_joins(&block.bytes, &content);
}

#[test]
fn a_code_of_one_symbol_is_allowed_if_it_has_one_bit() {
    // No distance; one distance of a single bit, which zlib allows; only the end of the block.
    let block = |distance: &[u8]| Writer::default().dynamic(true, &few(b'z'.into()), distance);
    let none = block(&[0]).symbols(&few(b'z'.into()), [b'z'.into(), END]);
    assert_eq!(scan(&none.bytes), ends(0, none.len));
    assert_joins(&none.bytes, b"z");
    let one = block(&[1]).symbols(&few(b'z'.into()), [b'z'.into(), 257]);
    let one = one.symbol(&[1], 0).symbol(&few(b'z'.into()), END);
    assert_eq!(scan(&one.bytes), ends(0, one.len));
    assert_joins(&one.bytes, b"zzzz");
    let mut end = vec![0; 257];
    end[END] = 1;
    let end = Writer::default()
        .dynamic(true, &end, &[0])
        .symbol(&end, END);
    assert_eq!(scan(&end.bytes), ends(0, end.len));
    assert_joins(&end.bytes, b"");

    // A code of no symbol.
    let unused = block(&[0])
        .symbols(&few(b'z'.into()), [b'z'.into(), 257])
        .bits(0, 16);
    assert_refused(&unused.bytes, Malformed::Code);
    let other = block(&[1])
        .symbols(&few(b'z'.into()), [b'z'.into(), 257])
        .bits(1, 16);
    assert_refused(&other.bytes, Malformed::Code);
}

#[test]
fn codes_without_a_meaning_are_refused() {
    let block = || {
        Writer::default()
            .block(true, 1)
            .symbol(&fixed(), b'x'.into())
    };
    for length in [286, 287] {
        assert_refused(
            &block().symbol(&fixed(), length).bits(0, 60).bytes,
            Malformed::Code,
        );
    }
    for distance in [30, 31] {
        let block = block().symbol(&fixed(), 257).symbol(&[5; 32], distance);
        assert_refused(&block.bits(0, 60).bytes, Malformed::Code);
    }
}

#[test]
fn unusable_blocks_are_refused() {
    let refused = |writer: Writer, why| assert_refused(&writer.bits(0, 64).bytes, why);
    let writer = Writer::default;
    refused(writer().block(true, 3), Malformed::BlockType);
    refused(writer().block(false, 3), Malformed::BlockType);
    refused(
        writer().block(true, 0).bits(0, 5).bits(1, 16).bits(1, 16),
        Malformed::StoredLength,
    );

    let lens = Malformed::CodeLengths;
    let good = few(0);
    let of = |litlen: &[u8], distance: &[u8]| writer().dynamic(true, litlen, distance);
    let with = |at: usize, len| {
        let mut lens = good.clone();
        lens[at] = len;
        lens
    };
    // More symbols than have a meaning, though the others have no code.
    refused(of(&[good.as_slice(), &[0; 28]].concat(), &[1]), lens);
    refused(of(&good, &[[1].as_slice(), &[0; 30]].concat()), lens);
    let mut endless = with(1, 2);
    endless[END] = 0;
    refused(of(&endless, &[1]), lens);
    refused(of(&with(1, 2), &[1]), lens); // too many codes
    refused(of(&with(0, 3), &[1]), lens); // too few
    refused(of(&good, &[1, 1, 1]), lens);
    refused(of(&good, &[2, 2]), lens);
    refused(of(&good, &[2]), lens); // alone, but not of one bit

    // Code lengths whose own code is unusable: none, too few, too many.
    for own in [[0; 4], [3, 0, 0, 0], [1, 1, 1, 0]] {
        let header = writer().block(true, 2).bits(0, 14);
        refused(
            own.into_iter()
                .fold(header, |writer, len| writer.bits(len, 3)),
            lens,
        );
    }
    // Symbols 16 (of one bit, 0) and 18 (1): a repetition of nothing; more zeros than symbols.
    let header = writer()
        .block(true, 2)
        .bits(0, 14)
        .bits(1, 3)
        .bits(0, 3)
        .bits(1, 3)
        .bits(0, 3);
    refused(header.clone().bits(0, 1), lens);
    refused(header.bits(1, 1).bits(127, 7).bits(1, 1).bits(127, 7), lens);
}

/// Short streams of every kind of block.
fn samples() -> Vec<Vec<u8>> {
    let content = [text(6, 400), skewed(300)].concat();
    vec![
        zlib(0, &[&content[..20], &content[20..40]]),
        zlib(9, &[&content[..50], &content[50..80], &content[80..300]]),
        libdeflate(1, b"abcabcabcabcabc, and so on"),
        libdeflate(12, &content),
    ]
}

#[test]
fn streams_cut_short_are_refused() {
    for stream in samples() {
        for len in 0..stream.len() {
            let why = scan(&stream[..len]).unwrap_err();
            assert_not_unfinished(&stream[..len], why);
        }
        // `scan` ignores bytes after the stream, `unfinish` refuses them.
        let longer = [stream.as_slice(), b"\0"].concat();
        assert_eq!(scan(&longer), scan(&stream));
        assert_not_unfinished(&longer, Malformed::Trailing);
    }
    assert_not_unfinished(b"", Malformed::Truncated);
    let mut out = b"all".to_vec();
    assert_eq!(unfinish(&mut out, 4), Err(Malformed::Truncated));
    assert_eq!(out, b"all");
}

#[test]
fn scan_accepts_the_damaged_streams_that_zlib_accepts() {
    for mut stream in samples() {
        let mut refused = 0;
        for bit in 0..stream.len() * 8 {
            stream[bit / 8] ^= 1 << (bit % 8);
            let found = scan(&stream);
            assert_eq!(
                found.ok().map(Ends::len_bytes),
                zlib_len(&stream),
                "bit {bit}"
            );
            if let Err(why) = found {
                assert_not_unfinished(&stream, why);
                refused += 1;
            }
            stream[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(refused > 0, "no bit mattered");
    }
}

proptest! {
    #[test]
    fn scan_accepts_the_bytes_that_zlib_accepts(
        kind in 0..8_u8,
        mut bytes in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        bytes[0] = bytes[0] & !7 | kind;
        let found = scan(&bytes);
        prop_assert_eq!(found.ok().map(Ends::len_bytes), zlib_len(&bytes));
        if let Err(why) = found {
            assert_not_unfinished(&bytes, why);
        }
    }

    /// Most codes of random lengths are refused.
    #[test]
    fn scan_accepts_the_codes_that_zlib_accepts(
        few in prop::collection::vec((0..286_usize, 1..6_u8), 0..7),
        distance in prop::collection::vec(0..4_u8, 1..8),
        data in prop::collection::vec(any::<u16>(), 0..40),
    ) {
        let mut litlen = vec![0; 286];
        litlen[END] = 2;
        for (symbol, len) in few {
            litlen[symbol] = len;
        }
        let block = Writer::default().dynamic(true, &litlen, &distance);
        let block = data.into_iter().fold(block, |block, bits| block.bits(bits.into(), 16));
        let found = scan(&block.bytes).ok().map(Ends::len_bytes);
        prop_assert_eq!(found, zlib_len(&block.bytes));
    }
}
