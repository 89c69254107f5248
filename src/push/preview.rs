//! What a push would send, without sending it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::prepare::Prepared;
use super::{Bundle, Error};
use crate::appspec::Report;
use crate::archive::limits::Limits;
use crate::archive::plan::{Kind, Notice};
use crate::cancel::Cancel;
use crate::progress::Progress;

/// A bundle that could be sent.
pub struct Preview {
    prepared: Prepared,
    limits: Limits,
}

/// One entry of it.
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

/// Lists and checks the bundle, as [`push`](super::push) does before the first byte. Nothing is asked
/// of a service.
///
/// # Errors
///
/// [`Error`], as a push has it.
pub async fn preview(
    bundle: &Bundle,
    progress: &Arc<Progress>,
    cancel: &CancellationToken,
) -> Result<Preview, Error> {
    let stop = Cancel::new();
    let mut preparing = std::pin::pin!(Prepared::new(bundle, progress, &stop));
    let prepared = tokio::select! {
        prepared = &mut preparing => prepared?,
        () = cancel.cancelled() => {
            stop.cancel();
            preparing.await?;
            return Err(Error::Stopped { left: None });
        }
    };
    let limits = prepared.limits(bundle)?;
    Ok(Preview { prepared, limits })
}

impl Preview {
    /// How many files go in; 1 for a file that is sent as it is.
    #[must_use]
    pub fn files(&self) -> u64 {
        match &self.prepared {
            Prepared::Tree(plan, ..) => plan.len() as u64,
            Prepared::File(_) => 1,
        }
    }

    /// All content, in bytes before compression.
    #[must_use]
    pub fn content(&self) -> u64 {
        match &self.prepared {
            Prepared::Tree(plan, ..) => plan.total_size(),
            Prepared::File(file) => file.size(),
        }
    }

    /// The most bytes that the object can have, if nothing compresses.
    #[must_use]
    pub fn worst_case(&self) -> u64 {
        self.prepared.worst_case()
    }

    /// How it would be cut and sent.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What should be known of the source.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        self.prepared.notices()
    }

    /// What was found in the AppSpec file, if it was looked at.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.prepared.report()
    }

    /// The entries of the archive, in its order. A file that is sent as it is has none.
    pub fn entries(&self) -> impl Iterator<Item = Listed<'_>> {
        let plan = match &self.prepared {
            Prepared::Tree(plan, ..) => Some(plan),
            Prepared::File(_) => None,
        };
        plan.into_iter().flat_map(|plan| {
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
}
