//! One entry as the caller describes it, and the values of its header fields. Both headers take the values
//! from here, so that they agree.

use super::time;

/// Values from this one on do not fit a 32-bit field, and go into the zip64 extra (4.5.3).
pub(super) const LIMIT_32: u64 = u32::MAX as u64;

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// How an entry's data is stored (4.4.5). CodeDeploy's agents read no other method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Not compressed.
    Stored,
    /// A raw deflate stream.
    Deflate,
}

impl Method {
    pub(super) fn id(self) -> u16 {
        match self {
            Method::Stored => 0,
            Method::Deflate => 8,
        }
    }
}

/// What the headers say of one file, directory or symbolic link.
///
/// The name has passed [`check_name`](super::check_name). A name that ends in `/` is a directory, which is
/// always [`Method::Stored`] and empty. A symbolic link's data is its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path inside the archive, components joined by `/`.
    pub name: &'a [u8],
    /// `st_mode`. Its file type and nine permission bits are written, without setuid, setgid and sticky
    /// bit. Zero means unknown and becomes 0644, or 0755 for a directory, since readers would restore
    /// permissions of zero.
    pub mode: u32,
    /// Modification time in seconds since 1970, UTC.
    pub mtime: i64,
    /// How the data is stored.
    pub method: Method,
}

impl Entry<'_> {
    pub(super) fn is_directory(&self) -> bool {
        self.name.ends_with(b"/")
    }

    /// Version needed to extract, times ten (4.4.3.2).
    pub(super) fn version_needed(&self, zip64: bool) -> u16 {
        match self.method {
            _ if zip64 => 45,
            Method::Stored if !self.is_directory() => 10,
            Method::Stored | Method::Deflate => 20,
        }
    }

    /// General purpose flags (4.4.4): bit 11 if the name is UTF-8 and not ASCII. Readers restore a name that
    /// is not UTF-8 byte for byte.
    pub(super) fn flags(&self) -> u16 {
        if self.name.is_ascii() || std::str::from_utf8(self.name).is_err() {
            0
        } else {
            1 << 11
        }
    }

    /// External attributes (4.4.15) of a Unix host: `st_mode` in the upper
    /// half, the MS-DOS directory bit in the lower.
    pub(super) fn external_attributes(&self) -> u32 {
        let directory = self.is_directory();
        let kind = match self.mode & S_IFMT {
            _ if directory => S_IFDIR,
            S_IFLNK => S_IFLNK,
            _ => S_IFREG,
        };
        let permissions = match self.mode {
            0 if directory => 0o755,
            0 => 0o644,
            mode => mode & 0o777,
        };
        (kind | permissions) << 16 | if directory { 0x10 } else { 0 }
    }

    /// Date and time of 4.4.6 as one little-endian field of four bytes.
    pub(super) fn dos_time(&self) -> u32 {
        time::dos(self.mtime)
    }

    /// The time for an extended timestamp, which both headers have, or neither.
    ///
    /// A name that is not ASCII gets no such field: in a C locale, Info-ZIP unzip renames an entry with any
    /// extra field to `caf#U00e9`.
    pub(super) fn timestamp(&self) -> Option<i32> {
        let mtime = i32::try_from(self.mtime).ok()?;
        self.name.is_ascii().then_some(mtime)
    }
}

/// Whether a size or an offset needs the zip64 extra of a central header.
#[must_use]
pub fn is_far(offset: u64) -> bool {
    offset >= LIMIT_32
}

/// CRC-32 and sizes of an entry, and whether the sizes are in a zip64 extra.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    crc32: u32,
    compressed: u64,
    uncompressed: u64,
    zip64: bool,
}

impl Sizes {
    /// Sizes of an entry that was compressed. They are zip64 if one of them needs it.
    #[must_use]
    pub fn known(crc32: u32, compressed: u64, uncompressed: u64) -> Self {
        Sizes {
            crc32,
            compressed,
            uncompressed,
            zip64: compressed.max(uncompressed) >= LIMIT_32,
        }
    }

    /// Sizes of an entry that is not compressed yet, whose header must keep its length. CRC and compressed
    /// size are zero for now, and the sizes are zip64 if `worst_case_compressed` needs it.
    #[must_use]
    pub fn open(uncompressed: u64, worst_case_compressed: u64) -> Self {
        Sizes {
            crc32: 0,
            compressed: 0,
            uncompressed,
            zip64: worst_case_compressed.max(uncompressed) >= LIMIT_32,
        }
    }

    /// Fills in what [`open`](Self::open) left out. `compressed` must not exceed the worst case.
    #[must_use]
    pub fn close(self, crc32: u32, compressed: u64) -> Self {
        debug_assert!(self.zip64 || compressed < LIMIT_32, "worst case exceeded");
        Sizes {
            crc32,
            compressed,
            ..self
        }
    }

    /// CRC-32 of the uncompressed data (4.4.7).
    #[must_use]
    pub fn crc32(&self) -> u32 {
        self.crc32
    }

    /// Bytes of data in the archive (4.4.8).
    #[must_use]
    pub fn compressed(&self) -> u64 {
        self.compressed
    }

    /// Bytes of data once extracted (4.4.9).
    #[must_use]
    pub fn uncompressed(&self) -> u64 {
        self.uncompressed
    }

    /// Whether both sizes are in the zip64 extra, in either header.
    #[must_use]
    pub fn zip64(&self) -> bool {
        self.zip64
    }

    /// The 32-bit field for a size: its value, or the sentinel.
    pub(super) fn field(&self, size: u64) -> u32 {
        if self.zip64 {
            u32::MAX
        } else {
            saturated(size)
        }
    }
}

/// A value for a 32-bit field, or the field's sentinel.
pub(super) fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, mode: u32) -> Entry<'_> {
        Entry {
            name: name.as_bytes(),
            mode,
            mtime: 0,
            method: Method::Stored,
        }
    }

    #[test]
    fn attributes_have_only_the_file_type_and_the_permissions() {
        let attributes = |name, mode| entry(name, mode).external_attributes();
        assert_eq!(attributes("f", 0o104_755), 0o100_755 << 16);
        assert_eq!(attributes("f", 0o100_000), 0o100_000 << 16);
        assert_eq!(attributes("l", 0o120_777), 0o120_777 << 16);
        assert_eq!(attributes("d/", 0o043_775), 0o040_775 << 16 | 0x10);
    }

    #[test]
    fn an_unknown_mode_becomes_0644_or_0755() {
        let attributes = |name, mode| entry(name, mode).external_attributes();
        assert_eq!(attributes("f", 0), 0o100_644 << 16);
        assert_eq!(attributes("d/", 0), 0o040_755 << 16 | 0x10);
        // Permissions without a type, and types that a bundle cannot hold.
        assert_eq!(attributes("f", 0o700), 0o100_700 << 16);
        assert_eq!(attributes("fifo", 0o010_600), 0o100_600 << 16);
        // The name decides what is a directory.
        assert_eq!(attributes("f", 0o040_755), 0o100_755 << 16);
        assert_eq!(attributes("d/", 0o100_644), 0o040_644 << 16 | 0x10);
    }

    #[test]
    fn the_version_needed_is_the_lowest_that_suffices() {
        let deflated = Entry {
            method: Method::Deflate,
            ..entry("f", 0)
        };
        assert_eq!(entry("f", 0).version_needed(false), 10);
        assert_eq!(entry("d/", 0).version_needed(false), 20);
        assert_eq!(deflated.version_needed(false), 20);
        assert_eq!(entry("f", 0).version_needed(true), 45);
        assert_eq!(deflated.version_needed(true), 45);
    }

    #[test]
    fn bit_11_is_for_utf8_that_is_not_ascii() {
        assert_eq!(entry("cafe", 0).flags(), 0);
        assert_eq!(entry("café", 0).flags(), 0x800);
        let raw = Entry {
            name: b"caf\xe9",
            ..entry("", 0)
        };
        assert_eq!(raw.flags(), 0);
    }

    #[test]
    fn the_extended_timestamp_needs_an_ascii_name_and_31_bits() {
        let at = |name, mtime| Entry {
            mtime,
            ..entry(name, 0)
        };
        let (first, last) = (i64::from(i32::MIN), i64::from(i32::MAX));
        assert_eq!(at("f", first).timestamp(), Some(i32::MIN));
        assert_eq!(at("f", last).timestamp(), Some(i32::MAX));
        assert_eq!(at("f", first - 1).timestamp(), None);
        assert_eq!(at("f", last + 1).timestamp(), None);
        assert_eq!(at("é", 0).timestamp(), None);
    }

    #[test]
    fn sizes_are_zip64_from_the_sentinel_on() {
        for (size, zip64) in [
            (0xFFFF_FFFE, false),
            (0xFFFF_FFFF, true),
            (0x1_0000_0000, true),
        ] {
            assert_eq!(Sizes::known(0, size, 1).zip64(), zip64);
            assert_eq!(Sizes::known(0, 1, size).zip64(), zip64);
            assert_eq!(Sizes::open(1, size).zip64(), zip64);
            assert_eq!(Sizes::open(size, 1).zip64(), zip64);
        }
    }

    #[test]
    fn closed_sizes_stay_zip64() {
        let sizes = Sizes::open(10, LIMIT_32).close(7, 12);
        assert_eq!((sizes.crc32(), sizes.compressed()), (7, 12));
        assert_eq!((sizes.uncompressed(), sizes.zip64()), (10, true));
        assert_eq!(Sizes::open(10, 20).close(7, 12), Sizes::known(7, 12, 10));
    }
}
