//! An object store in memory, which fails, hangs, or loses its answer at the n-th call.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use tokio::sync::{Notify, Semaphore};

use super::{ListedPart, Nonce, PartStore, Stored, UnfinishedUpload, UploadId, UploadedPart};
use crate::archive::pack::Part;
use crate::aws::error::CallError;
use crate::aws::s3::ObjectHead;

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
    /// It works, and its answer is lost.
    Lose(usize),
    /// The same, for it and all later ones.
    LoseFrom(usize),
    /// It works, but says that it did not.
    Deny(usize, &'static str),
    /// Parts are confirmed when the test [answers](Fake::answer).
    Hold,
}

#[derive(Debug)]
pub(crate) struct Fake {
    trouble: Trouble,
    hung: Notify,
    answers: Semaphore,
    /// Operations that nobody may call.
    denied: Vec<&'static str>,
    /// Whether `HeadObject` works whatever the trouble.
    looks: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The operations that were called, in order.
    pub(crate) calls: Vec<&'static str>,
    /// The parts of the multipart upload, if one is under way.
    pub(crate) upload: Option<BTreeMap<u32, Bytes>>,
    /// When it began.
    pub(crate) began: i64,
    /// Parts of it that come after it was aborted, in as many rounds.
    pub(crate) late: usize,
    /// In whose name the last upload was begun.
    pub(crate) nonce: Option<Nonce>,
    /// In whose name the object was written.
    pub(crate) writer: Option<Nonce>,
    /// Uploads that were begun and forgotten.
    pub(crate) strays: Vec<UnfinishedUpload>,
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
            denied: Vec::new(),
            looks: false,
            state: Mutex::default(),
        }
    }

    /// The same, to a caller who may not call these.
    pub(crate) fn denying(self, denied: &[&'static str]) -> Self {
        Self {
            denied: denied.to_vec(),
            ..self
        }
    }

    /// The same, where no trouble comes upon `HeadObject`.
    pub(crate) fn able_to_look(self) -> Self {
        Self {
            looks: true,
            ..self
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
        let running = Running(self, index);
        if self.denied.contains(&operation) {
            return Err(CallError::refused(operation, Some("AccessDenied"), None));
        }
        if self.looks && operation == "HeadObject" {
            return Ok(running);
        }
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

/// A call under way, and its index.
struct Running<'a>(&'a Fake, usize);

impl Running<'_> {
    /// What of an answer comes through.
    fn answer<T>(&self, operation: &'static str, answer: T) -> Result<T, CallError> {
        let code = match self.0.trouble {
            Trouble::Lose(at) if self.1 == at => None,
            Trouble::LoseFrom(at) if self.1 >= at => None,
            Trouble::Deny(at, code) if self.1 == at => Some(code.to_owned()),
            _ => return Ok(answer),
        };
        Err(CallError {
            operation,
            code,
            message: format!("the answer to call {} is lost", self.1),
        })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().now -= 1;
    }
}

impl PartStore for Fake {
    async fn put(&self, part: Part, nonce: Nonce) -> Result<Stored, CallError> {
        let running = self.call("PutObject").await?;
        let mut state = self.state();
        state.object = Some(part.body.to_vec());
        state.writer = Some(nonce);
        running.answer(
            "PutObject",
            Stored {
                etag: "put".into(),
                version: None,
            },
        )
    }

    async fn create(&self, nonce: Nonce) -> Result<UploadId, CallError> {
        let running = self.call("CreateMultipartUpload").await?;
        let id = {
            let mut state = self.state();
            if state.upload.is_some() {
                let id = UploadId("stray".into());
                let at = state.began;
                state.strays.push(UnfinishedUpload { id, at });
            }
            state.upload = Some(BTreeMap::new());
            state.began = super::begin::now();
            state.nonce = Some(nonce);
            UploadId("upload".into())
        };
        running.answer("CreateMultipartUpload", id)
    }

    async fn send(&self, _: &UploadId, part: Part) -> Result<UploadedPart, CallError> {
        let running = self.call("UploadPart").await?;
        if self.trouble == Trouble::Hold {
            let answer = self.answers.acquire().await;
            answer.expect("it is never closed").forget();
        }
        let sent = UploadedPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: etag(part.number),
            crc64nvme: part.crc64nvme,
            crc32: None,
        };
        {
            let mut state = self.state();
            let parts = state.upload.as_mut().expect("a part of no upload");
            parts.insert(part.number, part.body);
        }
        running.answer("UploadPart", sent)
    }

    async fn complete(&self, _: &UploadId, parts: &[UploadedPart]) -> Result<Stored, CallError> {
        const OPERATION: &str = "CompleteMultipartUpload";
        let running = self.call(OPERATION).await?;
        let mut state = self.state();
        let Some(mut kept) = state.upload.take() else {
            return Err(CallError::refused(OPERATION, Some("NoSuchUpload"), None));
        };
        let whole = parts.iter().flat_map(|part| {
            assert_eq!(part.etag, etag(part.number));
            kept.remove(&part.number).expect("a part that was sent")
        });
        state.object = Some(whole.collect());
        state.writer = state.nonce;
        drop(state);
        running.answer(
            OPERATION,
            Stored {
                etag: "joined".into(),
                version: Some("v".into()),
            },
        )
    }

    async fn abort(&self, _: &UploadId) -> Result<(), CallError> {
        const OPERATION: &str = "AbortMultipartUpload";
        let running = self.call(OPERATION).await?;
        let mut state = self.state();
        if state.late > 0 {
            state.late -= 1;
            return Ok(());
        }
        if state.upload.take().is_none() {
            return Err(CallError::refused(OPERATION, Some("NoSuchUpload"), None));
        }
        running.answer(OPERATION, ())
    }

    async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        let running = self.call("ListMultipartUploads").await?;
        let state = self.state();
        let id = UploadId("upload".into());
        let at = state.began;
        let open = state.upload.as_ref().map(|_| UnfinishedUpload { id, at });
        let all = state.strays.iter().cloned().chain(open).collect();
        running.answer("ListMultipartUploads", all)
    }

    async fn parts(&self, _: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        let running = self.call("ListParts").await?;
        let state = self.state();
        let Some(upload) = &state.upload else {
            return Err(CallError::refused("ListParts", Some("NoSuchUpload"), None));
        };
        let kept = upload.iter().map(|(number, body)| ListedPart {
            number: *number,
            size: body.len() as u64,
            etag: etag(*number),
            crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body)),
            at: state.began,
        });
        running.answer("ListParts", kept.collect())
    }

    async fn object(&self) -> Result<Option<ObjectHead>, CallError> {
        let running = self.call("HeadObject").await?;
        let state = self.state();
        let found = state.object.as_ref().map(|object| ObjectHead {
            stored: Stored {
                etag: "found".into(),
                version: Some("v".into()),
            },
            size: object.len() as u64,
            crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, object)),
            nonce: state.writer,
        });
        running.answer("HeadObject", found)
    }

    fn headers(&self) -> String {
        "headers".into()
    }

    fn abort_command(&self, upload: &UploadId) -> String {
        format!("abort {}", upload.0)
    }

    fn uploads_command(&self) -> String {
        "list uploads".into()
    }
}

fn etag(number: u32) -> String {
    format!("\"{number}\"")
}
