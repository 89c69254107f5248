//! `hoist lint` judges AppSpec files, and a push stops at an error before a byte moves.

use std::process::Command;

use serde_json::Value;

use crate::support::{Run as _, Tree, hoist};

const GOOD: &str =
    "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: scripts/run.sh\n";

/// One error, on line 5, and one warning, on line 6.
const BAD: &str = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: scripts/Run.sh\n      \
                   timeout: \"300\"\n";

const LAMBDA_JSON: &str = r#"{"version": 0.0, "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties":
    {"Name": "f", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}}}]}"#;
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

/// One warning, on line 6.
fn tree_with_warning() -> Tree {
    tree(&format!("{GOOD}      timeout: 30s\n"))
}

/// `hoist lint` in the directory of the tree.
fn lint(tree: &Tree, arguments: &[&str]) -> Command {
    let mut command = hoist();
    command.arg("lint").args(arguments).current_dir(tree.path());
    command
}

#[test]
fn text_shows_the_lines_of_the_file() {
    let done = lint(&tree(BAD), &[]).fails(255);
    assert_eq!(
        done.stdout,
        "error[script-not-found]: hooks.AfterInstall[0].location `scripts/Run.sh` is not in the bundle\n \
         --> appspec.yml:5:17\n  |\n5 |     - location: scripts/Run.sh\n  |                 ^^^^^^^^^^^^^^\n  \
         |\n  = help: `scripts/run.sh` is there; names are case-sensitive\n\
         warning[timeout-form]: the timeout `300` is quoted; agent 2.x refuses that\n \
         --> appspec.yml:6:16\n  |\n6 |       timeout: \"300\"\n  |                ^^^^^\n  |\n  \
         = help: write 300\nappspec.yml: 1 error, 1 warning\n"
    );
    assert_eq!(done.stderr, "");
    let done = lint(&tree(GOOD), &[]).ok();
    assert_eq!(done.stdout, "appspec.yml: nothing to complain about\n");
}

#[test]
fn colors_are_shown_when_asked_for() {
    let bad = tree(BAD);
    let done = lint(&bad, &[]).fails(255);
    assert!(!done.stdout.contains('\u{1b}'), "{done}");
    lint(&bad, &["--color", "on"]).fails(255).prints("\u{1b}[");
}

#[test]
fn warnings_fail_only_with_strict() {
    let tree = tree_with_warning();
    lint(&tree, &[]).ok();
    lint(&tree, &["--strict"]).fails(255);
}

#[test]
fn json_has_each_finding() {
    let said = lint(&tree(BAD), &["--format", "json"]).fails(255).json();
    assert_eq!((&said["errors"], &said["warnings"]), (&1.into(), &1.into()));
    assert_eq!(said["file"], "appspec.yml");
    let first = &said["findings"][0];
    assert_eq!(first["rule"], "script-not-found");
    assert_eq!(first["severity"], "error");
    let place = ["line", "column", "end_line", "end_column"].map(|key| &first[key]);
    assert_eq!(place, [5, 17, 5, 31]);
    assert!(first["help"].as_str().unwrap().contains("case-sensitive"));
}

#[test]
fn github_gets_annotations_whose_paths_begin_at_the_repository() {
    let tree = Tree::new();
    tree.file("deploy/appspec.yml", BAD)
        .file("deploy/scripts/run.sh", "");
    let mut command = lint(&tree, &["--format", "github", "--source", "./deploy"]);
    let relative = command.fails(255).stdout;
    assert_eq!(
        relative,
        "::error file=deploy/appspec.yml,line=5,endLine=5,col=17,endColumn=31,title=script-not-found\
         ::hooks.AfterInstall[0].location `scripts/Run.sh` is not in the bundle%0A`scripts/run.sh` is \
         there; names are case-sensitive\n\
         ::warning file=deploy/appspec.yml,line=6,endLine=6,col=16,endColumn=21,title=timeout-form\
         ::the timeout `300` is quoted; agent 2.x refuses that%0Awrite 300\n"
    );
    let mut command = lint(&tree, &["--format", "github", "--source"]);
    let absolute = tree.path().canonicalize().unwrap().join("deploy");
    assert_eq!(command.arg(absolute).fails(255).stdout, relative);
}

/// Checks what the schema of SARIF 2.1.0 requires of the keys that are used.
#[test]
fn sarif_has_its_shape() {
    let log = lint(&tree(BAD), &["--format", "sarif"]).fails(255).json();
    assert_eq!(log["version"], "2.1.0");
    let schema = log["$schema"].as_str().unwrap();
    assert!(schema.ends_with("sarif-2.1.0.json"));
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "hoist");
    assert_eq!(driver["semanticVersion"], env!("CARGO_PKG_VERSION"));
    assert!(
        driver["informationUri"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string());
        assert!(rule["helpUri"].as_str().unwrap().starts_with("https://"));
        let help = ["text", "markdown"].map(|format| rule["help"][format].as_str().unwrap());
        assert!(help.iter().all(|help| help.contains("Remedy")), "{rule}");
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["error", "warning"].contains(&level));
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let level = &rules[index]["defaultConfiguration"]["level"];
        assert_eq!(level, &result["level"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "appspec.yml");
        for key in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][key].as_u64().unwrap() >= 1, "{key}");
        }
    }
    // Without a finding it is a log without results.
    let log = lint(&tree(GOOD), &["--format", "sarif"]).ok().json();
    assert_eq!(log["runs"][0]["results"], Value::Array(Vec::new()));
}

#[test]
fn a_file_by_itself_is_judged_without_its_bundle() {
    let tree = tree(BAD);
    tree.file("lambda.yaml", LAMBDA).file("app.zip", "PK");
    let said = lint(&tree, &["appspec.yml"]).ok().stdout;
    assert!(said.ends_with("appspec.yml: 1 warning\n"), "{said}");
    lint(&tree, &["lambda.yaml"]).ok();
    lint(&tree, &["none.yml"]).fails(255);
    lint(&tree, &["app.zip"]).fails(252);
    lint(&tree, &["appspec.yml", "--source", "."]).fails(252);
}

#[test]
fn a_directory_may_hold_an_appspec_file_for_lambda() {
    let tree = Tree::new();
    tree.file("appspec.yaml", LAMBDA);
    let said = lint(&tree, &[]).ok().stdout;
    assert_eq!(said, "appspec.yaml: nothing to complain about\n");
}

/// A push takes the only one under any name.
#[test]
fn appspec_files_for_lambda_are_found_in_a_directory_under_any_name() {
    let tree = Tree::new();
    tree.file(
        "MyAppSpecFile.yaml",
        LAMBDA.replace("Alias: live", "Alias:"),
    )
    .file(
        "template.yaml",
        "Resources:\n  F:\n    Type: AWS::Lambda::Function\n",
    )
    .file("package.json", "{}");
    let done = lint(&tree, &[]).fails(255);
    done.prints(" --> MyAppSpecFile.yaml:")
        .prints("error[no-property]");
    // Each can be the key of a push.
    tree.file("other.json", LAMBDA_JSON);
    let said = lint(&tree, &["--format", "json"]).fails(255).json();
    let files = said["files"].as_array().unwrap();
    let names: Vec<_> = files.iter().map(|file| &file["file"]).collect();
    assert_eq!(names, ["MyAppSpecFile.yaml", "other.json"]);
}

#[test]
fn a_missing_file_is_reported_as_by_a_push() {
    let tree = Tree::new();
    tree.file("build/appspec.yml", GOOD);
    let path = tree.path().canonicalize().unwrap().join("appspec.yml");
    assert_eq!(
        lint(&tree, &[]).fails(255).stderr,
        format!(
            "hoist: {} was not found\nhoist: found in build/; did you mean --source build?\n",
            path.display()
        )
    );
    let said = lint(&tree, &["--format", "github"]).fails(255).stdout;
    let expected = "::error file=appspec.yml,line=1,endLine=1,col=1,title=not-found::";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn scripts_that_the_options_leave_out_are_not_in_the_bundle() {
    let hidden = tree(&GOOD.replace("scripts", ".scripts"));
    hidden
        .file(".scripts/run.sh", "")
        .mode(".scripts/run.sh", 0o755);
    lint(&hidden, &[]).ok();
    let done = lint(&hidden, &["--ignore-hidden-files"]).fails(255);
    done.prints("names that start with a dot are left out");

    let tree = tree(GOOD);
    lint(&tree, &[]).ok();
    let done = lint(&tree, &["--exclude", "scripts/"]).fails(255);
    assert!(
        done.stdout.starts_with("error[script-not-found]: "),
        "{done}"
    );
    done.prints("`scripts/run.sh` is not in the bundle\n")
        .prints("  = help: ")
        .prints("left out of the bundle");
    lint(&tree, &["--exclude", "scripts/", "--include", "run.sh"]).ok();
    tree.file(".hoistignore", "scripts/\n");
    lint(&tree, &[]).fails(255);
    lint(&tree, &["--no-hoistignore"]).ok();
}

#[test]
fn names_that_differ_in_case_only_are_an_error_for_windows() {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("a/Read.me", "1")
        .file("a/read.me", "2");
    if std::fs::read_dir(tree.path().join("a")).unwrap().count() < 2 {
        eprintln!("skipped: this file system takes both names for one");
        return;
    }
    lint(&tree, &[]).ok();
    tree.file("appspec.yml", "version: 0.0\nos: windows\n");
    let done = lint(&tree, &[]).fails(255);
    assert!(done.stdout.starts_with("error[case-collision]: "), "{done}");
    done.prints("a/Read.me").prints("a/read.me");
}

/// Two bundles with findings, one without, and a directory that has no AppSpec file.
fn services() -> Tree {
    let tree = Tree::new();
    for name in ["api", "web"] {
        tree.file(&format!("services/{name}/appspec.yml"), BAD)
            .file(&format!("services/{name}/scripts/run.sh"), "#!/bin/sh\n");
    }
    tree.file("services/good/appspec.yml", "version: 0.0\nos: linux\n")
        .file("services/none/readme", "");
    tree
}

#[test]
fn several_directories_and_files_are_checked_in_one_run() {
    let tree = services();
    tree.file("alone.yml", BAD);
    let paths = [
        "services/api",
        "services/good",
        "services/web/",
        "./services/web",
        "alone.yml",
    ];
    let done = lint(&tree, &paths).fails(255);
    done.prints("services/api/appspec.yml: 1 error, 1 warning\n")
        .prints("services/good/appspec.yml: nothing to complain about\n")
        .prints("services/web/appspec.yml: 1 error, 1 warning\n")
        .prints("alone.yml: 1 warning\n4 files: 2 errors, 3 warnings\n");
    lint(&tree, &["services/good", "alone.yml"]).ok();
    lint(&tree, &["services/good", "alone.yml", "--strict"]).fails(255);

    let said = lint(&tree, &[&paths[..], &["--format", "json"]].concat());
    let said = { said }.fails(255).json();
    assert_eq!((&said["errors"], &said["warnings"]), (&2.into(), &3.into()));
    assert_eq!(said["file"], Value::Null);
    let files: Vec<&Value> = said["files"].as_array().unwrap().iter().collect();
    assert_eq!(files.len(), 4);
    assert_eq!(files[2]["file"], "services/web/appspec.yml");
    assert_eq!(
        (&files[3]["errors"], &files[3]["warnings"]),
        (&0.into(), &1.into())
    );
    let named = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| &finding["file"]);
    let named: Vec<&str> = named.map(|file| file.as_str().unwrap()).collect();
    let [api, web] = ["services/api/appspec.yml", "services/web/appspec.yml"];
    assert_eq!(named, [api, api, web, web, "alone.yml"]);
}

/// Leaving them out silently would turn a check that checks nothing green.
#[test]
fn paths_that_cannot_be_checked_fail_the_run_and_the_others_are_checked() {
    let tree = services();
    let paths = ["services/none", "services/good", "missing.yml"];
    let done = lint(&tree, &paths).fails(255);
    done.prints("error[not-found]: there is no appspec.yml")
        .prints("services/none/appspec.yml: 1 error\n")
        .prints("services/good/appspec.yml: nothing to complain about\n");
    assert!(
        done.stderr.starts_with("hoist: cannot read missing.yml: "),
        "{done}"
    );
    let done = lint(
        &tree,
        &["services/good", "missing.yml", "--format", "sarif"],
    )
    .fails(255);
    let invocation = &done.json()["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let text = &invocation["toolExecutionNotifications"][0]["message"]["text"];
    assert!(text.as_str().unwrap().contains("missing.yml"));
    let done = lint(&tree, &["services/good", "app.zip"]).fails(252);
    done.says("app.zip is an archive");
    assert_eq!(done.stdout, "");
}

#[test]
fn one_sarif_run_has_the_findings_of_all_files() {
    let tree = services();
    let done = lint(
        &tree,
        &["--format", "sarif", "services/api", "services/web"],
    )
    .fails(255);
    let log = done.json();
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let uri = |result: &Value| {
        let place = &result["locations"][0]["physicalLocation"];
        place["artifactLocation"]["uri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let uris: Vec<String> = results.iter().map(uri).collect();
    let [api, web] = ["services/api/appspec.yml", "services/web/appspec.yml"];
    assert_eq!(uris, [api, api, web, web]);
}

/// GitHub looks files up from the root of the repository, wherever a step runs.
#[test]
fn paths_for_github_begin_at_the_repository_in_any_directory() {
    let tree = services();
    let root = tree.path().canonicalize().unwrap();
    for (directory, path) in [
        ("services", "web"),
        ("services/web", "."),
        ("services/api", "../web"),
    ] {
        let mut command = lint(&tree, &["--format", "github", path]);
        command
            .current_dir(root.join(directory))
            .env("GITHUB_WORKSPACE", &root);
        let said = command.fails(255).stdout;
        let expected = "::error file=services/web/appspec.yml,line=5,";
        assert!(said.starts_with(expected), "{said}");
        let mut command = lint(&tree, &["--format", "sarif", path]);
        command
            .current_dir(root.join(directory))
            .env("GITHUB_WORKSPACE", &root);
        let log = command.fails(255).json();
        let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "services/web/appspec.yml");
    }
}

#[test]
fn github_gets_errors_first_a_count_of_what_it_hides_and_a_summary() {
    let tree = Tree::new();
    let paths: Vec<String> = (0..12).map(|n| format!("s/{n:02}")).collect();
    for path in &paths {
        tree.file(&format!("{path}/appspec.yml"), BAD);
    }
    let mut command = lint(&tree, &["--format", "github"]);
    let summary = tree.path().join("summary.md");
    command.args(&paths).env("GITHUB_STEP_SUMMARY", &summary);
    let said = command.fails(255).stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 25);
    assert!(
        lines[..12]
            .iter()
            .all(|line| line.starts_with("::error file=s/"))
    );
    assert!(
        lines[12..24]
            .iter()
            .all(|line| line.starts_with("::warning file=s/"))
    );
    assert!(lines[24].starts_with("::notice title=hoist lint::GitHub shows 10 annotations"));
    assert!(
        lines[24].contains("2 errors, 2 warnings more"),
        "{}",
        lines[24]
    );
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(
        summary.contains("12 checked: 12 errors, 12 warnings"),
        "{summary}"
    );
    let place = "<code>s/11/appspec.yml:5</code>";
    assert!(summary.contains(place), "{summary}");
}

#[test]
fn what_hardened_agents_refuse_is_an_error_on_request() {
    let appspec = "version: 0.0\nos: linux\nfiles:\n  - source: /site\n    destination: /srv\n\
                   permissions:\n  - object: /srv\n    mode: \"4755\"\n";
    let tree = tree(appspec);
    tree.file("site/page", "x")
        .file("other", "x")
        .symlink("site/link", "../other");
    let rules = |arguments: &[&str]| {
        let mut command = lint(&tree, &["--format", "json"]);
        let done = command.args(arguments).output().unwrap();
        let said: Value = serde_json::from_slice(&done.stdout).unwrap();
        let findings = said["findings"].as_array().unwrap().clone();
        let mut rules: Vec<String> = findings
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap().to_owned())
            .filter(|rule| rule.starts_with("hardened"))
            .collect();
        rules.sort();
        (rules, done.status.code().unwrap())
    };
    let (found, code) = rules(&["--hardened"]);
    assert_eq!((found, code), (vec!["hardened-setuid".to_owned()], 255));
    let (found, _) = rules(&["--hardened", "--symlinks", "preserve"]);
    assert_eq!(
        found,
        [
            "hardened-permission-target",
            "hardened-setuid",
            "hardened-symlink"
        ]
    );
    assert_eq!(rules(&["--symlinks", "preserve"]).0.len(), 0);
}

#[cfg(all(feature = "push", feature = "local"))]
#[test]
fn a_push_stops_at_what_hardened_agents_refuse_on_request() {
    use crate::support::Scene;
    let tree = tree("version: 0.0\nos: linux\n");
    tree.file("site/page", "x").symlink("site/link", "page");
    let scene = Scene::of(tree);
    let keep = ["--dry-run", "--symlinks", "preserve"];
    scene.push(&keep).ok().is_silent_about("hardened");
    let done = scene
        .push(&[&keep[..], &["--hardened"]].concat())
        .fails(255);
    done.says("error[hardened-symlink]: `site/link` is a symbolic link");
    scene.push(&["--dry-run", "--hardened"]).ok();
    scene.push(&["--hardened", "--no-lint"]).fails(252);
}

#[cfg(all(unix, feature = "push", feature = "local"))]
#[test]
fn a_link_that_agents_follow_forty_times_is_told_once() {
    use crate::support::Scene;
    let appspec = "version: 0.0\nos: linux\nfiles:\n  - {source: site, destination: /srv}\n";
    let tree = tree(appspec);
    tree.file("site/a/page", "x").symlink("site/a/up", "..");
    let scene = Scene::of(tree);
    let keep = ["--dry-run", "--symlinks", "preserve"];
    let done = scene.push(&keep).ok();
    done.says("warning[link-loop]")
        .is_silent_about("leads back");
    let done = scene.push(&[&keep[..], &["--no-lint"]].concat()).ok();
    done.says("leads back").is_silent_about("link-loop");
}

#[cfg(unix)]
#[test]
fn a_path_with_a_line_end_begins_no_line_of_its_own() {
    let tree = Tree::new();
    let directory = "a\n::error::x";
    tree.file(&format!("{directory}/appspec.yml"), BAD);
    for format in ["text", "json", "github", "sarif"] {
        let done = lint(&tree, &["--format", format, directory, "b\n::error::y"]).fails(255);
        for stream in [&done.stdout, &done.stderr] {
            assert!(!stream.contains("\n::error::"), "{format}: {done}");
        }
    }
}

#[cfg(all(feature = "push", feature = "local"))]
mod of_a_push {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::process::Stdio;

    use super::*;
    use crate::support::Scene;

    #[test]
    fn an_error_stops_a_push_before_a_byte_moves() {
        let scene = Scene::of(tree(BAD));
        let done = scene.push(&["--quiet"]).fails(255);
        assert!(
            done.stderr.starts_with("error[script-not-found]: "),
            "{done}"
        );
        done.says("appspec.yml:5:17\n")
            .says("1 error, 1 warning; nothing was sent.")
            .says("--no-lint");
        assert_eq!(done.stdout, "");
        scene.assert_nothing_is_left();
    }

    #[test]
    fn without_lint_a_push_says_nothing_of_the_findings() {
        let scene = Scene::of(tree(BAD));
        let done = scene.push(&["--no-lint"]).ok();
        done.is_silent_about("script-not-found")
            .is_silent_about("timeout-form");
        assert!(scene.is_registered());
    }

    #[test]
    fn warnings_of_a_push_are_shown_and_are_in_the_json() {
        let scene = Scene::of(tree_with_warning());
        let done = scene.push(&["--output", "json"]).ok();
        done.says("warning[timeout-form]: ")
            .says("appspec.yml:6:16");
        let warning = &done.json()["warnings"][0];
        assert_eq!(warning["rule"], "timeout-form");
        assert_eq!(warning["line"], 6);
        assert_eq!(scene.push(&["--quiet"]).ok().stderr, "");
    }

    /// The services may take as long as they like, or refuse: the findings do not wait for them.
    #[test]
    fn findings_are_shown_before_the_services_have_answered() {
        // It accepts connections, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let tree = tree_with_warning();
        tree.symlink("dropped", "scripts");
        let scene = Scene::of(tree);
        let mut push = scene.push(&["--endpoint-url", &url]);
        let mut push = push.stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(push.stderr.take().unwrap());
        let said: Vec<String> = said.lines().map(Result::unwrap).take(2).collect();
        let is_running = push.try_wait().unwrap().is_none();
        push.kill().unwrap();
        push.wait().unwrap();
        assert!(is_running, "{said:?}");
        assert!(
            said[0].contains("is a symbolic link to a directory"),
            "{said:?}"
        );
        assert!(said[1].starts_with("warning[timeout-form]: "), "{said:?}");

        drop(silent);
        let done = scene
            .push(&["--endpoint-url", &url, "--max-attempts", "1"])
            .fails(255);
        let (warning, error) = done.stderr.split_once("timeout-form").unwrap();
        assert!(
            !warning.contains("onnect") && error.contains("onnect"),
            "{done}"
        );
    }

    #[test]
    fn warnings_of_a_push_are_annotations_in_a_github_workflow() {
        let tree = tree_with_warning();
        tree.symlink("a,b%", "scripts");
        let scene = Scene::of(tree);
        let in_workflow = |arguments: &[&str]| {
            let mut push = scene.push(arguments);
            push.env("GITHUB_ACTIONS", "true")
                .current_dir(scene.tree.path());
            push
        };
        let done = in_workflow(&["--source", "."]).ok();
        let expected = "::warning title=hoist::./a,b%25 is a symbolic link to a directory";
        assert!(done.stderr.starts_with(expected), "{done}");
        done.says("\n::warning file=appspec.yml,line=6,endLine=6,col=16,endColumn=19,title=timeout-form::");
        assert!(!done.stdout.contains("::warning"), "{done}");
        assert_eq!(in_workflow(&["--quiet"]).ok().stderr, "");

        scene.tree.file("appspec.yml", BAD);
        let done = in_workflow(&["--source", "."]).fails(255);
        done.says("::error file=appspec.yml,line=5,");
    }

    #[test]
    fn a_dry_run_lints_too() {
        let scene = Scene::of(tree(BAD));
        scene
            .push(&["--dry-run"])
            .fails(255)
            .says("script-not-found");
        let done = scene.push(&["--dry-run", "--no-lint"]).ok();
        assert!(done.stdout.starts_with("Would push"), "{done}");
        let scene = Scene::of(tree_with_warning());
        let said = scene.push(&["--dry-run", "--output", "json"]).ok().json();
        assert_eq!(said["warnings"][0]["rule"], "timeout-form");
    }

    #[test]
    fn an_appspec_file_for_lambda_is_pushed_alone_or_not_at_all() {
        let scene = Scene::of(tree(LAMBDA));
        let to = |key| ["--dry-run", "--s3-location", key];
        let done = scene.push(&to("s3://bucket/key.tgz")).fails(255);
        done.says("this is a Lambda/ECS AppSpec (Resources:); push bundles are for");
        scene.push(&to("s3://bucket/key.yaml")).ok();
        // Alone it is judged as one for Lambda.
        let broken = LAMBDA.replace("Alias: live", "Alias:");
        scene.tree.file("broken.yaml", broken);
        let broken = scene.tree.path().join("broken.yaml");
        let mut push = scene.push_of(&broken, &to("s3://bucket/key.yaml"));
        push.fails(255).says("error[no-property]");
        push.arg("--no-lint").ok();
    }

    #[test]
    fn a_push_names_the_directory_that_has_the_missing_file() {
        let tree = Tree::new();
        tree.file("build/appspec.yml", GOOD);
        let done = Scene::of(tree).push(&["--dry-run"]).fails(255);
        let (first, rest) = done.stderr.split_once('\n').unwrap();
        assert!(first.ends_with("/appspec.yml was not found"), "{done}");
        assert!(rest.contains("found in "), "{done}");
        assert!(rest.contains("/build/; did you mean --source "), "{done}");
    }
}
