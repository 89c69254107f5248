//! The AWS CLI's shorthand syntax, in which an option takes a structure: `region=us-west-2,metadata={a=b}`.
//!
//! This reads what `awscli.shorthand.ShorthandParser` of AWS CLI 1.45 reads, and gives the same result,
//! lists and its way back to the last comma included, so that a value can be quoted as in any other command
//! of the AWS CLI. The same options take JSON; that is read here, too, into the same values.
//!
//! Unlike the AWS CLI it takes characters beyond U+FFFF outside quotes.

use std::fmt;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a key may stand for. A structure keeps each of its pairs, so that a key that is there twice is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// True, false or null of JSON, or a number.
    Other(String),
    List(Vec<Value>),
    Map(Pairs),
}

pub(crate) type Pairs = Vec<(String, Value)>;

/// So deep may lists and structures be nested.
const DEPTH: usize = 32;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Another character is needed.
    #[error("expected {expected}, but found {found} at character {at}")]
    Syntax {
        expected: &'static str,
        found: String,
        /// Counted from 1.
        at: usize,
    },
    /// A key is there twice.
    #[error("{0} is there twice; put a value that contains a comma in quotes")]
    Twice(String),
    #[error("lists and structures are nested too deeply")]
    Deep,
    /// `key@=file://…` names a file that cannot be read.
    #[error("{0}")]
    File(String),
}

/// Reads pairs. `read` gives the content of the file behind `key@=file://PATH`.
pub(crate) fn parse(
    text: &str,
    read: &dyn Fn(&Path) -> Result<String, String>,
) -> Result<Pairs, Error> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        from_files: false,
        depth: 0,
        read,
    };
    parser.structure()
}

/// Writes pairs so that the AWS CLI reads them, in JSON if its syntax has no way to write a value.
pub(crate) fn write(pairs: &[(&str, &str)]) -> String {
    let is_plain = |value: &str| {
        let mut characters = value.chars();
        characters.next().is_some_and(is_of_start)
            && characters.all(is_of_first)
            && value.chars().all(|c| c <= '\u{ffff}')
            && !value.ends_with('\\')
            && !value.ends_with(is_blank)
    };
    let each = pairs.iter().map(|(key, value)| match is_plain(value) {
        true => format!("{key}={value}"),
        false => {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{key}=\"{value}\"")
        }
    });
    let text = each.collect::<Vec<_>>().join(",");
    let own = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Value::Text((*value).to_owned())));
    match parse(&text, &|_| Ok(String::new())) {
        Ok(read) if read == own.collect::<Pairs>() => text,
        _ => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).into()));
            serde_json::Value::Object(pairs.collect()).to_string()
        }
    }
}

struct Parser<'a> {
    text: Vec<char>,
    at: usize,
    /// Whether the value after `@=` may be read from a file.
    from_files: bool,
    depth: usize,
    read: &'a dyn Fn(&Path) -> Result<String, String>,
}

impl Parser<'_> {
    fn structure(&mut self) -> Result<Pairs, Error> {
        let mut pairs = vec![self.pair()?];
        while self.at < self.text.len() {
            self.expect(',', "a comma")?;
            self.skip_blanks();
            let (key, value) = self.pair()?;
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(Error::Twice(key));
            }
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    fn pair(&mut self) -> Result<(String, Value), Error> {
        let key = self.key()?;
        Ok((key, self.value()?))
    }

    /// A key, and the equals sign after it.
    fn key(&mut self) -> Result<String, Error> {
        let is_of_key = |c: &char| c.is_ascii_alphanumeric() || "-_.#/:".contains(*c);
        let start = self.at;
        while self.current().is_some_and(|c| is_of_key(&c)) {
            self.at += 1;
        }
        let key = self.text[start..self.at].iter().collect();
        self.from_files = self.expect('@', "").is_ok();
        self.expect('=', "an equals sign")?;
        self.skip_blanks();
        Ok(key)
    }

    fn value(&mut self) -> Result<Value, Error> {
        match self.current() {
            None => Ok(Value::Text(String::new())),
            Some('[' | '{') => self.nested(),
            Some(_) => self.one_or_list(),
        }
    }

    /// `b`, or `b,c`. What follows a comma is a member of the list unless it is the next key.
    fn one_or_list(&mut self) -> Result<Value, Error> {
        let first = self.text()?;
        self.skip_blanks();
        if self.current() != Some(',') {
            return Ok(Value::Text(first));
        }
        self.expect(',', "a comma")?;
        self.skip_blanks();
        let mut list = vec![Value::Text(first)];
        loop {
            match self.member() {
                Ok((text, is_last)) => {
                    list.push(Value::Text(text));
                    if is_last {
                        break;
                    }
                }
                Err(error @ Error::Syntax { .. }) if self.at >= self.text.len() => {
                    return Err(error);
                }
                Err(Error::Syntax { .. }) => {
                    while self.at > 0 && self.text[self.at] != ',' {
                        self.at -= 1;
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(match list.len() {
            1 => list.remove(0),
            _ => Value::List(list),
        })
    }

    /// A member of a list after its first, and whether the text ends there.
    fn member(&mut self) -> Result<(String, bool), Error> {
        let text = match self.current() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => {
                let plain = self.plain(is_of_member);
                self.resolved(plain.ok_or_else(|| self.unexpected("a value"))?)?
            }
        };
        self.skip_blanks();
        if self.at >= self.text.len() {
            return Ok((text, true));
        }
        self.expect(',', "a comma")?;
        self.skip_blanks();
        Ok((text, false))
    }

    fn nested(&mut self) -> Result<Value, Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Error::Deep);
        }
        let value = match self.current() {
            Some('[') => self.list()?,
            _ => self.map()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, Error> {
        self.at += 1;
        self.skip_blanks();
        let mut list = Vec::new();
        while self.current() != Some(']') {
            list.push(self.inner()?);
            self.separate(']', "a comma or ]")?;
        }
        self.at += 1;
        Ok(Value::List(list))
    }

    fn map(&mut self) -> Result<Value, Error> {
        self.at += 1;
        self.skip_blanks();
        let mut pairs = Pairs::new();
        while self.current() != Some('}') {
            let key = self.key()?;
            let value = self.inner()?;
            self.separate('}', "a comma or }")?;
            pairs.push((key, value));
        }
        self.at += 1;
        Ok(Value::Map(pairs))
    }

    fn inner(&mut self) -> Result<Value, Error> {
        match self.current() {
            Some('[' | '{') => self.nested(),
            _ => Ok(Value::Text(self.text()?)),
        }
    }

    fn separate(&mut self, end: char, expected: &'static str) -> Result<(), Error> {
        self.skip_blanks();
        if self.current() != Some(end) {
            match self.current() {
                Some(',') => self.at += 1,
                _ => return Err(self.unexpected(expected)),
            }
            self.skip_blanks();
        }
        Ok(())
    }

    /// A text in quotes or without; an empty one if there is none.
    fn text(&mut self) -> Result<String, Error> {
        match self.current() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => {
                let plain = self.plain(is_of_first).unwrap_or_default();
                self.resolved(plain)
            }
        }
    }

    /// A text without quotes, in which a comma is written `\,`.
    fn plain(&mut self, follows: fn(char) -> bool) -> Option<String> {
        let (start, mut text) = (self.at, String::new());
        while let Some(c) = self.current() {
            if c == '\\' && self.text.get(self.at + 1) == Some(&',') {
                text.push(',');
                self.at += 2;
                continue;
            }
            let fits = match self.at == start {
                true => is_of_start(c),
                false => follows(c),
            };
            if !fits {
                break;
            }
            text.push(c);
            self.at += 1;
        }
        text.truncate(text.trim_end_matches(is_blank).len());
        (self.at > start).then_some(text)
    }

    /// A text in quotes, in which the quote and a backslash are written behind a backslash.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, None);
        let end = loop {
            match self.text.get(at) {
                Some('\\') if self.text.get(at + 1) == Some(&quote) => {
                    escaped = Some(at + 1);
                    at += 2;
                }
                Some(c) if *c == quote => break at,
                Some(_) => at += 1,
                // If no other quote follows, that behind the backslash is the last.
                None => match escaped {
                    Some(escaped) => break escaped,
                    None => return Err(self.unexpected("a value whose quotes are closed")),
                },
            }
        };
        let text: String = self.text[start..end].iter().collect();
        let text = text.replace(&format!("\\{quote}"), &quote.to_string());
        self.at = end + 1;
        self.resolved(text.replace("\\\\", "\\"))
    }

    fn resolved(&self, text: String) -> Result<String, Error> {
        match text.strip_prefix("file://") {
            Some(path) if self.from_files => (self.read)(Path::new(path)).map_err(Error::File),
            _ => Ok(text),
        }
    }

    /// Takes this character, and blanks before it.
    fn expect(&mut self, c: char, expected: &'static str) -> Result<(), Error> {
        self.skip_blanks();
        if self.current() != Some(c) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        let found = self.current().map_or_else(
            || "the end".to_owned(),
            |c| match c {
                '"' => "a double quote".to_owned(),
                '\'' => "a single quote".to_owned(),
                c => format!("'{}'", c.escape_debug()),
            },
        );
        Error::Syntax {
            expected,
            found,
            at: self.at + 1,
        }
    }

    fn current(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
        while self.current().is_some_and(is_blank) {
            self.at += 1;
        }
    }
}

/// White space as Python knows it.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// What a text without quotes may begin with.
fn is_of_start(c: char) -> bool {
    c > ' ' && !matches!(c, '"' | '\'' | ',' | '=' | '[' | '{')
}

/// What may follow in a value, or in the first of a list.
fn is_of_first(c: char) -> bool {
    (c > ' ' || is_blank(c)) && !matches!(c, '"' | '\'' | ',' | ']' | '}')
}

/// What may follow in another member of a list.
fn is_of_member(c: char) -> bool {
    (c > ' ' || is_blank(c)) && !matches!(c, '"' | '\'' | ',' | '=')
}

/// A value in JSON.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfJson)
    }
}

struct OfJson;

impl<'de> Visitor<'de> for OfJson {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Other(is.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Other(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Other(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Other(number.to_string()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Other("null".to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = sequence.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs = Pairs::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Map(pairs))
    }
}

#[cfg(test)]
mod tests;
