//! What a command is doing at one time, from its counters: the truth that a display then writes down.
//!
//! The progress of a push is that of its sending, since that is what takes long and what its user waits
//! for. How large the archive will be is estimated from what has been packed, until it is known.

use hoist::progress::{Phase, Snapshot};

/// What a command is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Which of several runs it is, or nothing.
    pub(crate) label: String,
    /// A higher number means that the counts began at zero again.
    pub(crate) round: u64,
    pub(crate) doing: Doing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Something that cannot be measured. The longest text that fits is shown.
    Text(Vec<String>),
    /// It is being stopped. The longest text that fits is shown.
    Stopping(Vec<String>),
    Bytes(Amount),
    /// Things that end one by one, such as the instances of a deployment.
    #[cfg(feature = "push")]
    Counted(Counted),
}

/// How many of some things have ended.
#[cfg(feature = "push")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) done: u64,
    pub(crate) total: u64,
    /// What is said of them. The longest text that fits is shown.
    pub(crate) texts: Vec<String>,
}

/// How much of the bytes is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    /// What is done with the bytes: `sent`, for example.
    pub(crate) verb: &'static str,
    /// What was begun with, or done: of a part that is being sent, what was handed to the connection.
    pub(crate) done: u64,
    /// How much of it is certainly done.
    pub(crate) confirmed: u64,
    /// How much of that an earlier command did, which says nothing about the rate.
    pub(crate) kept: u64,
    pub(crate) total: u64,
    /// Whether the total is known, rather than estimated.
    pub(crate) exact: bool,
    /// Whether nothing is left to do with the bytes.
    pub(crate) complete: bool,
    /// Files packed, of how many.
    pub(crate) files: Option<(u64, u64)>,
    /// What is waited for after that.
    pub(crate) then: Option<&'static str>,
}

impl View {
    pub(crate) fn of(doing: Doing) -> Self {
        Self {
            label: String::new(),
            round: 0,
            doing,
        }
    }

    /// A push.
    pub(crate) fn push(now: &Snapshot) -> Self {
        Self {
            round: now.restarts,
            ..Self::of(match now.phase {
                Phase::Listing => Doing::text("listing files"),
                Phase::Checking => Doing::texts(&["checking the destination", "checking"]),
                Phase::Sending => sending(now),
                Phase::Copying => copying(now),
                Phase::Verifying => Self::reading(now).doing,
                Phase::Registering => Doing::texts(&["registering the revision", "registering"]),
            })
        }
    }

    /// Packing without sending.
    pub(crate) fn pack(now: &Snapshot) -> Self {
        Self::of(match now.phase {
            Phase::Listing | Phase::Checking => Doing::text("listing files"),
            _ => {
                let complete = now.files_packed >= now.files_planned;
                Doing::Bytes(Amount {
                    verb: "packed",
                    done: now.bytes_packed.min(now.bytes_planned),
                    confirmed: now.bytes_packed.min(now.bytes_planned),
                    kept: 0,
                    total: now.bytes_planned,
                    exact: true,
                    complete,
                    files: Some((now.files_packed, now.files_planned)),
                    then: complete.then_some("finishing the archive"),
                })
            }
        })
    }

    /// Reading an archive back.
    pub(crate) fn reading(now: &Snapshot) -> Self {
        let total = now.bytes_to_read;
        let done = (now.bytes_read + now.bytes_under_way).min(total);
        Self::of(if total == 0 {
            Doing::text("looking at the archive")
        } else {
            Doing::Bytes(Amount {
                verb: "verified",
                done,
                confirmed: done,
                kept: 0,
                total,
                exact: true,
                complete: now.bytes_read >= total,
                files: None,
                then: None,
            })
        })
    }

    /// A command that is being stopped, by a signal or not, with an upload to abort or not.
    pub(crate) fn stopping(by_signal: bool, upload: bool) -> Self {
        let texts: &[&str] = match (upload, by_signal) {
            (true, true) => &[
                "stopping: aborting the upload, Ctrl-C again to leave it",
                "stopping, Ctrl-C again to leave it",
                "stopping",
            ],
            (true, false) => &["stopping: aborting the upload", "stopping"],
            (false, true) => &["stopping, Ctrl-C again to end at once", "stopping"],
            (false, false) => &["stopping"],
        };
        Self::of(Doing::Stopping(owned(texts)))
    }
}

impl Doing {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(vec![text.into()])
    }

    /// The longest text comes first.
    fn texts(texts: &[&str]) -> Self {
        Self::Text(owned(texts))
    }
}

/// S3 copies objects by itself.
fn copying(now: &Snapshot) -> Doing {
    let (total, done) = (now.bytes_to_copy, now.bytes_copied);
    if total == 0 {
        return Doing::texts(&["copying the object in S3", "copying"]);
    }
    Doing::Bytes(Amount {
        verb: "copied in S3",
        done,
        confirmed: done,
        kept: 0,
        total,
        exact: true,
        complete: done >= total,
        files: None,
        then: (done >= total).then_some("waiting for S3"),
    })
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn sending(now: &Snapshot) -> Doing {
    let (archive, exact) = match now.archive {
        Some(archive) => (archive, true),
        None => (estimate(now), false),
    };
    // Each upload sends the archive once.
    let total = archive.saturating_mul(now.uploads.max(1));
    let done = (now.bytes_sent + now.bytes_under_way).min(total);
    Doing::Bytes(Amount {
        verb: "sent",
        done,
        confirmed: now.bytes_sent.min(total),
        kept: now.bytes_kept.min(now.bytes_sent).min(total),
        total,
        exact,
        complete: exact && now.bytes_sent >= total,
        files: Some((now.files_packed, now.files_planned)),
        then: exact.then_some("waiting for S3"),
    })
}

/// What an entry takes besides its content, about. It also lets a tree of empty files have a length.
const ENTRY: u64 = 128;

/// So much of the plan is taken to compress to a half, besides what has been packed: the first files say
/// little about all of them.
const UNKNOWN: (u64, u64) = (256 << 10, 32 << 20);

/// The length that the whole archive will have, if the rest compresses as well as what has been packed.
fn estimate(now: &Snapshot) -> u64 {
    let weight = |bytes: u64, files: u64| bytes.saturating_add(files.saturating_mul(ENTRY));
    let planned = weight(now.bytes_planned, now.files_planned);
    let packed = weight(now.bytes_packed, now.files_packed).min(planned);
    let unknown = (planned / 50).clamp(UNKNOWN.0, UNKNOWN.1);
    let ratio = (now.bytes_out as f64 + unknown as f64 / 2.0) / (packed + unknown) as f64;
    let rest = (planned - packed) as f64 * ratio;
    // Rounds, and ends at the largest number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rest = rest as u64;
    now.bytes_out.saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn packing(packed: u64, out: u64) -> Snapshot {
        Snapshot {
            phase: Phase::Sending,
            files_planned: 1000,
            bytes_planned: 1000 * MIB,
            files_packed: packed / MIB,
            bytes_packed: packed,
            bytes_out: out,
            ..Snapshot::default()
        }
    }

    fn amount(view: View) -> Amount {
        match view.doing {
            Doing::Bytes(amount) => amount,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_estimate_follows_the_ratio_so_far_and_does_not_trust_the_first_files() {
        let of = |packed, out| estimate(&packing(packed * MIB, out * MIB)) / MIB;
        assert_eq!(of(0, 0), 500);
        // A first file that does not compress at all is one of a thousand.
        assert!((450..560).contains(&of(1, 1)), "{}", of(1, 1));
        assert!((200..215).contains(&of(500, 100)), "{}", of(500, 100));
        assert_eq!(of(1000, 200), 200);
    }

    #[test]
    fn a_tree_of_empty_files_has_an_estimate() {
        let now = Snapshot {
            phase: Phase::Sending,
            files_planned: 10_000,
            files_packed: 5_000,
            bytes_out: 500_000,
            ..Snapshot::default()
        };
        let total = estimate(&now);
        assert!((900_000..1_100_000).contains(&total), "{total}");
    }

    #[test]
    fn what_is_done_is_what_was_sent_and_never_more_than_the_total() {
        let now = Snapshot {
            bytes_sent: 80 * MIB,
            bytes_under_way: 5 * MIB,
            ..packing(500 * MIB, 100 * MIB)
        };
        let shown = amount(View::push(&now));
        assert_eq!(
            (shown.verb, shown.done, shown.exact),
            ("sent", 85 * MIB, false)
        );
        assert_eq!((shown.confirmed, shown.then), (80 * MIB, None));
        let over = Snapshot {
            bytes_under_way: 900 * MIB,
            ..now
        };
        let shown = amount(View::push(&over));
        assert_eq!(shown.done, shown.total);
        assert!(!shown.complete);
    }

    #[test]
    fn with_several_uploads_the_total_is_the_archive_once_for_each() {
        let now = Snapshot {
            archive: Some(200 * MIB),
            bytes_sent: 500 * MIB,
            uploads: 3,
            ..packing(1000 * MIB, 200 * MIB)
        };
        let shown = amount(View::push(&now));
        assert_eq!((shown.done, shown.total), (500 * MIB, 600 * MIB));
        assert!(!shown.complete);
    }

    #[test]
    fn s3_is_waited_for_after_a_known_archive_and_complete_means_confirmed() {
        let handed_over = Snapshot {
            archive: Some(200 * MIB),
            bytes_sent: 192 * MIB,
            bytes_under_way: 8 * MIB,
            ..packing(1000 * MIB, 200 * MIB)
        };
        let shown = amount(View::push(&handed_over));
        assert_eq!(
            (shown.then, shown.complete),
            (Some("waiting for S3"), false)
        );
        let confirmed = Snapshot {
            bytes_sent: 200 * MIB,
            bytes_under_way: 0,
            ..handed_over
        };
        let shown = amount(View::push(&confirmed));
        assert_eq!((shown.then, shown.complete), (Some("waiting for S3"), true));
    }

    #[test]
    fn copies_show_how_much_s3_has_copied() {
        let now = Snapshot {
            phase: Phase::Copying,
            bytes_to_copy: 300,
            bytes_copied: 100,
            ..Snapshot::default()
        };
        let shown = amount(View::push(&now));
        assert_eq!((shown.done, shown.total, shown.complete), (100, 300, false));
        let all = Snapshot {
            bytes_copied: 300,
            ..now
        };
        assert!(amount(View::push(&all)).complete);
    }

    #[test]
    fn every_phase_of_a_push_has_its_words() {
        for (phase, text) in [
            (Phase::Listing, "listing files"),
            (Phase::Checking, "checking the destination"),
            (Phase::Copying, "copying the object in S3"),
            (Phase::Verifying, "looking at the archive"),
            (Phase::Registering, "registering the revision"),
        ] {
            let now = Snapshot {
                phase,
                ..Snapshot::default()
            };
            let Doing::Text(texts) = View::push(&now).doing else {
                panic!("{phase:?}");
            };
            assert_eq!(texts[0], text);
        }
        let now = Snapshot {
            phase: Phase::Verifying,
            bytes_to_read: 100,
            bytes_read: 70,
            bytes_under_way: 40,
            ..Snapshot::default()
        };
        let shown = amount(View::push(&now));
        assert_eq!(
            (shown.verb, shown.done, shown.complete),
            ("verified", 100, false)
        );
    }

    #[test]
    fn the_text_of_a_stop_names_only_what_is_true() {
        let of = |by_signal, upload| match View::stopping(by_signal, upload).doing {
            Doing::Stopping(texts) => texts[0].clone(),
            other => panic!("{other:?}"),
        };
        assert!(of(true, true).ends_with("Ctrl-C again to leave it"));
        assert!(!of(false, true).contains("Ctrl-C"));
        assert!(!of(true, false).contains("upload"));
        assert_eq!(of(false, false), "stopping");
    }
}
