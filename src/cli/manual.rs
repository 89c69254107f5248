//! What `--help` and the manual pages say besides the options: examples, exit status, environment,
//! files and where to read more.

use std::fmt::Write as _;
use std::io;

use clap::Command;
use clap::builder::StyledStr;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::exit;

/// A title, and terms with their explanations.
type Section = (&'static str, Vec<(&'static str, &'static str)>);

/// Terms up to this width stand beside their explanations.
const BESIDE: usize = 14;

/// Adds the sections to the long help of the command and of its subcommands.
pub(super) fn add_help(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let help = help(&command, &sections(&name));
    command
        .mut_subcommands(add_help)
        .after_help(format!(
            "'{}--help' has more on the options, and examples.",
            prefix(&name)
        ))
        .after_long_help(help)
}

fn prefix(name: &str) -> String {
    match name {
        "hoist" => "hoist ".to_owned(),
        name => format!("hoist {name} "),
    }
}

fn help(command: &Command, sections: &[Section]) -> StyledStr {
    let header = command.get_styles().get_header();
    let mut text = StyledStr::new();
    for (n, (title, entries)) in sections.iter().enumerate() {
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

fn sections(command: &str) -> Vec<Section> {
    let aws = matches!(command, "hoist" | "push" | "register" | "verify" | "clean");
    let packs = matches!(command, "hoist" | "push" | "pack" | "lint");
    let all = [
        ("Examples", examples(command)),
        ("Exit status", exit_status(command, aws)),
        ("Environment", environment(command, aws, packs)),
        ("Files", files(aws, packs)),
        ("Documentation", documentation(command)),
    ];
    all.into_iter()
        .filter(|(_, entries)| !entries.is_empty())
        .collect()
}

fn examples(command: &str) -> Vec<(&'static str, &'static str)> {
    match command {
        "hoist" => vec![
            (
                "hoist push --application-name App --s3-location s3://bucket/app.zip",
                "Push the current directory as a revision of App.",
            ),
            (
                "hoist lint --format github",
                "Check the AppSpec file of the current directory in a pull request.",
            ),
        ],
        "push" => vec![
            (
                "hoist push --application-name App --s3-location s3://bucket/app.zip --source build",
                "Push the directory build as a revision of App.",
            ),
            (
                "hoist push --application-name App --s3-location s3://bucket/app.zip --dry-run --list",
                "Show what would be pushed, without asking AWS.",
            ),
        ],
        "register" => vec![(
            "hoist register --application-name App --s3-location s3://bucket/app.zip",
            "Register the object as a revision of App.",
        )],
        "verify" => vec![
            (
                "hoist verify s3://bucket/app.zip --manifest app.jsonl",
                "Check that the object has exactly the entries of the manifest.",
            ),
            ("hoist verify app.zip", "Check a local archive."),
        ],
        "clean" => vec![(
            "hoist clean s3://bucket/releases/ --older-than 7d --dry-run",
            "List unfinished uploads that are older than a week.",
        )],
        "pack" => vec![(
            "hoist pack --source build --output app.zip --level 9",
            "Pack the directory build.",
        )],
        "lint" => vec![
            (
                "hoist lint --source build --strict",
                "Check the AppSpec file in build against the files beside it.",
            ),
            ("hoist lint appspec.yml", "Check one file by itself."),
        ],
        "bench" => vec![(
            "hoist bench --source build --levels fast,default,9 --repeat 5",
            "Compare three levels on the directory build.",
        )],
        "completions" => vec![(
            "hoist completions bash > /etc/bash_completion.d/hoist",
            "Install the completions for bash.",
        )],
        "man" => vec![(
            "hoist man --dir /usr/local/share/man/man1",
            "Install the manual pages.",
        )],
        "serve" => vec![(
            "hoist serve --dir /tmp/aws --port 4566",
            "Serve until Ctrl-C, and print the variable that points clients to the endpoint.",
        )],
        _ => Vec::new(),
    }
}

fn exit_status(command: &str, aws: bool) -> Vec<(&'static str, &'static str)> {
    let applies = |code: &str| match code {
        "253" => aws,
        "254" => matches!(command, "hoist" | "push" | "register"),
        _ => true,
    };
    let mut codes = exit::CODES.to_vec();
    codes.retain(|(code, _)| applies(code));
    codes
}

fn environment(command: &str, aws: bool, packs: bool) -> Vec<(&'static str, &'static str)> {
    let mut variables = Vec::new();
    if aws {
        variables.extend([
            (
                "AWS_PROFILE, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, AWS_CA_BUNDLE, …",
                "Are read as the AWS CLI version 2 reads them.",
            ),
            (
                "HTTPS_PROXY, NO_PROXY",
                "Name a proxy, and the hosts that are reached without it.",
            ),
        ]);
    }
    if packs {
        variables.push((
            "SOURCE_DATE_EPOCH",
            "Is the latest modification time of an entry, in seconds since 1970.",
        ));
    }
    if matches!(command, "hoist" | "push") {
        variables.push((
            "GITHUB_OUTPUT, GITHUB_STEP_SUMMARY",
            "Name the files for outputs and for the summary of a step in GitHub Actions.",
        ));
    }
    variables.extend([
        (
            "HOIST_EXIT_CODES",
            "Is v1 for the exit codes of version 1 of the AWS CLI.",
        ),
        ("NO_COLOR", "Disables colors."),
    ]);
    variables
}

fn files(aws: bool, packs: bool) -> Vec<(&'static str, &'static str)> {
    let mut files = Vec::new();
    if packs {
        files.extend([
            (
                "appspec.yml",
                "The AppSpec file, at the root of the source.",
            ),
            (
                ".hoistignore",
                "Patterns of what to leave out, in any directory of the source.",
            ),
        ]);
    }
    if aws {
        files.push((
            "~/.aws/config, ~/.aws/credentials",
            "Settings and credentials, as the AWS CLI reads them.",
        ));
    }
    files
}

fn documentation(command: &str) -> Vec<(&'static str, &'static str)> {
    let page = match command {
        "push" => "docs/access.md, docs/selection.md, docs/reliability.md, docs/output.md",
        "register" => "docs/access.md",
        "verify" => "docs/verify.md",
        "clean" => "docs/clean.md",
        "pack" => "docs/selection.md, docs/manifest.md",
        "lint" => "docs/appspec.md",
        _ => "README.md",
    };
    vec![(
        page,
        "In the source of hoist. README.md links to all pages.",
    )]
}
