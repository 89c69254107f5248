//! Pushes to three regions with random faults in each. Each push ends registered everywhere, or nowhere
//! with nothing open, or exactly as its error says of each region.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hoist::endpoint::faults::{
    Action, CopyFault, Fault, Faults, Operation, Refusal, Request, When,
};
use hoist::push::{Error, Outcome, Reached};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::rig::{KEY_ID, Source, run_there};
use super::several_rig::{EndedThere, REGIONS, SeveralRig, There, Way, said};
use super::{ASKED, AT_ONCE, WRITING, any, peak, plan, sources};

/// What else is asked for by these pushes.
const COPYING: [Operation; 2] = [Operation::UploadPartCopy, Operation::CopyObject];

/// What can go wrong with copies, and with how many of ten thousand it does.
const COPIES: [(Fault, u32); 4] = [
    (Fault::RefuseInside(Refusal::InternalError), 1500),
    (Fault::Copy(CopyFault::OtherBytes), 300),
    (Fault::Copy(CopyFault::OtherBytesUntold), 300),
    (Fault::Copy(CopyFault::NoChecksum), 300),
];

/// Factors of the odds, of which a push has one. They are lower than for one destination, since a failure
/// in one region ends the push in all.
const WEATHER: [f64; 3] = [0.1, 0.4, 1.5];

fn odds(weather: f64) -> Vec<(Operation, Fault, f64)> {
    let asked = ASKED
        .into_iter()
        .chain(COPYING)
        .chain([Operation::GetObject]);
    let copies = COPYING.into_iter().flat_map(|operation| {
        let of_it = move |(fault, often)| (operation, fault, often);
        COPIES.into_iter().map(of_it)
    });
    any(asked)
        .chain(WRITING)
        .chain(copies)
        .map(|(operation, fault, often)| (operation, fault, f64::from(often) / 10_000.0 * weather))
        .collect()
}

/// What the error of a copy says if there is an object that is not proven to be the archive.
const MADE: [&str; 2] = [
    "the object that was made has other bytes",
    "an object was made",
];

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// Registered in all regions.
    Everywhere,
    /// Nothing is registered or stored, and nothing is open.
    Nowhere,
    /// Nothing is registered, and some objects are stored, which the error says.
    Stored,
    /// Registered in some regions, which the error says.
    Somewhere,
    /// An upload is left, which the error names.
    Left,
}

#[test]
fn pushes_to_several_regions_end_registered_everywhere_or_as_the_error_says() {
    let (first, runs) = plan();
    let since = Instant::now();
    sources();
    let (ends, wrong) = run_there(async move {
        let (places, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
        for seed in first..first + runs {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            running.spawn(async move {
                let _place = place;
                run(seed).await
            });
        }
        let mut ends: BTreeMap<(&str, How), [usize; 3]> = BTreeMap::new();
        let mut wrong = Vec::new();
        while let Some(done) = running.join_next().await {
            match done {
                Ok((way, how, requests, met)) => {
                    let line = ends.entry((way, how)).or_default();
                    line[0] += 1;
                    line[1] += requests;
                    line[2] += met;
                }
                Err(error) => wrong.push(error.to_string()),
            }
        }
        (ends, wrong)
    });
    eprintln!("push         ended        runs  requests  of them with a fault");
    for ((way, how), [runs, requests, met]) in ends {
        let how = format!("{how:?}");
        eprintln!("{way:<12} {how:<10} {runs:>6} {requests:>9} {met:>8}");
    }
    let took = since.elapsed();
    eprintln!("{took:.1?}, {AT_ONCE} at a time, memory at most {}", peak());
    assert!(wrong.is_empty(), "{} runs ended otherwise", wrong.len());
}

/// One push.
async fn run(seed: u64) -> (&'static str, How, usize, usize) {
    let weather = WEATHER[usize::try_from(seed % 3).unwrap()];
    let source = &sources()[usize::try_from(seed / 3 % 9).unwrap()];
    let faults = Faults::new().random(seed, odds(weather));
    let way = Way {
        copies: seed / 27 % 3 == 1,
        keep_going: seed / 81 % 3 == 1,
        verifies: seed / 243 % 3 == 1,
    };
    // Some have only the permissions that a push needs, and the credentials of some expire.
    if seed % 10 == 3 {
        let reading = [Action::GetObject];
        let reading = reading.into_iter().filter(|_| way.copies || way.verifies);
        let least = [Action::PutObject, Action::RegisterApplicationRevision];
        faults.allow(least.into_iter().chain(reading));
    }
    if seed % 20 == 7 {
        faults.expire(KEY_ID, seed / 20 % 30);
    }
    let rig = SeveralRig::start(faults.clone()).await;
    let ended = rig.push(source, way).await;
    let requests = faults.requests();
    let what = format!("HOIST_SOAK_RUNS=1 HOIST_SOAK_SEED={seed} ({way:?})");
    let how = judge(&ended, source, &requests, way, &what);
    rig.end().await;
    let met = requests.iter().filter(|request| request.fault.is_some());
    let name = match (way.copies, way.keep_going) {
        (false, false) => "uploads",
        (true, false) => "copies",
        (false, true) => "keeps going",
        (true, true) => "both",
    };
    (name, how, requests.len(), met.count())
}

/// How the push ended. Panics if it ended otherwise than it says.
fn judge(ended: &EndedThere, source: &Source, requests: &[Request], way: Way, what: &str) -> How {
    let story: Vec<String> = requests
        .iter()
        .map(|request| {
            let place = match &*request.place {
                "" => request.region.clone().unwrap_or_default(),
                place => place.to_owned(),
            };
            format!("{place}: {request}")
        })
        .collect();
    let what = format!(
        "{what}: {:?}\nnotes: {:?}\n{}\n",
        ended.pushed,
        ended.notes,
        story.join("\n")
    );
    let is_other = |there: &There| there.object.as_ref().is_some_and(|it| *it != source.packed);
    let Some(several) = ended.several(&what) else {
        let Ok(pushed) = &ended.pushed else {
            panic!("{what}");
        };
        assert_eq!(pushed.delivered.len(), REGIONS.len(), "{what}");
        for ((there, delivered), place) in ended.there.iter().zip(&pushed.delivered).zip(REGIONS) {
            assert!(
                there.object.is_some() && !is_other(there),
                "{what}not stored"
            );
            let etag = &delivered.revision.stored.etag;
            assert_eq!(there.revisions, [&**etag], "{what}not registered");
            assert_eq!(delivered.verified.is_some(), way.verifies, "{what}");
            let unnamed = unnamed(ended, there, None, requests, place.1);
            assert_eq!(unnamed, 0, "{what}left: {:?}", there.open);
        }
        return How::Everywhere;
    };
    assert_eq!(several.outcomes.len(), REGIONS.len(), "{what}");
    let mut outcomes = several.outcomes.iter();
    let fails = outcomes.any(|outcome| outcome.error.is_some()) || several.source.is_some();
    assert!(fails, "{what}no error");
    let mut left = false;
    let places = several.outcomes.iter().zip(&ended.there).zip(REGIONS);
    for ((outcome, there), (region, bucket)) in places {
        let what = format!("{what}{region}: ");
        assert_eq!(
            (&*outcome.region, &*outcome.location.bucket),
            (region, bucket)
        );
        // A copy in one request is an object before it can be compared.
        let said = said(outcome);
        let is_told = MADE.into_iter().any(|made| said.contains(made));
        assert!(!is_other(there) || is_told, "{what}another object");
        let there_is = there.object.is_some() && !is_told;
        check(outcome, there_is, there, requests, region, &what);
        let unnamed = unnamed(ended, there, Some(outcome), requests, bucket);
        assert_eq!(unnamed, 0, "{what}left: {:?}", there.open);
        left |= outcome.error.as_ref().and_then(Error::left).is_some() && !there.open.is_empty();
    }
    let count = |reached: fn(&Reached) -> bool| {
        let outcomes = several.outcomes.iter();
        outcomes.filter(|outcome| reached(&outcome.reached)).count()
    };
    let registered = count(|reached| matches!(reached, Reached::Registered(_)));
    let missing = count(|reached| matches!(reached, Reached::Nothing));
    // Nothing is registered before every object is there.
    let all_there = registered == 0 || missing == 0;
    assert!(way.keep_going || all_there, "{what}registered too early");
    let stored = ended.there.iter().any(|there| there.object.is_some());
    match () {
        () if left => How::Left,
        () if registered > 0 => How::Somewhere,
        () if stored => How::Stored,
        () => How::Nowhere,
    }
}

/// Compares what the error says of a region with what is there.
fn check(
    outcome: &Outcome,
    is_stored: bool,
    there: &There,
    requests: &[Request],
    region: &str,
    what: &str,
) {
    let lost = requests.iter().any(|request| {
        request.operation == Operation::RegisterApplicationRevision
            && request.region.as_deref() == Some(region)
            && is_lost(request)
    });
    match &outcome.reached {
        Reached::Registered(delivered) => {
            assert!(is_stored, "{what}not stored");
            let etag = &delivered.revision.stored.etag;
            assert_eq!(there.revisions, [&**etag], "{what}not registered");
        }
        Reached::Stored(revision) => {
            assert!(is_stored, "{what}not stored");
            // A registration whose answer is lost was made nevertheless.
            let made = there
                .revisions
                .iter()
                .all(|etag| *etag == revision.stored.etag);
            let made = made && there.revisions.len() <= usize::from(lost);
            assert!(made, "{what}registered");
        }
        Reached::Nothing => {
            assert_eq!(there.revisions, [""; 0], "{what}registered");
            // If the answer about the object is lost, the error says that it may be there.
            let is_unknown = said(outcome).contains("is not known");
            assert!(!is_stored || is_unknown, "{what}stored");
        }
    }
}

/// Whether a request had its effect, and its answer was lost.
fn is_lost(request: &Request) -> bool {
    let lost = [Fault::Reset, Fault::Stall].map(|fault| Some(fault(When::AfterCommit)));
    lost.contains(&request.fault)
}

/// How many open uploads of a bucket are named nowhere. An upload whose Create is not answered may be
/// another push's, and is named, or how to see it is.
fn unnamed(
    ended: &EndedThere,
    there: &There,
    outcome: Option<&Outcome>,
    requests: &[Request],
    bucket: &str,
) -> usize {
    let error = outcome.and_then(|outcome| outcome.error.as_ref());
    let left = error.and_then(Error::left).map(|left| &*left.upload.0);
    let notes = &ended.notes;
    let named = |id: &&String| left == Some(id) || notes.iter().any(|note| note.contains(&***id));
    let open = there.open.iter().filter(|id| !named(id)).count();
    let shown = notes.iter().any(|note| {
        note.contains("LostCreate { others: None }") && note.contains(bucket_name(bucket))
    });
    let unheard = requests.iter().filter(|request| {
        let there = request.place.starts_with(bucket);
        request.operation == Operation::CreateMultipartUpload && there && is_lost(request)
    });
    let shown = if shown { unheard.count() } else { 0 };
    open.saturating_sub(shown)
}

/// What notes call the destination with this bucket: its region.
fn bucket_name(bucket: &str) -> &'static str {
    let mut places = REGIONS.into_iter();
    places
        .find(|(_, name)| *name == bucket)
        .map_or("", |(region, _)| region)
}
