//! Copies that the store makes itself: they have the bytes of the source, or there is an error and no upload.

use super::super::copy::{Lacking, NotCopied, copy};
use super::super::fake::Says;
use super::*;
use crate::aws::s3::CopySource;

/// A store that can copy what an upload made, and the parts of that upload.
fn stored(len: usize, trouble: Trouble) -> (Fake, Vec<UploadedPart>) {
    let (bytes, parts) = parts(len);
    let mut parts: Vec<UploadedPart> = parts.iter().map(uploaded).collect();
    parts.sort_unstable_by_key(|part| part.number);
    let store = Fake::new(trouble);
    store.state().source = bytes;
    (store, parts)
}

fn uploaded(part: &Part) -> UploadedPart {
    UploadedPart {
        number: part.number,
        size: part.body.len() as u64,
        etag: format!("\"{}\"", part.number),
        crc64nvme: part.crc64nvme,
        crc32: Some(crc32fast::hash(&part.body)),
    }
}

fn source(store: &Fake) -> CopySource {
    store.as_source(&Stored {
        etag: "1".into(),
        version: None,
    })
}

/// Copies; cancels when a call hangs.
async fn run(store: &Fake, parts: &[UploadedPart], concurrency: usize) -> Result<Stored, Error> {
    let (progress, cancel, link) = (Progress::new(), Cancel::new(), LinkFeedback::new());
    let (notes, cleanup) = (Notes::default(), CleanupHint::default());
    let context = UploadContext {
        progress: &progress,
        cancel: &cancel,
        notes: &notes,
        cleanup: &cleanup,
        link: &link,
    };
    let hung = async {
        store.hung().await;
        cancel.cancel();
        std::future::pending::<()>().await;
    };
    let source = source(store);
    let done = tokio::select! {
        done = copy(&source, store, parts, concurrency, context) => done,
        () = hung => unreachable!(),
    };
    let is_left = matches!(&done, Err(error) if error.left.is_some());
    assert_eq!(!cleanup.unfinished().is_empty(), is_left, "{done:?}");
    done
}

fn why(done: Result<Stored, Error>) -> NotCopied {
    match done {
        Err(Error {
            cause: Cause::Copy(not_copied),
            left: None,
        }) => *not_copied,
        done => panic!("{done:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_has_the_parts_of_the_source_whatever_the_concurrency() {
    // With a last part of one byte, and with one that is full.
    for len in [11, 20, 95, 101] {
        for concurrency in [0, 1, 3, 16] {
            let (store, parts) = stored(len, Trouble::None);
            let done = run(&store, &parts, concurrency).await.unwrap();
            assert_eq!(done.etag, "joined");
            let mut state = store.state();
            assert_eq!(state.object.as_ref(), Some(&state.source));
            assert_eq!(state.calls.len(), parts.len() + 2);
            assert!(state.most_at_once <= concurrency.max(1));
            state.ranges.sort_by_key(|range| range.start);
            let whole = 0..len;
            let borders = whole.step_by(10).map(|at| at..(at + 10).min(len));
            assert_eq!(state.ranges, borders.collect::<Vec<_>>());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_parts_are_copied_by_as_many_requests_at_most_sixteen_at_a_time() {
    let (store, parts) = stored(100_000, Trouble::None);
    run(&store, &parts, 16).await.unwrap();
    let state = store.state();
    assert_eq!(state.ranges.len(), 10_000);
    assert_eq!(state.most_at_once, 16);
    assert_eq!(state.object.as_ref(), Some(&state.source));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_put_in_one_request_is_copied_in_one() {
    for says in [Says::Crc64, Says::Crc32, Says::Etag] {
        let (mut store, parts) = stored(10, Trouble::None);
        store.says = says;
        run(&store, &parts, 16).await.unwrap();
        let state = store.state();
        assert_eq!(state.calls, ["CopyObject"], "{says:?}");
        assert_eq!(state.object.as_ref(), Some(&state.source));
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_replaced_meanwhile_is_refused_and_nothing_is_left() {
    for at in 1..8 {
        let (store, parts) = stored(55, Trouble::Replace(at));
        let done = run(&store, &parts, 1).await;
        let is_late = at == 7;
        assert_eq!(done.is_ok(), is_late, "call {at}");
        if !is_late {
            assert!(matches!(why(done), NotCopied::Replaced(_)));
            assert!(store.state().object.is_none() && store.state().upload.is_none());
        }
    }
    let (store, parts) = stored(10, Trouble::Replace(0));
    assert!(matches!(
        why(run(&store, &parts, 1).await),
        NotCopied::Replaced(_)
    ));
    assert!(store.state().object.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_never_makes_a_mixed_object_with_success() {
    for at in [1, 4, 6] {
        for says in [
            Says::Crc64,
            Says::Crc32,
            Says::Etag,
            Says::Later,
            Says::Nothing,
        ] {
            let (mut store, parts) = stored(55, Trouble::Replace(at));
            (store.says, store.ignores_conditions) = (says, true);
            let why = why(run(&store, &parts, 1).await);
            let is_made = store.state().object.is_some();
            match (says, why) {
                (Says::Crc64 | Says::Crc32, NotCopied::PartDiffers(part)) => {
                    assert!(part as usize == at && !is_made && store.state().upload.is_none());
                }
                (Says::Etag | Says::Nothing, NotCopied::Unconfirmed(None)) => assert!(is_made),
                (Says::Later, NotCopied::Differs) => assert!(is_made),
                (says, why) => panic!("{says:?}: {why}"),
            }
        }
    }
    for says in [Says::Crc64, Says::Crc32, Says::Later] {
        let (mut store, parts) = stored(10, Trouble::Replace(0));
        (store.says, store.ignores_conditions) = (says, true);
        assert!(matches!(
            why(run(&store, &parts, 1).await),
            NotCopied::Differs
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn the_object_is_looked_at_if_the_store_said_nothing_of_its_parts() {
    for (len, calls) in [(55, 9), (10, 2)] {
        for says in [Says::Etag, Says::Later, Says::Nothing] {
            let (mut store, parts) = stored(len, Trouble::None);
            store.says = says;
            let done = run(&store, &parts, 2).await;
            let asked = store.state().calls.len();
            match says {
                Says::Nothing => assert!(matches!(why(done), NotCopied::Unconfirmed(None))),
                // The ETags of the parts suffice.
                Says::Etag => assert_eq!((done.is_ok(), asked), (true, calls - 1)),
                _ => assert_eq!((done.is_ok(), asked), (true, calls)),
            }
        }
        let (store, parts) = stored(len, Trouble::None);
        let mut store = store.denying(&["HeadObject"]);
        store.says = Says::Later;
        let why = why(run(&store, &parts, 2).await);
        assert!(matches!(&why, NotCopied::Unconfirmed(Some(_))), "{why}");
        assert!(why.to_string().contains("HeadObject"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_or_a_cancel_of_any_request_leaves_nothing() {
    for at in 0..8 {
        for trouble in [Trouble::Fail(at), Trouble::Hang(at)] {
            let (store, parts) = stored(55, trouble);
            let error = run(&store, &parts, 2).await.unwrap_err();
            let is_stopped = matches!(error.cause, Cause::Stopped);
            assert_eq!(is_stopped, trouble == Trouble::Hang(at), "{error}");
            assert!(error.left.is_none());
            let state = store.state();
            assert!(
                state.upload.is_none() && state.object.is_none(),
                "call {at}"
            );
        }
    }
    let (store, parts) = stored(10, Trouble::Hang(0));
    let error = run(&store, &parts, 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Stopped), "{error}");
    assert!(store.state().object.is_none());
}

/// With one request, and with an upload of parts.
#[tokio::test(start_paused = true)]
async fn a_cancel_after_the_object_was_made_does_not_hide_it() {
    for (size, looked_up) in [(10, 1), (55, 8)] {
        let (mut store, parts) = stored(size, Trouble::Hang(looked_up));
        store.says = Says::Later;
        let why = why(run(&store, &parts, 2).await);
        assert!(matches!(&why, NotCopied::Unconfirmed(Some(_))), "{why}");
        let state = store.state();
        assert_eq!(state.calls.last(), Some(&"HeadObject"));
        assert_eq!(state.object.as_ref(), Some(&state.source));
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_copies_that_cannot_be_aborted_is_named() {
    let (store, parts) = stored(55, Trouble::FailFrom(3));
    let error = run(&store, &parts, 1).await.unwrap_err();
    assert_eq!(error.left.unwrap().upload, UploadId("upload".into()));
}

#[tokio::test(start_paused = true)]
async fn any_request_for_a_copy_that_fails_once_or_whose_answer_is_lost_is_repeated_or_looked_up() {
    for at in 0..8 {
        for trouble in [
            Trouble::Pass(at, "InternalError"),
            Trouble::Pass(at, "SlowDown"),
            Trouble::Lose(at),
        ] {
            let (store, parts) = stored(55, trouble);
            run(&store, &parts, 2).await.unwrap();
            let state = store.state();
            assert_eq!(state.object.as_ref(), Some(&state.source), "{trouble:?}");
        }
    }
    for trouble in [
        Trouble::Pass(0, "InternalError"),
        Trouble::Deny(0, "InternalError"),
        Trouble::Lose(0),
    ] {
        let (mut store, parts) = stored(10, trouble);
        // After a lost answer, the second attempt finds the object of the first.
        store.keeps_existing = true;
        run(&store, &parts, 2).await.unwrap();
        let state = store.state();
        assert_eq!(state.object.as_ref(), Some(&state.source), "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_must_stay_is_not_taken_for_a_source_that_was_replaced() {
    let (mut store, parts) = stored(10, Trouble::None);
    store.keeps_existing = true;
    store.state().object = Some(b"other".to_vec());
    let error = run(&store, &parts, 1).await.unwrap_err();
    assert!(matches!(&error.cause, Cause::Store(error) if error.operation == "CopyObject"));
    assert_eq!(store.state().object.as_deref(), Some(&b"other"[..]));

    let (mut store, parts) = stored(10, Trouble::Replace(0));
    store.keeps_existing = true;
    assert!(matches!(
        why(run(&store, &parts, 1).await),
        NotCopied::Replaced(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_begins_the_copy_again_twice_at_most() {
    let conflict = "ConditionalRequestConflict";
    let (store, parts) = stored(55, Trouble::Pass(7, conflict));
    run(&store, &parts, 1).await.unwrap();
    let begun = |store: &Fake| {
        let calls = store.state().calls.clone();
        let is_begun = |call: &&&str| **call == "CreateMultipartUpload";
        calls.iter().filter(is_begun).count()
    };
    assert_eq!(begun(&store), 2);

    let (store, parts) = stored(55, Trouble::Conflicts);
    let error = run(&store, &parts, 1).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Conflict(_)), "{error}");
    assert_eq!(begun(&store), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_permission_that_is_lacking_or_what_the_store_cannot() {
    for (code, expected) in [
        ("NotImplemented", "does not copy objects"),
        ("MethodNotAllowed", "does not copy objects"),
        ("NoSuchKey", "finds no such source"),
        ("NoSuchBucket", "finds no such source"),
        ("AccessDenied", "they need s3:GetObject on the source"),
        (
            "KMS.DisabledException",
            "they need s3:GetObject on the source",
        ),
        ("InvalidObjectState", "(InvalidObjectState)"),
    ] {
        let (store, parts) = stored(55, Trouble::Pass(2, code));
        let error = run(&store, &parts, 1).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected), "{code}: {text}");
        assert!(store.state().upload.is_none());
    }
}

#[test]
fn what_the_store_says_tells_which_permission_is_lacking() {
    let lacking = |operation, message: &str, is_version| {
        let error = CallError::refused(operation, Some("AccessDenied"), Some(message));
        match NotCopied::of(error, is_version) {
            NotCopied::Denied { lacking, .. } => Some(lacking),
            _ => None,
        }
    };
    let (part, object) = ("UploadPartCopy", "CopyObject");
    let may_not = |action: &str| {
        format!("User: arn:aws:iam::1:role/r is not authorized to perform: {action} on resource: r")
    };
    for (operation, message, is_version, expected) in [
        (part, "Access Denied", false, Some(Lacking::Read)),
        (part, "Access Denied", true, Some(Lacking::ReadVersion)),
        (object, "Access Denied", false, Some(Lacking::ReadOrWrite)),
        (
            object,
            &may_not("s3:PutObject"),
            false,
            Some(Lacking::Write),
        ),
        (object, &may_not("s3:GetObject"), false, Some(Lacking::Read)),
        (part, &may_not("kms:Decrypt"), false, Some(Lacking::Decrypt)),
        (
            part,
            &may_not("kms:GenerateDataKey"),
            false,
            Some(Lacking::Encrypt),
        ),
        (
            object,
            "The ciphertext refers to a customer master key that does not exist",
            false,
            Some(Lacking::Decrypt),
        ),
        (
            part,
            "VPC endpoints do not support cross-region requests",
            false,
            None,
        ),
    ] {
        assert_eq!(
            lacking(operation, message, is_version),
            expected,
            "{message}"
        );
    }
}
