//! The jobs of a zip, in archive order: runs of small files, and the chunks of large ones.

use std::sync::Arc;

use super::entry::{self, Batch};
use crate::archive::pack::dispatch::{Dispatcher, ENTRY_COST, End, Pending};
use crate::archive::pack::giant::{Chunk, Giant};
use crate::archive::plan::Run;
use crate::progress::Laps;

/// What comes next in a zip.
pub(super) enum Step {
    /// Small files, from this index of the plan on.
    Batch(usize, Pending<Batch>),
    /// A giant's local header.
    Giant(Arc<Giant>),
    /// The giant's next chunk.
    Chunk(Pending<Chunk>),
    /// There is no more of the giant.
    GiantEnd(Arc<Giant>),
}

/// Gives away all jobs.
pub(super) fn run(dispatcher: &Dispatcher<'_, '_, '_, Step>) -> Result<(), End> {
    let shared = dispatcher.shared;
    let plan = shared.source.plan();
    for run in plan.runs() {
        match run {
            Run::Batch(run) => {
                let content: u64 = run.clone().map(|index| plan.entry(index).size).sum();
                let first = run.start;
                let weight = content + run.len() as u64 * ENTRY_COST;
                let files = run.len() as u64;
                let pending = dispatcher.job(weight, move |worker| {
                    let mut laps = Laps::start();
                    let batch = entry::pack(shared, run, worker, &mut laps)?;
                    shared.did("batch", &laps, files, batch.content);
                    Ok(batch)
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
    let giant = Giant::open(&shared.source, index, shared.pace.compresses())?;
    let giant = Arc::new(giant);
    dispatcher.send(Step::Giant(Arc::clone(&giant)))?;
    for (offset, len) in giant.chunks() {
        let giant = Arc::clone(&giant);
        let pending = dispatcher.job(len as u64 + ENTRY_COST, move |worker| {
            let mut laps = Laps::start();
            let chunk = giant.chunk(shared, offset, len, worker, &mut laps)?;
            shared.did("chunk", &laps, 1, chunk.content);
            Ok(chunk)
        })?;
        dispatcher.send(Step::Chunk(pending))?;
    }
    dispatcher.send(Step::GiantEnd(giant))
}
