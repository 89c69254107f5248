//! What is sent, looked at before the first byte goes out.

use std::sync::Arc;

use super::{Bundle, Error, on_a_thread};
use crate::appspec::{self, Kind, Report};
use crate::archive::limits::Limits;
use crate::archive::pack::{self, List, Packed, Part};
use crate::archive::plan::{self, Notice, Plan};
use crate::bundle::{Content, Format};
use crate::cancel::Cancel;
use crate::progress::Progress;
use crate::push::prebuilt::Prebuilt;
use crate::transfer::Digest;

/// What there is to send.
pub(super) enum Prepared {
    /// The files of a directory, and the archive that they become.
    Tree(Plan, Format, Option<Report>),
    /// A file.
    File(Prebuilt),
}

impl Prepared {
    /// Lists a directory, or checks a file.
    pub(super) async fn new(
        bundle: &Bundle,
        progress: &Arc<Progress>,
        stop: &Cancel,
    ) -> Result<Self, Error> {
        let (source, stop) = (bundle.source.clone(), stop.clone());
        let progress = Arc::clone(progress);
        match bundle.content {
            Content::Archive(format) => {
                let options = plan::Options {
                    threads: bundle.threads,
                    ..bundle.select.clone()
                };
                let scan = move || progress.walk(|| Plan::scan(&source, &options, &stop));
                let plan = on_a_thread(scan).await??;
                appspec::require(&plan)?;
                if !bundle.lint {
                    return Ok(Self::Tree(plan, format, None));
                }
                let lint = move || {
                    let report = appspec::lint_bundle(&plan, Some(Kind::Instances));
                    report.map(|report| (plan, report))
                };
                let (plan, report) = on_a_thread(lint).await??;
                refuse(&report).map_err(Error::Lint)?;
                Ok(Self::Tree(plan, format, Some(report)))
            }
            Content::File(kind) => {
                let check = move || progress.walk(|| Prebuilt::check(&source, kind, &stop));
                let file = on_a_thread(check).await??;
                if let (true, Some(report)) = (bundle.lint, file.report()) {
                    refuse(report).map_err(Error::Lint)?;
                }
                Ok(Self::File(file))
            }
        }
    }

    /// What was found in the AppSpec file.
    pub(super) fn report(&self) -> Option<&Report> {
        match self {
            Self::Tree(_, _, report) => report.as_ref(),
            Self::File(file) => file.report(),
        }
    }

    pub(super) fn limits(&self, bundle: &Bundle) -> Result<Limits, Error> {
        let limits = Limits::for_archive(self.worst_case(), bundle.threads, bundle.concurrency)?;
        Ok(match bundle.memory {
            Some(memory) => limits.within(memory, bundle.concurrency)?,
            None => limits,
        })
    }

    /// Sixteen bits of a digest of names, sizes, modes and times: of whatever can be known without
    /// reading a file.
    pub(super) fn digest(&self) -> u16 {
        let mut digest = Digest::new("plan 1");
        match self {
            Self::Tree(plan, ..) => {
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

    /// The most bytes that the object can have.
    pub(super) fn worst_case(&self) -> u64 {
        match self {
            Self::Tree(plan, format, _) => pack::worst_case(plan, *format),
            Self::File(file) => file.size(),
        }
    }

    pub(super) fn notices(&self) -> &[Notice] {
        match self {
            Self::Tree(plan, ..) => plan.notices(),
            Self::File(_) => &[],
        }
    }

    /// Gives its parts to `emit`, and tells `list` of each entry if it packs any, on the calling thread.
    pub(super) fn pack<'l>(
        &self,
        bundle: &Bundle,
        limits: Limits,
        list: Option<&'l mut List<'l>>,
        stop: &Cancel,
        progress: &Progress,
        emit: &mut dyn FnMut(Part) -> Result<(), pack::Error>,
    ) -> Result<Packed, pack::Error> {
        match self {
            Self::Tree(plan, format, _) => {
                let options = pack::Options {
                    format: *format,
                    level: bundle.level,
                    auto: bundle.auto,
                    limits,
                    digest: bundle.digest,
                };
                pack::pack_and_list(plan, &options, list, stop, progress, emit)
            }
            Self::File(file) => file.send(limits.part_size, stop, progress, emit),
        }
    }
}

fn refuse(report: &Report) -> Result<(), Box<Report>> {
    if report.has_errors() {
        return Err(Box::new(report.clone()));
    }
    Ok(())
}
