//! What patterns take and leave, against the rules said plainly: each pattern matched alone, against the
//! name and each directory above it, and nothing pruned.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use arbitrary::Arbitrary;
use hoist::archive::plan::{IGNORE_FILE, Pattern, Rules, DirectoryRules};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// Exclude or include, and a glob.
    patterns: Vec<(bool, Text)>,
    /// Files of patterns: the directory's place among those that there are, and lines.
    files: Vec<(u8, Vec<Text>)>,
    names: Vec<Vec<Component>>,
    ignore_hidden: bool,
    ignore_files: bool,
    /// Any text as a file.
    noise: Vec<u8>,
}

/// A pattern made of what means something, so that many match.
#[derive(Arbitrary, Debug)]
struct Text(Vec<Piece>);

#[derive(Arbitrary, Debug)]
enum Piece {
    A,
    B,
    Dot,
    Slash,
    Star,
    Stars,
    Any,
    Class,
    Not,
    Braces,
    Escape,
    Space,
    Hash,
    Open,
    Byte(u8),
}

#[derive(Arbitrary, Debug)]
enum Component {
    A,
    B,
    AB,
    DotA,
    Rules,
    Byte(u8),
}

impl Text {
    fn text(&self) -> String {
        let pieces = self.0.iter().take(8).map(|piece| match piece {
            Piece::A => "a".to_owned(),
            Piece::B => "b".into(),
            Piece::Dot => ".".into(),
            Piece::Slash => "/".into(),
            Piece::Star => "*".into(),
            Piece::Stars => "**".into(),
            Piece::Any => "?".into(),
            Piece::Class => "[ab]".into(),
            Piece::Not => "!".into(),
            Piece::Braces => "{a,b/a}".into(),
            Piece::Escape => "\\".into(),
            Piece::Space => " ".into(),
            Piece::Hash => "#".into(),
            Piece::Open => "[".into(),
            Piece::Byte(byte) => char::from(*byte).to_string(),
        });
        pieces.collect()
    }
}

impl Component {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::A => b"a".to_vec(),
            Self::B => b"b".to_vec(),
            Self::AB => b"ab".to_vec(),
            Self::DotA => b".a".to_vec(),
            Self::Rules => IGNORE_FILE.into(),
            Self::Byte(b'/' | 0) => b"b".to_vec(),
            Self::Byte(byte) => vec![*byte],
        }
    }
}

/// A matcher of one line; None if it is no pattern.
fn alone(line: &str) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    builder.add_line(None, line).ok()?;
    builder.build().ok()
}

fn as_path(name: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(name))
}

/// A name and the directories above it, the top first, with whether each is a directory.
fn line_of(name: &[u8]) -> Vec<(&[u8], bool)> {
    let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let above = slashes.map(|(at, _)| (&name[..at], true));
    above.chain([(name, false)]).collect()
}

/// The rules, said plainly.
struct Plain {
    /// Whether it includes, and how it matches.
    patterns: Vec<(bool, Gitignore)>,
    ignore_hidden: bool,
    ignore_files: bool,
    /// Lines by directory, whose path ends in a slash.
    files: BTreeMap<Vec<u8>, Vec<Gitignore>>,
}

impl Plain {
    /// The last pattern that matches just this.
    fn own(&self, path: &[u8], directory: bool) -> Option<usize> {
        self.patterns
            .iter()
            .rposition(|(_, one)| !one.matched(as_path(path), directory).is_none())
    }

    fn takes(&self, name: &[u8]) -> bool {
        let line = line_of(name);
        // Hidden names, and the files themselves, unless their own pattern includes them.
        for (path, directory) in &line {
            let last = path.rsplit(|byte| *byte == b'/').next().unwrap();
            let hides = self.ignore_hidden && last.starts_with(b".")
                || self.ignore_files && last == IGNORE_FILE.as_bytes();
            let own = self.own(path, *directory);
            if hides && !own.is_some_and(|place| self.patterns[place].0) {
                return false;
            }
        }
        // The last of all that match the name or a directory above it.
        let decided = line
            .iter()
            .filter_map(|(path, dir)| self.own(path, *dir))
            .max();
        if let Some(place) = decided {
            return self.patterns[place].0;
        }
        // Git's: from the top, and nothing comes back.
        self.ignore_files
            && line
                .iter()
                .all(|(path, dir)| !self.file_leaves_out(path, *dir))
            || !self.ignore_files
    }

    fn file_leaves_out(&self, path: &[u8], directory: bool) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above: Vec<usize> = slashes.map(|(at, _)| at + 1).collect();
        above.insert(0, 0);
        for end in above.into_iter().rev() {
            let Some(lines) = self.files.get(&path[..end]) else {
                continue;
            };
            let matched = lines.iter().rev().find_map(|one| {
                let matched = one.matched(as_path(&path[end..]), directory);
                (!matched.is_none()).then(|| matched.is_ignore())
            });
            if let Some(ignored) = matched {
                return ignored;
            }
        }
        false
    }
}

/// What a walk takes: directory by directory, as far as it looks into them.
fn walked(rules: &Rules, files: &BTreeMap<Vec<u8>, String>, name: &[u8]) -> bool {
    let enter_file = |within: DirectoryRules, path: &[u8]| match files.get(path) {
        Some(text) if rules.reads_file(&within) => within.with_file(path, text.as_bytes()).unwrap(),
        _ => within,
    };
    let mut within = enter_file(DirectoryRules::default(), b"");
    for (path, directory) in line_of(name) {
        if directory {
            let Some(inner) = rules.enter(&within, path) else {
                return false;
            };
            within = enter_file(inner, &[path, b"/"].concat());
        } else {
            return rules.includes(&within, path);
        }
    }
    unreachable!("a name is no directory")
}

fuzz_target!(|input: Input| {
    _ = DirectoryRules::default().with_file(b"", &input.noise);

    let mut names: Vec<Vec<u8>> = Vec::new();
    for name in input.names.iter().filter(|name| !name.is_empty()).take(12) {
        let components: Vec<_> = name.iter().take(5).map(Component::bytes).collect();
        if components
            .iter()
            .all(|component| !matches!(&component[..], b"." | b".."))
        {
            names.push(components.join(&b'/'));
        }
    }

    // Only those that are patterns.
    let (mut patterns, mut plain) = (Vec::new(), Vec::new());
    for (include, text) in input.patterns.iter().take(8) {
        let text = text.text();
        let pattern = if *include {
            Pattern::include(&text)
        } else {
            Pattern::exclude(&text)
        };
        let Ok(pattern) = pattern else { continue };
        // One that excludes, so that what it matches is what it says.
        let line = if text.starts_with('#') {
            format!("\\{text}")
        } else {
            text
        };
        patterns.push(pattern);
        plain.push((*include, alone(&line).expect("it is a pattern")));
    }

    let mut directories: Vec<Vec<u8>> = vec![Vec::new()];
    for name in &names {
        let above = line_of(name)
            .into_iter()
            .filter(|(_, directory)| *directory);
        directories.extend(above.map(|(path, _)| [path, b"/"].concat()));
    }
    let (mut files, mut plain_files) = (BTreeMap::new(), BTreeMap::new());
    for (place, lines) in input.files.iter().take(4) {
        let directory = directories[usize::from(*place) % directories.len()].clone();
        let lines = lines.iter().take(6).map(Text::text);
        // A line cannot hold the end of one.
        let lines = lines.filter(|line| !line.contains(['\n', '\r']));
        let good: Vec<_> = lines
            .filter_map(|line| Some((alone(&line)?, line)))
            .collect();
        let text: Vec<_> = good.iter().map(|(_, line)| line.as_str()).collect();
        files.insert(directory.clone(), text.join("\n"));
        let matchers: Vec<_> = good.into_iter().map(|(one, _)| one).collect();
        plain_files.insert(directory, matchers);
    }

    let rules = Rules::new(&patterns, input.ignore_hidden, input.ignore_files).unwrap();
    let plain = Plain {
        patterns: plain,
        ignore_hidden: input.ignore_hidden,
        ignore_files: input.ignore_files,
        files: plain_files,
    };
    for name in &names {
        assert_eq!(
            walked(&rules, &files, name),
            plain.takes(name),
            "{:?} of {patterns:?} and {files:?}",
            name.escape_ascii().to_string()
        );
    }
});
