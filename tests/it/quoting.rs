//! Names from outside never begin a line of their own on any stream, whatever goes wrong: a line that
//! begins with `::` is a command to GitHub Actions.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{APPSPEC, Done, Run as _, Server, as_nobody, hoist};

/// What follows a line end in names.
const AFTER: &str = "::error::x";

#[track_caller]
fn assert_no_line_begins_a_command(what: &str, done: &Done) {
    for text in [&done.stdout, &done.stderr] {
        for line in text.split(['\n', '\r']) {
            assert!(!line.trim_start().starts_with("::"), "{what}\n{done}");
        }
    }
}

/// A directory below `dir` with a bad name and with these files.
fn source(dir: &Path, name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    let source = dir.join(name);
    fs::create_dir_all(&source).unwrap();
    for (name, text) in files {
        fs::write(source.join(name), text).unwrap();
    }
    source
}

/// Runs commands that fail, or warn, and name something from outside.
struct Trial {
    dir: tempfile::TempDir,
    server: Server,
    /// A name with a line end.
    bad: String,
    /// A directory with such a name and an AppSpec file.
    good_source: std::path::PathBuf,
}

impl Trial {
    fn new(line_end: &str) -> Self {
        let (dir, bad) = (tempfile::tempdir().unwrap(), format!("a{line_end}{AFTER}"));
        let good_source = source(
            dir.path(),
            &format!("{bad}-good"),
            &[("appspec.yml", APPSPEC)],
        );
        Self {
            dir,
            server: Server::ready(),
            bad,
            good_source,
        }
    }

    fn source(&self, kind: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        source(self.dir.path(), &format!("{}-{kind}", self.bad), files)
    }

    /// The command must fail, and show the name in one line.
    #[track_caller]
    fn fails(&self, command: &mut Command) -> Done {
        let done = self.runs(command);
        assert_ne!(done.code, Some(0), "{done}");
        done
    }

    #[track_caller]
    fn runs(&self, command: &mut Command) -> Done {
        let done = command.done();
        let what = format!("{command:?}");
        assert_no_line_begins_a_command(&what, &done);
        assert!(
            done.stderr.contains(AFTER) || done.stdout.contains(AFTER),
            "{what}\n{done}"
        );
        done
    }

    fn hoist(&self, words: &[&str]) -> Command {
        let mut command = self.server.hoist(words);
        command.current_dir(self.dir.path());
        command
    }

    /// `hoist push` of the good source with more options, of which the last counts.
    fn push(&self, words: &[&str]) -> Command {
        let mut push = self.server.push_of(&self.good_source, words);
        push.current_dir(self.dir.path());
        push
    }
}

const LINE_ENDS: [&str; 3] = ["\n", "\r", "\r\n"];

#[test]
fn errors_about_a_source_show_its_name_in_one_line() {
    for line_end in LINE_ENDS {
        let trial = Trial::new(line_end);
        let none = format!("{}-none", trial.bad);
        let empty = trial.source("empty", &[("x", "")]);
        let broken = trial.source("broken", &[("appspec.yml", "version: 0.0\nos: Linux\n")]);
        let misnamed = trial.source("sub", &[]);
        source(&misnamed, &trial.bad, &[("appspec.yml", APPSPEC)]);
        let pipe = trial.source("pipe", &[("appspec.yml", APPSPEC)]);
        Command::new("mkfifo").arg(pipe.join("p")).silent();
        let named = trial.source("named", &[("appspec.yml", APPSPEC), (&trial.bad, "")]);
        let several =
            format!("version: 0.0\nResources:\n  - {AFTER}:\n      Type: AWS::ECS::Service\n");
        let several = several.replace("::error::x", "f");
        let ambiguous = [("b.yaml", &*several), ("c.yaml", &several)];
        let ambiguous = trial.source("ambiguous", &ambiguous);
        for dir in [Path::new(&none), &empty, &broken, &misnamed, &pipe, &named] {
            trial.fails(trial.push(&["--source"]).arg(dir));
            trial.fails(trial.push(&["--dry-run", "--source"]).arg(dir));
        }
        let to_yaml = ["--s3-location", "s3://bucket/k.yaml", "--source"];
        trial.fails(trial.push(&to_yaml).arg(&ambiguous));
        trial.fails(trial.push(&to_yaml).arg(&empty));
        for (name, bytes) in [
            ("a.zip", &b"PK\x03\x04"[..]),
            ("a.tgz", b"\x1f\x8b"),
            ("a", b"a"),
        ] {
            let file = empty.join(name);
            fs::write(&file, bytes).unwrap();
            trial.fails(trial.push(&["--source"]).arg(&file));
        }
        let not_lambda = broken.join("appspec.yml");
        trial.fails(trial.push(&to_yaml).arg(&not_lambda));
        for words in [["--bundle-type", "tgz"], ["--manifest", "m"]] {
            let file = empty.join("a.zip");
            trial.fails(trial.push(&words).arg("--source").arg(file));
        }
    }
}

#[test]
fn errors_about_links_show_their_names_in_one_line() {
    for line_end in LINE_ENDS {
        let trial = Trial::new(line_end);
        let link = |kind: &str, target: &str| {
            let source = trial.source(kind, &[("appspec.yml", APPSPEC)]);
            std::os::unix::fs::symlink(target, source.join("link")).unwrap();
            source
        };
        let dangling = link("dangling", &trial.bad);
        let outside = link("outside", "/etc/hostname");
        let above = link("loop", ".");
        for how in ["follow", "preserve", "error", "skip"] {
            for dir in [&dangling, &outside, &above] {
                let done = trial.push(&["--symlinks", how, "--source"]).arg(dir).done();
                assert_no_line_begins_a_command(how, &done);
            }
        }
        trial.fails(trial.push(&["--source"]).arg(&dangling));
        trial.fails(
            trial
                .push(&["--symlinks", "error", "--source"])
                .arg(&outside),
        );
        trial.fails(
            trial
                .push(&["--symlinks", "follow", "--source"])
                .arg(&above),
        );
        trial.runs(trial.push(&["--source"]).arg(&above));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_shown_in_one_line() {
    use std::os::unix::fs::PermissionsExt as _;
    let trial = Trial::new("\n");
    let locked = trial.source("locked", &[("appspec.yml", APPSPEC), ("f", "")]);
    let open =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(trial.dir.path(), 0o777);
    open(&locked, 0o755);
    open(&locked.join("f"), 0o000);
    let mut pack = hoist();
    pack.args(["pack", "-q", "-o"])
        .arg(trial.dir.path().join("o.zip"));
    pack.arg("--source").arg(&locked);
    let Some((mut pack, _binary)) = as_nobody(&pack) else {
        return;
    };
    trial.fails(&mut pack);
}

#[test]
fn errors_about_options_show_their_values_in_one_line() {
    for line_end in LINE_ENDS {
        let trial = Trial::new(line_end);
        let bad = &*trial.bad;
        let in_none = format!("none/{bad}");
        for option in [
            "--level",
            "--bundle-type",
            "--threads",
            "--concurrency",
            "--timeout",
            "--bandwidth-limit",
            "--memory-limit",
            "--checksum",
            "--symlinks",
            "--mtime",
            "--color",
            "--output",
            "--max-attempts",
            "--expected-bucket-owner",
            "--request-payer",
            "--cli-read-timeout",
            "--application-name",
            "--acl",
            "--storage-class",
            "--sse",
            "--metadata",
            "--tagging",
            "--profile",
            "--endpoint-url",
            "--ca-bundle",
            bad,
        ] {
            let done = trial.push(&[option, bad]).done();
            assert_no_line_begins_a_command(option, &done);
        }
        for words in [
            &["--level", bad][..],
            &[&*format!("--level={bad}")],
            &["--memory-limit", bad],
            &["--bundle-type", bad],
            &["--application-name", bad],
            &["--profile", bad],
            &["--endpoint-url", bad],
            &["--ca-bundle", bad],
            &[bad],
            &[&*format!("--{bad}")],
            &["--s3-location", &format!("s3://no-such-bucket/{bad}")],
            &["--s3-location", &format!("s3://{bad}/key")],
            &["--description", &format!("file://{bad}")],
            &["--manifest", &in_none],
            &["--local", &format!("/dev/null/{bad}")],
        ] {
            trial.fails(&mut trial.push(words));
        }
        // Most of these patterns are good ones.
        for pattern in [
            format!("!{bad}"),
            format!("[{bad}"),
            format!("{bad}["),
            format!("{bad}\\"),
        ] {
            for option in ["--exclude", "--include"] {
                let done = trial.push(&[option, &pattern]).done();
                assert_no_line_begins_a_command(&pattern, &done);
            }
        }
        trial.fails(&mut trial.hoist(&[bad]));
        trial.fails(&mut trial.hoist(&["completions", bad]));
        trial.fails(&mut trial.hoist(&["man", "--dir", &format!("/dev/null/{bad}")]));
        trial.fails(&mut trial.hoist(&["serve", "--dir", &format!("/dev/null/{bad}")]));
        trial.fails(&mut trial.hoist(&["bench", "--source", bad]));
        trial.fails(
            trial
                .hoist(&["pack", "-o", &in_none, "--source"])
                .arg(&trial.good_source),
        );
    }
}

#[test]
fn other_commands_show_names_in_one_line() {
    for line_end in LINE_ENDS {
        let trial = Trial::new(line_end);
        let bad = &*trial.bad;
        let object = format!("s3://bucket/{bad}");
        let to = ["--application-name", "App", "--s3-location", &object];
        trial.fails(&mut trial.hoist(&["verify", bad]));
        trial.fails(&mut trial.hoist(&["verify", &object]));
        trial.fails(&mut trial.hoist(&["verify", bad, "--etag", "x"]));
        trial.fails(&mut trial.hoist(&["clean", &format!("s3://no-such-bucket/{bad}")]));
        trial.fails(&mut trial.hoist(&["clean", "s3://bucket", "--local", bad]));
        trial.fails(trial.hoist(&["register"]).args(to));
        trial.fails(&mut trial.hoist(&["lint", bad]));
        let broken = trial.source("broken", &[("appspec.yml", "version: 0.0\nos: Linux\n")]);
        trial.fails(trial.hoist(&["lint", "--source"]).arg(&broken));
        trial.fails(trial.hoist(&["lint"]).arg(broken.join("appspec.yml")));
        let texts = format!(
            "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: {bad:?}\n  {bad:?}: []\n"
        );
        let values = trial.source("values", &[("appspec.yml", &*texts)]);
        trial.fails(trial.hoist(&["lint", "--source"]).arg(values));

        // What is stored under such a key.
        let done = trial.runs(&mut trial.push(&["--s3-location", &object]));
        assert_eq!(done.code, Some(0), "{done}");
        let done = trial.runs(&mut trial.hoist(&["verify", &object, "--bundle-type", "zip"]));
        assert_eq!(done.code, Some(0), "{done}");
        trial.runs(trial.hoist(&["register"]).args(to));
        trial.runs(&mut trial.push(&[
            "--s3-location",
            &object,
            "--bundle-type",
            "tgz",
            "--dry-run",
        ]));
        trial.fails(&mut trial.push(&["--s3-location", &object, "--no-overwrite"]));
    }
}
