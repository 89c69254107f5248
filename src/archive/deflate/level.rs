//! How hard to compress.

use std::fmt;

use libdeflater::{CompressionLvl, Compressor};

/// A compression level: 0 stores, 1 is the fastest, 12 makes the smallest archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level(u8);

/// ISA-L, which [`Level::FAST`] is in a build with the feature `isal`. [`Level::new`] refuses this number.
const ISAL: Level = Level(13);

/// A level that is not between 0 and 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no compression level {0}; choose one from 0 (store) to 12 (smallest)")]
pub struct LevelError(u8);

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

    /// The level of this number.
    ///
    /// # Errors
    ///
    /// [`LevelError`] above 12.
    pub fn new(level: u8) -> Result<Self, LevelError> {
        if level > Self::SMALLEST.0 {
            return Err(LevelError(level));
        }
        Ok(Self(level))
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
                let level = number.parse().ok().and_then(|level| Self::new(level).ok());
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
    fn levels_are_0_to_12() {
        for level in 0..=12 {
            assert_eq!(Level::new(level).map(Level::get), Ok(level));
        }
        assert_eq!(Level::new(13), Err(LevelError(13)));
        assert_eq!(Level::new(255), Err(LevelError(255)));
    }

    #[test]
    fn levels_have_names() {
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
    fn a_level_is_shown_as_it_is_named() {
        for level in [Level::STORE, Level::FAST, Level::default(), Level::BEST] {
            assert_eq!(Level::named(&level.to_string()), Ok(level));
        }
        assert_eq!(cfg!(feature = "isal"), Level::FAST != Level::FASTEST);
    }

    #[test]
    fn every_level_but_0_has_a_compressor() {
        for level in 0..=12 {
            assert_eq!(
                Level(level).compressor().is_some(),
                level > 0,
                "level {level}"
            );
        }
    }
}
