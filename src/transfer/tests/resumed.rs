//! Uploads that are gone on with, and those that are left alone.

use super::*;

const MARK: UploadFingerprint = UploadFingerprint {
    program: 1,
    options: 2,
    headers: 0,
    plan: 4,
};

fn resuming(insist: bool, mark: UploadFingerprint) -> Options {
    Options {
        resume: Some(Resume {
            insist,
            mark,
            part_size: 10,
        }),
        ..options(2)
    }
}

/// A store with an upload that ended, without anybody's doing, after `sent` parts.
async fn interrupted(parts: &[Part], sent: usize) -> Arc<Fake> {
    let store = Arc::new(Fake::new(Trouble::None));
    let nonce = Nonce::new();
    let upload = store.create(nonce).await.unwrap();
    let mark = UploadFingerprint {
        headers: UploadFingerprint::digest(store.headers().as_bytes()),
        ..MARK
    };
    for part in mark.parts(nonce).iter().chain(&parts[..sent]) {
        store.send(&upload, part.clone()).await.unwrap();
    }
    // Nobody is at it any more.
    store.state().began -= 3600;
    store.state().calls.clear();
    store
}

fn sent(store: &Fake) -> usize {
    let state = store.state();
    state
        .calls
        .iter()
        .filter(|call| **call == "UploadPart")
        .count()
}

#[tokio::test]
async fn what_is_stored_is_not_sent_again() {
    let (bytes, parts) = parts(95);
    for stored in 0..=parts.len() {
        let store = interrupted(&parts, stored).await;
        let nonce = store.state().nonce;
        let (done, notes) = run_with(&store, parts.clone(), &resuming(false, MARK)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(sent(&store), parts.len() - stored);
        assert!(!store.state().calls.contains(&"CreateMultipartUpload"));
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
        assert_eq!(store.state().nonce, nonce);
        let expected = format!(
            "resumed: {stored} of {} parts were stored already",
            parts.len()
        );
        assert_eq!(notes, [expected]);
    }
}

#[tokio::test]
async fn what_differs_is_sent_again() {
    let (bytes, parts) = parts(95);
    let store = interrupted(&parts, 6).await;
    {
        let mut state = store.state();
        let stored = state.upload.as_mut().unwrap();
        // Other bytes of the same size, and another size.
        stored.insert(parts[1].number, bytes::Bytes::from_static(b"0123456789"));
        stored.insert(parts[2].number, bytes::Bytes::from_static(b"012345678"));
    }
    let mark = UploadFingerprint { plan: 5, ..MARK };
    // The smaller one is not the last: the parts of that upload had another size, or so it seems.
    let (done, notes) = run_with(&store, parts.clone(), &resuming(false, mark)).await;
    done.unwrap();
    assert!(notes[0].contains("another size"), "{notes:?}");

    let store = interrupted(&parts, 6).await;
    let other = bytes::Bytes::from_static(b"0123456789");
    store
        .state()
        .upload
        .as_mut()
        .unwrap()
        .insert(parts[1].number, other);
    let (done, notes) = run_with(&store, parts.clone(), &resuming(false, mark)).await;
    assert_eq!(done.unwrap().etag, "joined");
    assert_eq!(sent(&store), parts.len() - 5);
    assert_eq!(store.state().object.as_ref(), Some(&bytes));
    assert!(notes[0].contains("the source changed"), "{notes:?}");
}

#[tokio::test]
async fn other_options_are_refused_by_name_and_nothing_is_aborted() {
    let (_, parts) = parts(55);
    for (mark, why) in [
        (
            UploadFingerprint { program: 9, ..MARK },
            "another version of hoist",
        ),
        (UploadFingerprint { options: 9, ..MARK }, "--level"),
    ] {
        let store = interrupted(&parts, 3).await;
        let (done, notes) = run_with(&store, parts.clone(), &resuming(false, mark)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert!(
            notes[0].contains(why) && notes[0].contains("abort upload"),
            "{notes:?}"
        );
        assert!(!store.state().calls.contains(&"AbortMultipartUpload"));
        assert_eq!(store.state().strays.len(), 1, "the old one is still there");

        let store = interrupted(&parts, 3).await;
        let (done, _) = run_with(&store, parts.clone(), &resuming(true, mark)).await;
        let error = done.unwrap_err();
        assert!(matches!(error.cause, Cause::Resume(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(store.state().calls, ["ListMultipartUploads", "ListParts"]);
    }
}

#[tokio::test]
async fn what_somebody_may_be_writing_is_left_alone_unless_told() {
    let (_, parts) = parts(55);
    let store = interrupted(&parts, 3).await;
    store.state().began += 3600;
    let (done, notes) = run_with(&store, parts.clone(), &resuming(false, MARK)).await;
    done.unwrap();
    assert!(notes[0].contains("another push may be at it"), "{notes:?}");

    let store = interrupted(&parts, 3).await;
    store.state().began += 3600;
    let (done, notes) = run_with(&store, parts, &resuming(true, MARK)).await;
    done.unwrap();
    assert!(notes[0].contains("resumed: 3 of 6"), "{notes:?}");
}

#[tokio::test]
async fn an_upload_without_a_mark_is_not_ours() {
    let (_, parts) = parts(55);
    let store = interrupted(&parts, 3).await;
    store.state().upload.as_mut().unwrap().remove(&10_000);
    let (done, notes) = run_with(&store, parts, &resuming(false, MARK)).await;
    done.unwrap();
    assert!(
        notes[0].contains("not begun by hoist push --resume"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn without_anything_to_go_on_with_a_push_begins_anew_and_says_what_it_is() {
    let (bytes, parts) = parts(55);
    for denied in [&[][..], &["ListMultipartUploads"], &["ListParts"]] {
        let store = Arc::new(Fake::new(Trouble::None).denying(denied));
        let (done, notes) = run_with(&store, parts.clone(), &resuming(true, MARK)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
        let expected = match denied {
            ["ListMultipartUploads"] => "cannot be listed",
            _ => "there is no unfinished upload of this key",
        };
        assert!(notes[0].contains(expected), "{notes:?}");
        // Two notes of eight bytes come first.
        assert_eq!(sent(&store), parts.len() + 2);
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_marked_is_aborted() {
    let (_, parts) = parts(55);
    // List, create, mark.
    let store = Arc::new(Fake::new(Trouble::Fail(2)));
    let (done, _) = run_with(&store, parts, &resuming(false, MARK)).await;
    let error = done.unwrap_err();
    assert!(error.to_string().contains("call 2 fails"), "{error}");
    assert!(error.left.is_none() && store.state().upload.is_none());
}

#[tokio::test]
async fn an_upload_that_was_killed_before_its_mark_fails_no_other() {
    let (bytes, parts) = parts(55);
    for (insist, keep) in [(true, None), (false, None), (true, Some(9_999))] {
        let store = interrupted(&parts, 0).await;
        let stored = |number: &u32| Some(*number) == keep;
        store
            .state()
            .upload
            .as_mut()
            .unwrap()
            .retain(|number, _| stored(number));
        let (done, notes) = run_with(&store, parts.clone(), &resuming(insist, MARK)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
        assert!(notes[0].contains("has no parts") && notes[0].contains("abort upload"));
        assert!(!store.state().calls.contains(&"AbortMultipartUpload"));
    }
}
