//! What is pushed, in a few digests: so that another push can say why it cannot go on with this one.

use crate::archive::deflate::Level;
use crate::bundle::Content;
use crate::transfer::UploadFingerprint;

/// What shapes the bytes. That they are the same is not proven by this but by their checksums.
pub(super) fn mark(level: Level, content: Content, plan: u16) -> UploadFingerprint {
    let program = format!("{} {}", env!("CARGO_PKG_VERSION"), cfg!(feature = "isal"));
    let options = format!("{level:?} {content:?}");
    UploadFingerprint {
        program: UploadFingerprint::digest(program.as_bytes()),
        options: UploadFingerprint::digest(options.as_bytes()),
        // The store knows.
        headers: 0,
        plan,
    }
}
