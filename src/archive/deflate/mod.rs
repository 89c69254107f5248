//! Compression: whole small files, and chunks of large ones that many cores compress at once and
//! that join into a single deflate stream (RFC 1951).
//!
//! This is the only room that names a compression crate. There is one engine, libdeflate (and ISA-L for
//! [`Level::FAST`] where the feature `isal` is on): on whole
//! files it is two to three times as fast as zlib at the size zlib reaches, and [`stitch`] makes up
//! for what it lacks, a way to go on after the end of a chunk.
//!
//! The output depends on the input and the level alone. Nothing that an [`Engine`] compressed
//! before, no thread and no clock has a part in it. What deflate would make larger comes out
//! stored, so [`max_deflated_len`] holds for every input.
//!
//! It refuses to read or write anything but memory, and to inflate.

mod engine;
pub mod gzip;
#[cfg(feature = "isal")]
mod isal;
mod level;
mod sample;
pub mod stitch;
mod stored;
#[cfg(test)]
mod testing;

pub use engine::{Engine, Error};
pub use level::{Level, LevelError, NoSuchLevel};
pub use sample::looks_compressible;
pub use stored::max_deflated_len;
