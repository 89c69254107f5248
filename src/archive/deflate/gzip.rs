//! What a gzip member (RFC 1952) has around a raw deflate stream. The machine does not show: it has no name,
//! no time, and an unknown system.

/// The bytes before the stream: method 8, no flags, no time, system 255 (unknown).
pub const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];

/// The number of bytes around the stream.
pub const OVERHEAD: u64 = 18;

/// The bytes after the stream: CRC-32 and the low 32 bits of the length of the content.
#[must_use]
pub fn trailer(crc32: u32, len: u64) -> [u8; 8] {
    let mut trailer = [0; 8];
    trailer[..4].copy_from_slice(&crc32.to_le_bytes());
    trailer[4..].copy_from_slice(&len.to_le_bytes()[..4]);
    trailer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zlib_reads_a_member_with_this_header_and_trailer() {
        use std::io::Read as _;
        // An empty stored block.
        let empty = [&HEADER[..], &[0x03, 0x00], &trailer(0, 0)].concat();
        assert_eq!(empty.len() as u64, OVERHEAD + 2);
        let mut content = Vec::new();
        let read = flate2::read::GzDecoder::new(&*empty).read_to_end(&mut content);
        assert_eq!(read.unwrap(), 0);
        assert_eq!(
            trailer(0x0102_0304, (5 << 32) + 6),
            [4, 3, 2, 1, 6, 0, 0, 0]
        );
    }
}
