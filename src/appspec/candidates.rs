//! Finds the AppSpec files for Lambda and ECS in a directory. Such a file is a revision by itself, under any
//! name, so its content tells what it is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Kind, MAX_BYTES, Target, kind, target};
use crate::bundle::BundleType;

/// An AppSpec file that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub path: PathBuf,
    /// What its name says that it is.
    pub bundle: BundleType,
    /// What it deploys, if it tells.
    pub target: Option<Target>,
}

/// The AppSpec files for Lambda and ECS in a directory, by name, without hidden files and those that cannot
/// be read.
#[must_use]
pub fn candidates(directory: &Path) -> Vec<Candidate> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names: BTreeSet<String> = names.filter(|name| !name.starts_with('.')).collect();
    let candidate = |name: String| {
        let bundle = match BundleType::of_name(&name)? {
            BundleType::Archive(_) => return None,
            bundle => bundle,
        };
        let path = directory.join(&name);
        let bytes = read(&path)?;
        let target = target(&bytes);
        let stem = Path::new(&name).file_stem()?;
        // A file with this name and with errors is meant, too. Other files may be anything.
        let is_meant = target.is_some() || stem == "appspec" && kind(&bytes) == Kind::Resources;
        is_meant.then_some(Candidate {
            path,
            bundle,
            target,
        })
    };
    names.into_iter().filter_map(candidate).collect()
}

/// The content of a file. Opening a pipe would block.
fn read(path: &Path) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
