//! Zip: jobs make whole entries, and the assembler adds the central directory.

mod assemble;
mod entry;
mod jobs;

use self::assemble::Assembler;
use super::digest::Told;
use super::dispatch::{Shared, side_by_side};
use super::outlet::Outlet;
use super::{Error, Packed};

/// Packs the plan into a zip.
pub(super) fn pack<'a>(
    shared: &Shared<'a>,
    pool: &rayon::ThreadPool,
    out: Outlet<'_, '_>,
    told: Option<Told<'_>>,
) -> Result<Packed, Error> {
    side_by_side(shared, pool, jobs::run, |tickets| {
        Assembler::new(shared, out, told).run(tickets)
    })
}
