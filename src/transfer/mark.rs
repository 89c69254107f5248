//! What an upload says about itself, so that another push can go on with it.
//!
//! S3 gives back nothing of what an upload was created with until it is an object: no metadata, no
//! tags. Of its parts it gives sizes and checksums. The CRC-64 of eight bytes is another way of
//! writing them: each has one of its own, from which they can be computed. So two parts of eight
//! bytes, with the last two numbers that S3 takes, are notes that can be read by whoever may list
//! parts. They are left out when the parts are made an object, and go with the upload.
//!
//! ```text
//! part  9,999   the nonce of the push, which the metadata of the object has too
//! part 10,000   16 bits each of digests: program, options, headers of the object, plan
//! ```

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::{ListedPart, Nonce};
use crate::archive::pack::Part;

/// The part that holds the nonce.
const NONCE: u32 = 9_999;
/// The part that holds the digests.
const DIGESTS: u32 = 10_000;

/// CRC-64/NVME, as the catalogue writes it for reflected computation. Register and result are inverted.
const POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;

/// Sixteen bits of a digest, of what comes piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Digest(blake3::Hasher);

impl Digest {
    /// Takes the next piece. That pieces cannot be taken for others, whoever gives them sees to.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(&self) -> u16 {
        let [first, second, ..] = *self.0.finalize().as_bytes();
        u16::from_le_bytes([first, second])
    }
}

/// What shapes an upload's bytes and the object's headers, in digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadFingerprint {
    /// The program that packs.
    pub program: u16,
    /// The options that shape the bytes.
    pub options: u16,
    /// What the object is created with.
    pub headers: u16,
    /// Names, sizes, modes and times of what goes in.
    pub plan: u16,
}

impl UploadFingerprint {
    /// The digest of `bytes`.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> u16 {
        let mut digest = Digest::default();
        digest.add(bytes);
        digest.finish()
    }

    /// The parts that say so.
    pub(super) fn parts(self, nonce: Nonce) -> [Part; 2] {
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

    /// What the parts of an upload say, if they do.
    pub(super) fn read(parts: &[ListedPart]) -> Option<(Self, Nonce)> {
        let of = |number| {
            let part = parts.iter().find(|part| part.number == number)?;
            (part.size == 8).then_some(bytes_of(part.crc64nvme?))
        };
        let [a, b, c, d, e, f, g, h] = of(DIGESTS)?;
        let mark = Self {
            program: u16::from_le_bytes([a, b]),
            options: u16::from_le_bytes([c, d]),
            headers: u16::from_le_bytes([e, f]),
            plan: u16::from_le_bytes([g, h]),
        };
        Some((mark, Nonce(u64::from_le_bytes(of(NONCE)?))))
    }

    /// Whether the part says something about the upload, and is none of the archive.
    pub(super) fn is_note(number: u32) -> bool {
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

    fn kept(parts: &[Part]) -> Vec<ListedPart> {
        let kept = |part: &Part| ListedPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: String::new(),
            crc64nvme: Some(part.crc64nvme),
            at: 0,
        };
        parts.iter().map(kept).collect()
    }

    proptest! {
        #[test]
        fn eight_bytes_are_read_from_their_checksum(bytes: [u8; 8]) {
            let crc = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
            prop_assert_eq!(bytes_of(crc), bytes);
        }

        #[test]
        fn a_mark_is_read_from_a_list_of_parts(fields: [u16; 4], nonce: u64) {
            let [program, options, headers, plan] = fields;
            let mark = UploadFingerprint { program, options, headers, plan };
            let parts = kept(&mark.parts(Nonce(nonce)));
            prop_assert_eq!(UploadFingerprint::read(&parts), Some((mark, Nonce(nonce))));
        }
    }

    #[test]
    fn other_uploads_say_nothing() {
        let mark = UploadFingerprint {
            program: 1,
            options: 2,
            headers: 3,
            plan: 4,
        };
        let parts = kept(&mark.parts(Nonce::new()));
        assert_eq!(UploadFingerprint::read(&[]), None);
        assert_eq!(UploadFingerprint::read(&parts[1..]), None);
        let mut longer = parts.clone();
        longer[0].size = 9;
        assert_eq!(UploadFingerprint::read(&longer), None);
        let mut silent = parts;
        silent[1].crc64nvme = None;
        assert_eq!(UploadFingerprint::read(&silent), None);
    }

    #[test]
    fn nonces_differ_and_are_read_as_they_are_written() {
        let (one, other) = (Nonce::new(), Nonce::new());
        assert_ne!(one, other);
        assert_eq!(one.to_string().len(), 16);
        assert_eq!(one.to_string().parse(), Ok(one));
    }
}
