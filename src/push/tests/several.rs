//! Pushes to several destinations.

use std::collections::HashSet;
use std::io::Write as _;

use super::*;
use crate::bundle::BundleType;
use crate::notes::{Note, Place};
use crate::transfer::Cause;
use crate::transfer::fake::Says;

/// Calls of a push of three parts that succeeds: to create, to send each part, to complete.
const COMPLETE: usize = 4;
const DONE: usize = 5;

/// A revision of about `parts` parts that is sent as it is, since packing takes long without optimisation.
fn revision(parts: u64) -> (TempDir, Request) {
    let (dir, mut request) = super::revision(0);
    let path = dir.path().join("revision.zip");
    let mut zip = ::zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let stored = ::zip::CompressionMethod::Stored;
    let options = ::zip::write::SimpleFileOptions::default().compression_method(stored);
    let pattern: Vec<u8> = (0..MIN_PART / 251 + 1).map(|n| (n * n) as u8).collect();
    let noise = pattern.repeat(251 * usize::try_from(parts).unwrap());
    for (name, bytes) in [
        ("appspec.yml", b"version: 0.0\nos: linux\n".to_vec()),
        ("noise", noise),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
    request.source.path = path;
    request.source.content = Content::File(BundleType::Archive(Format::Zip));
    (dir, request)
}

fn destinations(stores: impl IntoIterator<Item = Fake>) -> Destinations<Fake> {
    let destination = |(n, store)| Destination {
        region: format!("region-{n}"),
        ..Destination::new(store, format!("s3://bucket-{n}/key").parse().unwrap())
    };
    Destinations {
        all: stores.into_iter().enumerate().map(destination).collect(),
        keep_going: false,
    }
}

fn of_troubles<const N: usize>(troubles: [Trouble; N]) -> Destinations<Fake> {
    destinations(troubles.map(Fake::new))
}

fn several(pushed: Result<Pushed, Error>) -> Several {
    match pushed.unwrap_err() {
        Error::Several(several) => *several,
        error => panic!("{error}"),
    }
}

/// The archive, as a push to one destination stores it.
async fn packed(request: &Request) -> Vec<u8> {
    let one = destination(Trouble::None);
    push_to(&one, request).await.unwrap();
    let object = one.all[0].store.state().object.clone();
    object.unwrap()
}

fn calls(store: &Fake, operation: &str) -> usize {
    let calls = store.state().calls.clone();
    calls.iter().filter(|call| **call == operation).count()
}

#[tokio::test]
async fn eight_destinations_get_the_same_object_of_one_pack() {
    let (_dir, request) = revision(2);
    let archive = packed(&request).await;
    let all = of_troubles([Trouble::None; 8]);
    let observer = Observer::default();
    let pushed = push(&request, &all, &observer, &Cancel::new()).await;
    let pushed = pushed.unwrap();
    let locations = pushed.delivered.iter().map(|one| &one.revision.location);
    assert!(locations.eq(all.all.iter().map(|one| &one.location)));
    for destination in &all.all {
        assert!(destination.store.state().object.as_ref() == Some(&archive));
    }
    let now = observer.progress.snapshot();
    assert_eq!((now.restarts, now.uploads), (0, 8));
    assert_eq!((now.parts_sent, now.parts_in_flight), (24, 0));
    assert_eq!(now.bytes_sent, 8 * archive.len() as u64);
}

#[tokio::test]
async fn nothing_is_completed_before_every_transfer_is_whole() {
    let (_dir, request) = revision(2);
    let all = of_troubles([Trouble::None, Trouble::Hold]);
    let [fast, slow] = [0, 1].map(|index| &all.all[index].store);
    let watching = async {
        for answered in 0..3 {
            let is_waiting = || {
                let sent = calls(slow, "UploadPart");
                sent > answered && (answered < 2 || calls(fast, "UploadPart") == 3)
            };
            while !is_waiting() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            assert_eq!(calls(fast, "CompleteMultipartUpload"), 0);
            slow.answer(1);
        }
    };
    let limit = std::time::Duration::from_secs(120);
    let both = async { tokio::join!(push_to(&all, &request), watching).0 };
    let pushed = tokio::time::timeout(limit, both).await;
    pushed.expect("a part is not sent").unwrap();
    assert!(fast.state().object.is_some() && fast.state().object == slow.state().object);
}

#[tokio::test]
async fn an_archive_of_one_part_is_stored_nowhere_if_one_destination_refuses_it() {
    let (_dir, request) = revision(0);
    for at in 0..2 {
        let all = of_troubles([Trouble::None, Trouble::Fail(at)]);
        several(push_to(&all, &request).await);
        for destination in &all.all {
            assert!(is_empty(&destination.store));
        }
    }
}

#[tokio::test]
async fn a_failure_in_one_destination_ends_the_push_in_all() {
    let (_dir, request) = revision(2);
    for at in 0..DONE {
        let all = of_troubles([Trouble::None, Trouble::Fail(at), Trouble::None]);
        let several = several(push_to(&all, &request).await);
        assert!(several.source.is_none());
        for (n, (outcome, destination)) in several.outcomes.iter().zip(&all.all).enumerate() {
            assert_eq!(outcome.location, destination.location);
            assert!(destination.store.state().upload.is_none());
            let is_stored = destination.store.state().object.is_some();
            assert!(!is_stored || at == COMPLETE && n != 1, "{n}, call {at}");
            match &outcome.reached {
                Reached::Nothing => assert!(!is_stored),
                Reached::Stored(_) => assert!(is_stored),
                Reached::Registered(_) => panic!("it is registered"),
            }
            match &outcome.error {
                Some(Error::Upload { error, .. }) if n == 1 => {
                    assert!(error.to_string().contains(&format!("call {at} fails")));
                }
                None => assert_ne!(n, 1),
                Some(error) => panic!("{n}: {error}"),
            }
        }
        let text = several.to_string();
        let expected = "region-1: Failed to upload '";
        assert!(
            text.starts_with(expected) && text.contains("bucket-1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_push_that_keeps_going_finishes_the_others() {
    let (_dir, request) = revision(2);
    let archive = packed(&request).await;
    for at in 0..DONE {
        let mut all = of_troubles([Trouble::Fail(at), Trouble::None, Trouble::Fail(at)]);
        all.keep_going = true;
        let observer = Observer::default();
        let several = several(push(&request, &all, &observer, &Cancel::new()).await);
        assert!(several.source.is_none());
        for n in [0, 2] {
            assert!(is_empty(&all.all[n].store));
            let outcome = &several.outcomes[n];
            assert!(matches!(outcome.reached, Reached::Nothing));
            assert!(matches!(outcome.error, Some(Error::Upload { .. })));
        }
        assert!(all.all[1].store.state().object.as_ref() == Some(&archive));
        assert!(matches!(
            several.outcomes[1].reached,
            Reached::Registered(_)
        ));
        assert!(several.outcomes[1].error.is_none());
        let now = observer.progress.snapshot();
        if at < COMPLETE {
            assert_eq!((now.uploads, now.parts_sent), (1, 3), "call {at}");
            assert_eq!(now.bytes_sent, archive.len() as u64);
        }
    }
    // If all fail, nothing is left to go on for.
    let mut all = of_troubles([Trouble::Fail(1), Trouble::Fail(2)]);
    all.keep_going = true;
    let several = several(push_to(&all, &request).await);
    assert!(
        several
            .outcomes
            .iter()
            .all(|outcome| outcome.error.is_some())
    );
}

#[tokio::test]
async fn an_upload_that_s3_asks_to_begin_again_is_the_only_one_that_does() {
    let (_dir, request) = revision(2);
    let archive = packed(&request).await;
    let conflict = Trouble::Pass(COMPLETE, "ConditionalRequestConflict");
    for keep_going in [false, true] {
        let mut all = of_troubles([Trouble::None, conflict, Trouble::None]);
        all.keep_going = keep_going;
        let observer = Observer::default();
        let pushed = push(&request, &all, &observer, &Cancel::new()).await;
        assert_eq!(pushed.unwrap().delivered.len(), 3);
        for (destination, uploads) in all.all.iter().zip([1, 2, 1]) {
            let store = &destination.store;
            assert!(store.state().object.as_ref() == Some(&archive));
            assert_eq!(calls(store, "CreateMultipartUpload"), uploads);
        }
        let notes = observer.notes.take();
        let [Note::Of(Place { index: 1, name }, note)] = &notes[..] else {
            panic!("{notes:?}");
        };
        let Note::Text(text) = &**note else {
            panic!("{note:?}")
        };
        assert_eq!(name, "region-1");
        assert!(text.starts_with("the upload began again: "), "{text}");
    }
}

#[tokio::test]
async fn an_upload_that_lost_to_another_object_does_not_begin_again() {
    let (_dir, request) = revision(2);
    let conflict = Trouble::Pass(COMPLETE, "ConditionalRequestConflict");
    let all = of_troubles([Trouble::None, conflict]);
    all.all[1].store.state().object = Some(b"other".to_vec());
    let several = several(push_to(&all, &request).await);
    assert!(several.outcomes[1].error.is_some(), "{several}");
    for destination in &all.all {
        assert_eq!(calls(&destination.store, "CreateMultipartUpload"), 1);
        assert!(destination.store.state().upload.is_none());
    }
}

// In paused time: an upload that hangs is given up after ten seconds.
#[tokio::test(start_paused = true)]
async fn cancelling_at_any_call_leaves_no_upload_anywhere() {
    let (_dir, request) = revision(2);
    for at in 0..DONE {
        for n in 0..2 {
            let mut troubles = [Trouble::None; 3];
            troubles[n] = Trouble::Hang(at);
            let mut all = of_troubles(troubles);
            all.keep_going = at % 2 == 0;
            let (observer, cancel) = (Observer::default(), Cancel::new());
            let pushing = push(&request, &all, &observer, &cancel);
            let cancelling = async {
                all.all[n].store.hung().await;
                cancel.cancel();
            };
            let (pushed, ()) = tokio::join!(pushing, cancelling);
            let several = several(pushed);
            let source = several.source.as_deref();
            assert!(
                matches!(source, Some(Error::Stopped { left: None })),
                "{several}"
            );
            for (outcome, destination) in several.outcomes.iter().zip(&all.all) {
                let state = destination.store.state();
                assert!(state.upload.is_none(), "call {at} of {n}");
                assert!(outcome.error.is_none(), "{several}");
                let is_stored = matches!(outcome.reached, Reached::Stored(_));
                assert_eq!(is_stored, state.object.is_some());
            }
            assert_eq!(observer.cleanup.unfinished(), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_each_destination_leaves_is_told_of_each() {
    let (_dir, request) = revision(2);
    let denied = || Fake::new(Trouble::None).denying(&["AbortMultipartUpload"]);
    let all = destinations([denied(), Fake::new(Trouble::Fail(2)), denied()]);
    let observer = Observer::default();
    let several = several(push(&request, &all, &observer, &Cancel::new()).await);
    let left = several.outcomes.iter().map(|outcome| {
        let left = outcome.error.as_ref().and_then(Error::left);
        left.map(|left| left.upload.0.as_str())
    });
    assert!(left.eq([Some("upload"), None, Some("upload")]), "{several}");
    let unfinished = observer.cleanup.unfinished();
    let unfinished: Vec<usize> = unfinished.into_iter().map(|(index, _)| index).collect();
    assert_eq!(unfinished, [0, 2]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn when_packing_fails_all_uploads_are_aborted_even_if_the_push_keeps_going() {
    let (dir, request) = super::revision(1);
    let target = "/sys/devices/system/cpu/online";
    std::os::unix::fs::symlink(target, dir.path().join("zzz")).unwrap();
    let mut all = of_troubles([Trouble::Hold, Trouble::None]);
    all.keep_going = true;
    let several = several(push_to(&all, &request).await);
    let source = several.source.as_deref();
    assert!(matches!(source, Some(Error::Pack { .. })), "{several}");
    assert!(
        several
            .outcomes
            .iter()
            .all(|outcome| outcome.error.is_none())
    );
    assert!(all.all.iter().all(|one| is_empty(&one.store)));
}

#[tokio::test]
async fn one_of_two_uploads_is_resumed() {
    let (_dir, mut request) = revision(2);
    request.uploading.resume = Resume::Always;
    request.uploading.concurrency = 1;
    let archive = packed(&request).await;
    // The list of uploads, create, two parts of the fingerprint; the second part fails and stays.
    let broken = Fake::new(Trouble::Fail(5)).denying(&["AbortMultipartUpload"]);
    let all = destinations([Fake::new(Trouble::None), broken]);
    several(push_to(&all, &request).await);
    assert!(all.all[0].store.state().upload.is_none());
    assert!(all.all[1].store.state().upload.is_some());

    let observer = Observer::default();
    let pushed = push(&request, &all, &observer, &Cancel::new()).await;
    pushed.unwrap();
    for destination in &all.all {
        assert!(destination.store.state().object.as_ref() == Some(&archive));
    }
    let notes = observer.notes.take();
    let resumed = Note::from("resumed: 1 of 3 parts were stored already");
    let place = Place {
        index: 1,
        name: "region-1".into(),
    };
    assert!(
        notes.contains(&Note::Of(place, Box::new(resumed))),
        "{notes:?}"
    );
}

/// Two destinations, of which the second copies the object of the first.
async fn copying(from: Trouble, to: Fake, request: &Request) -> Destinations<Fake> {
    to.state().source = packed(request).await;
    let mut all = destinations([Fake::new(from), to]);
    all.all[1].copy_from = Some(0);
    all
}

#[tokio::test]
async fn a_copy_is_made_by_the_store_after_the_upload_is_complete() {
    for parts in [0, 2] {
        let (_dir, request) = revision(parts);
        for says in [Says::Crc64, Says::Etag] {
            let mut to = Fake::new(Trouble::None);
            to.says = says;
            let all = copying(Trouble::None, to, &request).await;
            let pushed = push_to(&all, &request).await.unwrap();
            assert_eq!(pushed.delivered.len(), 2);
            let [from, to] = [0, 1].map(|index| &all.all[index].store);
            assert!(from.state().object.is_some());
            assert!(from.state().object == to.state().object);
            assert_eq!(calls(to, "UploadPart") + calls(to, "PutObject"), 0);
        }
    }
}

#[tokio::test]
async fn a_copy_of_an_object_that_failed_is_not_tried_and_says_so() {
    let (_dir, request) = revision(2);
    let mut all = copying(Trouble::Fail(2), Fake::new(Trouble::None), &request).await;
    all.keep_going = true;
    let several = several(push_to(&all, &request).await);
    assert!(all.all[1].store.state().calls.is_empty());
    let error = several.outcomes[1].error.as_ref().unwrap().to_string();
    let expected =
        "'s3://bucket-1/key' was not made, since there is no 's3://bucket-0/key' to copy";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_no_upload_and_registers_nothing() {
    let (_dir, request) = revision(2);
    for at in 0..DONE {
        let to = Fake::new(Trouble::Fail(at));
        let all = copying(Trouble::None, to, &request).await;
        let several = several(push_to(&all, &request).await);
        assert!(matches!(several.outcomes[0].reached, Reached::Stored(_)));
        let error = several.outcomes[1].error.as_ref().unwrap();
        assert!(matches!(error, Error::Copy { .. }), "{error}");
        assert!(is_empty(&all.all[1].store));
    }
}

#[tokio::test]
async fn destinations_that_contradict_each_other_are_refused_before_anything_is_sent() {
    let (_dir, request) = revision(0);
    let copies = |from: [Option<usize>; 3]| {
        let mut all = of_troubles([Trouble::None; 3]);
        for (destination, from) in all.all.iter_mut().zip(from) {
            destination.copy_from = from;
        }
        all
    };
    for (all, expected) in [
        (of_troubles([]), BadDestinations::Nowhere),
        (copies([None, Some(3), None]), BadDestinations::NoSource(2)),
        (
            copies([Some(0), None, None]),
            BadDestinations::CopyOfCopy(1),
        ),
        (
            copies([Some(1), Some(0), None]),
            BadDestinations::CopyOfCopy(1),
        ),
        (
            copies([None, Some(2), Some(0)]),
            BadDestinations::CopyOfCopy(2),
        ),
    ] {
        let error = push_to(&all, &request).await.unwrap_err();
        assert!(
            matches!(error, Error::Destinations(is) if is == expected),
            "{error}"
        );
        assert!(all.all.iter().all(|one| one.store.state().calls.is_empty()));
    }
}

#[tokio::test]
async fn a_source_that_is_no_revision_is_an_error_of_the_source() {
    let (dir, request) = super::revision(0);
    fs::remove_file(dir.path().join("appspec.yml")).unwrap();
    let mut all = of_troubles([Trouble::None; 2]);
    all.keep_going = true;
    let several = several(push_to(&all, &request).await);
    assert!(matches!(several.source.as_deref(), Some(Error::AppSpec(_))));
    assert!(
        several
            .outcomes
            .iter()
            .all(|outcome| outcome.error.is_none())
    );
}

/// Whatever happens to the requests: every object is whole, no upload is left that is not told of, and
/// what each destination has is what its outcome says.
#[tokio::test(start_paused = true)]
async fn outcomes_tell_the_truth_under_random_troubles() {
    let (_dir, request) = revision(1);
    let archive = packed(&request).await;
    let mut random = fastrand::Rng::with_seed(14);
    let mut seen = HashSet::new();
    for run in 0..60 {
        let mut trouble = || {
            let at = random.usize(..6);
            match random.u8(..12) {
                0 => Trouble::Fail(at),
                1 => Trouble::FailFrom(at),
                2 => Trouble::Pass(at, "InternalError"),
                3 => Trouble::Pass(at, "ConditionalRequestConflict"),
                4 => Trouble::PassFrom(at, "SlowDown"),
                5 => Trouble::Lose(at),
                6 => Trouble::LoseFrom(at),
                _ => Trouble::None,
            }
        };
        let troubles: Vec<Trouble> = (0..3).map(|_| trouble()).collect();
        let mut all = destinations(troubles.iter().map(|trouble| Fake::new(*trouble)));
        all.keep_going = run % 2 == 0;
        let what = format!("run {run}: {troubles:?}");
        let observer = Observer::default();
        let pushed = push(&request, &all, &observer, &Cancel::new()).await;
        let notes = observer.notes.take();
        let several = match pushed {
            Ok(_) => {
                seen.insert("pushed");
                for one in &all.all {
                    let state = one.store.state();
                    assert!(state.object.as_ref() == Some(&archive), "{what}");
                    assert!(state.upload.is_none(), "{what}");
                }
                continue;
            }
            Err(Error::Several(several)) => *several,
            Err(error) => panic!("{what}: {error}"),
        };
        assert!(several.source.is_none(), "{what}: {several}");
        assert!(
            several.outcomes.iter().any(|one| one.error.is_some()),
            "{what}"
        );
        for (n, (outcome, one)) in several.outcomes.iter().zip(&all.all).enumerate() {
            let what = format!("{what}, {}: {several}", outcome.region);
            let state = one.store.state();
            let is_whole = state.object.as_ref() == Some(&archive);
            assert!(is_whole || state.object.is_none(), "{what}");
            let left = outcome.error.as_ref().and_then(Error::left);
            let is_noted = notes.iter().any(|note| {
                let Note::Of(place, note) = note else {
                    return false;
                };
                place.index == n && matches!(**note, Note::LostCreate { .. })
            });
            let is_told = left.is_some() || is_noted;
            assert!(state.upload.is_none() || is_told, "{what}");
            let is_unknown = matches!(
                &outcome.error,
                Some(Error::Upload { error, .. }) if matches!(error.cause, Cause::Unknown { .. })
            );
            match &outcome.reached {
                Reached::Nothing => assert!(!is_whole || is_unknown, "{what}"),
                Reached::Stored(_) => assert!(is_whole && outcome.error.is_none(), "{what}"),
                Reached::Registered(_) => {
                    seen.insert("kept going");
                    assert!(is_whole && all.keep_going, "{what}");
                }
            }
        }
        seen.insert("failed");
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}
