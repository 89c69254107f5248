//! What the commands are given: one group of options a file.

pub(crate) mod archive;
#[cfg(feature = "push")]
pub(crate) mod aws;
pub(crate) mod color;
pub(crate) mod descriptors;
pub(crate) mod source;
pub(crate) mod unknown;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use hoist::archive::deflate::Level;
use hoist::archive::limits::default_threads;
use hoist::archive::plan;

use self::archive::BundleTypeArgs;
use self::source::SelectArgs;
use super::Failure;
use super::render::timings::TimingArgs;

/// What goes into a bundle, and how.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// Directory to bundle; it must have an appspec.yml at its root to be pushed
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) source: PathBuf,

    #[command(flatten)]
    select: SelectArgs,

    /// Compression level: 0 (stores) to 12 (smallest), fast, default (6), best (12), or, to
    /// push, auto: it follows the link, and the bytes are not reproducible
    #[arg(long, value_name = "LEVEL", default_value = "default", value_parser = level)]
    pub(crate) level: LevelArg,

    /// Threads that read and compress [default: one for each core; on few cores, up to 8]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,

    #[command(flatten)]
    pub(crate) bundle_type: BundleTypeArgs,

    /// Write a manifest: a line of JSON for each entry, with its permissions, size, CRC-32 and
    /// BLAKE3, for hoist verify
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) timing: TimingArgs,

    /// Show no progress and no summary
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub(crate) quiet: bool,
}

impl BundleArgs {
    pub(crate) fn keep_manifest_apart(&self) -> Result<(), Failure> {
        match &self.manifest {
            Some(manifest) => keep_apart(&self.source, manifest, "--manifest"),
            None => Ok(()),
        }
    }

    /// What goes in.
    pub(crate) fn plan_options(&self) -> Result<plan::Options, Failure> {
        self.select.options(self.threads())
    }

    pub(crate) fn threads(&self) -> usize {
        descriptors::at_most(self.threads.unwrap_or_else(default_threads))
    }
}

/// What `--level` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LevelArg {
    Fixed(Level),
    /// As the link has it.
    Auto,
}

impl LevelArg {
    /// The level, when nothing is sent anywhere.
    pub(crate) fn fixed(self) -> Result<Level, Failure> {
        match self {
            Self::Fixed(level) => Ok(level),
            Self::Auto => Err(Failure::usage(
                "--level auto follows the link, and there is none; choose a level",
            )),
        }
    }

    #[cfg(feature = "push")]
    pub(crate) fn policy(self) -> hoist::archive::pack::LevelPolicy {
        match self {
            Self::Fixed(level) => level.into(),
            Self::Auto => hoist::archive::pack::LevelPolicy::Auto,
        }
    }
}

impl fmt::Display for LevelArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(level) => level.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

pub(crate) fn level(text: &str) -> Result<LevelArg, String> {
    if text == "auto" {
        return Ok(LevelArg::Auto);
    }
    let level = Level::named(text).map_err(|error| format!("{error}, or auto"))?;
    Ok(LevelArg::Fixed(level))
}

/// More threads than a machine has are allowed: what counts is memory.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 256;
    match text.parse() {
        Ok(threads @ 1..=MOST) => Ok(threads),
        _ => Err(format!("choose from 1 to {MOST}")),
    }
}

/// Refuses to write below the directory that is read: the output would be part of the input.
pub(crate) fn keep_apart(source: &Path, output: &Path, option: &str) -> Result<(), Failure> {
    let (Ok(source_dir), Some(output_dir)) = (fs::canonicalize(source), existing(output)) else {
        // Whoever opens them says what is wrong.
        return Ok(());
    };
    if output_dir.starts_with(&source_dir) {
        return Err(Failure::usage(format!(
            "{option} {} is inside the source {}; choose a place outside of it",
            output.display(),
            source.display()
        )));
    }
    Ok(())
}

/// `path`, resolved as far as it exists.
fn existing(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors()
        .find_map(|path| fs::canonicalize(path).ok())
}

#[cfg(test)]
mod tests {
    use super::super::Exit;
    use super::*;

    #[test]
    fn an_output_may_not_be_inside_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        for inside in ["x.zip", "not/there/x.zip", "../source/x.zip", ""] {
            let failure = keep_apart(&source, &source.join(inside), "--output").unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{inside}");
        }
        for outside in ["x.zip", "source.zip", "source-2/x.zip"] {
            keep_apart(&source, &dir.path().join(outside), "--output").unwrap();
        }
    }

    #[test]
    fn a_level_is_a_number_a_name_or_auto() {
        assert_eq!(level("auto"), Ok(LevelArg::Auto));
        assert_eq!(level("fast"), Ok(LevelArg::Fixed(Level::FAST)));
        let error = level("13").unwrap_err();
        assert!(
            error.contains("0 (store) to 12") && error.contains("auto"),
            "{error}"
        );
        assert_eq!(LevelArg::Auto.fixed().unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn threads_are_at_least_one() {
        assert_eq!(threads("256"), Ok(256));
        for bad in ["0", "257", "-1", "many"] {
            threads(bad).unwrap_err();
        }
    }
}
