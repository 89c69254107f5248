//! How long each stage of a push worked, and how long it waited for another.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a push does with bytes, in the order in which it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Lists the tree, from the start of the list to its end. It counts no bytes.
    Walk,
    /// Opens, stats, reads and closes files, on workers. Waiting for the disk counts as work.
    Read,
    /// Computes CRC-32 and BLAKE3 of contents, on workers.
    Hash,
    /// Deflates, on workers.
    Compress,
    /// Puts entries in order, cuts parts and computes their checksums, on one thread. Counts bytes of
    /// the archive.
    Assemble,
    /// Sends parts. Several requests run at a time, so their sum may be longer than the push took.
    Send,
}

/// What one stage of a push waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The dispatcher waits until the assembler has written some of what was read.
    Budget,
    /// The assembler waits for the result of the next job.
    Job,
    /// The assembler waits until the upload, or the file, takes a part.
    Sink,
    /// The upload waits for the next part.
    Part,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 6] = [
        Self::Walk,
        Self::Read,
        Self::Hash,
        Self::Compress,
        Self::Assemble,
        Self::Send,
    ];

    /// The stage's name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Walk => "walk",
            Self::Read => "read",
            Self::Hash => "hash",
            Self::Compress => "compress",
            Self::Assemble => "assemble",
            Self::Send => "send",
        }
    }
}

impl Wait {
    /// All waits.
    pub const ALL: [Self; 4] = [Self::Budget, Self::Job, Self::Sink, Self::Part];

    /// What the stage waits for, as a fragment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Budget => "wait for budget",
            Self::Job => "wait for a job",
            Self::Sink => "wait for the sink",
            Self::Part => "wait for a part",
        }
    }
}

/// What one stage did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTotal {
    /// Time at work, added up over threads or requests.
    pub busy: Duration,
    /// Bytes that went through: of content, or of the archive for [`Stage::Assemble`] and
    /// [`Stage::Send`].
    pub bytes: u64,
    /// How many files and chunks (of workers), appends (of the assembler) or requests there were.
    pub count: u64,
}

/// What all stages did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    stages: [StageTotal; Stage::ALL.len()],
    waits: [Duration; Wait::ALL.len()],
}

impl Totals {
    /// What this stage did.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> StageTotal {
        self.stages[stage as usize]
    }

    /// What this stage did, for writing.
    pub fn stage_mut(&mut self, stage: Stage) -> &mut StageTotal {
        &mut self.stages[stage as usize]
    }

    /// How long was waited for this, for writing.
    pub fn wait_mut(&mut self, wait: Wait) -> &mut Duration {
        &mut self.waits[wait as usize]
    }

    /// How long was waited for this.
    #[must_use]
    pub fn wait(&self, wait: Wait) -> Duration {
        self.waits[wait as usize]
    }

    /// How long workers worked, added up.
    #[must_use]
    pub fn workers(&self) -> Duration {
        let stages = [Stage::Read, Stage::Hash, Stage::Compress];
        stages.map(|stage| self.stage(stage).busy).iter().sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Stages {
    stages: [Counters; Stage::ALL.len()],
    waits: [AtomicU64; Wait::ALL.len()],
}

#[derive(Debug, Default)]
struct Counters {
    nanos: AtomicU64,
    bytes: AtomicU64,
    count: AtomicU64,
}

impl Stages {
    pub(super) fn add(&self, stage: Stage, nanos: u64, bytes: u64, count: u64) {
        let counters = &self.stages[stage as usize];
        counters.nanos.fetch_add(nanos, Relaxed);
        counters.bytes.fetch_add(bytes, Relaxed);
        counters.count.fetch_add(count, Relaxed);
    }

    pub(super) fn wait(&self, wait: Wait, time: Duration) {
        self.waits[wait as usize].fetch_add(nanos(time), Relaxed);
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for (total, counters) in totals.stages.iter_mut().zip(&self.stages) {
            *total = StageTotal {
                busy: Duration::from_nanos(counters.nanos.load(Relaxed)),
                bytes: counters.bytes.load(Relaxed),
                count: counters.count.load(Relaxed),
            };
        }
        for (total, nanos) in totals.waits.iter_mut().zip(&self.waits) {
            *total = Duration::from_nanos(nanos.load(Relaxed));
        }
        totals
    }
}

/// A stopwatch for one job. It belongs to one thread, so that jobs share no counter until they end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Laps {
    started: Instant,
    last: Instant,
    nanos: [u64; Stage::ALL.len()],
}

impl Laps {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            last: now,
            nanos: [0; Stage::ALL.len()],
        }
    }

    /// Counts the time since the last lap as work of `stage`.
    pub(crate) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.nanos[stage as usize] += nanos(now.saturating_duration_since(self.last));
        self.last = now;
    }

    pub(super) fn nanos(&self, stage: Stage) -> u64 {
        self.nanos[stage as usize]
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
