//! Sorted listings in pages, with prefixes rolled up: the rules that ListObjectsV2 and
//! ListMultipartUploads share.

use std::collections::BTreeSet;
use std::path::Path;

use s3s::S3Result;

use super::super::keys;
use super::{Store, disk, read_dir_if_there};

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Default)]
pub(in crate::endpoint) struct Query {
    pub(in crate::endpoint) prefix: String,
    /// Empty if prefixes are not rolled up.
    pub(in crate::endpoint) delimiter: String,
    /// Keys up to and including this one are left out, and so is the common prefix equal to it.
    pub(in crate::endpoint) after: String,
    pub(in crate::endpoint) limit: usize,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::endpoint) enum Listed<T> {
    Item(T),
    Prefix(String),
}

/// One page of a listing, in order of keys.
#[derive(Debug)]
pub(in crate::endpoint) struct Page<T> {
    pub(in crate::endpoint) lines: Vec<Listed<T>>,
    /// Whether there is more after the last line.
    pub(in crate::endpoint) truncated: bool,
}

impl Query {
    /// Picks a page from items that are sorted by their keys.
    ///
    /// Whether an item whose key equals `after` is left out is the caller's choice: it filters the
    /// items.
    pub(in crate::endpoint) fn page<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> &str,
    ) -> Page<T> {
        let mut lines: Vec<Listed<T>> = Vec::new();
        for item in items {
            let Some(rest) = key(&item).strip_prefix(&*self.prefix) else {
                continue;
            };
            let group = if self.delimiter.is_empty() {
                None
            } else {
                rest.find(&*self.delimiter)
            }
            .map(|at| format!("{}{}", self.prefix, &rest[..at + self.delimiter.len()]));
            let line = match group {
                Some(group) if group == self.after => continue,
                Some(group) => Listed::Prefix(group),
                None => Listed::Item(item),
            };
            if let (Listed::Prefix(new), Some(Listed::Prefix(last))) = (&line, lines.last())
                && new == last
            {
                continue;
            }
            if lines.len() == self.limit {
                return Page {
                    lines,
                    // S3 calls a page of no lines complete.
                    truncated: self.limit > 0,
                };
            }
            lines.push(line);
        }
        Page {
            lines,
            truncated: false,
        }
    }
}

impl Store {
    /// One page of the keys in a bucket.
    pub(in crate::endpoint) fn list_keys(
        &self,
        bucket: &str,
        query: &Query,
    ) -> S3Result<Page<String>> {
        self.bucket(bucket)?;
        let root = self.objects(bucket);
        let mut found = BTreeSet::new();
        collect_keys(&root, &root, &mut found)?;
        let after = found.into_iter().filter(|key| *key > query.after);
        Ok(query.page(after, String::as_str))
    }
}

fn collect_keys(root: &Path, dir: &Path, found: &mut BTreeSet<String>) -> S3Result<()> {
    for entry in read_dir_if_there(dir).map_err(disk(dir))? {
        let entry = entry.map_err(disk(dir))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(disk(&path))?;
        if kind.is_dir() {
            collect_keys(root, &path, found)?;
        } else if let Some(key) = path
            .strip_prefix(root)
            .ok()
            .filter(|_| kind.is_file())
            .and_then(keys::from_path)
        {
            found.insert(key);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 7] = ["a", "a/1", "a/2", "b", "c/1", "c/d/1", "d"];

    fn page(prefix: &str, delimiter: &str, after: &str, limit: usize) -> (Vec<String>, bool) {
        let query = Query {
            prefix: prefix.to_owned(),
            delimiter: delimiter.to_owned(),
            after: after.to_owned(),
            limit,
        };
        let page = query.page(KEYS.into_iter().filter(|key| *key > after), |key| key);
        let lines = page.lines.into_iter().map(|line| match line {
            Listed::Item(key) => key.to_owned(),
            Listed::Prefix(prefix) => format!("[{prefix}]"),
        });
        (lines.collect(), page.truncated)
    }

    #[test]
    fn prefixes_are_rolled_up() {
        assert_eq!(page("", "/", "", 1000).0, ["a", "[a/]", "b", "[c/]", "d"]);
        assert_eq!(page("c/", "/", "", 1000).0, ["c/1", "[c/d/]"]);
        assert_eq!(page("a", "", "", 1000).0, ["a", "a/1", "a/2"]);
        assert_eq!(page("x", "/", "", 1000).0, [""; 0]);
    }

    #[test]
    fn pages_of_any_size_join_to_the_whole() {
        for limit in 1..8 {
            let mut after = String::new();
            let mut all = Vec::new();
            loop {
                let (lines, truncated) = page("", "/", &after, limit);
                assert!(lines.len() <= limit);
                after = lines
                    .last()
                    .map(|last| last.trim_matches(['[', ']']).to_owned())
                    .unwrap_or_default();
                all.extend(lines);
                if !truncated {
                    break;
                }
            }
            assert_eq!(all, ["a", "[a/]", "b", "[c/]", "d"], "pages of {limit}");
        }
        assert_eq!(
            page("", "", "", 7),
            (KEYS.map(str::to_owned).to_vec(), false)
        );
        assert_eq!(page("", "", "", 0), (Vec::new(), false));
    }
}
