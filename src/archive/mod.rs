//! Turns a directory into an archive: `plan` lists what goes in, `pack` reads and compresses it on all cores,
//! and `zip`, `tar` and `deflate` write the formats. Nothing here is async, and nothing knows AWS.

pub mod deflate;
pub mod limits;
pub mod manifest;
pub mod pack;
pub mod plan;
pub mod tar;
pub mod zip;
