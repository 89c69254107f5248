//! What a push takes and gives: one small struct for each stage.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::appspec::Report;
use crate::archive::limits::{DEFAULT_CONCURRENCY, default_threads};
use crate::archive::pack::{LevelPolicy, LinkFeedback, Packed};
use crate::archive::plan::{self, Notice};
use crate::aws::codedeploy::Revision;
use crate::bundle::Content;
use crate::cancel::Cancel;
use crate::notes::Notes;
use crate::progress::Progress;
use crate::transfer::{CleanupHint, UploadContext};
use crate::verify;

/// What to push, how to pack it and how to upload it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What goes in.
    pub source: Source,
    /// How it becomes an archive. A file that is sent as it is needs only the memory limit.
    pub packing: Packing,
    /// How the parts reach the store.
    pub uploading: Uploading,
}

/// What goes into a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The directory, or the file.
    pub path: PathBuf,
    /// What of it is sent.
    pub content: Content,
    /// Which files of a directory go in. [`Packing::threads`] replaces its number of threads.
    pub select: plan::Options,
    /// Whether an error in the AppSpec file stops the push.
    pub lint: bool,
    /// Whether what an agent with hardening settings refuses counts as an error, too.
    pub hardened: bool,
}

/// How files become an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// How hard to compress.
    pub level: LevelPolicy,
    /// Threads that read and compress.
    pub threads: usize,
    /// Bytes of memory that the push may take, the plan aside; threads and concurrent requests are
    /// reduced to fit. None: [`MEMORY_TARGET`](crate::archive::limits::MEMORY_TARGET), or more if the
    /// archive's parts need it.
    pub memory: Option<u64>,
    /// Whether to compute [`Packed::digest`](crate::archive::pack::Packed::digest).
    pub digest: bool,
    /// Where to write a [manifest](crate::archive::manifest) once the push is done. A file that is
    /// sent as it is has no manifest.
    pub manifest: Option<PathBuf>,
}

/// How parts reach the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploading {
    /// Most requests at a time to each destination; fewer if memory is short.
    pub concurrency: usize,
    /// The bandwidth limit of each destination, in bytes a second, that the store's client was configured with. A push
    /// only derives the number of concurrent requests from it.
    pub bandwidth: Option<u64>,
    /// Whether to continue an unfinished upload of the same object.
    pub resume: Resume,
}

/// Whether to continue an unfinished upload of the same object. With [`LevelPolicy::Auto`] there is
/// never one, since the bytes differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// Start a new upload.
    #[default]
    Never,
    /// Continue an upload, unless another push may still be writing it.
    Auto,
    /// Continue an upload; the caller knows that no other push is writing it.
    Always,
}

/// Learns what a push does while it runs.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Gets what the user should know and is not an error.
    pub notes: Notes,
    /// Knows what to clean up by hand if the process ends now.
    pub cleanup: CleanupHint,
    /// Gets what was found in the source.
    pub checked: Checked,
}

/// Called once with what was found in the source, before anything is uploaded. The services may not
/// have answered by then, so a push that fails afterwards has shown its findings.
#[derive(Clone, Default)]
pub struct Checked(Option<Arc<OnChecked>>);

type OnChecked = dyn Fn(&[Notice], Option<&Report>) + Send + Sync;

impl Checked {
    /// Calls `with` on the thread that runs the push.
    pub fn new(with: impl Fn(&[Notice], Option<&Report>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(with)))
    }

    pub(super) fn call(&self, notices: &[Notice], report: Option<&Report>) {
        if let Some(with) = &self.0 {
            with(notices, report);
        }
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checked").field(&self.0.is_some()).finish()
    }
}

/// A revision that is stored and, where a destination has a registrar, registered.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// What went in.
    pub packed: Packed,
    /// What should be known of the source.
    pub notices: Vec<Notice>,
    /// What was found in the AppSpec file, if it was checked.
    pub report: Option<Report>,
    /// What was stored, in the order of the destinations.
    pub delivered: Vec<Delivered>,
}

/// What one destination has.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// What was stored.
    pub revision: Revision,
    /// What was found when the object was read back, if it was.
    pub verified: Option<verify::Report>,
}

impl Observer {
    pub(super) fn context<'a>(
        &'a self,
        link: &'a LinkFeedback,
        cancel: &'a Cancel,
    ) -> UploadContext<'a> {
        UploadContext {
            progress: &self.progress,
            cancel,
            notes: &self.notes,
            cleanup: &self.cleanup,
            link,
        }
    }
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            level: LevelPolicy::default(),
            threads: default_threads(),
            memory: None,
            digest: false,
            manifest: None,
        }
    }
}

impl Default for Uploading {
    fn default() -> Self {
        Self {
            concurrency: DEFAULT_CONCURRENCY,
            bandwidth: None,
            resume: Resume::Never,
        }
    }
}
