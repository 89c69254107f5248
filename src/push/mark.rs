//! What is pushed, in a few digests: so that another push can say why it cannot go on with this one.

use super::Bundle;
use super::prepare::Prepared;
use crate::transfer::UploadFingerprint;

/// What shapes the bytes. That they are the same is not proven by this but by their checksums.
pub(super) fn mark(bundle: &Bundle, prepared: &Prepared) -> UploadFingerprint {
    let program = format!("{} {}", env!("CARGO_PKG_VERSION"), cfg!(feature = "isal"));
    let options = format!("{:?} {:?}", bundle.level, bundle.content);
    UploadFingerprint {
        program: UploadFingerprint::digest(program.as_bytes()),
        options: UploadFingerprint::digest(options.as_bytes()),
        // The store knows.
        headers: 0,
        plan: prepared.digest(),
    }
}
