//! What commands show while they run: on a terminal, in a log, and to GitHub.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use hoist::endpoint::faults::{Fault, Operation, When};

use crate::support::{Done, Run as _, Scene, hoist, noise, tool, wait_until};

/// Bytes a second at which the large revision takes about three seconds.
const SLOW: &str = "4M";

/// What stands on a line of the terminal, one after the other.
fn drawn(done: &Done) -> Vec<String> {
    let text = format!("{}{}", done.stdout, done.stderr);
    let lines = text.split(['\r', '\n']).map(|line| {
        let line = line.replace("\u{1b}[2K", "");
        line.trim_end().to_owned()
    });
    lines.filter(|line| !line.is_empty()).collect()
}

/// The command on a terminal of `columns` columns, with these variables.
fn on_a_terminal(command: &Command, columns: usize, variables: &str) -> Option<Done> {
    let mut script = tool("script of util-linux", &["script"])?;
    let words: Vec<String> = [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let line = format!(
        "stty cols {columns}; exec env -u CI -u NO_COLOR {variables} {}",
        words.join(" ")
    );
    script.args(["-qec", &line, "/dev/null"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    Some(script.ok())
}

#[test]
fn a_bar_fits_the_terminal_and_ends_before_the_summary() {
    let scene = Scene::large();
    let push = scene.push(&["--bandwidth-limit", SLOW]);
    for columns in [20, 40, 100] {
        let utf8 = "TERM=xterm LC_ALL=C.UTF-8";
        let Some(done) = on_a_terminal(&push, columns, utf8) else {
            return;
        };
        let lines = drawn(&done);
        let is_bar = |line: &&String| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        let bars: Vec<_> = lines.iter().filter(is_bar).collect();
        assert!(bars.len() > 3, "{columns}: {done}");
        for bar in &bars {
            let plain: String = bar.replace("\u{1b}[36m", "").replace("\u{1b}[0m", "");
            assert!(plain.chars().count() < columns, "{columns}: {plain}");
        }
        assert!(
            bars.iter().any(|bar| bar.contains("left")),
            "{columns}: {done}"
        );
        let summary = lines
            .iter()
            .find(|line| line.starts_with("hoist: pushed 3 files"));
        assert!(summary.is_some(), "{done}");
    }
}

#[test]
fn a_bar_is_ascii_in_other_locales_and_has_no_color_if_none_is_wanted() {
    let scene = Scene::large();
    let push = scene.push(&["--bandwidth-limit", SLOW]);
    let Some(done) = on_a_terminal(&push, 80, "TERM=xterm LC_ALL=C NO_COLOR=1") else {
        return;
    };
    assert!(
        drawn(&done).iter().any(|line| line.contains("=>")),
        "{done}"
    );
    assert!(
        done.stdout.is_ascii() && !done.stdout.contains("\u{1b}[36m"),
        "{done}"
    );
}

#[test]
fn a_dumb_terminal_and_a_job_of_ci_get_no_bar() {
    let scene = Scene::large();
    let push = scene.push(&["--bandwidth-limit", "8M"]);
    for variables in ["TERM=dumb", "TERM=xterm CI=true"] {
        let Some(done) = on_a_terminal(&push, 80, variables) else {
            return;
        };
        assert!(
            !done.stdout.contains('%') || !done.stdout.contains("\u{1b}[2K"),
            "{done}"
        );
        assert!(done.stdout.contains("hoist: pushed 3 files"), "{done}");
    }
}

/// The only test that waits for a line.
#[test]
fn a_log_gets_a_line_every_ten_seconds() {
    let scene = Scene::large();
    let done = scene.push(&["--bandwidth-limit", "900K"]).ok();
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{done}");
    let line = lines[0];
    assert!(
        line.starts_with("hoist: ") && line.contains("% sent, "),
        "{done}"
    );
    for text in [" MiB of ", " KiB/s, ", " s left"] {
        assert!(line.contains(text), "{text}: {done}");
    }
    let percent: u32 = line["hoist: ".len()..]
        .split('%')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (65..=99).contains(&percent),
        "ten of twelve seconds: {done}"
    );
    assert!(lines[1].starts_with("hoist: pushed 3 files: sent 10.00 MiB of 10.00 MiB read ("));
}

#[test]
fn progress_can_be_forced_and_switched_off() {
    let scene = Scene::large();
    let push = |how: &[&str]| {
        let mut options = vec!["--bandwidth-limit", "8M"];
        options.extend(how);
        scene.push(&options).ok()
    };
    let done = push(&["--progress", "bar"]);
    assert!(
        done.stderr.contains("% ") && done.stderr.contains("\u{1b}[2K"),
        "{done}"
    );
    for how in [
        &["--progress", "none"][..],
        &["--progress", "bar", "--quiet"],
    ] {
        push(how).is_silent_about("%  ").is_silent_about("\u{1b}");
    }
    scene.push(&["--progress", "much"]).fails(252).says("plain");
}

#[test]
fn the_commands_that_take_long_show_progress() {
    let scene = Scene::large();
    let (dir, endpoint) = (
        tempfile::tempdir().unwrap(),
        ["--endpoint-url", scene.url()],
    );
    let archive = dir.path().join("a.zip");
    let (tree, archive) = (
        scene.tree.path().to_str().unwrap(),
        archive.to_str().unwrap(),
    );
    scene.push(&[]).ok();
    scene.on(Operation::GetObject, .., Fault::Slow(4_000_000));
    scene.on(Operation::ListMultipartUploads, .., Fault::Slow(200));
    let commands: [(&[&str], &str); 4] = [
        (&["pack", "--source", tree, "--output", archive], ""),
        (&["verify", "s3://bucket/key.zip"], "verified"),
        (&["clean", "s3://bucket/"], ""),
        (
            &[
                "bench", "--source", tree, "--repeat", "30", "--levels", "12",
            ],
            "run ",
        ),
    ];
    for (words, text) in commands {
        let mut command = scene.hoist(words);
        if ["verify", "clean"].contains(&words[0]) {
            command.args(endpoint);
        }
        let done = command.args(["--progress", "bar"]).ok();
        let shows = text.is_empty() || drawn(&done).iter().any(|line| line.contains(text));
        assert!(shows, "{done}");
    }
    hoist().args(["register", "--progress", "bar"]).fails(252);
}

#[test]
fn a_stop_that_takes_long_says_what_it_does_and_how_to_leave_it() {
    let scene = Scene::large();
    let never = Fault::Stall(When::BeforeBody);
    scene.on(Operation::UploadPart, .., never);
    scene.on(Operation::AbortMultipartUpload, .., never);
    let push = scene.push(&[]).start();
    wait_until("a part is sent", || scene.count(Operation::UploadPart) > 0);
    push.signal("INT");
    thread::sleep(Duration::from_millis(1_800));
    push.signal("INT");
    let done = push.end();
    assert_eq!(done.code, Some(130), "{done}");
    let said = "hoist: stopping: aborting the upload, Ctrl-C again to leave it\n";
    assert_eq!(done.stderr.matches(said).count(), 1, "{done}");
    done.says("aws s3api abort-multipart-upload");
}

#[test]
fn warnings_are_annotations_in_a_workflow_whatever_the_names_hold() {
    let scene = Scene::new();
    scene.tree.symlink("a\n::error::b", "scripts");
    let mut push = scene.push(&[]);
    let done = push.env("GITHUB_ACTIONS", "true").ok();
    let commands = || done.stderr.lines().filter(|line| line.starts_with("::"));
    assert!(commands().count() > 0, "{done}");
    assert!(
        commands().all(|line| line.starts_with("::warning ")),
        "{done}"
    );
    let done = scene.push(&[]).ok();
    assert!(!done.stderr.contains("::warning"), "{done}");
    done.says("hoist: warning: ");
}

#[test]
fn a_summary_of_a_resumed_push_tells_what_was_sent_earlier() {
    let scene = Scene::large();
    scene.tree.file("more.bin", noise(8 << 20, 7));
    // Two requests say what the upload is. Of the three parts, one is never answered.
    scene.on(Operation::UploadPart, 5.., Fault::Stall(When::BeforeBody));
    let push = scene.push(&["--resume"]).start();
    let stored = || {
        let uploads = fs::read_dir(scene.dir().join("buckets/bucket/uploads"));
        let journals = uploads.into_iter().flatten().map(|upload| {
            let journal = upload.unwrap().path().join("parts.jsonl");
            fs::read_to_string(journal).unwrap_or_default()
        });
        journals
            .map(|journal| journal.lines().count())
            .sum::<usize>()
    };
    wait_until("parts are stored", || stored() >= 4);
    push.kill();
    scene.forget();
    let done = scene.push(&["--resume", "--output", "json"]).ok();
    let kept = done.json()["kept"].as_u64().unwrap();
    assert!(kept > 1 << 20, "{done}");
    done.says("MiB of it earlier, 3 parts, ");
    assert_eq!(done.json()["parts"], 3, "{done}");
}
