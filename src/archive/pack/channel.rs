//! The queues of the packer: crossbeam's, from one place. See [`crate::sync`].

pub(super) use crossbeam_channel::{Receiver, Sender, bounded};
