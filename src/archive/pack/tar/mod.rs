//! Packs a tar or a tgz: the stream of a tar, made in pieces that do not depend on each other.
//!
//! Where everything is in a tar follows from names and sizes, which the plan has. So any job can make any
//! piece, with header, content and padding, and the assembler only appends the pieces in order:
//!
//! ```text
//!  plan --> layout: | entries, up to 1 MiB of stream | a giant's header | 1 MiB | 1 MiB | ... | end |
//!                             one job                  with the entries    one job each
//! ```
//!
//! As in a zip, a small file is read whole by one job, and a giant by many jobs from one open file; so an
//! archive cannot hold half of an old file and half of a new one. A tgz is a single gzip member with one
//! deflate stream, of pieces that were compressed apart: some decoders, the usual one for the `tar` crate
//! among them, stop after the first member.
//!
//! Pieces share no compression window, which costs 1% (share/doc of the Rust toolchain: 73.7 MB in pieces of
//! 1 MiB, 72.9 MB in pieces of 4 MiB, 72.6 MB as a whole).

mod assemble;
mod jobs;
mod layout;
mod piece;

pub(super) use self::layout::worst_case;

use self::assemble::Assembler;
use super::digest::EntryHasher;
use super::dispatch::{Shared, side_by_side};
use super::outlet::Outlet;
use super::{Error, Packed};

/// Packs the plan into a tar or a tgz.
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
