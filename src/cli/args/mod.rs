//! What the commands are given: one group of options a file.
//!
//! A group knows its options, their texts and how they become values of the library. It runs
//! nothing.

pub(crate) mod archive;
#[cfg(feature = "push")]
pub(crate) mod aws;
pub(crate) mod color;
pub(crate) mod descriptors;
pub(crate) mod output;
#[cfg(any(feature = "push", feature = "local"))]
pub(crate) mod size;
pub(crate) mod source;
#[cfg(any(feature = "push", feature = "local"))]
pub(crate) mod time;
pub(crate) mod unknown;
