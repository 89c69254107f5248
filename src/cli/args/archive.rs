//! Which archive a bundle becomes: format, level and threads; and the manifest beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use hoist::archive::deflate::Level;
use hoist::archive::limits::default_threads;
use hoist::archive::pack::LevelPolicy;
use hoist::bundle::Format;

use super::descriptors;
use super::source::keep_apart;
use crate::cli::Failure;

/// More threads than cores are allowed, since memory is what limits them.
const MOST_THREADS: usize = 256;

#[derive(Debug, Args)]
#[command(next_help_heading = "Archive")]
pub(crate) struct ArchiveArgs {
    #[command(flatten)]
    pub(crate) bundle_type: BundleTypeArgs,

    /// Compression level: a number from 0 (store) to 12 (smallest), fast, default (6) or best (12);
    /// push also takes auto, which follows the speed of the link, so that the archive's bytes are
    /// not reproducible
    #[arg(long, value_name = "LEVEL", default_value = "default", value_parser = level)]
    pub(crate) level: LevelPolicy,

    /// Number of threads that read and compress [default: one for each core, but at least 8
    /// (4 on one core) and at most 24]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,

    /// Write a manifest for hoist verify: one line of JSON for each entry, with its permissions,
    /// size, CRC-32 and BLAKE3
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

impl ArchiveArgs {
    pub(crate) fn keep_manifest_apart(&self, source: &Path) -> Result<(), Failure> {
        match &self.manifest {
            Some(manifest) => keep_apart(source, manifest, "--manifest"),
            None => Ok(()),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        descriptors::at_most(self.threads.unwrap_or_else(default_threads))
    }
}

#[derive(Debug, Args)]
pub(crate) struct BundleTypeArgs {
    /// Archive format: zip, tar or tgz [default: from the ending of the key or of the output file,
    /// else zip]
    #[arg(id = "bundle_type", long = "bundle-type", value_name = "TYPE", value_parser = format)]
    pub(crate) asked: Option<Format>,
}

impl BundleTypeArgs {
    /// The format of an archive with this name.
    pub(crate) fn format(&self, name: &str) -> Format {
        self.asked.unwrap_or_else(|| Format::of_name(name))
    }
}

pub(crate) fn format(text: &str) -> Result<Format, String> {
    let found = Format::ALL.into_iter().find(|format| format.name() == text);
    found.ok_or_else(|| "choose zip, tar or tgz".to_owned())
}

pub(crate) fn level(text: &str) -> Result<LevelPolicy, String> {
    if text == "auto" {
        return Ok(LevelPolicy::Auto);
    }
    let level = Level::named(text).map_err(|error| format!("{error}, or auto"))?;
    Ok(LevelPolicy::Fixed(level))
}

/// Refuses `--level auto`, for a command that sends nothing.
pub(crate) fn refuse_auto(level: LevelPolicy) -> Result<(), Failure> {
    match level {
        LevelPolicy::Fixed(_) => Ok(()),
        LevelPolicy::Auto => Err(Failure::usage(
            "--level auto follows the speed of an upload, and nothing is uploaded here; choose a level",
        )),
    }
}

/// As `--level` writes it.
pub(crate) fn level_name(level: LevelPolicy) -> String {
    match level {
        LevelPolicy::Fixed(level) => level.to_string(),
        LevelPolicy::Auto => "auto".to_owned(),
    }
}

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=MOST_THREADS) => Ok(threads),
        _ => Err(format!("choose from 1 to {MOST_THREADS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn the_option_decides_the_format_before_the_name_does() {
        let asked = |asked| BundleTypeArgs { asked };
        assert_eq!(asked(None).format("a/B.TGZ"), Format::Tgz);
        assert_eq!(asked(None).format("key"), Format::Zip);
        assert_eq!(asked(Some(Format::Tar)).format("a.tgz"), Format::Tar);
        assert_eq!(format("tar"), Ok(Format::Tar));
        for bad in ["ZIP", "tar.gz", "YAML", ""] {
            format(bad).unwrap_err();
        }
    }

    #[test]
    fn a_level_is_a_number_a_name_or_auto() {
        assert_eq!(level("auto"), Ok(LevelPolicy::Auto));
        assert_eq!(level("fast"), Ok(LevelPolicy::Fixed(Level::FAST)));
        let error = level("13").unwrap_err();
        assert!(
            error.contains("0 (store) to 12") && error.contains("auto"),
            "{error}"
        );
        let refused = refuse_auto(LevelPolicy::Auto).unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        refuse_auto(LevelPolicy::default()).unwrap();
    }

    #[test]
    fn threads_are_at_least_one() {
        assert_eq!(threads("256"), Ok(256));
        for bad in ["0", "257", "-1", "many"] {
            threads(bad).unwrap_err();
        }
    }
}
