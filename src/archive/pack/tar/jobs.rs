//! The jobs of a tar, in archive order.

use std::ops::Range;
use std::sync::Arc;

use super::layout::{self, pieces};
use super::piece::{self, Piece};
use crate::archive::pack::dispatch::{Dispatcher, ENTRY_COST, End, Job, Pending};
use crate::archive::pack::giant::Giant;
use crate::archive::tar;

/// What comes next in a tar.
pub(super) enum Step {
    /// A run of entries, with the indices of those that it completes.
    Run(Range<usize>, Pending<Piece>),
    /// The next chunk of a giant's content.
    Slice(Pending<Piece>),
    /// The giant's end.
    GiantEnd(Arc<Giant>),
    /// The archive's end.
    End(Pending<Piece>),
}

/// Gives all jobs away.
pub(super) fn run(dispatcher: &Dispatcher<'_, '_, '_, Step>) -> Result<(), End> {
    let shared = dispatcher.shared;
    let mut position = 0;
    for piece in pieces(shared.source.plan()) {
        match piece {
            layout::Piece::Run(run) => {
                let len = run.len as u64;
                position += len;
                let mut complete = run.entries.clone();
                if (complete.len() as u64) > run.files {
                    complete.end -= 1;
                }
                let job = Job {
                    name: "entries",
                    weight: len + run.entries.len() as u64 * ENTRY_COST,
                    count: run.files,
                    content: run.content,
                };
                let pending = dispatcher.job(job, move |worker, laps| {
                    piece::entries(shared, &run, worker, laps)
                })?;
                dispatcher.send(Step::Run(complete, pending))?;
            }
            layout::Piece::Giant(index) => position += giant(dispatcher, index)?,
        }
    }
    let job = Job {
        name: "end",
        weight: ENTRY_COST,
        count: 0,
        content: 0,
    };
    let pending = dispatcher.job(job, move |worker, laps| {
        piece::end(shared, position, worker, laps)
    })?;
    dispatcher.send(Step::End(pending))
}

/// Gives the jobs of a giant away, and returns how many bytes of stream they make.
fn giant(dispatcher: &Dispatcher<'_, '_, '_, Step>, index: usize) -> Result<u64, End> {
    let shared = dispatcher.shared;
    let giant = Arc::new(Giant::open(&shared.source, index)?);
    for chunk in giant.chunks() {
        let giant = Arc::clone(&giant);
        let content = chunk.1 as u64;
        let job = Job {
            name: "slice",
            weight: content + ENTRY_COST,
            count: 1,
            content,
        };
        let pending = dispatcher.job(job, move |worker, laps| {
            piece::slice(shared, &giant, chunk, worker, laps)
        })?;
        dispatcher.send(Step::Slice(pending))?;
    }
    let len = giant.size + tar::padding(giant.size) as u64;
    dispatcher.send(Step::GiantEnd(giant))?;
    Ok(len)
}
