//! What the commands say: to people, to programs and to CI.

#[cfg(feature = "push")]
pub(crate) mod debug;
pub(crate) mod diagnostic;
pub(crate) mod lint;
pub(crate) mod progress;
#[cfg(feature = "push")]
pub(crate) mod push;
#[cfg(feature = "push")]
pub(crate) mod recovery;
pub(crate) mod timings;
