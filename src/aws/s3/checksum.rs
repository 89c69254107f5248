//! Checksums as S3 writes them: base64 of their big-endian bytes.

use base64_simd::STANDARD;

/// By which checksum a store checks the bytes that it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// CRC-64/NVME, which the packer has computed.
    #[default]
    Crc64Nvme,
    /// CRC-32, which more stores know.
    Crc32,
    /// None: only the connection protects the bytes.
    None,
}

pub(super) fn encode_crc64(crc64nvme: u64) -> String {
    STANDARD.encode_to_string(crc64nvme.to_be_bytes())
}

pub(super) fn encode_crc32(crc32: u32) -> String {
    STANDARD.encode_to_string(crc32.to_be_bytes())
}

pub(super) fn decode_crc64(text: &str) -> Option<u64> {
    let bytes = STANDARD.decode_to_vec(text).ok()?;
    bytes.try_into().ok().map(u64::from_be_bytes)
}

pub(super) fn decode_crc32(text: &str) -> Option<u32> {
    let bytes = STANDARD.decode_to_vec(text).ok()?;
    bytes.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_written_and_read_as_s3_writes_them() {
        // The check values of the CRC catalogue.
        assert_eq!(encode_crc64(0xAE8B_1486_0A79_9888), "rosUhgp5mIg=");
        assert_eq!(encode_crc32(0xCBF4_3926), "y/Q5Jg==");
        assert_eq!(decode_crc64("rosUhgp5mIg="), Some(0xAE8B_1486_0A79_9888));
        assert_eq!(decode_crc32("y/Q5Jg=="), Some(0xCBF4_3926));
        assert_eq!(decode_crc32("rosUhgp5mIg="), None);
        for bad in [
            "",
            "rosUhgp5mI",
            "rosUhgp5mIg",
            "rosUhgp5mIg=-3",
            "y/Q5Jg==",
            "AAAA",
        ] {
            assert_eq!(decode_crc64(bad), None, "{bad}");
        }
    }
}
