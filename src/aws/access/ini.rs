//! Reads `~/.aws/config` and `~/.aws/credentials` as the AWS CLI reads them.
//!
//! The AWS CLI gives both files to Python's `configparser` (its `RawConfigParser` with the defaults), whose
//! grammar the SDK does not share: keys may be indented, a colon divides a key from its value as well as an
//! equals sign, a comment may be indented, a blank and a `#` end no value, and whatever is indented more than
//! its key continues the value. botocore then reads a value that begins with a line end as keys below a key,
//! and divides the name of a section as a shell divides words (`shlex.split`).

use std::collections::BTreeMap;

/// The settings of a section, by their names in lower case.
pub(super) type Keys = BTreeMap<String, Value>;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A text, with line ends if it goes on in other lines.
    Text(String),
    /// Settings below a setting, such as `addressing_style` below `s3`.
    Below(BTreeMap<String, String>),
}

/// A text is no such file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong in it.
    pub problem: String,
}

/// The section from which all others inherit.
const INHERITED: &str = "DEFAULT";

/// A value while its lines are collected.
#[derive(Clone)]
struct Lines {
    first: usize,
    lines: Vec<String>,
}

impl Lines {
    fn text(&self) -> String {
        self.lines.join("\n").trim_end_matches(is_blank).to_owned()
    }
}

type Open = BTreeMap<String, Lines>;

/// The sections of a text, in their order.
///
/// # Errors
///
/// What Python's parser and botocore refuse: a setting before the first section, a line that is neither
/// section nor setting, and a section or setting that is there twice.
pub(super) fn parse(text: &str) -> Result<Vec<(String, Keys)>, Fault> {
    let sections = sections(text)?.into_iter();
    sections
        .map(|(name, open)| Ok((name, closed(&open)?)))
        .collect()
}

/// The sections of a file in which no setting has settings below it: the AWS CLI's file of aliases.
///
/// # Errors
///
/// What Python's parser refuses.
pub fn parse_flat(text: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>, Fault> {
    let texts = |open: Open| {
        let texts = open.into_iter().map(|(key, lines)| (key, lines.text()));
        texts.collect()
    };
    let sections = sections(text)?.into_iter();
    Ok(sections.map(|(name, open)| (name, texts(open))).collect())
}

fn sections(text: &str) -> Result<Vec<(String, Open)>, Fault> {
    let mut inherited = Open::new();
    let mut sections: Vec<(String, Open)> = Vec::new();
    // The section and the setting that the lines before have opened.
    let (mut section, mut setting): (Option<String>, Option<String>) = (None, None);
    let mut indent = 0;
    for (number, line) in lines(text).enumerate().map(|(at, line)| (at + 1, line)) {
        let fault = |problem: String| Fault {
            line: number,
            problem,
        };
        let value = line.trim_matches(is_blank);
        let open = match section.as_deref() {
            None => None,
            Some(INHERITED) => Some(&mut inherited),
            Some(name) => sections
                .iter_mut()
                .find_map(|(known, open)| (known == name).then_some(open)),
        };
        if value.starts_with(['#', ';']) {
            continue;
        }
        let continued = |open: Option<&mut Open>| -> bool {
            let lines = open.zip(setting.as_ref()).and_then(|(o, s)| o.get_mut(s));
            lines.is_some_and(|lines| {
                lines.lines.push(value.to_owned());
                true
            })
        };
        if value.is_empty() {
            continued(open);
            continue;
        }
        let depth = line.chars().take_while(|c| is_blank(*c)).count();
        if depth > indent && setting.is_some() {
            continued(open);
            continue;
        }
        indent = depth;
        if let Some(name) = header(value) {
            if name != INHERITED {
                if sections.iter().any(|(known, _)| known == name) {
                    return Err(fault(format!("the section [{name}] is there twice")));
                }
                sections.push((name.to_owned(), Open::new()));
            }
            (section, setting) = (Some(name.to_owned()), None);
            continue;
        }
        let Some(open) = open else {
            return Err(fault("a section must come first, such as [default]".into()));
        };
        let Some((key, first)) = value.split_once(['=', ':']) else {
            return Err(fault("there is neither = nor : in it".into()));
        };
        let key = key.trim_end_matches(is_blank).to_lowercase();
        if key.is_empty() {
            return Err(fault("the name of the setting is missing".into()));
        }
        let lines = vec![first.trim_matches(is_blank).to_owned()];
        let first = number;
        if open.insert(key.clone(), Lines { first, lines }).is_some() {
            return Err(fault(format!("{key} is there twice")));
        }
        setting = Some(key);
    }
    let whole = sections.into_iter().map(|(name, own)| {
        let mut open = inherited.clone();
        open.extend(own);
        (name, open)
    });
    Ok(whole.collect())
}

/// The values of a section whose lines are complete.
fn closed(open: &Open) -> Result<Keys, Fault> {
    let values = open.iter().map(|(key, lines)| {
        let text = lines.text();
        let value = if text.starts_with('\n') {
            Value::Below(below(lines.first, &text)?)
        } else {
            Value::Text(text)
        };
        Ok((key.clone(), value))
    });
    values.collect()
}

/// The settings below a setting.
fn below(first: usize, text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_matches(is_blank).is_empty());
    let pairs = lines.map(|(at, line)| {
        let (key, value) = line.split_once('=').ok_or_else(|| Fault {
            line: first + at,
            problem: "there is no = in it".into(),
        })?;
        let trimmed = |text: &str| text.trim_matches(is_blank).to_owned();
        Ok((trimmed(key), trimmed(value)))
    });
    pairs.collect()
}

/// What is in the brackets of a section.
fn header(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('[')?;
    let name = &rest[..rest.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

/// The words of a text as a shell divides them, but for everything that a shell does besides. None if a
/// quote is not closed, or a backslash comes last.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(characters.next()?),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        end if end == c => break,
                        '\\' if c == '"' => match characters.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Lines as Python's files have them: `\n`, `\r\n` and `\r` end one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// What Python takes for a blank.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    /// The one section of a text.
    fn section(body: &str) -> Keys {
        let sections = parse(&format!("[s]\n{body}")).unwrap();
        sections.into_iter().next().unwrap().1
    }

    #[test]
    fn keys_may_be_indented_and_divided_by_a_colon() {
        for body in [
            "region = eu-west-1",
            "region=eu-west-1",
            "region: eu-west-1",
            "REGION : eu-west-1  ",
            "  # a comment\n  region = eu-west-1\n  ; another\n",
            "\tregion\t=\teu-west-1\r\n\r\n",
        ] {
            let keys = section(body);
            assert_eq!(keys["region"], text("eu-west-1"), "{body:?}");
            assert_eq!(keys.len(), 1, "{body:?}");
        }
        // Keys that are equally indented are not continued.
        let keys = section("  a = 1\n  b : 2\n c = 3");
        assert_eq!(keys.len(), 3);
        // The first of both dividers counts, and nothing ends a value but its line.
        let keys = section("a = b:c\nd:e = f\ng = h # i ; j");
        assert_eq!(keys["a"], text("b:c"));
        assert_eq!(keys["d"], text("e = f"));
        assert_eq!(keys["g"], text("h # i ; j"));
    }

    #[test]
    fn what_is_indented_more_than_its_key_continues_the_value() {
        let keys = section("a = 1\n  2\n\n  # not this\n  3\nb = 4\n\n\n");
        assert_eq!(keys["a"], text("1\n2\n\n3"));
        assert_eq!(keys["b"], text("4"));
        let keys = section("s3 =\n  addressing_style = virtual\n  Max : x = y\nregion = r");
        let expected = [("addressing_style", "virtual"), ("Max : x", "y")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(keys["s3"], Value::Below(expected.into()));
        assert_eq!(keys["region"], text("r"));
        // A comment does not end a value, and an indented section is part of one.
        assert_eq!(section("a = 1\n [t]")["a"], text("1\n[t]"));
    }

    #[test]
    fn sections_inherit_from_the_section_default_in_capitals() {
        let sections = parse("[DEFAULT]\na=1\nb=2\n[x]\nb=3\n[DEFAULT]\nc=4\n[y]").unwrap();
        let names: Vec<_> = sections.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!(sections[0].1["a"], text("1"));
        assert_eq!(sections[0].1["b"], text("3"));
        assert_eq!(sections[1].1["b"], text("2"));
        assert_eq!(sections[1].1["c"], text("4"));
    }

    #[test]
    fn a_section_ends_at_the_last_bracket_of_its_line() {
        for (line, name) in [
            ("[a]", "a"),
            ("[a] # b", "a"),
            ("[profile a]b] c", "profile a]b"),
            ("  [ a ]", " a "),
            ("[profile \"my #1\"]", "profile \"my #1\""),
        ] {
            assert_eq!(parse(line).unwrap()[0].0, name, "{line}");
        }
    }

    #[test]
    fn what_python_refuses_is_refused_with_its_line() {
        for (text, line) in [
            ("region = x", 1),
            ("# c\n\n\u{feff}[default]\n", 3),
            ("[a]\nhello", 2),
            ("[a]\n= x", 2),
            ("[a]\nx = 1\n[b]\n[a]", 4),
            ("[a]\nx = 1\nX: 2", 3),
            ("[DEFAULT]\nx = 1\nx = 2", 3),
            ("[a]\ns3 =\n  x\n", 3),
            ("[]\n", 1),
            ("[a\n", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn words_are_divided_as_a_shell_divides_them() {
        for (text, expected) in [
            ("profile dev", &["profile", "dev"][..]),
            ("profile \"my dev\"", &["profile", "my dev"]),
            ("profile 'a\"b'\\ c", &["profile", "a\"b c"]),
            ("profile \"a\\\"b\\\\c\\d\"", &["profile", "a\"b\\c\\d"]),
            ("profile (eu)=#é", &["profile", "(eu)=#é"]),
            ("a '' b", &["a", "", "b"]),
            ("  ", &[]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        for open in ["a 'b", "a \"b", "a \\", "\"\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }
}
