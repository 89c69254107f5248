//! From a directory to an archive: what goes in, the threads that read and compress it, and the
//! records of the two formats. Nothing here is async or knows AWS.

pub mod deflate;
pub mod limits;
pub mod manifest;
pub mod pack;
pub mod plan;
pub mod tar;
pub mod zip;
