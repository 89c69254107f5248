//! `hoist completions` and `hoist man`: the arguments, for shells and for readers of manuals.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use hoist::error::{is_unsafe, shown};

use crate::cli::Failure;
use crate::cli::completions::script;
use crate::cli::manual::page;
use crate::cli::render::print;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to print completions for
    #[arg(required_unless_present = "profiles")]
    shell: Option<Shell>,

    /// Print the names of the profiles, which the completions of --profile are
    #[arg(long, hide = true)]
    profiles: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command to this directory, instead of printing the page of hoist
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(arguments: &CompletionsArgs, command: Command) -> Result<(), Failure> {
    match arguments.shell {
        Some(shell) if !arguments.profiles => print(script(shell, command)),
        _ => print(profiles()),
    }
}

/// The names of profiles, each in a line. Of files that cannot be read there are none, because a
/// completion has no place for an error.
fn profiles() -> String {
    #[cfg(feature = "push")]
    let names = hoist::aws::access::profiles(&hoist::aws::access::Environment::process());
    #[cfg(not(feature = "push"))]
    let names: Vec<String> = Vec::new();
    let safe = names.iter().filter(|name| !name.contains(is_unsafe));
    safe.fold(String::new(), |lines, name| lines + name + "\n")
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
