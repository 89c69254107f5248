use proptest::prelude::*;

use super::super::max_deflated_len;
use super::super::testing::{assert_inflates, noise, skewed, text};
use super::*;

fn engine(level: u8) -> Engine {
    Engine::new(Level::new(level).unwrap())
}

/// The parts of all chunks, one after the other.
fn chunked(engine: &mut Engine, content: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let count = content.len().div_ceil(chunk).max(1);
    for at in 0..count {
        let end = content.len().min((at + 1) * chunk);
        engine
            .deflate_chunk(&content[at * chunk..end], at + 1 == count, &mut out)
            .unwrap();
    }
    assert_eq!(out[..6], *b"before");
    out.split_off(6)
}

fn whole(engine: &mut Engine, content: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let deflated = engine.deflate(content, &mut out);
    assert_eq!(out[..6], *b"before");
    assert!(deflated || out.len() == 6);
    deflated.then(|| out.split_off(6))
}

#[test]
fn whole_files_inflate_to_themselves() {
    for level in 1..=12 {
        let mut engine = engine(level);
        for content in [
            text(1, 100_000),
            skewed(20_000),
            vec![0; 100_000],
            b"na ".repeat(40),
        ] {
            let stream = whole(&mut engine, &content).unwrap();
            assert!(stream.len() < content.len());
            assert_inflates(&stream, &content);
        }
    }
}

#[test]
fn files_that_do_not_get_smaller_are_not_deflated() {
    for level in 0..=12 {
        let mut engine = engine(level);
        for content in [
            &b""[..],
            b"a",
            b"ab",
            b"abc",
            &noise(1, 1000),
            &noise(2, 200_000),
        ] {
            assert_eq!(whole(&mut engine, content), None, "level {level}");
        }
    }
    assert_eq!(whole(&mut engine(0), &text(3, 1000)), None);
    assert_eq!(whole(&mut engine(0), &text(3, 100_000)), None);
}

/// A stream that is as long as its file is not used; one that is a byte shorter is.
#[test]
fn only_a_stream_that_is_shorter_than_its_file_is_used() {
    for level in [1, 6, 9, 12] {
        let mut engine = engine(level);
        let mut compressor = Level::new(level).unwrap().compressor().unwrap();
        let mut gains = [0; 3];
        for len in 0..120 {
            let content = [noise(len, 60), noise(len, len as usize / 10), text(1, 20)].concat();
            let mut out = vec![0; 2 * content.len() + 100];
            let stream = compressor.deflate_compress(&content, &mut out).unwrap();
            out.truncate(stream);
            let shorter = out.len() < content.len();
            assert_eq!(whole(&mut engine, &content), shorter.then_some(out.clone()));
            if let Some(gain @ 0..=2) = (content.len() + 1).checked_sub(out.len()) {
                gains[gain] += 1;
            }
        }
        assert!(gains.iter().all(|&count| count > 0), "{gains:?}");
    }
}

/// Large data whose sample does not compress is stored, even if all of it would compress.
#[test]
fn large_files_are_stored_if_a_sample_does_not_compress() {
    let content = noise(1, 24_000).repeat(4);
    let mut out = vec![0; content.len()];
    let mut compressor = Level::default().compressor().unwrap();
    assert!(compressor.deflate_compress(&content, &mut out).unwrap() < content.len() / 3);

    let mut engine = Engine::new(Level::default());
    assert_eq!(whole(&mut engine, &content), None);
    let stored = stored::len(content.len());
    assert_eq!(chunked(&mut engine, &content, content.len()).len(), stored);
    // Too small for sampling.
    assert!(whole(&mut engine, &content[..60_000]).is_some());
}

#[test]
fn chunks_join_at_every_level() {
    // The second chunk of 100 KB is noise.
    let content = [
        text(1, 100_000),
        noise(2, 100_000),
        skewed(60_000),
        vec![0; 80_001],
    ]
    .concat();
    for level in 0..=12 {
        let mut engine = engine(level);
        for chunk in [100_000, 400_000] {
            let out = chunked(&mut engine, &content, chunk);
            assert_inflates(&out, &content);
            assert!(out.len() as u64 <= max_deflated_len(content.len() as u64, chunk as u64));
            assert_eq!(
                out.len() < 200_000,
                level > 0,
                "level {level} gave {}",
                out.len()
            );
        }
    }
}

#[test]
fn parts_but_the_last_end_on_a_byte_without_a_final_block() {
    for level in [0, 1, 6, 12] {
        let mut engine = engine(level);
        for content in [&b"a"[..], &text(1, 5000), &noise(2, 5000), &skewed(70_000)] {
            let mut out = Vec::new();
            engine.deflate_chunk(content, false, &mut out).unwrap();
            assert_eq!(stitch::scan(&out), Err(Malformed::Truncated));
            out.extend_from_slice(&stored::EMPTY_STREAM);
            assert_inflates(&out, content);
        }
    }
}

#[test]
fn an_empty_chunk_is_nothing_or_if_it_is_the_last_an_empty_stream() {
    for level in [0, 1, 12] {
        let mut out = b"before".to_vec();
        engine(level).deflate_chunk(b"", false, &mut out).unwrap();
        assert_eq!(out, b"before");
        assert_eq!(
            chunked(&mut engine(level), b"", 10).len() as u64,
            max_deflated_len(0, 10)
        );
        assert_inflates(&chunked(&mut engine(level), b"", 10), b"");
    }
}

#[test]
fn noise_reaches_the_bound_and_does_not_exceed_it() {
    for level in [0, 1, 2, 5, 6, 9, 10, 12] {
        let mut engine = engine(level);
        for (len, chunk) in [
            (1000, 1000),
            (3001, 1000),
            (65_535, 65_535),
            (65_536, 65_536),
            (131_071, 131_071),
            (200_000, 65_536),
            (300_000, 1 << 20),
        ] {
            let content = noise(len as u64, len);
            let out = chunked(&mut engine, &content, chunk);
            let bound = max_deflated_len(len as u64, chunk as u64);
            assert_eq!(
                out.len() as u64,
                bound,
                "level {level}, {len} bytes by {chunk}"
            );
            assert_inflates(&out, &content);
        }
    }
}

#[test]
fn level_0_always_reaches_the_bound() {
    for len in [0, 1, 2, 100, 65_535, 65_536, 100_000] {
        for chunk in [1000, 65_535, 1 << 20] {
            let out = chunked(&mut engine(0), &text(1, len), chunk);
            assert_eq!(out.len() as u64, max_deflated_len(len as u64, chunk as u64));
            assert_inflates(&out, &text(1, len));
        }
    }
}

#[test]
fn a_used_engine_writes_what_a_fresh_one_does() {
    let inputs = [
        text(1, 30_000),
        noise(2, 70_000),
        b"a".to_vec(),
        skewed(15_000),
        Vec::new(),
        vec![0; 70_000],
        noise(3, 300),
        // The start of the first input again: a kept dictionary would show here.
        text(1, 12_000),
    ];
    let all = |engine: &mut Engine, input: &[u8]| {
        let mut parts = [Vec::new(), Vec::new()];
        for (part, last) in parts.iter_mut().zip([false, true]) {
            engine.deflate_chunk(input, last, part).unwrap();
        }
        (whole(engine, input), parts)
    };
    for level in 0..=12 {
        let fresh: Vec<_> = inputs
            .iter()
            .map(|input| all(&mut engine(level), input))
            .collect();
        let mut used = engine(level);
        for (input, fresh) in inputs
            .iter()
            .zip(&fresh)
            .chain(inputs.iter().zip(&fresh).rev())
        {
            assert!(
                all(&mut used, input) == *fresh,
                "level {level}, {} bytes",
                input.len()
            );
        }
    }
}

/// The same tree gives the same bytes on every machine. If an update of libdeflate changes them, the
/// changelog must say so: archives will differ from those of earlier versions.
#[test]
fn the_compressed_bytes_do_not_change_between_versions() {
    let content = [text(1, 60_000), skewed(10_000), noise(2, 5000)].concat();
    let crcs = [1, 6, 9, 12].map(|level| {
        let mut engine = engine(level);
        let whole = whole(&mut engine, &content).unwrap();
        [
            crc32fast::hash(&whole),
            crc32fast::hash(&chunked(&mut engine, &content, 16 << 10)),
        ]
    });
    let golden = [
        [0x6efd_24f7, 0x552e_44a2],
        [0xd8da_2d92, 0x341f_6c93],
        [0x873a_2b98, 0xa8fa_948e],
        [0xced0_aedd, 0x43ad_6ae2],
    ];
    assert_eq!(crcs, golden, "{crcs:#010x?}");
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = (0..4_u8, any::<u64>(), 0..20_000_usize).prop_map(|(kind, seed, len)| match kind {
        0 => text(seed, len),
        1 => noise(seed, len),
        2 => skewed(len / 4),
        _ => vec![seed as u8; len],
    });
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunks_join(
        content in content(),
        chunk in prop_oneof![1..60_usize, 1..100_000_usize],
        level in 0..=12_u8,
    ) {
        // Not thousands of chunks.
        let chunk = chunk.max(content.len() / 40).max(1);
        let mut engine = engine(level);
        let out = chunked(&mut engine, &content, chunk);
        assert_inflates(&out, &content);
        prop_assert!(out.len() as u64 <= max_deflated_len(content.len() as u64, chunk as u64));
        prop_assert_eq!(stitch::scan(&out).map(stitch::Ends::len_bytes), Ok(out.len() as u64));
        prop_assert!(out == chunked(&mut engine, &content, chunk));

        if let Some(stream) = whole(&mut engine, &content) {
            prop_assert!(stream.len() < content.len());
            assert_inflates(&stream, &content);
        }
    }
}

/// [`Level::FAST`] may be another codec.
#[test]
fn streams_of_the_fast_level_join_and_are_equal_each_time() {
    let contents = [
        text(1, 300_000),
        skewed(60_000),
        vec![0; 80_001],
        b"abc".repeat(900),
    ];
    let mut used = Engine::new(Level::FAST);
    // Once forwards and once backwards, so that each follows a shorter and a longer one.
    for content in contents.iter().chain(contents.iter().rev()) {
        let stream = whole(&mut used, content).unwrap();
        assert_inflates(&stream, content);
        assert_eq!(whole(&mut Engine::new(Level::FAST), content), Some(stream));
        for chunk in [1000, 65_536, 100_000] {
            let parts = chunked(&mut used, content, chunk);
            assert_inflates(&parts, content);
            let bound = max_deflated_len(content.len() as u64, chunk as u64);
            assert!(parts.len() as u64 <= bound);
            assert_eq!(
                chunked(&mut Engine::new(Level::FAST), content, chunk),
                parts
            );
        }
    }
    for content in [&b""[..], b"a", &noise(1, 1000), &noise(2, 200_000)] {
        assert_eq!(whole(&mut used, content), None);
        for chunk in [999, 65_536] {
            assert_inflates(&chunked(&mut used, content, chunk), content);
        }
    }
}

/// Each engine has other memory. ISA-L's levels 1 and 2 let that show in one run of five.
#[test]
fn the_fast_level_does_not_depend_on_where_memory_is() {
    let content = text(1, 1_000_000);
    let engines = || (0..4).map(|_| Engine::new(Level::FAST)).collect::<Vec<_>>();
    let mut engines = engines();
    for size in [300, 1000, 5000, 20_000] {
        for at in (0..content.len() - size).step_by(size.max(10_000)) {
            let piece = &content[at..at + size];
            let streams = engines
                .iter_mut()
                .map(|engine| chunked(engine, piece, size));
            let streams: Vec<_> = streams.collect();
            assert!(
                streams.iter().all(|stream| *stream == streams[0]),
                "{size} at {at}"
            );
        }
    }
}
