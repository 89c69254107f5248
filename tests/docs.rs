//! README.md and docs/ are correct: their commands run against the embedded endpoint and a copy of the
//! example, and print what is shown; their JSON and YAML can be parsed; their policies name existing
//! actions; they name only existing options, and all of them. Texts for users are plain English.
//!
//! A block that cannot be run or parsed must be listed below, with the reason.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

#[path = "it/support/mod.rs"]
mod support;

#[path = "docs/blocks.rs"]
mod blocks;
#[path = "docs/stage.rs"]
mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use saphyr::{LoadableYamlNode as _, YamlOwned};
use serde_json::Value;

use blocks::{Block, blocks, commands, is_ours};
use stage::Stage;
use support::{Done, Run as _, hoist};

/// Blocks that are not run: the file, how the block begins, and the reason.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo test --locked", "it runs this test"),
    (
        "README.md",
        "eval",
        "it defines a function; tests/it/aws_wrapper.rs runs it",
    ),
    (
        "README.md",
        "cargo build --release --locked",
        "it measures for half an hour",
    ),
    (
        "docs/clean.md",
        "aws s3api put-bucket-lifecycle-configuration",
        "the embedded endpoint has no lifecycle rules",
    ),
    (
        "docs/deploy.md",
        "hoist: instance i-0f3c2a9d1e: AfterInstall failed",
        "the unit tests of deployments compare it",
    ),
    ("docs/isal.md", "apt-get install", "it installs packages"),
    (
        "docs/isal.md",
        "FROM rust:1-bookworm AS build",
        "it builds a container",
    ),
    (
        "docs/migrating.md",
        "eval",
        "it defines a function; tests/it/aws_wrapper.rs runs it",
    ),
    (
        "docs/migrating.md",
        "hoist aws-wrapper --script",
        "it installs a program; tests/it/aws_wrapper.rs runs it",
    ),
    (
        "docs/migrating.md",
        "[toplevel]",
        "it is a file for the AWS CLI; tests/it/aws_wrapper.rs has such files",
    ),
    (
        "docs/output.md",
        "5% 1 min 30 s left",
        "the unit tests of the progress compare it",
    ),
    (
        "docs/output.md",
        "hoist: 9% sent",
        "the unit tests of the progress compare it",
    ),
    (
        "docs/serve.md",
        "hoist serve --dir /tmp/aws --port 4566",
        "it serves until Ctrl-C; tests/it/serve.rs runs it",
    ),
    (
        "docs/serve.md",
        "aws s3 mb",
        "it takes the endpoint of the block before",
    ),
    ("docs/scale.md", "peak = 24 MiB", "it is a formula"),
    (
        "docs/selection.md",
        "# .hoistignore",
        "it is such a file; tests/it/select.rs has others",
    ),
];

/// Commands whose output is not compared with what is shown: the file, how the command begins, and the
/// reason.
const NOT_COMPARED: &[(&str, &str, &str)] = &[(
    "docs/clean.md",
    "hoist clean s3://amzn-s3-demo-bucket/releases/",
    "it lists uploads that are weeks old",
)];

/// The actions that policies may name (Service Authorization Reference).
const ACTIONS: &[&str] = &[
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:CreateApplication",
    "codedeploy:CreateDeployment",
    "codedeploy:GetApplication",
    "codedeploy:GetApplicationRevision",
    "codedeploy:GetDeployment",
    "codedeploy:GetDeploymentConfig",
    "codedeploy:ListDeploymentTargets",
    "codedeploy:RegisterApplicationRevision",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
];

/// Those of them that are for no resource, so that a policy must allow them for all.
const NO_RESOURCE: &[&str] = &[
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:ListDeploymentTargets",
];

const HELP: &str = "begin each of its lines with `hoist` or `aws deploy` (or with `$ hoist`, and write \
                    the output below), tag it `json`, `jsonl`, `yaml`, `diff` or `groovy`, or add it to \
                    NOT_RUN in tests/docs.rs with the reason";

/// The names and texts of README.md and the pages in docs/.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = vec!["README.md".to_owned()];
    for file in fs::read_dir(root.join("docs")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    let read = |name: String| {
        let text = fs::read_to_string(root.join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// The lines outside of blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_block = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    })
}

fn all_blocks() -> Vec<Block> {
    let files = files();
    files
        .iter()
        .flat_map(|(name, text)| blocks(name, text))
        .collect()
}

fn reason(block: &Block) -> Option<&'static str> {
    let mut listed = NOT_RUN.iter();
    let found =
        listed.find(|(file, begin, _)| block.file == *file && block.first().starts_with(begin));
    found.map(|(.., why)| *why)
}

#[test]
fn every_block_is_run_or_parsed_or_listed_with_a_reason() {
    let mut unknown = Vec::new();
    let mut before_is_run = false;
    for block in all_blocks() {
        let is_run = !scripts(&block).is_empty();
        let is_read = ["json", "jsonl", "yaml"].contains(&&*block.tag);
        let is_output = block.follows && before_is_run;
        if !is_run && !is_read && !is_output && reason(&block).is_none() {
            unknown.push(format!(
                "{}: the block that begins with {:?}",
                block.place(),
                block.first()
            ));
        }
        before_is_run = is_run;
    }
    assert!(
        unknown.is_empty(),
        "{}\nneither runs nor is listed: {HELP}",
        unknown.join("\n")
    );
}

#[test]
fn each_listed_exception_still_exists() {
    let blocks = all_blocks();
    for (file, begin, why) in NOT_RUN {
        let mut found = blocks.iter();
        assert!(
            found.any(|block| block.file == *file && block.first().starts_with(begin)),
            "NOT_RUN in tests/docs.rs: {file} has no block that begins with {begin:?} ({why}) any more"
        );
    }
    for (file, begin, why) in NOT_COMPARED {
        let mut shown = blocks.iter().filter(|block| block.file == *file);
        assert!(
            shown.any(|block| block.text().contains(begin)),
            "NOT_COMPARED in tests/docs.rs: {file} has no command {begin:?} ({why}) any more"
        );
    }
}

/// The scripts in a block: commands with their output.
fn scripts(block: &Block) -> Vec<Vec<blocks::Shown>> {
    if reason(block).is_some() {
        return Vec::new();
    }
    let lines = |lines: Vec<String>| commands(&lines).into_iter().collect();
    match &*block.tag {
        "" | "sh" | "bash" | "shell" | "console" | "text" => lines(block.lines.clone()),
        // Both sides of a diff are commands.
        "diff" => ['-', '+']
            .iter()
            .filter_map(|side| {
                let of_side = block.lines.iter().filter_map(|line| {
                    line.strip_prefix(*side)
                        .or(line.strip_prefix(' '))
                        .map(str::to_owned)
                });
                commands(&of_side.collect::<Vec<_>>())
            })
            .collect(),
        // The shell gets the text between the quotes.
        "groovy" => {
            let text = block.text();
            let script = text.split("'''").nth(1).unwrap_or_default().to_owned();
            lines(script.lines().map(|line| line.trim().to_owned()).collect())
        }
        _ => Vec::new(),
    }
}

#[test]
fn commands_run_and_print_the_documented_output() {
    let blocks = all_blocks();
    let mut count = 0;
    for (n, block) in blocks.iter().enumerate() {
        // The commands of a block may depend on each other.
        let mut stage = Stage::new();
        for script in scripts(block) {
            let last = script.len() - 1;
            for (m, shown) in script.iter().enumerate() {
                let mut prints = shown.prints.clone();
                let below = blocks
                    .get(n + 1)
                    .filter(|next| next.follows && next.tag.is_empty());
                let below = below.filter(|next| m == last && scripts(next).is_empty());
                if let Some(next) = below.filter(|next| reason(next).is_none()) {
                    prints.extend(next.lines.clone());
                }
                let Some(output) = stage.run(&shown.command, None) else {
                    continue;
                };
                count += 1;
                let is_compared = !NOT_COMPARED.iter().any(|(file, begin, _)| {
                    block.file == *file && shown.command.starts_with(begin)
                });
                for line in prints.iter().filter(|_| is_compared) {
                    assert!(
                        is_printed(line, &output),
                        "{}: `{}` does not print\n  {line}\nbut\n{output}\n(if it cannot print that \
                         here, see NOT_COMPARED in tests/docs.rs)",
                        block.place(),
                        shown.command,
                    );
                }
            }
        }
    }
    assert!(count >= 6, "{count} commands were run");
}

/// Whether a documented line is in either output. In it, `…` stands for any text, and the time of a push
/// is ignored.
fn is_printed(shown: &str, output: &Done) -> bool {
    let timeless = |line: &str| {
        let is_time = |word: &&str| word.ends_with(" s") || word.ends_with("/s read");
        let words = line.split(", ").filter(|word| !is_time(word));
        words.collect::<Vec<_>>().join(", ")
    };
    let shown = timeless(shown);
    [&output.stdout, &output.stderr]
        .into_iter()
        .flat_map(|text| text.lines())
        .any(|line| fits(&timeless(line), &shown))
}

fn fits(line: &str, shown: &str) -> bool {
    let mut pieces = shown.split('…');
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap()) else {
        return false;
    };
    let mut open = false;
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        open = piece.is_empty();
        rest = after;
    }
    open || rest.is_empty()
}

#[test]
fn an_ellipsis_matches_any_text() {
    assert!(fits("a bc d", "a … d") && fits("a bc", "a …") && fits("a", "a"));
    assert!(!fits("a bc e", "a … d") && !fits("ab", "a") && !fits("b", "a…"));
}

/// Of the steps of workflows and builds, the lines with hoist and `aws deploy` are run.
#[test]
fn yaml_can_be_parsed_and_its_steps_run() {
    let mut count = 0;
    for block in all_blocks().iter().filter(|block| block.tag == "yaml") {
        let documents = YamlOwned::load_from_str(&block.text());
        let documents = documents.unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        let mut steps = Vec::new();
        documents
            .iter()
            .for_each(|document| find_steps(document, &mut steps));
        let mut stage = Stage::new();
        for (id, script) in steps {
            let lines: Vec<String> = script.lines().map(str::to_owned).collect();
            for line in lines.iter().filter(|line| is_ours(line)) {
                if stage.run(line.trim(), id.as_deref()).is_some() {
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 4, "{count} steps were run");
}

/// A checkout has a `.git`, in which some services keep a token.
#[test]
fn recipes_that_push_a_checkout_leave_its_git_directory_out() {
    let mut count = 0;
    for (file, text) in files() {
        if !["docs/ci.md", "docs/migrating.md"].contains(&&*file) {
            continue;
        }
        for block in blocks(&file, &text) {
            let text = block.text();
            for push in text
                .split("hoist push ")
                .skip(1)
                .filter(|_| !text.contains("--dry-run"))
            {
                count += 1;
                let leaves_out = ["--exclude .git", "--ignore-hidden-files"];
                assert!(
                    leaves_out.iter().any(|option| push.contains(option)),
                    "{}: {push}",
                    block.place()
                );
            }
        }
    }
    assert!(count >= 5, "{count} pushes were read");
}

/// The scripts below a node, each with the id of its step.
fn find_steps(node: &YamlOwned, steps: &mut Vec<(Option<String>, String)>) {
    match node {
        YamlOwned::Mapping(mapping) => {
            let text = |name| node.as_mapping_get(name).and_then(|value| value.as_str());
            for (key, value) in mapping {
                let id = text("id").map(str::to_owned);
                match (key.as_str(), value) {
                    (Some("run"), value) => {
                        steps.extend(value.as_str().map(|script| (id, script.to_owned())));
                    }
                    (Some("script" | "commands" | "before_script"), YamlOwned::Sequence(lines)) => {
                        let lines = lines.iter().filter_map(|line| line.as_str());
                        steps.extend(lines.map(|line| (None, line.to_owned())));
                    }
                    (_, value) => find_steps(value, steps),
                }
            }
        }
        YamlOwned::Sequence(nodes) => nodes.iter().for_each(|node| find_steps(node, steps)),
        _ => {}
    }
}

fn json_blocks() -> Vec<(Block, Value)> {
    let blocks = all_blocks().into_iter().filter(|block| block.tag == "json");
    blocks
        .map(|block| match serde_json::from_str(&block.text()) {
            Ok(value) => (block, value),
            Err(error) => panic!("{}: {error}", block.place()),
        })
        .collect()
}

#[test]
fn json_can_be_parsed_and_policies_name_known_actions() {
    let mut count = 0;
    for (block, value) in json_blocks() {
        let statements = match &value["Statement"] {
            Value::Array(statements) => statements.clone(),
            _ if value.get("Effect").is_some() => vec![value],
            _ => continue,
        };
        for statement in statements {
            count += 1;
            let place = block.place();
            let effect = statement["Effect"].as_str();
            assert!(
                matches!(effect, Some("Allow" | "Deny")),
                "{place}: {effect:?}"
            );
            let list = |value: &Value| match value {
                Value::Array(all) => all.clone(),
                one => vec![one.clone()],
            };
            let actions = list(&statement["Action"]);
            let has_none = |action: &Value| NO_RESOURCE.contains(&action.as_str().unwrap());
            for resource in list(&statement["Resource"]) {
                let resource = resource.as_str().unwrap_or_default();
                let is_all = resource == "*" && actions.iter().all(has_none);
                assert!(
                    is_all || resource.starts_with("arn:aws:"),
                    "{place}: {resource}"
                );
            }
            for action in actions {
                let action = action.as_str().unwrap();
                assert!(
                    ACTIONS.contains(&action),
                    "{place}: {action} is not among ACTIONS of tests/docs.rs; is it an action?"
                );
            }
        }
    }
    assert!(count >= 5, "{count} statements were read");
}

#[test]
fn lines_of_json_can_be_parsed() {
    for block in all_blocks().iter().filter(|block| block.tag == "jsonl") {
        for line in &block.lines {
            if let Err(error) = serde_json::from_str::<Value>(line) {
                panic!("{}: {line}: {error}", block.place());
            }
        }
    }
}

/// The first policy of docs/iam.md has what a push needs, and what it needs to clean up after a failure.
#[test]
fn the_first_policy_has_exactly_the_needed_permissions() {
    let mut blocks = json_blocks().into_iter();
    let (_, policy) = blocks
        .find(|(block, _)| block.file == "docs/iam.md")
        .unwrap();
    let actions: Vec<&Value> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| &statement["Action"])
        .collect();
    let of_s3 = serde_json::json!(["s3:PutObject", "s3:AbortMultipartUpload"]);
    assert_eq!(
        actions,
        [
            &of_s3,
            &Value::from("codedeploy:RegisterApplicationRevision")
        ]
    );
}

/// The object in docs/output.md has the names and types that `--output json` prints, and its values where
/// they are always equal.
#[test]
fn the_documented_json_is_that_of_output_json() {
    let mut blocks = json_blocks().into_iter();
    let shown = blocks.find(|(_, value)| value.get("create_deployment").is_some());
    let (block, shown) = shown.expect("docs/output.md must show what --output json prints");
    let command = "hoist push --application-name WordPress_App --output json --description 'This is a \
                   revision for the application WordPress_App' --s3-location \
                   s3://amzn-s3-demo-bucket/WordPressApp.zip";
    let output = Stage::new().run(command, None).unwrap();
    let printed = output.json();
    let wrong = unlike(&shown, &printed, "");
    assert!(wrong.is_empty(), "{}: {wrong:#?}", block.place());
    for name in ["application", "archive", "content", "description", "files"] {
        assert_eq!(shown[name], printed[name], "{}: {name}", block.place());
    }
}

/// Where two values differ in names or types.
fn unlike(shown: &Value, printed: &Value, at: &str) -> Vec<String> {
    match (shown, printed) {
        (Value::Object(shown), Value::Object(printed)) => {
            let names: BTreeSet<&String> = shown.keys().chain(printed.keys()).collect();
            names
                .into_iter()
                .flat_map(|name| match (shown.get(name), printed.get(name)) {
                    (Some(shown), Some(printed)) => unlike(shown, printed, &format!("{at}.{name}")),
                    (Some(_), None) => vec![format!("{at}.{name} is not printed")],
                    _ => vec![format!("{at}.{name} is not shown")],
                })
                .collect()
        }
        _ if std::mem::discriminant(shown) == std::mem::discriminant(printed) => Vec::new(),
        _ => vec![format!("{at}: {shown} is shown, {printed} is printed")],
    }
}

/// The help of a command.
fn help(command: &str) -> String {
    hoist().args([command, "--help"]).ok().stdout
}

/// The options that a text names.
fn options(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if word.len() > 3 && word.starts_with("--") && word.as_bytes()[2].is_ascii_lowercase() {
            found.insert(word.to_owned());
        }
    }
    found
}

/// The options that a command has, without `--help`. Its help may name other ones in texts.
fn options_of(command: &str) -> BTreeSet<String> {
    let help = help(command);
    let lines = help.lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with('-'));
    // Two spaces separate an option from its description.
    let mut found: BTreeSet<String> = lines
        .flat_map(|line| options(line.split("  ").next().unwrap_or_default()))
        .collect();
    found.remove("--help");
    found
}

/// The names of the commands, as the help lists them.
fn subcommands() -> Vec<String> {
    let help = hoist().arg("--help").ok().stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    // A long description continues on indented lines.
    let lines = lines.filter(|line| !line.starts_with("   "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The table of docs/options.md has all options of `push`, `pack`, `lint` and `serve`, each for the right
/// commands.
#[test]
fn the_table_of_options_agrees_with_the_help() {
    let text = include_str!("../docs/options.md");
    let (_, table) = text
        .split_once("| Option | push | pack | lint | serve |")
        .unwrap();
    let rows: Vec<Vec<String>> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let line = line.replace("\\|", "/");
            line.split('|').map(|cell| cell.trim().to_owned()).collect()
        })
        .collect();
    for (column, command) in [(2, "push"), (3, "pack"), (4, "lint"), (5, "serve")] {
        let in_table: BTreeSet<String> = rows
            .iter()
            .filter(|row| !row[column].is_empty())
            .flat_map(|row| options(&row[1]))
            .collect();
        let in_help = options_of(command);
        let missing: Vec<_> = in_help.difference(&in_table).collect();
        assert!(
            missing.is_empty(),
            "the table of docs/options.md lacks these of {command}: {missing:?}"
        );
        let wrong: Vec<_> = in_table.difference(&in_help).collect();
        assert!(
            wrong.is_empty(),
            "the table of docs/options.md says that {command} has {wrong:?}"
        );
    }
}

/// The options of a command without a column in the table are on its page, or below the table where the text
/// is about the command.
#[test]
fn the_options_of_each_other_command_are_where_it_is_explained() {
    const ABOUT_AWS: &str = "--region --profile --endpoint-url --s3-endpoint-url --codedeploy-endpoint-url \
                             --ca-bundle --no-verify-ssl --no-sign-request --cli-connect-timeout \
                             --cli-read-timeout --debug --color";
    let (_, below) = include_str!("../docs/options.md")
        .split_once("\n\nhoist reads the environment")
        .unwrap();
    let files = files();
    let mut missing = Vec::new();
    for command in subcommands() {
        if ["push", "pack", "lint", "serve"].contains(&&*command) {
            continue;
        }
        let name = format!("`hoist {command}");
        let heading = format!(": `hoist {command}`\n");
        let mut text: String = match below.split_once(&heading) {
            Some((_, section)) => section.to_owned(),
            None => {
                let paragraphs = below.split("\n\n");
                paragraphs.filter(|text| text.contains(&name)).collect()
            }
        };
        let page = files
            .iter()
            .find(|(name, _)| *name == format!("docs/{command}.md"));
        text.extend(page.map(|(_, text)| text.as_str()));
        if text.contains("options about") {
            text.push_str(ABOUT_AWS);
        }
        let told = options(&text);
        let untold: Vec<_> = options_of(&command).difference(&told).cloned().collect();
        if !untold.is_empty() {
            missing.push(format!("{command} has {untold:?}"));
        }
    }
    assert!(missing.is_empty(), "the docs do not tell: {missing:#?}");
}

/// Each option is in docs/options.md or on the page with the name of the command, and in the changelog.
#[test]
fn every_option_is_documented_and_in_the_changelog() {
    let files = files();
    let changes = options(include_str!("../CHANGELOG.md"));
    let mut missing = Vec::new();
    for command in subcommands() {
        let in_help = options_of(&command);
        let page = format!("docs/{command}.md");
        let told = files
            .iter()
            .filter(|(name, _)| *name == "docs/options.md" || *name == page)
            .flat_map(|(_, text)| options(text))
            .collect::<BTreeSet<_>>();
        for option in in_help.difference(&told) {
            missing.push(format!(
                "neither docs/options.md nor {page} has {option} of {command}"
            ));
        }
        for option in in_help.difference(&changes) {
            missing.push(format!("CHANGELOG.md lacks {option} of {command}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let others = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(|name| {
        let text = fs::read_to_string(root.join(name)).unwrap();
        (name.to_owned(), text)
    });
    for (name, text) in files().into_iter().chain(others) {
        let text: String = prose(&text).flat_map(|line| [line, "\n"]).collect();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root.join(&name),
                file => root.join(&name).with_file_name("").join(file),
            };
            let is_there = match heading {
                "" => target.exists(),
                heading => fs::read_to_string(&target).is_ok_and(|text| {
                    let mut lines = text.lines().filter(|line| line.starts_with('#'));
                    lines.any(|line| anchor(line) == heading)
                }),
            };
            if !is_there {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let readme = include_str!("../README.md");
    for (name, _) in files().iter().filter(|(name, _)| name != "README.md") {
        assert!(
            readme.contains(&format!("({name})")),
            "README.md has no link to {name}"
        );
    }
}

/// In the text, `hoist COMMAND …` names an existing command and existing options. (Blocks are run.)
#[test]
fn commands_in_the_text_and_their_options_exist() {
    let known = subcommands();
    let mut wrong = Vec::new();
    for (file, text) in files() {
        let text: String = prose(&text).flat_map(|line| [line, "\n"]).collect();
        for span in text.split('`').skip(1).step_by(2) {
            let span = span.split_whitespace().collect::<Vec<_>>().join(" ");
            let Some(rest) = span.strip_prefix("hoist ") else {
                continue;
            };
            let command = rest.split(' ').next().unwrap();
            if !command.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            if !known.iter().any(|name| name == command) {
                wrong.push(format!("{file}: `{span}`: there is no command {command}"));
                continue;
            }
            let known = options_of(command);
            for option in options(rest).difference(&known) {
                wrong.push(format!("{file}: `{span}`: {command} has no {option}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words and phrases that hide who does something. Texts for users name the subject instead.
const REFUSED: [&str; 6] = [
    "whoever",
    "nobody",
    "somebody",
    "of no account",
    "is none",
    "gone on with",
];

/// The refused phrases of a text, each with the words around it.
fn refused(text: &str) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_ascii_lowercase();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for phrase in REFUSED {
        for (at, _) in lower.match_indices(phrase) {
            let end = at + phrase.len();
            if !lower[..at].ends_with(is_word) && !lower[end..].starts_with(is_word) {
                let from = lower.floor_char_boundary(at.saturating_sub(30));
                let until = lower.floor_char_boundary(end + 30);
                found.push(format!("{phrase:?} in: …{}…", &text[from..until]));
            }
        }
    }
    found
}

#[test]
fn a_refused_phrase_is_found_as_words_and_across_lines() {
    assert_eq!(refused("There is\n  none. Nobody knows.").len(), 2);
    assert!(refused("option.is_none(), is nonexistent, nobody_waits").is_empty());
}

#[test]
fn documentation_names_who_does_something() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    let others = others.map(|name| {
        (
            name.to_owned(),
            fs::read_to_string(root.join(name)).unwrap(),
        )
    });
    let mut wrong = Vec::new();
    for (name, text) in files().into_iter().chain(others) {
        // Code may name the user `nobody`.
        let prose: Vec<&str> = prose(&text).collect();
        let text: Vec<&str> = prose
            .iter()
            .flat_map(|part| part.split('`').step_by(2))
            .collect();
        wrong.extend(
            refused(&text.join(" "))
                .iter()
                .map(|found| format!("{name}: {found}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn help_names_who_does_something() {
    let commands = subcommands();
    let helps = commands
        .iter()
        .map(|name| (format!("hoist {name}"), help(name)));
    let all = helps.chain([("hoist".to_owned(), hoist().arg("--help").ok().stdout)]);
    let wrong: Vec<String> = all
        .flat_map(|(name, help)| {
            refused(&help)
                .into_iter()
                .map(move |found| (name.clone(), found))
        })
        .map(|(name, found)| format!("{name} --help: {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code outside of comments and tests is scanned whole: the texts of errors are in it.
#[test]
fn errors_name_who_does_something() {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut wrong = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if ["tests", "testing", "fake", "round_trip"].contains(&name) {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Modules of tests come last in a file, and a backslash continues a literal.
            let code: Vec<&str> = text
                .lines()
                .take_while(|line| *line != "mod tests {")
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| line.trim_end_matches('\\'))
                .collect();
            let found = refused(&code.join("\n"));
            wrong.extend(
                found
                    .iter()
                    .map(|found| format!("{}: {found}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
