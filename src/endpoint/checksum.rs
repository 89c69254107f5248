//! The checksums of S3: which there are, what a client claims, and what the bytes say.
//!
//! Bytes are read once. MD5 (the ETag) and CRC-64/NVME (what S3 stores when a client names nothing)
//! are always computed, any other algorithm only when it was asked for. Combining the checksums of
//! parts into that of the object needs no bytes at all.
//!
//! Rules: "Checking object integrity in Amazon S3" in the S3 user guide.

use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto;
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// How the checksum of a multipart object follows from its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Kind {
    /// The checksum of the parts' checksums, followed by `-` and the number of parts.
    Composite,
    /// The checksum of all bytes.
    FullObject,
}

impl Algorithm {
    const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The name in requests and responses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => dto::ChecksumAlgorithm::CRC32,
            Self::Crc32c => dto::ChecksumAlgorithm::CRC32C,
            Self::Crc64Nvme => dto::ChecksumAlgorithm::CRC64NVME,
            Self::Sha1 => dto::ChecksumAlgorithm::SHA1,
            Self::Sha256 => dto::ChecksumAlgorithm::SHA256,
        }
    }

    /// Parses a name as clients send it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a name S3 does not know.
    pub(crate) fn parse(name: &str) -> S3Result<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                s3_error!(
                    InvalidRequest,
                    "Checksum algorithm provided is unsupported: {name}"
                )
            })
    }

    /// The kind used when a multipart upload names only an algorithm.
    pub(crate) fn default_kind(self) -> Kind {
        match self {
            Self::Crc64Nvme => Kind::FullObject,
            _ => Kind::Composite,
        }
    }

    /// Whether S3 offers this algorithm in this kind.
    pub(crate) fn allows(self, kind: Kind) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c => true,
            Self::Crc64Nvme => kind == Kind::FullObject,
            Self::Sha1 | Self::Sha256 => kind == Kind::Composite,
        }
    }

    /// The polynomial, for the algorithms whose values can be combined.
    fn crc(self) -> Option<crc_fast::CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(crc_fast::CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(crc_fast::CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// Bytes in a value.
    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl Kind {
    /// The name in requests and responses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Composite => dto::ChecksumType::COMPOSITE,
            Self::FullObject => dto::ChecksumType::FULL_OBJECT,
        }
    }

    /// Parses a name as clients send it.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for anything but `COMPOSITE` and `FULL_OBJECT`.
    pub(crate) fn parse(name: &str) -> S3Result<Self> {
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

/// A checksum in text, as it is claimed, stored and returned: base64, for composite values with
/// `-N` appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: Kind,
    pub(crate) value: String,
}

impl Checksum {
    pub(crate) fn new(algorithm: Algorithm, kind: Kind, raw: &[u8]) -> Self {
        Self {
            algorithm,
            kind,
            value: base64_simd::STANDARD.encode_to_string(raw),
        }
    }

    /// The optional fields in which S3 messages carry a checksum: its kind, and one of five for its
    /// value.
    pub(crate) fn fields(&self) -> dto::Checksum {
        let mut fields = dto::Checksum::default();
        let value = Some(self.value.clone());
        match self.algorithm {
            Algorithm::Crc32 => fields.checksum_crc32 = value,
            Algorithm::Crc32c => fields.checksum_crc32c = value,
            Algorithm::Crc64Nvme => fields.checksum_crc64nvme = value,
            Algorithm::Sha1 => fields.checksum_sha1 = value,
            Algorithm::Sha256 => fields.checksum_sha256 = value,
        }
        fields.checksum_type = Some(dto::ChecksumType::from_static(self.kind.name()));
        fields
    }

    /// The bytes behind the text.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the value is not base64 of the algorithm's length.
    pub(crate) fn raw(&self) -> S3Result<Vec<u8>> {
        decode(self.algorithm, &self.value)
    }
}

/// A checksum a client sent: the algorithm and the value as text.
pub(crate) type Claim = (Algorithm, String);

/// The one checksum among the five optional fields of a message.
///
/// # Errors
///
/// `InvalidRequest` when more than one is set.
pub(crate) fn only_one(fields: dto::Checksum) -> S3Result<Option<Claim>> {
    let mut set = [
        (Algorithm::Crc32, fields.checksum_crc32),
        (Algorithm::Crc32c, fields.checksum_crc32c),
        (Algorithm::Crc64Nvme, fields.checksum_crc64nvme),
        (Algorithm::Sha1, fields.checksum_sha1),
        (Algorithm::Sha256, fields.checksum_sha256),
    ]
    .into_iter()
    .filter_map(|(algorithm, value)| Some((algorithm, value?)));
    let first = set.next();
    if set.next().is_some() {
        return Err(s3_error!(
            InvalidRequest,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        ));
    }
    Ok(first)
}

fn decode(algorithm: Algorithm, value: &str) -> S3Result<Vec<u8>> {
    base64_simd::STANDARD
        .decode_to_vec(value)
        .ok()
        .filter(|raw| raw.len() == algorithm.length())
        .ok_or_else(|| {
            s3_error!(
                InvalidRequest,
                "Value for x-amz-checksum-{} header is invalid.",
                algorithm.name().to_ascii_lowercase()
            )
        })
}

/// The error for bytes that differ from what the client claimed.
pub(crate) fn mismatch(algorithm: Algorithm) -> S3Error {
    s3_error!(
        BadDigest,
        "The {} you specified did not match the calculated checksum.",
        algorithm.name()
    )
}

enum Extra {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Sha1(Sha1),
    Sha256(Sha256),
}

/// Computes everything wanted of a run of bytes in one pass.
pub(crate) struct Hasher {
    length: u64,
    md5: Md5,
    crc64nvme: Crc64Nvme,
    extra: Option<Extra>,
}

impl Hasher {
    /// Computes MD5, CRC-64/NVME and, if it is another one, `algorithm`.
    pub(crate) fn new(algorithm: Option<Algorithm>) -> Self {
        Self {
            length: 0,
            md5: Md5::new(),
            crc64nvme: Crc64Nvme::new(),
            extra: match algorithm {
                None | Some(Algorithm::Crc64Nvme) => None,
                Some(Algorithm::Crc32) => Some(Extra::Crc32(Crc32::new())),
                Some(Algorithm::Crc32c) => Some(Extra::Crc32c(Crc32c::new())),
                Some(Algorithm::Sha1) => Some(Extra::Sha1(Sha1::new())),
                Some(Algorithm::Sha256) => Some(Extra::Sha256(Sha256::new())),
            },
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.md5.update(bytes);
        self.crc64nvme.update(bytes);
        match &mut self.extra {
            None => {}
            Some(Extra::Crc32(hasher)) => hasher.update(bytes),
            Some(Extra::Crc32c(hasher)) => hasher.update(bytes),
            Some(Extra::Sha1(hasher)) => hasher.update(bytes),
            Some(Extra::Sha256(hasher)) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Sums {
        let crc64nvme = self.crc64nvme.finalize();
        let (algorithm, raw) = match self.extra {
            None => (Algorithm::Crc64Nvme, crc64nvme.to_vec()),
            Some(Extra::Crc32(hasher)) => (Algorithm::Crc32, hasher.finalize().to_vec()),
            Some(Extra::Crc32c(hasher)) => (Algorithm::Crc32c, hasher.finalize().to_vec()),
            Some(Extra::Sha1(hasher)) => (Algorithm::Sha1, hasher.finalize().to_vec()),
            Some(Extra::Sha256(hasher)) => (Algorithm::Sha256, hasher.finalize().to_vec()),
        };
        Sums {
            length: self.length,
            md5: self.md5.finalize(),
            crc64nvme,
            algorithm,
            raw,
        }
    }
}

/// What the bytes say.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    pub(crate) length: u64,
    md5: [u8; 16],
    /// Big-endian.
    crc64nvme: [u8; 8],
    /// The algorithm asked for, otherwise CRC-64/NVME.
    algorithm: Algorithm,
    raw: Vec<u8>,
}

impl Sums {
    /// The ETag without quotes: MD5 in hexadecimal.
    pub(crate) fn etag(&self) -> String {
        hex(&self.md5)
    }

    /// The checksum in the algorithm asked for, otherwise in CRC-64/NVME.
    pub(crate) fn checksum(&self) -> Checksum {
        Checksum::new(self.algorithm, Kind::FullObject, &self.raw)
    }

    /// The checksum in CRC-64/NVME.
    pub(crate) fn crc64nvme(&self) -> Checksum {
        Checksum::new(Algorithm::Crc64Nvme, Kind::FullObject, &self.crc64nvme)
    }

    /// Compares a value the client claimed.
    ///
    /// # Errors
    ///
    /// `BadDigest` when it differs, `InvalidRequest` when it is malformed.
    pub(crate) fn verify(&self, (algorithm, claimed): &Claim) -> S3Result<()> {
        let claimed = decode(*algorithm, claimed)?;
        let same = if *algorithm == Algorithm::Crc64Nvme {
            claimed == self.crc64nvme
        } else {
            *algorithm == self.algorithm && claimed == self.raw
        };
        if same {
            Ok(())
        } else {
            Err(mismatch(*algorithm))
        }
    }

    /// Compares a `Content-MD5` header.
    ///
    /// # Errors
    ///
    /// `BadDigest` when it differs, `InvalidDigest` when it is malformed.
    pub(crate) fn verify_md5(&self, claimed: &str) -> S3Result<()> {
        let claimed = base64_simd::STANDARD
            .decode_to_vec(claimed)
            .ok()
            .filter(|raw| raw.len() == 16)
            .ok_or_else(|| {
                s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid.")
            })?;
        if claimed == self.md5 {
            Ok(())
        } else {
            Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ))
        }
    }
}

/// The ETag of a multipart object: the MD5 of the parts' MD5s, `-`, and their number.
///
/// # Errors
///
/// `InternalError` when a part's ETag is not hexadecimal, which only a damaged file can bring
/// about.
pub(crate) fn multipart_etag<'a>(
    etags: impl ExactSizeIterator<Item = &'a str>,
) -> S3Result<String> {
    let count = etags.len();
    let mut md5 = Md5::new();
    for etag in etags {
        md5.update(
            &unhex(etag)
                .ok_or_else(|| s3_error!(InternalError, "a part on disk has no proper ETag"))?,
        );
    }
    Ok(format!("{}-{count}", hex(&md5.finalize())))
}

/// The checksum of all bytes, from the raw checksums and lengths of the parts.
///
/// Returns `None` for SHA algorithms, whose values cannot be combined.
pub(crate) fn full_object<'a>(
    algorithm: Algorithm,
    parts: impl Iterator<Item = (&'a [u8], u64)>,
) -> Option<Checksum> {
    let crc = algorithm.crc()?;
    let mut combined = 0;
    for (raw, length) in parts {
        let value = raw
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        combined = crc_fast::checksum_combine(crc, combined, value, length);
    }
    let bytes = combined.to_be_bytes();
    let raw = &bytes[bytes.len() - algorithm.length()..];
    Some(Checksum::new(algorithm, Kind::FullObject, raw))
}

/// The checksum of the parts' raw checksums.
pub(crate) fn composite<'a>(
    algorithm: Algorithm,
    parts: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Checksum {
    let count = parts.len();
    let mut hasher = Hasher::new(Some(algorithm));
    for raw in parts {
        hasher.update(raw);
    }
    let mut checksum = Checksum::new(algorithm, Kind::Composite, &hasher.finish().raw);
    checksum.value.push_str(&format!("-{count}"));
    checksum
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sums(bytes: &[u8], algorithm: Algorithm) -> Sums {
        let mut hasher = Hasher::new(Some(algorithm));
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn check_values_of_the_catalogues() {
        // The CRC catalogue's check input (reveng), and FIPS 180's "abc".
        for (algorithm, expected) in [
            (Algorithm::Crc32, vec![0xcb, 0xf4, 0x39, 0x26]),
            (Algorithm::Crc32c, vec![0xe3, 0x06, 0x92, 0x83]),
            (
                Algorithm::Crc64Nvme,
                vec![0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88],
            ),
        ] {
            assert_eq!(sums(b"123456789", algorithm).raw, expected, "{algorithm:?}");
        }
        assert_eq!(
            hex(&sums(b"abc", Algorithm::Sha1).raw),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            hex(&sums(b"abc", Algorithm::Sha256).raw),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sums(b"abc", Algorithm::Sha1).etag(),
            "900150983cd24fb0d6963f7d28e17f72"
        );
    }

    #[test]
    fn parts_combine_to_the_whole() {
        let bytes: Vec<u8> = (0..100_000u32)
            .map(|n| n.to_le_bytes()[n as usize % 3])
            .collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts: Vec<Sums> = bytes
                .chunks(7_777)
                .map(|part| sums(part, algorithm))
                .collect();
            let combined = full_object(
                algorithm,
                parts.iter().map(|part| (part.raw.as_slice(), part.length)),
            );
            assert_eq!(combined.unwrap(), sums(&bytes, algorithm).checksum());
        }
        assert_eq!(full_object(Algorithm::Sha1, std::iter::empty()), None);
    }

    #[test]
    fn composite_values_hash_the_parts_values() {
        let part = sums(b"abc", Algorithm::Sha256).raw;
        let twice = composite(Algorithm::Sha256, [part.as_slice(), &part].into_iter());
        let expected = sums(&[part.clone(), part].concat(), Algorithm::Sha256)
            .checksum()
            .value;
        assert_eq!(twice.value, format!("{expected}-2"));
    }

    #[test]
    fn a_wrong_or_malformed_claim_is_refused() {
        let sums = sums(b"hello", Algorithm::Crc32);
        let code = |algorithm, value: &str| {
            let error = sums.verify(&(algorithm, value.to_owned())).unwrap_err();
            error.code().as_str().to_owned()
        };
        let right = sums.checksum().value;
        assert!(sums.verify(&(Algorithm::Crc32, right.clone())).is_ok());
        assert!(
            sums.verify(&(Algorithm::Crc64Nvme, sums.crc64nvme().value))
                .is_ok()
        );
        assert_eq!(code(Algorithm::Crc32, "AAAAAA=="), "BadDigest");
        assert_eq!(code(Algorithm::Crc64Nvme, "AAAAAAAAAAA="), "BadDigest");
        assert_eq!(code(Algorithm::Crc32, "AAAA"), "InvalidRequest");
        assert_eq!(code(Algorithm::Sha1, &right), "InvalidRequest");
        assert!(sums.verify_md5("XUFAKrxLKna5cZ2REBfFkg==").is_ok());
        assert_eq!(
            sums.verify_md5("not base64").unwrap_err().code().as_str(),
            "InvalidDigest"
        );
        let other = sums.verify_md5("AAAAAAAAAAAAAAAAAAAAAA==").unwrap_err();
        assert_eq!(other.code().as_str(), "BadDigest");
    }

    #[test]
    fn a_message_carries_one_checksum_at_most() {
        let mut fields = dto::Checksum::default();
        assert_eq!(only_one(fields.clone()).unwrap(), None);
        fields.checksum_crc32 = Some("x".to_owned());
        assert_eq!(
            only_one(fields.clone()).unwrap(),
            Some((Algorithm::Crc32, "x".to_owned()))
        );
        fields.checksum_sha1 = Some("y".to_owned());
        assert!(only_one(fields).is_err());
    }
}
