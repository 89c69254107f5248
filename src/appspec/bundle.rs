//! The files of the bundle, which an AppSpec file names.
//!
//! The checks look up a few names in the plan, without copying it or keeping a file open. Files are read
//! as the packer reads them: relative to the source, never through a symbolic link that the walk did not
//! see, and without waiting for a pipe.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;

use crate::archive::plan::{Kind, Plan};
use crate::error::FileError;
use crate::system::{FileKind, Links};

/// The files that an AppSpec file comes with. Names are relative, without `.`, `..` or double slashes.
pub trait Bundle {
    /// How many files there are.
    fn len(&self) -> usize;

    /// Whether the bundle has no files.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a file. Names are sorted by their bytes.
    fn name(&self, index: usize) -> &[u8];

    /// The permissions of a file.
    fn mode(&self, index: usize) -> u32;

    /// The text of a symbolic link that is kept. None for a file.
    fn link(&self, _index: usize) -> Option<&[u8]> {
        None
    }

    /// Why a name is not in the bundle although it is in the source. None if it is not in the source.
    fn absence(&self, name: &str) -> Option<Absence>;

    /// Two names that differ only in case, and how many more such names there are.
    fn collision(&self) -> (Option<(String, String)>, usize);

    /// The first bytes of a file. None if it cannot be read, which the packer reports later.
    fn head(&self, index: usize) -> Option<Vec<u8>>;

    /// The index of the file with this name.
    fn find(&self, name: &[u8]) -> Option<usize> {
        let at = partition_point(self, |other| other < name);
        (at < self.len() && self.name(at) == name).then_some(at)
    }

    /// The files in a directory and below it; for the empty name all files.
    fn below(&self, directory: &str) -> Range<usize> {
        if directory.is_empty() {
            return 0..self.len();
        }
        let prefix = format!("{directory}/");
        let prefix = prefix.as_bytes();
        let start = partition_point(self, |other| other < prefix);
        let end = partition_point(self, |other| other < prefix || other.starts_with(prefix));
        start..end
    }

    /// A file or directory whose name differs from this one in case only.
    fn find_ignoring_case(&self, name: &str) -> Option<String> {
        let len = name.len();
        (0..self.len()).find_map(|index| {
            let other = self.name(index);
            let same = other.get(..len)?.eq_ignore_ascii_case(name.as_bytes())
                && matches!(other.get(len), None | Some(b'/'));
            same.then(|| String::from_utf8_lossy(&other[..len]).into_owned())
        })
    }
}

/// Why a file of the source is not in the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Its path goes through a symbolic link to a directory.
    BelowLink,
    /// Its name, or that of a directory above it, starts with a dot.
    Hidden,
    /// It is a directory without files, or a pattern leaves it out.
    LeftOut,
}

/// The first index whose name is not `before`. All names that are `before` must come first.
fn partition_point<B: Bundle + ?Sized>(bundle: &B, before: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut high) = (0, bundle.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if before(bundle.name(middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The name in the bundle to which a kept link leads. None if it leads out of the bundle.
pub(super) fn resolve_link(name: &[u8], text: &[u8]) -> Option<String> {
    let (name, text) = (
        std::str::from_utf8(name).ok()?,
        std::str::from_utf8(text).ok()?,
    );
    if text.starts_with('/') {
        return None;
    }
    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
    normalized(
        [directory, text]
            .into_iter()
            .flat_map(|path| path.split('/')),
    )
}

/// The name in the bundle that the parts of a path lead to. None if they lead out of the bundle.
pub(super) fn normalized<'a>(parts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for part in parts {
        match part {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            part => names.push(part),
        }
    }
    Some(names.join("/"))
}

/// The bytes of a script that are read. The path of an interpreter is shorter.
const HEAD_LEN: u64 = 512;

impl Bundle for Plan {
    fn len(&self) -> usize {
        self.len()
    }

    fn name(&self, index: usize) -> &[u8] {
        self.entry(index).name
    }

    fn mode(&self, index: usize) -> u32 {
        self.entry(index).mode
    }

    fn link(&self, index: usize) -> Option<&[u8]> {
        match self.entry(index).kind {
            Kind::Link(text) => Some(text),
            Kind::File | Kind::Directory => None,
        }
    }

    fn absence(&self, name: &str) -> Option<Absence> {
        let look = |path: &str| self.root().top().lstat(path.as_bytes());
        look(name).ok()?;
        let is_link = |part: &str| look(part).is_ok_and(|stat| stat.kind == FileKind::Link);
        let mut parts = name.match_indices('/').map(|(slash, _)| &name[..slash]);
        let hidden = name.split('/').any(|part| part.starts_with('.'));
        Some(if parts.any(is_link) || is_link(name) {
            Absence::BelowLink
        } else if hidden {
            Absence::Hidden
        } else {
            Absence::LeftOut
        })
    }

    fn collision(&self) -> (Option<(String, String)>, usize) {
        let groups = self.collisions();
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let first = groups.first().and_then(|group| match group.as_slice() {
            [one, other, ..] => Some((text(one), text(other))),
            _ => None,
        });
        let all: usize = groups.iter().map(Vec::len).sum();
        (first, all.saturating_sub(2))
    }

    fn head(&self, index: usize) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        let file = open(self, index).ok()?;
        file.take(HEAD_LEN).read_to_end(&mut head).ok()?;
        Some(head)
    }
}

/// Reads a file of the plan, at most `limit` bytes.
pub(super) fn read(plan: &Plan, index: usize, limit: usize) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    open(plan, index)
        .and_then(|file| file.take(limit as u64).read_to_end(&mut bytes))
        .map_err(|error| FileError::new("read", plan.path(index), error))?;
    Ok(bytes)
}

fn open(plan: &Plan, index: usize) -> io::Result<File> {
    let entry = plan.entry(index);
    if matches!(entry.kind, Kind::Link(_)) {
        let file = plan.root().open_through_link(&plan.place(entry.name))?;
        return file.ok_or_else(|| io::Error::other("it leads out of the source"));
    }
    let slash = entry.name.iter().rposition(|&byte| byte == b'/');
    let (path, name) = entry.name.split_at(slash.map_or(0, |slash| slash + 1));
    let path = plan.place(path.strip_suffix(b"/").unwrap_or(path));
    let folder = plan.root().directory(&path)?;
    let links = if entry.via_link {
        Links::Follow
    } else {
        Links::Refuse
    };
    Ok(folder.open(name, links)?)
}
