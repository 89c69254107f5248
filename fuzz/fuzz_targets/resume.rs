//! Which unfinished upload a push resumes, and which of its parts it does not send again, against the rules
//! in plain code. Lists of uploads and parts are whatever a store may say: those of another program, of two
//! pushes, in any order.

#![no_main]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use crc_fast::CrcAlgorithm;
use hoist::archive::pack::{LinkFeedback, Part};
use hoist::aws::call::Attempts;
use hoist::aws::error::CallError;
use hoist::aws::s3::{
    Copied, CopySource, ListedPart, Nonce, ObjectHead, Stored, UnfinishedUpload, UploadId,
    UploadedPart,
};
use hoist::cancel::Cancel;
use hoist::notes::Notes;
use hoist::progress::Progress;
use hoist::transfer::{
    Cause, CleanupHint, Lookup, Options, PartStore, Resume, UploadContext, UploadFingerprint,
    transfer,
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    insist: bool,
    fingerprint: [u16; 3],
    part_size: u8,
    uploads: Vec<Unfinished>,
    pushed: Vec<Pushed>,
}

#[derive(Arbitrary, Debug)]
struct Unfinished {
    at: At,
    /// Its fingerprint: which of the four digests differ, and the nonce.
    fingerprint: Option<([bool; 4], u64)>,
    fingerprint_last: bool,
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
    /// If it is not the usual one.
    size: Option<u8>,
    crc: Crc,
}

#[derive(Arbitrary, Debug)]
enum At {
    Untold,
    Now,
    Before(u8),
    Any(u32),
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
    Fingerprint,
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
    /// Never near the age below which an upload counts as recent.
    fn at(&self, now: u64) -> Option<SystemTime> {
        let seconds = match self {
            Self::Untold => return None,
            Self::Now => now,
            Self::Before(hours) => now - 3600 * (u64::from(*hours) + 1),
            Self::Any(at) if (now - 600..now + 600).contains(&u64::from(*at)) => now,
            Self::Any(at) => u64::from(*at),
        };
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
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

/// A store with unfinished uploads, and what a push did to it.
struct Store {
    uploads: Vec<(UnfinishedUpload, Vec<ListedPart>, bool)>,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    created: Vec<Nonce>,
    sent: Vec<(UploadId, Part)>,
    completed: Option<(UploadId, Vec<UploadedPart>)>,
}

const NEW: &str = "new";
const SENT: &str = "sent";

fn headers() -> Vec<(String, String)> {
    vec![("x-amz-acl".into(), "private".into())]
}

fn error(operation: &'static str, code: &str) -> CallError {
    CallError {
        operation,
        code: Some(code.into()),
        message: String::new(),
    }
}

impl PartStore for Store {
    async fn put(&self, _: &Part, _: Nonce, _: &Attempts) -> Result<Stored, CallError> {
        unreachable!("it is a multipart upload")
    }

    async fn create(&self, nonce: Nonce, _: &Attempts) -> Result<UploadId, CallError> {
        self.done.lock().unwrap().created.push(nonce);
        Ok(UploadId(NEW.into()))
    }

    async fn send(
        &self,
        upload: &UploadId,
        part: &Part,
        _: &Attempts,
    ) -> Result<UploadedPart, CallError> {
        let mut done = self.done.lock().unwrap();
        done.sent.push((upload.clone(), part.clone()));
        Ok(UploadedPart {
            number: part.number,
            size: part.body.len() as u64,
            etag: SENT.into(),
            crc64nvme: part.crc64nvme,
            crc32: None,
        })
    }

    async fn complete(
        &self,
        upload: &UploadId,
        parts: &[UploadedPart],
        _: &Attempts,
    ) -> Result<Stored, CallError> {
        self.done.lock().unwrap().completed = Some((upload.clone(), parts.to_vec()));
        Ok(Stored {
            etag: String::new(),
            version: None,
        })
    }

    async fn copy(
        &self,
        _: &CopySource,
        _: u64,
        _: Nonce,
        _: &Attempts,
    ) -> Result<Copied, CallError> {
        unreachable!("nothing is copied")
    }

    async fn copy_part(
        &self,
        _: &UploadId,
        _: &CopySource,
        _: Option<u64>,
        _: &UploadedPart,
        _: &Attempts,
    ) -> Result<Copied, CallError> {
        unreachable!("nothing is copied")
    }

    fn as_source(&self, _: &Stored) -> CopySource {
        unreachable!("nothing is copied")
    }

    fn keeps_existing(&self) -> bool {
        false
    }

    async fn abort(&self, _: &UploadId) -> Result<(), CallError> {
        unreachable!("no upload is aborted")
    }
}

impl Lookup for Store {
    async fn uploads(&self) -> Result<Vec<UnfinishedUpload>, CallError> {
        Ok(self.uploads.iter().map(|(one, ..)| one.clone()).collect())
    }

    async fn parts(&self, upload: &UploadId) -> Result<Vec<ListedPart>, CallError> {
        let mut uploads = self.uploads.iter();
        let (_, parts, denied) = uploads.find(|(one, ..)| one.id == *upload).unwrap();
        if *denied {
            return Err(error("ListParts", "AccessDenied"));
        }
        Ok(parts.clone())
    }

    async fn head(&self) -> Result<Option<ObjectHead>, CallError> {
        unreachable!("every answer comes")
    }

    fn creation_headers(&self) -> Vec<(String, String)> {
        headers()
    }
}

/// A fingerprint as a store lists it.
fn listed(fingerprint: UploadFingerprint, nonce: Nonce, at: Option<SystemTime>) -> [ListedPart; 2] {
    fingerprint.parts(nonce).map(|part| ListedPart {
        number: part.number,
        size: part.body.len() as u64,
        etag: "fingerprint".into(),
        crc64nvme: Some(part.crc64nvme),
        modified: at,
    })
}

/// The rules in plain code.
enum Verdict {
    /// The upload counts as if it were not there.
    Empty,
    Refused,
    /// Whether the plan is the same, and how many bytes are stored.
    Good(bool, u64),
}

fn judge(
    parts: &[ListedPart],
    at: Option<SystemTime>,
    now: u64,
    wanted: &UploadFingerprint,
    part_size: u64,
    insist: bool,
) -> Verdict {
    let crc_of = |number| {
        let part = parts.iter().find(|part| part.number == number)?;
        (part.size == 8).then_some(part.crc64nvme?)
    };
    let stored = crc_of(9_999).zip(crc_of(10_000));
    let read = UploadFingerprint::read(parts);
    assert_eq!(read.is_some(), stored.is_some());
    let archive: Vec<_> = parts.iter().filter(|part| part.number < 9_999).collect();
    let Some((fingerprint, nonce)) = read else {
        return if archive.is_empty() {
            Verdict::Empty
        } else {
            Verdict::Refused
        };
    };
    // What was read has those checksums.
    let [one, other] = listed(fingerprint, nonce, None);
    assert_eq!(one.crc64nvme.zip(other.crc64nvme), stored);

    let last = archive.iter().map(|part| part.number).max();
    let sizes = archive.iter().all(|part| {
        if Some(part.number) == last {
            part.size <= part_size
        } else {
            part.size == part_size
        }
    });
    let recent = UNIX_EPOCH + Duration::from_secs(now - 120);
    let mut times = parts.iter().map(|part| part.modified).chain([at]).flatten();
    let is_left = insist || times.all(|time| time < recent);
    let same = (
        fingerprint.program,
        fingerprint.options,
        fingerprint.headers,
    ) == (wanted.program, wanted.options, wanted.headers);
    if sizes && is_left && same {
        let bytes = archive.iter().map(|part| part.size).sum();
        Verdict::Good(fingerprint.plan == wanted.plan, bytes)
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
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let part_size = u64::from(input.part_size);
    let [program, options, plan] = input.fingerprint;
    let wanted = UploadFingerprint {
        program,
        options,
        headers: 0,
        plan,
    };
    let wanted = wanted.with_headers(&headers());
    let uploads = input.uploads.iter().take(24).enumerate();
    let uploads = uploads.map(|(place, upload)| {
        let at = upload.at.at(now);
        let stored = upload.parts.iter().take(12).enumerate();
        let mut parts: Vec<ListedPart> = stored
            .map(|(nth, stock)| ListedPart {
                number: stock.number.number(),
                size: match stock.size {
                    Size::Whole => part_size,
                    Size::Fingerprint => 8,
                    Size::Less(less) => part_size.saturating_sub(less.into()),
                    Size::Any(size) => size >> 8,
                },
                etag: format!("{place} {nth}"),
                crc64nvme: stock.crc.as_ref().map(Crc::crc),
                modified: stock.at.at(now),
            })
            .collect();
        if let Some((others, nonce)) = &upload.fingerprint {
            let [program, options, headers, plan] = others.map(u16::from);
            let fingerprint = UploadFingerprint {
                program: wanted.program ^ program,
                options: wanted.options ^ options,
                headers: wanted.headers ^ headers,
                plan: wanted.plan ^ plan,
            };
            let nonce = format!("{nonce:x}").parse().unwrap();
            let place = if upload.fingerprint_last {
                parts.len()
            } else {
                0
            };
            parts.splice(place..place, listed(fingerprint, nonce, at));
        }
        let unfinished = UnfinishedUpload {
            key: "key".into(),
            id: UploadId(place.to_string()),
            initiated: at,
        };
        (unfinished, parts, upload.denied)
    });
    let store = Arc::new(Store {
        uploads: uploads.collect(),
        done: Mutex::default(),
    });
    let resume = Resume {
        insist: input.insist,
        // The store knows the headers.
        fingerprint: UploadFingerprint {
            headers: !wanted.headers,
            ..wanted
        },
        part_size,
    };
    let part = |part: &Pushed| Part {
        number: part.number.number(),
        body: vec![0; part.size.unwrap_or(input.part_size).into()].into(),
        crc64nvme: part.crc.crc(),
        last: false,
    };
    let pushed = input.pushed.iter().take(16).map(part);
    let pushed: BTreeMap<u32, Part> = pushed.map(|part| (part.number, part)).collect();
    let mut pushed: Vec<Part> = pushed.into_values().collect();
    match pushed.last_mut() {
        // A single part that is the first would be put.
        Some(last) if last.number != 1 => last.last = true,
        _ => return,
    }

    // The newest twenty are looked at, and of those that are equally good the newest is taken.
    let mut newest: Vec<_> = store.uploads.iter().collect();
    newest.sort_by_key(|(one, ..)| Reverse(one.initiated.unwrap_or(UNIX_EPOCH)));
    let (mut best, mut refused): (Option<(bool, u64, &str)>, _) = (None, false);
    for (one, parts, denied) in newest.into_iter().take(20) {
        let verdict = if *denied {
            Verdict::Refused
        } else {
            judge(parts, one.initiated, now, &wanted, part_size, input.insist)
        };
        match verdict {
            Verdict::Empty => {}
            Verdict::Refused => refused = true,
            Verdict::Good(plan, bytes) => {
                if best.is_none_or(|(same, most, _)| (plan, bytes) > (same, most)) {
                    best = Some((plan, bytes, &one.id.0));
                }
            }
        }
    }

    let uploaded = RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (sender, parts) = tokio::sync::mpsc::channel(16);
            for part in &pushed {
                sender.try_send(part.clone()).unwrap();
            }
            let options = Options {
                concurrency: 2,
                bandwidth: None,
                resume: Some(resume),
                is_shared: false,
            };
            let context = UploadContext {
                progress: &Progress::new(),
                cancel: &Cancel::new(),
                notes: &Notes::default(),
                cleanup: &CleanupHint::default(),
                link: &LinkFeedback::new(),
            };
            let sent = transfer(Arc::clone(&store), parts, &options, context).await?;
            sent.complete(context).await
        })
    });
    let Done {
        created,
        sent,
        completed,
    } = std::mem::take(&mut *store.done.lock().unwrap());
    if let Err(error) = &uploaded {
        assert!(matches!(error.cause, Cause::NotResumed(_)), "{error}");
        assert!(best.is_none() && input.insist && refused && created.is_empty());
        return;
    }
    let (id, parts) = completed.unwrap();
    assert_eq!(parts.len(), pushed.len());
    assert!(sent.iter().all(|(upload, _)| *upload == id));
    let Some((_, _, best)) = best else {
        assert!(id.0 == NEW && !(input.insist && refused));
        // The new upload gets a fingerprint first, so that it can be resumed.
        let stored: Vec<ListedPart> = sent[..2]
            .iter()
            .map(|(_, part)| ListedPart {
                number: part.number,
                size: part.body.len() as u64,
                etag: String::new(),
                crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &part.body)),
                modified: None,
            })
            .collect();
        assert_eq!(UploadFingerprint::read(&stored), Some((wanted, created[0])));
        assert_eq!((sent.len(), created.len()), (pushed.len() + 2, 1));
        return;
    };
    assert!(id.0 == best && created.is_empty(), "{}", id.0);
    let (_, stored, _) = store.uploads.iter().find(|(one, ..)| one.id == id).unwrap();
    for (part, uploaded) in pushed.iter().zip(parts) {
        assert_eq!(uploaded.number, part.number);
        assert_eq!(uploaded.size, part.body.len() as u64);
        assert_eq!(uploaded.crc64nvme, part.crc64nvme);
        let of_number: Vec<_> = stored
            .iter()
            .filter(|one| one.number == part.number && one.number < 9_999)
            .collect();
        let same = |one: &&ListedPart| {
            one.size == part.body.len() as u64 && one.crc64nvme == Some(part.crc64nvme)
        };
        if uploaded.etag == SENT {
            // A number that is listed twice may be sent again.
            assert!(of_number.len() > 1 || !of_number.iter().any(same));
        } else {
            let mut of_number = of_number.iter();
            let from = of_number.find(|one| one.etag == uploaded.etag).unwrap();
            assert!(same(from), "{from:?} is not {part:?}");
        }
    }
});
