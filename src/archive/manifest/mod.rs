//! A list of what an archive contains, in lines of JSON, with which `hoist verify` compares a stored
//! archive later.
//!
//! ```text
//! {"format":"hoist-manifest","version":1}
//! {"path":"appspec.yml","kind":"file","mode":"0644","size":30,"crc32":"…","blake3":"…"}
//! …
//! {"entries":26,"content":11110,"digest":"blake3:…"}
//! ```
//!
//! There is one line for each entry, in archive order, which is that of the paths' bytes. The last line
//! has their number, the sum of their sizes and the [`TreeDigest`], so the reader notices a manifest that
//! was cut short, sorted or changed. (Only a changed CRC-32 shows later, in comparison with the archive.)
//! A path that is not UTF-8 is in `path_hex` instead of `path`. Times, the kind of archive and the level
//! are left out: the same tree has the same manifest. docs/manifest.md describes the format for users.
//!
//! It is written and read line by line, so memory is one line. The reader accepts only what the writer
//! writes, byte for byte. It never panics, and keeps at most [`MAX_LINE`] bytes.

mod file;
mod line;
mod read;
#[cfg(test)]
mod tests;
mod tree;
mod write;

use std::io;

use blake3::Hash;

pub use self::file::{Draft, Finished};
pub use self::read::Reader;
pub use self::tree::TreeDigest;
pub use self::write::Writer;

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// The most bytes of a line, its end included: a path of 4,096 bytes, each written as six, and the other
/// fields.
pub const MAX_LINE: usize = 32 << 10;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file.
    File,
    /// A symbolic link. Its content is its target.
    Symlink,
    /// A directory. It has no content, and its path ends in `/`.
    Directory,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name in the archive.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// The lower 12 bits of `st_mode`. Archives keep nine of them.
    pub mode: u32,
    /// Bytes of content.
    pub size: u64,
    /// CRC-32 of it.
    pub crc32: u32,
    /// BLAKE3 of it.
    pub blake3: Hash,
}

/// What all entries add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Number of entries.
    pub entries: u64,
    /// Bytes of all contents.
    pub content: u64,
    /// Digest of names, permissions and contents: equal for equal trees.
    pub digest: Hash,
}

/// Why a manifest cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line breaks a rule of the format.
    #[error("line {line}: {fault}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Fault {
    #[error("it is not the first line of a manifest, as hoist writes it")]
    Head,
    #[error("it is format version {0}, and this hoist reads {VERSION}; use the one that wrote it")]
    Version(u32),
    #[error("it is neither an entry nor the last line of a manifest, as hoist writes them")]
    Form,
    #[error("it is longer than {MAX_LINE} bytes")]
    Long,
    #[error("the manifest ends here, without its last line")]
    Cut,
    #[error("its path does not come after the one before, by its bytes")]
    Order,
    #[error("a directory's path, and no other, ends in '/', and it has no content")]
    Directory,
    #[error("its permissions are above 7777")]
    Mode,
    #[error("the sizes add up to more than there can be")]
    Sum,
    #[error("the entries above are not those that it adds up: something was changed or left out")]
    Totals,
    #[error("something follows the last line")]
    Trailing,
}

/// Adds up entries and checks their order, for the writer and the reader alike.
#[derive(Debug, Default)]
struct Tally {
    last: Vec<u8>,
    entries: u64,
    content: u64,
    tree: TreeDigest,
}

impl Tally {
    fn add(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        // `last` is empty before the first entry, so an empty path is refused too.
        if entry.path <= &self.last[..] {
            return Err(Fault::Order);
        }
        let is_directory = entry.kind == Kind::Directory;
        if is_directory != entry.path.ends_with(b"/") || (is_directory && entry.size > 0) {
            return Err(Fault::Directory);
        }
        if entry.mode > 0o7777 {
            return Err(Fault::Mode);
        }
        let content = self.content.checked_add(entry.size);
        self.content = content.ok_or(Fault::Sum)?;
        self.last.clear();
        self.last.extend_from_slice(entry.path);
        self.entries += 1;
        self.tree.entry(entry);
        Ok(())
    }

    fn totals(&self) -> Totals {
        Totals {
            entries: self.entries,
            content: self.content,
            digest: self.tree.finish(),
        }
    }
}
