//! How far a push is and where its time goes: counters that the stages of a push raise and that any
//! thread may read.
//!
//! - [`Snapshot`]: counts, for the progress bar and for the queues between stages.
//! - [`Totals`]: how long each stage worked and how long it waited for another.
//! - [`Span`]: one job, request or wait, for a timeline.
//!
//! A push never waits for a counter and never decides by one. Counters are read one by one, so that a
//! [`Snapshot`] of a running push may be inconsistent by the work of a moment. Clocks are read per job
//! and per part, never per byte, so that measuring is always on: it costs two or three clock readings
//! a file, below a tenth of a percent of what opening one costs.

mod phase;
mod stages;
mod trace;
mod under_way;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use self::phase::Phase;
pub(crate) use self::stages::Laps;
pub use self::stages::{Stage, StageTotal, Totals, Wait};
pub use self::trace::{Span, Track};
#[cfg(feature = "push")]
pub(crate) use self::under_way::BodyUnderWay;
pub use self::under_way::UnderWay;

use self::phase::Current;
use self::stages::{Stages, nanos};
use self::trace::Trace;

/// The counters of one push.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    phase: Current,
    counts: Counts,
    under_way: UnderWay,
    stages: Stages,
    trace: Option<Trace>,
}

#[derive(Debug, Default)]
struct Counts {
    files_planned: AtomicU64,
    bytes_planned: AtomicU64,
    files_packed: AtomicU64,
    bytes_packed: AtomicU64,
    bytes_out: AtomicU64,
    /// The length of the archive plus one, once it is known; else 0.
    archive_end: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_kept: AtomicU64,
    bytes_to_copy: AtomicU64,
    bytes_copied: AtomicU64,
    bytes_to_read: AtomicU64,
    bytes_read: AtomicU64,
    beginnings: AtomicU64,
    uploads: AtomicU64,
    budget_used: AtomicU64,
    tickets: AtomicU64,
    parts_cut: AtomicU64,
    parts_taken: AtomicU64,
    parts_sent: AtomicU64,
    level: AtomicU64,
}

/// What the counters said at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Time since the counters were made.
    pub at: Duration,
    /// What the push is doing.
    pub phase: Phase,
    /// How often the upload began again, with the counts of files, bytes and parts at zero.
    pub restarts: u64,
    /// Files that will go in.
    pub files_planned: u64,
    /// Their content, in bytes.
    pub bytes_planned: u64,
    /// Files that are in the archive.
    pub files_packed: u64,
    /// The content that is in the archive, in bytes before compression. A large file counts chunk
    /// by chunk.
    pub bytes_packed: u64,
    /// Bytes of the archive made so far.
    pub bytes_out: u64,
    /// The length of the whole archive, once it is known.
    pub archive: Option<u64>,
    /// How many uploads send the archive, at least 1. What is sent, waits or is under way is their sum, so
    /// that all is sent when that is the archive once for each.
    pub uploads: u64,
    /// Bytes of the archive that the store has confirmed.
    pub bytes_sent: u64,
    /// How many of the confirmed bytes an earlier push had sent.
    pub bytes_kept: u64,
    /// Bytes that were handed to a connection and are not confirmed, or that came of an answer that is
    /// not complete. A repeated request takes its bytes back.
    pub bytes_under_way: u64,
    /// Bytes that the store is to copy by itself; 0 until that is known.
    pub bytes_to_copy: u64,
    /// How many of them it has copied.
    pub bytes_copied: u64,
    /// The size of the objects that are read back; 0 until it is known.
    pub bytes_to_read: u64,
    /// How many bytes of them were read.
    pub bytes_read: u64,
    /// Bytes of input that are being compressed, or wait to be written.
    pub budget_used: u64,
    /// Jobs that were given to workers and that the assembler has not asked for yet.
    pub tickets: u64,
    /// Parts that wait for a request.
    pub parts_waiting: u64,
    /// Parts that are being sent.
    pub parts_in_flight: u64,
    /// Parts that the store has confirmed.
    pub parts_sent: u64,
    /// The level that jobs compress at now.
    pub level: u8,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            phase: Current::default(),
            counts: Counts::default(),
            under_way: UnderWay::default(),
            stages: Stages::default(),
            trace: None,
        }
    }
}

impl Progress {
    /// Counters at zero. Time counts from now.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counters that also keep a [`Span`] of each job, request and wait: about 64 bytes for each.
    #[must_use]
    pub fn traced() -> Self {
        Self {
            trace: Some(Trace::default()),
            ..Self::default()
        }
    }

    /// What the counters say now.
    pub fn snapshot(&self) -> Snapshot {
        let counts = &self.counts;
        let parts_cut = counts.parts_cut.load(Relaxed);
        let parts_taken = counts.parts_taken.load(Relaxed);
        let parts_sent = counts.parts_sent.load(Relaxed);
        let uploads = counts.uploads.load(Relaxed).max(1);
        Snapshot {
            at: self.started.elapsed(),
            phase: self.phase.get(),
            restarts: counts.beginnings.load(Relaxed).saturating_sub(1),
            files_planned: counts.files_planned.load(Relaxed),
            bytes_planned: counts.bytes_planned.load(Relaxed),
            files_packed: counts.files_packed.load(Relaxed),
            bytes_packed: counts.bytes_packed.load(Relaxed),
            bytes_out: counts.bytes_out.load(Relaxed),
            archive: counts.archive_end.load(Relaxed).checked_sub(1),
            uploads,
            bytes_sent: counts.bytes_sent.load(Relaxed),
            bytes_kept: counts.bytes_kept.load(Relaxed),
            bytes_under_way: self.under_way.bytes(),
            bytes_to_copy: counts.bytes_to_copy.load(Relaxed),
            bytes_copied: counts.bytes_copied.load(Relaxed),
            bytes_to_read: counts.bytes_to_read.load(Relaxed),
            bytes_read: counts.bytes_read.load(Relaxed),
            budget_used: counts.budget_used.load(Relaxed),
            tickets: counts.tickets.load(Relaxed),
            parts_waiting: (parts_cut * uploads).saturating_sub(parts_taken),
            parts_in_flight: parts_taken.saturating_sub(parts_sent),
            parts_sent,
            level: u8::try_from(counts.level.load(Relaxed)).unwrap_or(u8::MAX),
        }
    }

    /// How long each stage has worked and waited so far.
    pub fn totals(&self) -> Totals {
        self.stages.totals()
    }

    /// The spans so far, in no particular order. Always empty unless made by
    /// [`traced`](Self::traced).
    pub fn spans(&self) -> Vec<Span> {
        self.trace.as_ref().map(Trace::spans).unwrap_or_default()
    }

    /// Lists the source, which is `work`, and counts its time.
    pub fn walk<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut laps = Laps::start();
        let done = work();
        laps.lap(Stage::Walk);
        self.stages.add(Stage::Walk, laps.nanos(Stage::Walk), 0, 1);
        self.span(Track::Main, Stage::Walk.name(), laps.started(), 0);
        self.phase.set(Phase::Checking);
        done
    }

    /// The push goes on to `phase`.
    #[cfg(feature = "push")]
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// Packing begins. If it begins again, the counts begin at zero again; times do not.
    pub(crate) fn planned(&self, files: u64, bytes: u64) {
        let counts = &self.counts;
        counts.files_planned.store(files, Relaxed);
        counts.bytes_planned.store(bytes, Relaxed);
        for count in [
            &counts.files_packed,
            &counts.bytes_packed,
            &counts.bytes_out,
            &counts.archive_end,
            &counts.bytes_sent,
            &counts.bytes_kept,
            &counts.parts_cut,
            &counts.parts_taken,
            &counts.parts_sent,
        ] {
            count.store(0, Relaxed);
        }
        counts.beginnings.fetch_add(1, Relaxed);
        self.phase.set(Phase::Sending);
    }

    /// So many uploads send the archive from now on.
    #[cfg(feature = "push")]
    pub(crate) fn uploads(&self, count: usize) {
        self.counts.uploads.store(count as u64, Relaxed);
    }

    /// One of several uploads failed, after it took `taken` parts and sent `sent` of them with `bytes`. They
    /// count no longer.
    #[cfg(feature = "push")]
    pub(crate) fn upload_ended(&self, taken: u64, sent: u64, bytes: u64) {
        let counts = &self.counts;
        let taking = |count: &AtomicU64, less: u64| {
            let _ = count.fetch_update(Relaxed, Relaxed, |now| Some(now.saturating_sub(less)));
        };
        taking(&counts.uploads, 1);
        taking(&counts.parts_taken, taken);
        taking(&counts.parts_sent, sent);
        taking(&counts.bytes_sent, bytes);
    }

    pub(crate) fn packed(&self, files: u64, bytes: u64) {
        self.counts.files_packed.fetch_add(files, Relaxed);
        self.counts.bytes_packed.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn archive_at(&self, bytes: u64) {
        self.counts.bytes_out.store(bytes, Relaxed);
    }

    /// The length of the whole archive is known.
    pub(crate) fn archive_ends_at(&self, bytes: u64) {
        let end = bytes.saturating_add(1);
        self.counts.archive_end.store(end, Relaxed);
    }

    /// Counts the bytes of bodies that are on their way.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        self.under_way.clone()
    }

    /// The store is to copy `bytes`, besides those that it has copied already.
    #[cfg(feature = "push")]
    pub(crate) fn to_copy(&self, bytes: u64) {
        self.counts.bytes_to_copy.fetch_add(bytes, Relaxed);
    }

    /// The store has copied `bytes` of them.
    #[cfg(feature = "push")]
    pub(crate) fn copied(&self, bytes: u64) {
        self.counts.bytes_copied.fetch_add(bytes, Relaxed);
    }

    /// An object of `bytes` is to be read, besides those that are read already.
    pub fn to_read(&self, bytes: u64) {
        self.counts.bytes_to_read.fetch_add(bytes, Relaxed);
    }

    /// `bytes` of it were read.
    pub fn read(&self, bytes: u64) {
        self.counts.bytes_read.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn budget_used(&self, bytes: u64) {
        self.counts.budget_used.store(bytes, Relaxed);
    }

    pub(crate) fn tickets(&self, waiting: usize) {
        self.counts.tickets.store(waiting as u64, Relaxed);
    }

    pub(crate) fn level(&self, level: u8) {
        self.counts.level.store(level.into(), Relaxed);
    }

    /// The packer has made a part, and waits for the upload to take it.
    pub(crate) fn part_cut(&self) {
        self.counts.parts_cut.fetch_add(1, Relaxed);
    }

    /// The upload has taken a part.
    pub fn part_taken(&self) {
        self.counts.parts_taken.fetch_add(1, Relaxed);
    }

    /// The store has confirmed part `number` of `bytes`, whose request began at `since`.
    pub fn sent(&self, number: u32, bytes: u64, since: Instant) {
        self.confirmed(bytes);
        self.stages
            .add(Stage::Send, nanos(since.elapsed()), bytes, 1);
        self.span(Track::Part(number), "send", since, bytes);
    }

    /// A part of `bytes` is in the store already, since an earlier push sent it.
    pub fn kept(&self, bytes: u64) {
        self.counts.bytes_kept.fetch_add(bytes, Relaxed);
        self.confirmed(bytes);
    }

    fn confirmed(&self, bytes: u64) {
        self.counts.bytes_sent.fetch_add(bytes, Relaxed);
        self.counts.parts_sent.fetch_add(1, Relaxed);
    }

    /// The assembler worked for `busy` on `bytes` of the archive.
    pub(crate) fn assembled(&self, busy: Duration, bytes: u64) {
        self.stages.add(Stage::Assemble, nanos(busy), bytes, 1);
    }

    /// A job's work, stage by stage, on `files` files or chunks with `content` bytes.
    pub(crate) fn job(
        &self,
        track: Track,
        name: &'static str,
        laps: &Laps,
        files: u64,
        content: u64,
    ) {
        for stage in [Stage::Read, Stage::Hash, Stage::Compress] {
            self.stages.add(stage, laps.nanos(stage), content, files);
        }
        self.span(track, name, laps.started(), content);
    }

    /// A thread or task has waited since `since`.
    pub(crate) fn waited(&self, track: Track, wait: Wait, since: Instant) {
        let waited = since.elapsed();
        self.stages.wait(wait, waited);
        // Waits of microseconds would hide everything else in a trace.
        if waited >= trace::SHORTEST_WAIT {
            self.span(track, wait.name(), since, 0);
        }
    }

    fn span(&self, track: Track, name: &'static str, since: Instant, bytes: u64) {
        if let Some(trace) = &self.trace {
            trace.add(Span {
                track,
                name,
                start: since.saturating_duration_since(self.started),
                end: self.started.elapsed(),
                bytes,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_traced_push_keeps_spans() {
        for (progress, spans) in [(Progress::new(), 0), (Progress::traced(), 1)] {
            assert_eq!(progress.walk(|| 7), 7);
            assert_eq!(progress.spans().len(), spans);
            assert_eq!(progress.totals().stage(Stage::Walk).count, 1);
        }
    }

    #[test]
    fn packing_that_begins_again_counts_from_zero() {
        let progress = Progress::new();
        progress.planned(2, 100);
        progress.packed(1, 60);
        progress.archive_at(50);
        progress.archive_ends_at(70);
        progress.kept(50);
        progress.part_cut();
        let now = progress.snapshot();
        assert_eq!((now.bytes_sent, now.bytes_kept, now.restarts), (50, 50, 0));
        assert_eq!((now.archive, now.phase), (Some(70), Phase::Sending));
        progress.planned(2, 100);
        let again = progress.snapshot();
        assert_eq!(again.restarts, 1);
        let sums = again.bytes_packed + again.bytes_out + again.bytes_sent + again.parts_waiting;
        assert_eq!((sums, again.archive), (0, None));
    }

    #[cfg(feature = "push")]
    #[test]
    fn several_uploads_count_together_until_one_fails() {
        let progress = Progress::new();
        assert_eq!(progress.snapshot().uploads, 1);
        progress.uploads(2);
        progress.planned(1, 100);
        progress.part_cut();
        progress.part_taken();
        progress.part_taken();
        progress.sent(1, 10, Instant::now());
        let state = || {
            let now = progress.snapshot();
            let parts = (now.parts_waiting, now.parts_in_flight, now.parts_sent);
            (now.uploads, parts, now.bytes_sent)
        };
        assert_eq!(state(), (2, (0, 1, 1), 10));
        progress.part_cut();
        assert_eq!(state(), (2, (2, 1, 1), 10));
        progress.upload_ended(1, 1, 10);
        assert_eq!(state(), (1, (1, 1, 0), 0));
    }

    #[test]
    fn the_time_of_a_job_is_the_sum_of_its_laps() {
        let progress = Progress::traced();
        let mut laps = Laps::start();
        for stage in [Stage::Read, Stage::Hash, Stage::Compress, Stage::Read] {
            std::hint::black_box(vec![1_u8; 4096]);
            laps.lap(stage);
        }
        progress.job(Track::Worker(2), "batch", &laps, 2, 4096);
        let totals = progress.totals();
        let sum: u64 = [Stage::Read, Stage::Hash, Stage::Compress]
            .map(|stage| laps.nanos(stage))
            .iter()
            .sum();
        assert_eq!(totals.workers().as_nanos(), u128::from(sum));
        let [span] = progress.spans()[..] else {
            panic!("one job is one span");
        };
        assert_eq!(
            (span.track, span.name, span.bytes),
            (Track::Worker(2), "batch", 4096)
        );
        assert!(span.end - span.start >= totals.workers());
    }

    #[test]
    fn a_part_waits_until_it_is_taken_and_is_in_flight_until_it_is_sent() {
        let progress = Progress::new();
        let state = || {
            let now = progress.snapshot();
            (now.parts_waiting, now.parts_in_flight, now.parts_sent)
        };
        progress.part_cut();
        progress.part_cut();
        assert_eq!(state(), (2, 0, 0));
        progress.part_taken();
        assert_eq!(state(), (1, 1, 0));
        progress.sent(1, 10, Instant::now());
        assert_eq!(state(), (1, 0, 1));
    }
}
