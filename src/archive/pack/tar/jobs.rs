//! The jobs of a tar, in archive order.

use std::ops::Range;
use std::sync::Arc;

use super::layout::{self, pieces};
use super::piece::{self, Piece};
use crate::archive::pack::dispatch::{Dispatcher, ENTRY_COST, End, Pending};
use crate::archive::pack::giant::Giant;
use crate::archive::tar;
use crate::progress::Laps;

/// What comes next in a tar.
pub(super) enum Step {
    /// Entries: the files that are complete with it.
    Run(Range<usize>, Pending<Piece>),
    /// The next of a giant's content.
    Slice(Pending<Piece>),
    /// There is no more of the giant.
    GiantEnd(Arc<Giant>),
    /// The end of the archive.
    End(Pending<Piece>),
}

/// Gives away all jobs.
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
                let weight = len + run.entries.len() as u64 * ENTRY_COST;
                let pending = dispatcher.job(weight, move |worker| {
                    let mut laps = Laps::start();
                    let piece = piece::entries(shared, &run, worker, &mut laps)?;
                    shared.did("entries", &laps, run.files, run.content);
                    Ok(piece)
                })?;
                dispatcher.send(Step::Run(complete, pending))?;
            }
            layout::Piece::Giant(index) => position += giant(dispatcher, index)?,
        }
    }
    let pending = dispatcher.job(ENTRY_COST, move |worker| {
        let mut laps = Laps::start();
        let piece = piece::end(shared, position, worker, &mut laps)?;
        shared.did("end", &laps, 0, 0);
        Ok(piece)
    })?;
    dispatcher.send(Step::End(pending))
}

/// Returns how much stream it is.
fn giant(dispatcher: &Dispatcher<'_, '_, '_, Step>, index: usize) -> Result<u64, End> {
    let shared = dispatcher.shared;
    // Whether a chunk compresses is seen in the stream.
    let giant = Arc::new(Giant::open(&shared.source, index, false)?);
    for (offset, len) in giant.chunks() {
        let giant = Arc::clone(&giant);
        let pending = dispatcher.job(len as u64 + ENTRY_COST, move |worker| {
            let mut laps = Laps::start();
            let piece = piece::slice(shared, &giant, offset, len, worker, &mut laps)?;
            shared.did("slice", &laps, 1, piece.content);
            Ok(piece)
        })?;
        dispatcher.send(Step::Slice(pending))?;
    }
    let len = giant.size + tar::padding(giant.size) as u64;
    dispatcher.send(Step::GiantEnd(giant))?;
    Ok(len)
}
