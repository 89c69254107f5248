//! The packer's channels, re-exported from one place so that `tests/models.rs` can replace them; see
//! [`crate::sync`].

pub(super) use crossbeam_channel::{Receiver, Sender, bounded};
