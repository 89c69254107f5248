//! Selects names by the patterns of the command line and of `.hoistignore` files.
//!
//! Two conventions meet here. Users of `aws s3 sync` exclude `*` and include `*.js`, and mean every `.js`
//! file at any depth. Users of git write files of patterns that hold for a directory and all below it. Both
//! work as their users expect:
//!
//! 1. A pattern of the command line holds for what it matches, and for all below that. Of all patterns that
//!    hold for a name, the last one decides.
//! 2. Where none holds, `.hoistignore` files decide by git's rules: the file nearest to the name first, and
//!    in it the last line that matches. Nothing below a directory that is left out is included again.
//!
//! A directory that is left out is not listed, unless an including pattern of the command line can match
//! something below it. Whether a name is included depends on the patterns alone, and not on what is listed.
//!
//! This module knows only names. The walk reads the files of patterns, and `glob` matches one pattern.

use std::sync::Arc;

use super::glob::Glob;

/// The name of a directory's file of patterns.
pub const IGNORE_FILE: &str = ".hoistignore";

/// A pattern of the command line, in gitignore's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    glob: Glob,
    include: bool,
    /// Below which directories it can match.
    reach: Reach,
}

/// Why a text is no pattern of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It begins with the negation of `.hoistignore` files.
    #[error("a pattern of the command line cannot begin with '!'; \\! stands for a name that does")]
    Negated,
    /// It is empty, or a class in it does not end or holds nothing, or its last character is a single backslash.
    #[error("it matches nothing; \\[ stands for a bracket in a name, and \\\\ for a backslash")]
    MatchesNothing,
}

/// The patterns of the command line, and the options that concern names.
#[derive(Debug, Default)]
pub struct Rules {
    command_line: Vec<Pattern>,
    ignore_hidden: bool,
    ignore_files: bool,
}

/// What the patterns say about a directory, and so about the names in it.
#[derive(Clone, Debug, Default)]
pub struct DirectoryRules {
    /// The last pattern of the command line that matches the directory or one above it.
    decided: Option<Decision>,
    /// Whether files of patterns leave the directory out.
    left_out: bool,
    /// The directory's own file of patterns, or the nearest above it.
    file: Option<Arc<IgnoreFile>>,
}

/// What a matching pattern of the command line decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    /// The pattern's place in the order.
    place: usize,
    include: bool,
}

/// A line of a `.hoistignore` file.
#[derive(Debug)]
struct Line {
    glob: Glob,
    /// Whether it began with an exclamation mark.
    include: bool,
}

/// One `.hoistignore` file, compiled.
#[derive(Debug)]
struct IgnoreFile {
    lines: Vec<Line>,
    /// The length of its directory's path, with the slash.
    above_len: usize,
    above: Option<Arc<IgnoreFile>>,
}

impl Pattern {
    /// A pattern that leaves out what it matches.
    ///
    /// # Errors
    ///
    /// [`BadPattern`].
    pub fn exclude(glob: impl AsRef<[u8]>) -> Result<Self, BadPattern> {
        Self::new(glob.as_ref(), false)
    }

    /// A pattern that includes what it matches, even if an earlier one or a file of patterns leaves it out.
    ///
    /// # Errors
    ///
    /// [`BadPattern`].
    pub fn include(glob: impl AsRef<[u8]>) -> Result<Self, BadPattern> {
        Self::new(glob.as_ref(), true)
    }

    fn new(text: &[u8], include: bool) -> Result<Self, BadPattern> {
        if text.starts_with(b"!") {
            return Err(BadPattern::Negated);
        }
        // As in a file of patterns.
        let text = without_trailing_spaces(text);
        Ok(Self {
            glob: Glob::new(text).ok_or(BadPattern::MatchesNothing)?,
            include,
            reach: Reach::of(text),
        })
    }
}

/// Cuts off spaces at the end, but for one with a backslash before it.
fn without_trailing_spaces(text: &[u8]) -> &[u8] {
    let (mut end, mut bytes) = (0, text.iter().enumerate());
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b' ' => {}
            b'\\' => {
                bytes.next();
                end = at + 2;
            }
            _ => end = at + 1,
        }
    }
    text.get(..end).unwrap_or(text)
}

impl Line {
    /// A line without its end. None if it is a comment or can match nothing.
    fn new(text: &[u8]) -> Option<Self> {
        if text.starts_with(b"#") {
            return None;
        }
        // Git reads a line as far as a NUL.
        let text = text.split(|byte| *byte == 0).next()?;
        let text = without_trailing_spaces(text);
        let (include, text) = match text.strip_prefix(b"!") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let glob = Glob::new(text)?;
        Some(Self { glob, include })
    }
}

impl Rules {
    /// Takes `patterns` in the order of the command line. `ignore_hidden` leaves out every name that starts with a
    /// dot, and all below it, unless an including pattern matches that very name. With `ignore_files`,
    /// `.hoistignore` files count, and are left out themselves.
    #[must_use]
    pub fn new(patterns: &[Pattern], ignore_hidden: bool, ignore_files: bool) -> Self {
        Self {
            command_line: patterns.to_vec(),
            ignore_hidden,
            ignore_files,
        }
    }

    /// Whether a directory's file of patterns counts. It does not where the command line has decided, or
    /// where the directory is left out.
    #[must_use]
    pub fn reads_file(&self, rules: &DirectoryRules) -> bool {
        self.ignore_files && rules.decided.is_none() && !rules.left_out
    }

    /// What the patterns say about the directory at `path`, which is in the directory of `above`. None if
    /// nothing in it, at any depth, can be included.
    #[must_use]
    pub fn enter(&self, above: &DirectoryRules, path: &[u8]) -> Option<DirectoryRules> {
        let mut rules = above.clone();
        match self.judge(above, path, true) {
            Verdict::In(decided) => rules.decided = decided,
            Verdict::Never => return None,
            Verdict::Out(decided) => {
                if !self.can_include_below(path, decided) {
                    return None;
                }
                rules.decided = decided;
                rules.left_out |= decided.is_none();
            }
        }
        Some(rules)
    }

    /// Whether the file or link at `path` is included. `above` belongs to its directory.
    #[must_use]
    pub fn includes(&self, above: &DirectoryRules, path: &[u8]) -> bool {
        matches!(self.judge(above, path, false), Verdict::In(_))
    }

    fn judge(&self, above: &DirectoryRules, path: &[u8], directory: bool) -> Verdict {
        let name = last_component(path);
        let own = self.matched(path, name, directory);
        if !own.is_some_and(|own| own.include) {
            let is_rules = self.ignore_files && name == IGNORE_FILE.as_bytes();
            if is_rules || (self.ignore_hidden && name.starts_with(b".")) {
                return Verdict::Never;
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
            Verdict::Out(decided)
        } else {
            Verdict::In(decided)
        }
    }

    /// Whether an including pattern after the one that leaves a directory out can match something below.
    fn can_include_below(&self, path: &[u8], decided: Option<Decision>) -> bool {
        let later = decided.map_or(0, |decided| decided.place + 1);
        let later = self.command_line.get(later..).unwrap_or_default();
        later
            .iter()
            .any(|pattern| pattern.include && pattern.reach.is_below(path))
    }

    /// What the last pattern of the command line that matches decides.
    fn matched(&self, path: &[u8], name: &[u8], directory: bool) -> Option<Decision> {
        let mut patterns = self.command_line.iter().enumerate();
        let matches = |pattern: &Pattern| pattern.glob.matches(path, name, directory);
        let (place, pattern) = patterns.rfind(|(_, pattern)| matches(pattern))?;
        let include = pattern.include;
        Some(Decision { place, include })
    }
}

pub(super) fn last_component(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Whether a name is included.
enum Verdict {
    In(Option<Decision>),
    /// It is left out, by this pattern of the command line or else by a file of patterns.
    Out(Option<Decision>),
    /// It is left out with all below it.
    Never,
}

impl DirectoryRules {
    /// Whether the directory itself is left out. It can still be listed for what is included below.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.decided
            .map_or(self.left_out, |decided| !decided.include)
    }

    /// Returns these rules with the directory's own file of patterns. `path` is the directory's, with a
    /// slash at its end; it is empty for the top. As in git, a line that can match nothing has no effect.
    #[must_use]
    pub fn with_file(&self, path: &[u8], text: &[u8]) -> Self {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines: Vec<_> = lines.filter_map(Line::new).collect();
        let mut rules = self.clone();
        if !lines.is_empty() {
            rules.file = Some(Arc::new(IgnoreFile {
                lines,
                above_len: path.len(),
                above: rules.file,
            }));
        }
        rules
    }

    /// Whether the nearest file with a pattern that matches leaves `path` out.
    fn file_leaves_out(&self, path: &[u8], directory: bool) -> bool {
        let name = last_component(path);
        let files = std::iter::successors(self.file.as_deref(), |file| file.above.as_deref());
        for file in files {
            // A file's patterns match paths relative to its directory.
            let path = path.get(file.above_len..).unwrap_or(path);
            let mut lines = file.lines.iter().rev();
            if let Some(line) = lines.find(|line| line.glob.matches(path, name, directory)) {
                return !line.include;
            }
        }
        false
    }
}

/// Below which directories a pattern can match. It errs only on the side of more directories.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reach {
    /// The first components of a match; None is any name.
    begins: Vec<Option<Box<[u8]>>>,
    /// Whether more components can follow.
    goes_on: bool,
}

impl Reach {
    fn of(glob: &[u8]) -> Self {
        let body = glob.strip_suffix(b"/").unwrap_or(glob);
        let (anchored, body) = match body.strip_prefix(b"/") {
            Some(body) => (true, body),
            None => (body.contains(&b'/'), body),
        };
        let mut reach = Self {
            begins: Vec::new(),
            goes_on: !anchored,
        };
        if !anchored {
            return reach;
        }
        for component in body.split(|byte| *byte == b'/') {
            let has = |bytes: &[u8]| component.iter().any(|byte| bytes.contains(byte));
            // Classes and escapes can hold a slash, and two stars match any number of components.
            if has(b"[\\") || component.windows(2).any(|two| two == b"**") {
                reach.goes_on = true;
                break;
            }
            reach.begins.push((!has(b"*?")).then(|| component.into()));
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
