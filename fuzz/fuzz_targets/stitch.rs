//! The deflate module. Any bytes: the scanner agrees with zlib-rs, and a stream that it accepts can be
//! continued. Any content, at any level, in chunks of any size: the parts are one stream of it, within
//! the bound, and equal to those of an engine that was used before.

#![no_main]

use arbitrary::Arbitrary;
use flate2::{Decompress, FlushDecompress, Status};
use hoist::archive::deflate::stitch::{Malformed, scan, unfinish};
use hoist::archive::deflate::{Engine, Level, max_deflated_len};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Stream(&'a [u8]),
    Content {
        pieces: Vec<Piece<'a>>,
        chunk: u32,
        level: u8,
    },
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Bytes(&'a [u8]),
    /// A repetition of earlier bytes.
    Again {
        back: u16,
        len: u16,
    },
    Fill {
        byte: u8,
        len: u16,
    },
    /// Bytes that do not compress.
    Noise {
        seed: u64,
        len: u16,
    },
}

/// Enough for sampling, and little enough for thousands of runs a minute.
const MOST_CONTENT: usize = 96 << 10;
/// For the highest levels, which are twenty times as slow.
const MOST_CONTENT_SLOW: usize = 8 << 10;
const SLOW_FROM: u8 = 10;
const MOST_CHUNKS: usize = 16;

fn content(pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut content = Vec::new();
    for piece in pieces {
        match *piece {
            Piece::Bytes(bytes) => content.extend_from_slice(bytes),
            Piece::Again { back, len } => {
                let from = content.len().saturating_sub(back.into());
                let to = content.len().min(from + usize::from(len));
                content.extend_from_within(from..to);
            }
            Piece::Fill { byte, len } => content.resize(content.len() + usize::from(len), byte),
            Piece::Noise { mut seed, len } => {
                content.extend(std::iter::repeat_with(|| noise(&mut seed)).take(len.into()));
            }
        }
        content.truncate(MOST_CONTENT);
    }
    content
}

/// The next byte of a linear congruential generator.
fn noise(state: &mut u64) -> u8 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 56) as u8
}

/// Puts a stored block, not final, of 32 KiB before the stream, so that every distance is valid. The
/// scanner does not check distances.
fn behind_a_window(stream: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = b"\x00\x00\x80\xff\x7f".to_vec();
    bytes.resize(bytes.len() + 0x8000, 0);
    let before = bytes.len();
    bytes.extend_from_slice(stream);
    (bytes, before)
}

/// What zlib-rs inflates from the start of `stream`, and how many bytes it reads for that.
fn zlib(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut inflate = Decompress::new(false);
    let mut content = Vec::with_capacity(64 << 10);
    loop {
        let done = (inflate.total_in(), inflate.total_out());
        let rest = &stream[done.0 as usize..];
        let status = inflate
            .decompress_vec(rest, &mut content, FlushDecompress::None)
            .ok()?;
        if status == Status::StreamEnd {
            return Some((content, inflate.total_in() as usize));
        }
        if content.len() == content.capacity() {
            content.reserve(content.len());
        } else if (inflate.total_in(), inflate.total_out()) == done {
            return None;
        }
    }
}

/// How many bytes miniz_oxide reads from the start of `stream`.
fn miniz(stream: &[u8]) -> Option<usize> {
    let mut state = Box::<DecompressorOxide>::default();
    let mut window = vec![0; 64 << 10];
    let (mut at, mut to) = (0, 0);
    loop {
        let (status, read, written) = decompress(&mut state, &stream[at..], &mut window, to, 0);
        at += read;
        to = (to + written) % window.len();
        match status {
            TINFLStatus::Done => return Some(at),
            TINFLStatus::HasMoreOutput => {}
            _ => return None,
        }
    }
}

fn any_stream(stream: &[u8]) {
    let found = scan(stream);
    let (windowed, before) = behind_a_window(stream);
    let inflated = zlib(&windowed).map(|(content, len)| (content, len - before));
    let len = found.ok().map(|ends| ends.len_bytes() as usize);
    assert_eq!(len, inflated.as_ref().map(|(_, len)| *len), "{found:?}");

    let mut out = [b"before", stream].concat();
    let unfinished = unfinish(&mut out, 6);
    assert_eq!(out[..6], *b"before");
    let (Ok(ends), Some(len), Some((content, _))) = (found, len, inflated) else {
        assert_eq!(unfinished.err(), found.err());
        assert_eq!(out[6..], *stream);
        return;
    };

    assert_eq!(miniz(&windowed), Some(before + len));
    assert!(ends.last_block < ends.end);
    assert_eq!(scan(&stream[..len]), found, "depends on what follows");
    assert!(scan(&stream[..len - 1]).is_err(), "does without its end");

    if len < stream.len() {
        assert_eq!(unfinished, Err(Malformed::Trailing));
        assert_eq!(out[6..], *stream);
        out.truncate(6 + len);
        unfinish(&mut out, 6).unwrap();
    } else {
        unfinished.unwrap();
    }
    assert!((6 + len..=6 + len + 5).contains(&out.len()));
    assert!(scan(&out[6..]).is_err(), "still has a final block");

    // Continues the stream with two bytes.
    let mut more = Engine::new(Level::FASTEST);
    more.deflate_chunk(b"!!", true, &mut out).unwrap();
    let (windowed, before) = behind_a_window(&out[6..]);
    let (more, len) = zlib(&windowed).unwrap();
    assert_eq!(len, before + out.len() - 6);
    assert_eq!(more.strip_suffix(b"!!"), Some(content.as_slice()));
}

fn chunked(engine: &mut Engine, content: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let count = content.len().div_ceil(chunk).max(1);
    for at in 0..count {
        let input = &content[at * chunk..content.len().min((at + 1) * chunk)];
        engine
            .deflate_chunk(input, at + 1 == count, &mut out)
            .unwrap();
    }
    out
}

fn assert_inflates(stream: &[u8], content: &[u8]) {
    let (inflated, len) = zlib(stream).unwrap();
    assert!(inflated == content && len == stream.len());
    assert_eq!(miniz(stream), Some(stream.len()));
    let mut inflated = vec![0; content.len() + 1];
    let mut libdeflate = libdeflater::Decompressor::new();
    let len = libdeflate
        .deflate_decompress(stream, &mut inflated)
        .unwrap();
    assert!(inflated[..len] == *content);
}

fn any_content(content: &[u8], chunk: usize, level: Level) {
    let mut engine = Engine::new(level);
    let parts = chunked(&mut engine, content, chunk);
    assert_inflates(&parts, content);
    let bound = max_deflated_len(content.len() as u64, chunk as u64);
    assert!(
        parts.len() as u64 <= bound,
        "{} is above {bound}",
        parts.len()
    );
    assert_eq!(
        scan(&parts).map(|ends| ends.len_bytes()),
        Ok(parts.len() as u64)
    );

    let mut whole = b"before".to_vec();
    if engine.deflate(content, &mut whole) {
        assert!(whole.len() - 6 < content.len());
        assert_inflates(&whole[6..], content);
    } else {
        assert_eq!(whole, b"before");
    }

    // The engine has compressed other data by now.
    assert!(parts == chunked(&mut engine, content, chunk));
    let mut fresh = b"before".to_vec();
    Engine::new(level).deflate(content, &mut fresh);
    assert!(whole == fresh);
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Stream(stream) => any_stream(stream),
        Input::Content {
            pieces,
            chunk,
            level,
        } => {
            let level = Level::new(level % 13).unwrap();
            let mut content = content(&pieces);
            if level.get() >= SLOW_FROM {
                content.truncate(MOST_CONTENT_SLOW);
            }
            let least = content.len().div_ceil(MOST_CHUNKS).max(1);
            let chunk = (chunk as usize % MOST_CONTENT).max(least);
            any_content(&content, chunk, level);
        }
    }
});
