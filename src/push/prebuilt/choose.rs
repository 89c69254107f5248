//! Which kind of bundle a source, a key and the user ask for.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Error, read_appspec};
use crate::appspec::{self, Kind};
use crate::archive::tar::{self, BLOCK};
use crate::bundle::{BundleType, Content, Format};
use crate::error::FileError;

/// Chooses what to send of `source` as `key`: the files of a directory in an archive, or one file as it
/// is. Returns its path and kind. `asked` is the archive format that the user asks for.
///
/// A directory becomes the archive that `asked` or else the key's ending names. If the key ends in
/// .yaml, .yml or .json and the directory holds an AppSpec file for Lambda or ECS, that file is sent.
/// Otherwise the directory becomes a zip. A file is recognised by its content, or by its ending if it is
/// an AppSpec file.
///
/// # Errors
///
/// [`Error`] if `source` is a file that cannot be a revision.
pub fn choose(
    source: &Path,
    key: &str,
    asked: Option<Format>,
) -> Result<(PathBuf, Content), Error> {
    // A source that does not exist is reported when it is listed.
    if fs::metadata(source).is_ok_and(|metadata| metadata.is_file()) {
        return file(source, asked).map(|bundle| (source.to_owned(), Content::File(bundle)));
    }
    let named = BundleType::of_name(key);
    if let (None, Some(named @ (BundleType::Yaml | BundleType::Json))) = (asked, named)
        && let Some((path, bundle)) = appspec_in(source, named)
    {
        return Ok((path, Content::File(bundle)));
    }
    let format = asked.unwrap_or_else(|| Format::of_name(key));
    Ok((source.to_owned(), Content::Archive(format)))
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

/// The AppSpec file for Lambda or ECS in a directory; of two, the one of the wanted type.
fn appspec_in(source: &Path, wanted: BundleType) -> Option<(PathBuf, BundleType)> {
    let mut names = [
        ("appspec.yaml", BundleType::Yaml),
        ("appspec.yml", BundleType::Yaml),
        ("appspec.json", BundleType::Json),
    ];
    names.sort_by_key(|(_, bundle)| *bundle != wanted);
    names.into_iter().find_map(|(name, bundle)| {
        let path = source.join(name);
        // Opening a pipe would block.
        fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let file = File::open(&path).ok()?;
        let found = appspec::kind(&read_appspec(&path, &file).ok()?);
        (found == Kind::Resources).then_some((path, bundle))
    })
}
