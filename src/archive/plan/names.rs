//! Stores millions of names without an allocation for each.
//!
//! Names are copied into blocks that never move or grow. A reference to a name takes 8 bytes, instead of
//! the 24 bytes of a vector and the overhead of its allocation.

/// Bytes in a block. A name never spans two blocks.
const BLOCK: usize = 256 << 10;

/// Bits of [`NameRef::place`] that hold a length; the others hold where the name starts.
const LEN_BITS: u32 = 14;

/// The longest name that fits a [`NameRef`], in bytes.
pub(super) const MAX_NAME: usize = (1 << LEN_BITS) - 1;

/// The position of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameRef {
    block: u32,
    /// Start in the upper 18 bits, length in the lower 14.
    place: u32,
}

const _: () = assert!(BLOCK <= 1 << (32 - LEN_BITS), "starts fit their bits");

/// Names, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct NameBlocks(Vec<Vec<u8>>);

impl NameBlocks {
    /// Adds a copy of `name`, followed by a copy of `tail`. Returns None if both together are longer than
    /// [`MAX_NAME`], or if there are 1 PiB of names.
    pub(super) fn push(&mut self, name: &[u8], tail: &[u8]) -> Option<NameRef> {
        let all = name.len() + tail.len();
        let len = u32::try_from(name.len()).ok().filter(|_| all <= MAX_NAME)?;
        if self.0.last().is_none_or(|block| block.len() + all > BLOCK) {
            self.0.push(Vec::with_capacity(BLOCK));
        }
        let block = u32::try_from(self.0.len() - 1).ok()?;
        let bytes = self.0.last_mut()?;
        let start = u32::try_from(bytes.len()).ok()?;
        if start >> (32 - LEN_BITS) != 0 {
            // Only an empty name at the end of a full block reaches this.
            return None;
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(tail);
        Some(NameRef {
            block,
            place: start << LEN_BITS | len,
        })
    }

    /// The name for which [`push`](Self::push) returned `name`.
    pub(super) fn get(&self, name: NameRef) -> &[u8] {
        let start = (name.place >> LEN_BITS) as usize;
        let len = name.place as usize & MAX_NAME;
        &self.0[name.block as usize][start..start + len]
    }

    /// The first `len` bytes of its tail.
    pub(super) fn tail(&self, name: NameRef, len: usize) -> &[u8] {
        let end = (name.place >> LEN_BITS) as usize + (name.place as usize & MAX_NAME);
        &self.0[name.block as usize][end..end + len]
    }

    /// Moves all names of `other` to the end. Returns what to pass to [`NameRef::moved`].
    pub(super) fn append(&mut self, mut other: Self) -> Option<u32> {
        let by = u32::try_from(self.0.len()).ok()?;
        self.0.append(&mut other.0);
        Some(by)
    }
}

impl NameRef {
    /// The reference to the same name after its blocks were appended to `by` others.
    pub(super) fn moved(self, by: u32) -> Self {
        Self {
            block: self.block + by,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_reference_in_any_block() {
        let mut names = NameBlocks::default();
        let of = |n: usize| format!("{n}-").repeat(1 + n % 400).into_bytes();
        let refs: Vec<_> = (0..2000)
            .map(|n| names.push(&of(n), b"tail").unwrap())
            .collect();
        assert!(names.0.len() > 2, "several blocks");
        let mut all = NameBlocks::default();
        all.push(b"first", b"").unwrap();
        let by = all.append(names).unwrap();
        for (n, name) in refs.into_iter().enumerate() {
            assert_eq!(all.get(name.moved(by)), of(n));
            assert_eq!(all.tail(name.moved(by), 4), b"tail");
        }
    }

    #[test]
    fn a_name_longer_than_the_limit_is_refused() {
        let mut names = NameBlocks::default();
        assert!(names.push(&[b'a'; MAX_NAME], b"").is_some());
        assert_eq!(names.push(&[b'a'; MAX_NAME + 1], b""), None);
        assert_eq!(names.push(&[b'a'; MAX_NAME], b"t"), None);
    }
}
