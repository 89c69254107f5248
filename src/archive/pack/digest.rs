//! BLAKE3 digests of contents, and who is told of them: the tree's digest, and a manifest.

use blake3::Hash;
use blake3::hazmat::{self, ChainingValue, HasherExt as _, Mode};

use super::{Error, List};
use crate::archive::manifest::{self, Kind, TreeDigest};
use crate::archive::plan;

/// What a content sums up to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    pub(super) crc32: u32,
    pub(super) blake3: Hash,
}

impl Sums {
    pub(super) fn of(content: &[u8]) -> Self {
        Self {
            crc32: crc32fast::hash(content),
            blake3: blake3::hash(content),
        }
    }
}

/// Whoever is told of entries, in archive order.
pub(super) struct Told<'l> {
    tree: TreeDigest,
    list: Option<&'l mut List<'l>>,
}

impl<'l> Told<'l> {
    pub(super) fn new(list: Option<&'l mut List<'l>>) -> Self {
        let tree = TreeDigest::default();
        Self { tree, list }
    }

    /// Tells of the next entry.
    pub(super) fn entry(&mut self, entry: &plan::Entry<'_>, sums: Sums) -> Result<(), Error> {
        let entry = manifest::Entry {
            path: entry.name,
            kind: match entry.kind {
                plan::Kind::File => Kind::File,
                plan::Kind::Directory => Kind::Directory,
                plan::Kind::Link(_) => Kind::Symlink,
            },
            mode: entry.mode,
            size: entry.size,
            crc32: sums.crc32,
            blake3: sums.blake3,
        };
        self.tree.entry(&entry);
        match &mut self.list {
            Some(list) => list(&entry),
            None => Ok(()),
        }
    }

    /// The digest of the tree.
    pub(super) fn finish(&self) -> Hash {
        self.tree.finish()
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
}
