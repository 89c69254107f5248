//! Looks at what is to be sent before the first byte goes out: lists the source, checks that it is a
//! revision, and chooses the sizes of everything that takes memory.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};

use super::prebuilt::Prebuilt;
use super::receipt::{Receipt, Recorder, record};
use super::{Error, Observer, Packing, Request, Source};
use crate::appspec::{self, Kind, Report};
use crate::archive::limits::Limits;
use crate::archive::manifest;
use crate::archive::pack::{self, LinkFeedback, List, Packed, Part};
use crate::archive::plan::{self, Notice, Plan};
use crate::bundle::{Content, Format};
use crate::cancel::Cancel;
use crate::progress::Progress;
use crate::transfer::Digest;

/// A source that was checked, and how much of it to hold in memory.
pub(super) struct Prepared {
    pub(super) contents: Contents,
    /// What was found in the AppSpec file, if it was checked.
    pub(super) report: Option<Report>,
    pub(super) limits: Limits,
}

pub(super) enum Contents {
    /// The files of a directory, and the archive that they become.
    Tree(Plan, Format),
    /// A file that is sent as it is.
    File(Prebuilt),
}

/// Checks the source, and chooses the limits for so many `uploads`. `observer` learns of what was found in
/// the source, whatever the services will answer.
pub(super) async fn prepare(
    request: &Request,
    uploads: usize,
    observer: &Observer,
    cancel: &Cancel,
) -> Result<Prepared, Error> {
    let (contents, report) = read(request, &observer.progress, cancel).await?;
    observer.checked.call(contents.notices(), report.as_ref());
    let limits = limits(&contents, request, uploads)?;
    Ok(Prepared {
        contents,
        report,
        limits,
    })
}

/// Lists a directory, or checks a file.
async fn read(
    request: &Request,
    progress: &Arc<Progress>,
    cancel: &Cancel,
) -> Result<(Contents, Option<Report>), Error> {
    let (progress, cancel) = (Arc::clone(progress), cancel.clone());
    let Source {
        path,
        content,
        select,
        lint,
        hardened,
    } = request.source.clone();
    match content {
        Content::Archive(format) => {
            let options = plan::Options {
                threads: request.packing.threads,
                ..select
            };
            let scan = move || progress.walk(|| Plan::scan(&path, &options, &cancel));
            let mut plan = on_a_thread(scan).await??;
            if format == Format::Zip {
                plan.note_zip_names();
            }
            appspec::require(&plan)?;
            if !lint {
                return Ok((Contents::Tree(plan, format), None));
            }
            let lint = move || {
                let report =
                    appspec::lint_archive(&plan, Some(Kind::Instances), Some(format.name()));
                report.map(|mut report| {
                    if hardened {
                        appspec::harden(&mut report, Some(&plan));
                    }
                    (plan, report)
                })
            };
            let (plan, report) = on_a_thread(lint).await??;
            refuse_errors(&report)?;
            Ok((Contents::Tree(plan, format), Some(report)))
        }
        Content::File(kind) => {
            let check = move || progress.walk(|| Prebuilt::check(&path, kind, &cancel));
            let file = on_a_thread(check).await??;
            let report = file.report().filter(|_| lint).cloned();
            if let Some(report) = &report {
                refuse_errors(report)?;
            }
            Ok((Contents::File(file), report))
        }
    }
}

fn refuse_errors(report: &Report) -> Result<(), Error> {
    if report.has_errors() {
        return Err(Error::Lint(Box::new(report.clone())));
    }
    Ok(())
}

fn limits(contents: &Contents, request: &Request, uploads: usize) -> Result<Limits, Error> {
    let (threads, concurrency) = (request.packing.threads, request.uploading.concurrency);
    let limits = Limits::for_archive(contents.worst_case(), threads, concurrency)?;
    let limits = limits.for_uploads(uploads, concurrency);
    Ok(match request.packing.memory {
        Some(memory) => limits.within(memory, concurrency)?,
        None => limits,
    })
}

/// Runs blocking work on a thread of its own.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work)
        .await
        .map_err(|_: JoinError| Error::Panic)
}

impl Contents {
    /// The most bytes that the object can have.
    pub(super) fn worst_case(&self) -> u64 {
        match self {
            Self::Tree(plan, format) => pack::worst_case(plan, *format),
            Self::File(file) => file.size(),
        }
    }

    pub(super) fn notices(&self) -> &[Notice] {
        match self {
            Self::Tree(plan, _) => plan.notices(),
            Self::File(file) => file.notices(),
        }
    }

    /// A digest of names, sizes, modes and times: of all that is known without reading a file.
    pub(super) fn digest(&self) -> u16 {
        let mut digest = Digest::new("plan 1");
        match self {
            Self::Tree(plan, _) => {
                for index in 0..plan.len() {
                    let entry = plan.entry(index);
                    digest.field(entry.name);
                    digest.field(entry.size.to_le_bytes());
                    digest.field(entry.st_mode().to_le_bytes());
                    digest.field(entry.time.to_le_bytes());
                    if let plan::Kind::Link(text) = entry.kind {
                        digest.field(text);
                    }
                }
            }
            Self::File(file) => digest.field(file.size().to_le_bytes()),
        }
        digest.finish()
    }
}

impl Prepared {
    /// Packs the source: records each part and puts it into `parts`. It blocks the calling thread.
    pub(super) fn pack(
        &self,
        packing: &Packing,
        mut recorder: Recorder,
        parts: &mpsc::Sender<Part>,
        link: &LinkFeedback,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<(Packed, Receipt), pack::Error> {
        let mut emit = |part: Part| {
            record(&mut recorder.parts, &part);
            parts.blocking_send(part).map_err(|_| pack::Error::Closed)
        };
        let packed = match &self.contents {
            Contents::Tree(plan, format) => {
                let options = pack::Options {
                    format: *format,
                    level: packing.level,
                    limits: self.limits,
                    digest: packing.digest,
                };
                let manifest = recorder.manifest.as_mut();
                let mut list = manifest
                    .map(|draft| move |entry: &manifest::Entry<'_>| Ok(draft.entry(entry)?));
                let list = list.as_mut().map(|list| list as &mut List<'_>);
                pack::pack_and_list(plan, &options, list, link, cancel, progress, &mut emit)?
            }
            Contents::File(file) => {
                file.send(self.limits.part_size, cancel, progress, &mut emit)?
            }
        };
        Ok((packed, recorder.finish()?))
    }
}
