//! What goes into a bundle, as the command has it: patterns, links, empty directories, times, names.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::support::{All, Held, Run as _, Tree, entries, hoist, missing, text, tool, unpacked};

pub(crate) fn pack(tree: &Tree, out: &Path, options: &[&str]) -> Command {
    let mut command = hoist();
    command.args(["pack", "--source"]).arg(tree.path());
    command.arg("--output").arg(out).args(options);
    command
}

/// Packs each kind of archive and reads it back. All hold the same.
#[track_caller]
fn packed(tree: &Tree, options: &[&str]) -> All {
    packed_with(tree, options, |_| {})
}

#[track_caller]
fn packed_with(tree: &Tree, options: &[&str], set: impl Fn(&mut Command)) -> All {
    let dir = tempfile::tempdir().unwrap();
    // A tgz is the tar of the same options, compressed; tests/it/tar.rs holds that.
    let [zip, tar] = ["a.zip", "a.tar"].map(|name| {
        let out = dir.path().join(name);
        let [alone, many] = ["1", "7"].map(|threads| {
            let mut command = pack(tree, &out, options);
            set(command.args(["--threads", threads]));
            command.ok();
            fs::read(&out).unwrap()
        });
        assert!(alone == many, "{name}: threads show");
        unpacked(name, &alone)
    });
    assert_eq!(zip, tar);
    zip
}

fn names(all: &All) -> Vec<String> {
    all.keys()
        .map(|name| String::from_utf8_lossy(name).into())
        .collect()
}

/// What it says on standard error when it packs.
#[track_caller]
fn said(tree: &Tree, options: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let done = pack(tree, &dir.path().join("a.zip"), options).ok();
    shortened(tree, &done.stderr)
}

/// What it says when it must not pack.
#[track_caller]
fn refused(tree: &Tree, options: &[&str], code: i32) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a.zip");
    let done = pack(tree, &out, options).fails(code);
    assert!(!out.exists());
    shortened(tree, &done.stderr)
}

fn shortened(tree: &Tree, text: &str) -> String {
    text.replace(&tree.path().display().to_string(), "DIR")
}

/// A tree with an entry of every kind.
pub(crate) fn every_kind() -> Tree {
    let tree = Tree::new();
    tree.file("appspec.yml", "version: 0.0\nos: linux\n")
        .file("bin/run", "#!/bin/sh\n")
        .mode("bin/run", 0o755)
        .file("data/large", text((3 << 20) + 5, 1))
        .file("data/small.log", text(900, 2))
        .file(".env", "A=b\n")
        .file("node_modules/m/index.js", "x\n")
        .symlink("current", "bin/run")
        .symlink("shared", "data")
        .symlink("bin/up", "../data/small.log")
        .dir("logs")
        .dir("tmp/cache");
    for dir in ["logs", "tmp/cache"] {
        tree.mode(dir, 0o750).mtime(dir, Tree::MTIME);
    }
    tree
}

#[test]
fn without_options_it_is_what_the_aws_cli_packs() {
    let tree = every_kind();
    let expected = [
        ".env",
        "appspec.yml",
        "bin/run",
        "bin/up",
        "current",
        "data/large",
        "data/small.log",
        "node_modules/m/index.js",
    ];
    let all = packed(&tree, &[]);
    assert_eq!(names(&all), expected);
    assert_eq!(all[&b"current"[..]], all[&b"bin/run"[..]]);
    let said = said(&tree, &[]);
    let warning = "hoist: warning: DIR/shared is a symbolic link to a directory, which the archive \
                   leaves out, as `aws deploy push` does\n";
    assert!(said.starts_with(warning), "{said}");
    // The other one is about .env.
    assert_eq!(said.matches("warning").count(), 2, "{said}");
    assert_eq!(self::said(&tree, &["--quiet"]), "");
}

#[test]
fn patterns_choose_what_goes_in() {
    let tree = every_kind();
    tree.file(".hoistignore", "*.log\nnode_modules/\n")
        .file("bin/.hoistignore", "up\n");
    let all = |options: &[&str]| names(&packed(&tree, options));
    let without = [".env", "appspec.yml", "bin/run", "current", "data/large"];
    assert_eq!(all(&[]), without);
    assert_eq!(
        all(&["--exclude", "*", "--include", "*.js"]),
        ["node_modules/m/index.js"]
    );
    assert_eq!(
        all(&[
            "--exclude",
            "/d*",
            "--include",
            "small.log",
            "--exclude",
            ".env"
        ]),
        ["appspec.yml", "bin/run", "current", "data/small.log"]
    );
    assert_eq!(all(&["--ignore-hidden-files"]), &without[1..]);
    assert_eq!(
        all(&["--ignore-hidden-files", "--include", ".env"]),
        without
    );
    let everything = all(&["--no-hoistignore"]);
    assert_eq!(everything.len(), 8 + 2);
    assert!(everything.contains(&"bin/.hoistignore".to_owned()));
}

#[test]
fn bad_patterns_are_named() {
    let tree = every_kind();
    let said = refused(&tree, &["--exclude", "ok", "--exclude", "[a"], 252);
    assert!(said.contains("'[a' for '--exclude <GLOB>'"), "{said}");
    let said = refused(&tree, &["--include", "!x"], 252);
    assert!(said.contains("'!x' for '--include <GLOB>'"), "{said}");
}

#[test]
fn followed_links_are_files_under_the_names_of_the_links() {
    let tree = every_kind();
    let all = packed(&tree, &["--symlinks", "follow"]);
    assert_eq!(all.len(), 8 + 2);
    assert_eq!(all[&b"shared/large"[..]], all[&b"data/large"[..]]);
    assert_eq!(all[&b"shared/small.log"[..]], all[&b"bin/up"[..]]);
    let said = said(&tree, &["--symlinks", "follow", "--exclude", ".env"]);
    assert!(!said.contains("warning"), "{said}");

    tree.symlink("data/loop", "..");
    let said = refused(&tree, &["--symlinks", "follow"], 255);
    assert!(
        said.contains("/loop leads back to a directory above it"),
        "{said}"
    );
}

#[test]
fn preserved_links_are_links() {
    let tree = every_kind();
    tree.symlink("release", "not/yet/there");
    let all = packed(&tree, &["--symlinks", "preserve"]);
    let links: Vec<_> = all
        .iter()
        .filter(|(_, held)| held.mode == 0o120_777)
        .map(|(name, held)| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(name), text(&held.content))
        })
        .collect();
    let expected = [
        ("bin/up", "../data/small.log"),
        ("current", "bin/run"),
        ("release", "not/yet/there"),
        ("shared", "data"),
    ];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(links, expected);
    let said = said(&tree, &["--symlinks", "preserve"]);
    assert!(
        said.contains("DIR/bin/up and 3 more are kept as symbolic links"),
        "{said}"
    );
}

#[test]
fn links_are_skipped_or_refused() {
    let tree = every_kind();
    tree.symlink("release", "not/yet/there");
    let all = packed(&tree, &["--symlinks", "skip"]);
    assert_eq!(all.len(), 6);
    let said = said(&tree, &["--symlinks", "skip"]);
    assert!(
        said.contains("DIR/bin/up and 3 more are symbolic links, which are left out"),
        "{said}"
    );
    let said = refused(&tree, &["--symlinks", "error"], 255);
    assert!(
        said.contains("is a symbolic link, which --symlinks error refuses"),
        "{said}"
    );
    for options in [&[][..], &["--symlinks", "follow"]] {
        let said = refused(&tree, options, 255);
        assert!(
            said.contains("cannot follow the symbolic link DIR/release"),
            "{said}"
        );
    }
    let said = refused(&tree, &["--symlinks", "some"], 252);
    assert!(said.contains("follow, preserve, skip, error"), "{said}");
}

#[test]
fn links_out_of_the_source_need_an_option() {
    let outside = Tree::new();
    outside.file("etc/secret", "s3cr3t\n");
    let target = |name: &str| outside.path().join(name).display().to_string();
    let tree = Tree::new();
    tree.file("f", "f")
        .symlink("dir", &target("etc"))
        .symlink("file", &target("etc/secret"));
    // As with the AWS CLI, but with a warning.
    assert_eq!(names(&packed(&tree, &[])), ["f", "file"]);
    assert!(said(&tree, &[]).contains("DIR/file is a symbolic link that leads out of the source"));
    for how in ["follow", "preserve"] {
        let said = refused(&tree, &["--symlinks", how], 255);
        assert!(said.contains("leads out of the source, to "), "{said}");
        let all = packed(&tree, &["--symlinks", how, "--external-links"]);
        let expected: &[&str] = match how {
            "follow" => &["dir/secret", "f", "file"],
            _ => &["dir", "f", "file"],
        };
        assert_eq!(names(&all), expected);
    }
}

#[test]
fn empty_directories_are_entries_when_asked() {
    let tree = every_kind();
    let all = packed(&tree, &["--empty-dirs"]);
    assert_eq!(all.len(), 8 + 2);
    for name in ["logs/", "tmp/cache/"] {
        let expected = Held {
            mode: 0o040_750,
            mtime: Tree::MTIME,
            content: Vec::new(),
        };
        assert_eq!(all[name.as_bytes()], expected);
    }
    // A directory whose content stays out is not empty.
    let all = packed(
        &tree,
        &["--empty-dirs", "--exclude", "data/*", "--exclude", "logs"],
    );
    assert!(
        !names(&all)
            .iter()
            .any(|name| name.starts_with("data") || name == "logs/")
    );
}

#[test]
fn times_follow_mtime_and_source_date_epoch() {
    let tree = every_kind();
    tree.mtime("appspec.yml", 1_900_000_000).mtime(".env", 1);
    let times = |options: &[&str], epoch: Option<&str>| {
        let all = packed_with(&tree, options, |command| {
            if let Some(epoch) = epoch {
                command.env("SOURCE_DATE_EPOCH", epoch);
            }
        });
        ["appspec.yml", "bin/run", ".env"].map(|name| all[name.as_bytes()].mtime)
    };
    let fixed = &["--mtime", "fixed", "--empty-dirs", "--symlinks", "preserve"];
    assert_eq!(times(&[], None), [1_900_000_000, Tree::MTIME, 1]);
    assert_eq!(
        times(&["--mtime", "keep"], None),
        [1_900_000_000, Tree::MTIME, 1]
    );
    assert_eq!(
        times(&[], Some("1800000000")),
        [1_800_000_000, Tree::MTIME, 1]
    );
    assert_eq!(times(&[], Some("0")), [0; 3]);
    assert_eq!(times(fixed, None), [315_532_800; 3]);
    assert_eq!(times(fixed, Some("1800000000")), [1_800_000_000; 3]);
    for bad in ["", "now", "-1", "1e9"] {
        let dir = tempfile::tempdir().unwrap();
        let mut command = pack(&tree, &dir.path().join("a.zip"), &[]);
        let done = command.env("SOURCE_DATE_EPOCH", bad).fails(252);
        done.says(&format!("SOURCE_DATE_EPOCH is {bad:?}"));
    }
    // Copies of a tree are the same archive then.
    let dir = tempfile::tempdir().unwrap();
    let archive = |options: &[&str]| {
        let out = dir.path().join("a.zip");
        pack(&tree, &out, options).ok();
        fs::read(out).unwrap()
    };
    let before = archive(fixed);
    for name in ["appspec.yml", ".env", "logs"] {
        tree.mtime(name, 1_234_567_890);
    }
    assert!(archive(fixed) == before);
}

#[test]
fn names_that_are_not_utf_8_need_an_option_and_are_kept() {
    let tree = every_kind();
    let name = |bytes: &[u8]| tree.path().join(OsStr::from_bytes(bytes));
    let long = [&b"caf\xe9-"[..], &[b'x'; 120]].concat();
    if fs::write(name(b"caf\xe9"), "x").is_err() {
        return missing("a file system with names of any bytes", "it refuses one");
    }
    fs::write(name(&long), "y").unwrap();
    std::os::unix::fs::symlink(OsStr::from_bytes(b"caf\xe9"), name(b"link")).unwrap();
    let said = refused(&tree, &[], 255);
    assert!(said.contains("is not UTF-8"), "{said}");
    let options = ["--raw-names", "--symlinks", "preserve"];
    let all = packed_with(&tree, &options, |_| {});
    assert_eq!(all[&b"caf\xe9"[..]].content, b"x");
    assert_eq!(all[&long].content, b"y");
    assert_eq!(all[&b"link"[..]].content, b"caf\xe9");
    let said = self::said(&tree, &options);
    assert!(
        said.contains("and 1 more have names that are not UTF-8"),
        "{said}"
    );

    // Readers that extract to a Unix file system restore the bytes.
    for (reader, file) in [("unzip", "a.zip"), ("tar", "a.tar"), ("bsdtar", "a.tar")] {
        let Some(mut command) = tool(reader, &[reader]) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let (archive, out) = (dir.path().join(file), dir.path().join("out"));
        fs::create_dir(&out).unwrap();
        pack(&tree, &archive, &options).ok();
        command.current_dir(&out);
        match reader {
            "unzip" => command.arg("-qo").arg(&archive),
            _ => command.arg("-xpf").arg(&archive),
        };
        let said = command.ok().stderr;
        // GNU tar says of a long name that it knows no `hdrcharset`, from which the others learn that
        // the name is not UTF-8.
        let lines: Vec<_> = said.lines().collect();
        let known = |line: &&str| reader == "tar" && line.ends_with("keyword 'hdrcharset'");
        assert!(
            lines.iter().all(known) && lines.len() < 2,
            "{reader}: {said}"
        );
        let found = entries(&out);
        assert_eq!(found[&b"caf\xe9"[..]].contents, b"x", "{reader}");
        assert_eq!(found[&long].contents, b"y", "{reader}");
    }
}

#[test]
fn special_files_are_skipped_when_asked() {
    let tree = every_kind();
    let _socket = UnixListener::bind(tree.path().join("sock")).unwrap();
    let said = refused(&tree, &[], 255);
    assert!(
        said.contains("DIR/sock is a socket") && said.contains("--skip-special"),
        "{said}"
    );
    assert_eq!(packed(&tree, &["--skip-special"]).len(), 8);
    let said = self::said(&tree, &["--skip-special"]);
    assert!(
        said.contains("DIR/sock is neither a file nor a directory"),
        "{said}"
    );
    // What is excluded need not be packable.
    assert_eq!(packed(&tree, &["--exclude", "sock"]).len(), 8);
}

#[test]
fn names_and_modes_that_agents_mishandle_are_warned_about() {
    let tree = every_kind();
    tree.file("README", "1")
        .file("readme", "2")
        .file("a\\b", "3")
        .mode("bin/run", 0o4755);
    if fs::read(tree.path().join("README")).unwrap() != b"1" {
        return missing("a file system that tells case", "it does not");
    }
    let said = said(&tree, &[]);
    for part in [
        "DIR/bin/run and 1 more have a setuid, setgid or sticky bit",
        "DIR/a\\b has a backslash in its name",
        "DIR/README and 1 more have the names of others but for their case",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

/// No entry holds them, as in the archives of `aws deploy push`.
#[test]
fn permissions_of_directories_that_agents_do_not_restore_are_warned_of() {
    let tree = Tree::new();
    for (name, mode) in [
        ("private", 0o700),
        ("shared", 0o2775),
        ("open", 0o777),
        ("usual", 0o755),
        ("umask", 0o775),
        ("out", 0o700),
        ("empty", 0o700),
    ] {
        fs::create_dir_all(tree.path().join(name)).unwrap();
        if name != "empty" {
            tree.file(&format!("{name}/below/file"), "x");
        }
        tree.mode(name, mode);
    }
    let said = self::said(&tree, &["--exclude", "out/**"]);
    assert!(
        said.contains("DIR/open, DIR/private and DIR/shared have permissions that their bundle"),
        "{said}"
    );
    let with_more = self::said(&tree, &[]);
    let first = "DIR/open, DIR/out, DIR/private and 1 more have permissions that";
    assert!(with_more.contains(first), "{with_more}");
    let said = self::said(&tree, &["--exclude", "*", "--include", "private"]);
    assert!(
        said.contains("DIR/private has permissions that its bundle"),
        "{said}"
    );
    let said = self::said(&tree, &["--exclude", "*", "--include", "usual"]);
    assert!(!said.contains("permissions"), "{said}");
}

#[test]
fn kept_links_that_lead_back_are_warned_of() {
    let tree = Tree::new();
    tree.file("a/f", "x")
        .file("b/f", "x")
        .symlink("a/up", "..")
        .symlink("b/here", ".")
        .symlink("b/other", "../a/f");
    let said = self::said(&tree, &["--symlinks", "preserve"]);
    assert!(
        said.contains("DIR/a/up and 1 more are kept symbolic links that lead back to directories"),
        "{said}"
    );
    // The agents follow what is kept, so keeping is no way out of a loop.
    let said = refused(&tree, &["--symlinks", "follow"], 255);
    assert!(
        said.contains("; leave it out with --exclude") && !said.contains("preserve"),
        "{said}"
    );

    let tree = Tree::new();
    tree.file("a/f", "x")
        .file("b/f", "x")
        .symlink("a/b", "../b");
    let said = self::said(&tree, &["--symlinks", "preserve"]);
    assert!(!said.contains("lead"), "{said}");
    tree.symlink("b/a", "../a");
    let said = self::said(&tree, &["--symlinks", "preserve"]);
    assert!(
        said.contains("DIR/b/a is a kept symbolic link that leads back"),
        "{said}"
    );
}

/// A workspace as `actions/checkout` leaves it, and a developer's home.
fn workspace() -> Tree {
    let tree = Tree::revision();
    for name in [
        ".git/HEAD",
        ".git/config",
        ".git/refs/heads/main",
        "lib/.git/HEAD",
        ".aws/credentials",
    ] {
        tree.file(name, "x\n");
    }
    tree.file(".env", "TOKEN=s3cr3t\n")
        .file(".env.example", "TOKEN=\n")
        .file(".npmrc", "//registry.npmjs.org/:_authToken=s3cr3t\n")
        .file(
            "app/.npmrc",
            "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n",
        )
        .file("tls/ca.pem", "-----BEGIN CERTIFICATE-----\n")
        .file("tls/key.pem", "-----BEGIN PRIVATE KEY-----\ns3cr3t\n")
        .symlink("id_rsa", "tls/key.pem")
        .symlink("linked.pem", "tls/key.pem");
    tree
}

#[test]
fn what_is_hardly_meant_to_go_in_draws_one_warning_that_names_the_option() {
    let tree = workspace();
    let all = "DIR/.aws/credentials, DIR/.env, DIR/.git and 4 more are in the bundle, so every instance gets them: they \
               are data of version control or look like credentials; leave out with --exclude what is not meant to be there\n";
    let said_by = |options: &[&str]| {
        let said = said(&tree, options);
        assert!(!said.contains("s3cr3t"), "{said}");
        assert!(said.matches("warning").count() < 2, "{said}");
        said
    };
    assert!(
        said_by(&[]).starts_with(&format!("hoist: warning: {all}")),
        "{}",
        said_by(&[])
    );
    // What does not go in draws none.
    let hidden = said_by(&["--ignore-hidden-files"]);
    assert!(
        hidden.starts_with("hoist: warning: DIR/id_rsa and DIR/tls/key.pem are"),
        "{hidden}"
    );
    let options = [
        "--ignore-hidden-files",
        "--exclude",
        "id_rsa",
        "--exclude",
        "tls",
    ];
    assert!(!said_by(&options).contains("warning"));
    let scripts = said_by(&[
        "--exclude",
        "*",
        "--include",
        "*.js",
        "--include",
        "HEAD",
        "--exclude",
        "/.git",
    ]);
    assert!(
        scripts.starts_with(
            "hoist: warning: DIR/lib/.git is in the bundle, so every instance gets it"
        ),
        "{scripts}"
    );
    // A link's target is not read, so its name decides; a kept link has no content.
    let kept = said(&tree, &["--symlinks", "preserve"]);
    assert!(
        kept.contains("DIR/.git and 3 more are in the bundle"),
        "{kept}"
    );
    // One thread or many, the names are the first.
    for threads in ["1", "7"] {
        assert!(said_by(&["--threads", threads]).contains(all), "{threads}");
    }
    // `lint` sees the same bundle.
    let mut lint = hoist();
    lint.args(["lint", "--source"]).arg(tree.path());
    assert_eq!(
        shortened(&tree, &lint.ok().stderr),
        format!("hoist: warning: {all}")
    );
    lint.args(["--format", "github"])
        .env("GITHUB_ACTIONS", "true");
    let said = shortened(&tree, &lint.ok().stderr);
    assert!(
        said.starts_with("::warning title=hoist::DIR/.aws/credentials"),
        "{said}"
    );
}

#[cfg(all(feature = "push", feature = "local"))]
#[test]
fn a_push_and_its_dry_run_warn_of_what_is_hardly_meant_to_go_in() {
    use crate::support::Scene;

    let scene = Scene::of(workspace());
    for options in [&[][..], &["--dry-run"]] {
        let text = scene.push(options).ok().stderr;
        assert!(
            text.contains(".git and 4 more are in the bundle, so every instance gets them"),
            "{text}"
        );
        let said = scene.push(&["--output", "json"]).args(options).ok().json();
        let notices = said["notices"].as_array().unwrap();
        let notice = notices
            .iter()
            .find(|notice| notice["kind"] == "private")
            .unwrap();
        assert_eq!(notice["count"], 7);
        assert_eq!(notice["paths"].as_array().unwrap().len(), 7);
        assert!(
            notice["message"].as_str().unwrap().contains("--exclude"),
            "{notice}"
        );
    }
}

#[cfg(all(feature = "push", feature = "local"))]
#[test]
fn a_push_takes_the_same_options_and_reports_the_same() {
    use crate::support::{Scene, packed};
    use serde_json::Value;

    let scene = Scene::of(every_kind());
    scene.tree.file("README", "1").file("readme", "2");
    let options = [
        "--exclude",
        "*.log",
        "--exclude",
        "x",
        "--include",
        "small.log",
        "--empty-dirs",
    ];
    let push = |more: &[&str]| {
        let mut push = scene.push(&["--output", "json"]);
        push.args(options).args(more).ok().json()
    };
    for said in [push(&[]), push(&["--dry-run", "--list"])] {
        assert_eq!(said["files"], 8 + 2 + 2, "{said:#}");
        let shared = scene.tree.path().join("shared").display().to_string();
        assert_eq!(said["dropped_links"], Value::from(vec![shared]));
        let notices = said["notices"].as_array().unwrap();
        let kinds: Vec<_> = notices.iter().map(|notice| &notice["kind"]).collect();
        assert_eq!(kinds, ["dropped-link", "private", "collision"]);
        assert_eq!(notices[2]["count"], 2);
        assert_eq!(notices[2]["paths"].as_array().unwrap().len(), 2);
        assert!(notices[2]["message"].as_str().unwrap().contains("case"));
    }
    let expected = packed(scene.tree.path(), "a.zip", &options);
    assert!(scene.stored() == Some(expected));

    let kept = push(&["--dry-run", "--list", "--symlinks", "preserve"]);
    let mut entries = kept["entries"].as_array().unwrap().iter();
    let shared = entries.find(|entry| entry["name"] == "shared").unwrap();
    assert_eq!(shared["link"], "data");
    let listed = [
        "--dry-run",
        "--list",
        "--empty-dirs",
        "--symlinks",
        "preserve",
    ];
    let text = scene.push(&listed).ok().stdout;
    let line = |end: &str| text.lines().find(|line| line.ends_with(end)).unwrap();
    assert!(line(" shared -> data").starts_with("lrwxrwxrwx"), "{text}");
    assert!(line(" logs/").starts_with("drwxr-x---"), "{text}");
}
