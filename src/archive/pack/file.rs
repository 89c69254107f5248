//! The archive as a local file.
//!
//! It is written beside its target and renamed when it is complete, so that whoever looks at the
//! target sees the old file or the new one, and a pack that fails leaves nothing behind.

use std::path::Path;

use super::{Error, List, Options, Packed, pack_and_list};
use crate::archive::plan::Plan;
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::progress::Progress;
use crate::system;

/// Packs `plan` into the file `target`, which is replaced if it exists.
///
/// # Errors
///
/// [`Error`]. The target is then as it was.
pub fn pack_to_file(
    plan: &Plan,
    target: &Path,
    options: &Options,
    stop: &Cancel,
    progress: &Progress,
) -> Result<Packed, Error> {
    pack_to_file_and_list(plan, target, options, None, stop, progress)
}

/// The same, and tells `list` of each entry.
///
/// # Errors
///
/// As [`pack_to_file`], and those of `list`.
pub fn pack_to_file_and_list<'l>(
    plan: &Plan,
    target: &Path,
    options: &Options,
    list: Option<&'l mut List<'l>>,
    stop: &Cancel,
    progress: &Progress,
) -> Result<Packed, Error> {
    let failed = |action| move |error| FileError::new(action, target, error);
    let file = system::temporary_beside(target).map_err(failed("create"))?;
    let part_size = options.limits.part_size;
    let packed = pack_and_list(plan, options, list, None, stop, progress, &mut |part| {
        // Parts come out of order: a large file's header is written last.
        let offset = u64::from(part.number - 1) * part_size;
        system::write_all_at(file.as_file(), &part.body, offset).map_err(failed("write"))?;
        Ok(())
    })?;
    file.persist(target)
        .map_err(|error| failed("replace")(error.error))?;
    Ok(packed)
}
