//! Which kind of bundle a source, a key and the user ask for, and for which platform that is.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Error, read_appspec};
use crate::appspec::{self, Kind, Target};
use crate::archive::tar::{self, BLOCK};
use crate::aws::codedeploy::Platform;
use crate::bundle::{BundleType, Content, Format};
use crate::error::FileError;

/// What to send of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The source, or the AppSpec file in it.
    pub path: PathBuf,
    /// What of it is sent.
    pub content: Content,
    /// What the application must deploy to. None for an AppSpec file whose resource is neither a Lambda
    /// function nor an ECS service.
    pub platform: Option<Platform>,
}

/// Chooses what to send of `source` as `key`: the files of a directory in an archive, or one file as it
/// is. `asked` is the archive format that the user asks for.
///
/// A file is recognised by its content, or by its ending if it is an AppSpec file. A directory becomes
/// the archive that `asked` or else the key's ending names, otherwise a zip.
///
/// If the key ends in .yaml, .yml or .json, one AppSpec file for Lambda or ECS of the directory is sent:
/// the one that is named like the key, or else the only one.
///
/// # Errors
///
/// [`Error`] if `source` is a file that cannot be a revision, or a directory with several AppSpec files
/// none of which is named like the key.
pub fn choose(source: &Path, key: &str, asked: Option<Format>) -> Result<Chosen, Error> {
    if fs::metadata(source).is_ok_and(|metadata| metadata.is_file()) {
        let bundle = file(source, asked)?;
        return Ok(whole(source.to_owned(), bundle));
    }
    let named = BundleType::of_name(key);
    if let (None, Some(BundleType::Yaml | BundleType::Json)) = (asked, named)
        && let Some((path, bundle)) = appspec_in(source, key)?
    {
        return Ok(whole(path, bundle));
    }
    let format = asked.unwrap_or_else(|| Format::of_name(key));
    Ok(Chosen {
        path: source.to_owned(),
        content: Content::Archive(format),
        platform: Some(Platform::Server),
    })
}

/// A file that is sent as it is.
fn whole(path: PathBuf, bundle: BundleType) -> Chosen {
    let platform = match bundle {
        BundleType::Archive(_) => Some(Platform::Server),
        BundleType::Yaml | BundleType::Json => {
            // A file that cannot be read is reported when it is checked.
            let bytes = read(&path).unwrap_or_default();
            appspec::target(&bytes).map(Platform::from)
        }
    };
    Chosen {
        path,
        content: Content::File(bundle),
        platform,
    }
}

impl From<Target> for Platform {
    fn from(target: Target) -> Self {
        match target {
            Target::Lambda => Self::Lambda,
            Target::Ecs => Self::Ecs,
        }
    }
}

/// What the file at `path` is.
fn file(path: &Path, asked: Option<Format>) -> Result<BundleType, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is = match BundleType::of_name(&name) {
        Some(named @ (BundleType::Yaml | BundleType::Json)) => named,
        _ => {
            let format = sniff(path)?.ok_or_else(|| Error::Unknown {
                path: path.to_owned(),
            })?;
            BundleType::Archive(format)
        }
    };
    match asked {
        Some(asked) if is != BundleType::Archive(asked) => Err(Error::Contradicted {
            path: path.to_owned(),
            is,
            asked,
        }),
        _ => Ok(is),
    }
}

/// The archive format that a file's first bytes belong to.
fn sniff(path: &Path) -> Result<Option<Format>, FileError> {
    let failed = |action| move |error| FileError::new(action, path, error);
    let mut head = Vec::with_capacity(BLOCK);
    File::open(path)
        .map_err(failed("open"))?
        .take(BLOCK as u64)
        .read_to_end(&mut head)
        .map_err(failed("read"))?;
    if head.starts_with(b"PK") {
        return Ok(Some(Format::Zip));
    }
    if head.starts_with(&[0x1F, 0x8B]) {
        return Ok(Some(Format::Tgz));
    }
    let block = head.as_slice().try_into().ok();
    let header = block.and_then(|block| tar::parse(block).ok().flatten());
    Ok(header.map(|_| Format::Tar))
}

/// The AppSpec file of a directory that is sent as `key`. None if the directory becomes an archive.
fn appspec_in(source: &Path, key: &str) -> Result<Option<(PathBuf, BundleType)>, Error> {
    // A source that does not exist is reported when it is listed.
    if !source.is_dir() {
        return Ok(None);
    }
    let name = key.rsplit('/').next().unwrap_or(key);
    let named = source.join(name);
    let has_named = is_file(&named);
    if has_named && kind(&named) == Some(Kind::Resources) {
        return Ok(BundleType::of_name(name).map(|bundle| (named, bundle)));
    }
    let mut found = appspec::candidates(source);
    match (found.pop(), &*found) {
        (Some(only), []) => Ok(Some((only.path, only.bundle))),
        (Some(last), _) => {
            found.push(last);
            Err(Error::Ambiguous {
                source_dir: source.to_owned(),
                name: name.to_owned(),
                candidates: found,
            })
        }
        // As `aws deploy push` does with any key.
        (None, _) if is_file(&source.join("appspec.yml")) => Ok(None),
        // The check of the file says why it cannot be sent.
        (None, _) if has_named => Ok(BundleType::of_name(name).map(|bundle| (named, bundle))),
        (None, _) => Err(Error::NoneNamed {
            source_dir: source.to_owned(),
            name: name.to_owned(),
        }),
    }
}

/// Whether a path is a file. Opening a pipe would block.
fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn kind(path: &Path) -> Option<Kind> {
    read(path).ok().map(|bytes| appspec::kind(&bytes))
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| FileError::new("open", path, error))?;
    read_appspec(path, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA: &str = "version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n";
    const ECS: &str = r#"{"Resources": [{"T": {"Type": "AWS::ECS::Service"}}]}"#;
    const SERVER: &str = "version: 0.0\nos: linux\n";
    const TEMPLATE: &str = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n";
    const BROKEN: &str = "version: 0.0\nResources:\n  - f: [\n";

    /// What is chosen of a directory with these files as `key`: the name of a file or "archive", and the
    /// platform; or the error.
    fn chosen(files: &[(&str, &str)], key: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        match choose(dir.path(), key, None) {
            Ok(Chosen {
                content: Content::Archive(format),
                platform,
                ..
            }) => format!("{format} for {}", platform.unwrap()),
            Ok(Chosen { path, platform, .. }) => format!(
                "{} for {}",
                path.file_name().unwrap().display(),
                platform.map_or("?".to_owned(), |platform| platform.to_string())
            ),
            Err(error) => error
                .to_string()
                .replace(&dir.path().display().to_string(), "DIR"),
        }
    }

    #[test]
    fn the_file_named_like_the_key_is_sent_or_else_the_only_appspec_file() {
        let my = "MyAppSpecFile.yaml";
        for (files, key, expected) in [
            (&[(my, LAMBDA)][..], my, "MyAppSpecFile.yaml for Lambda"),
            (
                &[(my, LAMBDA)],
                "a/b/MyAppSpecFile.yaml",
                "MyAppSpecFile.yaml for Lambda",
            ),
            (&[("f.yml", LAMBDA)], "f.yml", "f.yml for Lambda"),
            (&[("f.json", ECS)], "f.json", "f.json for ECS"),
            (&[("F.YAML", LAMBDA)], "F.YAML", "F.YAML for Lambda"),
            // The name of the key wins, whatever else is there.
            (
                &[(my, LAMBDA), ("appspec.yml", SERVER)],
                my,
                "MyAppSpecFile.yaml for Lambda",
            ),
            (
                &[(my, LAMBDA), ("appspec.yaml", LAMBDA)],
                my,
                "MyAppSpecFile.yaml for Lambda",
            ),
            (&[(my, LAMBDA), ("z.json", ECS)], "z.json", "z.json for ECS"),
            // The only one.
            (
                &[(my, LAMBDA)],
                "other.yaml",
                "MyAppSpecFile.yaml for Lambda",
            ),
            (
                &[(my, LAMBDA), ("appspec.yml", SERVER)],
                "o.yml",
                "MyAppSpecFile.yaml for Lambda",
            ),
            (
                &[("appspec.json", ECS), ("template.yaml", TEMPLATE)],
                "o.json",
                "appspec.json for ECS",
            ),
            (
                &[("appspec.yml", LAMBDA), ("package.json", "{}")],
                "o.yaml",
                "appspec.yml for Lambda",
            ),
            (
                &[("f.yaml", LAMBDA), (".g.yaml", LAMBDA)],
                "o.yaml",
                "f.yaml for Lambda",
            ),
            // A file with errors is meant if its name says so; its check names the error.
            (&[("appspec.yaml", BROKEN)], "o.yaml", "appspec.yaml for ?"),
            (&[(my, BROKEN)], my, "MyAppSpecFile.yaml for ?"),
            (&[(my, "version: 0.0\n")], my, "MyAppSpecFile.yaml for ?"),
            // Bundles for instances.
            (&[("appspec.yml", SERVER)], my, "zip for Server"),
            (&[("appspec.yml", SERVER)], "appspec.yml", "zip for Server"),
            (
                &[("appspec.yml", SERVER), ("c.json", "{}")],
                "c.json",
                "zip for Server",
            ),
            (
                &[("appspec.yml", SERVER), ("f.yaml", LAMBDA)],
                "a.tgz",
                "tgz for Server",
            ),
            (&[(my, LAMBDA)], "a.zip", "zip for Server"),
            // More than one, or none.
            (
                &[("f.yaml", LAMBDA), ("g.json", ECS)],
                "o.yaml",
                "DIR has 2 AppSpec files for Lambda or ECS, and none has the name \
                 of the key, o.yaml: f.yaml (Lambda), \
                 g.json (ECS)",
            ),
            (
                &[
                    ("appspec.yaml", LAMBDA),
                    ("appspec.yml", BROKEN),
                    ("f.yml", LAMBDA),
                ],
                "o.yaml",
                "DIR has 3 AppSpec files for Lambda or ECS, and none has the name \
                 of the key, o.yaml: appspec.yaml \
                 (Lambda), appspec.yml, f.yml (Lambda)",
            ),
            (
                &[("template.yaml", TEMPLATE)],
                my,
                "DIR has no MyAppSpecFile.yaml and no other AppSpec file for Lambda or ECS, and no \
                 appspec.yml for instances",
            ),
        ] {
            assert_eq!(chosen(files, key), expected, "{files:?} {key}");
        }
    }

    #[test]
    fn a_format_that_is_asked_for_makes_an_archive_under_any_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f.yaml"), LAMBDA).unwrap();
        let chosen = choose(dir.path(), "f.yaml", Some(Format::Zip)).unwrap();
        assert_eq!(chosen.content, Content::Archive(Format::Zip));
    }
}
