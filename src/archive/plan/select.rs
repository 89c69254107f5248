//! Which names go in: the patterns of the command line, and those of `.hoistignore` files.
//!
//! Two habits meet here. Users of `aws s3 sync` write `--exclude '*' --include '*.js'` and mean every
//! `.js` file, however deep; users of git write files of patterns that hold for a directory and all
//! below it. Both are kept, each where it is at home:
//!
//! 1. A pattern of the command line holds for what it matches and for all below that. Of all that hold
//!    for a name, the last decides.
//! 2. Where none holds, `.hoistignore` files decide as git has it: the one nearest to the name first,
//!    in it the last line that matches; and nothing comes back below a directory that is left out.
//!
//! A directory is not looked into if it is left out and no `--include` can match anything below it. So
//! what is looked into follows from the patterns, and the answer for a name from the patterns alone.
//!
//! It knows names only, and refuses the file system: who walks brings the text of the files. Matching is
//! the crate `ignore`'s, which ripgrep uses for the same syntax.

use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::system::as_path;

/// The file of patterns that a directory can have.
pub const IGNORE_FILE: &str = ".hoistignore";

/// A pattern of the command line, in gitignore's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    glob: String,
    include: bool,
}

/// A pattern that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(String);

/// A line of a `.hoistignore` file that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1; 0 if it is all lines together.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// All that is said of names before any directory is read.
#[derive(Debug, Default)]
pub struct Rules {
    ordered: Option<Ordered>,
    ignore_hidden: bool,
    ignore_files: bool,
}

/// What holds for the names in one directory.
#[derive(Clone, Debug, Default)]
pub struct Within {
    /// The last pattern of the command line that matches it or a directory above it.
    decided: Option<Decided>,
    /// Whether files of patterns leave it out.
    left_out: bool,
    /// The file of patterns in it, or the nearest above it.
    file: Option<Arc<IgnoreFile>>,
}

/// Patterns of the command line.
#[derive(Debug)]
struct Ordered {
    set: Gitignore,
    /// Those that include, with their places.
    includes: Vec<(usize, Reach)>,
}

/// What a pattern of the command line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decided {
    /// Its place in the order.
    place: usize,
    include: bool,
}

/// One `.hoistignore`.
#[derive(Debug)]
struct IgnoreFile {
    set: Gitignore,
    /// How much of a path leads to it.
    above_len: usize,
    above: Option<Arc<IgnoreFile>>,
}

impl Pattern {
    /// What it matches stays out.
    ///
    /// # Errors
    ///
    /// [`BadPattern`].
    pub fn exclude(glob: &str) -> Result<Self, BadPattern> {
        Self::new(glob, false)
    }

    /// What it matches goes in, even if an earlier one, or a file of patterns, leaves it out.
    ///
    /// # Errors
    ///
    /// [`BadPattern`].
    pub fn include(glob: &str) -> Result<Self, BadPattern> {
        Self::new(glob, true)
    }

    fn new(glob: &str, include: bool) -> Result<Self, BadPattern> {
        if glob.starts_with('!') {
            let text = "a pattern of the command line cannot begin with '!': write --exclude or \
                        --include, or \\! for a name that begins so";
            return Err(BadPattern(text.into()));
        }
        let mut glob = glob;
        // As in a file; an escaped space stays.
        while glob.ends_with(' ') && !glob.ends_with("\\ ") {
            glob = &glob[..glob.len() - 1];
        }
        let pattern = Self {
            glob: glob.to_owned(),
            include,
        };
        // Alone, so that an error is about this one.
        let set = build([pattern.line()].iter().map(String::as_str));
        match set {
            Ok(set) if set.is_empty() => Err(BadPattern("it matches nothing".into())),
            Ok(_) => Ok(pattern),
            Err((_, why)) => Err(BadPattern(why)),
        }
    }

    /// As a file of patterns would have it.
    fn line(&self) -> String {
        match self.glob.as_bytes().first() {
            _ if self.include => format!("!{}", self.glob),
            // There are no comments on a command line.
            Some(b'#') => format!("\\{}", self.glob),
            _ => self.glob.clone(),
        }
    }
}

/// A matcher for lines; or the number of the first bad one, from 1, and what is wrong with it.
fn build<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Gitignore, (usize, String)> {
    let why = |error: ignore::Error| match error {
        ignore::Error::Glob { err, .. } => err,
        other => other.to_string(),
    };
    // Paths are given as they are to be matched: there is nothing to strip.
    let mut builder = GitignoreBuilder::new("");
    for (line, number) in lines.zip(1..) {
        // Where a pattern comes from is ours to say, and comes back with a match: its place.
        let place = number.to_string().into();
        builder
            .add_line(Some(place), line)
            .map_err(|error| (number, why(error)))?;
    }
    builder.build().map_err(|error| (0, why(error)))
}

impl Rules {
    /// `patterns` in the order in which they were given. `ignore_hidden` leaves out every name that
    /// starts with a dot, and all below it, unless an including pattern matches that very name.
    /// `ignore_files` is whether `.hoistignore` files count; they are then left out themselves.
    ///
    /// # Errors
    ///
    /// [`BadPattern`] if there are too many of them.
    pub fn new(
        patterns: &[Pattern],
        ignore_hidden: bool,
        ignore_files: bool,
    ) -> Result<Self, BadPattern> {
        let ordered = if patterns.is_empty() {
            None
        } else {
            let lines: Vec<String> = patterns.iter().map(Pattern::line).collect();
            let set =
                build(lines.iter().map(String::as_str)).map_err(|(_, why)| BadPattern(why))?;
            let includes = patterns
                .iter()
                .zip(1..)
                .filter(|(pattern, _)| pattern.include)
                .map(|(pattern, place)| (place, Reach::of(&pattern.glob)))
                .collect();
            Some(Ordered { set, includes })
        };
        Ok(Self {
            ordered,
            ignore_hidden,
            ignore_files,
        })
    }

    /// Whether files of patterns have a say in a directory. Where the command line has decided, or all
    /// is left out, they have none.
    #[must_use]
    pub fn reads_file(&self, within: &Within) -> bool {
        self.ignore_files && within.decided.is_none() && !within.left_out
    }

    /// What holds within the directory at `path`, which is in one where `above` holds. None if nothing
    /// in it, however deep, can go in.
    #[must_use]
    pub fn enter(&self, above: &Within, path: &[u8]) -> Option<Within> {
        let mut within = above.clone();
        match self.judge(above, path, true) {
            Judged::In(decided) => within.decided = decided,
            Judged::Never => return None,
            Judged::Out(decided) => {
                if !self.can_include_below(path, decided) {
                    return None;
                }
                within.decided = decided;
                within.left_out |= decided.is_none();
            }
        }
        Some(within)
    }

    /// Whether the file, or the link, at `path` goes in. `above` is what holds in its directory.
    #[must_use]
    pub fn takes(&self, above: &Within, path: &[u8]) -> bool {
        matches!(self.judge(above, path, false), Judged::In(_))
    }

    fn judge(&self, above: &Within, path: &[u8], directory: bool) -> Judged {
        let own = self.ordered.as_ref();
        let own = own.and_then(|ordered| ordered.matched(path, directory));
        if !own.is_some_and(|own| own.include) {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
            let is_rules = self.ignore_files && name == IGNORE_FILE.as_bytes();
            if is_rules || (self.ignore_hidden && name.starts_with(b".")) {
                return Judged::Never;
            }
        }
        let decided = match (own, above.decided) {
            (Some(own), Some(above)) if above.place > own.place => Some(above),
            (own, above) => own.or(above),
        };
        let out = match decided {
            Some(decided) => !decided.include,
            None => above.left_out || above.file_leaves_out(path, directory),
        };
        if out {
            Judged::Out(decided)
        } else {
            Judged::In(decided)
        }
    }

    /// Whether a pattern after the one that leaves a directory out can match something below.
    fn can_include_below(&self, path: &[u8], decided: Option<Decided>) -> bool {
        let place = decided.map_or(0, |decided| decided.place);
        self.ordered.as_ref().is_some_and(|ordered| {
            let mut later = ordered.includes.iter().rev();
            later
                .by_ref()
                .take_while(|(include, _)| *include > place)
                .any(|(_, reach)| reach.is_below(path))
        })
    }
}

/// What becomes of a name.
enum Judged {
    In(Option<Decided>),
    /// It is left out, by this pattern of the command line or else by a file.
    Out(Option<Decided>),
    /// So is all below it.
    Never,
}

impl Ordered {
    fn matched(&self, path: &[u8], directory: bool) -> Option<Decided> {
        let matched = self.set.matched(as_path(path), directory);
        let include = matched.is_whitelist();
        let (Match::Ignore(glob) | Match::Whitelist(glob)) = matched else {
            return None;
        };
        let place = glob.from()?.to_str()?.parse().ok()?;
        Some(Decided { place, include })
    }
}

impl Within {
    /// Whether the directory itself is left out. It is looked into for what may be included below.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.decided
            .map_or(self.left_out, |decided| !decided.include)
    }

    /// The same, in a directory that has a file of patterns. `path` is the directory's, with a slash at
    /// its end unless it is the top, where it is empty.
    ///
    /// # Errors
    ///
    /// [`BadLine`].
    pub fn with_file(&self, path: &[u8], text: &[u8]) -> Result<Self, BadLine> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let before = &text[..error.valid_up_to()];
                let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
                let why = "it is not UTF-8".to_owned();
                return Err(BadLine { line, why });
            }
        };
        let set = build(text.lines()).map_err(|(line, why)| BadLine { line, why })?;
        let mut within = self.clone();
        if !set.is_empty() {
            within.file = Some(Arc::new(IgnoreFile {
                set,
                above_len: path.len(),
                above: within.file,
            }));
        }
        Ok(within)
    }

    /// What the nearest file that has a say says.
    fn file_leaves_out(&self, path: &[u8], directory: bool) -> bool {
        let files = std::iter::successors(self.file.as_deref(), |file| file.above.as_deref());
        for file in files {
            // What is in a file's directory has the directory's path before it.
            let path = path.get(file.above_len..).unwrap_or(path);
            match file.set.matched(as_path(path), directory) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

/// Where a pattern can match: below which directories. It may say yes too often, never no.
#[derive(Debug, PartialEq, Eq)]
struct Reach {
    /// What the first components must be; None is anything.
    begins: Vec<Option<Box<[u8]>>>,
    /// Whether more may follow than these.
    goes_on: bool,
}

impl Reach {
    fn of(glob: &str) -> Self {
        let body = glob.strip_suffix('/').unwrap_or(glob);
        let (anchored, body) = match body.strip_prefix('/') {
            Some(body) => (true, body),
            None => (body.contains('/'), body),
        };
        let mut reach = Self {
            begins: Vec::new(),
            goes_on: !anchored,
        };
        if !anchored {
            return reach;
        }
        for component in body.split('/') {
            // Classes, braces and escapes may hold a slash, two stars any number of them.
            if component.contains(['[', '{', '\\']) || component.contains("**") {
                reach.goes_on = true;
                break;
            }
            let literal = !component.contains(['*', '?']);
            let literal = literal.then(|| component.as_bytes().into());
            reach.begins.push(literal);
        }
        reach
    }

    /// Whether something below the directory at `path` can match.
    fn is_below(&self, path: &[u8]) -> bool {
        let mut begins = self.begins.iter();
        for component in path.split(|&byte| byte == b'/') {
            match begins.next() {
                Some(Some(literal)) if **literal != *component => return false,
                Some(_) => {}
                None => return self.goes_on,
            }
        }
        self.goes_on || begins.next().is_some()
    }
}
