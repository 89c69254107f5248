//! Compares the selection by patterns with a plain implementation, which matches each pattern alone against
//! the name and each directory above it, skips no directory, and matches a pattern by trying everything.
//! `tests/it/gitignore.rs` compares hoist with git.

#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use hoist::archive::plan::{DirectoryRules, IGNORE_FILE, Pattern, Rules};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// Whether to include, and a glob.
    patterns: Vec<(bool, Text)>,
    /// Files of patterns: the index of a directory, and lines.
    files: Vec<(u8, Vec<Text>)>,
    names: Vec<Vec<Component>>,
    ignore_hidden: bool,
    ignore_files: bool,
    /// Any bytes as a file of patterns.
    noise: Vec<u8>,
}

/// A pattern made of meaningful pieces, so that many of them match.
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
            // No name and no line has a NUL.
            Piece::Byte(byte) => char::from((*byte).max(1)).to_string(),
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

/// One pattern, as its text says.
#[derive(Debug)]
struct Plainly {
    text: Vec<u8>,
    anchored: bool,
    directory: bool,
    include: bool,
}

/// Reads a line of a file. Returns None if it is a comment.
fn alone(line: &str) -> Option<Plainly> {
    (!line.starts_with('#')).then(|| plainly(line))
}

/// Reads a pattern of the command line, where a number sign begins no comment. An escaped one would be another
/// pattern: two stars behind it would not stand at the beginning of what git compares apart.
fn plainly(line: &str) -> Plainly {
    let mut text = line.as_bytes();
    // A space at the end counts if an odd number of backslashes is before it.
    while let Some(before) = text.strip_suffix(b" ") {
        let slashes = before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        if slashes % 2 == 1 {
            break;
        }
        text = before;
    }
    let negated = text.strip_prefix(b"!");
    let include = negated.is_some();
    text = negated.unwrap_or(text);
    let directory = text.ends_with(b"/");
    text = text.strip_suffix(b"/").unwrap_or(text);
    let anchored = text.contains(&b'/');
    let text = text.strip_prefix(b"/").unwrap_or(text).to_vec();
    Plainly {
        text,
        anchored,
        directory,
        include,
    }
}

impl Plainly {
    fn matches(&self, path: &[u8], directory: bool) -> bool {
        if self.directory && !directory {
            return false;
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap();
        let special = |byte: &u8| b"*?[\\".contains(byte);
        let literal = self
            .text
            .iter()
            .position(special)
            .unwrap_or(self.text.len());
        let seen = if self.anchored { path } else { name };
        // As git does, it compares what comes before the first special character apart from the rest.
        let Some(rest) = seen.strip_prefix(&self.text[..literal]) else {
            return false;
        };
        wild(b'/', &self.text[literal..], rest)
    }
}

/// Whether all of the pattern matches all of the text. `before` is the pattern's character before it.
fn wild(before: u8, pattern: &[u8], text: &[u8]) -> bool {
    let one = |rest: &[u8], matches: &dyn Fn(u8) -> bool, last: u8| match text.split_first() {
        Some((seen, text)) => matches(*seen) && wild(last, rest, text),
        None => false,
    };
    match pattern {
        [] => text.is_empty(),
        [b'?', rest @ ..] => one(rest, &|seen| seen != b'/', b'?'),
        [b'\\'] => false,
        [b'\\', byte, rest @ ..] => one(rest, &|seen| seen == *byte, *byte),
        [b'[', rest @ ..] => {
            // `[ab]` is the only class here.
            match rest {
                [b'a', b'b', b']', rest @ ..] => one(rest, &|seen| b"ab".contains(&seen), b']'),
                _ => false,
            }
        }
        [b'*', rest @ ..] => {
            let stars = rest.iter().take_while(|byte| **byte == b'*').count();
            let rest = &rest[stars..];
            let wide = stars > 0 && before == b'/';
            if wide
                && let [b'/', rest @ ..] = rest
                && wild(b'/', rest, text)
            {
                return true;
            }
            let wide = wide && matches!(rest, [] | [b'/', ..] | [b'\\', b'/', ..]);
            (0..=text.len())
                .take_while(|at| wide || !text[..*at].contains(&b'/'))
                .any(|at| wild(b'*', rest, &text[at..]))
        }
        [byte, rest @ ..] => one(rest, &|seen| seen == *byte, *byte),
    }
}

/// Whether the plain implementation knows the classes of a pattern.
fn plain_classes(text: &str) -> bool {
    text.matches('[').count() == text.matches("[ab]").count()
}

/// The directories above a name, the top first, and the name itself; with whether each is a directory.
fn path_and_parents(name: &[u8]) -> Vec<(&[u8], bool)> {
    let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let above = slashes.map(|(at, _)| (&name[..at], true));
    above.chain([(name, false)]).collect()
}

/// The plain implementation.
struct Plain {
    /// Whether each pattern includes, and its matcher.
    patterns: Vec<(bool, Plainly)>,
    ignore_hidden: bool,
    ignore_files: bool,
    /// The lines of each directory's file. A directory's path ends in a slash.
    files: BTreeMap<Vec<u8>, Vec<Plainly>>,
}

impl Plain {
    /// The last pattern that matches this path itself.
    fn own(&self, path: &[u8], directory: bool) -> Option<usize> {
        self.patterns
            .iter()
            .rposition(|(_, one)| one.matches(path, directory))
    }

    fn includes(&self, name: &[u8]) -> bool {
        let line = path_and_parents(name);
        // Hidden names and files of patterns are left out, unless a pattern includes that very name.
        for (path, directory) in &line {
            let last = path.rsplit(|byte| *byte == b'/').next().unwrap();
            let hides = self.ignore_hidden && last.starts_with(b".")
                || self.ignore_files && last == IGNORE_FILE.as_bytes();
            let own = self.own(path, *directory);
            if hides && !own.is_some_and(|place| self.patterns[place].0) {
                return false;
            }
        }
        // Of all patterns that match the name or a directory above it, the last decides.
        let decided = line
            .iter()
            .filter_map(|(path, dir)| self.own(path, *dir))
            .max();
        if let Some(place) = decided {
            return self.patterns[place].0;
        }
        // Git's rules: nothing below a directory that is left out is included again.
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
            let matched = lines
                .iter()
                .rev()
                .find_map(|one| one.matches(&path[end..], directory).then_some(!one.include));
            if let Some(ignored) = matched {
                return ignored;
            }
        }
        false
    }
}

/// Whether a walk includes a name: directory by directory, as long as it lists them.
fn walk_includes(rules: &Rules, files: &BTreeMap<Vec<u8>, String>, name: &[u8]) -> bool {
    let enter_file = |within: DirectoryRules, path: &[u8]| match files.get(path) {
        Some(text) if rules.reads_file(&within) => within.with_file(path, text.as_bytes()),
        _ => within,
    };
    let mut within = enter_file(DirectoryRules::default(), b"");
    for (path, directory) in path_and_parents(name) {
        if directory {
            let Some(inner) = rules.enter(&within, path) else {
                return false;
            };
            within = enter_file(inner, &[path, b"/"].concat());
        } else {
            return rules.includes(&within, path);
        }
    }
    unreachable!("the last path is not a directory")
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

    // Only valid patterns are used.
    let (mut patterns, mut plain) = (Vec::new(), Vec::new());
    for (include, text) in input.patterns.iter().take(8) {
        let text = text.text();
        if !plain_classes(&text) {
            continue;
        }
        let pattern = if *include {
            Pattern::include(&text)
        } else {
            Pattern::exclude(&text)
        };
        let Ok(pattern) = pattern else { continue };
        patterns.push(pattern);
        plain.push((*include, plainly(&text)));
    }

    let mut directories: Vec<Vec<u8>> = vec![Vec::new()];
    for name in &names {
        let above = path_and_parents(name)
            .into_iter()
            .filter(|(_, directory)| *directory);
        directories.extend(above.map(|(path, _)| [path, b"/"].concat()));
    }
    let (mut files, mut plain_files) = (BTreeMap::new(), BTreeMap::new());
    for (place, lines) in input.files.iter().take(4) {
        let directory = directories[usize::from(*place) % directories.len()].clone();
        let lines = lines.iter().take(6).map(Text::text);
        // A line cannot hold a line ending.
        let lines = lines.filter(|line| !line.contains(['\n', '\r']) && plain_classes(line));
        let good: Vec<_> = lines
            .filter_map(|line| Some((alone(&line)?, line)))
            .collect();
        let text: Vec<_> = good.iter().map(|(_, line)| line.as_str()).collect();
        files.insert(directory.clone(), text.join("\n"));
        let matchers: Vec<_> = good.into_iter().map(|(one, _)| one).collect();
        plain_files.insert(directory, matchers);
    }

    let rules = Rules::new(&patterns, input.ignore_hidden, input.ignore_files);
    let plain = Plain {
        patterns: plain,
        ignore_hidden: input.ignore_hidden,
        ignore_files: input.ignore_files,
        files: plain_files,
    };
    for name in &names {
        assert_eq!(
            walk_includes(&rules, &files, name),
            plain.includes(name),
            "{:?} of {patterns:?} and {files:?}",
            name.escape_ascii().to_string()
        );
    }
});
