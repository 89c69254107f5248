//! What an unfinished upload says about itself, so that a later push can tell whether it may resume it.
//!
//! Until an upload is completed, S3 gives back nothing of what it was created with: no metadata, no tags.
//! Of its parts it gives sizes and checksums. The CRC-64 of eight bytes is another way of writing these
//! bytes, from which they can be computed. So two parts of eight bytes, under the last two numbers that S3
//! takes, store the fingerprint where every caller who may list parts can read it. They are left out when
//! the upload is completed, and removed with it when it is aborted.
//!
//! ```text
//! part  9,999   the nonce of the push, which the metadata of the object has too
//! part 10,000   16 bits each of digests: program, options, headers of the object, plan
//! ```

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::{ListedPart, Nonce};
use crate::archive::pack::Part;

/// The number of the part that holds the nonce.
const NONCE: u32 = 9_999;
/// The number of the part that holds the digests.
const DIGESTS: u32 = 10_000;

/// CRC-64/NVME, as the catalogue writes it for reflected computation. Register and result are inverted.
const POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;

/// Sixteen bits of a BLAKE3 digest of a list of fields. Each field is preceded by its length in eight
/// bytes, little-endian, so that no two lists are encoded alike; the first names what is listed, and the
/// version of the encoding.
#[derive(Clone, Debug)]
pub struct Digest(blake3::Hasher);

impl Digest {
    /// A digest of what `kind` names, "plan 1" for instance.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let mut digest = Self(blake3::Hasher::new());
        digest.field(kind);
        digest
    }

    /// Adds a field.
    pub fn field(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The digest of all fields.
    #[must_use]
    pub fn finish(&self) -> u16 {
        let [first, second, ..] = *self.0.finalize().as_bytes();
        u16::from_le_bytes([first, second])
    }
}

/// Digests of what shapes an upload's bytes and the object's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadFingerprint {
    /// The program that packs.
    pub program: u16,
    /// The options that shape the bytes.
    pub options: u16,
    /// The headers with which the object is created.
    pub headers: u16,
    /// Names, sizes, modes and times of the files.
    pub plan: u16,
}

impl UploadFingerprint {
    /// Sets the headers with which the object is created.
    #[must_use]
    pub fn with_headers(self, headers: &[(String, String)]) -> Self {
        let mut digest = Digest::new("headers 1");
        for (name, value) in headers {
            digest.field(name);
            digest.field(value);
        }
        Self {
            headers: digest.finish(),
            ..self
        }
    }

    /// The parts that store the fingerprint.
    #[must_use]
    pub fn parts(self, nonce: Nonce) -> [Part; 2] {
        let fields = [self.program, self.options, self.headers, self.plan];
        let mut digests = [0; 8];
        for (place, field) in digests.chunks_exact_mut(2).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        [(NONCE, nonce.0.to_le_bytes()), (DIGESTS, digests)].map(|(number, bytes)| Part {
            number,
            body: Bytes::copy_from_slice(&bytes),
            crc64nvme: crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes),
            last: false,
        })
    }

    /// The fingerprint that is stored among these parts of an upload, if one is.
    #[must_use]
    pub fn read(parts: &[ListedPart]) -> Option<(Self, Nonce)> {
        let of = |number| {
            let part = parts.iter().find(|part| part.number == number)?;
            (part.size == 8).then_some(bytes_of(part.crc64nvme?))
        };
        let [a, b, c, d, e, f, g, h] = of(DIGESTS)?;
        let fingerprint = Self {
            program: u16::from_le_bytes([a, b]),
            options: u16::from_le_bytes([c, d]),
            headers: u16::from_le_bytes([e, f]),
            plan: u16::from_le_bytes([g, h]),
        };
        Some((fingerprint, Nonce(u64::from_le_bytes(of(NONCE)?))))
    }

    /// Whether a part of this number stores the fingerprint, and no bytes of the object.
    pub(super) fn is_stored_in(number: u32) -> bool {
        number >= NONCE
    }
}

/// The eight bytes whose CRC-64/NVME this is: the register's 64 steps, backwards.
fn bytes_of(crc: u64) -> [u8; 8] {
    let mut register = !crc;
    for _ in 0..u64::BITS {
        register = match register >> 63 {
            0 => register << 1,
            _ => (register ^ POLYNOMIAL) << 1 | 1,
        };
    }
    (!register).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(parts: &[Part]) -> Vec<ListedPart> {
        let listed = |part: &Part| ListedPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: String::new(),
            crc64nvme: Some(part.crc64nvme),
            modified: None,
        };
        parts.iter().map(listed).collect()
    }

    const FINGERPRINT: UploadFingerprint = UploadFingerprint {
        program: 1,
        options: 2,
        headers: 3,
        plan: 4,
    };

    proptest! {
        #[test]
        fn eight_bytes_are_read_from_their_checksum(bytes: [u8; 8]) {
            let crc = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
            prop_assert_eq!(bytes_of(crc), bytes);
        }

        #[test]
        fn a_fingerprint_is_read_from_a_list_of_parts(fields: [u16; 4], nonce: u64) {
            let [program, options, headers, plan] = fields;
            let fingerprint = UploadFingerprint { program, options, headers, plan };
            let parts = listed(&fingerprint.parts(Nonce(nonce)));
            prop_assert_eq!(UploadFingerprint::read(&parts), Some((fingerprint, Nonce(nonce))));
        }
    }

    #[test]
    fn no_fingerprint_is_read_from_other_uploads() {
        let parts = listed(&FINGERPRINT.parts(Nonce::new()));
        assert_eq!(UploadFingerprint::read(&[]), None);
        assert_eq!(UploadFingerprint::read(&parts[1..]), None);
        let mut longer = parts.clone();
        longer[0].size = 9;
        assert_eq!(UploadFingerprint::read(&longer), None);
        let mut silent = parts;
        silent[1].crc64nvme = None;
        assert_eq!(UploadFingerprint::read(&silent), None);
    }

    /// A change of these values makes unfinished uploads of earlier builds useless.
    #[test]
    fn digests_are_pinned() {
        let digest = |kind, fields: &[&str]| {
            let mut digest = Digest::new(kind);
            fields.iter().for_each(|field| digest.field(field));
            digest.finish()
        };
        let lists: [&[&str]; 3] = [&[], &["a", "bc"], &["ab", "c"]];
        assert_eq!(
            lists.map(|fields| digest("plan 1", fields)),
            [35_065, 23_618, 7546]
        );
        let headers = [("x-amz-acl", "private"), ("x-amz-meta-commit", "abc")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(FINGERPRINT.with_headers(&headers).headers, 4477);
    }

    #[test]
    fn nonces_differ_and_are_read_as_they_are_written() {
        let (one, other) = (Nonce::new(), Nonce::new());
        assert_ne!(one, other);
        assert_eq!(one.to_string().len(), 16);
        assert_eq!(one.to_string().parse(), Ok(one));
    }
}
