//! What Install puts on the instance, and which of it a permission reaches.
//!
//! An agent changes the permissions of what it installs, and of nothing else. A permission for a directory
//! holds for what is below it, not for the directory itself. Names are taken from the bundle one by one,
//! without a list of all copies, and the search ends after [`MAX_STEPS`] names.

use std::collections::HashMap;

use super::copies::{Copy, What, join, normalized};
use super::{Os, patterns, shell};
use crate::appspec::bundle::Bundle;

/// The most names that are compared with patterns, for all permissions together.
const MAX_STEPS: usize = 500_000;

/// The entries of `files`.
pub(super) struct Installed {
    copies: Vec<Copy>,
    /// Where files are copied to whose names are unknown.
    unknown: Vec<Copy>,
    /// Which permission was the first to reach something.
    seen: HashMap<Key, usize>,
    steps: usize,
    /// Whether there is more than one permission.
    pub(super) are_several: bool,
}

/// A file or directory: the number of its copy, the index of its first file, and how many directories it
/// is below the copy, or `u32::MAX` for a file.
type Key = (usize, usize, u32);

/// What a permission is for.
pub(super) struct Selection<'a> {
    /// The object without `.`, `..` and double slashes, with a slash at its end.
    pub(super) object: String,
    /// `**` for all.
    pub(super) pattern: &'a str,
    pub(super) except: Vec<&'a str>,
    pub(super) files: bool,
    pub(super) directories: bool,
    /// Whether agent 1.x gives the paths to a shell.
    pub(super) to_shell: bool,
}

/// What a permission reaches.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// The object is a file that is installed.
    pub(super) is_file: bool,
    /// Whether there is something at all, or may be.
    pub(super) anything: bool,
    /// Whether there is something of the type, if its name is not compared with patterns.
    pub(super) anything_but_for_names: bool,
    /// A file that certainly gets the permission.
    pub(super) file: Option<String>,
    /// Something whose path a shell does not take for one word.
    pub(super) unquoted: Option<String>,
    /// Something that an earlier permission reaches, and the number of that permission.
    pub(super) twice: Option<(String, usize)>,
}

impl<'a> Selection<'a> {
    pub(super) fn object_of(text: &str) -> String {
        normalized(text, Os::Linux)
    }

    /// Whether names do not matter.
    pub(super) fn has_all(&self) -> bool {
        self.pattern == "**" && self.except.is_empty()
    }

    /// Whether the patterns select a name.
    fn has(&self, path: &str) -> bool {
        (self.pattern == "**" || patterns::matches(self.pattern, path))
            && !self
                .except
                .iter()
                .any(|except| patterns::matches(except, path))
    }
}

impl Installed {
    pub(super) fn new(copies: Vec<Copy>, unknown: Vec<Copy>) -> Self {
        Self {
            copies,
            unknown,
            seen: HashMap::new(),
            steps: 0,
            are_several: false,
        }
    }
}

/// The walk of one permission over what is installed.
struct Walk<'w> {
    /// The number of the permission.
    number: usize,
    is_one_of_several: bool,
    selection: &'w Selection<'w>,
    seen: &'w mut HashMap<Key, usize>,
    reached: Reached,
}

impl Walk<'_> {
    /// Whether the patterns select a name of the right type.
    fn has(&mut self, path: &str) -> bool {
        self.reached.anything_but_for_names = true;
        self.selection.has(path)
    }

    /// Takes a file or directory that the permission reaches.
    fn hit(&mut self, key: Key, path: &dyn Fn() -> String) {
        self.reached.anything = true;
        if key.2 == u32::MAX && self.reached.file.is_none() {
            self.reached.file = Some(path());
        }
        if self.selection.to_shell && self.reached.unquoted.is_none() {
            self.reached.unquoted = Some(path()).filter(|path| shell::special(path).is_some());
        }
        if !self.is_one_of_several {
            return;
        }
        let first = *self.seen.entry(key).or_insert(self.number);
        if first != self.number && self.reached.twice.is_none() {
            self.reached.twice = Some((path(), first));
        }
    }
}

/// What permission `number` reaches. The numbers of permissions must rise.
pub(super) fn reach(
    installed: &mut Installed,
    bundle: Option<&dyn Bundle>,
    number: usize,
    selection: &Selection<'_>,
) -> Reached {
    let mut walk = Walk {
        number,
        is_one_of_several: installed.are_several,
        selection,
        seen: &mut installed.seen,
        reached: Reached::default(),
    };
    // A relative path depends on the agent's working directory.
    let is_absolute = selection.object.starts_with('/');
    let is_comparable = |copy: &Copy| copy.to.starts_with('/') == is_absolute;
    for (number, copy) in installed.unknown.iter().enumerate() {
        if !is_comparable(copy) {
            continue;
        }
        let covers = copy.to.starts_with(&selection.object);
        if covers && selection.has_all() && selection.files {
            // At least one file is below the destination.
            let key = (usize::MAX, number, u32::MAX);
            walk.hit(key, &|| trimmed(&copy.to));
        } else if covers || selection.object.starts_with(&copy.to) {
            walk.reached.anything |= selection.files || selection.directories;
        }
    }
    let object = selection.object.as_str();
    for (number, copy) in installed.copies.iter().enumerate() {
        if !is_comparable(copy) {
            continue;
        }
        let root = match &copy.what {
            What::Directory(_) => copy.to.as_str(),
            What::File(_) => parent(&copy.to),
        };
        // The directory of the destination is made if it is not there, with those above it.
        if selection.directories
            && let Some(path) = root.strip_prefix(object)
        {
            let mut made = path.match_indices('/').map(|(slash, _)| &path[..slash]);
            let has = made.any(|directory| walk.has(directory));
            walk.reached.anything |= has;
        }
        let Some(bundle) = bundle else { continue };
        match &copy.what {
            What::File(_) if copy.to == object => is_the_file(&mut walk, (number, 0, u32::MAX)),
            What::File(_) => {
                if let Some(path) = copy.to.strip_prefix(object)
                    && selection.files
                    && walk.has(path.trim_end_matches('/'))
                {
                    walk.hit((number, 0, u32::MAX), &|| trimmed(&copy.to));
                }
            }
            What::Directory(from) => {
                let (from, prefix) = if let Some(prefix) = copy.to.strip_prefix(object) {
                    (from.clone(), prefix)
                } else if let Some(rest) = object.strip_prefix(&copy.to) {
                    (join(from, rest.trim_end_matches('/')), "")
                } else {
                    continue;
                };
                let file = bundle.find(from.as_bytes());
                if let Some(index) = file.filter(|_| object.len() > copy.to.len()) {
                    is_the_file(&mut walk, (number, index, u32::MAX));
                }
                installed.steps += walk_directory(&mut walk, bundle, number, &from, prefix, copy);
                if installed.steps > MAX_STEPS {
                    return walk.reached;
                }
            }
        }
    }
    walk.reached
}

/// The object itself is a file that is installed.
fn is_the_file(walk: &mut Walk<'_>, key: Key) {
    walk.reached.is_file = true;
    if walk.selection.files {
        let object = walk.selection.object.as_str();
        walk.hit(key, &|| trimmed(object));
    }
}

/// Visits the files and directories below `from`, whose paths below the object begin with `prefix`.
/// Returns how many files there are.
fn walk_directory(
    walk: &mut Walk<'_>,
    bundle: &dyn Bundle,
    number: usize,
    from: &str,
    prefix: &str,
    copy: &Copy,
) -> usize {
    let range = bundle.below(from);
    let What::Directory(top) = &copy.what else {
        return 0;
    };
    let start = if from.is_empty() { 0 } else { from.len() + 1 };
    let skip = if top.is_empty() { 0 } else { top.len() + 1 };
    // How many directories `from` is below the copied directory.
    let depth = from.get(skip..).map_or(0, |rest| match rest {
        "" => 0,
        rest => rest.matches('/').count() + 1,
    });
    let installed = |name: &str| format!("{}{}", copy.to, name.get(skip..).unwrap_or_default());
    let count = range.len();
    let all = walk.selection.has_all();
    let mut last = "";
    for index in range {
        let Ok(name) = std::str::from_utf8(bundle.name(index)) else {
            continue;
        };
        let path = name.get(start..).unwrap_or_default();
        if walk.selection.directories {
            // Names are sorted, so a directory is new if the name before does not go through it.
            for (level, (slash, _)) in path.match_indices('/').enumerate() {
                let directory = &path[..slash];
                let is_known = last.starts_with(directory) && last[slash..].starts_with('/');
                if !is_known && (all || walk.has(&format!("{prefix}{directory}"))) {
                    let level = u32::try_from(depth + level).unwrap_or(u32::MAX - 1);
                    walk.hit((number, index, level), &|| {
                        installed(&name[..start + slash])
                    });
                }
            }
        }
        last = path;
        let is_file = !name.ends_with('/') && !leads_to_directory(bundle, index);
        if walk.selection.files && is_file && (all || walk.has(&format!("{prefix}{path}"))) {
            walk.hit((number, index, u32::MAX), &|| installed(name));
        }
    }
    count
}

/// Whether an entry is a kept link to a directory of the bundle, which is copied as a directory.
fn leads_to_directory(bundle: &dyn Bundle, index: usize) -> bool {
    let Some(text) = bundle.link(index) else {
        return false;
    };
    let target = crate::appspec::bundle::resolve_link(bundle.name(index), text);
    target.is_some_and(|target| !bundle.below(&target).is_empty())
}

fn trimmed(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

/// The directory of a path that ends with a slash.
fn parent(path: &str) -> &str {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.rfind('/').map_or("", |slash| &path[..=slash])
}
