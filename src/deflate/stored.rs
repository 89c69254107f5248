//! Stored blocks: what becomes of data that deflate would make larger, and so the bound on how
//! large a stream can get.

/// The most data one stored block holds: its length has 16 bits (RFC 1951 section 3.2.4).
const MAX_BLOCK: u16 = u16::MAX;
/// Block type, length and the length's complement, when the block begins on a byte boundary.
const HEADER: u8 = 5;

/// A final block with nothing in it, of the fixed codes: the shortest stream there is.
pub(super) const EMPTY_STREAM: [u8; 2] = [0x03, 0x00];

/// Upper bound, in bytes, of a file of `size` bytes that
/// [`Engine::deflate_chunk`](super::Engine::deflate_chunk) compresses in chunks of `chunk` bytes.
/// The last one may be shorter, but is empty only if the file is.
///
/// No content and no level gives a longer stream, and content that does not compress gives exactly
/// this one: no chunk is longer than the stored blocks that hold it. A `chunk` of 0 counts as 1,
/// and what does not fit in a `u64` as [`u64::MAX`].
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

/// The length of what [`write`] appends for `len` bytes.
pub(super) fn len(len: usize) -> usize {
    len + len.div_ceil(usize::from(MAX_BLOCK)) * usize::from(HEADER)
}

fn headers_len(len: u64) -> u64 {
    len.div_ceil(u64::from(MAX_BLOCK))
        .saturating_mul(HEADER.into())
}

/// Appends `input` as stored blocks. The last of them is final if `last` says so. `out` must end on
/// a byte boundary of the stream.
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
