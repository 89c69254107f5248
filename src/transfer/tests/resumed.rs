//! Uploads that are resumed, and those that are left alone.

use std::time::Duration;

use super::*;
use crate::aws::call::Attempts;

const FINGERPRINT: UploadFingerprint = UploadFingerprint {
    program: 1,
    options: 2,
    headers: 0,
    plan: 4,
};

const HOUR: Duration = Duration::from_secs(3600);

fn resuming(insist: bool, fingerprint: UploadFingerprint) -> Options {
    Options {
        resume: Some(Resume {
            insist,
            fingerprint,
            part_size: 10,
        }),
        ..options(2)
    }
}

/// A store with an upload whose push ended, an hour ago, after `sent` parts.
async fn interrupted(parts: &[Part], sent: usize) -> Arc<Fake> {
    let store = Arc::new(Fake::new(Trouble::None));
    let (nonce, attempts) = (Nonce::new(), Attempts::default());
    let upload = store.create(nonce, &attempts).await.unwrap();
    let fingerprint = FINGERPRINT.with_headers(&store.creation_headers());
    for part in fingerprint.parts(nonce).iter().chain(&parts[..sent]) {
        store.send(&upload, part, &attempts).await.unwrap();
    }
    store.state().began -= HOUR;
    store.state().calls.clear();
    store
}

/// Why the upload was not resumed, by the only note about that.
fn reason(notes: &[Note]) -> &Reason {
    let mut reasons = notes.iter().filter_map(|note| match note {
        Note::NotResumed(not_resumed) => {
            assert_eq!(not_resumed.upload, "upload");
            Some(&not_resumed.reason)
        }
        _ => None,
    });
    let first = reasons.next();
    assert!(reasons.next().is_none(), "{notes:?}");
    first.unwrap_or_else(|| panic!("{notes:?}"))
}

/// A note that is a sentence.
fn sentence(note: &Note) -> &str {
    match note {
        Note::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn sent(store: &Fake) -> usize {
    let state = store.state();
    state
        .calls
        .iter()
        .filter(|call| **call == "UploadPart")
        .count()
}

#[tokio::test(start_paused = true)]
async fn stored_parts_are_not_sent_again() {
    let (bytes, parts) = parts(95);
    for stored in 0..=parts.len() {
        let store = interrupted(&parts, stored).await;
        let nonce = store.state().nonce;
        let (done, notes) = run_with(&store, parts.clone(), &resuming(false, FINGERPRINT)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(sent(&store), parts.len() - stored);
        assert!(!store.state().calls.contains(&"CreateMultipartUpload"));
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
        assert_eq!(store.state().nonce, nonce);
        let expected = format!(
            "resumed: {stored} of {} parts were stored already",
            parts.len()
        );
        assert_eq!(notes, [Note::from(expected)]);
    }
}

#[tokio::test(start_paused = true)]
async fn stored_parts_that_differ_are_sent_again() {
    let (bytes, parts) = parts(95);
    let store = interrupted(&parts, 6).await;
    {
        let mut state = store.state();
        let stored = state.upload.as_mut().unwrap();
        // Other bytes of the same size, and another size.
        stored.insert(parts[1].number, bytes::Bytes::from_static(b"0123456789"));
        stored.insert(parts[2].number, bytes::Bytes::from_static(b"012345678"));
    }
    let mark = UploadFingerprint {
        plan: 5,
        ..FINGERPRINT
    };
    // A part that is shorter and not the last looks like one of an upload with another part size.
    let (done, notes) = run_with(&store, parts.clone(), &resuming(false, mark)).await;
    done.unwrap();
    assert_eq!(reason(&notes), &Reason::Differs(vec![Difference::PartSize]));

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
    assert!(sentence(&notes[0]).contains("the source changed"));
}

#[tokio::test(start_paused = true)]
async fn uploads_of_other_options_are_refused_with_the_difference_and_not_aborted() {
    let (_, parts) = parts(55);
    for (program, options, difference) in [(9, 2, Difference::Program), (1, 9, Difference::Options)]
    {
        let other = UploadFingerprint {
            program,
            options,
            ..FINGERPRINT
        };
        let differs = Reason::Differs(vec![difference]);
        let store = interrupted(&parts, 3).await;
        let (done, notes) = run_with(&store, parts.clone(), &resuming(false, other)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(reason(&notes), &differs);
        assert!(!store.state().calls.contains(&"AbortMultipartUpload"));
        assert_eq!(store.state().strays.len(), 1, "the old one is still there");

        let store = interrupted(&parts, 3).await;
        let (done, _) = run_with(&store, parts.clone(), &resuming(true, other)).await;
        let Cause::NotResumed(uploads) = done.unwrap_err().cause else {
            panic!("it failed otherwise")
        };
        assert_eq!(uploads[0].reason, differs);
        assert_eq!(store.state().calls, ["ListMultipartUploads", "ListParts"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_another_push_may_write_to_is_resumed_only_if_the_user_insists() {
    let (_, parts) = parts(55);
    let store = interrupted(&parts, 3).await;
    store.state().began += HOUR;
    let (done, notes) = run_with(&store, parts.clone(), &resuming(false, FINGERPRINT)).await;
    done.unwrap();
    assert_eq!(reason(&notes), &Reason::Recent(120));

    let store = interrupted(&parts, 3).await;
    store.state().began += HOUR;
    let (done, notes) = run_with(&store, parts, &resuming(true, FINGERPRINT)).await;
    done.unwrap();
    assert!(sentence(&notes[0]).contains("resumed: 3 of 6"));
}

#[tokio::test(start_paused = true)]
async fn an_upload_without_a_fingerprint_is_not_resumed() {
    let (_, parts) = parts(55);
    let store = interrupted(&parts, 3).await;
    store.state().upload.as_mut().unwrap().remove(&10_000);
    let (done, notes) = run_with(&store, parts, &resuming(false, FINGERPRINT)).await;
    done.unwrap();
    assert_eq!(reason(&notes), &Reason::NoFingerprint);
}

#[tokio::test(start_paused = true)]
async fn a_push_that_finds_nothing_to_resume_stores_its_fingerprint() {
    let (bytes, parts) = parts(55);
    for denied in [&[][..], &["ListMultipartUploads"], &["ListParts"]] {
        let store = Arc::new(Fake::new(Trouble::None).denying(denied));
        let (done, notes) = run_with(&store, parts.clone(), &resuming(true, FINGERPRINT)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
        let expected = match denied {
            ["ListMultipartUploads"] => "cannot be listed",
            _ => "there is no unfinished upload of this key",
        };
        assert!(sentence(&notes[0]).contains(expected), "{notes:?}");
        // The two parts of the fingerprint come first.
        assert_eq!(sent(&store), parts.len() + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_cannot_get_its_fingerprint_is_aborted() {
    let (_, parts) = parts(55);
    // List, create, send the fingerprint.
    let store = Arc::new(Fake::new(Trouble::Fail(2)));
    let (done, _) = run_with(&store, parts, &resuming(false, FINGERPRINT)).await;
    let error = done.unwrap_err();
    assert!(error.to_string().contains("call 2 fails"), "{error}");
    assert!(error.left.is_none() && store.state().upload.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_push_was_killed_before_its_fingerprint_is_noted_and_left() {
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
        let (done, notes) = run_with(&store, parts.clone(), &resuming(insist, FINGERPRINT)).await;
        assert_eq!(done.unwrap().etag, "joined");
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
        assert_eq!(notes[0], Note::EmptyUpload("upload".into()));
        assert!(!store.state().calls.contains(&"AbortMultipartUpload"));
    }
}
