//! Trees of all kinds, as values that can be printed and made smaller, and their files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{Tree, noise, text};

/// A tree.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// A file whose name is taken, or needs a directory where a file is, is left out. So for
    /// links.
    pub(crate) files: Vec<FileSpec>,
    pub(crate) links: Vec<(String, Target)>,
    pub(crate) empty_dirs: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct FileSpec {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) len: usize,
    pub(crate) mode: u32,
    /// Seconds since 1970, and nanoseconds after that.
    pub(crate) mtime: (i64, u32),
}

/// What a file holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Noise,
    Zeros,
    /// Noise, then text.
    Both,
}

/// Where a link leads.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// To one of the files, if there are any.
    File(prop::sample::Index),
    /// To one of the files, by a link outside of the tree.
    Detour(prop::sample::Index),
    FileOutside,
    Root,
    DirOutside,
}

pub(crate) fn specs() -> impl Strategy<Value = Spec> {
    let links = vec((names(), targets()), 0..4);
    (vec(files(), 0..16), links, vec(names(), 0..3)).prop_map(|(files, links, empty_dirs)| Spec {
        files,
        links,
        empty_dirs,
    })
}

fn files() -> impl Strategy<Value = FileSpec> {
    let kind = prop::sample::select(vec![Kind::Text, Kind::Noise, Kind::Zeros, Kind::Both]);
    (names(), kind, lens(), modes(), mtimes()).prop_map(|(name, kind, len, mode, mtime)| FileSpec {
        name,
        kind,
        len,
        mode,
        mtime,
    })
}

fn names() -> impl Strategy<Value = String> {
    let deep = vec("[a-z]{1,3}", 20..40);
    let names = prop_oneof![9 => vec(components(), 1..5), 1 => deep];
    names.prop_map(|components| components.join("/"))
}

fn components() -> impl Strategy<Value = String> {
    let any = prop_oneof![
        // Few, so that files meet in directories and clash.
        6 => "[ab]",
        4 => "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,11}",
        2 => "[ -~&&[^/]]{1,12}",
        2 => "\\.[a-z]{1,6}",
        2 => "[a-z]{0,3} [a-z ]{0,4}",
        2 => "[\u{e0}-\u{ff}\u{3b1}-\u{3c9}\u{4e00}-\u{4eff}\u{1f680}-\u{1f6ff}]{1,6}",
        // Normalised, this would be another name.
        1 => "e\u{301}[a-z]?",
        1 => "[a-z]{255}",
    ];
    any.prop_filter("a name that unzip changes, or that is no name", |name| {
        let without_digits = name.trim_end_matches(|char: char| char.is_ascii_digit());
        name != "." && name != ".." && !without_digits.ends_with(';')
    })
}

fn lens() -> impl Strategy<Value = usize> {
    const CHUNK: usize = 1 << 20;
    prop_oneof![
        3 => Just(0_usize),
        12 => 1..300_usize,
        12 => 300..20_000_usize,
        2 => 20_000..300_000_usize,
        1 => CHUNK - 2..CHUNK + 3,
        1 => CHUNK..CHUNK * 3 / 2,
    ]
}

/// Of files that their owner can read.
fn modes() -> impl Strategy<Value = u32> {
    let usual = prop::sample::select(vec![0o644, 0o755, 0o600, 0o400]);
    prop_oneof![usual, (0..=0o777_u32).prop_map(|mode| mode | 0o400)]
}

fn mtimes() -> impl Strategy<Value = (i64, u32)> {
    let edges = prop::sample::select(vec![
        i64::from(i32::MIN),
        -1,
        0,
        315_532_799,
        315_532_801,
        951_782_401,
        i64::from(i32::MAX),
        1 << 31,
        4_107_542_401,
        4_354_819_199,
        4_354_819_201,
        // The last that ext4 keeps.
        15_032_385_535,
    ]);
    let seconds = prop_oneof![
        4 => 1_500_000_000..1_900_000_000_i64,
        2 => edges,
        1 => -2_147_483_648..315_532_800_i64,
        1 => 2_147_483_648..15_032_385_535_i64,
    ];
    (seconds, 0..1_000_000_000_u32)
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![
        4 => any::<prop::sample::Index>().prop_map(Target::File),
        2 => any::<prop::sample::Index>().prop_map(Target::Detour),
        2 => Just(Target::FileOutside),
        1 => Just(Target::Root),
        1 => Just(Target::DirOutside),
    ]
}

/// A [`Spec`], made.
pub(crate) struct Planted {
    tree: Tree,
    /// What links out of the tree lead to.
    _outside: Tree,
}

impl Planted {
    pub(crate) fn new(spec: &Spec) -> Planted {
        let (tree, outside) = (Tree::new(), Tree::new());
        let mut planted: Vec<&FileSpec> = Vec::new();
        for file in &spec.files {
            if is_free(tree.path(), &file.name) {
                tree.file(&file.name, file.contents());
                planted.push(file);
            }
        }
        outside.file("dir/file", "outside").mode("dir/file", 0o751);
        for (number, (name, target)) in spec.links.iter().enumerate() {
            if !is_free(tree.path(), name) {
                continue;
            }
            let up = "../".repeat(name.matches('/').count());
            let file = |index: &prop::sample::Index| &index.get(&planted).name;
            let text = match target {
                Target::File(_) | Target::Detour(_) if planted.is_empty() => continue,
                Target::File(index) => format!("{up}{}", file(index)),
                Target::Detour(index) => {
                    let detour = outside.path().join(format!("detour-{number}"));
                    symlink(tree.path().join(file(index)), &detour).unwrap();
                    detour.to_str().unwrap().to_owned()
                }
                Target::FileOutside => outside.path().join("dir/file").to_str().unwrap().to_owned(),
                Target::Root => format!("{up}."),
                Target::DirOutside => outside.path().to_str().unwrap().to_owned(),
            };
            tree.symlink(name, &text);
        }
        for name in &spec.empty_dirs {
            if is_free(tree.path(), name) {
                tree.dir(name);
            }
        }
        // Last, when nothing is written any more.
        for file in planted {
            tree.mode(&file.name, file.mode);
            set_mtime(&tree.path().join(&file.name), file.mtime);
        }
        Planted {
            tree,
            _outside: outside,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.tree.path()
    }
}

impl FileSpec {
    fn contents(&self) -> Vec<u8> {
        let (len, seed) = (self.len, self.mtime.0.unsigned_abs());
        match self.kind {
            Kind::Text => text(len, seed),
            Kind::Noise => noise(len, seed),
            Kind::Zeros => vec![0; len],
            Kind::Both => [noise(len / 2, seed), text(len - len / 2, seed)].concat(),
        }
    }
}

/// Whether nothing is at `name`, and nothing but directories on the way.
fn is_free(root: &Path, name: &str) -> bool {
    let path = root.join(name);
    let on_the_way = path.ancestors().skip(1);
    path.symlink_metadata().is_err()
        && on_the_way
            .filter_map(|above| above.symlink_metadata().ok())
            .all(|above| above.is_dir())
}

fn set_mtime(path: &Path, (seconds, nanos): (i64, u32)) {
    let span = Duration::from_secs(seconds.unsigned_abs());
    let whole = if seconds < 0 {
        UNIX_EPOCH - span
    } else {
        UNIX_EPOCH + span
    };
    let time = whole + Duration::from_nanos(nanos.into());
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}
