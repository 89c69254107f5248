//! What the commands say: to people, to programs and to CI.

pub(crate) mod advice;
#[cfg(feature = "push")]
pub(crate) mod debug;
pub(crate) mod diagnostic;
pub(crate) mod lint;
pub(crate) mod progress;
#[cfg(feature = "push")]
pub(crate) mod push;
pub(crate) mod timings;
