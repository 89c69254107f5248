//! Bash, zsh and fish complete commands, options, directories, files, values and profiles.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Run as _, hoist, tool};

/// A directory to complete in, and a home with profiles.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for below in ["work/dist", "work/my dir", "home/.aws"] {
            fs::create_dir_all(dir.path().join(below)).unwrap();
        }
        for file in ["work/deploy.zip", "work/other.json"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let home = |name: &str, text: &str| {
            fs::write(dir.path().join("home/.aws").join(name), text).unwrap();
        };
        home(
            "config",
            "[default]\nregion = x\n[profile dev]\n[profile \"dev two\"]\n[sso-session devs]\n",
        );
        home("credentials", "[deploy]\naws_access_key_id = x\n");
        Self { dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a shell complete here, with the command under test as `hoist`.
    fn shell(&self, mut shell: Command) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_hoist")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut paths = vec![program.to_owned()];
        paths.extend(std::env::split_paths(&path));
        shell
            .current_dir(self.path("work"))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home"))
            .env("XDG_DATA_HOME", self.path("home"))
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env_remove("AWS_CONFIG_FILE")
            .env_remove("AWS_SHARED_CREDENTIALS_FILE");
        shell
    }

    /// Writes the script of a shell.
    fn script(&self, shell: &str) -> std::path::PathBuf {
        let path = self.path(&format!("script.{shell}"));
        let done = hoist().args(["completions", shell]).ok();
        fs::write(&path, done.stdout).unwrap();
        path
    }
}

/// What is typed, a completion that must be there, and one that must not.
const CASES: &[(&str, &str, &str)] = &[
    ("hoist pu", "push", "pack"),
    ("hoist push --app", "--application-name", "--acl"),
    ("hoist push --source d", "dist/", "deploy.zip/"),
    ("hoist push --source de", "deploy.zip", "dist/"),
    ("hoist push --local d", "dist/", "deploy.zip"),
    ("hoist push --source=d", "dist/", "other.json"),
    ("hoist pack --manifest o", "other.json", "deploy.zip"),
    ("hoist verify d", "deploy.zip", "--help"),
    ("hoist lint o", "other.json", "deploy.zip"),
    ("hoist push --level b", "best", "fast"),
    ("hoist push --level=f", "fast", "best"),
    ("hoist push --bundle-type t", "tgz", "zip"),
    ("hoist push --symlinks f", "follow", "skip"),
    ("hoist push --resume=au", "auto", "always"),
    ("hoist push --checksum crc", "crc64nvme", "none"),
    ("hoist push --sse aws", "aws:kms", "AES256"),
    ("hoist push --profile d", "dev", "devs"),
    ("hoist clean --profile de", "deploy", "devs"),
    ("hoist verify --profile=de", "default", "devs"),
    ("hoist serve --dir d", "dist/", "deploy.zip"),
];

/// Whether a candidate is among the completions, as a whole word or as the value of an option.
fn has(completions: &[String], candidate: &str) -> bool {
    completions.iter().any(|found| {
        found == candidate
            || found
                .rsplit_once('=')
                .is_some_and(|(_, value)| value == candidate)
    })
}

#[track_caller]
fn assert_completes(shell: &str, typed: &str, completions: &[String], wanted: &str, other: &str) {
    assert!(
        has(completions, wanted),
        "{shell}: {typed}: {completions:?}"
    );
    assert!(
        !has(completions, other),
        "{shell}: {typed}: {completions:?}"
    );
}

#[test]
fn bash_completes_directories_files_values_and_profiles() {
    if tool("bash", &["bash"]).is_none() {
        return;
    }
    let place = Place::new();
    let script = place.script("bash");
    // As readline calls the function: '=' is a word of its own.
    let program = "
        source \"$1\"
        line=${2//=/ = }
        read -ra COMP_WORDS <<< \"$line\"
        if [[ $2 == *' ' ]]; then COMP_WORDS+=(''); fi
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _hoist hoist \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let complete = |typed: &str| {
        let mut bash = place.shell(tool("bash", &["bash"]).unwrap());
        bash.args(["-c", program, "bash"]).arg(&script).arg(typed);
        let done = bash.ok();
        done.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for (typed, wanted, other) in CASES {
        let found = complete(typed);
        assert_completes("bash", typed, &found, wanted, other);
    }
    assert!(has(&complete("hoist push --source m"), "my dir/"));
    assert!(has(&complete("hoist push --source "), "dist/"));
    assert!(has(&complete("hoist push --source="), "dist/"));
    assert!(has(&complete("hoist push --profile dev"), "dev\\ two"));
    assert!(has(&complete("hoist push --profile="), "dev"));
    assert_eq!(complete("hoist push --region "), [""]);
    assert!(
        !has(&complete("hoist push --resume "), "auto"),
        "it needs a ="
    );
    assert!(has(&complete("hoist "), "completions"));
    assert_eq!(complete("hoist completions f"), ["fish"]);
}

#[test]
fn fish_completes_directories_files_values_and_profiles() {
    if tool("fish", &["fish"]).is_none() {
        return;
    }
    let place = Place::new();
    let script = place.script("fish");
    let complete = |typed: &str| {
        let mut fish = place.shell(tool("fish", &["fish"]).unwrap());
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]);
        let done = fish.arg(&script).arg(typed).ok();
        let lines = done.stdout.lines();
        let words = lines.map(|line| line.split('\t').next().unwrap().to_owned());
        words.collect::<Vec<_>>()
    };
    for (typed, wanted, other) in CASES {
        let found = complete(typed);
        assert_completes("fish", typed, &found, wanted, other);
    }
    assert!(has(&complete("hoist push --profile dev"), "dev two"));
}

/// Zsh completes in its line editor only, so it runs on a pseudo-terminal, and a key prints the line.
#[test]
fn zsh_completes_directories_files_values_and_profiles() {
    if tool("zsh", &["zsh"]).is_none() {
        return;
    }
    let place = Place::new();
    let script = place.script("zsh");
    let program = r#"
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z 'PS1= PS2= RPS1=; unsetopt zle_bracketed_paste 2>/dev/null; stty -echo'
        zpty -w z 'autoload -Uz compinit && compinit -u -D'
        zpty -w z 'setopt no_beep no_list_ambiguous; zstyle ":completion:*" menu no'
        zpty -w z "source ${(q)1}"
        zpty -w z 'show() { print -r -- "<<$BUFFER>>"; BUFFER=; }; zle -N show; bindkey "^X" show'
        zpty -w z 'print -r -- REA''DY'
        zpty -r -m z seen '*READY*'
        shift
        for typed; do
            zpty -w -n z "$typed"$'\t\x18'
            zpty -r -m z seen '*<<*>>*'
            seen=${seen##*<<}
            print -r -- "${seen%%>>*}"
        done
        zpty -d z
    "#;
    // Zsh puts the only completion into the line.
    let only: [(&str, &str); 10] = [
        ("hoist pus", "hoist push "),
        ("hoist push --application", "hoist push --application-name="),
        ("hoist push --local di", "hoist push --local dist/"),
        ("hoist push --local=di", "hoist push --local=dist/"),
        ("hoist push --source my", "hoist push --source my\\ dir/"),
        (
            "hoist pack --manifest oth",
            "hoist pack --manifest other.json ",
        ),
        ("hoist verify dep", "hoist verify deploy.zip "),
        ("hoist push --level be", "hoist push --level best "),
        ("hoist push --profile dep", "hoist push --profile deploy "),
        ("hoist push --symlinks fo", "hoist push --symlinks follow "),
    ];
    let mut zsh = place.shell(tool("zsh", &["zsh"]).unwrap());
    zsh.args(["-f", "-c", program, "zsh"]).arg(&script);
    let done = zsh
        .args(only.map(|(typed, _)| typed))
        .env("TERM", "dumb")
        .ok();
    for ((typed, wanted), line) in only.iter().zip(done.stdout.lines()) {
        assert_eq!(line.trim_end(), wanted.trim_end(), "{typed}\n{done}");
    }
    assert_eq!(done.stdout.lines().count(), only.len(), "{done}");
}

#[test]
fn profiles_that_cannot_be_read_are_no_error() {
    let place = Place::new();
    let profiles = || {
        let mut command = place.shell(hoist());
        command.args(["completions", "--profiles"]).ok().stdout
    };
    assert_eq!(profiles(), "default\ndeploy\ndev\ndev two\n");
    fs::write(place.path("home/.aws/config"), "[broken\n").unwrap();
    assert_eq!(profiles(), "");
}
