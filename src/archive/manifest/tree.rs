//! The digest of a tree.
//!
//! It says whether two revisions hold the same files: names, kinds, permissions and contents, in
//! archive order. It leaves out times, levels and everything else that shapes the archive's bytes, so
//! it stays when only those change.

use blake3::Hash;

use super::{Entry, Kind};

/// The digest of a tree, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct TreeDigest(blake3::Hasher);

impl TreeDigest {
    /// Adds the next entry in archive order: length of its name (32 bits), name, permissions (32 bits;
    /// of what is no file with its type, as `st_mode` has it), size (64 bits) and the digest of its
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

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(&self) -> Hash {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_names_kinds_modes_sizes_and_contents() {
        let digest = |path: &[u8], kind, mode, size, content: &[u8]| {
            let mut tree = TreeDigest::default();
            tree.entry(&Entry {
                path,
                kind,
                mode,
                size,
                // Follows from the content.
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
