//! `aws deploy push` runs hoist with all its options by the wrapper, and by no alias that loses some.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Run as _, Tree, aws, hoist, shell, tool};

/// Directories of a PATH with programs that print their names and arguments.
struct Bins(tempfile::TempDir);

impl Bins {
    fn new() -> Self {
        let bins = Self(tempfile::tempdir().unwrap());
        for name in ["aws", "hoist"] {
            let text = format!("#!/bin/sh\nprintf '{name}'\nprintf '<%s>' \"$@\"\necho\nexit 7\n");
            bins.program(&format!("real/{name}"), &text);
        }
        bins
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A PATH of directories in `bins`, and what the system has.
    fn set(&self, command: &mut Command, names: &[&str]) {
        let dirs: Vec<_> = names
            .iter()
            .map(|name| self.path(name).display().to_string())
            .collect();
        command.env("PATH", format!("{}:/usr/bin:/bin", dirs.join(":")));
    }
}

fn wrapper(options: &[&str]) -> String {
    hoist().arg("aws-wrapper").args(options).ok().stdout
}

/// A line of a shell, and what runs then with which arguments.
const LINES: [(&str, &str); 30] = [
    ("aws deploy push", "hoist<push>"),
    (
        "aws deploy push --application-name A",
        "hoist<push><--application-name><A>",
    ),
    (
        "aws --region r deploy push --source .",
        "hoist<push><--region><r><--source><.>",
    ),
    ("aws --region=r deploy push x", "hoist<push><--region=r><x>"),
    (
        "aws --debug deploy --profile 'my dev' push -x",
        "hoist<push><--debug><--profile><my dev><-x>",
    ),
    (
        "aws deploy --no-verify-ssl push --endpoint-url u",
        "hoist<push><--no-verify-ssl><--endpoint-url><u>",
    ),
    (
        "aws --profile deploy deploy push",
        "hoist<push><--profile><deploy>",
    ),
    (
        "aws --profile push deploy push push",
        "hoist<push><--profile><push><push>",
    ),
    (
        "aws --query '*' --output text deploy push",
        "hoist<push><--query><*><--output><text>",
    ),
    (
        "aws --color off --no-cli-pager --no-paginate deploy push",
        "hoist<push><--color><off><--no-cli-pager><--no-paginate>",
    ),
    (
        "aws --cli-binary-format=base64 --no-sign-request deploy push",
        "hoist<push><--cli-binary-format=base64><--no-sign-request>",
    ),
    (
        "aws --no-cli-auto-prompt --ca-bundle 'a b' deploy push",
        "hoist<push><--no-cli-auto-prompt><--ca-bundle><a b>",
    ),
    (
        "aws --cli-read-timeout 1 --cli-connect-timeout=2 deploy push",
        "hoist<push><--cli-read-timeout><1><--cli-connect-timeout=2>",
    ),
    (
        "aws deploy push '' ' ' \"it's\" '$HOME' 'a\nb' '\\'",
        "hoist<push><>< ><it's><$HOME><a\nb><\\>",
    ),
    (
        "aws deploy push --description help",
        "hoist<push><--description><help>",
    ),
    ("aws deploy push help", "hoist<push><--help>"),
    ("aws", "aws<>"),
    ("aws help", "aws<help>"),
    ("aws --version", "aws<--version>"),
    ("aws --version deploy push", "aws<--version><deploy><push>"),
    (
        "aws --v2-debug deploy push",
        "aws<--v2-debug><deploy><push>",
    ),
    (
        "aws --cli-auto-prompt deploy push",
        "aws<--cli-auto-prompt><deploy><push>",
    ),
    ("aws deploy", "aws<deploy>"),
    ("aws deploy help", "aws<deploy><help>"),
    ("aws deploy wait push", "aws<deploy><wait><push>"),
    (
        "aws deploy list-applications push",
        "aws<deploy><list-applications><push>",
    ),
    ("aws push deploy", "aws<push><deploy>"),
    ("aws deploy deploy push", "aws<deploy><deploy><push>"),
    (
        "aws s3 cp deploy push --region ''",
        "aws<s3><cp><deploy><push><--region><>",
    ),
    ("aws --reg r deploy push", "aws<--reg><r><deploy><push>"),
];

#[track_caller]
fn runs(mut command: Command, expected: &str) {
    let done = command.fails(7);
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        (&*format!("{expected}\n"), ""),
        "{command:?}"
    );
}

#[test]
fn the_function_sends_a_push_to_hoist_and_the_rest_to_the_aws_cli() {
    let bins = Bins::new();
    for name in ["sh", "dash", "bash", "zsh", "busybox"] {
        let Some(found) = tool(name, &[name]) else {
            continue;
        };
        let run = |line: &str| {
            let mut command = Command::new(found.get_program());
            if name == "busybox" {
                command.arg("sh");
            }
            // Also in a shell that stops at errors and unset variables.
            command.args(["-euc", line]).env("WRAPPER", wrapper(&[]));
            bins.set(&mut command, &["real"]);
            command
        };
        for (line, expected) in LINES {
            runs(run(&format!("eval \"$WRAPPER\"; {line}")), expected);
        }
        // Nothing of the wrapper's is left in the shell's variables.
        let left = run(
            "place=1 word=2 push=3; eval \"$WRAPPER\"; aws deploy push x || :; echo \"$place$word$push$#\"",
        );
        let mut left = left;
        assert_eq!(left.ok().stdout, "hoist<push><x>\n1230\n", "{name}");
    }
    // An alias that the user has stays one.
    for (name, before) in [
        ("bash", "shopt -s expand_aliases"),
        ("zsh", "setopt aliases"),
    ] {
        let Some(found) = tool(name, &[name]) else {
            continue;
        };
        let mut command = Command::new(found.get_program());
        command
            .env("WRAPPER", wrapper(&[]))
            .env("LINE", "aws deploy push");
        bins.set(&mut command, &["real"]);
        let line = "alias aws='aws --profile mine'\neval \"$WRAPPER\"\neval \"$LINE\"";
        command.args(["-c", &format!("{before}\n{line}")]);
        runs(command, "hoist<push><--profile><mine>");
    }
}

#[test]
fn the_program_sends_a_push_to_hoist_and_the_rest_to_the_next_aws() {
    let bins = Bins::new();
    let script = wrapper(&["--script"]);
    bins.program("one/aws", &script);
    bins.program("two/aws", &script);
    fs::create_dir(bins.path("link")).unwrap();
    std::os::unix::fs::symlink(bins.path("one/aws"), bins.path("link/aws")).unwrap();
    fs::create_dir_all(bins.path("directory/aws")).unwrap();
    for name in ["sh", "dash", "bash", "busybox"] {
        let Some(found) = tool(name, &[name]) else {
            continue;
        };
        for (line, expected) in LINES {
            // The program under this shell, and the line in it.
            let mut command = Command::new("sh");
            let words = line.strip_prefix("aws").unwrap();
            let busybox = if name == "busybox" { "sh" } else { "" };
            let shell = found.get_program().display();
            command.args([
                "-euc",
                &format!(
                    "exec {shell} {busybox} {}{words}",
                    bins.path("one/aws").display()
                ),
            ]);
            bins.set(&mut command, &["one", "real"]);
            runs(command, expected);
        }
    }
    // It is found by its name, and finds the AWS CLI behind other copies, links to itself and directories.
    for path in [
        &["one", "real"][..],
        &["one", "two", "one", "real"],
        &["link", "one", "directory", "real"],
        &["two", "link", "missing", "real", "one", "real"],
    ] {
        let mut command = Command::new("sh");
        bins.set(&mut command, path);
        command.args(["-c", "exec aws --region r s3 ls"]);
        runs(command, "aws<--region><r><s3><ls>");
    }
    let mut command = Command::new("/bin/sh");
    let path = ["one", "two"].map(|name| bins.path(name).display().to_string());
    command
        .env("PATH", path.join(":"))
        .args(["-c", "aws s3 ls"]);
    let done = command.fails(127);
    done.says("there is no other aws after this one in the PATH");
}

/// A file of aliases that run the hoist under test.
fn home(dir: &Path) {
    let hoist = hoist().get_program().display().to_string();
    fs::create_dir_all(dir.join(".aws/cli")).unwrap();
    let text = format!(
        "[toplevel]\npushit = !{hoist} push\nvia =\n  !f() {{ {hoist} push \"$@\"; }}; f\nchecked = !{hoist} lint\n\
         there = !{hoist} push --region eu-west-1\nscript = !./release\n[command deploy]\npush = !{hoist} push\n"
    );
    fs::write(dir.join(".aws/cli/alias"), text).unwrap();
}

/// Runs what must be the same with the real AWS CLI and with a program of that kind.
fn aliases_are_judged(aws: impl Fn() -> Command, version_2: bool) {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n");
    let dir = tempfile::tempdir().unwrap();
    home(dir.path());
    let source = tree.path().display().to_string();
    let release = format!(
        "#!/bin/sh\n{} push \"$@\"\nexit $?\n",
        hoist().get_program().display()
    );
    fs::write(dir.path().join("release"), release).unwrap();
    fs::set_permissions(
        dir.path().join("release"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let run = |line: &str| {
        let mut command = aws();
        command.env("HOME", dir.path()).current_dir(dir.path());
        let push = "--application-name A --s3-location s3://bucket/k.zip --dry-run";
        let line = line.replace("PUSH", push);
        command.args(line.split(' ')).args(["--source", &source]);
        command
    };
    let work = [
        "pushit PUSH",
        "via PUSH",
        "--no-paginate pushit PUSH --query Key",
        "--region eu-west-1 there PUSH",
        // hoist cannot know what a program of the user's wants.
        "--region eu-west-1 script PUSH",
        "--region eu-west-1 checked",
    ];
    // The real AWS CLI takes a second for each.
    for line in &work[if version_2 { 0 } else { 3 }..] {
        run(line).ok();
    }
    let mut lines = vec![
        ("--region eu-west-1 pushit PUSH", "--region"),
        ("via PUSH --no-sign-request", "--no-sign-request"),
    ];
    if version_2 {
        run("deploy push PUSH").ok();
        lines.extend([
            ("deploy --region eu-west-1 push PUSH", "--region"),
            (
                "pushit PUSH --region=eu-west-1 --profile p",
                "--region, --profile",
            ),
            ("--region us-east-1 there PUSH", "--region"),
            (
                "pushit PUSH --endpoint-url http://127.0.0.1:9 --no-verify-ssl",
                "--endpoint-url, --no-verify-ssl",
            ),
        ]);
    } else {
        lines.push(("pushit PUSH --reg eu-west-1", "--region"));
    }
    for (line, names) in lines {
        let done = run(line).fails(252);
        done.says(&format!(
            "the AWS CLI did not pass {names} on to this alias"
        ));
        done.says("hoist aws-wrapper");
    }
    // What it says works.
    let done = run("--region eu-west-1 via PUSH").fails(252);
    let works = done
        .stderr
        .lines()
        .find_map(|line| line.split_once("this works: "))
        .unwrap()
        .1;
    assert!(works.ends_with("--region eu-west-1"), "{works}");
    shell(works).ok();
}

#[test]
fn an_alias_of_the_aws_cli_that_loses_options_is_refused() {
    if let Some(command) = aws() {
        let program = command.get_program().to_owned();
        aliases_are_judged(
            || {
                let mut command = aws().unwrap();
                // A version that pyenv chooses by the directory or by HOME.
                if let Ok(root) = std::env::var("PYENV_ROOT") {
                    command.env("PYENV_ROOT", root);
                }
                assert_eq!(command.get_program(), program);
                command
            },
            false,
        );
    }
}

/// The parts of the AWS CLI version 2 that matter: it takes its options out of the line, and runs an alias by a shell.
const FAKE: &str = r#"
import shlex, subprocess, sys
rest, words = [], sys.argv[1:]
aliases = {}
for line in open(__import__('os').path.expanduser('~/.aws/cli/alias')).read().replace('=\n ', '=').splitlines():
    if '=' in line:
        name, value = line.split('=', 1)
        aliases[name.strip()] = value.strip()[1:]
while words:
    word = words.pop(0)
    if word.split('=')[0] in ('--region', '--profile', '--endpoint-url', '--query'):
        if '=' not in word:
            words.pop(0)
    elif word not in ('--no-sign-request', '--no-verify-ssl', '--no-paginate'):
        rest.append(word)
if rest[0] == 'deploy':
    rest.pop(0)
line = ' '.join([aliases[rest[0]]] + [shlex.quote(word) for word in rest[1:]])
sys.exit(subprocess.call(line, shell=True))
"#;

#[test]
fn an_alias_below_a_command_that_loses_options_is_refused() {
    let Some(python) = tool("Python", &["python3"]) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("aws");
    fs::write(&script, FAKE).unwrap();
    let fake = || {
        let mut command = crate::support::within(&[python.get_program()], &hoist());
        command = {
            let mut made = Command::new(command.get_program());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => made.env(name, value),
                    None => made.env_remove(name),
                };
            }
            made
        };
        command.arg(&script);
        command
    };
    aliases_are_judged(fake, true);
}

#[test]
fn a_program_that_is_no_alias_runs_hoist_with_whatever_options_it_has() {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n");
    let dir = tempfile::tempdir().unwrap();
    home(dir.path());
    let push = format!(
        "{} push --application-name A --s3-location s3://bucket/k.zip --dry-run --source {}",
        hoist().get_program().display(),
        tree.path().display()
    );
    // Programs named aws that are not the AWS CLI, and shells that run both.
    let script = dir.path().join("aws");
    fs::write(&script, format!("#!/bin/sh\n{push}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.display();
    for line in [
        format!("{script} --region r pushit"),
        format!("{script} --region r deploy push"),
        format!("bash -c ': aws --region r pushit; {push}; :'"),
        format!("(exec -a aws sh -c '{push}; :' --region r deploy list-applications)"),
        format!("(exec -a aws sh -c '{push}; :')"),
    ] {
        let Some(mut command) = tool("bash", &["bash"]) else {
            return;
        };
        command.env("HOME", dir.path()).args(["-c", &line]);
        command.ok();
    }
}
