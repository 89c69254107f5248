//! How hard to compress.

use std::fmt;

use libdeflater::{CompressionLvl, Compressor};

/// A compression level: 0 stores, 1 is the fastest, 12 makes the smallest archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level(u8);

/// ISA-L, which [`Level::FAST`] is in a build with the feature `isal`. [`Level::new`] refuses this number.
const ISAL: Level = Level(13);

/// A text that names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("choose 0 (store) to 12 (smallest), or fast, default or best")]
pub struct NoSuchLevel;

impl Level {
    /// No compression.
    pub const STORE: Self = Self(0);

    /// The fastest level that compresses.
    pub const FASTEST: Self = Self(1);

    /// The level of the smallest archives.
    pub const SMALLEST: Self = Self(12);

    /// The fastest choice: ISA-L with the feature `isal`, which is faster than level 1 on programs; without
    /// it, level 1.
    pub const FAST: Self = if cfg!(feature = "isal") {
        ISAL
    } else {
        Self::FASTEST
    };

    /// Another name of [`SMALLEST`](Self::SMALLEST).
    pub const BEST: Self = Self::SMALLEST;

    /// The level of this number. None above 12.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= Self::SMALLEST.0 {
            Some(Self(level))
        } else {
            None
        }
    }

    /// The level of this name or number: `fast`, `default`, `best`, or 0 to 12.
    ///
    /// # Errors
    ///
    /// [`NoSuchLevel`] for anything else.
    pub fn named(text: &str) -> Result<Self, NoSuchLevel> {
        match text {
            "fast" => Ok(Self::FAST),
            "default" => Ok(Self::default()),
            "best" => Ok(Self::BEST),
            // No sign and no leading zeros.
            number if number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let level = number.parse().ok().and_then(Self::new);
                level.ok_or(NoSuchLevel)
            }
            _ => Err(NoSuchLevel),
        }
    }

    /// Its number, 0 to 12. ISA-L counts as level 1.
    pub fn get(self) -> u8 {
        if self == ISAL {
            Self::FASTEST.0
        } else {
            self.0
        }
    }

    /// A libdeflate compressor of this level; none for level 0.
    pub(super) fn compressor(self) -> Option<Compressor> {
        if self == Self::STORE {
            return None;
        }
        // libdeflate has all levels that `new` accepts.
        CompressionLvl::new(i32::from(self.0))
            .ok()
            .map(Compressor::new)
    }
}

/// In the form that [`Level::named`] reads: a number, or `fast` for ISA-L.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == ISAL {
            return f.write_str("fast");
        }
        self.0.fmt(f)
    }
}

/// The fastest level whose archives are no larger than those of `aws deploy push`, which uses zlib's
/// level 6, give or take half a percent: by 0.2% larger on the Rust toolchain's `share/doc`, 0.4% on
/// WordPress, 0.7% smaller on the toolchain's `lib` and `bin`. Level 5 takes an eighth less time for
/// 1% more.
impl Default for Level {
    fn default() -> Self {
        Self(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_0_to_12_and_all_but_0_have_a_compressor() {
        for number in 0..=12 {
            let level = Level::new(number).unwrap();
            assert_eq!(level.get(), number);
            assert_eq!(level.compressor().is_some(), number > 0);
        }
        assert_eq!((Level::new(13), Level::new(255)), (None, None));
    }

    #[test]
    fn levels_have_names_and_numbers() {
        for (name, level) in [
            ("fast", 1),
            ("default", 6),
            ("best", 12),
            ("0", 0),
            ("12", 12),
        ] {
            assert_eq!(Level::named(name).map(Level::get), Ok(level), "{name}");
        }
        for name in ["13", "-1", "+1", "", "Fast", "auto", "1.5", "001", " 1"] {
            assert_eq!(Level::named(name), Err(NoSuchLevel), "{name}");
        }
    }

    #[test]
    fn a_level_is_shown_in_the_form_that_named_reads() {
        for level in [Level::STORE, Level::FAST, Level::default(), Level::BEST] {
            assert_eq!(Level::named(&level.to_string()), Ok(level));
        }
        assert_eq!(cfg!(feature = "isal"), Level::FAST != Level::FASTEST);
    }
}
