//! `hoist completions` and `hoist man`: what shells and readers of manuals know of the arguments.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::{Man, generate_to};

use crate::cli::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads it
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command to this directory, instead of the first to standard output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(
    arguments: &CompletionsArgs,
    mut command: Command,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "hoist", &mut script);
    print(&script)
}

pub(crate) fn man(arguments: &ManArgs, command: Command) -> Result<(), Failure> {
    if let Some(dir) = &arguments.dir {
        let written = std::fs::create_dir_all(dir).and_then(|()| generate_to(command, dir));
        return written.map_err(|error| unwritable(dir, &error));
    }
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::new(Exit::Failure, error))?;
    print(&page)
}

fn unwritable(dir: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot write manual pages to {}: {error}", dir.display());
    Failure::new(Exit::Failure, text)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Failure, error))
}
