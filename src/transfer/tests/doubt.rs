//! Answers that are lost or wrong: the upload looks up what the store has.

use super::*;

/// Create, six parts, complete.
const COMPLETE: usize = 7;

#[tokio::test(start_paused = true)]
async fn an_object_is_looked_up_when_the_answer_that_confirms_it_is_lost() {
    let (bytes, parts) = parts(55);
    // The answer to the first attempt is lost; to the second, S3 says that there is no such upload.
    let store = Arc::new(Fake::new(Trouble::Lose(COMPLETE)));
    let stored = run(&store, parts.clone(), 2).await.unwrap();
    assert_eq!(stored.etag, "found");
    {
        let state = store.state();
        assert_eq!(state.object.as_ref(), Some(&bytes));
        assert_eq!(
            state.calls[COMPLETE..],
            [
                "CompleteMultipartUpload",
                "CompleteMultipartUpload",
                "AbortMultipartUpload",
                "HeadObject"
            ]
        );
    }

    let (bytes, parts) = super::parts(10);
    for trouble in [
        Trouble::Deny(0, "PreconditionFailed"),
        Trouble::Deny(0, "AccessDenied"),
    ] {
        // A final error is believed, whatever the store has.
        let store = Arc::new(Fake::new(trouble));
        run(&store, parts.clone(), 1).await.unwrap_err();
        assert_eq!(store.state().calls, ["PutObject"]);
    }
    let store = Arc::new(Fake::new(Trouble::Lose(0)));
    assert_eq!(run(&store, parts, 1).await.unwrap().etag, "put");
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
}

/// S3 can answer "InternalError" in a 200 although it made the object.
#[tokio::test(start_paused = true)]
async fn an_error_answer_is_ignored_if_the_object_was_made() {
    let (bytes, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::Deny(COMPLETE, "InternalError")));
    let stored = run(&store, parts, 2).await.unwrap();
    assert_eq!(stored.etag, "found");
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_push_is_not_taken_for_this_one() {
    let (bytes, parts) = parts(55);
    // Equal bytes of another push, equal bytes without a nonce, and other bytes.
    for (object, writer) in [
        (bytes.clone(), Some(Nonce::new())),
        (bytes, None),
        (b"other".to_vec(), None),
    ] {
        let store =
            Arc::new(Fake::new(Trouble::PassFrom(COMPLETE, "InternalError")).able_to_look());
        store.state().object = Some(object.clone());
        store.state().writer = writer;
        let error = run(&store, parts.clone(), 2).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Store(_)), "{error}");
        assert!(error.to_string().contains("(InternalError)"), "{error}");
        assert_eq!(store.state().object.as_ref(), Some(&object));
    }
}

#[tokio::test(start_paused = true)]
async fn the_outcome_is_unknown_if_the_lookup_is_not_answered() {
    let (bytes, parts) = parts(10);
    let store = Arc::new(Fake::new(Trouble::LoseFrom(0)));
    let error = run(&store, parts, 1).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unknown { .. }), "{error}");
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
}

#[tokio::test(start_paused = true)]
async fn the_outcome_is_unknown_if_the_lookup_is_denied() {
    let (_, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::Lose(COMPLETE)).denying(&["HeadObject"]));
    let error = run(&store, parts, 2).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error.cause, Cause::Unknown { .. }), "{text}");
    assert!(
        text.contains("(NoSuchUpload)")
            && text.contains("not known")
            && text.contains("HeadObject"),
        "{text}"
    );
    assert!(error.left.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_object_is_looked_up_when_completing_is_cancelled() {
    let (_, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::Hang(COMPLETE)));
    let error = run(&store, parts, 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Stopped), "{error}");
    let calls = &store.state().calls;
    assert_eq!(calls.last(), Some(&"HeadObject"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_begins_the_upload_again_unless_another_object_is_there() {
    let (_, parts) = parts(55);
    let conflict = Trouble::Pass(COMPLETE, "ConditionalRequestConflict");
    let store = Arc::new(Fake::new(conflict));
    let error = run(&store, parts.clone(), 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Conflict(_)), "{error}");
    assert!(store.state().upload.is_none());

    let store = Arc::new(Fake::new(conflict).denying(&["HeadObject"]));
    let error = run(&store, parts.clone(), 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Conflict(_)), "{error}");

    // An upload that cannot be aborted does not begin again, so what it made is not known.
    let denied = &["HeadObject", "AbortMultipartUpload"];
    let store = Arc::new(Fake::new(conflict).denying(denied));
    let error = run(&store, parts.clone(), 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unknown { .. }), "{error}");
    assert!(error.left.is_some());

    // Another push's object: to begin again would end in the same way.
    let store = Arc::new(Fake::new(conflict));
    store.state().object = Some(b"other".to_vec());
    let error = run(&store, parts, 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Store(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_is_noted() {
    let (_, parts) = parts(55);
    let run = |store: Fake| {
        let parts = parts.clone();
        async move { run_with(&Arc::new(store), parts, &options(2)).await }
    };
    // The first attempt created an upload.
    let (done, notes) = run(Fake::new(Trouble::Lose(0))).await;
    done.unwrap();
    let others = Some(vec!["stray".to_owned()]);
    assert_eq!(notes, [Note::LostCreate { others }]);
    // Listing is denied.
    let (_, notes) = run(Fake::new(Trouble::Lose(0)).denying(&["ListMultipartUploads"])).await;
    assert_eq!(notes[0], Note::LostCreate { others: None });
    // The list shows that the first attempt created none.
    let (done, notes) = run(Fake::new(Trouble::Pass(0, "InternalError"))).await;
    done.unwrap();
    assert_eq!(notes, []);
}

#[tokio::test(start_paused = true)]
async fn parts_that_arrive_after_the_abort_are_aborted_too() {
    let (_, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::Fail(3)));
    store.state().late = 2;
    let error = run(&store, parts.clone(), 1).await.unwrap_err();
    assert!(
        error.left.is_none() && store.state().upload.is_none(),
        "{error}"
    );
    let aborts = |store: &Fake| {
        let calls = store.state().calls.clone();
        calls
            .iter()
            .filter(|call| **call == "AbortMultipartUpload")
            .count()
    };
    assert_eq!(aborts(&store), 3);

    // They do not stop arriving.
    let store = Arc::new(Fake::new(Trouble::Fail(3)));
    store.state().late = usize::MAX;
    let left = run(&store, parts.clone(), 1)
        .await
        .unwrap_err()
        .left
        .unwrap();
    assert!(left.reason.contains("2 of its parts are there"), "{left}");

    // If listing is denied, the answer is believed.
    let store = Arc::new(Fake::new(Trouble::Fail(3)).denying(&["ListParts"]));
    let error = run(&store, parts.clone(), 1).await.unwrap_err();
    assert!(error.left.is_none());
    assert_eq!(aborts(&store), 1);

    // A denied abort is not repeated.
    let store = Arc::new(Fake::new(Trouble::Fail(3)).denying(&["AbortMultipartUpload"]));
    let error = run(&store, parts, 1).await.unwrap_err();
    assert!(error.to_string().contains("call 3 fails"), "{error}");
    assert!(error.left.unwrap().reason.contains("AccessDenied"));
    assert_eq!(aborts(&store), 1);
}
