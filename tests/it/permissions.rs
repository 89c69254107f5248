//! What each permission of docs/iam.md is for: pushes to an endpoint that allows two, one more, or all
//! but one. With `--nocapture` a table comes last.

use crate::rig::{Ended, Rig, Source, run_there};
use crate::several_rig::{EndedThere, REGIONS, SeveralRig, Way, said};
use hoist::endpoint::faults::{Action, Fault, Faults, Operation, Refusal, When};
use hoist::push::{Error, Reached};

/// Without these nothing is pushed.
const LEAST: [Action; 2] = [Action::PutObject, Action::RegisterApplicationRevision];

/// All that a push ever uses.
const ALL: [Action; 8] = [
    Action::PutObject,
    Action::RegisterApplicationRevision,
    Action::AbortMultipartUpload,
    Action::ListMultipartUploadParts,
    Action::ListBucketMultipartUploads,
    Action::GetObject,
    Action::ListBucket,
    Action::GetApplication,
];

/// What happens to the push, so that the permission matters.
#[derive(Clone, Copy, Debug)]
enum Meets {
    Nothing,
    /// `--no-overwrite`, and there is no object.
    NoOverwrite,
    PartsThatFail,
    LostCreate,
    LostComplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Registered,
    /// It failed, and nothing is there.
    Clean,
    /// It failed, and the error names the upload that is left.
    Told,
    /// The object is stored and not registered, and the error says so.
    Stored,
    /// It failed, and the error says that it is not known whether the object is there.
    Unknown,
}

use Meets::{LostComplete, LostCreate, NoOverwrite, Nothing, PartsThatFail};
use Outcome::{Clean, Registered, Stored, Told, Unknown};

/// Part of each note that is expected.
type Notes = &'static [&'static str];

const APPLICATION: &str = "codedeploy:GetApplication";
const OBJECT: &str = "HeadObject";
const NAMED: &str = "LostCreate { others: Some";
const LOOK: &str = "LostCreate { others: None";

/// A permission, what happens to the push, and how it ends with the permission and without it.
type Row = (Action, Meets, (Outcome, Notes), (Outcome, Notes));

/// With a permission is with it and [`LEAST`]; without it is with all others of [`ALL`].
const TABLE: [Row; 9] = [
    (
        Action::PutObject,
        Nothing,
        (Registered, &[APPLICATION]),
        (Clean, &[]),
    ),
    (
        Action::RegisterApplicationRevision,
        Nothing,
        (Registered, &[APPLICATION]),
        (Stored, &[]),
    ),
    (
        Action::AbortMultipartUpload,
        PartsThatFail,
        (Clean, &[APPLICATION]),
        (Told, &[]),
    ),
    (
        Action::ListMultipartUploadParts,
        PartsThatFail,
        (Told, &[APPLICATION]),
        (Clean, &[]),
    ),
    (
        Action::ListBucketMultipartUploads,
        LostCreate,
        (Registered, &[APPLICATION, NAMED]),
        (Registered, &[LOOK]),
    ),
    (
        Action::GetObject,
        LostComplete,
        (Registered, &[APPLICATION]),
        (Unknown, &[]),
    ),
    (
        Action::GetObject,
        NoOverwrite,
        (Registered, &[APPLICATION, OBJECT]),
        (Registered, &[OBJECT]),
    ),
    (
        Action::ListBucket,
        NoOverwrite,
        (Registered, &[APPLICATION, OBJECT]),
        (Registered, &[OBJECT]),
    ),
    (
        Action::GetApplication,
        Nothing,
        (Registered, &[]),
        (Registered, &[APPLICATION]),
    ),
];

async fn pushed(allowed: &[Action], meets: Meets) -> (Ended, &'static Source) {
    let (faults, source) = match meets {
        Nothing | NoOverwrite => (Faults::new(), Source::small()),
        PartsThatFail => {
            let busy = Fault::Refuse(Refusal::ServiceUnavailable);
            let faults = Faults::new().on(Operation::UploadPart, 2.., busy);
            (faults, Source::large())
        }
        LostCreate | LostComplete => {
            let operation = match meets {
                LostCreate => Operation::CreateMultipartUpload,
                _ => Operation::CompleteMultipartUpload,
            };
            let lost = Fault::Reset(When::AfterCommit);
            (Faults::new().on(operation, 1..=1, lost), Source::large())
        }
    };
    faults.allow(allowed.iter().copied());
    let mut rig = Rig::start(faults).await;
    rig.options.no_overwrite = matches!(meets, NoOverwrite);
    let ended = rig.push(source).await;
    rig.end().await;
    (ended, source)
}

fn outcome(ended: &Ended, source: &Source, what: &str) -> Outcome {
    let whole = ended.object.as_ref() == Some(&source.packed);
    match &ended.pushed {
        Ok(pushed) => {
            assert!(whole, "{what}: not stored");
            assert_eq!(
                ended.revisions,
                [&*pushed.delivered[0].revision.stored.etag],
                "{what}"
            );
            Registered
        }
        Err(error @ Error::Register { .. }) => {
            assert!(whole && ended.open.is_empty(), "{what}: {error}");
            assert_eq!(ended.revisions, [""; 0], "{what}");
            let said = error.to_string();
            assert!(
                said.contains("codedeploy:RegisterApplicationRevision"),
                "{said}"
            );
            Stored
        }
        Err(error) if error.to_string().contains("is not known") => {
            assert_eq!((&ended.revisions[..], ended.open.len()), (&[][..], 0));
            Unknown
        }
        Err(error) if error.left().is_some() => {
            ended.is_failure_with_leftover(what);
            Told
        }
        Err(_) => {
            ended.is_clean_failure(what);
            Clean
        }
    }
}

/// Each expected note is there, and no other.
#[track_caller]
fn check_notes(notes: &[String], expected: Notes, what: &str) {
    assert_eq!(notes.len(), expected.len(), "{what}: {notes:?}");
    for part in expected {
        let of_it = notes.iter().filter(|note| note.contains(part));
        assert_eq!(of_it.count(), 1, "{what}: {part}: {notes:?}");
    }
}

#[test]
fn each_permission_adds_what_the_docs_say() {
    let rows = run_there(async {
        let mut rows = String::new();
        for (action, meets, alone, lacking) in TABLE {
            let with: Vec<Action> = LEAST
                .into_iter()
                .chain((!LEAST.contains(&action)).then_some(action))
                .collect();
            let without: Vec<Action> = ALL.into_iter().filter(|other| *other != action).collect();
            rows += &format!("{action:<36} {meets:<14?}");
            for (allowed, (expected, notes)) in [(with, alone), (without, lacking)] {
                let what = format!("{action}, {meets:?}, {allowed:?}");
                let (ended, source) = pushed(&allowed, meets).await;
                let said = format!("{what}: {:?}", ended.pushed);
                assert_eq!(outcome(&ended, source, &what), expected, "{said}");
                check_notes(&ended.notes, notes, &what);
                // An upload that is left is named, or how to see it.
                let may_be_open = matches!(meets, LostCreate) || expected == Told;
                assert!(may_be_open || ended.open.is_empty(), "{said}");
                rows += &format!("  {:<10} {:<40}", format!("{expected:?}"), notes.join(", "));
            }
            rows += "\n";
        }
        rows
    });
    eprintln!("permission, what happens, with two and this one: outcome, notes; with all but it");
    eprintln!("{rows}");
}

#[test]
fn with_all_permissions_nothing_is_noted_but_an_upload_that_may_be_left() {
    for meets in [
        Nothing,
        NoOverwrite,
        PartsThatFail,
        LostCreate,
        LostComplete,
    ] {
        let what = format!("{meets:?}");
        let (ended, source) = run_there(async move { pushed(&ALL, meets).await });
        let (expected, notes): (_, Notes) = match meets {
            PartsThatFail => (Clean, &[]),
            LostCreate => (Registered, &[NAMED]),
            Nothing | NoOverwrite | LostComplete => (Registered, &[]),
        };
        assert_eq!(outcome(&ended, source, &what), expected, "{ended:?}");
        check_notes(&ended.notes, notes, &what);
    }
}

/// A permission in a bucket, or to CodeDeploy in a region.
type There = (&'static str, Action);

/// What docs/iam.md gives a push to several regions, in each.
fn in_each_region() -> Vec<There> {
    let there = REGIONS.into_iter().flat_map(|(region, bucket)| {
        [
            (bucket, Action::PutObject),
            (bucket, Action::AbortMultipartUpload),
            (region, Action::RegisterApplicationRevision),
        ]
    });
    there.collect()
}

/// Pushes to all regions with these permissions and no others.
fn pushed_with(allowed: &[There], way: Way) -> EndedThere {
    let faults = Faults::new();
    for (place, action) in allowed {
        faults.allow_at(place, [*action]);
    }
    run_there(async move {
        let rig = SeveralRig::start(faults).await;
        let ended = rig.push(Source::large(), way).await;
        rig.end().await;
        ended
    })
}

/// All regions have the revision, and only the applications could not be asked for.
#[track_caller]
fn is_registered_everywhere(ended: &EndedThere) {
    assert!(ended.pushed.is_ok(), "{ended:?}");
    for there in &ended.there {
        assert!(there.object.as_ref() == Some(&Source::large().packed));
        assert_eq!(there.revisions.len(), 1);
    }
    assert_eq!(ended.notes.len(), REGIONS.len(), "{:?}", ended.notes);
    check_notes_name(&ended.notes, APPLICATION);
}

#[track_caller]
fn check_notes_name(notes: &[String], action: &str) {
    for note in notes {
        assert!(note.contains(action), "{note}");
    }
}

/// What is said of the region that lacks a permission, after checking that no other failed.
#[track_caller]
fn said_of(ended: &EndedThere, region: &str) -> String {
    let several = ended.several(region).expect(region);
    let failed = several.outcomes.iter().filter(|one| one.error.is_some());
    let failed: Vec<_> = failed.collect();
    let regions: Vec<&str> = failed.iter().map(|one| &*one.region).collect();
    assert_eq!(regions, [region], "{several}");
    said(failed[0])
}

#[test]
fn a_push_to_several_regions_needs_the_permissions_of_a_push_in_each() {
    let all = in_each_region();
    is_registered_everywhere(&pushed_with(&all, Way::default()));
    for (missing, action) in &all {
        let left: Vec<There> = all
            .iter()
            .copied()
            .filter(|there| there != &(*missing, *action))
            .collect();
        let ended = pushed_with(&left, Way::default());
        let place = REGIONS
            .iter()
            .find(|(region, bucket)| [region, bucket].contains(&missing));
        let (region, bucket) = place.unwrap();
        let registered = || ended.there.iter().map(|there| there.revisions.len());
        match action {
            // Without an abort nothing is needed if nothing fails.
            Action::AbortMultipartUpload => is_registered_everywhere(&ended),
            Action::PutObject => {
                let said = said_of(&ended, region);
                assert!(said.contains("s3:PutObject"), "{said}");
                assert!(said.contains(bucket), "{said}");
                assert!(registered().eq([0, 0, 0]), "{said}");
                for there in &ended.there {
                    assert!(there.object.is_none() && there.open.is_empty(), "{said}");
                }
            }
            // The others are registered: every object is there.
            _ => {
                let said = said_of(&ended, region);
                assert!(
                    said.contains("codedeploy:RegisterApplicationRevision"),
                    "{said}"
                );
                let expected = REGIONS.map(|(other, _)| usize::from(other != *region));
                assert!(registered().eq(expected), "{said}");
                let several = ended.several(region).unwrap();
                let stored = several.outcomes.iter();
                let mut stored = stored.filter(|one| matches!(one.reached, Reached::Stored(_)));
                assert_eq!(stored.next().map(|one| &*one.region), Some(*region));
            }
        }
    }
}

#[test]
fn copies_need_to_read_the_object_that_is_copied_and_no_other() {
    let way = Way {
        copies: true,
        ..Way::default()
    };
    let (_, source) = REGIONS[0];
    let read = (source, Action::GetObject);
    let mut all = in_each_region();
    all.push(read);
    is_registered_everywhere(&pushed_with(&all, way));

    // The source stays, and the copies fail.
    all.pop();
    let ended = pushed_with(&all, way);
    let several = ended.several("read").unwrap();
    for (outcome, there) in several.outcomes.iter().zip(&ended.there).skip(1) {
        assert!(there.object.is_none() && there.open.is_empty(), "{several}");
        if outcome.error.is_some() {
            let said = said(outcome);
            assert!(
                said.contains("s3:GetObject") && said.contains(source),
                "{said}"
            );
        }
    }
    assert!(several.to_string().contains("s3:GetObject"), "{several}");
    assert!(ended.there.iter().all(|there| there.revisions.is_empty()));
    assert!(matches!(several.outcomes[0].reached, Reached::Stored(_)));

    all.push(read);
    let (region, bucket) = REGIONS[1];
    all.retain(|there| *there != (bucket, Action::PutObject));
    let ended = pushed_with(&all, way);
    let said = said_of(&ended, region);
    assert!(
        said.contains("s3:PutObject") && said.contains(bucket),
        "{said}"
    );
}
