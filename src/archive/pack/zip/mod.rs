//! Packs a zip: jobs make whole entries, and the assembler adds the central directory.

mod assemble;
mod entry;
mod giant;
mod jobs;

use self::assemble::Assembler;
use super::digest::EntryHasher;
use super::dispatch::{Shared, side_by_side};
use super::outlet::Outlet;
use super::{Error, Packed};

/// Packs the plan into a zip.
pub(super) fn pack(
    shared: &Shared<'_>,
    pool: &rayon::ThreadPool,
    out: Outlet<'_, '_>,
    hasher: Option<EntryHasher<'_>>,
) -> Result<Packed, Error> {
    side_by_side(shared, pool, jobs::run, |tickets| {
        Assembler::new(shared, out, hasher).run(tickets)
    })
}
