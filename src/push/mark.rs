//! What is pushed, in a few digests: so that another push can say why it cannot go on with this one.

use super::Request;
use super::prepare::Contents;
use crate::transfer::Mark;

/// What shapes the bytes. That they are the same is not proven by this but by their checksums.
pub(super) fn mark(request: &Request, contents: &Contents) -> Mark {
    let program = format!("{} {}", env!("CARGO_PKG_VERSION"), cfg!(feature = "isal"));
    let options = format!("{:?} {:?}", request.packing.level, request.source.content);
    Mark {
        program: Mark::digest(program.as_bytes()),
        options: Mark::digest(options.as_bytes()),
        // The store knows.
        headers: 0,
        plan: contents.digest(),
    }
}
