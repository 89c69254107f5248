//! Checksums of contents: CRC-32 for the formats, BLAKE3 for the tree's digest and a manifest.
//!
//! A giant is read in chunks by many workers, so the sums of its chunks are joined.

use blake3::Hash;
use blake3::hazmat::{self, ChainingValue, HasherExt as _, Mode};

use super::{Error, List};
use crate::archive::manifest::{self, Kind, TreeDigest};
use crate::archive::plan;

/// The checksums of a content.
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

/// Digests entries, in archive order, into the digest of the tree, and passes them on to a manifest.
pub(super) struct EntryHasher<'l> {
    tree: TreeDigest,
    list: Option<&'l mut List<'l>>,
}

impl<'l> EntryHasher<'l> {
    pub(super) fn new(list: Option<&'l mut List<'l>>) -> Self {
        let tree = TreeDigest::default();
        Self { tree, list }
    }

    /// Adds the next entry.
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

/// The checksums of one chunk of a giant.
#[derive(Debug)]
pub(super) struct ChunkSums {
    crc32: crc32fast::Hasher,
    subtree: Option<ChainingValue>,
}

impl ChunkSums {
    /// Sums up the chunk at `offset`. Its BLAKE3 is computed only if `digest` is set.
    pub(super) fn of(bytes: &[u8], offset: u64, digest: bool) -> Self {
        let mut crc32 = crc32fast::Hasher::new();
        crc32.update(bytes);
        Self {
            crc32,
            subtree: digest.then(|| subtree(bytes, offset)),
        }
    }
}

/// The joined checksums of a giant's chunks.
#[derive(Debug, Default)]
pub(super) struct GiantSums {
    crc32: crc32fast::Hasher,
    subtrees: Subtrees,
}

impl GiantSums {
    /// Adds the next chunk.
    pub(super) fn push(&mut self, chunk: &ChunkSums) {
        self.crc32.combine(&chunk.crc32);
        if let Some(subtree) = chunk.subtree {
            self.subtrees.push(subtree);
        }
    }

    pub(super) fn crc32(&self) -> u32 {
        self.crc32.clone().finalize()
    }

    /// The checksums of the whole content. None if the chunks have no BLAKE3.
    pub(super) fn finish(self) -> Option<Sums> {
        Some(Sums {
            crc32: self.crc32.finalize(),
            blake3: self.subtrees.finish()?,
        })
    }
}

/// The BLAKE3 of one chunk, which starts at `offset` of its file: a multiple of the chunk size, which is a
/// power of two of at least 1,024. Only the last chunk may be shorter.
fn subtree(bytes: &[u8], offset: u64) -> ChainingValue {
    blake3::Hasher::new()
        .set_input_offset(offset)
        .update(bytes)
        .finalize_non_root()
}

/// Joins the BLAKE3 of at least two chunks, given in order.
#[derive(Debug, Default)]
struct Subtrees {
    /// Roots of complete subtrees, the largest first. They match the set bits of `count`, except that the
    /// last merge waits until another chunk shows that it is not the root (BLAKE3 paper, section 5.1.2).
    stack: Vec<ChainingValue>,
    count: u64,
}

impl Subtrees {
    fn push(&mut self, chunk: ChainingValue) {
        while self.stack.len() > self.count.count_ones() as usize {
            self.merge();
        }
        self.stack.push(chunk);
        self.count += 1;
    }

    fn merge(&mut self) {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            self.stack
                .push(hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// The digest of the whole. None for fewer than two chunks.
    fn finish(mut self) -> Option<Hash> {
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
        fn chunks_join_to_the_checksums_of_the_whole(len in 1025..80_000_usize, power in 10..14_u32) {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let chunk = 1_usize << power;
            prop_assume!(len > chunk);
            let mut joined = GiantSums::default();
            for (n, bytes) in bytes.chunks(chunk).enumerate() {
                joined.push(&ChunkSums::of(bytes, (n * chunk) as u64, true));
            }
            let (joined, whole) = (joined.finish().unwrap(), Sums::of(&bytes));
            prop_assert_eq!((joined.crc32, joined.blake3), (whole.crc32, whole.blake3));
        }
    }

    #[test]
    fn one_chunk_alone_has_no_joined_digest() {
        let mut joined = GiantSums::default();
        joined.push(&ChunkSums::of(&[1; 1024], 0, true));
        assert!(joined.finish().is_none());
    }
}
