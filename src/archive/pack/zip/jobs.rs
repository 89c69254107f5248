//! The jobs of a zip, in archive order: runs of small files, and the chunks of giants.

use std::sync::Arc;

use super::entry::{self, Batch};
use super::giant::{self, Chunk};
use crate::archive::pack::dispatch::{Dispatcher, ENTRY_COST, End, Job, Pending};
use crate::archive::pack::giant::Giant;
use crate::archive::plan::Run;
use crate::archive::zip::Method;

/// What comes next in a zip.
pub(super) enum Step {
    /// A run of small files, which starts at this index of the plan.
    Batch(usize, Pending<Batch>),
    /// A giant's local header.
    Giant(Arc<Giant>, Method),
    /// The giant's next chunk.
    Chunk(Pending<Chunk>),
    /// The giant's end.
    GiantEnd(Arc<Giant>, Method),
}

/// Gives all jobs away.
pub(super) fn run(dispatcher: &Dispatcher<'_, '_, '_, Step>) -> Result<(), End> {
    let shared = dispatcher.shared;
    let plan = shared.source.plan();
    for run in plan.runs() {
        match run {
            Run::Batch(run) => {
                let (first, count) = (run.start, run.len() as u64);
                let content: u64 = run.clone().map(|index| plan.entry(index).size).sum();
                let job = Job {
                    name: "batch",
                    weight: content + count * ENTRY_COST,
                    count,
                    content,
                };
                let pending = dispatcher.job(job, move |worker, laps| {
                    entry::pack(shared, run, worker, laps)
                })?;
                dispatcher.send(Step::Batch(first, pending))?;
            }
            Run::Giant(index) => giant(dispatcher, index)?,
        }
    }
    Ok(())
}

fn giant(dispatcher: &Dispatcher<'_, '_, '_, Step>, index: usize) -> Result<(), End> {
    let shared = dispatcher.shared;
    let giant = Arc::new(Giant::open(&shared.source, index)?);
    let method = giant::method(&shared.source, &giant, shared.level.may_compress())?;
    dispatcher.send(Step::Giant(Arc::clone(&giant), method))?;
    for chunk in giant.chunks() {
        let giant = Arc::clone(&giant);
        let content = chunk.1 as u64;
        let job = Job {
            name: "chunk",
            weight: content + ENTRY_COST,
            count: 1,
            content,
        };
        let pending = dispatcher.job(job, move |worker, laps| {
            giant::chunk(shared, &giant, method, chunk, worker, laps)
        })?;
        dispatcher.send(Step::Chunk(pending))?;
    }
    dispatcher.send(Step::GiantEnd(giant, method))
}
