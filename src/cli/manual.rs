//! What `--help` and the manual pages say besides the options: examples, exit status, environment,
//! files and where to read more. The texts are in manual.txt.

use std::fmt::Write as _;
use std::io;

use clap::Command;
use clap::builder::StyledStr;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const TEXTS: &str = include_str!("manual.txt");

/// Terms up to this width stand beside their explanations.
const BESIDE: usize = 14;

/// A title, and terms with their explanations.
type Section = (&'static str, Vec<(&'static str, &'static str)>);

fn sections(command: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut lines = TEXTS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(line) = lines.next() {
        let Some((commands, term)) = line.split_once(": ") else {
            sections.push((line, Vec::new()));
            continue;
        };
        let explanation = lines.next().unwrap_or_default().trim_start();
        let applies = commands
            .split(' ')
            .any(|name| name == "*" || name == command);
        if let (true, Some((_, entries))) = (applies, sections.last_mut()) {
            entries.push((term, explanation));
        }
    }
    sections.retain(|(_, entries)| !entries.is_empty());
    sections
}

/// Adds the sections to the long help of the command and of its subcommands.
pub(super) fn add_help(command: Command) -> Command {
    let long = help(&command);
    command
        .mut_subcommands(add_help)
        .after_help("'--help' instead of '-h' has more on the options, and examples.")
        .after_long_help(long)
}

fn help(command: &Command) -> StyledStr {
    let header = command.get_styles().get_header();
    let mut text = StyledStr::new();
    for (n, (title, entries)) in sections(command.get_name()).iter().enumerate() {
        let gap = if n == 0 { "" } else { "\n\n" };
        // Writing to a string does not fail.
        let _ = write!(text, "{gap}{header}{title}:{header:#}");
        let beside = entries.iter().all(|(term, _)| term.len() < BESIDE);
        for (term, explanation) in entries {
            let _ = if beside {
                write!(text, "\n  {term:BESIDE$} {explanation}")
            } else {
                write!(text, "\n  {term}\n          {explanation}")
            };
        }
    }
    text
}

/// A manual page in roff.
pub(super) fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    for (title, entries) in sections(command.get_name()) {
        roff.control("SH", [title.to_uppercase().as_str()]);
        for (term, explanation) in entries {
            roff.control("TP", []);
            roff.text([bold(term)]);
            roff.text([roman(explanation)]);
        }
    }
    roff.to_writer(&mut page)?;
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Exit;

    #[test]
    fn no_page_lists_an_exit_code_twice() {
        let command = crate::cli::commands::Arguments::command();
        let names = command.get_subcommands().map(Command::get_name);
        for name in names.chain(["hoist"]) {
            let sections = sections(name);
            let codes = sections.iter().find(|(title, _)| *title == "Exit status");
            let mut codes: Vec<_> = codes.unwrap().1.iter().map(|(code, _)| code).collect();
            let all = codes.len();
            codes.sort_unstable();
            codes.dedup();
            assert_eq!(codes.len(), all, "{name}");
        }
    }

    #[test]
    fn every_exit_code_is_in_the_manual() {
        let sections = sections("hoist");
        let (_, codes) = sections
            .iter()
            .find(|(title, _)| *title == "Exit status")
            .unwrap();
        let listed: Vec<&str> = codes
            .iter()
            .flat_map(|(code, _)| code.split(", "))
            .collect();
        let (usage, hangup) = (Exit::Usage, Exit::Signal(1));
        for exit in [
            Exit::Success,
            usage,
            Exit::Config,
            Exit::Service,
            Exit::Failure,
            Exit::DeploymentFailed,
            Exit::DeploymentStopped,
            Exit::WaitTimedOut,
            hangup,
        ] {
            assert!(listed.contains(&&*exit.code().to_string()), "{exit:?}");
        }
    }
}
