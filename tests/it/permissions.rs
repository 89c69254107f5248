//! What each permission of docs/iam.md is for: pushes to an endpoint that allows two, one more, or all
//! but one. With `--nocapture` a table comes last.

use crate::rig::{Ended, Rig, Source, run_there};
use hoist::endpoint::faults::{Action, Fault, Faults, Operation, Refusal, When};
use hoist::push::Error;

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
