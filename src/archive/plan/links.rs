//! What becomes of symbolic links.
//!
//! `aws deploy push` packs what a link to a file leads to and drops links to directories; that is the
//! default here too, but it is said. Whoever asks for more can have every link followed, kept, left out
//! or refused. A link that leads out of the source packs what nobody looked for in it, or points at
//! another place once it is deployed: where links to directories are followed or links kept, that takes
//! leave.
//!
//! A followed directory is opened where it really is, step by step, not through the link: if the link
//! changes after it was looked at, nothing else is packed. A link back to a directory that it is in is
//! found by what tells directories apart, of all of them.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use rayon::Scope;

use super::notice::NoticeKind;
use super::walk::{Folder, Lane, Mode, Visit, Walk};
use super::{Error, Symlinks};
use crate::archive::zip::Shown;
use crate::error::FileError;
use crate::system::{Directory, FileKind, Identity, Links, Stat};

/// A link to a directory whose content is in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// Its path in the archive.
    pub(super) path: Vec<u8>,
    /// The place that it leads to.
    pub(super) place: Vec<u8>,
}

/// A directory that another is in, by the way it was reached.
pub(super) struct Ancestor {
    identity: Identity,
    /// The last link on the way, by its path in the archive.
    link: Option<Arc<[u8]>>,
    above: Option<Arc<Ancestor>>,
}

impl Walk<'_> {
    /// Whether links to directories are followed.
    pub(super) fn follows(&self) -> bool {
        self.options.symlinks == Symlinks::Follow
    }

    /// Looks at a link, whose name is the lane's. `goes_in` is what patterns say of it, as of a file.
    pub(super) fn link<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: &mut Lane,
        folder: &Folder,
        name: &CStr,
        stat: &Stat,
        goes_in: bool,
    ) -> Result<(), Error> {
        match self.options.symlinks {
            // What it leads to may be a directory, of which patterns may say something else.
            Symlinks::Follow => {}
            _ if !goes_in => return Ok(()),
            Symlinks::Skip => {
                lane.note(NoticeKind::SkippedLink);
                return Ok(());
            }
            Symlinks::Error => {
                let path = self.shown(&lane.name);
                return Err(Error::Link { path });
            }
            Symlinks::Preserve => return self.preserve(lane, folder, name, stat),
            Symlinks::Files => {}
        }
        let stat = match folder.open.stat(name, Links::Follow) {
            Ok(stat) => stat,
            Err(_) if !goes_in => return Ok(()),
            Err(error) => {
                let path = self.shown(&lane.name);
                return Err(FileError::new("follow the symbolic link", path, error).into());
            }
        };
        match stat.kind {
            FileKind::Directory if self.follows() => self.follow(scope, lane, folder, name),
            FileKind::Directory => {
                lane.note(NoticeKind::DroppedLink);
                Ok(())
            }
            _ if !goes_in => Ok(()),
            FileKind::File => {
                if !self.stays(lane, folder, name)? {
                    self.leads_out(lane, folder, name)?;
                }
                self.keep(lane, &stat, Mode::VIA_LINK, b"")
            }
            special => self.special(lane, special),
        }
    }

    /// Looks into the directory that a link leads to.
    fn follow<'s>(
        &'s self,
        scope: &Scope<'s>,
        lane: &mut Lane,
        folder: &Folder,
        name: &CStr,
    ) -> Result<(), Error> {
        // Patterns take it for a directory.
        let within = self.rules.enter(&folder.visit.within, &lane.name);
        let Some(within) = within else {
            return Ok(());
        };
        let place = self.root.resolve(&folder.place_of(name)).map_err(|error| {
            FileError::new("follow the symbolic link", self.shown(&lane.name), error)
        })?;
        if place.starts_with(b"/") {
            self.leads_out(lane, folder, name)?;
        }
        lane.found.followed.push(Followed {
            path: lane.name.clone(),
            place: place.clone(),
        });
        let line = folder.visit.line.as_deref().map(|ancestor| Ancestor {
            link: Some(lane.name.as_slice().into()),
            above: ancestor.above.clone(),
            identity: ancestor.identity.clone(),
        });
        self.enter_link(
            scope,
            Visit {
                path: [&lane.name, &b"/"[..]].concat(),
                place: Some(place),
                within,
                line: line.map(Arc::new),
            },
        );
        Ok(())
    }

    /// The directories that an open one is in, and itself. It may not be among them.
    pub(super) fn descend(&self, open: &Directory, visit: &Visit) -> Result<Arc<Ancestor>, Error> {
        let identity = open
            .identity()
            .map_err(|error| FileError::new("look at", self.shown(&visit.path), error))?;
        let above = visit.line.clone();
        let mut line = std::iter::successors(above.as_deref(), |one| one.above.as_deref());
        let link = above.as_ref().and_then(|above| above.link.clone());
        if line.any(|one| one.identity == identity) {
            let path = self.shown(link.as_deref().unwrap_or(&visit.path));
            return Err(Error::Loop { path });
        }
        Ok(Arc::new(Ancestor {
            identity,
            link,
            above,
        }))
    }

    /// Keeps a link as one.
    fn preserve(
        &self,
        lane: &mut Lane,
        folder: &Folder,
        name: &CStr,
        stat: &Stat,
    ) -> Result<(), Error> {
        let text = self.text(lane, folder, name)?;
        // What a text says of directories that are links themselves, only the file system knows.
        let stays = !leads_out(&folder.visit.path, text.to_bytes())
            && match folder.open.stat(name, Links::Follow) {
                Ok(_) => self.stays(lane, folder, name)?,
                Err(_) => true,
            };
        if !stays {
            self.leads_out(lane, folder, name)?;
        }
        lane.note(NoticeKind::KeptLink);
        self.keep(lane, stat, Mode::LINK, text.to_bytes())
    }

    /// Whether what a link leads to is in the source.
    fn stays(&self, lane: &Lane, folder: &Folder, name: &CStr) -> Result<bool, Error> {
        let place = folder.place_of(name);
        self.root.is_inside(&place).map_err(|error| {
            let path = self.shown(&lane.name);
            FileError::new("follow the symbolic link", path, error).into()
        })
    }

    /// Notes that a link leads out of the source, unless that may not be.
    fn leads_out(&self, lane: &mut Lane, folder: &Folder, name: &CStr) -> Result<(), Error> {
        // `aws deploy push` packs such files.
        if self.options.symlinks == Symlinks::Files || self.options.external_links {
            lane.note(NoticeKind::ExternalLink);
            return Ok(());
        }
        let text = self.text(lane, folder, name)?;
        Err(Error::LeadsOut {
            path: self.shown(&lane.name),
            target: Shown::new(text.to_bytes()),
        })
    }

    fn text(&self, lane: &Lane, folder: &Folder, name: &CStr) -> Result<CString, Error> {
        folder.open.read_link(name.to_bytes()).map_err(|error| {
            let path = self.shown(&lane.name);
            FileError::new("read the symbolic link", path, error).into()
        })
    }
}

/// Whether the text of a link says that it leads out of the source. `path` is that of its directory:
/// empty, or with a slash at its end.
fn leads_out(path: &[u8], target: &[u8]) -> bool {
    // A drive is where it leads on Windows alone; elsewhere it is a name.
    if target.starts_with(b"/") || (cfg!(windows) && target.get(1) == Some(&b':')) {
        return true;
    }
    let mut depth = path.iter().filter(|&&byte| byte == b'/').count();
    for component in target.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_text_says_whether_it_stays() {
        for (path, target, out) in [
            ("", "a", false),
            ("", "./a//b/..", false),
            ("", "..", true),
            ("", "/a", true),
            ("d/", "../a", false),
            ("d/e/", "../../x", false),
            ("d/e/", "../../../x", true),
            ("d/", "x/../..", false),
            ("d/", "x/../../..", true),
            ("d/", "x/../../../d/y", true),
        ] {
            let is_out = leads_out(path.as_bytes(), target.as_bytes());
            assert_eq!(is_out, out, "{path} {target}");
        }
    }
}
