//! The options of a walk.

use super::Pattern;

/// What of a tree goes into the plan. The defaults are what `aws deploy push` does, and `.hoistignore` files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub struct Options {
    /// Whether files and directories whose name starts with a dot are left out. The source itself may be
    /// hidden.
    pub ignore_hidden: bool,
    /// The patterns of the command line, in their order: the last one that matches decides.
    pub patterns: Vec<Pattern>,
    /// Whether `.hoistignore` files decide where no pattern does.
    pub ignore_files: bool,
    /// What becomes of symbolic links.
    pub symlinks: Symlinks,
    /// Whether links may lead out of the source where [`Symlinks`] would refuse that.
    pub external_links: bool,
    /// Whether empty directories have entries.
    pub empty_dirs: bool,
    /// Which times entries have.
    pub times: Times,
    /// Whether names that are not UTF-8 are allowed.
    pub raw_names: bool,
    /// Whether pipes, sockets and devices are left out instead of refused.
    pub skip_special: bool,
    /// How many threads walk and sort. Zero counts as one.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ignore_hidden: false,
            patterns: Vec::new(),
            ignore_files: true,
            symlinks: Symlinks::default(),
            external_links: false,
            empty_dirs: false,
            times: Times::default(),
            raw_names: false,
            skip_special: false,
            threads: 1,
        }
    }
}

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Symlinks {
    /// The files that links lead to are packed, wherever they are. Links to directories are left out.
    #[default]
    Files,
    /// The files and directories that links lead to are packed. A link out of the source is an error.
    Follow,
    /// Links are packed as links. A link out of the source is an error.
    Preserve,
    /// Links are left out.
    Skip,
    /// A link is an error.
    Error,
}

/// Which times entries have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The files' own times, but none later than `latest`.
    Keep {
        /// Seconds since 1970, UTC.
        latest: Option<i64>,
    },
    /// This time for all entries, in seconds since 1970, UTC.
    Fixed(i64),
}

impl Default for Times {
    fn default() -> Self {
        Self::Keep { latest: None }
    }
}

impl Times {
    /// 1980-01-01T00:00:00Z, the first time that a zip can hold.
    pub const FIRST: i64 = 315_532_800;

    /// The time in the archive of a file with the time `secs`.
    pub(super) fn of(self, secs: i64) -> i64 {
        match self {
            Self::Keep { latest: None } => secs,
            Self::Keep {
                latest: Some(latest),
            } => secs.min(latest),
            Self::Fixed(secs) => secs,
        }
    }
}
