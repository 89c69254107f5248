//! Many pushes under faults that a seed chooses. Each ends registered, with the bytes that `pack` makes,
//! or it fails, leaves nothing, and registers nothing.
//!
//! `HOIST_SOAK_RUNS` is the number of pushes (25; 200 under `HOIST_REQUIRE_TOOLS=1`). `HOIST_SOAK_SEED`
//! chooses them: the seed is printed, and a push that ends otherwise names the seed that repeats it alone.
//! With `--nocapture` a table of the faults comes last.

#![recursion_limit = "256"]
#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

#[path = "it/rig.rs"]
mod rig;
#[path = "soak/several.rs"]
mod several;
#[path = "it/several_rig.rs"]
mod several_rig;
#[path = "it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hoist::endpoint::faults::{Action, Fault, Faults, Operation, Refusal, Request, When};
use hoist::push::Error;
use rig::{Ended, KEY_ID, Rig, Source, run_there};
use support::{noise, required, text};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Bytes of every part but the last.
const PART: usize = 8 << 20;

/// Pushes at a time. While some wait, others work.
const AT_ONCE: usize = 12;

/// What can go wrong with any request, and with how many of ten thousand it does.
const ANY: [(Fault, u32); 13] = [
    (Fault::Refuse(Refusal::SlowDown), 200),
    (Fault::Refuse(Refusal::ServiceUnavailable), 200),
    (Fault::Refuse(Refusal::InternalError), 200),
    (Fault::Refuse(Refusal::Throttling), 100),
    (Fault::Refuse(Refusal::RequestTimeout), 100),
    (Fault::Refuse(Refusal::AccessDenied), 60),
    (Fault::Reset(When::BeforeBody), 200),
    (Fault::Reset(When::AfterBody), 200),
    (Fault::Reset(When::AfterCommit), 200),
    (Fault::Stall(When::BeforeBody), 40),
    (Fault::Stall(When::AfterBody), 40),
    (Fault::Stall(When::AfterCommit), 40),
    (Fault::Slow(4_000_000), 100),
];

/// What can go wrong with requests that write bytes or complete an upload.
const WRITING: [(Operation, Fault, u32); 9] = [
    (Operation::PutObject, Fault::Corrupt, 300),
    (Operation::UploadPart, Fault::Corrupt, 300),
    (
        Operation::PutObject,
        Fault::Refuse(Refusal::OperationAborted),
        200,
    ),
    (
        Operation::PutObject,
        Fault::Refuse(Refusal::ConditionalRequestConflict),
        100,
    ),
    (
        Operation::CompleteMultipartUpload,
        Fault::RefuseInside(Refusal::InternalError),
        1500,
    ),
    (
        Operation::CompleteMultipartUpload,
        Fault::Reset(When::AfterCommit),
        1500,
    ),
    (
        Operation::CompleteMultipartUpload,
        Fault::Refuse(Refusal::OperationAborted),
        300,
    ),
    (
        Operation::CompleteMultipartUpload,
        Fault::Refuse(Refusal::ConditionalRequestConflict),
        200,
    ),
    (
        Operation::CompleteMultipartUpload,
        Fault::Refuse(Refusal::PreconditionFailed),
        100,
    ),
];

/// All operations of a push.
const ASKED: [Operation; 9] = [
    Operation::HeadBucket,
    Operation::HeadObject,
    Operation::GetApplication,
    Operation::PutObject,
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::CompleteMultipartUpload,
    Operation::AbortMultipartUpload,
    Operation::RegisterApplicationRevision,
];

/// Factors of the odds in the tables, of which a push has one.
const WEATHER: [f64; 3] = [0.25, 1.0, 4.0];

/// What can go wrong with any request of these operations.
fn any(
    asked: impl IntoIterator<Item = Operation>,
) -> impl Iterator<Item = (Operation, Fault, u32)> {
    asked.into_iter().flat_map(|operation| {
        let any = ANY.into_iter();
        any.map(move |(fault, often)| (operation, fault, often))
    })
}

fn odds(weather: f64) -> Vec<(Operation, Fault, f64)> {
    any(ASKED)
        .chain(WRITING)
        .map(|(operation, fault, often)| (operation, fault, f64::from(often) / 10_000.0 * weather))
        .collect()
}

/// Trees of one part and of two, of few files and of many.
fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let mut sources = Vec::new();
        for shape in 0..9 {
            sources.push(Source::new(|tree| {
                // Names and contents differ, and so do the archives.
                for n in 0..=shape * shape {
                    let name = format!("{}/file-{n}.txt", "d/".repeat(n % 4));
                    tree.file(&name, text(n * 300, shape as u64));
                }
                match shape {
                    3 => drop(tree.file("large.bin", noise(8_400_000, 3))),
                    6 => {
                        tree.file("one.bin", noise(5_000_000, 6));
                        tree.file("two.bin", noise(3_500_000, 7));
                    }
                    8 => drop(tree.file("text.txt", text(1_500_000, 8))),
                    _ => {}
                }
            }));
        }
        sources
    })
}

/// How the pushes ended that met a fault, or none.
#[derive(Default)]
struct Line {
    requests: u64,
    runs: u64,
    registered: u64,
    failed: u64,
    unregistered: u64,
    told: u64,
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Registered,
    /// It failed and left nothing.
    Failed,
    /// The object is stored whole and not registered, and the error says so.
    Unregistered,
    /// The upload could not be aborted, and the error names it.
    Told,
}

#[derive(Default)]
struct Table {
    lines: BTreeMap<&'static str, Line>,
    runs: u64,
    retries: u64,
    untold: u64,
}

impl Table {
    fn add(&mut self, outcome: Outcome, untold: usize, requests: &[Request], retries: u64) {
        self.runs += 1;
        let mut met: BTreeMap<&'static str, u64> = BTreeMap::new();
        for request in requests {
            if let Some(fault) = request.fault {
                *met.entry(fault.name()).or_default() += 1;
            }
        }
        self.retries += retries;
        self.untold += untold as u64;
        if met.is_empty() {
            met.insert("(none)", 0);
        }
        for (name, requests) in met {
            let line = self.lines.entry(name).or_default();
            line.requests += requests;
            line.runs += 1;
            line.left += untold as u64;
            *match outcome {
                Outcome::Registered => &mut line.registered,
                Outcome::Failed => &mut line.failed,
                Outcome::Unregistered => &mut line.unregistered,
                Outcome::Told => &mut line.told,
            } += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "fault                       requests   runs  registered  failed clean  \
             stored, told  left, told  open\n",
        );
        for (name, line) in &self.lines {
            writeln!(
                text,
                "{name:<26} {:>9} {:>6} {:>11} {:>13} {:>13} {:>11} {:>5}",
                line.requests,
                line.runs,
                line.registered,
                line.failed,
                line.unregistered,
                line.told,
                line.left
            )
            .unwrap();
        }
        text
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text}")),
    )
}

/// The first seed, and how many there are.
fn plan() -> (u64, u64) {
    let default = if required() { 200 } else { 25 };
    let runs = number("HOIST_SOAK_RUNS").unwrap_or(default);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = number("HOIST_SOAK_SEED").unwrap_or(now.as_secs());
    // Printed before the runs, so that it is known if the process is killed.
    eprintln!("HOIST_SOAK_SEED={first} HOIST_SOAK_RUNS={runs}");
    (first, runs)
}

#[test]
fn pushes_under_random_faults_end_registered_or_leave_nothing() {
    let (first, runs) = plan();
    let since = Instant::now();
    sources();
    let made = since.elapsed();
    let (table, wrong) = run_there(async move {
        let (places, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
        for seed in first..first + runs {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            running.spawn(async move {
                let _place = place;
                run(seed).await
            });
        }
        let (mut table, mut wrong) = (Table::default(), Vec::new());
        while let Some(done) = running.join_next().await {
            match done {
                Ok((outcome, untold, requests, retries)) => {
                    table.add(outcome, untold, &requests, retries);
                }
                Err(error) => wrong.push(error.to_string()),
            }
        }
        (table, wrong)
    });
    let took = since.elapsed();
    let per_run = took / u32::try_from(runs.max(1)).unwrap();
    eprintln!(
        "{}\n{} runs, {} retries, {} unnamed uploads open; {took:.1?} ({per_run:.0?} a \
         run, {made:.1?} of it for the trees), {AT_ONCE} at a time, memory at most {}",
        table.text(),
        table.runs,
        table.retries,
        table.untold,
        peak()
    );
    assert!(wrong.is_empty(), "{} runs ended otherwise", wrong.len());
    assert_eq!(table.runs, runs);
}

/// One push.
async fn run(seed: u64) -> (Outcome, usize, Vec<Request>, u64) {
    let choice = usize::try_from(seed % (WEATHER.len() as u64 * 9)).unwrap();
    let (source, weather) = (&sources()[choice % 9], WEATHER[choice / 9]);
    let faults = Faults::new().random(seed, odds(weather));
    // Some have only the permissions that a push needs, and the credentials of some expire.
    if seed % 10 == 3 {
        faults.allow([Action::PutObject, Action::RegisterApplicationRevision]);
    }
    if seed % 20 == 7 {
        faults.expire(KEY_ID, seed / 20 % 10);
    }
    let rig = Rig::start(faults.clone()).await;
    let ended = rig.push(source).await;
    let requests = faults.requests();
    let what = format!("HOIST_SOAK_RUNS=1 HOIST_SOAK_SEED={seed}");
    let (outcome, untold) = judge(&ended, source, &requests, &what);
    if outcome == Outcome::Registered {
        faults.heal();
        let report = rig.verify().await.unwrap();
        assert!(report.is_whole(), "{what}: {report:?}");
    }
    rig.end().await;
    let retries = retries(source, &requests);
    (outcome, untold, requests, retries)
}

/// Requests beyond the first of their kind.
fn retries(source: &Source, requests: &[Request]) -> u64 {
    let parts = source.packed.len().div_ceil(PART);
    let of_each = ASKED.iter().map(|operation| {
        let of_it = requests
            .iter()
            .filter(|request| request.operation == *operation);
        let needed = match operation {
            Operation::UploadPart => parts,
            _ => 1,
        };
        of_it.count().saturating_sub(needed) as u64
    });
    of_each.sum()
}

/// The most memory that this process has had, if the system says.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |peak| peak.trim().to_owned())
}

/// How the push ended, and how many open uploads are not named anywhere. Panics if it ended otherwise.
fn judge(ended: &Ended, source: &Source, requests: &[Request], what: &str) -> (Outcome, usize) {
    let lost = |operation: Operation| {
        let lost = [Fault::Reset, Fault::Stall].map(|fault| Some(fault(When::AfterCommit)));
        let of_it = requests
            .iter()
            .filter(|request| request.operation == operation);
        of_it
            .filter(|request| lost.contains(&request.fault))
            .count()
    };
    let story: Vec<String> = requests.iter().map(ToString::to_string).collect();
    let what = format!("{what}: {:?}\n{}\n", ended.pushed, story.join("\n"));
    let whole = ended.object.as_ref() == Some(&source.packed);
    assert!(whole || ended.object.is_none(), "{what}another object");
    // An upload whose Create is not answered may be another push's, and is named, or how to see it is.
    let left = ended.pushed.as_ref().err().and_then(Error::left);
    let notes = &ended.notes;
    let named = |id: &&String| {
        let left = left.iter().map(|left| &left.upload.0);
        left.chain(notes).any(|text| text.contains(&***id))
    };
    let shown = notes
        .iter()
        .any(|note| note.contains("LostCreate { others: None }"));
    let unheard = lost(Operation::CreateMultipartUpload);
    let open: Vec<&String> = ended.open.iter().filter(|id| !named(id)).collect();
    let open = &open[if shown { unheard.min(open.len()) } else { 0 }..];
    let error = match &ended.pushed {
        Ok(pushed) => {
            assert!(whole, "{what}not stored");
            assert_eq!(
                ended.revisions,
                [&*pushed.delivered[0].revision.stored.etag],
                "{what}not registered"
            );
            assert!(open.is_empty(), "{what}left: {open:?}");
            return (Outcome::Registered, 0);
        }
        Err(error) => error,
    };
    if let Error::Register { .. } = error {
        assert!(whole, "{what}not stored");
        // A registration whose answer is lost was made nevertheless.
        let made = lost(Operation::RegisterApplicationRevision).min(1);
        assert!(ended.revisions.len() <= made, "{what}registered");
        assert!(open.is_empty(), "{what}left: {open:?}");
        return (Outcome::Unregistered, 0);
    }
    assert_eq!(ended.revisions, [""; 0], "{what}registered");
    // If the answer about the object is lost, the error says that it may be there.
    let is_unknown = error.to_string().contains("is not known");
    assert!(ended.object.is_none() || is_unknown, "{what}stored");
    if let Some(left) = error.left() {
        assert!(open.is_empty(), "{what}left: {open:?}");
        let told = ended.open.iter().filter(|id| **id == left.upload.0);
        let told = told.count();
        if told == 0 {
            // A Complete or an Abort without an answer ended it.
            let unheard =
                lost(Operation::CompleteMultipartUpload) + lost(Operation::AbortMultipartUpload);
            assert!(unheard > 0, "{what}names an upload that is not there");
            return (Outcome::Failed, 0);
        }
        let aborts = requests.iter().filter(|request| {
            request.operation == Operation::AbortMultipartUpload && request.fault.is_some()
        });
        let denied = [Refusal::AccessDenied, Refusal::ExpiredToken]
            .map(Fault::Refuse)
            .map(Some);
        let denied = aborts
            .clone()
            .any(|request| denied.contains(&request.fault));
        assert!(denied || aborts.count() >= 3, "{what}hardly tried");
        return (Outcome::Told, 0);
    }
    assert!(open.is_empty(), "{what}left: {open:?}");
    (Outcome::Failed, 0)
}
