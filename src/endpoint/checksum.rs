//! The checksums that S3 compares: what a client claims of its bytes, and what they are.
//!
//! The endpoint knows CRC-64/NVME, which hoist and version 2 of the AWS CLI send, and CRC-32, which
//! version 1 and boto3 send. Both are always computed, together with the MD5 that makes the ETag, in
//! one pass. The checksums of an object then follow from those of its parts without reading any byte
//! again. Every other algorithm of S3 is refused with `NotImplemented`.
//!
//! Rules: "Checking object integrity in Amazon S3" in the S3 user guide.

use crc_fast::CrcAlgorithm;
use hex_simd::AsciiCase;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto;
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// A checksum algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Algorithm {
    Crc32,
    Crc64Nvme,
}

/// How the checksum of a multipart object follows from its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    /// The checksum of the parts' checksums, followed by `-` and the number of parts.
    Composite,
    /// The checksum of all bytes.
    FullObject,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Crc32, Self::Crc64Nvme];

    /// The name in requests and responses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => dto::ChecksumAlgorithm::CRC32,
            Self::Crc64Nvme => dto::ChecksumAlgorithm::CRC64NVME,
        }
    }

    /// Parses a name as clients send it.
    /// Fails with `NotImplemented` for all other algorithms.
    pub(super) fn parse(name: &str) -> S3Result<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                s3_error!(
                    NotImplemented,
                    "this endpoint checks CRC64NVME and CRC32, and cannot check {name}"
                )
            })
    }

    /// The kind of a multipart upload that names only the algorithm.
    pub(super) fn default_kind(self) -> Kind {
        match self {
            Self::Crc64Nvme => Kind::FullObject,
            Self::Crc32 => Kind::Composite,
        }
    }

    /// Whether S3 offers this algorithm in this kind.
    pub(super) fn allows(self, kind: Kind) -> bool {
        self == Self::Crc32 || kind == Kind::FullObject
    }

    fn crc(self) -> CrcAlgorithm {
        match self {
            Self::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Self::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        }
    }

    /// The big-endian bytes of a value, as S3 writes them.
    fn bytes(self, value: u64) -> Vec<u8> {
        let bytes = value.to_be_bytes();
        let unused = match self {
            Self::Crc32 => 4,
            Self::Crc64Nvme => 0,
        };
        bytes[unused..].to_vec()
    }
}

impl Kind {
    /// The name in requests and responses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Composite => dto::ChecksumType::COMPOSITE,
            Self::FullObject => dto::ChecksumType::FULL_OBJECT,
        }
    }

    /// Parses a name as clients send it.
    /// Fails with `InvalidRequest` for anything but `COMPOSITE` and `FULL_OBJECT`.
    pub(super) fn parse(name: &str) -> S3Result<Self> {
        [Self::Composite, Self::FullObject]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| {
                s3_error!(
                    InvalidRequest,
                    "Value for x-amz-checksum-type header is invalid."
                )
            })
    }
}

/// A checksum as text, as it is claimed, stored and returned: base64, for composite values with `-N`
/// appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    pub(super) kind: Kind,
    pub(super) value: String,
}

impl Checksum {
    fn of_all_bytes(algorithm: Algorithm, value: u64) -> Self {
        Self {
            algorithm,
            kind: Kind::FullObject,
            value: base64_simd::STANDARD.encode_to_string(algorithm.bytes(value)),
        }
    }

    /// The optional fields in which S3's messages carry a checksum.
    pub(super) fn fields(&self) -> dto::Checksum {
        let mut fields = dto::Checksum::default();
        let value = Some(self.value.clone());
        match self.algorithm {
            Algorithm::Crc32 => fields.checksum_crc32 = value,
            Algorithm::Crc64Nvme => fields.checksum_crc64nvme = value,
        }
        fields.checksum_type = Some(dto::ChecksumType::from_static(self.kind.name()));
        fields
    }
}

/// A checksum that a client sent: the algorithm, and the value as text.
pub(super) type Claim = (Algorithm, String);

/// The checksum in the optional fields of a message.
/// Fails with `InvalidRequest` when more than one is set.
pub(super) fn only_one(
    crc32: Option<String>,
    crc64nvme: Option<String>,
) -> S3Result<Option<Claim>> {
    match (crc32, crc64nvme) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some((Algorithm::Crc32, value))),
        (None, Some(value)) => Ok(Some((Algorithm::Crc64Nvme, value))),
        (Some(_), Some(_)) => Err(two_checksums()),
    }
}

/// The error for a request that claims more than one checksum.
pub(super) fn two_checksums() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    )
}

/// The error for bytes that differ from what the client claimed.
pub(super) fn mismatch(algorithm: Algorithm) -> S3Error {
    s3_error!(
        BadDigest,
        "The {} you specified did not match the calculated checksum.",
        algorithm.name()
    )
}

/// Computes all sums of a run of bytes in one pass.
pub(super) struct Hasher {
    length: u64,
    md5: Md5,
    crc32: crc_fast::Digest,
    crc64nvme: crc_fast::Digest,
}

impl Hasher {
    pub(super) fn new() -> Self {
        Self {
            length: 0,
            md5: Md5::new(),
            crc32: crc_fast::Digest::new(Algorithm::Crc32.crc()),
            crc64nvme: crc_fast::Digest::new(Algorithm::Crc64Nvme.crc()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.md5.update(bytes);
        self.crc32.update(bytes);
        self.crc64nvme.update(bytes);
    }

    pub(super) fn finish(self) -> Sums {
        Sums {
            length: self.length,
            md5: self.md5.finalize(),
            crc32: self.crc32.finalize(),
            crc64nvme: self.crc64nvme.finalize(),
        }
    }
}

/// The length and the sums of a run of bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) length: u64,
    md5: [u8; 16],
    crc32: u64,
    crc64nvme: u64,
}

impl Sums {
    /// The ETag without quotes: MD5 in hexadecimal.
    pub(super) fn etag(&self) -> String {
        hex_simd::encode_to_string(self.md5, AsciiCase::Lower)
    }

    fn value(&self, algorithm: Algorithm) -> u64 {
        match algorithm {
            Algorithm::Crc32 => self.crc32,
            Algorithm::Crc64Nvme => self.crc64nvme,
        }
    }

    pub(super) fn checksum(&self, algorithm: Algorithm) -> Checksum {
        Checksum::of_all_bytes(algorithm, self.value(algorithm))
    }

    /// Compares a value that the client claimed.
    /// Fails with `BadDigest` when it differs, `InvalidRequest` when it is malformed.
    pub(super) fn verify(&self, (algorithm, claimed): &Claim) -> S3Result<()> {
        let actual = algorithm.bytes(self.value(*algorithm));
        let claimed = base64_simd::STANDARD.decode_to_vec(claimed).ok();
        let claimed = claimed
            .filter(|raw| raw.len() == actual.len())
            .ok_or_else(|| {
                s3_error!(
                    InvalidRequest,
                    "Value for x-amz-checksum-{} header is invalid.",
                    algorithm.name().to_ascii_lowercase()
                )
            })?;
        if claimed == actual {
            Ok(())
        } else {
            Err(mismatch(*algorithm))
        }
    }

    /// Compares a `Content-MD5` header.
    /// Fails with `BadDigest` when it differs, `InvalidDigest` when it is malformed.
    pub(super) fn verify_md5(&self, claimed: &str) -> S3Result<()> {
        let claimed = base64_simd::STANDARD.decode_to_vec(claimed).ok();
        match claimed.filter(|raw| raw.len() == self.md5.len()) {
            None => Err(s3_error!(
                InvalidDigest,
                "The Content-MD5 you specified was invalid."
            )),
            Some(claimed) if claimed == self.md5 => Ok(()),
            Some(_) => Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            )),
        }
    }
}

/// The ETag of a multipart object: the MD5 of the parts' MD5s, `-`, and their number.
pub(super) fn multipart_etag<'a>(parts: impl ExactSizeIterator<Item = &'a Sums>) -> String {
    let count = parts.len();
    let mut md5 = Md5::new();
    for sums in parts {
        md5.update(&sums.md5);
    }
    let md5 = hex_simd::encode_to_string(md5.finalize(), AsciiCase::Lower);
    format!("{md5}-{count}")
}

/// The checksum of a multipart object.
pub(super) fn of_object<'a>(
    algorithm: Algorithm,
    kind: Kind,
    parts: impl ExactSizeIterator<Item = &'a Sums>,
) -> Checksum {
    let count = parts.len();
    match kind {
        Kind::FullObject => {
            let combined = parts.fold(0, |combined, sums| {
                let value = sums.value(algorithm);
                crc_fast::checksum_combine(algorithm.crc(), combined, value, sums.length)
            });
            Checksum::of_all_bytes(algorithm, combined)
        }
        Kind::Composite => {
            let mut digest = crc_fast::Digest::new(algorithm.crc());
            for sums in parts {
                digest.update(&algorithm.bytes(sums.value(algorithm)));
            }
            let mut checksum = Checksum::of_all_bytes(algorithm, digest.finalize());
            checksum.kind = Kind::Composite;
            checksum.value.push_str(&format!("-{count}"));
            checksum
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(bytes: &[u8]) -> Sums {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn sums_are_those_of_the_catalogues() {
        // The check input of the CRC catalogue (reveng), and RFC 1321's "abc".
        let found = sums(b"123456789");
        assert_eq!(found.crc32, 0xcbf4_3926);
        assert_eq!(found.crc64nvme, 0xae8b_1486_0a79_9888);
        assert_eq!(sums(b"abc").etag(), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn checksums_of_parts_combine_to_that_of_the_whole() {
        let bytes: Vec<u8> = (0..100_000u32)
            .map(|n| n.to_le_bytes()[n as usize % 3])
            .collect();
        let parts: Vec<Sums> = bytes.chunks(7_777).map(sums).collect();
        for algorithm in Algorithm::ALL {
            let combined = of_object(algorithm, Kind::FullObject, parts.iter());
            assert_eq!(combined, sums(&bytes).checksum(algorithm));
        }
    }

    #[test]
    fn a_composite_checksum_is_that_of_the_parts_checksums() {
        let part = sums(b"abc");
        let twice = of_object(
            Algorithm::Crc32,
            Kind::Composite,
            [&part, &part].into_iter(),
        );
        let raw = Algorithm::Crc32.bytes(part.crc32);
        let expected = sums(&raw.repeat(2)).checksum(Algorithm::Crc32).value;
        assert_eq!(twice.value, format!("{expected}-2"));
    }

    #[test]
    fn a_wrong_or_malformed_claim_is_refused() {
        let sums = sums(b"hello");
        let code = |algorithm, value: &str| {
            let error = sums.verify(&(algorithm, value.to_owned())).unwrap_err();
            error.code().as_str().to_owned()
        };
        for algorithm in Algorithm::ALL {
            let right = sums.checksum(algorithm).value;
            assert!(sums.verify(&(algorithm, right)).is_ok());
        }
        assert_eq!(code(Algorithm::Crc32, "AAAAAA=="), "BadDigest");
        assert_eq!(code(Algorithm::Crc64Nvme, "AAAAAAAAAAA="), "BadDigest");
        assert_eq!(code(Algorithm::Crc32, "AAAA"), "InvalidRequest");
        assert!(sums.verify_md5("XUFAKrxLKna5cZ2REBfFkg==").is_ok());
        let md5_code = |value: &str| {
            sums.verify_md5(value)
                .unwrap_err()
                .code()
                .as_str()
                .to_owned()
        };
        assert_eq!(md5_code("not base64"), "InvalidDigest");
        assert_eq!(md5_code("AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest");
    }

    #[test]
    fn a_message_carries_one_checksum_at_most() {
        let some = || Some("x".to_owned());
        assert_eq!(only_one(None, None).unwrap(), None);
        let one = only_one(some(), None).unwrap();
        assert_eq!(one, Some((Algorithm::Crc32, "x".to_owned())));
        assert!(only_one(some(), some()).is_err());
    }
}
