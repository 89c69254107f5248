mod several;

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::archive::deflate::Level;
use crate::archive::limits::{Limits, MIN_PART};
use crate::archive::pack::{self, pack_to_file};
use crate::archive::plan::{self, Plan};
use crate::bundle::{Content, Format};
use crate::progress::Progress;
use crate::transfer::fake::{Fake, Trouble};

/// Returns a revision of about `parts` parts that do not compress.
fn revision(parts: u64) -> (TempDir, Request) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    let mut noise = blake3::Hasher::new().finalize_xof();
    for n in 0..parts * MIN_PART / (512 << 10) {
        let mut bytes = vec![0; 512 << 10];
        noise.fill(&mut bytes);
        fs::write(dir.path().join(format!("{n:03}.bin")), bytes).unwrap();
    }
    let request = Request {
        source: Source {
            path: dir.path().to_owned(),
            content: Content::Archive(Format::Zip),
            select: plan::Options::default(),
            lint: true,
            hardened: false,
        },
        packing: Packing {
            level: Level::new(1).unwrap().into(),
            threads: 2,
            ..Packing::default()
        },
        uploading: Uploading {
            concurrency: 2,
            ..Uploading::default()
        },
    };
    (dir, request)
}

fn destination(trouble: Trouble) -> Destinations<Fake> {
    Destination::new(Fake::new(trouble), "s3://bucket/key".parse().unwrap()).into()
}

async fn push_to(destination: &Destinations<Fake>, request: &Request) -> Result<Pushed, Error> {
    push(request, destination, &Observer::default(), &Cancel::new()).await
}

fn is_empty(store: &Fake) -> bool {
    store.state().upload.is_none() && store.state().object.is_none()
}

#[tokio::test]
async fn a_push_stores_the_bytes_that_pack_writes() {
    let (_dir, request) = revision(2);
    let destination = destination(Trouble::None);
    let pushed = push_to(&destination, &request).await.unwrap();
    assert_eq!(pushed.delivered[0].revision.stored.etag, "joined");

    let (cancel, progress) = (Cancel::new(), Progress::new());
    let plan = Plan::scan(&request.source.path, &request.source.select, &cancel).unwrap();
    let options = pack::Options {
        level: request.packing.level,
        limits: Limits::for_archive(plan.worst_case(), 1, 1).unwrap(),
        format: Format::Zip,
        digest: false,
    };
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("out.zip");
    pack_to_file(&plan, &target, &options, None, &cancel, &progress).unwrap();
    assert!(destination.all[0].store.state().object == Some(fs::read(target).unwrap()));
}

#[tokio::test]
async fn when_any_call_is_refused_that_refusal_is_the_cause_and_nothing_is_left() {
    let (_dir, request) = revision(2);
    // Create, three parts, complete.
    for at in 0..5 {
        let destination = destination(Trouble::Fail(at));
        let error = push_to(&destination, &request).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("Failed to upload '"), "{text}");
        assert!(
            text.contains("to 's3://bucket/key': An error occurred (Injected)"),
            "{text}"
        );
        assert!(text.contains(&format!("call {at} fails")), "{text}");
        assert!(is_empty(&destination.all[0].store));
    }
}

/// Create, three parts, complete. If the first panics, there is no upload.
#[tokio::test]
async fn a_panic_in_any_task_of_a_push_aborts_the_upload() {
    let (_dir, request) = revision(2);
    for at in 0..5 {
        let destination = destination(Trouble::Panic(at));
        let (observer, cancel) = (Observer::default(), Cancel::new());
        let pushing = push(&request, &destination, &observer, &cancel);
        let pushed = AssertUnwindSafe(pushing).catch_unwind().await;
        assert!(!matches!(pushed, Ok(Ok(_))), "{at}");
        assert!(is_empty(&destination.all[0].store), "{at}");
        let left = observer.cleanup.unfinished();
        assert!(left.is_empty() || at == 0, "{at}: {left:?}");
    }
}

/// Its requests are never answered, so a push that waited for them would not end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn when_packing_fails_that_is_the_cause_and_the_upload_is_aborted_at_once() {
    let (dir, mut request) = revision(1);
    request.uploading.concurrency = 1;
    // Its size is said to be 4,096 bytes, and reading it gives a few.
    let target = "/sys/devices/system/cpu/online";
    std::os::unix::fs::symlink(target, dir.path().join("zzz")).unwrap();
    let destination = destination(Trouble::Hold);
    let pushing = push_to(&destination, &request);
    let pushed = tokio::time::timeout(std::time::Duration::from_secs(20), pushing).await;
    let error = pushed
        .expect("it waits for a part that is held")
        .unwrap_err();
    assert!(matches!(error, Error::Pack { .. }), "{error}");
    assert!(error.to_string().contains("zzz"), "{error}");
    assert!(is_empty(&destination.all[0].store));
}

// In paused time: an upload that hangs is given up after ten seconds.
#[tokio::test(start_paused = true)]
async fn cancelling_stops_both_sides_and_leaves_nothing() {
    let (_dir, request) = revision(3);
    for hang in [0, 2, 4] {
        let destination = destination(Trouble::Hang(hang));
        let (observer, cancel) = (Observer::default(), Cancel::new());
        let pushing = push(&request, &destination, &observer, &cancel);
        let cancelling = async {
            destination.all[0].store.hung().await;
            cancel.cancel();
        };
        let (pushed, ()) = tokio::join!(pushing, cancelling);
        let error = pushed.unwrap_err();
        assert!(matches!(error, Error::Stopped { left: None }), "{error}");
        assert!(is_empty(&destination.all[0].store));
    }
}

#[tokio::test]
async fn without_an_appspec_nothing_is_sent() {
    let (dir, request) = revision(0);
    fs::remove_file(dir.path().join("appspec.yml")).unwrap();
    let destination = destination(Trouble::None);
    let error = push_to(&destination, &request).await.unwrap_err();
    assert!(matches!(error, Error::AppSpec(_)), "{error}");
    assert!(destination.all[0].store.state().calls.is_empty());
}
