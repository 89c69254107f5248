//! An object store in memory, which fails or hangs at the n-th call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

use super::{PartStore, SentPart, Stored, UploadId};
use crate::error::CallError;
use crate::pack::Part;

/// What the n-th call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing: it works.
    None,
    /// It is refused.
    Fail(usize),
    /// It never ends.
    Hang(usize),
    /// It and all later ones are refused.
    FailFrom(usize),
    /// It is refused with this code, which may pass.
    Pass(usize, &'static str),
    /// It and all later ones are.
    PassFrom(usize, &'static str),
    /// Parts are confirmed when the test [answers](Fake::answer).
    Hold,
}

#[derive(Debug)]
pub(crate) struct Fake {
    trouble: Trouble,
    hung: Notify,
    answers: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The operations that were called, in order.
    pub(crate) calls: Vec<&'static str>,
    /// The parts of the multipart upload, if one is under way.
    pub(crate) upload: Option<BTreeMap<u32, Bytes>>,
    /// Most calls that were under way at one time.
    pub(crate) most_at_once: usize,
    pub(crate) object: Option<Vec<u8>>,
    now: usize,
}

impl Fake {
    pub(crate) fn new(trouble: Trouble) -> Self {
        Self {
            trouble,
            hung: Notify::new(),
            answers: Semaphore::new(0),
            state: Mutex::default(),
        }
    }

    /// Waits until a call hangs.
    pub(crate) async fn hung(&self) {
        self.hung.notified().await;
    }

    /// Lets `parts` held parts be confirmed, now or when they come.
    pub(crate) fn answer(&self, parts: usize) {
        self.answers.add_permits(parts);
    }

    /// Calls that have begun and not ended.
    pub(crate) fn under_way(&self) -> usize {
        self.state().now
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, operation: &'static str) -> Result<Running<'_>, CallError> {
        let index = {
            let mut state = self.state();
            state.calls.push(operation);
            state.now += 1;
            state.most_at_once = state.most_at_once.max(state.now);
            state.calls.len() - 1
        };
        let running = Running(self);
        // Others get their turn, as they would while a request is under way.
        tokio::task::yield_now().await;
        let code = match self.trouble {
            Trouble::Fail(at) if index == at => "Injected",
            Trouble::FailFrom(at) if index >= at => "Injected",
            Trouble::Pass(at, code) if index == at => code,
            Trouble::PassFrom(at, code) if index >= at => code,
            Trouble::Hang(at) if index == at => {
                self.hung.notify_one();
                std::future::pending().await
            }
            _ => return Ok(running),
        };
        Err(CallError {
            operation,
            code: Some(code.into()),
            message: format!("call {index} fails"),
        })
    }
}

/// A call under way.
struct Running<'a>(&'a Fake);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().now -= 1;
    }
}

impl PartStore for Fake {
    async fn put(&self, part: Part) -> Result<Stored, CallError> {
        let _running = self.call("PutObject").await?;
        self.state().object = Some(part.body.to_vec());
        Ok(Stored {
            etag: "put".into(),
            version: None,
        })
    }

    async fn create(&self) -> Result<UploadId, CallError> {
        let _running = self.call("CreateMultipartUpload").await?;
        self.state().upload = Some(BTreeMap::new());
        Ok(UploadId("upload".into()))
    }

    async fn send(&self, _: &UploadId, part: Part) -> Result<SentPart, CallError> {
        let _running = self.call("UploadPart").await?;
        if self.trouble == Trouble::Hold {
            let answer = self.answers.acquire().await;
            answer.expect("it is never closed").forget();
        }
        let sent = SentPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: format!("\"{}\"", part.number),
            crc64nvme: part.crc64nvme,
        };
        let mut state = self.state();
        let parts = state.upload.as_mut().expect("a part of no upload");
        assert!(
            parts.insert(part.number, part.body).is_none(),
            "a part came twice"
        );
        Ok(sent)
    }

    async fn complete(&self, _: &UploadId, parts: &[SentPart]) -> Result<Stored, CallError> {
        let _running = self.call("CompleteMultipartUpload").await?;
        let mut state = self.state();
        let kept = state.upload.take().expect("no upload to complete");
        let numbers: Vec<u32> = parts.iter().map(|part| part.number).collect();
        assert_eq!(numbers, kept.keys().copied().collect::<Vec<_>>());
        state.object = Some(kept.into_values().flatten().collect());
        Ok(Stored {
            etag: "joined".into(),
            version: Some("v".into()),
        })
    }

    async fn abort(&self, _: &UploadId) -> Result<(), CallError> {
        let _running = self.call("AbortMultipartUpload").await?;
        self.state().upload.take().expect("no upload to abort");
        Ok(())
    }

    fn abort_command(&self, upload: &UploadId) -> String {
        format!("abort {}", upload.0)
    }
}
