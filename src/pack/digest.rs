//! BLAKE3 digests of contents, and of the tree they make.
//!
//! The tree digest says whether two revisions hold the same files: names, permissions and
//! contents, in archive order. It leaves out times, levels and everything else that shapes the
//! archive's bytes, so it stays when only those change.

use blake3::Hash;
use blake3::hazmat::{self, ChainingValue, HasherExt as _, Mode};

use crate::plan::{self, Kind};

/// The digest of a tree, entry by entry.
#[derive(Debug, Default)]
pub(super) struct TreeDigest(blake3::Hasher);

impl TreeDigest {
    /// Adds the next entry in archive order: length of its name (32 bits), name, permissions (32
    /// bits; a link or a directory has its type among them), size (64 bits) and the digest of its
    /// content. Numbers are little-endian.
    pub(super) fn entry(&mut self, entry: &plan::Entry<'_>, content: &Hash) {
        let len = u32::try_from(entry.name.len()).unwrap_or(u32::MAX);
        let mode = match entry.kind {
            Kind::File => entry.mode,
            Kind::Directory | Kind::Link(_) => entry.st_mode(),
        };
        self.0
            .update(&len.to_le_bytes())
            .update(entry.name)
            .update(&mode.to_le_bytes())
            .update(&entry.size.to_le_bytes())
            .update(content.as_bytes());
    }

    pub(super) fn finish(&self) -> Hash {
        self.0.finalize()
    }
}

/// The digest of one piece of a file that is hashed in pieces. `offset` is where the piece starts:
/// a multiple of its length, which is a power of two of at least 1,024 for all pieces but the last.
pub(super) fn subtree(bytes: &[u8], offset: u64) -> ChainingValue {
    blake3::Hasher::new()
        .set_input_offset(offset)
        .update(bytes)
        .finalize_non_root()
}

/// Joins the [`subtree`] digests of at least two pieces, given in order.
#[derive(Debug, Default)]
pub(super) struct Subtrees {
    /// Roots of complete subtrees, the largest first, as the set bits of `count`; but the last
    /// merge waits until it is known not to be the root (BLAKE3 paper, section 5.1.2).
    stack: Vec<ChainingValue>,
    count: u64,
}

impl Subtrees {
    pub(super) fn push(&mut self, piece: ChainingValue) {
        while self.stack.len() > self.count.count_ones() as usize {
            self.merge();
        }
        self.stack.push(piece);
        self.count += 1;
    }

    fn merge(&mut self) {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            self.stack
                .push(hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// The digest of the whole. None below two pieces.
    pub(super) fn finish(mut self) -> Option<Hash> {
        while self.stack.len() > 2 {
            self.merge();
        }
        let right = self.stack.pop()?;
        let left = self.stack.pop()?;
        Some(hazmat::merge_subtrees_root(&left, &right, Mode::Hash))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_join_to_the_digest_of_the_whole(len in 1025..80_000_usize, power in 10..14_u32) {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let piece = 1_usize << power;
            prop_assume!(len > piece);
            let mut joined = Subtrees::default();
            for (n, bytes) in bytes.chunks(piece).enumerate() {
                joined.push(subtree(bytes, (n * piece) as u64));
            }
            prop_assert_eq!(joined.finish(), Some(blake3::hash(&bytes)));
        }
    }

    #[test]
    fn one_piece_is_no_tree() {
        let mut joined = Subtrees::default();
        joined.push(subtree(&[1; 1024], 0));
        assert_eq!(joined.finish(), None);
    }

    #[test]
    fn the_tree_digest_sees_names_modes_sizes_kinds_and_contents() {
        let digest_of = |kind, name: &[u8], mode, size, content: &[u8]| {
            let entry = plan::Entry {
                name,
                kind,
                size,
                mtime: plan::Mtime { secs: 1, nanos: 2 },
                time: 3,
                mode,
                via_link: false,
            };
            let mut tree = TreeDigest::default();
            tree.entry(&entry, &blake3::hash(content));
            tree.finish()
        };
        let digest = |name, mode, size, content| digest_of(Kind::File, name, mode, size, content);
        let first = digest(b"a", 0o644, 1, b"x");
        assert_eq!(first, digest(b"a", 0o644, 1, b"x"));
        for other in [
            digest(b"b", 0o644, 1, b"x"),
            digest(b"a", 0o755, 1, b"x"),
            digest(b"a", 0o644, 2, b"x"),
            digest(b"a", 0o644, 1, b"y"),
            digest_of(Kind::Link(b"x"), b"a", 0o644, 1, b"x"),
        ] {
            assert_ne!(first, other);
        }
    }
}
