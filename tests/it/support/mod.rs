//! What the integration tests share: a tree to pack, the command under test, and the programs
//! that judge what it made.
//!
//! Nothing here reads hoist's own code, so that a test cannot agree with a mistake in it.

// Every test file uses its own part of this module.
#![allow(dead_code, unused_imports)]

mod between;
mod listener;
mod server;
pub(crate) mod settings;
#[cfg(feature = "push")]
mod tls;
mod tree;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) use between::{Answer, Between, Head, denied};
pub(crate) use listener::Listener;
pub(crate) use server::{BlackHole, Server, send_signal};
#[cfg(feature = "push")]
pub(crate) use tls::{Tls, authority};
pub(crate) use tree::{Entries, Entry, Tree, entries, noise, text};

/// Where the AWS SDK looks for settings besides the environment.
const EMPTY_HOME: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/empty-home");

/// The binary under test, with nothing of the caller's AWS settings: no `AWS_*` variable, no
/// files in `HOME`, no instance metadata.
pub(crate) fn hoist() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoist"));
    alone(&mut command);
    command
}

/// The AWS CLI, with nothing of the caller's settings either.
pub(crate) fn aws() -> Option<Command> {
    let mut command = tool("the AWS CLI", &["aws"])?;
    alone(&mut command);
    // Names and texts are UTF-8, whatever the caller's locale.
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    Some(command)
}

/// A line for a shell, to which `hoist` is the binary under test and a variable that is not set an
/// error.
pub(crate) fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    alone(&mut command);
    let hoist = Path::new(env!("CARGO_BIN_EXE_hoist")).parent().unwrap();
    let path = format!("{}:{}", hoist.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["-euc", line]);
    command
}

/// Takes everything of the caller's that changes how AWS is reached, and what is said of it.
fn alone(command: &mut Command) {
    std::fs::create_dir_all(EMPTY_HOME).unwrap();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_proxy = text.to_ascii_lowercase().ends_with("_proxy");
        let is_ours = ["AWS_", "GITHUB_", "HOIST_EXIT"]
            .iter()
            .any(|start| text.starts_with(start));
        if is_proxy || is_ours || name == "SOURCE_DATE_EPOCH" {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", EMPTY_HOME)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
}

/// The first of `candidates` that `PATH` holds, under the locale and the time zone in which an
/// archive's names and times go wrong most easily.
///
/// Without any of them a test has nothing to prove: it says so in one line and passes, or fails
/// under `HOIST_REQUIRE_TOOLS=1`, which CI sets.
pub(crate) fn tool(name: &str, candidates: &[&str]) -> Option<Command> {
    let found = candidates.iter().find_map(|candidate| which(candidate));
    if found.is_none() {
        missing(name, &format!("none of {candidates:?} is in PATH"));
    }
    found.map(|path| {
        let mut command = Command::new(path);
        foreign(&mut command);
        command
    })
}

/// Says that `name` cannot judge here, or fails when it must.
pub(crate) fn missing(name: &str, why: &str) {
    let required = std::env::var_os("HOIST_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !required,
        "HOIST_REQUIRE_TOOLS=1, but {name} is missing: {why}"
    );
    eprintln!("skipped: {name}: {why}");
}

/// `command`, run through a shell that clears the umask, so that a reader which applies it can
/// restore every mode.
pub(crate) fn without_umask(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 0 && exec \"$@\"", "sh"])
        .arg(command.get_program());
    shell.args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null());
    shell
}

/// The command as a user who is not root, whom permissions bind. None without the means.
///
/// It runs from a copy in a directory of its own: where the build put it, others may have no way to it.
pub(crate) fn as_nobody(command: &Command) -> Option<(Command, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), everybody).unwrap();
    let binary = dir.path().join("hoist");
    std::fs::copy(command.get_program(), &binary).unwrap();
    let mut other = if is_root() {
        let mut setpriv = tool("setpriv", &["setpriv"])?;
        setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        setpriv.arg(binary);
        setpriv
    } else {
        Command::new(binary)
    };
    other.args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        other.current_dir(dir);
    }
    Some((other, dir))
}

pub(crate) fn is_root() -> bool {
    run_text(Command::new("id").arg("-u")).trim() == "0"
}

/// Runs `command` to its end and asserts exit 0.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(output.status.success(), "{}", report(command, &output));
    output
}

/// Runs `command` to its end and asserts exit `code`.
#[track_caller]
pub(crate) fn run_failing(command: &mut Command, code: i32) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        report(command, &output)
    );
    output
}

/// Runs `command`, asserts exit 0, and gives what it wrote on standard output.
#[track_caller]
pub(crate) fn run_text(command: &mut Command) -> String {
    let output = run(command);
    let text = String::from_utf8(output.stdout.clone());
    text.unwrap_or_else(|_| panic!("not UTF-8: {}", report(command, &output)))
}

/// Runs `command` and asserts exit 0 and nothing on standard error.
#[track_caller]
pub(crate) fn run_clean(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.stderr.is_empty(), "{}", report(command, &output));
    output
}

/// Runs `command` and asserts exit 0 and not one byte of output.
#[track_caller]
pub(crate) fn run_silent(command: &mut Command) {
    let output = run_clean(command);
    assert!(output.stdout.is_empty(), "{}", report(command, &output));
}

/// Runs `command` with `input` on a pipe, which cannot seek, and asserts exit 0 and silence.
#[track_caller]
pub(crate) fn run_silent_on_pipe(command: &mut Command, input: &[u8]) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let (written, output) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || pipe.write_all(input));
        let output = child.wait_with_output().unwrap();
        (writer.join().unwrap(), output)
    });
    assert!(output.status.success(), "{}", report(command, &output));
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "{}",
        report(command, &output)
    );
    written.unwrap();
}

/// Everything that is known about a run, for a failed assertion.
pub(crate) fn report(command: &Command, output: &Output) -> String {
    format!(
        "{command:?}\n{}\n--- standard output\n{}\n--- standard error\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )
}

fn foreign(command: &mut Command) {
    command
        .env("LC_ALL", "C")
        .env_remove("LANG")
        .env_remove("LANGUAGE")
        .env("TZ", "America/New_York")
        // These change what unzip, zip and java print and do.
        .env_remove("UNZIP")
        .env_remove("ZIPOPT")
        .env_remove("JAVA_TOOL_OPTIONS")
        .env_remove("_JAVA_OPTIONS")
        .env_remove("RUBYOPT")
        .stdin(Stdio::null());
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
