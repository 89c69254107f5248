//! Renders and reads the records of a zip.
//!
//! An archive is packed on many threads and sent in order, so its records must be right the first time. No
//! crate writes an entry that is already compressed, with its CRC and sizes in the local header, without
//! seeking; and readers differ in nearly everything else, above all in data descriptors. So hoist renders
//! these few bytes itself.
//!
//! A local header holds no offset, so a worker renders it alone ([`local_header`]). The assembler adds up the
//! offsets, and renders the directory from what it kept of each entry ([`CentralDirectory`]):
//!
//! ```text
//! local header | data | local header | data | ... | central directory | end
//! ```
//!
//! Refused here: I/O and threads; writing data descriptors (bit 3), methods other than stored and deflate,
//! comments, encryption, and names that some reader would reject or change ([`check_name`],
//! [`check_order`]). [`DirectoryReader`] reads archives of any program.
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

pub use entry::{Entry, Method, Sizes, is_far};
pub use names::{MAX_COMPONENT, MAX_PATH, NameError, NonUtf8, Shown, check_name, check_order};
pub use read::{
    CENTRAL_LEN, Central, Directory, DirectoryReader, FLAG_DESCRIPTOR, FLAG_ENCRYPTED, Header,
    LOCAL_LEN, MAX_DESCRIPTOR, ReadError, Record, descriptor_len, end_window, local_header_size,
    read_local_header,
};
pub use write::{CentralDirectory, MAX_END, local_header, local_header_len, max_overhead};
