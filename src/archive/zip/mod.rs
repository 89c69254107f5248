//! Forward-only zip records: bytes in, bytes out.
//!
//! A bundle is made on many threads and leaves in order, never to be read
//! again, so its records must be right the first time. No crate writes an entry
//! that is already compressed, with its true CRC and sizes in the local header,
//! without seeking; readers differ on nearly everything else (data descriptors
//! above all), so these few bytes are ours.
//!
//! A worker renders a [`local_header`] alone, because a local header holds no
//! offset. One assembler adds up the offsets and lets a [`CentralDirectory`]
//! render the index from what it kept of each entry:
//!
//! ```text
//! local header | data | local header | data | ... | central directory | end
//! ```
//!
//! What this room refuses: files, threads and I/O; data descriptors (bit 3);
//! methods other than stored and deflate; comments; encryption; names that some
//! reader would reject or change on the way ([`check_name`], [`check_order`]).
//!
//! Section numbers are those of PKWARE's APPNOTE 6.3.10.

mod entry;
mod names;
mod read;
#[cfg(test)]
pub(super) mod strict;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod time;
mod write;

pub use entry::{Entry, Method, Sizes};
pub use names::{MAX_COMPONENT, MAX_PATH, NameError, NonUtf8, Shown, check_name, check_order};
pub use read::{
    CENTRAL_LEN, Central, Directory, DirectoryReader, FLAG_DESCRIPTOR, FLAG_ENCRYPTED, Header,
    LOCAL_LEN, MAX_DESCRIPTOR, ReadError, Record, descriptor_len, end_window, local_header_size,
    read_local_header,
};
pub use write::{CentralDirectory, MAX_END, local_header, local_header_len, max_overhead};
