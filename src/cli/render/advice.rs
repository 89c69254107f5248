//! What the command line adds to errors of listing, packing and checking a source: the options that
//! help. What it adds to other errors is in `push/advice.rs`.

use hoist::appspec::Missing;
use hoist::archive::pack;
use hoist::archive::plan::{self, Notice, NoticeKind};
use hoist::error::{quoted, shown};

/// The text for a source that cannot be listed.
pub(crate) fn unlisted(error: &plan::Error) -> String {
    let advice = match error {
        plan::Error::Special { .. } => {
            "; remove it from the source, or leave such files out with --skip-special"
        }
        plan::Error::Link { .. } => ", which --symlinks error refuses",
        plan::Error::LeadsOut { .. } => "; exclude it, or allow it with --external-links",
        // Keeping it does not help: the agents follow it when they install.
        plan::Error::Loop { .. } => "; leave it out with --exclude",
        _ => "",
    };
    format!("{error}{advice}")
}

/// The text of a notice about a source.
pub(crate) fn notice(notice: &Notice) -> String {
    let advice = match notice.kind {
        NoticeKind::Private => "; leave out with --exclude what is not meant to be there",
        _ => "",
    };
    format!("{notice}{advice}")
}

/// The text for a source that cannot be packed.
pub(crate) fn unpacked(error: &pack::Error) -> String {
    match error {
        pack::Error::Deflate { .. } => format!("{error}, and pack with --level 0"),
        error => error.to_string(),
    }
}

/// What the user can do about a missing AppSpec file.
pub(crate) fn missing_appspec(missing: &Missing) -> String {
    match missing {
        missing if missing.excluded => {
            "it is there, but a pattern leaves it out: add --include appspec.yml, or change --exclude or \
             .hoistignore"
                .to_owned()
        }
        Missing {
            misnamed: Some(name),
            ..
        } => {
            format!(
                "there is an {}, which the CodeDeploy agent does not read: rename it",
                shown(name)
            )
        }
        Missing {
            elsewhere: Some(found),
            ..
        } => {
            let word = quoted(&found.to_string_lossy());
            format!("found in {}/; did you mean --source {word}?", shown(found))
        }
        _ => "a deployment needs it at the root of the bundle: name the directory that has it with \
              --source, or write it and check it with hoist lint"
            .to_owned(),
    }
}
