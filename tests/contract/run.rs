//! Runs a row with both tools, each on a tree and an endpoint of its own, and compares them.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use hoist::endpoint::faults::{Fault, When};
use rustix::fs::OFlags;

use crate::row::{Aspect, Row, Stop, Verdict};
use crate::seen::{Seen, Who};
use crate::support::{
    Done, Run as _, Running, Server, Tls, Tree, authority, aws, hoist, wait_until,
};

/// Runs `rows` and prints a line for each. Does nothing without the AWS CLI.
pub(crate) fn run_rows(rows: &[Row]) {
    if aws().is_none() {
        return;
    }
    let mut failed = Vec::new();
    for row in rows {
        match run_row(row) {
            // The reason was printed.
            None => println!("skipped    {}", row.name),
            Some(Ok(())) => println!("{}", line(row)),
            Some(Err(report)) => {
                println!("FAILED     {}", row.name);
                failed.push(format!("=== {}\n{report}", row.name));
            }
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// A row of the table.
pub(crate) fn line(row: &Row) -> String {
    match &row.verdict {
        Verdict::Equal => format!("equal      {}", row.name),
        Verdict::Differs { why, .. } => format!("different  {}: {why}", row.name),
    }
}

/// Returns None if the row cannot run here.
fn run_row(row: &Row) -> Option<Result<(), String>> {
    let theirs = run(row, Who::Aws, None)?;
    let ours = run(row, Who::Hoist, Some("v1"))?;
    let default = run(row, Who::Hoist, None)?;
    let mut wrong = Vec::new();
    let found = theirs.differences(&ours);
    let expected: &[Aspect] = match &row.verdict {
        Verdict::Equal => &[],
        Verdict::Differs { aspects, .. } => aspects,
    };
    for (aspect, what) in &found {
        if !expected.contains(aspect) {
            wrong.push(format!("{aspect:?} differs:\n{what}"));
        }
    }
    for aspect in expected {
        if !found.iter().any(|(known, _)| known == aspect) {
            wrong.push(format!(
                "{aspect:?} does not differ, and the row says that it does"
            ));
        }
    }
    if default.code != Some(row.v2) {
        wrong.push(format!(
            "without HOIST_EXIT_CODES=v1 it exits with {:?}, not with {}",
            default.code, row.v2
        ));
    }
    for (aspect, what) in ours.differences(&default) {
        // JSON has the duration, which differs in each run.
        let is_json = aspect == Aspect::Output && ours.output.starts_with('{');
        if aspect != Aspect::Exit && !is_json {
            wrong.push(format!("{aspect:?} depends on HOIST_EXIT_CODES:\n{what}"));
        }
    }
    let told = |part: &&str| ours.said.iter().any(|line| line.contains(*part));
    let expected = |line: &&String| row.says.iter().any(|part| line.contains(part));
    for part in row.says.iter().filter(|part| !told(part)) {
        wrong.push(format!("hoist does not say {part:?}"));
    }
    for line in ours.said.iter().filter(|line| !expected(line)) {
        wrong.push(format!("hoist says {line:?}"));
    }
    if !wrong.is_empty() {
        wrong.push(format!(
            "aws says: {:?}\nhoist says: {:?} {:?}",
            theirs.message, ours.message, ours.said
        ));
        return Some(Err(wrong.join("\n")));
    }
    if let Verdict::Differs { check, .. } = row.verdict {
        check(&theirs, &ours);
    }
    Some(Ok(()))
}

/// One run on a new tree and endpoint. Returns None if it is impossible here.
fn run(row: &Row, who: Who, exit_codes: Option<&str>) -> Option<Seen> {
    let tool = match who {
        Who::Aws => aws()?,
        Who::Hoist => hoist(),
    };
    let (tree, server) = (Tree::new(), Server::start());
    (row.tree)(&tree);
    (row.server)(&server);
    if let Some(faulty) = row.faulty {
        server.choose(faulty);
    }
    if let Stop::Signal(operation, _) = row.stop {
        server.on(operation, .., Fault::Stall(When::BeforeBody));
    }
    let tls = row.tls.then(|| Tls::before(&server));
    let url = tls.map_or_else(|| server.url().to_owned(), |tls| tls.url);

    let mut command = tool;
    command.args(match who {
        Who::Aws => &["deploy", "push"][..],
        Who::Hoist => &["push"],
    });
    // Paths in messages must be equal, so both runs use one path.
    let dir = tree.path().canonicalize().unwrap();
    let place = |text: &str| {
        let text = text.replace("{src}", &dir.join("src").display().to_string());
        let text = text.replace("{dir}", &dir.display().to_string());
        let text = text.replace("{authority}", &authority().display().to_string());
        text.replace("{url}", &url)
    };
    command.args(row.arguments.iter().map(|argument| place(argument)));
    command
        .env("AWS_ENDPOINT_URL", &url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        // More attempts would prove nothing more and take seconds.
        .env("AWS_MAX_ATTEMPTS", "1");
    if let Some(version) = exit_codes {
        command.env("HOIST_EXIT_CODES", version);
    }
    for (name, value) in &row.env {
        match value {
            Some(value) => command.env(name, place(value)),
            None => command.env_remove(name),
        };
    }
    command.current_dir(dir.join(row.cwd));
    let running = (row.wrap)(command)?.stdin(Stdio::null()).start();
    let (done, killed) = finish(running, row.stop, &server, &dir);
    // The requests of the test itself must not fail.
    server.forget();
    let mut seen = Seen::new(who, &done, killed, &server);
    // Each run has its tree in another directory.
    let descriptions = seen.revisions.iter_mut();
    let descriptions = descriptions.filter_map(|revision| revision.description.as_mut());
    let host = url.split("://").last().unwrap_or(&url);
    for text in [&mut seen.message, &mut seen.output]
        .into_iter()
        .chain(&mut seen.said)
        .chain(descriptions)
    {
        *text = text
            .replace(&dir.display().to_string(), "{dir}")
            .replace(&url, "{url}")
            .replace(host, "{host}");
    }
    Some(seen)
}

/// The output of the run, and whether it was killed.
fn finish(mut running: Running, stop: Stop, server: &Server, dir: &Path) -> (Done, bool) {
    let mut killed = false;
    match stop {
        Stop::Never => {}
        Stop::Signal(operation, signal) => {
            wait_until("the request is sent", || server.count(operation) > 0);
            running.signal(signal);
        }
        Stop::Pipe(pipe) => {
            // A pipe can be opened for writing without waiting as soon as a reader has it open.
            let mut options = OpenOptions::new();
            options
                .write(true)
                .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
            let child = running.child();
            wait_until("it ends or reads the pipe", || {
                match options.open(dir.join(pipe)) {
                    Ok(_held) => {
                        thread::sleep(Duration::from_millis(300));
                        killed = child.try_wait().unwrap().is_none();
                        // The run may have ended in the meantime.
                        let _ = child.kill();
                        child.wait().unwrap();
                    }
                    Err(error) => assert_eq!(error.kind(), no_reader()),
                }
                child.try_wait().unwrap().is_some()
            });
        }
    }
    (running.end(), killed)
}

/// ENXIO; the standard library has no name for it.
fn no_reader() -> ErrorKind {
    std::io::Error::from(rustix::io::Errno::NXIO).kind()
}
