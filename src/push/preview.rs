//! What a push would send, without sending it.

use std::sync::Arc;

use super::prepare::{Contents, Prepared, prepare};
use super::{Error, Observer, Request};
use crate::appspec::Report;
use crate::archive::limits::Limits;
use crate::archive::plan::{Kind, Notice, Plan};
use crate::cancel::Cancel;
use crate::progress::Progress;

/// A source that was checked and could be pushed.
pub struct Preview(Prepared);

/// One entry of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its name in the archive; a directory's ends in a slash.
    pub name: &'a [u8],
    /// The text of a symbolic link that is kept as one.
    pub link: Option<&'a [u8]>,
    /// Bytes of content.
    pub size: u64,
    /// The permissions, below `0o1000`.
    pub mode: u32,
    /// Seconds since 1970, UTC.
    pub mtime: i64,
}

/// Lists and checks the source, as [`push`](super::push) does before the first byte. No service is
/// asked.
///
/// # Errors
///
/// [`Error`], as a push returns it.
pub async fn preview(
    request: &Request,
    progress: &Arc<Progress>,
    cancel: &Cancel,
) -> Result<Preview, Error> {
    let observer = Observer {
        progress: Arc::clone(progress),
        ..Observer::default()
    };
    let prepared = prepare(request, 1, &observer, cancel).await?;
    if cancel.is_cancelled() {
        return Err(Error::Stopped { left: None });
    }
    Ok(Preview(prepared))
}

impl Preview {
    /// How many files go in; 1 for a file that is sent as it is.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.plan().map_or(1, |plan| plan.len() as u64)
    }

    /// All content, in bytes before compression.
    #[must_use]
    pub fn content(&self) -> u64 {
        match &self.0.contents {
            Contents::Tree(plan, _) => plan.total_size(),
            Contents::File(file) => file.size(),
        }
    }

    /// The most bytes that the object can have, if nothing compresses.
    #[must_use]
    pub fn worst_case(&self) -> u64 {
        self.0.contents.worst_case()
    }

    /// How the archive would be cut and sent.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What should be known of the source.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        self.0.contents.notices()
    }

    /// What was found in the AppSpec file, if it was checked.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_ref()
    }

    /// The entries of the archive, in its order. A file that is sent as it is has none.
    pub fn entries(&self) -> impl Iterator<Item = Listed<'_>> {
        self.plan().into_iter().flat_map(|plan| {
            (0..plan.len()).map(|index| {
                let entry = plan.entry(index);
                Listed {
                    name: entry.name,
                    link: match entry.kind {
                        Kind::Link(text) => Some(text),
                        Kind::File | Kind::Directory => None,
                    },
                    size: entry.size,
                    mode: entry.mode & 0o777,
                    mtime: entry.time,
                }
            })
        })
    }

    fn plan(&self) -> Option<&Plan> {
        match &self.0.contents {
            Contents::Tree(plan, _) => Some(plan),
            Contents::File(_) => None,
        }
    }
}
