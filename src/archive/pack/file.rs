//! Packs into a local file.
//!
//! The archive is written to a temporary file beside its target, which is renamed when it is complete. So
//! a reader of the target sees the old archive or the new one, and a pack that fails leaves nothing behind.

use std::path::Path;

use super::{Error, LinkFeedback, List, Options, Packed, pack_and_list};
use crate::archive::plan::Plan;
use crate::cancel::Cancel;
use crate::error::FileError;
use crate::progress::Progress;
use crate::system;

/// Packs `plan` into the file `target`, which is replaced if it exists, and calls `list` for each entry.
///
/// # Errors
///
/// [`Error`], and those of `list`. The target is unchanged then.
pub fn pack_to_file<'l>(
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
    let link = LinkFeedback::new();
    let packed = pack_and_list(plan, options, list, &link, stop, progress, &mut |part| {
        // A part with a large file's header comes after later parts, so each is written at its offset.
        let offset = u64::from(part.number - 1) * part_size;
        system::write_all_at(file.as_file(), &part.body, offset).map_err(failed("write"))?;
        Ok(())
    })?;
    file.persist(target)
        .map_err(|error| failed("replace")(error.error))?;
    Ok(packed)
}
