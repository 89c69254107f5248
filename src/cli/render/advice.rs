//! What an error of listing or packing a source says on the command line, with the options that help.

use hoist::archive::pack;
use hoist::archive::plan;

/// The text for a source that cannot be listed.
pub(crate) fn unlisted(error: &plan::Error) -> String {
    let advice = match error {
        plan::Error::Special { .. } => {
            "; remove it from the source, or leave such files out with --skip-special"
        }
        plan::Error::Link { .. } => ", which --symlinks error refuses",
        plan::Error::LeadsOut { .. } => "; exclude it, or allow it with --external-links",
        plan::Error::Loop { .. } => "; exclude it, or keep links with --symlinks preserve",
        _ => "",
    };
    format!("{error}{advice}")
}

/// The text for a source that cannot be packed.
pub(crate) fn unpacked(error: &pack::Error) -> String {
    match error {
        pack::Error::Deflate { .. } => format!("{error}, and pack with --level 0"),
        error => error.to_string(),
    }
}
