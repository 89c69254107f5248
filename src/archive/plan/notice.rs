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
    pub const ALL: [Self; 9] = [
        Self::DroppedLink,
        Self::SkippedLink,
        Self::KeptLink,
        Self::ExternalLink,
        Self::SkippedSpecial,
        Self::SpecialBits,
        Self::Backslash,
        Self::RawName,
        Self::Collision,
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
                "has a name that is not UTF-8, which only Unix restores as it is",
                "have names that are not UTF-8, which only Unix restores as they are",
            ),
            Self::Collision => (
                "has the name of another but for its case: on Windows and macOS one of them is lost",
                "have the names of others but for their case: on Windows and macOS only one of each is \
                 left",
            ),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, several) = self.kind.says();
        if let Some(first) = self.paths.first() {
            write!(f, "{}", shown(first))?;
        }
        match self.count {
            0 | 1 => write!(f, " {one}"),
            count => write!(f, " and {} more {several}", count - 1),
        }
    }
}

/// Notices while they are collected, in any order.
#[derive(Debug, Default)]
pub(super) struct Noticed([FirstNames; NoticeKind::ALL.len()]);

/// The first names of one kind, and how many there are.
#[derive(Debug, Default)]
struct FirstNames {
    count: u64,
    /// The last of them in archive order is on top.
    names: BinaryHeap<Vec<u8>>,
}

impl Noticed {
    pub(super) fn add(&mut self, kind: NoticeKind, name: &[u8]) {
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

    /// The notices, with paths below `source`.
    pub(super) fn notices(self, source: &Path) -> Vec<Notice> {
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
