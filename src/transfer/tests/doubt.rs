//! Answers that are lost, or lie: what there is, is found out.

use super::*;

/// Create, six parts, complete.
const COMPLETE: usize = 7;

#[tokio::test(start_paused = true)]
async fn an_object_whose_answer_was_lost_is_found() {
    let (bytes, parts) = parts(55);
    // The answer of the first attempt; then S3 knows no such upload any more.
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
        // An answer that is certain is believed, whatever is there.
        let store = Arc::new(Fake::new(trouble));
        run(&store, parts.clone(), 1).await.unwrap_err();
        assert_eq!(store.state().calls, ["PutObject"]);
    }
    let store = Arc::new(Fake::new(Trouble::Lose(0)));
    assert_eq!(run(&store, parts, 1).await.unwrap().etag, "put");
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
}

/// S3 says "InternalError" in a 200, and the object is there nevertheless.
#[tokio::test(start_paused = true)]
async fn an_error_that_was_none_is_found_out() {
    let (bytes, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::Deny(COMPLETE, "InternalError")));
    let stored = run(&store, parts, 2).await.unwrap();
    assert_eq!(stored.etag, "found");
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_not_ours() {
    let (bytes, parts) = parts(55);
    // The same bytes by another push, and other bytes by nobody knows whom.
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
async fn who_cannot_look_is_told_that_nobody_knows() {
    let (bytes, parts) = parts(10);
    let store = Arc::new(Fake::new(Trouble::LoseFrom(0)));
    let error = run(&store, parts, 1).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unknown { .. }), "{error}");
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_look_is_told_that_nobody_knows() {
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
async fn stopped_while_the_object_is_made_says_what_came_of_it() {
    let (_, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::Hang(COMPLETE)));
    let error = run(&store, parts, 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Stopped), "{error}");
    let calls = &store.state().calls;
    assert_eq!(calls.last(), Some(&"HeadObject"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_one_unless_the_object_is_there() {
    let (_, parts) = parts(55);
    let conflict = Trouble::Pass(COMPLETE, "ConditionalRequestConflict");
    let store = Arc::new(Fake::new(conflict));
    let error = run(&store, parts.clone(), 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Conflict(_)), "{error}");
    assert!(store.state().upload.is_none());

    let store = Arc::new(Fake::new(conflict).denying(&["HeadObject"]));
    let error = run(&store, parts.clone(), 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Conflict(_)), "{error}");

    // Somebody else's: to begin again would end as this did.
    let store = Arc::new(Fake::new(conflict));
    store.state().object = Some(b"other".to_vec());
    let error = run(&store, parts, 2).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Store(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_beginning_whose_answer_was_lost_is_told() {
    let (_, parts) = parts(55);
    let run = |store: Fake| {
        let parts = parts.clone();
        async move { run_with(&Arc::new(store), parts, &options(2)).await }
    };
    // The first attempt began an upload.
    let (done, notes) = run(Fake::new(Trouble::Lose(0))).await;
    done.unwrap();
    let others = Some(vec!["stray".to_owned()]);
    assert_eq!(notes, [Note::LostCreate { others }]);
    // Nobody may list.
    let (_, notes) = run(Fake::new(Trouble::Lose(0)).denying(&["ListMultipartUploads"])).await;
    assert_eq!(notes[0], Note::LostCreate { others: None });
    // It did not begin one, as can be seen.
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

    // They never end to arrive.
    let store = Arc::new(Fake::new(Trouble::Fail(3)));
    store.state().late = usize::MAX;
    let left = run(&store, parts.clone(), 1)
        .await
        .unwrap_err()
        .left
        .unwrap();
    assert!(left.reason.contains("2 of its parts are there"), "{left}");

    // Whoever may not list them believes the answer.
    let store = Arc::new(Fake::new(Trouble::Fail(3)).denying(&["ListParts"]));
    let error = run(&store, parts.clone(), 1).await.unwrap_err();
    assert!(error.left.is_none());
    assert_eq!(aborts(&store), 1);

    // What passes is repeated, what is forbidden is not.
    let store = Arc::new(Fake::new(Trouble::Fail(3)).denying(&["AbortMultipartUpload"]));
    let error = run(&store, parts, 1).await.unwrap_err();
    assert!(error.to_string().contains("call 3 fails"), "{error}");
    assert!(error.left.unwrap().reason.contains("AccessDenied"));
    assert_eq!(aborts(&store), 1);
}
