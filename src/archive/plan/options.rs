//! How to look at a tree.

use super::Pattern;

/// How to look at a tree. The default is what `aws deploy push` does, and `.hoistignore` files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they have nothing to do with each other"
)]
pub struct Options {
    /// Leave out files and directories whose name starts with a dot. The source itself may be
    /// hidden.
    pub ignore_hidden: bool,
    /// What to leave out and what not, in this order: the last one that matches decides.
    pub patterns: Vec<Pattern>,
    /// Whether `.hoistignore` files say what to leave out, where no pattern does.
    pub ignore_files: bool,
    /// What to do with symbolic links.
    pub symlinks: Symlinks,
    /// Whether links may lead out of the source where that is refused otherwise.
    pub external_links: bool,
    /// Whether directories that hold nothing have entries.
    pub empty_dirs: bool,
    /// Which times entries have.
    pub times: Times,
    /// Whether names may be other than UTF-8.
    pub raw_names: bool,
    /// Whether pipes, sockets and devices are left out instead of refused.
    pub skip_special: bool,
    /// Threads that walk and sort. Zero counts as one.
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

/// What to do with symbolic links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Symlinks {
    /// Pack what links to files lead to, wherever that is; leave links to directories out.
    #[default]
    Files,
    /// Pack what all links lead to. A link out of the source is an error.
    Follow,
    /// Keep them as links. A link out of the source is an error.
    Preserve,
    /// Leave them out.
    Skip,
    /// Refuse them.
    Error,
}

/// Which times entries have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Those of the files; but none after the latest, if there is one.
    Keep {
        /// Seconds since 1970, UTC.
        latest: Option<i64>,
    },
    /// All this one, in seconds since 1970, UTC.
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

    /// The time in the archive of a file that has this one.
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
