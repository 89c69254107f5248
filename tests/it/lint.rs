//! `hoist lint`, and a push that stops before a byte moves.

#![cfg(all(unix, feature = "cli"))]

#[cfg(all(feature = "push", feature = "local"))]
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Tree, hoist, run, run_failing};
use serde_json::Value;

const GOOD: &str =
    "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: scripts/run.sh\n";

/// One error, on line 5, and one warning, on line 6.
const BAD: &str = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: scripts/Run.sh\n      \
                   timeout: \"300\"\n";

const LAMBDA: &str = "version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      \
                      Properties:\n        Name: f\n        Alias: live\n        CurrentVersion: \
                      \"1\"\n        TargetVersion: \"2\"\n";

fn tree(appspec: &str) -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", appspec)
        .file("scripts/run.sh", "#!/bin/sh\n")
        .mode("scripts/run.sh", 0o755);
    tree
}

/// In the tree, as somebody in a repository does it.
fn lint(tree: &Tree) -> Command {
    let mut command = hoist();
    command.arg("lint").current_dir(tree.path());
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn text_shows_the_lines() {
    let output = run_failing(&mut lint(&tree(BAD)), 255);
    assert_eq!(
        stdout(&output),
        "error[script-not-found]: hooks.AfterInstall[0].location `scripts/Run.sh` is not in the bundle\n \
         --> appspec.yml:5:17\n  |\n5 |     - location: scripts/Run.sh\n  |                 ^^^^^^^^^^^^^^\n  \
         |\n  = help: `scripts/run.sh` is there; names are case-sensitive\n\
         warning[timeout-form]: the timeout `300` is quoted; agent 2.x refuses that\n \
         --> appspec.yml:6:16\n  |\n6 |       timeout: \"300\"\n  |                ^^^^^\n  |\n  \
         = help: write 300\nappspec.yml: 1 error, 1 warning\n"
    );
    assert_eq!(stderr(&output), "");
    let output = run(&mut lint(&tree(GOOD)));
    assert_eq!(stdout(&output), "appspec.yml: nothing to complain about\n");
}

#[test]
fn colors_are_for_who_wants_them() {
    let bad = tree(BAD);
    assert!(!stdout(&run_failing(&mut lint(&bad), 255)).contains('\u{1b}'));
    let output = run_failing(lint(&bad).args(["--color", "on"]), 255);
    assert!(stdout(&output).contains("\u{1b}["));
}

#[test]
fn warnings_fail_only_where_they_should() {
    let tree = tree(&format!("{GOOD}      timeout: 30s\n"));
    run(&mut lint(&tree));
    run_failing(lint(&tree).arg("--strict"), 255);
}

#[test]
fn json_has_each_finding() {
    let output = run_failing(lint(&tree(BAD)).args(["--format", "json"]), 255);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["errors"], &said["warnings"]), (&1.into(), &1.into()));
    assert_eq!(said["file"], "appspec.yml");
    let first = &said["findings"][0];
    assert_eq!(first["rule"], "script-not-found");
    assert_eq!(first["severity"], "error");
    assert_eq!((&first["line"], &first["column"]), (&5.into(), &17.into()));
    assert_eq!(
        (&first["end_line"], &first["end_column"]),
        (&5.into(), &31.into())
    );
    assert!(first["help"].as_str().unwrap().contains("case-sensitive"));
}

#[test]
fn github_takes_commands() {
    let tree = Tree::new();
    tree.file("deploy/appspec.yml", BAD)
        .file("deploy/scripts/run.sh", "");
    let mut command = lint(&tree);
    let output = run_failing(
        command.args(["--format", "github", "--source", "./deploy"]),
        255,
    );
    assert_eq!(
        stdout(&output),
        "::error file=deploy/appspec.yml,line=5,endLine=5,col=17,endColumn=31,title=script-not-found\
         ::hooks.AfterInstall[0].location `scripts/Run.sh` is not in the bundle%0A`scripts/run.sh` is \
         there; names are case-sensitive\n\
         ::warning file=deploy/appspec.yml,line=6,endLine=6,col=16,endColumn=21,title=timeout-form\
         ::the timeout `300` is quoted; agent 2.x refuses that%0Awrite 300\n"
    );
    // The whole path says the same.
    let mut command = lint(&tree);
    command.args(["--format", "github", "--source"]);
    let whole = run_failing(
        command.arg(tree.path().canonicalize().unwrap().join("deploy")),
        255,
    );
    assert_eq!(whole.stdout, output.stdout);
}

/// What the schema of SARIF 2.1.0 requires of what is used of it.
#[test]
fn sarif_has_its_shape() {
    let output = run_failing(lint(&tree(BAD)).args(["--format", "sarif"]), 255);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(
        log["$schema"]
            .as_str()
            .unwrap()
            .ends_with("sarif-2.1.0.json")
    );
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "hoist");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string());
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["error", "warning"].contains(&level));
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(
            rules[index]["defaultConfiguration"]["level"],
            result["level"]
        );
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "appspec.yml");
        for key in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][key].as_u64().unwrap() >= 1, "{key}");
        }
    }
    // Nothing found is a log without results.
    let output = crate::support::run(lint(&tree(GOOD)).args(["--format", "sarif"]));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["runs"][0]["results"], Value::Array(Vec::new()));
}

#[test]
fn a_file_is_looked_at_alone() {
    let tree = tree(BAD);
    tree.file("lambda.yaml", LAMBDA).file("app.zip", "PK");
    let output = run(lint(&tree).arg("appspec.yml"));
    let said = stdout(&output);
    assert!(said.ends_with("appspec.yml: 1 warning\n"), "{said}");
    run(lint(&tree).arg("lambda.yaml"));
    run_failing(lint(&tree).arg("none.yml"), 255);
    run_failing(lint(&tree).arg("app.zip"), 252);
    run_failing(lint(&tree).args(["appspec.yml", "--source", "."]), 252);
}

#[test]
fn a_directory_may_hold_one_for_lambda() {
    let tree = Tree::new();
    tree.file("appspec.yaml", LAMBDA);
    let said = stdout(&run(&mut lint(&tree)));
    assert_eq!(said, "appspec.yaml: nothing to complain about\n");
}

#[test]
fn a_missing_file_is_said_as_a_push_says_it() {
    let tree = Tree::new();
    tree.file("build/appspec.yml", GOOD);
    let output = run_failing(&mut lint(&tree), 255);
    let path = tree.path().canonicalize().unwrap().join("appspec.yml");
    assert_eq!(
        stderr(&output),
        format!(
            "hoist: {} was not found\nhoist: found in build/; did you mean --source build?\n",
            path.display()
        )
    );
    let output = run_failing(lint(&tree).args(["--format", "github"]), 255);
    assert!(
        stdout(&output)
            .starts_with("::error file=appspec.yml,line=1,endLine=1,col=1,title=not-found::"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn the_bundle_is_the_one_that_would_be_made() {
    let tree = tree(&GOOD.replace("scripts", ".scripts"));
    tree.file(".scripts/run.sh", "")
        .mode(".scripts/run.sh", 0o755);
    run(&mut lint(&tree));
    let output = run_failing(lint(&tree).arg("--ignore-hidden-files"), 255);
    assert!(
        stdout(&output).contains("names that start with a dot are left out"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn what_is_excluded_is_not_in_the_bundle() {
    let tree = tree(GOOD);
    run(&mut lint(&tree));
    let output = run_failing(lint(&tree).args(["--exclude", "scripts/"]), 255);
    let said = stdout(&output);
    assert!(
        said.starts_with("error[script-not-found]: ")
            && said.contains("`scripts/run.sh` is not in the bundle\n"),
        "{said}"
    );
    assert!(
        said.contains("  = help: ") && said.contains("left out of the bundle"),
        "{said}"
    );
    // What takes it back makes up for it, and so does the file that says the same.
    let both = ["--exclude", "scripts/", "--include", "run.sh"];
    run(lint(&tree).args(both));
    tree.file(".hoistignore", "scripts/\n");
    run_failing(&mut lint(&tree), 255);
    run(lint(&tree).arg("--no-hoistignore"));
}

#[test]
fn names_that_are_one_on_windows_are_an_error_there() {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("a/Read.me", "1")
        .file("a/read.me", "2");
    if std::fs::read_dir(tree.path().join("a")).unwrap().count() < 2 {
        eprintln!("skipped: this file system takes both names for one");
        return;
    }
    run(&mut lint(&tree));
    tree.file("appspec.yml", "version: 0.0\nos: windows\n");
    let said = stdout(&run_failing(&mut lint(&tree), 255));
    assert!(said.starts_with("error[case-collision]: "), "{said}");
    assert!(
        said.contains("a/Read.me") && said.contains("a/read.me"),
        "{said}"
    );
}

#[cfg(all(feature = "push", feature = "local"))]
mod pushing {
    use crate::support::Server;

    use super::*;

    fn push(source: &Path, key: &str) -> Command {
        let mut command = hoist();
        command.args(["push", "--application-name", "App", "--s3-location"]);
        command
            .arg(format!("s3://bucket/{key}"))
            .arg("--source")
            .arg(source);
        command
    }

    fn local(tree: &Tree, dir: &Path) -> Command {
        let mut command = push(tree.path(), "key.zip");
        command.arg("--local").arg(dir);
        command
    }

    #[test]
    fn an_error_stops_it_before_a_byte_moves() {
        let server = Server::start();
        server.make_bucket("bucket");
        server.make_application("App", "Server");
        let between = crate::support::Between::watching(&server);
        let bad = tree(BAD);
        let mut command = push(bad.path(), "key.zip");
        server.point(&mut command);
        between.point(&mut command);
        command.arg("--quiet");
        let output = run_failing(&mut command, 255);
        let said = stderr(&output);
        assert!(said.starts_with("error[script-not-found]: "), "{said}");
        assert!(said.contains("appspec.yml:5:17\n"), "{said}");
        assert!(
            said.ends_with(
                "1 error, 1 warning; nothing was sent. --no-lint sends it all the same\n"
            ),
            "{said}"
        );
        assert!(output.stdout.is_empty());
        for operation in [
            "PutObject",
            "CreateMultipartUpload",
            "UploadPart",
            "RegisterApplicationRevision",
        ] {
            assert_eq!(between.of(operation).len(), 0, "{operation}");
        }
        assert!(!server.revisions("App").contains("key.zip"));
    }

    #[test]
    fn the_stubborn_push_all_the_same() {
        let (bad, dir) = (tree(BAD), tempfile::tempdir().unwrap());
        let said = stderr(&run(local(&bad, dir.path()).arg("--no-lint")));
        assert!(
            !said.contains("script-not-found") && !said.contains("timeout-form"),
            "{said}"
        );
        assert!(dir.path().join("buckets/bucket/objects/key.zip").exists());
    }

    #[test]
    fn warnings_are_shown_and_told() {
        let tree = tree(&format!("{GOOD}      timeout: 30s\n"));
        let dir = tempfile::tempdir().unwrap();
        let output = run(local(&tree, dir.path()).args(["--output", "json"]));
        let said = stderr(&output);
        assert!(
            said.contains("warning[timeout-form]: ") && said.contains("appspec.yml:6:16"),
            "{said}"
        );
        let done: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(done["warnings"][0]["rule"], "timeout-form");
        assert_eq!(done["warnings"][0]["line"], 6);
        let output = run(local(&tree, dir.path()).arg("--quiet"));
        assert_eq!(stderr(&output), "");
    }

    #[test]
    fn a_dry_run_looks_too() {
        let bad = tree(BAD);
        let output = run_failing(push(bad.path(), "key.zip").arg("--dry-run"), 255);
        assert!(stderr(&output).contains("script-not-found"));
        let output = run(push(bad.path(), "key.zip").args(["--dry-run", "--no-lint"]));
        assert!(stdout(&output).starts_with("Would push"));
        let warns = tree(&format!("{GOOD}      timeout: 30s\n"));
        let output = run(push(warns.path(), "key.zip").args(["--dry-run", "--output", "json"]));
        let would: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(would["warnings"][0]["rule"], "timeout-form");
    }

    #[test]
    fn an_appspec_for_lambda_goes_alone_or_not_at_all() {
        let lambda = tree(LAMBDA);
        let output = run_failing(push(lambda.path(), "key.tgz").arg("--dry-run"), 255);
        assert!(
            stderr(&output)
                .contains("this is a Lambda/ECS AppSpec (Resources:); push bundles are for"),
            "{}",
            stderr(&output)
        );
        run(push(lambda.path(), "key.yaml").arg("--dry-run"));
        // Alone it is looked at as what it is.
        lambda.file("broken.yaml", LAMBDA.replace("Alias: live", "Alias:"));
        let mut command = push(&lambda.path().join("broken.yaml"), "key.yaml");
        let output = run_failing(command.arg("--dry-run"), 255);
        assert!(
            stderr(&output).contains("error[no-property]"),
            "{}",
            stderr(&output)
        );
        run(command.arg("--no-lint"));
    }

    #[test]
    fn what_is_missing_is_said_first() {
        let tree = Tree::new();
        tree.file("build/appspec.yml", GOOD);
        let output = run_failing(push(tree.path(), "key.zip").arg("--dry-run"), 255);
        let said = stderr(&output);
        let (first, rest) = said.split_once('\n').unwrap();
        assert!(first.ends_with("/appspec.yml was not found"), "{said}");
        assert!(
            rest.contains("found in ") && rest.contains("/build/; did you mean --source "),
            "{said}"
        );
    }
}
