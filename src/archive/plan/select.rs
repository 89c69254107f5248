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
//! This module knows only names. The walk reads the files of patterns. Matching is done by the crate
//! `ignore`, which ripgrep uses for the same syntax.

use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::system::as_path;

/// The name of a directory's file of patterns.
pub const IGNORE_FILE: &str = ".hoistignore";

/// A pattern of the command line, in gitignore's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    glob: String,
    include: bool,
}

/// Why a text is no pattern of the command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It begins with the negation of `.hoistignore` files.
    #[error("a pattern of the command line cannot begin with '!'; \\! stands for a name that does")]
    Negated,
    /// It is empty.
    #[error("it matches nothing")]
    MatchesNothing,
    /// Its syntax is wrong.
    #[error("{0}")]
    Syntax(String),
}

/// A line of a `.hoistignore` file that is not a valid pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The line, from 1, or 0 for all lines together.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// The patterns of the command line, and the options that concern names.
#[derive(Debug, Default)]
pub struct Rules {
    command_line: Option<CommandLine>,
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

/// The patterns of the command line, compiled.
#[derive(Debug)]
struct CommandLine {
    set: Gitignore,
    /// The including ones, with their places in the order.
    includes: Vec<(usize, Reach)>,
}

/// What a matching pattern of the command line decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    /// The pattern's place in the order.
    place: usize,
    include: bool,
}

/// One `.hoistignore` file, compiled.
#[derive(Debug)]
struct IgnoreFile {
    set: Gitignore,
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
    pub fn exclude(glob: &str) -> Result<Self, BadPattern> {
        Self::new(glob, false)
    }

    /// A pattern that includes what it matches, even if an earlier one or a file of patterns leaves it out.
    ///
    /// # Errors
    ///
    /// [`BadPattern`].
    pub fn include(glob: &str) -> Result<Self, BadPattern> {
        Self::new(glob, true)
    }

    fn new(glob: &str, include: bool) -> Result<Self, BadPattern> {
        if glob.starts_with('!') {
            return Err(BadPattern::Negated);
        }
        let mut glob = glob;
        // As in a file of patterns, trailing spaces do not count unless they are escaped.
        while glob.ends_with(' ') && !glob.ends_with("\\ ") {
            glob = &glob[..glob.len() - 1];
        }
        let pattern = Self {
            glob: glob.to_owned(),
            include,
        };
        // It is compiled alone, so that an error is about this pattern.
        let set = build([pattern.line()].iter().map(String::as_str));
        match set {
            Ok(set) if set.is_empty() => Err(BadPattern::MatchesNothing),
            Ok(_) => Ok(pattern),
            Err((_, why)) => Err(BadPattern::Syntax(why)),
        }
    }

    /// The pattern as a line of a file of patterns.
    fn line(&self) -> String {
        match self.glob.as_bytes().first() {
            _ if self.include => format!("!{}", self.glob),
            // There are no comments on a command line.
            Some(b'#') => format!("\\{}", self.glob),
            _ => self.glob.clone(),
        }
    }
}

/// Compiles lines. The error is the number of the first bad line, from 1, and what is wrong with it.
fn build<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Gitignore, (usize, String)> {
    let why = |error: ignore::Error| match error {
        ignore::Error::Glob { err, .. } => err,
        other => other.to_string(),
    };
    // Paths are matched as they are given, so there is no root to strip.
    let mut builder = GitignoreBuilder::new("");
    for (line, number) in lines.zip(1..) {
        // A match returns the path that the pattern came from; here it is the pattern's place.
        let place = number.to_string().into();
        builder
            .add_line(Some(place), line)
            .map_err(|error| (number, why(error)))?;
    }
    builder.build().map_err(|error| (0, why(error)))
}

impl Rules {
    /// Compiles `patterns`, which come in the order of the command line. `ignore_hidden` leaves out every
    /// name that starts with a dot, and all below it, unless an including pattern matches that very name.
    /// With `ignore_files`, `.hoistignore` files count, and are left out themselves.
    ///
    /// # Errors
    ///
    /// [`BadPattern`] if there are too many patterns.
    pub fn new(
        patterns: &[Pattern],
        ignore_hidden: bool,
        ignore_files: bool,
    ) -> Result<Self, BadPattern> {
        let command_line = if patterns.is_empty() {
            None
        } else {
            let lines: Vec<String> = patterns.iter().map(Pattern::line).collect();
            let set = build(lines.iter().map(String::as_str))
                .map_err(|(_, why)| BadPattern::Syntax(why))?;
            let includes = patterns
                .iter()
                .zip(1..)
                .filter(|(pattern, _)| pattern.include)
                .map(|(pattern, place)| (place, Reach::of(&pattern.glob)))
                .collect();
            Some(CommandLine { set, includes })
        };
        Ok(Self {
            command_line,
            ignore_hidden,
            ignore_files,
        })
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
        let own = self.command_line.as_ref();
        let own = own.and_then(|command_line| command_line.matched(path, directory));
        if !own.is_some_and(|own| own.include) {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
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
        let place = decided.map_or(0, |decided| decided.place);
        self.command_line.as_ref().is_some_and(|command_line| {
            let mut later = command_line.includes.iter().rev();
            later
                .by_ref()
                .take_while(|(include, _)| *include > place)
                .any(|(_, reach)| reach.is_below(path))
        })
    }
}

/// Whether a name is included.
enum Verdict {
    In(Option<Decision>),
    /// It is left out, by this pattern of the command line or else by a file of patterns.
    Out(Option<Decision>),
    /// It is left out with all below it.
    Never,
}

impl CommandLine {
    fn matched(&self, path: &[u8], directory: bool) -> Option<Decision> {
        let matched = self.set.matched(as_path(path), directory);
        let include = matched.is_whitelist();
        let (Match::Ignore(glob) | Match::Whitelist(glob)) = matched else {
            return None;
        };
        let place = glob.from()?.to_str()?.parse().ok()?;
        Some(Decision { place, include })
    }
}

impl DirectoryRules {
    /// Whether the directory itself is left out. It can still be listed for what is included below.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.decided
            .map_or(self.left_out, |decided| !decided.include)
    }

    /// Returns these rules with the directory's own file of patterns. `path` is the directory's, with a
    /// slash at its end; it is empty for the top.
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
        let mut rules = self.clone();
        if !set.is_empty() {
            rules.file = Some(Arc::new(IgnoreFile {
                set,
                above_len: path.len(),
                above: rules.file,
            }));
        }
        Ok(rules)
    }

    /// Whether the nearest file with a pattern that matches leaves `path` out.
    fn file_leaves_out(&self, path: &[u8], directory: bool) -> bool {
        let files = std::iter::successors(self.file.as_deref(), |file| file.above.as_deref());
        for file in files {
            // A file's patterns match paths relative to its directory.
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

/// Below which directories a pattern can match. It errs only on the side of more directories.
#[derive(Debug, PartialEq, Eq)]
struct Reach {
    /// The first components of a match; None is any name.
    begins: Vec<Option<Box<[u8]>>>,
    /// Whether more components can follow.
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
            // Classes, braces and escapes can hold a slash, and two stars match any number of components.
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
