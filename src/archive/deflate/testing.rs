//! For tests of this module: data, and two inflaters that share no code with it.

use flate2::{Decompress, FlushDecompress, Status};

/// Random bytes, from splitmix64.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ word >> 31).to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// Random words.
pub(super) fn text(seed: u64, len: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "revision",
        "bucket",
        "the",
        "of",
        "deploy",
        "agent",
        "a",
        "hook",
        "file",
        "(run as root)",
        "to",
        "version: 0.0\n",
        "/var/www",
        "after",
        "\n  - ",
        "is",
    ];
    let picks = noise(seed, len).into_iter();
    let mut text: Vec<u8> = picks
        .flat_map(|pick| WORDS[usize::from(pick % 16)].bytes().chain([b' ']))
        .take(len)
        .collect();
    text.truncate(len);
    text
}

/// Bytes of which each value is half as likely as the one before, so that the rare ones get the longest
/// codes.
pub(super) fn skewed(len: usize) -> Vec<u8> {
    let zeros = |word: &[u8]| word.iter().map(|byte| byte.count_zeros()).sum::<u32>();
    let byte = |word: &[u8]| {
        let low = u64::from_le_bytes(word.try_into().unwrap()).trailing_zeros();
        (low * 3 + zeros(word) % 3) as u8
    };
    noise(len as u64, len * 8).chunks(8).map(byte).collect()
}

/// The stream at the start of `stream`, inflated by zlib-rs, and its length.
pub(super) fn zlib(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut inflate = Decompress::new(false);
    let mut content = Vec::with_capacity(64 << 10);
    loop {
        let done = (inflate.total_in(), inflate.total_out());
        let rest = &stream[usize::try_from(done.0).unwrap()..];
        let status = inflate
            .decompress_vec(rest, &mut content, FlushDecompress::None)
            .ok()?;
        if status == Status::StreamEnd {
            return Some((content, usize::try_from(inflate.total_in()).unwrap()));
        }
        if content.len() == content.capacity() {
            content.reserve(content.len());
        } else if (inflate.total_in(), inflate.total_out()) == done {
            return None;
        }
    }
}

/// The length of the deflate stream at the start of `bytes`, if zlib-rs accepts it. Its distances may reach
/// back up to 32 KiB past the start.
pub(super) fn zlib_len(bytes: &[u8]) -> Option<u64> {
    let mut window = vec![0];
    window.extend_from_slice(&0x8000_u16.to_le_bytes());
    window.extend_from_slice(&0x7FFF_u16.to_le_bytes());
    window.resize(5 + 0x8000, 0);
    let before = window.len();
    window.extend_from_slice(bytes);
    zlib(&window).map(|(_, len)| (len - before) as u64)
}

/// Asserts that zlib-rs and libdeflate inflate the whole of `stream` to `content`.
#[track_caller]
pub(super) fn assert_inflates(stream: &[u8], content: &[u8]) {
    let (inflated, len) = zlib(stream).unwrap();
    assert!(inflated == content, "zlib-rs inflates to something else");
    assert_eq!(len, stream.len(), "the stream has a tail");

    let mut inflated = vec![0; content.len() + 1];
    let len = libdeflater::Decompressor::new()
        .deflate_decompress(stream, &mut inflated)
        .unwrap();
    assert!(
        inflated[..len] == *content,
        "libdeflate inflates to something else"
    );
}
