//! The command line: arguments, text, exit codes. One file a command.
//!
//! Results go to standard output, everything else to standard error. The messages that
//! `aws deploy push` has are its own, word for word, so that scripts that look for them go on
//! working.

#[cfg(feature = "push")]
mod access;
mod bench;
mod bundle_type;
#[cfg(feature = "push")]
mod clean;
mod color;
#[cfg(feature = "push")]
mod debug;
mod describe;
mod descriptors;
mod diagnostic;
mod exit;
#[cfg(feature = "push")]
mod github;
mod lint;
#[cfg(feature = "push")]
mod object;
mod pack;
#[cfg(feature = "push")]
mod paramfile;
mod progress;
#[cfg(feature = "push")]
mod push;
#[cfg(feature = "push")]
mod recovery;
#[cfg(feature = "push")]
mod register;
#[cfg(feature = "push")]
mod report;
mod select;
#[cfg(feature = "push")]
mod sending;
#[cfg(feature = "local")]
mod serve;
mod signals;
mod timings;
mod unknown;
#[cfg(feature = "push")]
mod verify;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use hoist::archive::deflate::Level;
use hoist::archive::limits::default_threads;
use hoist::archive::plan;

use self::bundle_type::BundleTypeArgs;
pub(crate) use self::exit::Exit;
use self::progress::say;
use self::select::SelectArgs;
use self::timings::TimingArgs;

/// Push AWS CodeDeploy revisions: a directory becomes a zip on all cores and streams to S3 while it
/// is made.
#[derive(Debug, Parser)]
#[command(
    name = "hoist",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bundle a directory, upload it to Amazon S3 and register it as a revision with AWS CodeDeploy
    #[cfg(feature = "push")]
    #[command(args_override_self = true)]
    Push(Box<push::PushArgs>),
    /// Register an object that is in Amazon S3 already as a revision with AWS CodeDeploy
    #[cfg(feature = "push")]
    #[command(args_override_self = true)]
    Register(Box<register::RegisterArgs>),
    /// Read an archive back, from Amazon S3 or the disk, and check every byte of it
    #[cfg(feature = "push")]
    #[command(args_override_self = true)]
    Verify(Box<verify::VerifyArgs>),
    /// Abort multipart uploads that nobody will finish, and free their parts
    #[cfg(feature = "push")]
    #[command(args_override_self = true)]
    Clean(Box<clean::CleanArgs>),
    /// Bundle a directory into a local archive, byte for byte what push uploads
    Pack(pack::PackArgs),
    /// Check an AppSpec file: what an agent would refuse, and what would surprise
    #[command(args_override_self = true)]
    Lint(lint::LintArgs),
    /// Measure the pipeline on a directory: where the time goes, and what would move it
    Bench(bench::BenchArgs),
    /// Print what a shell needs to complete arguments
    Completions(describe::CompletionsArgs),
    /// Print the manual page
    Man(describe::ManArgs),
    /// Serve Amazon S3 and AWS CodeDeploy from a directory, on this machine only
    #[cfg(feature = "local")]
    Serve(serve::ServeArgs),
}

/// What goes into a bundle, and how.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// Directory to bundle; it must have an appspec.yml at its root to be pushed
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,

    #[command(flatten)]
    select: SelectArgs,

    /// Compression level: 0 (stores) to 12 (smallest), fast, default (6), best (12), or, to
    /// push, auto: it follows the link, and the bytes are not reproducible
    #[arg(long, value_name = "LEVEL", default_value = "default", value_parser = level)]
    level: LevelArg,

    /// Threads that read and compress [default: one for each core; on few cores, up to 8]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,

    #[command(flatten)]
    bundle_type: BundleTypeArgs,

    /// Write a manifest: a line of JSON for each entry, with its permissions, size, CRC-32 and
    /// BLAKE3, for hoist verify
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    #[command(flatten)]
    timing: TimingArgs,

    /// Show no progress and no summary
    #[arg(short, long, action = ArgAction::SetTrue)]
    quiet: bool,
}

impl BundleArgs {
    fn keep_manifest_apart(&self) -> Result<(), Failure> {
        match &self.manifest {
            Some(manifest) => keep_apart(&self.source, manifest, "--manifest"),
            None => Ok(()),
        }
    }

    /// What goes in.
    fn plan_options(&self) -> Result<plan::Options, Failure> {
        self.select.options(self.threads())
    }

    fn threads(&self) -> usize {
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

    /// The level to begin with.
    #[cfg(feature = "push")]
    pub(crate) fn start(self) -> Level {
        match self {
            Self::Fixed(level) => level,
            // Another is chosen before anything is compressed.
            Self::Auto => Level::default(),
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
fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 256;
    match text.parse() {
        Ok(threads @ 1..=MOST) => Ok(threads),
        _ => Err(format!("choose from 1 to {MOST}")),
    }
}

/// Why a command ends without success: what to say, and how to exit.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    lines: Vec<String>,
}

impl Failure {
    fn new(exit: Exit, text: impl ToString) -> Self {
        Self {
            exit,
            lines: vec![text.to_string()],
        }
    }

    fn usage(text: impl ToString) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// All was said already.
    fn silent(exit: Exit) -> Self {
        Self {
            exit,
            lines: Vec::new(),
        }
    }

    /// Says more.
    fn and(mut self, text: impl ToString) -> Self {
        self.lines.push(text.to_string());
        self
    }
}

/// Runs the command that `arguments` ask for, the program's name first.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = Arguments::command().color(color::choice(&arguments));
    let parsed = command
        .clone()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => match unknown::said(&command, arguments, error) {
            Ok(failure) => return told(&failure),
            Err(error) => {
                let exit = match error.kind() {
                    _ if !error.use_stderr() => Exit::Success,
                    ErrorKind::UnknownArgument => Exit::Usage,
                    _ => Exit::Syntax,
                };
                // If nobody reads help, nobody needs it.
                let _ = error.print();
                return exit;
            }
        },
    };
    let done = match arguments.command {
        #[cfg(feature = "push")]
        Command::Push(arguments) => push::run(*arguments),
        #[cfg(feature = "push")]
        Command::Register(arguments) => register::run(*arguments),
        #[cfg(feature = "push")]
        Command::Verify(arguments) => verify::run(&arguments),
        #[cfg(feature = "push")]
        Command::Clean(arguments) => clean::run(&arguments),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Completions(arguments) => describe::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => describe::man(&arguments, Arguments::command()),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        #[cfg(feature = "local")]
        Command::Serve(arguments) => serve::run(&arguments),
    };
    match done {
        Ok(()) => Exit::Success,
        Err(failure) => told(&failure),
    }
}

fn told(failure: &Failure) -> Exit {
    failure.lines.iter().for_each(|line| say(line));
    failure.exit
}

/// What runs the commands that talk to services.
#[cfg(any(feature = "push", feature = "local"))]
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failure, format!("cannot start threads: {error}")))
}

/// Refuses to write below the directory that is read: the output would be part of the input.
fn keep_apart(source: &Path, output: &Path, option: &str) -> Result<(), Failure> {
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
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

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
