//! Makes the archive of a plan, on all cores, in one pass and in bounded memory.
//!
//! ```text
//!            +------------+  jobs   +---------------------------+
//!   plan --> | dispatcher | ------> | workers: read, checksum,  |
//!            +------------+         | deflate                   |
//!                  |                +---------------------------+
//!                  | tickets,                     | results
//!                  | in archive order             v
//!                  |                +-----------+       +--------+
//!                  +--------------> | assembler | ----> | cutter | ----> parts
//!                                   +-----------+ bytes +--------+
//! ```
//!
//! **Threads.** [`pack`] starts all of them and joins all of them before it returns:
//!
//! - One *dispatcher* (`dispatch`) goes through the plan in archive order and cuts it into jobs: a run of
//!   small files, or one chunk of 1 MiB of a large file, called a *giant*. So the work spreads over all
//!   cores whether the tree holds many small files or one large one.
//! - *Workers* (`worker`), a rayon pool, do the jobs in whatever order they get to them. A job reads its
//!   files (`source`), computes checksums (`digest`) and compresses, into memory. It never waits for
//!   another job, so a pool of one thread cannot deadlock.
//! - The *assembler* runs on the caller's thread. It appends the results in archive order and adds what
//!   only it can know: offsets, the central directory of a zip (`zip`), the trailer of a tgz (`tar`).
//!
//! **Order.** For each job the dispatcher also queues a *ticket* (`tickets`), the receiving end of a
//! channel with room for one result. The assembler takes the tickets in order and waits on each, so the
//! results come in archive order without sorting, whichever worker finishes first.
//!
//! **Memory.** Before a job is given away, the dispatcher takes its size from the *budget* (`budget`),
//! and waits until there is enough. The share returns to the budget when the assembler has appended the
//! result. Since shares are taken in archive order, the job that the assembler waits for always has its
//! share, so the wait always ends. Together with [`Limits`] this bounds memory, whatever the tree holds.
//!
//! **Parts.** The assembler hands its bytes to an `outlet`, whose [`Cutter`] cuts them into parts of equal
//! size, which S3 takes in any order. A giant's header comes before its data but holds its CRC and its
//! compressed size; so the part with the header is held back until the giant is complete. The caller's
//! `emit` receives each [`Part`]. While it blocks, packing goes on until the budget is used up.
//!
//! **End.** The first error ends everything: `emit`'s own, a worker's, or the caller's [`Cancel`]. The
//! assembler closes the budget and drops the queue, which ends the dispatcher; jobs that have not begun
//! return at once.
//!
//! The archive's bytes depend on the tree, the format and the level, never on the number of threads,
//! their timing or the part size. A file that changes while it is packed is refused, see `source`. The
//! module does not know where the parts go.

mod auto;
mod budget;
mod buffers;
mod channel;
mod digest;
mod dispatch;
mod file;
mod giant;
mod link;
mod outlet;
mod parts;
mod source;
mod tar;
#[cfg(test)]
mod tests;
mod tickets;
mod worker;
mod zip;

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use self::file::pack_to_file;
pub use self::link::LinkFeedback;
pub use self::parts::{Cutter, Open, Part};

use self::auto::LevelController;
use self::digest::EntryHasher;
use self::dispatch::Shared;
use self::outlet::Outlet;
use self::source::Source;
use self::worker::LevelSetting;
use crate::archive::deflate::{self, Level};
use crate::archive::limits::Limits;
use crate::archive::manifest;
use crate::archive::plan::{Notice, NoticeKind, Plan};
use crate::bundle::Format;
use crate::cancel::Cancel;
use crate::error::{FileError, shown};
use crate::progress::{Progress, Track, Wait};

/// How to pack.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The archive's format.
    pub format: Format,
    /// How hard to compress. The format and the level are the only options that shape the archive's
    /// bytes.
    pub level: LevelPolicy,
    /// How much is done at a time.
    pub limits: Limits,
    /// Whether to compute [`Packed::digest`], which takes 7% of the processor time at level 1.
    pub digest: bool,
}

/// Which compression level files are packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelPolicy {
    /// One level for all files. The archive's bytes are reproducible.
    Fixed(Level),
    /// The level follows the speed of the link, as [`LinkFeedback`] tells it. The archive's bytes are
    /// then not reproducible.
    Auto,
}

impl Default for LevelPolicy {
    fn default() -> Self {
        Self::Fixed(Level::default())
    }
}

impl From<Level> for LevelPolicy {
    fn from(level: Level) -> Self {
        Self::Fixed(level)
    }
}

/// Why packing failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or the target cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what it was when the tree was listed.
    #[error(
        "{} changed while it was being packed: {how}; try again when nothing writes to the source",
        shown(path)
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is different.
        how: &'static str,
    },
    /// A file's compressed chunks cannot be joined. This is a bug.
    #[error("cannot compress {}: {source}; please report this", shown(path))]
    Deflate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: deflate::Error,
    },
    /// The system gives no threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// The receiver of the parts has ended. It knows the reason.
    #[error("the receiver of the archive's parts has ended")]
    Closed,
    /// A thread panicked, with its own message. This is a bug.
    #[error("a packing thread failed; please report this")]
    Worker,
    /// The caller cancelled.
    #[error("stopped while packing")]
    Stopped,
}

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Number of files.
    pub files: u64,
    /// Their content, in bytes.
    pub content: u64,
    /// Size of the archive, in bytes.
    pub archive: u64,
    /// BLAKE3 of names, permissions and contents. It is equal for equal trees, whatever the level, and
    /// None unless [`Options::digest`] asks for it.
    pub digest: Option<blake3::Hash>,
    /// How many names of a zip are not ASCII and have Zip64 records beside them, for 4 GiB or more.
    pub zip64_names: u64,
}

impl Packed {
    /// What only packing shows of the source, if `known` notices do not say it: names that agents
    /// change, because their entries begin after the first 4 GiB of the zip.
    #[must_use]
    pub fn notice(&self, known: &[Notice]) -> Option<Notice> {
        let kind = NoticeKind::ExtraName;
        let is_known = known.iter().any(|notice| notice.kind == kind);
        (self.zip64_names > 0 && !is_known).then(|| Notice {
            kind,
            count: self.zip64_names,
            paths: Vec::new(),
        })
    }
}

/// Receives each entry in archive order, for a manifest.
pub type List<'a> = dyn FnMut(&manifest::Entry<'_>) -> Result<(), Error> + 'a;

/// Packs the files of `plan`, and calls `emit` with the parts of the archive, on the calling thread.
///
/// Parts are numbered from 1. They come in order, except that a part that holds a large file's header
/// comes after later ones. While `emit` blocks, packing goes on until the budget is used up.
///
/// # Errors
///
/// The first [`Error`], of packing or of `emit`. All threads have ended then.
pub fn pack(
    plan: &Plan,
    options: &Options,
    stop: &Cancel,
    progress: &Progress,
    emit: &mut dyn FnMut(Part) -> Result<(), Error>,
) -> Result<Packed, Error> {
    let link = LinkFeedback::new();
    pack_and_list(plan, options, None, &link, stop, progress, emit)
}

/// Packs as [`pack`] does, and calls `list` for each entry, whose content is digested for it.
/// [`LevelPolicy::Auto`] follows the `link` that the upload writes to.
///
/// # Errors
///
/// As [`pack`], and those of `list`.
pub fn pack_and_list<'l>(
    plan: &Plan,
    options: &Options,
    list: Option<&'l mut List<'l>>,
    link: &LinkFeedback,
    stop: &Cancel,
    progress: &Progress,
    emit: &mut dyn FnMut(Part) -> Result<(), Error>,
) -> Result<Packed, Error> {
    let options = &Options {
        digest: options.digest || list.is_some(),
        ..*options
    };
    let hasher = options.digest.then(|| EntryHasher::new(list));
    let limits = options.limits;
    let (level, mut controller) = match options.level {
        LevelPolicy::Fixed(level) => (LevelSetting::Fixed(level), None),
        LevelPolicy::Auto => {
            let start = LevelSetting::varying(LevelController::START);
            (start, Some(LevelController::new()))
        }
    };
    progress.planned(plan.len() as u64, plan.total_size());
    progress.level(level.current().get());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(limits.threads)
        .thread_name(|n| format!("hoist-pack-{n}"))
        .build()
        .map_err(|error| Error::Threads(error.to_string()))?;
    let shared = Shared::new(Source::new(plan), level, options, progress, stop);
    let started = Instant::now();
    // The assembler subtracts the time that it spends waiting from its own work.
    let idle = Cell::new(Duration::ZERO);
    let mut emit = |part| {
        progress.part_cut();
        link.part_cut();
        let since = Instant::now();
        let taken = emit(part);
        let blocked = since.elapsed();
        idle.set(idle.get() + blocked);
        progress.waited(Track::Assembler, Wait::Sink, since);
        if let Some(controller) = &mut controller {
            let level = controller.next(&link.state(), started.elapsed(), blocked);
            shared.level.set(level);
            progress.level(level.get());
        }
        taken
    };
    let out = Outlet::new(&shared, limits.part_size, &idle, &mut emit);
    match options.format {
        Format::Zip => zip::pack(&shared, &pool, out, hasher),
        Format::Tar | Format::Tgz => tar::pack(&shared, &pool, out, hasher),
    }
}

/// The most bytes that the archive of `plan` can take: exactly the size of a tar, and the size of a zip or
/// a tgz if nothing compresses.
#[must_use]
pub fn worst_case(plan: &Plan, format: Format) -> u64 {
    match format {
        Format::Zip => plan.worst_case(),
        Format::Tar | Format::Tgz => tar::worst_case(plan, format),
    }
}
