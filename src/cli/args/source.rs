//! What goes into a bundle: patterns, links, empty directories, times, names.

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use hoist::archive::plan::{self, BadPattern, Pattern, Symlinks, Times};

use crate::cli::Failure;

/// When everything is supposed to have been made: <https://reproducible-builds.org/specs/source-date-epoch/>.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The last second of the year 9999.
const LAST: i64 = 253_402_300_799;

#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Leave out files and directories whose name starts with a dot
    #[arg(long)]
    ignore_hidden_files: bool,

    /// Bundle them (the default)
    #[arg(long)]
    no_ignore_hidden_files: bool,

    #[command(flatten)]
    patterns: Patterns,

    /// Take .hoistignore files for files like any other
    #[arg(long)]
    no_hoistignore: bool,

    /// What to do with symbolic links [default: bundle what links to files lead to, leave links to
    /// directories out, with a warning]
    #[arg(long, value_name = "HOW", value_enum)]
    symlinks: Option<SymlinksArg>,

    /// With --symlinks follow or preserve: allow links that lead out of the source
    #[arg(long)]
    external_links: bool,

    /// Bundle directories that hold nothing, too
    #[arg(long)]
    empty_dirs: bool,

    /// Times of entries: those of the files, none after SOURCE_DATE_EPOCH if that is set; or all
    /// SOURCE_DATE_EPOCH, or else 1980
    #[arg(long, value_name = "TIMES", value_enum, default_value_t)]
    mtime: MtimeArg,

    /// Bundle names that are not UTF-8, byte for byte
    #[arg(long)]
    raw_names: bool,

    /// Leave pipes, sockets and devices out, with a warning, instead of failing
    #[arg(long)]
    skip_special: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SymlinksArg {
    /// Bundle what they lead to, directories too
    Follow,
    /// Bundle the links themselves
    Preserve,
    /// Leave them out, with a warning
    Skip,
    /// Fail if there is one
    Error,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum MtimeArg {
    #[default]
    Keep,
    Fixed,
}

impl SelectArgs {
    /// What the library is to know, for so many threads.
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
                     it, or say `export {SOURCE_DATE_EPOCH}=$(git log -1 --format=%ct)`"
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

fn epoch_of(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits)?;
    (0..=LAST).contains(&seconds).then_some(seconds)
}

/// `--exclude` and `--include`, in the order in which they were given, which derived arguments lose.
#[derive(Debug)]
struct Patterns(Vec<Pattern>);

/// The options as clap sees them.
#[derive(Args)]
struct PatternArgs {
    /// Leave out what GLOB matches, in gitignore's syntax; of all --exclude and --include that match, the
    /// last one decides [may be repeated]
    #[arg(long, value_name = "GLOB", value_parser = exclude)]
    exclude: Vec<Pattern>,

    /// Do not leave out what GLOB matches [may be repeated]
    #[arg(long, value_name = "GLOB", value_parser = include)]
    include: Vec<Pattern>,
}

fn exclude(glob: &str) -> Result<Pattern, String> {
    Pattern::exclude(glob).map_err(bad_pattern)
}

fn include(glob: &str) -> Result<Pattern, String> {
    Pattern::include(glob).map_err(bad_pattern)
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
        select: SelectArgs,
    }

    #[test]
    fn patterns_keep_their_order() {
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
        assert_eq!(only.select.patterns.0, expected);
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
}
