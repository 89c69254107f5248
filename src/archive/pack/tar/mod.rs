//! Tar and tgz: the stream of a tar, made in pieces that know nothing of each other.
//!
//! Where everything is in a tar follows from names and sizes, which the plan has. So any job can
//! make any piece, header, content and padding, and what remains is to put them in order:
//!
//! ```text
//!  plan --> layout: | entries, up to 1 MiB of stream | a giant's header | 1 MiB | 1 MiB | ... | end |
//!                             one job                  with the entries    one job each
//! ```
//!
//! Small files are read whole, by one job, and a giant by many from one open file, as in a zip: so no
//! file can be half old and half new. A tgz is one deflate stream of pieces that were compressed apart,
//! in a gzip member: decoders stop after the first member, the tar crate's usual one among them.
//!
//! It refuses to compress across pieces: nothing would be gained but 1% (share/doc of the Rust
//! toolchain: 73.7 MB in pieces of 1 MiB, 72.9 of 4 MiB, 72.6 as a whole).

mod assemble;
mod jobs;
mod layout;
mod piece;

pub(super) use self::layout::worst_case;

use self::assemble::Assembler;
use super::digest::Told;
use super::dispatch::{Shared, side_by_side};
use super::outlet::Outlet;
use super::{Error, Packed};

/// Packs the plan into a tar or a tgz.
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
