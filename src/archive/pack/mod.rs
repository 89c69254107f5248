//! Makes the archive: every thread of the packing half is started and joined here.
//!
//! ```text
//!  plan --> dispatcher --jobs--> rayon workers: read, sum up, deflate
//!               |                      | results
//!            tickets, in order         v
//!               +----------------> assembler --> cutter --> parts
//! ```
//!
//! The bytes depend on the tree and the level, never on the number of threads, their timing or
//! the part size. Memory depends on [`Limits`], never on the tree.
//!
//! It refuses to know where parts go, to wait for a job in a job, and to pack a file that is no
//! longer what the plan saw.

mod auto;
mod budget;
mod channel;
mod digest;
mod dispatch;
mod file;
mod giant;
mod link;
mod outlet;
mod parts;
mod source;
mod spare;
mod tar;
#[cfg(test)]
mod tests;
mod tickets;
mod worker;
mod zip;

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use self::file::{pack_to_file, pack_to_file_and_list};
pub use self::link::LinkFeedback;
pub use self::parts::{Cutter, Open, Part};

use self::auto::Auto;
use self::digest::Told;
use self::dispatch::Shared;
use self::outlet::Outlet;
use self::source::Source;
use self::worker::{Pace, Workers};
use crate::archive::deflate::{self, Level};
use crate::archive::limits::Limits;
use crate::archive::manifest;
use crate::archive::plan::Plan;
use crate::bundle::Format;
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::progress::{Progress, Track, Wait};

/// How to pack.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Into what.
    pub format: Format,
    /// How hard to compress. This and the format shape the archive's bytes; nothing else here does.
    pub level: LevelPolicy,
    /// How much to do at a time.
    pub limits: Limits,
    /// Whether to compute [`Packed::digest`]: it takes 7% of the processor time at level 1.
    pub digest: bool,
}

/// Which compression level files are packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelPolicy {
    /// One level for all files. The archive's bytes are reproducible.
    Fixed(Level),
    /// The level follows the speed of the link, as [`LinkFeedback`] tells it. The archive's bytes
    /// are then not reproducible.
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

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or the target not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what it was when the tree was listed.
    #[error(
        "{} changed while it was being packed: {how}; try again when nothing writes to the source",
        path.display()
    )]
    Changed {
        /// Which.
        path: PathBuf,
        /// What is different.
        how: &'static str,
    },
    /// A file's compressed chunks cannot be joined. It is a bug.
    #[error("cannot compress {}: {source}; please report this, and pack with --level 0", path.display())]
    Deflate {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: deflate::Error,
    },
    /// The system gives no threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// Nobody takes the parts any more. The reason is known there.
    #[error("nobody takes the archive's parts any more")]
    Closed,
    /// A thread panicked, with its own message. It is a bug.
    #[error("a packing thread failed; please report this")]
    Worker,
    /// The stop flag was set.
    #[error("stopped while packing")]
    Stopped,
}

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Files.
    pub files: u64,
    /// Their content, in bytes.
    pub content: u64,
    /// The archive, in bytes.
    pub archive: u64,
    /// BLAKE3 of names, permissions and contents: the same for the same tree, whatever the level.
    /// None unless [asked for](Options::digest).
    pub digest: Option<blake3::Hash>,
}

/// Whoever is told of each entry, in archive order: a manifest.
pub type List<'a> = dyn FnMut(&manifest::Entry<'_>) -> Result<(), Error> + 'a;

/// Packs the files of `plan` and gives the parts of the archive to `emit`, on the calling thread.
///
/// Parts are numbered from 1; a part that holds a large file's header comes after later ones.
/// While `emit` waits, packing goes on until the budget is used up.
///
/// # Errors
///
/// The first [`Error`], its own or that of `emit`. All threads have ended then.
pub fn pack(
    plan: &Plan,
    options: &Options,
    stop: &Cancel,
    progress: &Progress,
    emit: &mut dyn FnMut(Part) -> Result<(), Error>,
) -> Result<Packed, Error> {
    pack_and_list(plan, options, None, None, stop, progress, emit)
}

/// Packs as [`pack`] does, and calls `list` for each entry, whose content is digested for it.
/// [`LevelPolicy::Auto`] follows the `link` that the upload writes to; without one, it only sees how
/// long `emit` takes.
///
/// # Errors
///
/// As [`pack`], and those of `list`.
pub fn pack_and_list<'l>(
    plan: &Plan,
    options: &Options,
    list: Option<&'l mut List<'l>>,
    link: Option<&LinkFeedback>,
    stop: &Cancel,
    progress: &Progress,
    emit: &mut dyn FnMut(Part) -> Result<(), Error>,
) -> Result<Packed, Error> {
    let options = &Options {
        digest: options.digest || list.is_some(),
        ..*options
    };
    let told = options.digest.then(|| Told::new(list));
    let limits = options.limits;
    let (level, mut auto) = match options.level {
        LevelPolicy::Fixed(level) => (level, None),
        LevelPolicy::Auto => (Auto::START, Some(Auto::new())),
    };
    progress.planned(plan.len() as u64, plan.total_size());
    progress.level(level.get());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(limits.threads)
        .thread_name(|n| format!("hoist-pack-{n}"))
        .build()
        .map_err(|error| Error::Threads(error.to_string()))?;
    let workers = Workers::new(limits.threads, level);
    let source = Source::new(plan);
    let pace = match auto {
        Some(_) => Pace::varies(level),
        None => Pace::Fixed(level),
    };
    let shared = Shared::new(source, pace, workers, options, progress, stop);
    let started = Instant::now();
    // What the assembler spends waiting is not its work.
    let idle = Cell::new(Duration::ZERO);
    let mut emit = |part| {
        progress.part_cut();
        if let Some(link) = link {
            link.part_cut();
        }
        let since = Instant::now();
        let taken = emit(part);
        let blocked = since.elapsed();
        idle.set(idle.get() + blocked);
        progress.waited(Track::Assembler, Wait::Sink, since);
        if let Some(auto) = &mut auto {
            // Until the upload writes to a feedback of its own, the progress counters stand in for it.
            let state = link.map_or_else(|| progress.snapshot().into(), LinkFeedback::state);
            let level = auto.next(&state, started.elapsed(), blocked);
            shared.pace.set(level);
            progress.level(level.get());
        }
        taken
    };
    let out = Outlet::new(&shared, limits.part_size, &idle, &mut emit);
    match options.format {
        Format::Zip => zip::pack(&shared, &pool, out, told),
        Format::Tar | Format::Tgz => tar::pack(&shared, &pool, out, told),
    }
}

/// The most bytes that the archive of `plan` can take: for a zip and a tgz if nothing compresses, for
/// a tar exactly.
#[must_use]
pub fn worst_case(plan: &Plan, format: Format) -> u64 {
    match format {
        Format::Zip => plan.worst_case(),
        Format::Tar | Format::Tgz => tar::worst_case(plan, format),
    }
}
