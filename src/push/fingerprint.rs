//! What shapes an upload's bytes, in a few digests: so that a later push can say why it does not resume it.

use crate::archive::deflate::Level;
use crate::bundle::Content;
use crate::transfer::{Digest, UploadFingerprint};

/// The fingerprint of an upload of `content`; `plan` is the digest of its files. That two uploads have the
/// same bytes is not proven by this but by the checksums of their parts. The store adds the headers.
pub(super) fn fingerprint(level: Level, content: Content, plan: u16) -> UploadFingerprint {
    let mut program = Digest::new("program 1");
    program.field(env!("CARGO_PKG_VERSION"));
    program.field([u8::from(cfg!(feature = "isal"))]);
    let mut options = Digest::new("options 1");
    options.field(level.to_string());
    options.field(content.bundle_type().name());
    options.field([u8::from(matches!(content, Content::Archive(_)))]);
    UploadFingerprint {
        program: program.finish(),
        options: options.finish(),
        headers: 0,
        plan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Format;

    /// A change of these values makes unfinished uploads of earlier builds useless.
    #[test]
    fn digests_of_options_are_pinned() {
        let of = |(level, format)| {
            let level = Level::new(level).unwrap();
            fingerprint(level, Content::Archive(format), 7).options
        };
        let options = [(6, Format::Zip), (9, Format::Zip), (6, Format::Tgz)].map(of);
        assert_eq!(options, [44_159, 12_882, 21_126]);
    }
}
