//! Notices about a source that can be packed: what is left out, and what readers change.
//!
//! A source can hold a million of anything, so a notice keeps only the first names, in archive order, and
//! how many there are. A notice does not stop a push; what cannot be packed is an [`Error`](super::Error).

use std::collections::BinaryHeap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::shown;
use crate::system::as_path;

/// How many paths a notice keeps at most.
pub const MAX_PATHS: usize = 100;

/// What a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// Symbolic links to directories, left out as `aws deploy push` leaves them out.
    DroppedLink,
    /// Symbolic links, left out as asked.
    SkippedLink,
    /// Symbolic links that are kept as links.
    KeptLink,
    /// Symbolic links that lead out of the source.
    ExternalLink,
    /// Pipes, sockets and devices, left out as asked.
    SkippedSpecial,
    /// Setuid, setgid or sticky bits, which no archive of ours holds.
    SpecialBits,
    /// Names with a backslash.
    Backslash,
    /// Names that are not UTF-8.
    RawName,
    /// Names that differ from another only in case.
    Collision,
    /// Kept symbolic links that lead to a directory that they are in, or to one another.
    LinkLoop,
    /// Directories whose permissions no entry holds.
    DirectoryMode,
    /// Entries of a zip with an extra field, whose names are not ASCII.
    ExtraName,
    /// Entries of a tar that belong to another user or group than root.
    ForeignOwner,
    /// Entries whose names are absolute or climb out of the archive.
    OutsideName,
    /// Directories of git and the like, and files that look like credentials.
    Private,
}

/// A notice about some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it says.
    pub kind: NoticeKind,
    /// How many names it is about.
    pub count: u64,
    /// The first of them, at most [`MAX_PATHS`], as the user would write them.
    pub paths: Vec<PathBuf>,
}

impl NoticeKind {
    /// All kinds, in the order in which notices are given.
    pub const ALL: [Self; 15] = [
        Self::DroppedLink,
        Self::SkippedLink,
        Self::KeptLink,
        Self::ExternalLink,
        Self::SkippedSpecial,
        Self::SpecialBits,
        Self::Backslash,
        Self::RawName,
        Self::Collision,
        Self::LinkLoop,
        Self::DirectoryMode,
        Self::ExtraName,
        Self::ForeignOwner,
        Self::OutsideName,
        Self::Private,
    ];

    /// The name of the kind in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DroppedLink => "dropped-link",
            Self::SkippedLink => "skipped-link",
            Self::KeptLink => "kept-link",
            Self::ExternalLink => "external-link",
            Self::SkippedSpecial => "skipped-special",
            Self::SpecialBits => "special-bits",
            Self::Backslash => "backslash",
            Self::RawName => "raw-name",
            Self::Collision => "collision",
            Self::LinkLoop => "link-loop",
            Self::DirectoryMode => "directory-mode",
            Self::ExtraName => "non-ascii-name",
            Self::ForeignOwner => "foreign-owner",
            Self::OutsideName => "outside-name",
            Self::Private => "private",
        }
    }

    /// The notice's text after one name, and after several.
    fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::DroppedLink => (
                "is a symbolic link to a directory, which the archive leaves out, as `aws deploy push` \
                 does",
                "are symbolic links to directories, which the archive leaves out, as `aws deploy push` \
                 does",
            ),
            Self::SkippedLink => (
                "is a symbolic link, which is left out",
                "are symbolic links, which are left out",
            ),
            Self::KeptLink => (
                "is kept as a symbolic link; where it cannot use unzip, the CodeDeploy agent 1.8 \
                 leaves links in a zip out",
                "are kept as symbolic links; where it cannot use unzip, the CodeDeploy agent 1.8 \
                 leaves links in a zip out",
            ),
            Self::ExternalLink => (
                "is a symbolic link that leads out of the source",
                "are symbolic links that lead out of the source",
            ),
            Self::SkippedSpecial => (
                "is neither a file nor a directory, and is left out",
                "are neither files nor directories, and are left out",
            ),
            Self::SpecialBits => (
                "has a setuid, setgid or sticky bit, which is not kept; set it in a hook",
                "have a setuid, setgid or sticky bit, which is not kept; set it in a hook",
            ),
            Self::Backslash => (
                "has a backslash in its name, which Windows takes for a separator",
                "have a backslash in their names, which Windows takes for a separator",
            ),
            Self::RawName => (
                "has a name that is not UTF-8: of a zip, the CodeDeploy agent 1.8 cannot install it, and \
                 agents from 2.0 to 2.1.2 may change its name; rename it, or use a tgz",
                "have names that are not UTF-8: of a zip, the CodeDeploy agent 1.8 cannot install them, \
                 and agents from 2.0 to 2.1.2 may change their names; rename them, or use a tgz",
            ),
            Self::Collision => (
                "has the name of another but for its case: on Windows and macOS one of them is lost",
                "have the names of others but for their case: on Windows and macOS only one of each is \
                 left",
            ),
            Self::LinkLoop => (
                "is a kept symbolic link that leads back to a directory that it is in: the agents follow \
                 it when they install that directory, 40 times or without an end; exclude it",
                "are kept symbolic links that lead back to directories that they are in: the agents \
                 follow them when they install such a directory, 40 times or without an end; exclude them",
            ),
            Self::DirectoryMode => (
                "has permissions that its bundle does not hold: an agent makes the directory with 0755; \
                 set them in `permissions` of the AppSpec file or in a hook",
                "have permissions that their bundle does not hold: an agent makes the directories with \
                 0755; set them in `permissions` of the AppSpec file or in a hook",
            ),
            Self::ExtraName => (
                "has a name that is not ASCII and, in the zip, an extra field (for 4 GiB or more, for \
                 example): agents that run in the C locale change the name; use a tgz",
                "have names that are not ASCII and, in the zip, extra fields (for 4 GiB or more, for \
                 example): agents that run in the C locale change the names; use a tgz",
            ),
            Self::ForeignOwner => (
                "does not belong to root in the tar: an agent runs tar as root, which gives the file to \
                 the owner that the tar names; make it with owner and group 0",
                "do not belong to root in the tar: an agent runs tar as root, which gives the files to \
                 the owners that the tar names; make it with owner and group 0",
            ),
            Self::OutsideName => (
                "has a name that leads out of the archive: unzip strips `/` and `..` and reports an \
                 error, and tar refuses names with `..`; make the archive without such names",
                "have names that lead out of the archive: unzip strips `/` and `..` and reports an \
                 error, and tar refuses names with `..`; make the archive without such names",
            ),
            Self::Private => (
                "is in the bundle, so every instance gets it: it is data of version control or looks \
                 like credentials",
                "are in the bundle, so every instance gets them: they are data of version control or \
                 look like credentials",
            ),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, several) = self.kind.says();
        let named = match self.kind {
            NoticeKind::DirectoryMode | NoticeKind::Private => 3,
            _ => 1,
        };
        let paths = self.paths.iter().take(named);
        let more = self.count.saturating_sub(paths.len() as u64);
        if self.paths.is_empty() {
            return write!(f, "{} names of the archive {several}", self.count);
        }
        for (index, path) in paths.clone().enumerate() {
            if index > 0 {
                let is_last = index + 1 == paths.len() && more == 0;
                f.write_str(if is_last { " and " } else { ", " })?;
            }
            write!(f, "{}", shown(path))?;
        }
        match (self.count, more) {
            (0 | 1, _) => write!(f, " {one}"),
            (_, 0) => write!(f, " {several}"),
            (_, more) => write!(f, " and {more} more {several}"),
        }
    }
}

/// Notices while they are collected, in any order.
#[derive(Debug, Default)]
pub(crate) struct Noticed([FirstNames; NoticeKind::ALL.len()]);

/// The first names of one kind, and how many there are.
#[derive(Debug, Default)]
struct FirstNames {
    count: u64,
    /// The last of them in archive order is on top.
    names: BinaryHeap<Vec<u8>>,
}

impl Noticed {
    pub(crate) fn add(&mut self, kind: NoticeKind, name: &[u8]) {
        let few = &mut self.0[kind as usize];
        few.count += 1;
        if few.names.len() < MAX_PATHS {
            few.names.push(name.to_vec());
        } else if few.names.peek().is_some_and(|last| name < last.as_slice()) {
            few.names.pop();
            few.names.push(name.to_vec());
        }
    }

    /// Adds all of `other`.
    pub(super) fn append(&mut self, other: Self) {
        for (kind, few) in NoticeKind::ALL.into_iter().zip(other.0) {
            let more = few.count - few.names.len() as u64;
            few.names.iter().for_each(|name| self.add(kind, name));
            self.0[kind as usize].count += more;
        }
    }

    /// Takes back the names of one kind that `keep` refuses, of those that are kept.
    pub(super) fn retain(&mut self, kind: NoticeKind, keep: impl Fn(&[u8]) -> bool) {
        let few = &mut self.0[kind as usize];
        let had = few.names.len();
        few.names.retain(|name| keep(name));
        few.count -= (had - few.names.len()) as u64;
    }

    /// Notes what the agents' readers do with the name of an entry that another program put into an
    /// archive. Plans hold no such names.
    #[cfg(feature = "push")]
    pub(crate) fn see_name(&mut self, name: &[u8]) {
        // A name such as `c:\\x` is absolute on Windows; its backslash is noted.
        let parts = || name.split(|byte| matches!(byte, b'/' | b'\\'));
        if name.starts_with(b"/") || parts().any(|part| part == b"..") {
            self.add(NoticeKind::OutsideName, name);
        }
        if name.contains(&b'\\') {
            self.add(NoticeKind::Backslash, name);
        }
    }

    /// The notices, with paths below `source`.
    pub(crate) fn notices(self, source: &Path) -> Vec<Notice> {
        let noted = NoticeKind::ALL.into_iter().zip(self.0);
        noted
            .filter(|(_, few)| few.count > 0)
            .map(|(kind, few)| Notice {
                kind,
                count: few.count,
                paths: few
                    .names
                    .into_sorted_vec()
                    .iter()
                    .map(|name| source.join(as_path(name)))
                    .collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_are_kept_and_all_are_counted_in_whatever_order_they_come() {
        let name = |n: usize| format!("name-{n:04}").into_bytes();
        let mut lanes: Vec<Noticed> = (0..3).map(|_| Noticed::default()).collect();
        for n in 0..1000 {
            lanes[n * 7 % 3].add(NoticeKind::Backslash, &name(n * 389 % 1000));
        }
        lanes[1].add(NoticeKind::RawName, b"one");
        let mut all = Noticed::default();
        lanes.into_iter().for_each(|lane| all.append(lane));
        let notices = all.notices(Path::new("src"));
        assert_eq!(notices.len(), 2);
        assert_eq!(notices[0].kind, NoticeKind::Backslash);
        assert_eq!(notices[0].count, 1000);
        let first: Vec<_> = (0..MAX_PATHS)
            .map(|n| Path::new("src").join(as_path(&name(n))))
            .collect();
        assert_eq!(notices[0].paths, first);
        let text = notices[0].to_string();
        assert!(
            text.starts_with("src/name-0000 and 999 more have"),
            "{text}"
        );
        let text = notices[1].to_string();
        assert!(text.starts_with("src/one has a name"), "{text}");
    }

    #[test]
    fn each_kind_has_its_index_and_a_unique_name() {
        for (place, kind) in NoticeKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            let same = NoticeKind::ALL.iter().filter(|k| k.name() == kind.name());
            assert_eq!(same.count(), 1);
        }
    }

    #[test]
    fn control_characters_in_a_path_are_escaped() {
        let notice = Notice {
            kind: NoticeKind::SkippedSpecial,
            count: 1,
            paths: vec!["a\u{1b}[2J".into()],
        };
        assert!(!notice.to_string().contains('\u{1b}'));
    }
}
