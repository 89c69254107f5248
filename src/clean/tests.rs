use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use super::*;
use crate::aws::s3::UploadId;

/// Uploads in memory, in pages of two.
#[derive(Default)]
struct Fake {
    uploads: Mutex<Vec<UnfinishedUpload>>,
    /// Ids, and what is answered when they are listed or aborted.
    refuses_parts: Vec<(&'static str, &'static str)>,
    refuses_abort: Vec<(&'static str, &'static str)>,
    endless: bool,
}

const DAY: u64 = 86_400;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn fake(uploads: &[(&str, &str, Option<u64>)]) -> Fake {
    let uploads = uploads.iter().map(|(key, id, initiated)| UnfinishedUpload {
        key: (*key).to_owned(),
        id: UploadId((*id).to_owned()),
        initiated: initiated.map(at),
    });
    Fake {
        uploads: Mutex::new(uploads.collect()),
        ..Fake::default()
    }
}

fn refused(
    list: &[(&'static str, &'static str)],
    upload: &UnfinishedUpload,
) -> Result<(), CallError> {
    match list.iter().find(|(id, _)| *id == upload.id.0) {
        Some((_, code)) => Err(CallError::refused("Fake", Some(code), None)),
        None => Ok(()),
    }
}

impl Uploads for Fake {
    async fn list(&self, after: Option<&UploadMarker>) -> Result<UploadPage, CallError> {
        let uploads = self.uploads.lock().unwrap();
        let mut rest = uploads.iter().filter(|upload| {
            let place = (&upload.key, Some(&upload.id.0));
            after.is_none_or(|after| place > (&after.key, after.id.as_ref()))
        });
        let page: Vec<UnfinishedUpload> = rest.by_ref().take(2).cloned().collect();
        let last = page.last().map(|last| UploadMarker {
            key: last.key.clone(),
            id: Some(last.id.0.clone()),
        });
        let next = if self.endless {
            Some(UploadMarker {
                key: "x".into(),
                id: None,
            })
        } else {
            last.filter(|_| rest.next().is_some())
        };
        Ok(UploadPage {
            uploads: page,
            next,
        })
    }

    async fn held(&self, upload: &UnfinishedUpload) -> Result<Held, CallError> {
        refused(&self.refuses_parts, upload)?;
        Ok(Held {
            parts: 2,
            bytes: 100,
        })
    }

    async fn abort(&self, upload: &UnfinishedUpload) -> Result<(), CallError> {
        refused(&self.refuses_abort, upload)?;
        self.uploads.lock().unwrap().retain(|other| other != upload);
        Ok(())
    }
}

fn options(prefix: &str, now: u64, dry_run: bool) -> Options {
    Options {
        prefix: prefix.to_owned(),
        older_than: Duration::from_secs(DAY),
        now: at(now),
        dry_run,
    }
}

/// Cleans, and returns ids, ends and totals.
async fn cleaned(fake: &Fake, options: &Options) -> (Vec<(String, End)>, Totals) {
    let mut found = Vec::new();
    let mut each = |stale: &Stale| found.push((stale.upload.id.0.clone(), stale.end.clone()));
    let totals = clean(fake, options, &mut each).await.unwrap();
    (found, totals)
}

fn left(fake: &Fake) -> Vec<String> {
    let uploads = fake.uploads.lock().unwrap();
    uploads.iter().map(|upload| upload.id.0.clone()).collect()
}

#[tokio::test]
async fn only_uploads_that_are_old_enough_are_aborted_on_every_page() {
    let fake = fake(&[
        ("a", "1", Some(1000)),
        ("a", "2", Some(1001)),
        ("b", "3", None),
        ("c", "4", Some(999)),
        // The store's clock is ahead, so the upload has no age.
        ("d", "5", Some(10 * DAY)),
        ("e", "6", Some(0)),
    ]);
    let (found, totals) = cleaned(&fake, &options("", 1000 + DAY, true)).await;
    let would = |id: &str| (id.to_owned(), End::Would);
    assert_eq!(found, ["1", "4", "6"].map(would));
    assert_eq!(left(&fake).len(), 6);

    let (found, again) = cleaned(&fake, &options("", 1000 + DAY, false)).await;
    let aborted = |id: &str| (id.to_owned(), End::Aborted);
    assert_eq!(found, ["1", "4", "6"].map(aborted));
    assert_eq!(left(&fake), ["2", "3", "5"]);
    assert_eq!(again, totals);
    let held = Held {
        parts: 6,
        bytes: 300,
    };
    let expected = Totals {
        aborted: 3,
        held,
        kept: 3,
        ..Totals::default()
    };
    assert_eq!(totals, expected);
    let (found, _) = cleaned(&fake, &options("", 1001 + DAY, false)).await;
    assert_eq!(found, ["2"].map(aborted));
}

/// Some stores ignore the prefix of a list.
#[tokio::test]
async fn uploads_whose_keys_lack_the_prefix_stay() {
    let fake = fake(&[
        ("app", "1", Some(0)),
        ("app/x", "2", Some(0)),
        ("apple", "3", Some(0)),
        ("other", "4", Some(0)),
    ]);
    let (found, totals) = cleaned(&fake, &options("app/", 2 * DAY, false)).await;
    assert_eq!(found, [("2".to_owned(), End::Aborted)]);
    assert_eq!((left(&fake).len(), totals.kept), (3, 0));
}

#[tokio::test]
async fn an_upload_that_cannot_be_aborted_is_reported_and_the_others_are_aborted() {
    let fake = Fake {
        refuses_parts: vec![("1", "AccessDenied"), ("2", "NoSuchUpload")],
        refuses_abort: vec![("3", "AccessDenied"), ("4", "NoSuchUpload")],
        ..fake(&[
            ("a", "1", Some(0)),
            ("b", "2", Some(0)),
            ("c", "3", Some(0)),
            ("d", "4", Some(0)),
            ("e", "5", Some(0)),
        ])
    };
    let (found, totals) = cleaned(&fake, &options("", 2 * DAY, false)).await;
    let denied = CallError::refused("Fake", Some("AccessDenied"), None);
    let ends: Vec<End> = found.into_iter().map(|(_, end)| end).collect();
    let expected = [
        End::Aborted,
        End::Gone,
        End::Failed(denied),
        End::Gone,
        End::Aborted,
    ];
    assert_eq!(ends, expected);
    let expected = Totals {
        aborted: 2,
        held: Held {
            parts: 2,
            bytes: 100,
        },
        unknown: 1,
        gone: 2,
        failed: 1,
        kept: 0,
    };
    assert_eq!(totals, expected);
}

#[tokio::test]
async fn a_list_that_does_not_advance_is_an_error() {
    let fake = Fake {
        endless: true,
        ..fake(&[])
    };
    let options = options("", DAY, false);
    let error = clean(&fake, &options, &mut |_| ()).await.unwrap_err();
    assert!(
        error.to_string().contains("goes on where it began"),
        "{error}"
    );
}
