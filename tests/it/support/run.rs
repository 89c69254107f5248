//! Commands, how they end, and the programs that tests run besides hoist.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Where the AWS SDK looks for settings besides the environment.
const EMPTY_HOME: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/empty-home");

/// The binary under test, with nothing of the caller's AWS settings: no `AWS_*` variable, no files in
/// `HOME`, no instance metadata.
pub(crate) fn hoist() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoist"));
    isolate(&mut command);
    command
}

/// The AWS CLI, with nothing of the caller's settings either.
pub(crate) fn aws() -> Option<Command> {
    let mut command = tool("the AWS CLI", &["aws"])?;
    isolate(&mut command);
    // Names and texts are UTF-8, whatever the caller's locale.
    command
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("AWS_PAGER", "");
    Some(command)
}

/// A line for a shell in which `hoist` is the binary under test and an unset variable is an error.
pub(crate) fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    isolate(&mut command);
    let hoist = Path::new(env!("CARGO_BIN_EXE_hoist")).parent().unwrap();
    let path = format!("{}:{}", hoist.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["-euc", line]);
    command
}

/// Removes every variable of the caller's that changes how AWS is reached or what hoist prints.
fn isolate(command: &mut Command) {
    fs::create_dir_all(EMPTY_HOME).unwrap();
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

/// The first of `candidates` that `PATH` holds, in the locale and the time zone in which the names and
/// times of an archive go wrong most easily.
///
/// Without one, the test proves nothing: it says so in one line and passes, or fails under
/// `HOIST_REQUIRE_TOOLS=1`, which CI sets.
pub(crate) fn tool(name: &str, candidates: &[&str]) -> Option<Command> {
    let found = candidates.iter().find_map(|candidate| which(candidate));
    if found.is_none() {
        missing(name, &format!("none of {candidates:?} is in PATH"));
    }
    let mut command = Command::new(found?);
    command
        .env("LC_ALL", "C")
        .env("TZ", "America/New_York")
        .stdin(Stdio::null());
    for changes_output in [
        "LANG",
        "LANGUAGE",
        "UNZIP",
        "ZIPOPT",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "RUBYOPT",
    ] {
        command.env_remove(changes_output);
    }
    Some(command)
}

/// Says that `name` is missing here, or fails when it must not be.
pub(crate) fn missing(name: &str, why: &str) {
    assert!(
        !required(),
        "HOIST_REQUIRE_TOOLS=1, but {name} is missing: {why}"
    );
    eprintln!("skipped: {name}: {why}");
}

/// Whether every tool must be there and slow tests run, as in CI.
pub(crate) fn required() -> bool {
    std::env::var_os("HOIST_REQUIRE_TOOLS").is_some_and(|value| value == "1")
}

fn which(name: &str) -> Option<PathBuf> {
    let is_executable = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(is_executable)
}

/// `command` as the last words of another command, with its environment and its directory. Without
/// other words it is a copy.
pub(crate) fn within<S: AsRef<OsStr>>(outer: &[S], command: &Command) -> Command {
    let outer = outer.iter().map(AsRef::as_ref);
    let inner = [command.get_program()];
    rebuilt(outer.chain(inner).chain(command.get_args()), command)
}

/// The command of these words in the environment and the directory of another.
fn rebuilt<'a>(mut words: impl Iterator<Item = &'a OsStr>, like: &Command) -> Command {
    let mut made = Command::new(words.next().unwrap());
    made.args(words).stdin(Stdio::null());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => made.env(name, value),
            None => made.env_remove(name),
        };
    }
    if let Some(dir) = like.get_current_dir() {
        made.current_dir(dir);
    }
    made
}

/// `command`, run by a shell after `script`.
pub(crate) fn after(script: &str, command: &Command) -> Command {
    let script = format!("{script}; exec \"$@\"");
    within(&["sh", "-c", &script, "sh"], command)
}

/// `command` with a clear umask, so that a reader that applies it can restore every mode.
pub(crate) fn without_umask(command: &Command) -> Command {
    after("umask 0", command)
}

/// The command as a user who is not root, whom permissions bind. None without the means.
///
/// It runs a copy in a directory of its own, since that user may have no way to where the build put it.
pub(crate) fn as_nobody(command: &Command) -> Option<(Command, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let binary = dir.path().join("hoist");
    fs::copy(command.get_program(), &binary).unwrap();
    let mut words: Vec<OsString> = Vec::new();
    if is_root() {
        words.push(tool("setpriv", &["setpriv"])?.get_program().to_owned());
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        words.extend(user.map(OsString::from));
    }
    words.push(binary.into());
    let words = words.iter().map(AsRef::as_ref);
    Some((rebuilt(words.chain(command.get_args()), command), dir))
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").ok().stdout.trim() == "0"
}

/// How a command ended. Shown, it is the command, its exit status and all that it printed.
#[derive(Clone)]
pub(crate) struct Done {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
}

impl Done {
    fn new(command: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            command: command.to_owned(),
        }
    }

    /// Asserts that `part` is on standard error.
    #[track_caller]
    pub(crate) fn says(&self, part: &str) -> &Self {
        assert!(
            self.stderr.contains(part),
            "it does not say {part:?}: {self}"
        );
        self
    }

    /// Asserts that `part` is not on standard error.
    #[track_caller]
    pub(crate) fn is_silent_about(&self, part: &str) -> &Self {
        assert!(!self.stderr.contains(part), "it says {part:?}: {self}");
        self
    }

    /// Asserts that `part` is on standard output.
    #[track_caller]
    pub(crate) fn prints(&self, part: &str) -> &Self {
        assert!(
            self.stdout.contains(part),
            "it does not print {part:?}: {self}"
        );
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The value of `eTag=` in the success text.
    #[track_caller]
    pub(crate) fn etag(&self) -> &str {
        let (_, rest) = self.prints("eTag=").stdout.split_once("eTag=").unwrap();
        rest.split([',', ' ']).next().unwrap()
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\nexit code {:?}, signal {:?}\n--- standard output\n{}\n--- standard error\n{}",
            self.command, self.code, self.signal, self.stdout, self.stderr
        )
    }
}

/// Runs a command to its end and asserts how it ends.
pub(crate) trait Run {
    /// However it ends.
    fn done(&mut self) -> Done;
    /// With exit code 0.
    fn ok(&mut self) -> Done;
    /// With this exit code.
    fn fails(&mut self, code: i32) -> Done;
    /// With exit code 0 and nothing on standard error.
    fn quiet(&mut self) -> Done;
    /// With exit code 0 and not one byte of output.
    fn silent(&mut self);
    /// As [`silent`](Self::silent), with `input` on a pipe, which cannot seek.
    fn silent_on_pipe(&mut self, input: &[u8]);
    /// Starts it, with both outputs on pipes, and the default reaction to signals.
    fn start(&mut self) -> Running;
}

impl Run for Command {
    #[track_caller]
    fn done(&mut self) -> Done {
        match self.output() {
            Ok(output) => Done::new(&format!("{self:?}"), &output),
            Err(error) => panic!("cannot start {self:?}: {error}"),
        }
    }

    #[track_caller]
    fn ok(&mut self) -> Done {
        self.fails(0)
    }

    #[track_caller]
    fn fails(&mut self, code: i32) -> Done {
        let done = self.done();
        assert_eq!(done.code, Some(code), "{done}");
        done
    }

    #[track_caller]
    fn quiet(&mut self) -> Done {
        let done = self.ok();
        assert!(done.stderr.is_empty(), "{done}");
        done
    }

    #[track_caller]
    fn silent(&mut self) {
        let done = self.quiet();
        assert!(done.stdout.is_empty(), "{done}");
    }

    #[track_caller]
    fn silent_on_pipe(&mut self, input: &[u8]) {
        let mut running = self.stdin(Stdio::piped()).start();
        let mut pipe = running.child().stdin.take().unwrap();
        let (written, done) = thread::scope(|scope| {
            let writer = scope.spawn(move || pipe.write_all(input));
            let done = running.end();
            (writer.join().unwrap(), done)
        });
        let quiet = done.stdout.is_empty() && done.stderr.is_empty();
        assert!(done.code == Some(0) && quiet, "{done}");
        written.unwrap();
    }

    #[track_caller]
    fn start(&mut self) -> Running {
        stop_ignoring_signals();
        let child = self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Running {
            child: Some(child.unwrap_or_else(|error| panic!("cannot start {self:?}: {error}"))),
            command: format!("{self:?}"),
        }
    }
}

/// A command that was started. If it is dropped it is killed.
pub(crate) struct Running {
    child: Option<Child>,
    command: String,
}

impl Running {
    pub(crate) fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        Command::new("kill")
            .arg(format!("-{name}"))
            .arg(id)
            .silent();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Done {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Done::new(&self.command, &output)
    }

    /// Kills it.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A shell starts background jobs with SIGINT and SIGQUIT ignored, nohup ignores SIGHUP, and so does
/// everything that they start. A handler, unlike that, is not inherited: children get the default
/// reaction back. For SIGINT and SIGQUIT the handler does what the default does; SIGHUP does nothing, so
/// that nohup keeps its meaning.
fn stop_ignoring_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT};
    use signal_hook::flag::{register, register_conditional_default};

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGINT, SIGQUIT] {
            let always = Arc::new(AtomicBool::new(true));
            register_conditional_default(signal, always).unwrap();
        }
        register(SIGHUP, Arc::default()).unwrap();
    });
}

/// Waits until `holds`, for at most a minute.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The archive that `hoist pack` makes of `source`.
#[track_caller]
pub(crate) fn packed(source: &Path, name: &str, options: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    let mut pack = hoist();
    pack.args(["pack", "-q", "--source"]).arg(source);
    pack.arg("--output").arg(&file).args(options).silent();
    fs::read(file).unwrap()
}
