//! Finds names that differ only in case.
//!
//! Windows and macOS keep one file for `Readme` and `readme`. Names come sorted by their bytes, where two
//! such names can be far apart. So each is reduced to a hash of its lower case, which takes 8 bytes a name
//! for the time being, and only names with equal hashes are compared. A file also collides with a
//! directory. Two directories do not collide; they become one.
//!
//! Lower case is that of Unicode, character by character, without a locale. File systems use tables of
//! their own, which differ in rare letters.

use std::collections::{BTreeMap, HashSet};

use rayon::slice::ParallelSliceMut as _;

/// FNV-1a of a name's lower case. A directory's hash can be continued for the names in it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hash(u64);

impl Hash {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn name(mut self, name: &[u8]) -> Self {
        if name.is_ascii() {
            name.iter()
                .for_each(|byte| self.byte(byte.to_ascii_lowercase()));
        } else {
            folded(name).for_each(|byte| self.byte(byte));
        }
        self
    }
}

/// The bytes of a name's lower case. Bytes that are not UTF-8 stay as they are.
fn folded(name: &[u8]) -> impl Iterator<Item = u8> + '_ {
    name.utf8_chunks().flat_map(|chunk| {
        let lower = chunk.valid().chars().flat_map(char::to_lowercase);
        let bytes = lower.flat_map(|char| {
            let mut bytes = [0; 4];
            let len = char.encode_utf8(&mut bytes).len();
            bytes.into_iter().take(len)
        });
        bytes.chain(chunk.invalid().iter().copied())
    })
}

/// Calls `each` with every file's name and every directory's path, its hash, and whether it is a directory.
/// A directory can come more than once.
fn hashes<'a>(names: impl Iterator<Item = &'a [u8]>, mut each: impl FnMut(&'a [u8], Hash, bool)) {
    // Consecutive names are mostly in the same directory.
    let (mut folder, mut hash): (&[u8], Hash) = (b"", Hash::START);
    for name in names {
        // The entry of a directory ends in a slash, so it counts as its own folder.
        let len = name.iter().rposition(|&byte| byte == b'/');
        let len = len.map_or(0, |slash| slash + 1);
        if name[..len] != *folder {
            // Only the directories below the last common one are new.
            let common = name[..len]
                .iter()
                .zip(folder)
                .take_while(|(a, b)| a == b)
                .count();
            hash = Hash::START;
            let mut from = 0;
            folder = &name[..len];
            for to in 0..len {
                if folder[to] == b'/' {
                    hash = hash.name(&folder[from..to]);
                    if to >= common {
                        each(&folder[..to], hash, true);
                    }
                    hash.byte(b'/');
                    from = to + 1;
                }
            }
        }
        if len < name.len() {
            each(name, hash.name(&name[len..]), false);
        }
    }
}

/// Groups those of `names`, sorted by their bytes, that are equal to another in lower case. A directory is
/// named by its path, without a slash.
pub(super) fn collisions<'a, I: Iterator<Item = &'a [u8]>>(
    names: impl Fn() -> I,
    len: usize,
) -> Vec<Vec<&'a [u8]>> {
    let mut files = Vec::with_capacity(len);
    let mut folders = Vec::new();
    hashes(names(), |_, hash, is_folder| {
        if is_folder {
            folders.push(hash.0);
        } else {
            files.push(hash.0);
        }
    });
    files.par_sort_unstable();
    let mut same: HashSet<u64> = files
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    let files_too = |hash: &u64| files.binary_search(hash).is_ok();
    same.extend(folders.into_iter().filter(files_too));
    drop(files);
    if same.is_empty() {
        return Vec::new();
    }
    // There are few of these in all but contrived trees.
    let mut groups: BTreeMap<Vec<u8>, BTreeMap<&[u8], bool>> = BTreeMap::new();
    hashes(names(), |name, hash, is_folder| {
        if same.contains(&hash.0) {
            let group = groups.entry(folded(name).collect()).or_default();
            group.insert(name, is_folder);
        }
    });
    groups
        .into_values()
        .filter(|group| group.len() > 1 && group.values().any(|is_folder| !is_folder))
        .map(|group| group.into_keys().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(names: &[&str]) -> Vec<Vec<String>> {
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        assert!(names.is_sorted());
        collisions(|| names.iter().copied(), names.len())
            .into_iter()
            .map(|group| {
                let texts = group.into_iter().map(|name| String::from_utf8_lossy(name));
                texts.map(Into::into).collect()
            })
            .collect()
    }

    #[test]
    fn files_collide_with_files_and_with_directories() {
        assert_eq!(found(&["A/b", "a/B", "a/c"]), [["A/b", "a/B"]]);
        assert_eq!(
            found(&["README", "ReadMe", "readme"]),
            [["README", "ReadMe", "readme"]]
        );
        assert_eq!(found(&["LIB/x/y", "lib"]), [["LIB", "lib"]]);
        assert_eq!(found(&["Lib/", "lib"]), [["Lib", "lib"]]);
        assert_eq!(found(&["\u{c4}", "\u{e4}"]), [["\u{c4}", "\u{e4}"]]);
        // The kelvin sign is a k in lower case.
        assert_eq!(found(&["k", "\u{212a}"]), [["k", "\u{212a}"]]);
    }

    #[test]
    fn directories_and_names_that_differ_in_more_than_case_do_not_collide() {
        let none: [[&str; 0]; 0] = [];
        assert_eq!(found(&["A/b", "a/c"]), none);
        assert_eq!(found(&["A/", "a/"]), none);
        assert_eq!(found(&["a", "a-b", "a.b", "b/a"]), none);
        assert_eq!(found(&[]), none);
    }

    proptest! {
        #[test]
        fn collisions_are_those_of_comparing_each_name_with_every_other(
            names in prop::collection::btree_set("[aA\u{e4}\u{c4}b]{1,3}(/[aAb]{1,2}){0,2}", 0..12)
        ) {
            // A tree cannot have a file and a directory of one name.
            let names: Vec<&String> = names
                .iter()
                .filter(|name| !names.iter().any(|other| other.starts_with(&format!("{name}/"))))
                .collect();
            let lower = |name: &str| name.to_lowercase();
            let expected = names.iter().filter(|name| {
                names.iter().any(|other| {
                    let is = lower(other) == lower(name) && other != *name;
                    is || lower(other).starts_with(&(lower(name) + "/"))
                })
            });
            let expected: Vec<&String> = expected.copied().collect();
            let mut found: Vec<String> = found(&names.iter().map(|n| n.as_str()).collect::<Vec<_>>())
                .into_iter()
                .flatten()
                .filter(|name| names.contains(&name))
                .collect();
            found.sort();
            prop_assert!(found.iter().eq(expected), "{:?}", names);
        }
    }
}
