//! Decides what becomes of a symbolic link.
//!
//! `aws deploy push` packs the files that links lead to, and drops links to directories without a word.
//! By default this does so, too, but with a notice. [`Symlinks`] can also have every link followed, kept, left
//! out or refused. A link that leads out of the source packs files from elsewhere, or points to
//! another place once it is deployed. Where links to directories are followed or links are kept, such a
//! link is therefore an error, unless [`Options::external_links`] allows it.
//!
//! A followed directory is opened at the place that the link leads to, and not through the link, so that
//! nothing else is packed if the link changes later. A link back to a directory above it is found by the
//! identities of all directories on the way.

use std::ffi::{CStr, CString};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::notice::{NoticeKind, Noticed};
use super::{Error, Options, Symlinks};
use crate::archive::zip::Shown;
use crate::error::FileError;
use crate::system::{Directory, FileKind, Identity, Links, Root, Stat};

/// What an error says was tried.
const FOLLOW: &str = "follow the symbolic link";

/// A link to a directory whose content is in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// The link's path in the archive.
    pub(super) path: Vec<u8>,
    /// The place of the directory.
    pub(super) place: Vec<u8>,
}

/// A symbolic link that the walk has met.
pub(super) struct Link<'a> {
    pub(super) options: &'a Options,
    pub(super) root: &'a Root,
    /// The directory that the link is in.
    pub(super) folder: &'a Directory,
    pub(super) name: &'a CStr,
    /// Its path in the archive.
    pub(super) path: &'a [u8],
    /// Its place.
    pub(super) place: Vec<u8>,
    /// Its path for messages.
    pub(super) shown: &'a dyn Fn() -> PathBuf,
}

/// What becomes of a link.
pub(super) enum Outcome {
    /// The plan leaves it out.
    LeftOut,
    /// The plan has an entry with the content of the file that it leads to.
    File(Stat),
    /// The plan has an entry for the link itself, with this text. If it leads to a directory of the
    /// source, that is its place.
    Kept(CString, Option<Vec<u8>>),
    /// It leads to a directory, which may be followed to [`Link::directory`].
    Directory,
    /// It leads to a pipe, a socket or a device.
    Special(FileKind),
}

impl Link<'_> {
    /// Decides what becomes of the link. `goes_in` is whether patterns select its path, taken for a file.
    pub(super) fn outcome(&self, goes_in: bool, noticed: &mut Noticed) -> Result<Outcome, Error> {
        match self.options.symlinks {
            // It may lead to a directory, about which patterns can say something else.
            Symlinks::Follow => {}
            _ if !goes_in => return Ok(Outcome::LeftOut),
            Symlinks::Skip => {
                noticed.add(NoticeKind::SkippedLink, self.path);
                return Ok(Outcome::LeftOut);
            }
            Symlinks::Error => {
                let path = (self.shown)();
                return Err(Error::Link { path });
            }
            Symlinks::Preserve => return self.preserve(noticed),
            Symlinks::Files => {}
        }
        let stat = match self.folder.stat(self.name, Links::Follow) {
            Ok(stat) => stat,
            Err(_) if !goes_in => return Ok(Outcome::LeftOut),
            Err(error) => return Err(self.failed(FOLLOW, error)),
        };
        match stat.kind {
            FileKind::Directory if self.options.symlinks == Symlinks::Follow => {
                Ok(Outcome::Directory)
            }
            FileKind::Directory => {
                noticed.add(NoticeKind::DroppedLink, self.path);
                Ok(Outcome::LeftOut)
            }
            _ if !goes_in => Ok(Outcome::LeftOut),
            FileKind::File => {
                if !self.stays()? {
                    self.leads_out(noticed)?;
                }
                Ok(Outcome::File(stat))
            }
            special => Ok(Outcome::Special(special)),
        }
    }

    /// The directory that the link leads to.
    pub(super) fn directory(&self, noticed: &mut Noticed) -> Result<Followed, Error> {
        let place = self.root.resolve(&self.place);
        let place = place.map_err(|error| self.failed(FOLLOW, error))?;
        if place.starts_with(b"/") {
            self.leads_out(noticed)?;
        }
        Ok(Followed {
            path: self.path.to_vec(),
            place,
        })
    }

    fn preserve(&self, noticed: &mut Noticed) -> Result<Outcome, Error> {
        let text = self.text()?;
        let stat = self.folder.stat(self.name, Links::Follow);
        // If a directory in the text is a link itself, only the file system knows where the text leads.
        let stays =
            !text_leads_out(self.path, text.to_bytes()) && (stat.is_err() || self.stays()?);
        if !stays {
            self.leads_out(noticed)?;
        }
        noticed.add(NoticeKind::KeptLink, self.path);
        let is_directory = stat.is_ok_and(|stat| stat.kind == FileKind::Directory);
        let place = if is_directory && stays {
            self.root.resolve(&self.place).ok()
        } else {
            None
        };
        Ok(Outcome::Kept(text, place))
    }

    /// Whether the link leads to something in the source.
    fn stays(&self) -> Result<bool, Error> {
        let inside = self.root.is_inside(&self.place);
        inside.map_err(|error| self.failed(FOLLOW, error))
    }

    /// Notes that the link leads out of the source, or refuses it.
    fn leads_out(&self, noticed: &mut Noticed) -> Result<(), Error> {
        // `aws deploy push` packs such files, too.
        if self.options.symlinks == Symlinks::Files || self.options.external_links {
            noticed.add(NoticeKind::ExternalLink, self.path);
            return Ok(());
        }
        Err(Error::LeadsOut {
            path: (self.shown)(),
            target: Shown::new(self.text()?.to_bytes()),
        })
    }

    fn text(&self) -> Result<CString, Error> {
        let text = self.folder.read_link(self.name.to_bytes());
        text.map_err(|error| self.failed("read the symbolic link", error))
    }

    fn failed(&self, action: &'static str, error: impl Into<io::Error>) -> Error {
        FileError::new(action, (self.shown)(), error).into()
    }
}

/// Whether the text of the link at `path` leads out of the source.
fn text_leads_out(path: &[u8], text: &[u8]) -> bool {
    // On Windows `c:` is a drive; elsewhere it is a name.
    if text.starts_with(b"/") || (cfg!(windows) && text.get(1) == Some(&b':')) {
        return true;
    }
    let mut depth = path.iter().filter(|&&byte| byte == b'/').count();
    for component in text.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// A directory on the way to another one, to find links that lead back.
pub(super) struct Ancestor {
    identity: Identity,
    /// The path in the archive of the last link on the way to it.
    link: Option<Arc<[u8]>>,
    above: Option<Arc<Ancestor>>,
}

impl Ancestor {
    /// Adds the directory with this `identity` below `above`. If it is one of those already, the error is
    /// the last link on the way.
    pub(super) fn below(
        above: Option<&Arc<Self>>,
        identity: Identity,
    ) -> Result<Arc<Self>, Option<Arc<[u8]>>> {
        let link = above.and_then(|above| above.link.clone());
        let mut line = std::iter::successors(above.map(Arc::as_ref), |one| one.above.as_deref());
        if line.any(|one| one.identity == identity) {
            return Err(link);
        }
        Ok(Arc::new(Self {
            identity,
            link,
            above: above.cloned(),
        }))
    }

    /// This directory, when `link`, which is in it, is followed.
    pub(super) fn through(&self, link: &[u8]) -> Arc<Self> {
        Arc::new(Self {
            link: Some(link.into()),
            above: self.above.clone(),
            identity: self.identity.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_text_leads_out_if_it_climbs_above_the_source() {
        for (path, text, out) in [
            ("l", "a", false),
            ("l", "./a//b/..", false),
            ("l", "..", true),
            ("l", "/a", true),
            ("d/l", "../a", false),
            ("d/e/l", "../../x", false),
            ("d/e/l", "../../../x", true),
            ("d/l", "x/../..", false),
            ("d/l", "x/../../..", true),
            ("d/l", "x/../../../d/y", true),
        ] {
            let is_out = text_leads_out(path.as_bytes(), text.as_bytes());
            assert_eq!(is_out, out, "{path} {text}");
        }
    }
}
