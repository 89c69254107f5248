//! Compression of whole small files, and of chunks of large ones, which many cores compress at once and
//! which join into a single deflate stream (RFC 1951).
//!
//! This is the only module that names a compression crate. libdeflate takes half to a third of zlib's time
//! on whole files, at zlib's size. [`stitch`] adds what it lacks, continuing after the end of a chunk.
//! With the feature `isal`, ISA-L makes [`Level::FAST`].
//!
//! The output depends only on the input and the level: not on what an [`Engine`] compressed before, on
//! threads or on time. Data that deflate would make larger is stored, so [`max_deflated_len`] holds for
//! every input.
//!
//! Refused here: I/O, and inflating.

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
pub use level::{Level, NoSuchLevel};
pub use sample::looks_compressible;
pub use stored::max_deflated_len;
