//! `hoist completions` and `hoist man`: the arguments, for shells and for readers of manuals.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use hoist::error::shown;

use crate::cli::Failure;
use crate::cli::manual::page;
use crate::cli::render::print;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to print completions for
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command to this directory, instead of printing the page of hoist
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(
    arguments: &CompletionsArgs,
    mut command: Command,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "hoist", &mut script);
    print(script)
}

pub(crate) fn man(arguments: &ManArgs, command: Command) -> Result<(), Failure> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(dir) = &arguments.dir else {
        return print(page(&command).map_err(Failure::other)?);
    };
    write_pages(&command, dir).map_err(|error| {
        Failure::other(format!(
            "cannot write manual pages to {}: {error}",
            shown(dir)
        ))
    })
}

fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        let name = Man::new(command.clone()).get_filename();
        fs::write(dir.join(name), page(command)?)?;
    }
    Ok(())
}
