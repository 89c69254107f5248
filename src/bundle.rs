//! The types of bundle that CodeDeploy takes, and which of them a name stands for.
//!
//! Only names count here: files are recognised by their content where they are opened.

use std::fmt;
use std::str::FromStr;

/// How files are put into one archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Each file compressed by itself.
    #[default]
    Zip,
    /// Not compressed.
    Tar,
    /// A tar, compressed as a whole. For many small files it is half the size of a zip.
    Tgz,
}

/// `BundleType` of CodeDeploy's API: what a revision's object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleType {
    /// An archive, for EC2 and on-premises instances.
    Archive(Format),
    /// An AppSpec file in YAML, for Lambda and ECS.
    Yaml,
    /// An AppSpec file in JSON, for Lambda and ECS.
    Json,
}

/// What is sent of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The files of the directory, in an archive.
    Archive(Format),
    /// The source, a file, as it is.
    File(BundleType),
}

impl Content {
    /// The type of the object.
    #[must_use]
    pub fn bundle_type(self) -> BundleType {
        match self {
            Self::Archive(format) => BundleType::Archive(format),
            Self::File(bundle) => bundle,
        }
    }
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Zip, Self::Tar, Self::Tgz];

    /// The format's name in CodeDeploy's API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::Tgz => "tgz",
        }
    }

    /// The format that the ending of a path or key stands for, in any case; a zip if for none.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let bundle = BundleType::of_name(name);
        bundle.and_then(BundleType::format).unwrap_or_default()
    }
}

impl BundleType {
    /// The type's name in CodeDeploy's API: AppSpec files in capitals.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive(format) => format.name(),
            Self::Yaml => "YAML",
            Self::Json => "JSON",
        }
    }

    /// The usual ending of a key of this type.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Archive(Format::Zip) => ".zip",
            Self::Archive(Format::Tar) => ".tar",
            Self::Archive(Format::Tgz) => ".tgz",
            Self::Yaml => ".yaml",
            Self::Json => ".json",
        }
    }

    /// The type that the ending of a path or key stands for, in any case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        const ENDINGS: [(&str, BundleType); 7] = [
            (".zip", BundleType::Archive(Format::Zip)),
            (".tar", BundleType::Archive(Format::Tar)),
            (".tgz", BundleType::Archive(Format::Tgz)),
            (".tar.gz", BundleType::Archive(Format::Tgz)),
            (".yaml", BundleType::Yaml),
            (".yml", BundleType::Yaml),
            (".json", BundleType::Json),
        ];
        let name = name.as_bytes();
        let has = |ending: &str| {
            let from = name.len().checked_sub(ending.len());
            from.is_some_and(|from| name[from..].eq_ignore_ascii_case(ending.as_bytes()))
        };
        let found = ENDINGS.iter().find(|(ending, _)| has(ending));
        found.map(|(_, bundle)| *bundle)
    }

    /// The archive format, if it is an archive.
    #[must_use]
    pub fn format(self) -> Option<Format> {
        match self {
            Self::Archive(format) => Some(format),
            Self::Yaml | Self::Json => None,
        }
    }
}

/// A text that is not the name of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose zip, tar, tgz, YAML or JSON")]
pub struct BadBundleType;

impl FromStr for BundleType {
    type Err = BadBundleType;

    fn from_str(text: &str) -> Result<Self, BadBundleType> {
        let archives = Format::ALL.into_iter().map(Self::Archive);
        archives
            .chain([Self::Yaml, Self::Json])
            .find(|bundle| bundle.name().eq_ignore_ascii_case(text))
            .ok_or(BadBundleType)
    }
}

impl Default for BundleType {
    fn default() -> Self {
        Self::Archive(Format::default())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for BundleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_stands_for_a_type_in_any_case() {
        let of = |name| BundleType::of_name(name).map(BundleType::name);
        for (name, bundle) in [
            ("a.zip", "zip"),
            ("dir/A.ZIP", "zip"),
            ("a.tar", "tar"),
            ("a.tgz", "tgz"),
            ("a.b.Tar.Gz", "tgz"),
            ("appspec.yml", "YAML"),
            ("x.YAML", "YAML"),
            (".json", "JSON"),
        ] {
            assert_eq!(of(name), Some(bundle), "{name}");
        }
        for name in [
            "",
            "zip",
            "a.gz",
            "a.zip/b",
            "a.zip?versionId=1",
            "é.zi",
            "a.war",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
