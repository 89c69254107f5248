//! Matches one pattern of a `.gitignore` file as git does.
//!
//! Users bring patterns from git, so a pattern must select what git selects, byte for byte. The crate `ignore`
//! takes braces for alternatives, knows no classes such as `[[:alpha:]]`, and refuses patterns that git accepts.
//! The crate `gix-glob` brings eleven more crates, and gives up on a pattern with many stars.
//! `tests/it/gitignore.rs` compares this module with git itself.
//!
//! A pattern is compiled to a list of tokens once. Matching allocates nothing, does not recurse, and goes back
//! only to the last star and to the last two stars, so no pattern makes it slow.

/// A pattern that can match something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    how: How,
    /// It has a slash at its beginning or in the middle, so it is compared with the path. Others are compared with
    /// the last component.
    anchored: bool,
    /// It ended in a slash, so it matches only directories.
    directory: bool,
}

/// How a path is compared. Most patterns need no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// It must be these bytes.
    Literal(Box<[u8]>),
    /// It must end in these bytes.
    Suffix(Box<[u8]>),
    Tokens(Box<[Token]>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// Any byte but a slash.
    Any,
    /// One of these bytes. A slash is never one of them.
    Class(Box<Class>),
    /// Any bytes but slashes.
    Star,
    /// Any bytes.
    Stars,
    /// Nothing, or any bytes that end in a slash.
    Directories,
}

/// A set of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Class([u64; 4]);

impl Glob {
    /// Compiles a pattern. None if it can match nothing: if it is empty, a class in it does not end, holds nothing or
    /// names no class that there is, or it ends in an escape of nothing.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let (directory, text) = match text.strip_suffix(b"/") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let anchored = text.contains(&b'/');
        let text = text.strip_prefix(b"/").unwrap_or(text);
        if text.is_empty() {
            return None;
        }
        let special = |bytes: &[u8]| bytes.iter().any(|byte| b"*?[\\".contains(byte));
        let how = match text {
            _ if !special(text) => How::Literal(text.into()),
            [b'*', rest @ ..] if !anchored && !special(rest) => How::Suffix(rest.into()),
            _ => How::Tokens(tokens(text)?),
        };
        Some(Self {
            how,
            anchored,
            directory,
        })
    }

    /// Whether it matches a path below its directory. The last component of the path is `name`.
    pub(super) fn matches(&self, path: &[u8], name: &[u8], directory: bool) -> bool {
        if self.directory && !directory {
            return false;
        }
        let text = if self.anchored { path } else { name };
        match &self.how {
            How::Literal(literal) => **literal == *text,
            How::Suffix(suffix) => text.ends_with(suffix),
            How::Tokens(tokens) => tokens_match(tokens, text),
        }
    }
}

/// The tokens of a pattern, or None if it can match nothing.
fn tokens(text: &[u8]) -> Option<Box<[Token]>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        tokens.push(match first {
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                rest = after;
                Token::Byte(*escaped)
            }
            b'?' => Token::Any,
            b'[' => {
                let (class, after) = Class::parse(rest)?;
                rest = after;
                Token::Class(Box::new(class))
            }
            b'*' => {
                let stars = rest.iter().take_while(|byte| **byte == b'*').count();
                rest = &rest[stars..];
                // Git compares the text before the first special character apart from the pattern, so two stars
                // that are the first one stand at the beginning of what is left.
                let begins = tokens.iter().all(|token| matches!(token, Token::Byte(_)))
                    && !text[..text.len() - rest.len()].contains(&b'\\')
                    || matches!(tokens.last(), Some(Token::Byte(b'/') | Token::Directories));
                match rest {
                    _ if stars == 0 || !begins => Token::Star,
                    [b'/', after @ ..] => {
                        rest = after;
                        Token::Directories
                    }
                    [] | [b'\\', b'/', ..] => Token::Stars,
                    _ => Token::Star,
                }
            }
            byte => Token::Byte(*byte),
        });
    }
    Some(tokens.into())
}

/// Where to go on after a mismatch: the index of a star's next token, and where the text after the star begins.
#[derive(Clone, Copy)]
struct Back {
    token: usize,
    at: usize,
}

fn tokens_match(tokens: &[Token], text: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    // Of several stars in a component, and of several that match slashes, only the last needs to match more: what
    // the earlier ones match is then the shortest text that suffices, and more would leave less for the rest.
    let (mut star, mut stars): (Option<Back>, Option<Back>) = (None, None);
    loop {
        let next = token + 1;
        let matched = match (tokens.get(token), text.get(at)) {
            (None, None) => return true,
            (Some(Token::Star), _) => {
                star = Some(Back { token: next, at });
                token = next;
                continue;
            }
            (Some(Token::Stars | Token::Directories), _) => {
                (star, stars) = (None, Some(Back { token: next, at }));
                token = next;
                continue;
            }
            (Some(Token::Byte(byte)), Some(seen)) => {
                if byte == seen && *byte == b'/' {
                    star = None;
                }
                byte == seen
            }
            (Some(Token::Any), Some(seen)) => *seen != b'/',
            (Some(Token::Class(class)), Some(seen)) => class.holds(*seen),
            _ => false,
        };
        if matched {
            (token, at) = (next, at + 1);
            continue;
        }
        if let Some(back) = star.as_mut()
            && text.get(back.at).is_some_and(|byte| *byte != b'/')
        {
            back.at += 1;
            (token, at) = (back.token, back.at);
        } else if let Some(back) = stars.as_mut() {
            star = None;
            let rest = text.get(back.at..).unwrap_or_default();
            let more = match tokens.get(back.token - 1) {
                Some(Token::Directories) => rest.iter().position(|byte| *byte == b'/'),
                _ => (!rest.is_empty()).then_some(0),
            };
            let Some(more) = more else { return false };
            back.at += more + 1;
            (token, at) = (back.token, back.at);
        } else {
            return false;
        }
    }
}

impl Class {
    /// Reads a class behind its opening bracket, and returns what follows it.
    fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let mut class = Self::default();
        let (negated, mut rest) = match text {
            [b'!' | b'^', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        // The first character of a range, if the last character can be one.
        let mut low = None;
        let mut first = true;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            match byte {
                b']' if !first => break,
                b'-' if low.is_some() && rest.first().is_some_and(|byte| *byte != b']') => {
                    let (mut high, mut after) = rest.split_first()?;
                    if *high == b'\\' {
                        (high, after) = after.split_first()?;
                    }
                    rest = after;
                    class.add(low.unwrap_or(*high)..=*high);
                    low = None;
                }
                b'[' if rest.first() == Some(&b':') => {
                    let inside = &rest[1..];
                    let end = inside.iter().position(|byte| *byte == b']')?;
                    if let Some(name) = inside[..end].strip_suffix(b":") {
                        class.add_named(name)?;
                        rest = &inside[end + 1..];
                        low = None;
                    } else {
                        class.add(b'['..=b'[');
                        low = Some(b'[');
                    }
                }
                b'\\' => {
                    let (escaped, after) = rest.split_first()?;
                    rest = after;
                    class.add(*escaped..=*escaped);
                    low = Some(*escaped);
                }
                byte => {
                    class.add(*byte..=*byte);
                    low = Some(*byte);
                }
            }
            first = false;
        }
        if negated {
            class.0 = class.0.map(|bits| !bits);
        }
        class.0[0] &= !(1 << b'/');
        (class.0 != [0; 4]).then_some((class, rest))
    }

    fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
    }

    /// Adds a class such as `alpha`.
    fn add_named(&mut self, name: &[u8]) -> Option<()> {
        let is: fn(&u8) -> bool = match name {
            b"alnum" => u8::is_ascii_alphanumeric,
            b"alpha" => u8::is_ascii_alphabetic,
            b"blank" => |byte| matches!(byte, b' ' | b'\t'),
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"lower" => u8::is_ascii_lowercase,
            b"print" => |byte| matches!(byte, b' '..=b'~'),
            b"punct" => u8::is_ascii_punctuation,
            // Git's own: without form feed and vertical tab.
            b"space" => |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
            b"upper" => u8::is_ascii_uppercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        self.add((0..=u8::MAX).filter(is));
        Some(())
    }

    fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap();
        Glob::new(pattern.as_bytes())
            .is_some_and(|glob| glob.matches(path.as_bytes(), name.as_bytes(), false))
    }

    #[test]
    fn many_stars_cost_no_time() {
        let text = "a".repeat(4000);
        let pattern = format!("{}b", "*a".repeat(200));
        assert!(!is_match(&pattern, &text));
        assert!(is_match(&pattern, &format!("{text}b")));
        let deep = "a/".repeat(1000) + "a";
        assert!(!is_match(&format!("{}b", "**/a*".repeat(100)), &deep));
        assert!(!is_match(&format!("{}b", "**/a/".repeat(100)), &deep));
    }

    #[test]
    fn two_stars_after_two_stars_and_a_slash_match_directories_again() {
        for text in ["a", "x/a", "x/y/a", "x/y/z/a"] {
            assert!(is_match("**/**/a", text), "{text}");
            assert!(is_match("**/**/**/a", text), "{text}");
            assert!(is_match("**/**", text), "{text}");
        }
        assert!(!is_match("**/**/a", "x/b"));
        assert!(is_match("b/**/**/a", "b/a"));
        assert!(is_match("**/**/a/**", "a/x/y"));
    }

    #[test]
    fn what_can_match_nothing_is_no_pattern() {
        for text in [
            "",
            "/",
            "//",
            "a\\",
            "[a",
            "[",
            "[]",
            "[!]",
            "[/]",
            "[[:word:]]",
            "[[:alpha:",
            "x[a-",
        ] {
            assert_eq!(Glob::new(text.as_bytes()), None, "{text}");
        }
        for text in ["{", "a{b,c}", "]", "[]]", "[[:alpha]]", "\\\\"] {
            assert!(Glob::new(text.as_bytes()).is_some(), "{text}");
        }
    }
}
