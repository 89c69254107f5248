use std::fs;

use tempfile::TempDir;

use super::*;
use crate::archive::limits::{Limits, MIN_PART};
use crate::archive::plan::Plan;
use crate::bundle::Format;
use crate::transfer::fake::{Fake, Trouble};

fn location() -> S3Location {
    S3Location {
        bucket: "bucket".into(),
        key: "key".into(),
    }
}

/// A revision of about `parts` parts that do not compress.
fn revision(parts: u64) -> (TempDir, Bundle) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    let mut noise = blake3::Hasher::new().finalize_xof();
    for n in 0..parts * MIN_PART / (512 << 10) {
        let mut bytes = vec![0; 512 << 10];
        noise.fill(&mut bytes);
        fs::write(dir.path().join(format!("{n:03}.bin")), bytes).unwrap();
    }
    let bundle = Bundle {
        source: dir.path().to_owned(),
        content: Content::Archive(Format::Zip),
        select: plan::Options::default(),
        level: Level::new(1).unwrap(),
        auto: false,
        threads: 2,
        concurrency: 2,
        attempts: 1,
        memory: None,
        bandwidth: None,
        resume: None,
        digest: false,
        manifest: None,
        lint: true,
    };
    (dir, bundle)
}

async fn send_to(store: &Arc<Fake>, bundle: &Bundle) -> Result<Sent, Error> {
    let progress = Arc::new(Progress::new());
    let cancel = CancellationToken::new();
    send(bundle, Arc::clone(store), &location(), &progress, &cancel).await
}

#[tokio::test]
async fn a_directory_becomes_the_object_that_pack_makes() {
    let (_dir, bundle) = revision(2);
    let store = Arc::new(Fake::new(Trouble::None));
    let sent = send_to(&store, &bundle).await.unwrap();
    assert_eq!(sent.stored.etag, "joined");

    let stop = Cancel::new();
    let options = plan::Options {
        threads: 1,
        ..plan::Options::default()
    };
    let plan = Plan::scan(&bundle.source, &options, &stop).unwrap();
    let limits = Limits::for_archive(plan.worst_case(), 1, 1).unwrap();
    let options = pack::Options {
        level: bundle.level.into(),
        limits,
        format: Format::Zip,
        digest: false,
    };
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("out.zip");
    pack::pack_to_file(&plan, &target, &options, None, &stop, &Progress::new()).unwrap();
    assert!(store.state().object == Some(fs::read(target).unwrap()));
}

#[tokio::test]
async fn the_stores_refusal_is_the_cause_whichever_call_it_is() {
    let (_dir, bundle) = revision(2);
    // Create, three parts, complete.
    for at in 0..5 {
        let store = Arc::new(Fake::new(Trouble::Fail(at)));
        let error = send_to(&store, &bundle).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("Failed to upload '"), "{text}");
        assert!(
            text.contains("to 's3://bucket/key': An error occurred (Injected)"),
            "{text}"
        );
        assert!(text.contains(&format!("call {at} fails")), "{text}");
        assert!(store.state().upload.is_none() && store.state().object.is_none());
    }
}

/// The packer fails while no part is ever confirmed: nobody waits for those.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_packers_failure_is_the_cause_and_the_upload_is_aborted() {
    let (dir, bundle) = revision(1);
    let bundle = Bundle {
        concurrency: 1,
        ..bundle
    };
    // Says that it holds 4,096 bytes and has a few.
    let target = "/sys/devices/system/cpu/online";
    std::os::unix::fs::symlink(target, dir.path().join("zzz")).unwrap();
    let store = Arc::new(Fake::new(Trouble::Hold));
    let sending = send_to(&store, &bundle);
    let sent = tokio::time::timeout(std::time::Duration::from_secs(20), sending).await;
    let error = sent.expect("it waits for a part that is held").unwrap_err();
    assert!(matches!(error, Error::Pack { .. }), "{error}");
    assert!(error.to_string().contains("zzz"), "{error}");
    assert!(store.state().upload.is_none() && store.state().object.is_none());
}

#[tokio::test]
async fn cancelling_stops_both_sides_and_leaves_nothing() {
    let (_dir, bundle) = revision(3);
    for hang in [0, 2, 4] {
        let store = Arc::new(Fake::new(Trouble::Hang(hang)));
        let progress = Arc::new(Progress::new());
        let cancel = CancellationToken::new();
        let location = location();
        let sending = send(&bundle, Arc::clone(&store), &location, &progress, &cancel);
        let cancelling = async {
            store.hung().await;
            cancel.cancel();
        };
        let (sent, ()) = tokio::join!(sending, cancelling);
        let error = sent.unwrap_err();
        assert!(matches!(error, Error::Stopped { left: None }), "{error}");
        assert!(store.state().upload.is_none() && store.state().object.is_none());
    }
}

#[tokio::test]
async fn without_an_appspec_nothing_is_sent() {
    let (dir, bundle) = revision(0);
    fs::remove_file(dir.path().join("appspec.yml")).unwrap();
    let store = Arc::new(Fake::new(Trouble::None));
    let error = send_to(&store, &bundle).await.unwrap_err();
    assert!(matches!(error, Error::AppSpec(_)), "{error}");
    assert!(store.state().calls.is_empty());
}
