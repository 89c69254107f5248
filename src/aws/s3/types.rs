//! What S3 says of objects, multipart uploads and parts.

use std::time::SystemTime;

use crc_fast::CrcAlgorithm;

use super::Nonce;

/// S3's name for a multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId(pub String);

/// An object that was written, as S3 confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its version, if the bucket keeps versions.
    pub version: Option<String>,
}

/// What a store knows of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its version, if the bucket keeps versions.
    pub version: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// The CRC-64/NVME of its bytes, if the store keeps one and was asked for it.
    pub crc64nvme: Option<u64>,
    /// The push that wrote it, if hoist did.
    pub nonce: Option<Nonce>,
}

impl ObjectHead {
    /// The ETag and the version, with which CodeDeploy registers the object.
    #[must_use]
    pub fn stored(&self) -> Stored {
        Stored {
            etag: self.etag.clone(),
            version: self.version.clone(),
        }
    }
}

/// A multipart upload that was neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// The key that the object was to get.
    pub key: String,
    /// Its name.
    pub id: UploadId,
    /// When it was created, if the store says.
    pub initiated: Option<SystemTime>,
}

/// A stored part of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number, from 1.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, as the store wrote it.
    pub etag: String,
    /// The CRC-64/NVME of its bytes, if the store keeps one.
    pub crc64nvme: Option<u64>,
    /// When it was stored, if the store says.
    pub modified: Option<SystemTime>,
}

/// A part that was sent, as the store confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedPart {
    /// Its number, from 1.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, as the store wrote it.
    pub etag: String,
    /// The CRC-64/NVME of its bytes.
    pub crc64nvme: u64,
    /// The CRC-32 of its bytes, if the store checks by that.
    pub crc32: Option<u32>,
}

/// Size and CRC-64/NVME of the object that these parts, in order, make.
#[must_use]
pub fn whole(parts: &[UploadedPart]) -> (u64, u64) {
    combined(parts, CrcAlgorithm::Crc64Nvme, |part| part.crc64nvme)
}

/// CRC-32 of the object that these parts, in order, make. None if that of one is not known.
pub(super) fn whole_crc32(parts: &[UploadedPart]) -> Option<u32> {
    if parts.iter().any(|part| part.crc32.is_none()) {
        return None;
    }
    let of = |part: &UploadedPart| part.crc32.unwrap_or_default().into();
    let (_, crc32) = combined(parts, CrcAlgorithm::Crc32IsoHdlc, of);
    // The upper half is zero.
    u32::try_from(crc32).ok()
}

fn combined(
    parts: &[UploadedPart],
    algorithm: CrcAlgorithm,
    of: impl Fn(&UploadedPart) -> u64,
) -> (u64, u64) {
    parts.iter().fold((0, 0), |(size, crc), part| {
        let crc = if size == 0 {
            of(part)
        } else {
            crc_fast::checksum_combine(algorithm, crc, of(part), part.size)
        };
        (size + part.size, crc)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_parts_combine_to_that_of_the_whole() {
        let part = |number, bytes: &[u8]| UploadedPart {
            number,
            size: bytes.len() as u64,
            etag: String::new(),
            crc64nvme: crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes),
            crc32: Some(crc32fast::hash(bytes)),
        };
        let parts = [part(1, b"1234"), part(2, b"567"), part(3, b"89")];
        // The check values of the CRC catalogue.
        assert_eq!(whole(&parts), (9, 0xAE8B_1486_0A79_9888));
        assert_eq!(whole_crc32(&parts), Some(0xCBF4_3926));
        assert_eq!(whole(&[]), (0, 0));
        let unknown = [
            parts[0].clone(),
            UploadedPart {
                crc32: None,
                ..parts[1].clone()
            },
        ];
        assert_eq!(whole_crc32(&unknown), None);
    }
}
