//! An object store in memory, which fails, hangs, or loses its answer at the n-th call, so that tests can
//! prove what an upload leaves behind.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use tokio::sync::{Notify, Semaphore};

use super::{
    ListedPart, Lookup, Nonce, PartStore, Stored, UnfinishedUpload, UploadId, UploadedPart,
};
use crate::archive::pack::Part;
use crate::aws::call::{Attempts, Caller, Request, test_caller};
use crate::aws::error::CallError;
use crate::aws::s3::{Copied, CopySource, ObjectHead, S3Location};

/// How often each request is made, at most.
const ATTEMPTS: u32 = 3;

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
    /// It is refused with this code, of an error that may pass.
    Pass(usize, &'static str),
    /// It and all later ones are refused with this code.
    PassFrom(usize, &'static str),
    /// It works, and its answer is lost.
    Lose(usize),
    /// It and all later ones work, and their answers are lost.
    LoseFrom(usize),
    /// It works, but says that it did not.
    Deny(usize, &'static str),
    /// Another client writes the object whenever an upload is completed.
    Conflicts,
    /// From this call on, another object is in the place of the source, and the store copies that.
    Replace(usize),
    /// The program fails at it.
    Panic(usize),
    /// Parts are confirmed when the test [answers](Fake::answer).
    Hold,
}

/// What the store says of bytes that it copied, besides an ETag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Says {
    /// Their CRC-64.
    #[default]
    Crc64,
    /// Their CRC-32.
    Crc32,
    /// Nothing, but their ETag is the one that it gave to the same bytes before.
    Etag,
    /// Nothing, but the object has a CRC-64 in the end.
    Later,
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Fake {
    trouble: Trouble,
    hung: Notify,
    answers: Semaphore,
    /// Operations that are denied.
    denied: Vec<&'static str>,
    /// Whether `HeadObject` works whatever the trouble.
    looks: bool,
    /// Whether writing fails if there is an object already.
    pub(crate) keeps_existing: bool,
    pub(crate) says: Says,
    /// Whether it copies from whatever is in the place of the source.
    pub(crate) ignores_conditions: bool,
    caller: Caller,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    /// The operations that were called, in order.
    pub(crate) calls: Vec<&'static str>,
    /// The parts of the multipart upload, if one is under way.
    pub(crate) upload: Option<BTreeMap<u32, Bytes>>,
    /// When it began.
    pub(crate) began: SystemTime,
    /// In how many rounds parts arrive after the upload was aborted.
    pub(crate) late: usize,
    /// The nonce of the last upload.
    pub(crate) nonce: Option<Nonce>,
    /// The nonce of the object.
    pub(crate) writer: Option<Nonce>,
    /// Uploads whose create was not answered.
    pub(crate) strays: Vec<UnfinishedUpload>,
    /// Most calls that were under way at one time.
    pub(crate) most_at_once: usize,
    pub(crate) object: Option<Vec<u8>>,
    /// What objects are copied from.
    pub(crate) source: Vec<u8>,
    /// The ranges that were copied into parts.
    pub(crate) ranges: Vec<Range<usize>>,
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
            keeps_existing: false,
            says: Says::default(),
            ignores_conditions: false,
            caller: test_caller(ATTEMPTS),
            state: Mutex::new(State {
                calls: Vec::new(),
                upload: None,
                began: UNIX_EPOCH,
                late: 0,
                nonce: None,
                writer: None,
                strays: Vec::new(),
                most_at_once: 0,
                object: None,
                source: Vec::new(),
                ranges: Vec::new(),
                now: 0,
            }),
        }
    }

    /// Denies these operations.
    pub(crate) fn denying(self, denied: &[&'static str]) -> Self {
        Self {
            denied: denied.to_vec(),
            ..self
        }
    }

    /// Lets `HeadObject` work whatever the trouble.
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

    async fn call<T>(
        &self,
        operation: &'static str,
        attempt: impl Fn(Running<'_>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let attempts = Attempts::default();
        self.call_recording(operation, &attempts, attempt).await
    }

    /// Makes a request, and repeats it as the clients of S3 do.
    async fn call_recording<T>(
        &self,
        operation: &'static str,
        attempts: &Attempts,
        attempt: impl Fn(Running<'_>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let attempt = || async {
            let running = self.begin(operation).await?;
            if operation == "UploadPart" && self.trouble == Trouble::Hold {
                let answer = self.answers.acquire().await;
                answer.expect("it is never closed").forget();
            }
            attempt(running)
        };
        let request = Request::new(operation);
        self.caller.call_recording(request, attempts, attempt).await
    }

    /// Copies a range of the source, to which it gave `etag` when it was uploaded.
    fn copied(
        &self,
        running: &Running<'_>,
        range: Range<usize>,
        etag: &str,
    ) -> Result<(Vec<u8>, Copied), CallError> {
        let is_replaced = matches!(self.trouble, Trouble::Replace(at) if running.index >= at);
        let mut state = self.state();
        let is_kept = self.keeps_existing && running.operation == "CopyObject";
        if is_replaced && !self.ignores_conditions || is_kept && state.object.is_some() {
            let code = Some("PreconditionFailed");
            return Err(CallError::refused(running.operation, code, None));
        }
        let mut bytes = state.source[range.clone()].to_vec();
        state.ranges.push(range);
        if is_replaced {
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
        }
        let etag = match self.says {
            Says::Etag if !is_replaced => etag.to_owned(),
            _ => format!("{etag} copied"),
        };
        let crc64nvme = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
        let copied = Copied {
            etag,
            version: Some("v".into()),
            crc64nvme: (self.says == Says::Crc64).then_some(crc64nvme),
            crc32: (self.says == Says::Crc32).then(|| crc32fast::hash(&bytes)),
        };
        Ok((bytes, copied))
    }

    async fn begin(&self, operation: &'static str) -> Result<Running<'_>, CallError> {
        let index = {
            let mut state = self.state();
            state.calls.push(operation);
            state.now += 1;
            state.most_at_once = state.most_at_once.max(state.now);
            state.calls.len() - 1
        };
        let running = Running {
            fake: self,
            operation,
            index,
        };
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
            Trouble::Conflicts if operation == "CompleteMultipartUpload" => {
                "ConditionalRequestConflict"
            }
            Trouble::Panic(at) if index == at => panic!("call {index} panics"),
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
struct Running<'a> {
    fake: &'a Fake,
    operation: &'static str,
    index: usize,
}

impl Running<'_> {
    /// The answer, unless it is lost.
    fn answer<T>(&self, answer: T) -> Result<T, CallError> {
        let code = match self.fake.trouble {
            Trouble::Lose(at) if self.index == at => None,
            Trouble::LoseFrom(at) if self.index >= at => None,
            Trouble::Deny(at, code) if self.index == at => Some(code.to_owned()),
            _ => return Ok(answer),
        };
        Err(CallError {
            operation: self.operation,
            code,
            message: format!("the answer to call {} is lost", self.index),
        })
    }

    fn no_such_upload(&self) -> CallError {
        CallError::refused(self.operation, Some("NoSuchUpload"), None)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.fake.state().now -= 1;
    }
}

impl PartStore for Fake {
    async fn put(
        &self,
        part: &Part,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> Result<Stored, CallError> {
        let attempt = |running: Running<'_>| {
            let mut state = self.state();
            state.object = Some(part.body.to_vec());
            state.writer = Some(nonce);
            running.answer(Stored {
                etag: "put".into(),
                version: None,
            })
        };
        self.call_recording("PutObject", attempts, attempt).await
    }

    async fn create(&self, nonce: Nonce, attempts: &Attempts) -> Result<UploadId, CallError> {
        let attempt = |running: Running<'_>| {
            let mut state = self.state();
            if state.upload.is_some() {
                let stray = unfinished("stray", state.began);
                state.strays.push(stray);
            }
            state.upload = Some(BTreeMap::new());
            state.began = SystemTime::now();
            state.nonce = Some(nonce);
            running.answer(UploadId("upload".into()))
        };
        let operation = "CreateMultipartUpload";
        self.call_recording(operation, attempts, attempt).await
    }

    async fn send(
        &self,
        _: &UploadId,
        part: &Part,
        attempts: &Attempts,
    ) -> Result<UploadedPart, CallError> {
        let attempt = |running: Running<'_>| {
            let mut state = self.state();
            let parts = state.upload.as_mut().expect("a part of no upload");
            // A copy, since the bytes of a part are free when it is sent.
            parts.insert(part.number, Bytes::copy_from_slice(&part.body));
            running.answer(UploadedPart {
                number: part.number,
                size: part.body.len() as u64,
                etag: etag(part.number),
                crc64nvme: part.crc64nvme,
                crc32: None,
            })
        };
        self.call_recording("UploadPart", attempts, attempt).await
    }

    async fn complete(
        &self,
        _: &UploadId,
        parts: &[UploadedPart],
        attempts: &Attempts,
    ) -> Result<Stored, CallError> {
        let attempt = |running: Running<'_>| {
            let mut state = self.state();
            let mut stored = state
                .upload
                .take()
                .ok_or_else(|| running.no_such_upload())?;
            let mut whole = Vec::new();
            for part in parts {
                assert!(part.etag.starts_with(&etag(part.number)));
                let bytes = stored.remove(&part.number);
                whole.extend_from_slice(&bytes.expect("a part that was sent"));
            }
            state.object = Some(whole);
            state.writer = state.nonce;
            running.answer(Stored {
                etag: "joined".into(),
                version: Some("v".into()),
            })
        };
        let operation = "CompleteMultipartUpload";
        self.call_recording(operation, attempts, attempt).await
    }

    async fn copy(
        &self,
        source: &CopySource,
        size: u64,
        nonce: Nonce,
        attempts: &Attempts,
    ) -> Result<Copied, CallError> {
        let attempt = |running: Running<'_>| {
            let size = usize::try_from(size).unwrap();
            let (bytes, copied) = self.copied(&running, 0..size, &source.etag)?;
            let mut state = self.state();
            state.object = Some(bytes);
            state.writer = Some(nonce);
            running.answer(copied)
        };
        self.call_recording("CopyObject", attempts, attempt).await
    }

    async fn copy_part(
        &self,
        _: &UploadId,
        _: &CopySource,
        start: Option<u64>,
        part: &UploadedPart,
        attempts: &Attempts,
    ) -> Result<Copied, CallError> {
        let attempt = |running: Running<'_>| {
            let start = usize::try_from(start.unwrap_or(0)).unwrap();
            let range = start..start + usize::try_from(part.size).unwrap();
            let (bytes, copied) = self.copied(&running, range, &etag(part.number))?;
            let mut state = self.state();
            let parts = state
                .upload
                .as_mut()
                .ok_or_else(|| running.no_such_upload())?;
            parts.insert(part.number, bytes.into());
            running.answer(copied)
        };
        let operation = "UploadPartCopy";
        self.call_recording(operation, attempts, attempt).await
    }

    fn as_source(&self, stored: &Stored) -> CopySource {
        CopySource {
            location: S3Location {
                bucket: "from".into(),
                key: "key".into(),
            },
            etag: stored.etag.clone(),
            version: stored.version.clone(),
            expected_owner: None,
            requester_pays: false,
        }
    }

    fn keeps_existing(&self) -> bool {
        self.keeps_existing
    }

    async fn abort(&self, _: &UploadId) -> Result<(), CallError> {
        let running = self.begin("AbortMultipartUpload").await?;
        let mut state = self.state();
        if state.late > 0 {
            state.late -= 1;
            return Ok(());
        }
        if state.upload.take().is_none() {
            return Err(running.no_such_upload());
        }
        running.answer(())
    }
}

impl Lookup for Fake {
    async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        let attempt = |running: Running<'_>| {
            let state = self.state();
            let open = state.upload.as_ref();
            let open = open.map(|_| unfinished("upload", state.began));
            running.answer(state.strays.iter().cloned().chain(open).collect())
        };
        self.call("ListMultipartUploads", attempt).await
    }

    async fn parts(&self, _: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        let attempt = |running: Running<'_>| {
            let state = self.state();
            let upload = state.upload.as_ref();
            let upload = upload.ok_or_else(|| running.no_such_upload())?;
            let listed = upload.iter().map(|(number, body)| ListedPart {
                number: *number,
                size: body.len() as u64,
                etag: etag(*number),
                crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, body)),
                modified: Some(state.began),
            });
            running.answer(listed.collect())
        };
        self.call("ListParts", attempt).await
    }

    async fn head(&self) -> Result<Option<ObjectHead>, CallError> {
        let attempt = |running: Running<'_>| {
            let state = self.state();
            running.answer(state.object.as_ref().map(|object| {
                ObjectHead {
                    etag: "found".into(),
                    version: Some("v".into()),
                    size: object.len() as u64,
                    crc64nvme: matches!(self.says, Says::Crc64 | Says::Later)
                        .then(|| crc_fast::checksum(CrcAlgorithm::Crc64Nvme, object)),
                    nonce: state.writer,
                }
            }))
        };
        self.call("HeadObject", attempt).await
    }

    fn creation_headers(&self) -> Vec<(String, String)> {
        vec![("x-amz-acl".into(), "private".into())]
    }
}

fn unfinished(id: &str, initiated: SystemTime) -> UnfinishedUpload {
    UnfinishedUpload {
        key: "key".into(),
        id: UploadId(id.into()),
        initiated: Some(initiated),
    }
}

fn etag(number: u32) -> String {
    format!("\"{number}\"")
}
