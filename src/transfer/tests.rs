use std::convert::Infallible;

use bytes::Bytes;

use super::fake::{Fake, Trouble};
use super::*;
use crate::archive::pack::{Cutter, LinkFeedback};
use crate::notes::{Difference, Note, Notes, Reason};
use crate::progress::Progress;

mod copying;
mod doubt;
mod fanout;
mod resumed;

/// Bytes cut into parts of 10. The first part comes late, as one that holds a large file's header does.
fn parts(len: usize) -> (Vec<u8>, Vec<Part>) {
    let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
    let mut parts = Vec::new();
    let mut emit = |part| -> Result<(), Infallible> {
        parts.push(part);
        Ok(())
    };
    let mut cutter = Cutter::new(10);
    let open = cutter.append_open(&bytes[..4], &mut emit).unwrap();
    cutter.append(&bytes[4..], &mut emit).unwrap();
    cutter.close(open, &bytes[..4], &mut emit).unwrap();
    cutter.finish(&mut emit).unwrap();
    (bytes, parts)
}

fn options(concurrency: usize) -> Options {
    Options {
        concurrency,
        bandwidth: None,
        resume: None,
        is_shared: false,
    }
}

/// Uploads `parts`; cancels when a call hangs.
async fn run(store: &Arc<Fake>, parts: Vec<Part>, concurrency: usize) -> Result<Stored, Error> {
    run_with(store, parts, &options(concurrency)).await.0
}

/// Uploads `parts` with these options. Returns what was noted as well.
async fn run_with(
    store: &Arc<Fake>,
    parts: Vec<Part>,
    options: &Options,
) -> (Result<Stored, Error>, Vec<Note>) {
    run_telling(store, parts, options, &LinkFeedback::new()).await
}

/// Uploads `parts`, and tells `link` how the requests fare.
async fn run_telling(
    store: &Arc<Fake>,
    parts: Vec<Part>,
    options: &Options,
    link: &LinkFeedback,
) -> (Result<Stored, Error>, Vec<Note>) {
    let (sender, receiver) = mpsc::channel(1);
    let cancel = Cancel::new();
    let progress = Progress::new();
    let (notes, cleanup) = (Notes::default(), CleanupHint::default());
    let context = UploadContext {
        progress: &progress,
        cancel: &cancel,
        notes: &notes,
        cleanup: &cleanup,
        link,
    };
    let feed = async {
        for part in parts {
            if sender.send(part).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    let hung = async {
        store.hung().await;
        cancel.cancel();
        std::future::pending::<()>().await;
    };
    let upload = async {
        let transferred = transfer(Arc::clone(store), receiver, options, context).await?;
        transferred.complete(context).await
    };
    let uploading = async { tokio::join!(upload, feed).0 };
    let done = tokio::select! {
        done = uploading => done,
        () = hung => unreachable!(),
    };
    let is_left = matches!(&done, Err(error) if error.left.is_some());
    assert_eq!(!cleanup.unfinished().is_empty(), is_left, "{done:?}");
    (done, notes.take())
}

#[tokio::test(start_paused = true)]
async fn all_parts_are_joined_to_one_object_whatever_the_concurrency() {
    for len in [11, 20, 95] {
        let (bytes, parts) = parts(len);
        for concurrency in [1, 3, 100] {
            let store = Arc::new(Fake::new(Trouble::None));
            let stored = run(&store, parts.clone(), concurrency).await.unwrap();
            assert_eq!(stored.etag, "joined");
            let state = store.state();
            assert_eq!(state.object.as_ref(), Some(&bytes));
            assert!(state.upload.is_none());
            assert!(
                state.most_at_once <= concurrency,
                "{} at once",
                state.most_at_once
            );
            assert_eq!(state.calls.len(), parts.len() + 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_begins_and_confirmed_parts_allow_up_to_the_most() {
    let (_, parts) = parts(395);
    let store = Arc::new(Fake::new(Trouble::Hold));
    let answering = async {
        let mut under_way = Vec::new();
        for _ in 0..20 {
            // More than enough turns for all that can begin to begin.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            under_way.push(store.under_way());
            store.answer(1);
        }
        store.answer(parts.len());
        under_way
    };
    let (stored, under_way) = tokio::join!(run(&store, parts.clone(), 9), answering);
    assert_eq!(stored.unwrap().etag, "joined");
    assert!(under_way.is_sorted(), "{under_way:?}");
    assert_eq!((under_way[0], under_way[19]), (1, 9));
    assert_eq!(store.state().most_at_once, 9);
}

#[tokio::test(start_paused = true)]
async fn the_packer_learns_of_each_request_when_it_begins_and_when_it_ends() {
    let (_, parts) = parts(95);
    let store = Arc::new(Fake::new(Trouble::Hold));
    let link = LinkFeedback::new();
    parts.iter().for_each(|_| link.part_cut());
    let answering = async {
        for answered in 0..parts.len() as u64 {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            let (state, under_way) = (link.state(), store.under_way() as u64);
            assert_eq!(state.requests, under_way);
            assert_eq!(state.waiting, 10 - answered - under_way);
            store.answer(1);
        }
    };
    let options = options(3);
    let upload = run_telling(&store, parts.clone(), &options, &link);
    let ((stored, _), ()) = tokio::join!(upload, answering);
    assert_eq!(stored.unwrap().etag, "joined");
    assert_eq!((link.state().requests, link.state().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_archive_of_one_part_is_put_in_one_request() {
    for len in [4, 10] {
        let (bytes, parts) = parts(len);
        let store = Arc::new(Fake::new(Trouble::None));
        assert_eq!(run(&store, parts, 4).await.unwrap().etag, "put");
        assert_eq!(store.state().calls, ["PutObject"]);
        assert_eq!(store.state().object.as_ref(), Some(&bytes));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_any_request_leaves_nothing() {
    let (_, parts) = parts(55);
    // Create, six parts, complete.
    for at in 0..8 {
        let store = Arc::new(Fake::new(Trouble::Fail(at)));
        let error = run(&store, parts.clone(), 2).await.unwrap_err();
        let Cause::Store(cause) = &error.cause else {
            panic!("{error}")
        };
        assert_eq!(cause.message, format!("call {at} fails"));
        assert_eq!(cause.operation, store.state().calls[at]);
        assert!(error.left.is_none());
        assert!(store.state().upload.is_none(), "call {at} failed");
        assert!(store.state().object.is_none(), "call {at} failed");
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_during_any_request_leaves_nothing() {
    let (_, parts) = parts(55);
    for at in 0..8 {
        let store = Arc::new(Fake::new(Trouble::Hang(at)));
        let error = run(&store, parts.clone(), 2).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Stopped), "{error}");
        assert!(store.state().upload.is_none(), "call {at} hung");
        assert!(store.state().object.is_none(), "call {at} hung");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_cannot_be_aborted_is_named_in_the_error_beside_its_cause() {
    let (_, parts) = parts(55);
    for at in 1..8 {
        let store = Arc::new(Fake::new(Trouble::FailFrom(at)));
        let error = run(&store, parts.clone(), 1).await.unwrap_err();
        assert!(
            error.to_string().contains(&format!("call {at} fails")),
            "{error}"
        );
        let left = error.left.unwrap();
        assert_eq!(left.upload, UploadId("upload".into()));
        assert!(left.reason.contains("AbortMultipartUpload"), "{left}");
        assert!(store.state().upload.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_without_its_last_part_makes_no_object() {
    let (_, mut parts) = parts(55);
    parts.pop();
    for keep in [0, 1, 4] {
        let store = Arc::new(Fake::new(Trouble::None));
        let error = run(&store, parts[..keep].to_vec(), 2).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Unfinished), "{error}");
        assert!(store.state().upload.is_none() && store.state().object.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn any_request_that_fails_once_is_repeated() {
    let (bytes, parts) = parts(55);
    // Create, six parts, complete.
    for at in 0..8 {
        for code in ["InternalError", "SlowDown"] {
            let store = Arc::new(Fake::new(Trouble::Pass(at, code)));
            let stored = run(&store, parts.clone(), 2).await.unwrap();
            assert_eq!(stored.etag, "joined");
            let state = store.state();
            assert_eq!(state.object.as_ref(), Some(&bytes), "call {at} failed");
            let calls = state.calls.iter();
            // After a create that may have had an effect, the uploads are listed.
            let calls = calls.filter(|call| **call != "ListMultipartUploads");
            assert_eq!(calls.count(), parts.len() + 3);
        }
    }
    let (_, parts) = self::parts(10);
    let store = Arc::new(Fake::new(Trouble::Pass(0, "InternalError")));
    assert_eq!(run(&store, parts, 4).await.unwrap().etag, "put");
    assert_eq!(store.state().calls, ["PutObject", "PutObject"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_at_all_attempts_ends_the_upload() {
    let (_, parts) = parts(55);
    let store = Arc::new(Fake::new(Trouble::PassFrom(1, "InternalError")));
    let error = run(&store, parts, 1).await.unwrap_err();
    assert!(error.to_string().contains("(InternalError)"), "{error}");
    // Aborting fails as well.
    assert!(error.left.is_some());
    let sent = store
        .state()
        .calls
        .iter()
        .filter(|call| **call == "UploadPart")
        .count();
    assert_eq!(sent, 3);
}
