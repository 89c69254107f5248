//! The digest of a tree, by which two revisions with the same files are recognised.
//!
//! It covers names, kinds, permissions and contents, in archive order. It leaves out times, the level and
//! all else that changes only the archive's bytes.

use blake3::Hash;

use super::{Entry, Kind};

/// The digest of a tree, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct TreeDigest(blake3::Hasher);

impl TreeDigest {
    /// Adds the next entry in archive order: length of its name (32 bits), name, permissions (32 bits;
    /// for links and directories with the file type of `st_mode`), size (64 bits) and the BLAKE3 of its
    /// content. Numbers are little-endian.
    pub fn entry(&mut self, entry: &Entry<'_>) {
        let len = u32::try_from(entry.path.len()).unwrap_or(u32::MAX);
        let kind = match entry.kind {
            Kind::File => 0,
            Kind::Symlink => 0o120_000,
            Kind::Directory => 0o040_000,
        };
        self.0
            .update(&len.to_le_bytes())
            .update(entry.path)
            .update(&(entry.mode | kind).to_le_bytes())
            .update(&entry.size.to_le_bytes())
            .update(entry.blake3.as_bytes());
    }

    /// The digest of all entries so far.
    #[must_use]
    pub fn finish(&self) -> Hash {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_covers_names_kinds_modes_sizes_and_contents() {
        let digest = |path: &[u8], kind, mode, size, content: &[u8]| {
            let mut tree = TreeDigest::default();
            tree.entry(&Entry {
                path,
                kind,
                mode,
                size,
                // Not part of the digest.
                crc32: 0,
                blake3: blake3::hash(content),
            });
            tree.finish()
        };
        let first = digest(b"a", Kind::File, 0o644, 1, b"x");
        assert_eq!(first, digest(b"a", Kind::File, 0o644, 1, b"x"));
        for other in [
            digest(b"b", Kind::File, 0o644, 1, b"x"),
            digest(b"a", Kind::Symlink, 0o644, 1, b"x"),
            digest(b"a", Kind::Directory, 0o644, 1, b"x"),
            digest(b"a", Kind::File, 0o755, 1, b"x"),
            digest(b"a", Kind::File, 0o644, 2, b"x"),
            digest(b"a", Kind::File, 0o644, 1, b"y"),
        ] {
            assert_ne!(first, other);
        }
    }
}
