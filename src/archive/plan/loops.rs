//! Finds kept symbolic links to directories that the agents would follow without an end.
//!
//! `Install` copies the content of a linked directory, so a link that leads to a directory above itself is
//! copied into its own copy, and so are two links that lead to each other's directories. The file system
//! stops after 40 links; with two such links the number of copies doubles with each.

use std::collections::BTreeMap;
use std::ops::Range;

use super::links::Followed;

/// Whether the content of a directory is being copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

/// The links that close a loop, in order. `links` are those to directories of the source, with their
/// targets, sorted by path.
pub(super) fn closing(links: &[Followed]) -> Vec<&[u8]> {
    // Each directory counts once, however many links lead to it.
    let mut ids = BTreeMap::new();
    for link in links {
        let next = ids.len();
        ids.entry(link.place.as_slice()).or_insert(next);
    }
    let target = |index: usize| ids[links[index].place.as_slice()];
    let mut states = vec![State::New; ids.len()];
    let mut closing = Vec::new();
    for (&place, &id) in &ids {
        if states[id] != State::New {
            continue;
        }
        states[id] = State::Open;
        let mut way = vec![(id, below(links, place))];
        while let Some((id, rest)) = way.last_mut() {
            let Some(index) = rest.next() else {
                states[*id] = State::Done;
                way.pop();
                continue;
            };
            match states[target(index)] {
                State::Open => closing.push(links[index].path.as_slice()),
                State::New => {
                    states[target(index)] = State::Open;
                    way.push((target(index), below(links, &links[index].place)));
                }
                State::Done => {}
            }
        }
    }
    closing.sort_unstable();
    closing
}

/// The links in a directory and below it.
fn below(links: &[Followed], directory: &[u8]) -> Range<usize> {
    if directory.is_empty() {
        return 0..links.len();
    }
    let prefix = [directory, b"/"].concat();
    let start = links.partition_point(|link| link.path < prefix);
    let count = links[start..].partition_point(|link| link.path.starts_with(&prefix));
    start..start + count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(links: &[(&str, &str)]) -> Vec<String> {
        let mut links: Vec<Followed> = links
            .iter()
            .map(|(path, place)| Followed {
                path: path.as_bytes().to_vec(),
                place: place.as_bytes().to_vec(),
            })
            .collect();
        links.sort_by(|a, b| a.path.cmp(&b.path));
        let found = closing(&links);
        let text = |path: &&[u8]| String::from_utf8_lossy(path).into_owned();
        found.iter().map(text).collect()
    }

    #[test]
    fn links_that_lead_back_close_a_loop() {
        assert_eq!(found(&[("a/up", "")]), ["a/up"]);
        assert_eq!(found(&[("a/b/up", "a")]), ["a/b/up"]);
        assert_eq!(found(&[("a/here", "a")]), ["a/here"]);
        assert_eq!(found(&[("a/to-b", "b"), ("b/to-a", "a")]), ["b/to-a"]);
        let three = [("a/x", "b"), ("b/y", "c/d"), ("c/d/e/z", "a")];
        assert_eq!(found(&three).len(), 1);
        assert_eq!(found(&[("a/up", ""), ("b/up", "")]), ["a/up", "b/up"]);
    }

    #[test]
    fn links_to_other_directories_close_none() {
        let none: [&str; 0] = [];
        assert_eq!(found(&[]), none);
        assert_eq!(found(&[("a/x", "b"), ("c", "a"), ("d", "a")]), none);
        assert_eq!(found(&[("a/x", "ab"), ("ab/y", "abc"), ("z", "a")]), none);
        // A diamond.
        let diamond = [("a/l", "b"), ("a/r", "c"), ("b/d", "d"), ("c/d", "d")];
        assert_eq!(found(&diamond), none);
    }

    #[test]
    fn many_links_take_no_longer_than_their_number() {
        let links: Vec<Followed> = (0..20_000)
            .map(|n| Followed {
                path: format!("d/{n:05}").into_bytes(),
                place: b"d".to_vec(),
            })
            .collect();
        assert_eq!(closing(&links).len(), 20_000);
    }
}
