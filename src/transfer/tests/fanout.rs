//! Several uploads that get the same parts.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;

/// Counts the parts whose bytes are in memory.
#[derive(Default)]
struct Live {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Body(Bytes, Arc<Live>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, SeqCst);
    }
}

impl Live {
    fn count(self: &Arc<Self>, part: &Part) -> Part {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        let bytes = Bytes::copy_from_slice(&part.body);
        Part {
            body: Bytes::from_owner(Body(bytes, Arc::clone(self))),
            ..part.clone()
        }
    }
}

/// Uploads `parts` to all stores, with `ahead` parts on their way at a time. Counts live parts.
async fn run_all(
    stores: &[Arc<Fake>],
    parts: &[Part],
    ahead: usize,
    live: &Arc<Live>,
    link: &Arc<LinkFeedback>,
) -> Vec<Result<Stored, Error>> {
    let (sender, receiver) = mpsc::channel(1);
    let (cancel, progress, notes) = (Cancel::new(), Progress::new(), Notes::default());
    let (fan_out, receivers) = FanOut::new(receiver, stores.len(), ahead, Arc::clone(link));
    let feed = async {
        for part in parts {
            link.part_cut();
            if sender.send(live.count(part)).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    let uploads = stores.iter().zip(receivers).map(async |(store, parts)| {
        let (cleanup, link) = (CleanupHint::default(), LinkFeedback::new());
        let context = UploadContext {
            progress: &progress,
            cancel: &cancel,
            notes: &notes,
            cleanup: &cleanup,
            link: &link,
        };
        let options = Options {
            is_shared: true,
            ..options(ahead)
        };
        let transferred = transfer(Arc::clone(store), parts, &options, context).await?;
        transferred.complete(context).await
    });
    let uploads = futures_util::future::join_all(uploads);
    let (done, (), ()) = tokio::join!(uploads, feed, fan_out.run(&progress));
    done
}

async fn turns() {
    // More than enough for all that can happen to happen.
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_upload_is_never_so_far_ahead_that_more_parts_are_in_memory() {
    let (bytes, parts) = parts(395);
    for ahead in [1, 3, 12] {
        let fast = || Arc::new(Fake::new(Trouble::None));
        let stores = [fast(), Arc::new(Fake::new(Trouble::Hold)), fast()];
        let (live, link) = (Arc::default(), Arc::new(LinkFeedback::new()));
        let slow = async {
            for answered in 0..parts.len() {
                turns().await;
                let sent = stores[0]
                    .state()
                    .upload
                    .as_ref()
                    .map_or(0, |sent| sent.len());
                assert!(sent <= answered + ahead, "{sent} sent, {answered} answered");
                // The packer sees what the slowest upload has not sent. That one takes a part when it can
                // send it, and one more waits.
                let most = (parts.len() - answered).min(ahead) as u64;
                let requests = link.state().requests;
                assert!((1..=most).contains(&requests), "{requests} of {most}");
                stores[1].answer(1);
            }
        };
        let (done, ()) = tokio::join!(run_all(&stores, &parts, ahead, &live, &link), slow);
        for (store, done) in stores.iter().zip(done) {
            assert_eq!(done.unwrap().etag, "joined");
            assert_eq!(store.state().object.as_ref(), Some(&bytes));
        }
        // One more waits in the channel, and one is in the hands of the packer.
        let most = live.most.load(SeqCst);
        assert!((1..=ahead + 2).contains(&most), "{most} of {ahead}");
        assert_eq!(live.now.load(SeqCst), 0);
        assert_eq!((link.state().requests, link.state().waiting), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_takes_no_more_parts_and_the_others_go_on() {
    let (bytes, parts) = parts(395);
    let stores = [Trouble::Fail(5), Trouble::None].map(|trouble| Arc::new(Fake::new(trouble)));
    let live = Arc::default();
    let done = run_all(&stores, &parts, 4, &live, &Arc::default()).await;
    assert!(done[0].is_err() && done[1].is_ok());
    assert!(stores[0].state().calls.len() < 20);
    assert_eq!(stores[1].state().object.as_ref(), Some(&bytes));
    // When all have failed, the packer need not go on.
    let stores = [2, 5].map(|at| Arc::new(Fake::new(Trouble::Fail(at))));
    let done = run_all(&stores, &parts, 4, &live, &Arc::default()).await;
    assert!(done.iter().all(Result::is_err));
    assert_eq!(live.now.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_while_the_packer_is_waited_for_holds_no_part() {
    let (_, parts) = parts(35);
    let (sender, receiver) = mpsc::channel(1);
    let (fan_out, receivers) = FanOut::new(receiver, 2, 1, Arc::default());
    let [failing, mut other] = <[_; 2]>::try_from(receivers).unwrap();
    let progress = Progress::new();
    let script = async {
        turns().await;
        drop(failing);
        for part in &parts {
            sender.send(part.clone()).await.unwrap();
            let given = other.recv().await.unwrap();
            assert_eq!(given.number, part.number);
        }
    };
    let both = async { tokio::join!(fan_out.run(&progress), script) };
    let ended = tokio::time::timeout(Duration::from_secs(3600), both).await;
    assert!(ended.is_ok(), "it hangs");
}
