//! Stored blocks, for data that deflate would make larger. They bound the length of every stream.

/// The most data of one stored block, whose length has 16 bits (RFC 1951 section 3.2.4).
const MAX_BLOCK: u16 = u16::MAX;
/// Block type, length and the length's complement, when the block begins on a byte boundary.
const HEADER: u8 = 5;

/// An empty final block of fixed codes: the shortest stream there is.
pub(super) const EMPTY_STREAM: [u8; 2] = [0x03, 0x00];

/// The most bytes of the stream that [`Engine::deflate_chunk`](super::Engine::deflate_chunk) makes of a file
/// of `size` bytes, in chunks of `chunk` bytes. The last chunk may be shorter, but is empty only if the file
/// is.
///
/// It holds for every content and level, because no chunk becomes longer than stored blocks of it. Level 0
/// reaches it always, and so does content that does not compress, unless a chunk is so small that fixed
/// codes take less than the five bytes of a header. A `chunk` of 0 counts as 1; a bound that does not fit a
/// `u64` becomes [`u64::MAX`].
pub fn max_deflated_len(size: u64, chunk: u64) -> u64 {
    if size == 0 {
        return EMPTY_STREAM.len() as u64;
    }
    let chunk = chunk.max(1);
    let headers = (size / chunk)
        .saturating_mul(headers_len(chunk))
        .saturating_add(headers_len(size % chunk));
    size.saturating_add(headers)
}

/// The number of bytes that [`write`] appends for `len` bytes.
pub(super) fn len(len: usize) -> usize {
    len + len.div_ceil(usize::from(MAX_BLOCK)) * usize::from(HEADER)
}

fn headers_len(len: u64) -> u64 {
    len.div_ceil(u64::from(MAX_BLOCK))
        .saturating_mul(HEADER.into())
}

/// Appends `input` as stored blocks, the last of which is final if `last` is set. The stream in `out` must
/// end on a byte boundary.
pub(super) fn write(input: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut rest = input;
    while !rest.is_empty() {
        let len = u16::try_from(rest.len()).unwrap_or(MAX_BLOCK);
        let (block, after) = rest.split_at(usize::from(len));
        rest = after;
        out.push(u8::from(last && rest.is_empty()));
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_inflates, noise};
    use super::*;

    /// Around one block, two and three.
    const SIZES: [usize; 11] = [
        1, 2, 100, 65_534, 65_535, 65_536, 131_069, 131_070, 131_071, 196_605, 196_606,
    ];

    #[test]
    fn stored_blocks_have_the_greatest_length() {
        for size in SIZES {
            let content = noise(1, size);
            let mut out = b"before".to_vec();
            write(&content, true, &mut out);
            assert_eq!(out.len() - 6, len(size));
            assert_eq!(out.len() - 6, size + 5 * size.div_ceil(65_535));
            assert_inflates(&out[6..], &content);
            assert_eq!(out[..6], *b"before");
        }
    }

    #[test]
    fn only_the_last_block_of_the_last_chunk_is_final() {
        for size in SIZES {
            let content = noise(2, size);
            let mut out = Vec::new();
            write(&content, false, &mut out);
            assert_eq!(out.len(), len(size));
            out.extend_from_slice(&EMPTY_STREAM);
            assert_inflates(&out, &content);
        }
        let mut out = Vec::new();
        write(&[], false, &mut out);
        assert_eq!((out.as_slice(), len(0)), (&b""[..], 0));
        assert_inflates(&EMPTY_STREAM, b"");
    }

    #[test]
    fn the_bound_is_the_sum_of_its_chunks() {
        for size in SIZES {
            for chunk in [1, 7, 65_535, 65_536, 100_000, 131_070, 1 << 20] {
                let (full, rest) = (size / chunk, size % chunk);
                let sum = full * len(chunk) + len(rest);
                assert_eq!(max_deflated_len(size as u64, chunk as u64), sum as u64);
            }
        }
        assert_eq!(max_deflated_len(0, 1 << 20), 2);
        assert_eq!(max_deflated_len(9, 0), max_deflated_len(9, 1));
    }

    #[test]
    fn the_bound_does_not_overflow() {
        let chunks = 400_000_000_000_u64.div_ceil(1 << 20);
        let bound = max_deflated_len(chunks << 20, 1 << 20);
        assert_eq!(bound, (chunks << 20) + chunks * 17 * 5);
        for size in [u64::MAX, u64::MAX - 1] {
            for chunk in [0, 1, 1 << 20, u64::MAX - 1, u64::MAX] {
                assert_eq!(max_deflated_len(size, chunk), u64::MAX);
            }
        }
    }
}
