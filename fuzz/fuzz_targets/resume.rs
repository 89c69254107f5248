//! Which unfinished upload a push goes on with, and which of its parts it does not send again, against
//! the rules said plainly. Lists of parts are whatever a store says: another program's, of two pushes, in
//! any order.

#![no_main]
#![allow(dead_code, unused_imports)]

use std::cmp::Reverse;
use std::sync::Mutex;

use arbitrary::Arbitrary;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use libfuzzer_sys::fuzz_target;

use error::CallError;
use notes::Notes;
use pack::Part;
use upload::{
    UnfinishedUpload, Cause, ObjectHead, ListedPart, UploadFingerprint, Nonce, PartStore, UploadedPart, Stored, UploadId, begin,
};

/// Instead of `src/error.rs`, which knows the SDK's.
mod error {
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum RetryAdvice {
        Never,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{operation}")]
    pub struct CallError {
        pub operation: &'static str,
        pub code: Option<String>,
    }

    impl CallError {
        pub fn again(&self) -> RetryAdvice {
            RetryAdvice::Never
        }

        pub fn is_certain(&self) -> bool {
            true
        }
    }
}

#[path = "../../src/notes.rs"]
mod notes;

mod pack {
    pub use hoist::archive::pack::Part;
}

mod progress {
    pub use hoist::progress::Progress;
}

/// Instead of `src/upload/mod.rs`, which knows the SDK.
#[path = "../../src/upload"]
mod upload {
    mod abort;
    mod begin;
    mod control;
    mod mark;
    mod resume;
    mod store;

    use std::future::Future;
    use std::time::Duration;

    use hoist::progress::Progress;
    use tokio_util::sync::CancellationToken;

    use crate::aws::error::CallError;
    use crate::notes::Notes;
    use crate::archive::pack::Part;
    pub use control::{UploadContext, CleanupHint};
    pub use mark::{Digest, UploadFingerprint, Nonce};
    pub use resume::Resume;
    pub use store::{UnfinishedUpload, ObjectHead, ListedPart, PartStore, UploadedPart, Stored, UploadId};

    const ANSWER: Duration = Duration::from_secs(60);
    const CLEANUP: Duration = Duration::from_secs(10);

    #[derive(Debug, thiserror::Error)]
    pub enum Cause {
        #[error(transparent)]
        Store(#[from] CallError),
        #[error("{0}")]
        Resume(String),
        #[error("stopped")]
        Stopped,
    }

    #[derive(Debug)]
    pub struct Error {
        pub cause: Cause,
        pub left: Option<Leftover>,
    }

    impl From<Cause> for Error {
        fn from(cause: Cause) -> Self {
            Self { cause, left: None }
        }
    }

    #[derive(Debug)]
    pub struct Leftover {
        pub upload: UploadId,
        pub reason: String,
        pub command: String,
    }

    async fn unless<T>(
        cancel: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> Result<T, Cause> {
        cancel.run_until_cancelled(work).await.ok_or(Cause::Stopped)
    }

    /// Tries once.
    struct Retries;

    impl Retries {
        async fn ask<T, F: Future<Output = Result<T, CallError>>>(
            &self,
            _: &'static str,
            _: Duration,
            attempt: impl Fn() -> F,
        ) -> Result<T, CallError> {
            attempt().await
        }

        async fn request<T, F: Future<Output = Result<T, CallError>>>(
            &self,
            _: &'static str,
            _: u64,
            _: impl Fn(),
            attempt: impl Fn() -> F,
        ) -> Result<T, CallError> {
            attempt().await
        }
    }

    /// What a push begins with.
    pub struct Begin {
        pub id: UploadId,
        pub nonce: Nonce,
        pub resumed: bool,
        /// Of each part that is to be sent, what is stored already.
        pub kept: Vec<Option<UploadedPart>>,
    }

    /// Begins an upload, or goes on with one.
    pub async fn begin(
        store: &impl PartStore,
        resume: &Resume,
        parts: &[Part],
        notes: &Notes,
    ) -> Result<Begin, Cause> {
        let control = UploadContext {
            progress: &Progress::default(),
            cancel: &CancellationToken::new(),
            notes,
            underway: &CleanupHint::default(),
        };
        match begin::begin(store, &Retries, Some(resume), control).await {
            Ok(upload) => Ok(Begin {
                id: (*upload.id).clone(),
                nonce: upload.nonce,
                resumed: upload.is_resumed(),
                kept: parts.iter().map(|part| upload.kept(part)).collect(),
            }),
            Err(error) => {
                assert!(error.left.is_none());
                Err(error.cause)
            }
        }
    }

    /// The notes of an upload, as they are stored.
    pub fn notes_of(mark: UploadFingerprint, nonce: Nonce, at: i64) -> [ListedPart; 2] {
        mark.parts(nonce).map(|part| ListedPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: "note".into(),
            crc64nvme: Some(part.crc64nvme),
            at,
        })
    }

    pub fn read(parts: &[ListedPart]) -> Option<(UploadFingerprint, Nonce)> {
        UploadFingerprint::read(parts)
    }

    pub fn now() -> i64 {
        begin::now()
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    insist: bool,
    mark: [u16; 3],
    part_size: u8,
    uploads: Vec<Unfinished>,
    pushed: Vec<Pushed>,
}

#[derive(Arbitrary, Debug)]
struct Unfinished {
    at: At,
    /// Its notes: which of the four digests are others, and the nonce.
    notes: Option<([bool; 4], u64)>,
    notes_last: bool,
    parts: Vec<Stock>,
    denied: bool,
}

#[derive(Arbitrary, Debug)]
struct Stock {
    number: Number,
    size: Size,
    crc: Option<Crc>,
    at: At,
}

#[derive(Arbitrary, Debug)]
struct Pushed {
    number: Number,
    /// Another than all have.
    size: Option<u8>,
    crc: Crc,
}

#[derive(Arbitrary, Debug)]
enum At {
    Untold,
    Now,
    Before(u8),
    Any(i64),
}

#[derive(Arbitrary, Debug)]
enum Number {
    Low(u8),
    High(u8),
    Any(u32),
}

#[derive(Arbitrary, Debug)]
enum Size {
    Whole,
    Note,
    Less(u8),
    Any(u64),
}

#[derive(Arbitrary, Debug)]
enum Crc {
    Zero,
    One,
    Any(u64),
}

impl At {
    /// Never near the age at which an upload counts as left.
    fn at(&self, now: i64) -> i64 {
        match self {
            Self::Untold => 0,
            Self::Now => now,
            Self::Before(hours) => now - 3600 * (i64::from(*hours) + 1),
            Self::Any(at) if (now - 600..now + 600).contains(at) => now,
            Self::Any(at) => *at,
        }
    }
}

impl Number {
    fn number(&self) -> u32 {
        match self {
            Self::Low(number) => u32::from(*number % 6) + 1,
            Self::High(number) => 9_997 + u32::from(*number % 5),
            Self::Any(number) => *number,
        }
    }
}

impl Crc {
    fn crc(&self) -> u64 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Any(crc) => *crc,
        }
    }
}

/// A store with unfinished uploads.
struct Store {
    uploads: Vec<(UnfinishedUpload, Vec<ListedPart>, bool)>,
    begun: Mutex<Vec<Nonce>>,
    sent: Mutex<Vec<Part>>,
}

const HEADERS: &str = "headers";
const NEW: &str = "new";

impl PartStore for Store {
    async fn put(&self, _: Part, _: Nonce) -> Result<Stored, CallError> {
        unreachable!("it is a multipart upload")
    }

    async fn create(&self, nonce: Nonce) -> Result<UploadId, CallError> {
        self.begun.lock().unwrap().push(nonce);
        Ok(UploadId(NEW.into()))
    }

    async fn send(&self, upload: &UploadId, part: Part) -> Result<UploadedPart, CallError> {
        assert_eq!(upload.0, NEW, "what is resumed says what it is already");
        let sent = UploadedPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: String::new(),
            crc64nvme: part.crc64nvme,
            crc32: None,
        };
        self.sent.lock().unwrap().push(part);
        Ok(sent)
    }

    async fn complete(&self, _: &UploadId, _: &[UploadedPart]) -> Result<Stored, CallError> {
        unreachable!("nothing was sent")
    }

    async fn abort(&self, _: &UploadId) -> Result<(), CallError> {
        unreachable!("nothing of others is aborted")
    }

    async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        Ok(self
            .uploads
            .iter()
            .map(|(begun, ..)| begun.clone())
            .collect())
    }

    async fn parts(&self, upload: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        let (_, parts, denied) = self
            .uploads
            .iter()
            .find(|(one, ..)| one.id == *upload)
            .unwrap();
        let denial = CallError {
            operation: "ListParts",
            code: Some("AccessDenied".into()),
        };
        if *denied {
            Err(denial)
        } else {
            Ok(parts.clone())
        }
    }

    async fn object(&self) -> Result<Option<ObjectHead>, CallError> {
        unreachable!("nothing was completed")
    }

    fn headers(&self) -> String {
        HEADERS.into()
    }

    fn abort_command(&self, upload: &UploadId) -> String {
        format!("abort {}", upload.0)
    }

    fn uploads_command(&self) -> String {
        "list".into()
    }
}

/// The rules, said plainly.
enum Verdict {
    /// It is as if it were not there.
    Empty,
    Refused,
    /// Whether the plan is the same, and bytes that are stored.
    Good(bool, u64),
}

fn judge(
    parts: &[ListedPart],
    at: i64,
    now: i64,
    wanted: &UploadFingerprint,
    part_size: u64,
    insist: bool,
) -> Verdict {
    let note = |number| {
        let part = parts.iter().find(|part| part.number == number);
        part.filter(|part| part.size == 8)?.crc64nvme
    };
    let notes = note(9_999).zip(note(10_000));
    let read = upload::read(parts);
    assert_eq!(read.is_some(), notes.is_some());
    let archive: Vec<_> = parts.iter().filter(|part| part.number < 9_999).collect();
    let Some((mark, nonce)) = read else {
        return if archive.is_empty() {
            Verdict::Empty
        } else {
            Verdict::Refused
        };
    };
    // What was read has those checksums.
    let [one, other] = upload::notes_of(mark, nonce, 0);
    assert_eq!(one.crc64nvme.zip(other.crc64nvme), notes);

    let last = archive.iter().map(|part| part.number).max();
    let sizes = archive.iter().all(|part| {
        if Some(part.number) == last {
            part.size <= part_size
        } else {
            part.size == part_size
        }
    });
    let left = insist || parts.iter().all(|part| part.at < now - 120) && at < now - 120;
    let same = (mark.program, mark.options, mark.headers)
        == (wanted.program, wanted.options, wanted.headers);
    if sizes && left && same {
        let bytes = archive.iter().map(|part| part.size).sum();
        Verdict::Good(mark.plan == wanted.plan, bytes)
    } else {
        Verdict::Refused
    }
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
}

fuzz_target!(|input: Input| {
    let now = upload::now();
    let part_size = u64::from(input.part_size);
    let [program, options, plan] = input.mark;
    let headers = UploadFingerprint::digest(HEADERS.as_bytes());
    let wanted = UploadFingerprint {
        program,
        options,
        headers,
        plan,
    };
    let uploads = input.uploads.iter().take(24).enumerate();
    let uploads = uploads.map(|(place, upload)| {
        let at = upload.at.at(now);
        let stored = upload.parts.iter().take(12).enumerate();
        let mut parts: Vec<ListedPart> = stored
            .map(|(nth, stock)| ListedPart {
                number: stock.number.number(),
                size: match stock.size {
                    Size::Whole => part_size,
                    Size::Note => 8,
                    Size::Less(less) => part_size.saturating_sub(less.into()),
                    Size::Any(size) => size,
                },
                etag: format!("{place} {nth}"),
                crc64nvme: stock.crc.as_ref().map(Crc::crc),
                at: stock.at.at(now),
            })
            .collect();
        if let Some((others, nonce)) = &upload.notes {
            let [program, options, headers, plan] = others.map(u16::from);
            let mark = UploadFingerprint {
                program: wanted.program ^ program,
                options: wanted.options ^ options,
                headers: wanted.headers ^ headers,
                plan: wanted.plan ^ plan,
            };
            let nonce = format!("{nonce:x}").parse().unwrap();
            let place = if upload.notes_last { parts.len() } else { 0 };
            parts.splice(place..place, upload::notes_of(mark, nonce, at));
        }
        let id = UploadId(place.to_string());
        (UnfinishedUpload { id, at }, parts, upload.denied)
    });
    let store = Store {
        uploads: uploads.collect(),
        begun: Mutex::default(),
        sent: Mutex::default(),
    };
    let resume = upload::Resume {
        insist: input.insist,
        // The store knows the headers.
        mark: UploadFingerprint {
            headers: !headers,
            ..wanted
        },
        part_size,
    };
    let pushed: Vec<Part> = input
        .pushed
        .iter()
        .take(16)
        .map(|part| Part {
            number: part.number.number(),
            body: vec![0; part.size.unwrap_or(input.part_size).into()].into(),
            crc64nvme: part.crc.crc(),
            last: false,
        })
        .collect();

    // The newest twenty, and of those as good as each other the newest.
    let mut newest: Vec<_> = store.uploads.iter().collect();
    newest.sort_by_key(|(begun, ..)| Reverse(begun.at));
    let (mut best, mut refused): (Option<(bool, u64, &str)>, _) = (None, false);
    for (begun, parts, denied) in newest.into_iter().take(20) {
        let verdict = if *denied {
            Verdict::Refused
        } else {
            judge(parts, begun.at, now, &wanted, part_size, input.insist)
        };
        match verdict {
            Verdict::Empty => {}
            Verdict::Refused => refused = true,
            Verdict::Good(plan, bytes) => {
                if best.is_none_or(|(same, most, _)| (plan, bytes) > (same, most)) {
                    best = Some((plan, bytes, &begun.id.0));
                }
            }
        }
    }

    let notes = Notes::default();
    let begun =
        RUNTIME.with(|runtime| runtime.block_on(upload::begin(&store, &resume, &pushed, &notes)));
    let created = store.begun.into_inner().unwrap();
    let sent = store.sent.into_inner().unwrap();
    match (best, begun) {
        (Some((_, _, id)), Ok(begun)) => {
            assert!(begun.resumed && begun.id.0 == id, "{}", begun.id.0);
            assert!(created.is_empty() && sent.is_empty());
            let of_it = store.uploads.iter().find(|(one, ..)| one.id.0 == id);
            let (_, stored, _) = of_it.unwrap();
            assert_eq!(
                Some(begun.nonce),
                upload::read(stored).map(|(_, nonce)| nonce)
            );
            for (part, kept) in pushed.iter().zip(begun.kept) {
                let of_number: Vec<_> = stored
                    .iter()
                    .filter(|one| one.number == part.number && one.number < 9_999)
                    .collect();
                let same = |one: &&ListedPart| {
                    one.size == part.body.len() as u64 && one.crc64nvme == Some(part.crc64nvme)
                };
                match kept {
                    Some(kept) => {
                        let from = of_number.iter().find(|one| one.etag == kept.etag).unwrap();
                        assert!(same(from), "{from:?} is not {part:?}");
                        assert_eq!((kept.number, kept.size), (part.number, from.size));
                        assert_eq!(kept.crc64nvme, part.crc64nvme);
                    }
                    // A number that is listed twice may be sent again.
                    None => assert!(of_number.len() > 1 || !of_number.iter().any(same)),
                }
            }
        }
        (None, Ok(begun)) => {
            assert!(!begun.resumed && begun.id.0 == NEW && !(input.insist && refused));
            assert_eq!(created, [begun.nonce]);
            assert!(begun.kept.iter().all(Option::is_none));
            // It says what it is, so that it can be gone on with.
            let stored: Vec<ListedPart> = sent
                .iter()
                .map(|part| ListedPart {
                    number: part.number,
                    size: part.body.len() as u64,
                    etag: String::new(),
                    crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &part.body)),
                    at: now,
                })
                .collect();
            assert_eq!(stored.len(), 2);
            assert_eq!(upload::read(&stored), Some((wanted, begun.nonce)));
        }
        (None, Err(Cause::Resume(_))) => {
            assert!(input.insist && refused && created.is_empty());
        }
        (_, Err(cause)) => panic!("{cause:?}"),
    }
});
