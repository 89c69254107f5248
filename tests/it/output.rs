//! What commands write for scripts, for shells and for GitHub, and the dry run.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::support::{Run as _, Scene, Tree, hoist, noise, tool};

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("hooks/start.sh", "#!/bin/sh\n")
        .mode("hooks/start.sh", 0o755)
        .file("old", "")
        .mtime("old", -1)
        .file("image.png", noise(9 << 20, 1))
        .symlink("dir", "hooks");
    tree
}

/// A dry run without any setting of AWS.
fn dry_run(tree: &Tree, arguments: &[&str]) -> Command {
    let mut command = hoist();
    command.args(["push", "--dry-run", "--application-name", "App"]);
    command.args(["--s3-location", "s3://bucket/key.zip", "--source"]);
    command.arg(tree.path()).args(arguments);
    command
}

#[test]
fn json_has_all_that_is_known_of_a_push() {
    let scene = Scene::of(tree());
    let said = scene.push(&["--output", "json", "--description", "d"]).ok();
    let said = said.json();
    let object = scene.stored().unwrap();
    assert_eq!(said["application"], "App");
    assert_eq!(said["description"], "d");
    assert_eq!(
        (&said["files"], &said["archive"]),
        (&4.into(), &object.len().into())
    );
    let content = 23 + 10 + (9 << 20);
    assert_eq!(said["content"], content);
    let ratio = object.len() as f64 / f64::from(content);
    assert!((said["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9);
    assert!(said["seconds"].as_f64().unwrap() > 0.0);
    for stage in ["walk", "read", "hash", "compress", "assemble", "send"] {
        assert!(said["stages"][stage].is_f64(), "{said:#}");
    }
    assert!(said["dropped_links"][0].as_str().unwrap().ends_with("/dir"));
    let revision = &said["revision"];
    assert_eq!(revision["bucket"], "bucket");
    assert_eq!(revision["key"], "key.zip");
    assert_eq!(revision["bundleType"], "zip");
    assert_eq!(revision["eTag"], said["etag"]);
    assert!(revision.get("version").is_none() && said["version"].is_null());
    // As `aws deploy create-deployment --cli-input-json` takes it.
    let create = &said["create_deployment"];
    assert_eq!(create["applicationName"], "App");
    assert_eq!(create["revision"]["revisionType"], "S3");
    assert_eq!(&create["revision"]["s3Location"], revision);

    // The digest is that of the tree, whatever the archive is.
    let other = ["--output", "json", "--level", "1", "--bundle-type", "tgz"];
    let again = scene.push(&other).ok().json();
    assert!(said["digest"].as_str().unwrap().starts_with("blake3:"));
    assert_eq!(again["digest"], said["digest"]);
    assert_eq!(again["revision"]["bundleType"], "tgz");
}

#[test]
fn a_push_that_fails_prints_nothing_on_standard_output() {
    let tree = Tree::new();
    tree.file("a", "a");
    let done = Scene::of(tree).push(&["--output", "json"]).fails(255);
    assert_eq!(done.stdout, "");
    done.says("appspec.yml was not found");
}

#[test]
fn a_dry_run_needs_no_settings_and_lists_what_would_be_sent() {
    let tree = tree();
    let done = dry_run(&tree, &[]).ok();
    let begin = "Would push 4 files, 9.00 MiB, as zip to s3://bucket/key.zip: at most ";
    assert!(done.stdout.starts_with(begin), "{done}");
    let end = "in 2 parts; and register it with App.\n";
    assert!(done.stdout.ends_with(end), "{done}");
    // The link that is left out.
    done.says("dir");

    let said = dry_run(&tree, &["--list"]).ok().stdout;
    let lines: Vec<&str> = said.lines().collect();
    for (index, expected) in [
        (
            0,
            "-rw-r--r--           23 2024-01-15T12:00:01Z appspec.yml",
        ),
        (
            1,
            "-rwxr-xr-x           10 2024-01-15T12:00:01Z hooks/start.sh",
        ),
        (3, "-rw-r--r--            0 1969-12-31T23:59:59Z old"),
    ] {
        assert_eq!(lines[index], expected);
    }
    assert_eq!(lines.len(), 5);

    let said = dry_run(&tree, &["--list", "--output", "json"]).ok().json();
    let numbers = ["files", "parts_at_most", "part_size"].map(|key| &said[key]);
    assert_eq!(numbers, [4, 2, 8 << 20]);
    let entries = &said["entries"];
    assert_eq!(entries[1]["name"], "hooks/start.sh");
    assert_eq!(entries[1]["mode"], "0755");
    assert_eq!(entries[3]["mtime"], -1);
    assert!(said["archive_at_most"].as_u64().unwrap() > 9 << 20);
}

#[test]
fn a_dry_run_fails_where_a_push_would() {
    let tree = Tree::new();
    tree.file("a", "a");
    let done = dry_run(&tree, &[]).fails(255);
    done.says("appspec.yml was not found");
    let scene = Scene::new();
    scene.push(&["--list"]).fails(252).says("--dry-run");
}

#[test]
fn colors_are_on_off_or_as_the_terminal_has_them() {
    for (when, colors) in [("on", true), ("off", false), ("auto", false)] {
        let done = hoist().args(["push", "--color", when]).fails(252);
        assert_eq!(done.stderr.contains('\u{1b}'), colors, "{when}");
    }
    hoist().args(["push", "--color", "pink"]).fails(252);
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = hoist().args(["completions", shell]).ok();
        done.prints("application-name");
        if shell == "bash"
            && let Some(mut bash) = tool("bash", &["bash"])
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("hoist.bash");
            fs::write(&path, done.stdout).unwrap();
            bash.arg("-n").arg(path).ok();
        }
    }
    hoist().args(["completions", "cmd"]).fails(252);
}

/// The commands, and the option of each that stands first in its help.
const COMMANDS: [(&str, &str); 10] = [
    ("push", "--application-name"),
    ("register", "--application-name"),
    ("verify", "--manifest"),
    ("clean", "--older-than"),
    ("pack", "--output"),
    ("lint", "--source"),
    ("bench", "--source"),
    ("completions", "--help"),
    ("man", "--dir"),
    ("serve", "--dir"),
];

#[test]
fn each_command_has_a_manual_page_with_the_usual_sections() {
    let dir = tempfile::tempdir().unwrap();
    hoist().args(["man", "--dir"]).arg(dir.path()).ok();
    let names = COMMANDS.iter().map(|(name, _)| format!("hoist-{name}.1"));
    for name in names.chain(["hoist.1".to_owned()]) {
        let page = fs::read_to_string(dir.path().join(&name)).unwrap();
        for section in ["NAME", "EXAMPLES", "\"EXIT STATUS\"", "ENVIRONMENT"] {
            assert!(
                page.contains(&format!(".SH {section}")),
                "{name}: {section}"
            );
        }
        assert!(!page.contains(".SH EXTRA"), "{name}");
    }
    let push = fs::read_to_string(dir.path().join("hoist-push.1")).unwrap();
    for text in [".TH", "application\\-name", ".SH FILES", ".SH UPLOAD"] {
        assert!(push.contains(text), "{text}: {push}");
    }
    hoist().arg("man").ok().prints(".TH hoist 1");
}

#[test]
fn help_has_groups_with_what_is_required_first_and_ends_with_examples_and_the_documentation() {
    for (command, first) in COMMANDS {
        let help = hoist().args([command, "--help"]).ok().stdout;
        let in_order = |texts: &[&str]| {
            let mut rest = help.as_str();
            for text in texts {
                let (_, after) = rest.split_once(text).unwrap_or_else(|| {
                    panic!("{command}: {text} is not there, or not behind the others: {help}")
                });
                rest = after;
            }
        };
        in_order(&["Usage:", "Options:\n", "Examples:\n", "Exit status:\n"]);
        in_order(&["Environment:\n", "Documentation:\n"]);
        let options = help.split("\n  ").map(str::trim_start);
        let mut options = options.filter(|line| line.starts_with('-'));
        let option = options
            .find(|line| !line.starts_with("-h"))
            .unwrap_or("--help");
        assert!(option.contains(first), "{command}: {option}");
        if command == "push" {
            in_order(&[
                "--application-name",
                "--s3-location",
                "\nSource:\n",
                "\nArchive:\n",
            ]);
            in_order(&[
                "\nUpload:\n",
                "\nS3 object:\n",
                "\nAWS access:\n",
                "\nOutput:\n",
            ]);
            in_order(&["\nOutput:\n", "\nTesting:\n", "Examples:\n"]);
        }
    }
}

#[test]
fn github_gets_outputs_and_a_summary() {
    let (scene, dir) = (Scene::new(), tempfile::tempdir().unwrap());
    let (outputs, summary) = (dir.path().join("outputs"), dir.path().join("summary"));
    fs::write(&outputs, "before=1\n").unwrap();
    let mut push = scene.push(&["--github-output"]);
    let done = push
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .ok();
    let text = fs::read_to_string(&outputs).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("before=1"));
    let mut values = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (name, end) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        values.insert(name.to_owned(), value.join("\n"));
    }
    assert_eq!(values["bucket"], "bucket");
    assert_eq!(values["key"], "key.zip");
    assert_eq!(values["bundle-type"], "zip");
    assert_eq!(values["version"], "");
    done.prints(&format!("--s3-location {} ", values["s3-location"]));
    assert!(values["s3-location"].contains(&values["etag"]));
    let text = fs::read_to_string(&summary).unwrap();
    let revision = "| Revision | <code>s3://bucket/key.zip</code> |";
    assert!(text.contains(revision), "{text}");
}

#[test]
fn a_file_of_github_that_is_missing_fails_a_push_before_it_and_not_after_it() {
    let (scene, dir) = (Scene::new(), tempfile::tempdir().unwrap());
    let mut push = scene.push(&["--github-output"]);
    push.fails(252).says("GITHUB_OUTPUT");
    assert!(scene.stored().is_none());
    let mut push = scene.push(&[]);
    let done = push.env("GITHUB_STEP_SUMMARY", dir.path()).ok();
    done.says("warning: the summary in ");
}

#[test]
fn a_warning_about_the_key_is_an_annotation_in_a_workflow() {
    let scene = Scene::new();
    let mut push = scene.push(&["--bundle-type", "tgz"]);
    let done = push.env("GITHUB_ACTIONS", "true").ok();
    done.says("::warning title=hoist::the key key.zip ends like zip");
    let mut push = scene.push(&["--bundle-type", "tgz"]);
    push.ok()
        .says("hoist: warning: the key key.zip ends like zip");
}

/// As with `hoist ... | head -0`: no reader is left.
#[test]
fn a_reader_that_has_seen_enough_is_no_failure_of_any_command() {
    let scene = Scene::new();
    let tree = scene.tree.path().to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("a.zip");
    let archive = archive.to_str().unwrap();
    scene.push(&[]).ok();
    for words in [
        &["pack", "--source", tree, "-o", archive][..],
        &["verify", archive],
        &["verify", archive, "--output", "json"],
        &["lint", tree],
        &["lint", tree, "--format", "sarif"],
        &["bench", "--sink", "null", "--source", tree],
        &["bench", "--sink", "local", "--source", tree],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["push", "--help"],
        &["--version"],
        &["clean", "s3://bucket/", "--dry-run"],
        &[
            "push",
            "--application-name",
            "App",
            "--s3-location",
            "s3://bucket/k",
            "--source",
            tree,
        ],
        &[
            "push",
            "--application-name",
            "App",
            "--s3-location",
            "s3://bucket/k",
            "--source",
            tree,
            "--dry-run",
            "--list",
        ],
    ] {
        let mut command = scene.hoist(words);
        let code = command.done().code;
        for stderr_too in [false, true] {
            let (closed, pipe) = std::io::pipe().unwrap();
            drop(closed);
            command.stdout(pipe.try_clone().unwrap());
            if stderr_too {
                command.stderr(pipe);
            } else {
                command.stderr(std::process::Stdio::piped());
            }
            let mut child = command.spawn().unwrap();
            let mut said = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
            }
            assert_eq!(child.wait().unwrap().code(), code, "{words:?} {said}");
            assert!(
                !said.contains("pipe") && !said.contains("panic"),
                "{words:?} {said}"
            );
        }
    }
}
