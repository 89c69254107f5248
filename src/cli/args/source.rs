//! What goes into a bundle: the directory, patterns, links, empty directories, times and names.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use hoist::archive::plan::{self, BadPattern, Pattern, Symlinks, Times};
use hoist::error::shown;

use crate::cli::Failure;

/// The latest time that an entry may have: <https://reproducible-builds.org/specs/source-date-epoch/>.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The last second of the year 9999.
const LAST: i64 = 253_402_300_799;

#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Directory to bundle; to be deployed it must have an appspec.yml at its root
    #[arg(
        id = "source",
        long = "source",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) dir: PathBuf,

    #[command(flatten)]
    patterns: Patterns,

    /// Leave out files and directories whose name starts with a dot
    #[arg(long)]
    ignore_hidden_files: bool,

    /// Bundle files and directories whose name starts with a dot (the default)
    #[arg(long)]
    no_ignore_hidden_files: bool,

    /// Do not apply .hoistignore files, and bundle them like any other file
    #[arg(long)]
    no_hoistignore: bool,

    /// What to do with symbolic links [default: bundle the files that links point to, and leave
    /// out links to directories with a warning]
    #[arg(long, value_name = "HOW", value_enum)]
    symlinks: Option<SymlinksArg>,

    /// With --symlinks follow or preserve: allow links that point outside the source
    #[arg(long)]
    external_links: bool,

    /// Bundle empty directories as well
    #[arg(long)]
    empty_dirs: bool,

    /// Which modification times the entries get
    #[arg(long, value_name = "TIMES", value_enum, default_value_t)]
    mtime: MtimeArg,

    /// Bundle names that are not UTF-8 byte for byte, instead of failing
    #[arg(long)]
    raw_names: bool,

    /// Leave out pipes, sockets and devices with a warning, instead of failing
    #[arg(long)]
    skip_special: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SymlinksArg {
    /// Bundle what links point to, directories included
    Follow,
    /// Bundle the links themselves
    Preserve,
    /// Leave links out, with a warning
    Skip,
    /// Fail if there is a link
    Error,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum MtimeArg {
    /// The file's own time, or SOURCE_DATE_EPOCH if that is set and earlier
    #[default]
    Keep,
    /// SOURCE_DATE_EPOCH for every entry, or 1980-01-01 if that is not set
    Fixed,
}

impl SourceArgs {
    /// The plan's options, when `threads` threads list the source.
    pub(crate) fn options(&self, threads: usize) -> Result<plan::Options, Failure> {
        if self.ignore_hidden_files && self.no_ignore_hidden_files {
            return Err(Failure::usage(
                "You cannot specify both --ignore-hidden-files and --no-ignore-hidden-files.",
            ));
        }
        let epoch = std::env::var_os(SOURCE_DATE_EPOCH);
        let epoch = epoch.map(|text| {
            epoch_of(&text.to_string_lossy()).ok_or_else(|| {
                Failure::usage(format!(
                    "{SOURCE_DATE_EPOCH} is {text:?}: it must be a number of seconds since 1970; unset \
                     it, or run `export {SOURCE_DATE_EPOCH}=$(git log -1 --format=%ct)`"
                ))
            })
        });
        let epoch = epoch.transpose()?;
        Ok(plan::Options {
            ignore_hidden: self.ignore_hidden_files,
            threads,
            patterns: self.patterns.0.clone(),
            ignore_files: !self.no_hoistignore,
            symlinks: match self.symlinks {
                None => Symlinks::Files,
                Some(SymlinksArg::Follow) => Symlinks::Follow,
                Some(SymlinksArg::Preserve) => Symlinks::Preserve,
                Some(SymlinksArg::Skip) => Symlinks::Skip,
                Some(SymlinksArg::Error) => Symlinks::Error,
            },
            external_links: self.external_links,
            empty_dirs: self.empty_dirs,
            times: match self.mtime {
                MtimeArg::Keep => Times::Keep { latest: epoch },
                MtimeArg::Fixed => Times::Fixed(epoch.unwrap_or(Times::FIRST)),
            },
            raw_names: self.raw_names,
            skip_special: self.skip_special,
        })
    }
}

/// Refuses to write below the directory that is read: the output would be part of the input.
pub(crate) fn keep_apart(source: &Path, output: &Path, option: &str) -> Result<(), Failure> {
    let (Ok(source_dir), Some(output_dir)) = (fs::canonicalize(source), existing(output)) else {
        // Opening them fails later, with a better message.
        return Ok(());
    };
    if output_dir.starts_with(&source_dir) {
        return Err(Failure::usage(format!(
            "{option} {} is inside the source {}; choose a place outside of it",
            shown(output),
            shown(source)
        )));
    }
    Ok(())
}

/// Resolves as much of `path` as exists.
fn existing(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors()
        .find_map(|path| fs::canonicalize(path).ok())
}

fn epoch_of(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits)?;
    (0..=LAST).contains(&seconds).then_some(seconds)
}

/// `--exclude` and `--include` in the order in which they were given, which clap's derived arguments
/// do not keep.
#[derive(Debug)]
struct Patterns(Vec<Pattern>);

/// The two options as clap derives them.
#[derive(Args)]
struct PatternArgs {
    /// Leave out what GLOB matches (gitignore syntax); if several --exclude and --include match a
    /// path, the last one decides [may be repeated]
    #[arg(long, value_name = "GLOB", value_parser = OsStringValueParser::new().try_map(exclude))]
    exclude: Vec<Pattern>,

    /// Bundle what GLOB matches, although an earlier --exclude or a .hoistignore file leaves it out
    /// [may be repeated]
    #[arg(long, value_name = "GLOB", value_parser = OsStringValueParser::new().try_map(include))]
    include: Vec<Pattern>,
}

// Names can have any bytes, and so can patterns.
fn exclude(glob: OsString) -> Result<Pattern, String> {
    Pattern::exclude(glob.as_encoded_bytes()).map_err(bad_pattern)
}

fn include(glob: OsString) -> Result<Pattern, String> {
    Pattern::include(glob.as_encoded_bytes()).map_err(bad_pattern)
}

fn bad_pattern(error: BadPattern) -> String {
    match error {
        BadPattern::Negated => format!("{error}; to bring names back, use --include"),
        error => error.to_string(),
    }
}

impl Args for Patterns {
    fn augment_args(command: Command) -> Command {
        PatternArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        PatternArgs::augment_args_for_update(command)
    }
}

impl FromArgMatches for Patterns {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let PatternArgs { exclude, include } = PatternArgs::from_arg_matches(matches)?;
        let places = ["exclude", "include"].map(|name| matches.indices_of(name));
        let places = places.into_iter().flatten().flatten();
        let mut placed: Vec<_> = places.zip(exclude.into_iter().chain(include)).collect();
        placed.sort_by_key(|(place, _)| *place);
        Ok(Self(
            placed.into_iter().map(|(_, pattern)| pattern).collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(args_override_self = true)]
    struct Only {
        #[command(flatten)]
        source: SourceArgs,
    }

    #[test]
    fn patterns_keep_the_order_of_the_command_line() {
        let words = "x --include a --exclude b --exclude c --include d --exclude e";
        let only = Only::try_parse_from(words.split(' ')).unwrap();
        let expected = [
            Pattern::include("a"),
            Pattern::exclude("b"),
            Pattern::exclude("c"),
            Pattern::include("d"),
            Pattern::exclude("e"),
        ];
        let expected: Vec<_> = expected.into_iter().map(Result::unwrap).collect();
        assert_eq!(only.source.patterns.0, expected);
    }

    #[test]
    fn an_epoch_is_a_number_of_seconds() {
        assert_eq!(epoch_of("0"), Some(0));
        assert_eq!(epoch_of("1705320001"), Some(1_705_320_001));
        assert_eq!(epoch_of("253402300799"), Some(LAST));
        for bad in [
            "",
            " 1",
            "1 ",
            "+1",
            "-1",
            "1.5",
            "now",
            "253402300800",
            "99999999999999999999",
        ] {
            assert_eq!(epoch_of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_output_inside_the_source_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        for inside in ["x.zip", "not/there/x.zip", "../source/x.zip", ""] {
            let failure = keep_apart(&source, &source.join(inside), "--output").unwrap_err();
            assert_eq!(failure.exit, crate::cli::Exit::Usage, "{inside}");
        }
        for outside in ["x.zip", "source.zip", "source-2/x.zip"] {
            keep_apart(&source, &dir.path().join(outside), "--output").unwrap();
        }
    }
}
