//! Lists a directory without an allocation for each name.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::io::Errno;

/// The buffer of one system call, in bytes: room for about a thousand names.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BUFFER: usize = 32 << 10;

/// Calls `each` with the name and the type of every entry of `directory` but `.` and `..`. The type is
/// [`FileType::Unknown`] where the file system does not tell it. `buffer` is scratch space.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn list(
    directory: &OwnedFd,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&CStr, FileType),
) -> Result<(), Errno> {
    buffer.clear();
    buffer.reserve(BUFFER);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            each(name, entry.file_type());
        }
    }
    Ok(())
}

/// Calls `each` as above, through `readdir`, on systems for which `rustix` has no call for raw entries.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn list(
    directory: &OwnedFd,
    _: &mut Vec<u8>,
    mut each: impl FnMut(&CStr, FileType),
) -> Result<(), Errno> {
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            each(name, entry.file_type());
        }
    }
    Ok(())
}
