//! `--bundle-type`.

use clap::Args;
use hoist::bundle::Format;

#[derive(Debug, Args)]
pub(crate) struct BundleTypeArgs {
    /// Archive to make: zip, tar or tgz [default: as the key or the output file ends, else zip]
    #[arg(long, value_name = "TYPE", value_parser = format)]
    bundle_type: Option<Format>,
}

impl BundleTypeArgs {
    /// What was asked for.
    #[cfg(feature = "push")]
    pub(crate) fn asked(&self) -> Option<Format> {
        self.bundle_type
    }

    /// The archive to make, under this name.
    pub(crate) fn format(&self, name: &str) -> Format {
        self.bundle_type.unwrap_or_else(|| Format::of_name(name))
    }
}

pub(crate) fn format(text: &str) -> Result<Format, String> {
    let found = Format::ALL.into_iter().find(|format| format.name() == text);
    found.ok_or_else(|| "choose zip, tar or tgz".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_beats_the_name() {
        let asked = |bundle_type| BundleTypeArgs { bundle_type };
        assert_eq!(asked(None).format("a/B.TGZ"), Format::Tgz);
        assert_eq!(asked(None).format("key"), Format::Zip);
        assert_eq!(asked(Some(Format::Tar)).format("a.tgz"), Format::Tar);
        assert_eq!(format("tar"), Ok(Format::Tar));
        for bad in ["ZIP", "tar.gz", "YAML", ""] {
            format(bad).unwrap_err();
        }
    }
}
