//! From bytes to a tree, as the agents' own parsers go.
//!
//! Both agents parse with libyaml: 1.x through Ruby's Psych, 2.x through serde_yaml, which has it
//! translated to Rust. `libyaml-safer` is that parser once more, so what is refused here is refused
//! there, word for word; a parser of YAML 1.2 refuses files that the agents run (a flow collection whose
//! bracket closes in the first column, say). As Psych does, it stops where the first document ends, and
//! what comes after cannot be wrong.
//!
//! Bounds: [`MAX_BYTES`], since the AppSpec files of the largest public revisions stay below a tenth of
//! that and a bundle may name any file so; [`MAX_DEPTH`], since nothing in an AppSpec is deeper than 8;
//! [`MAX_NODES`]. An agent has no such bounds, so beyond them nothing is said but that.

use std::collections::HashMap;

use libyaml_safer::{Encoding, Error, ErrorKind, Event, EventData, Parser, ScalarStyle};

use super::report::{Finding, Rule, Span};
use super::tree::{Kind, Record, Tree};

/// The most bytes of a file that is looked at.
pub const MAX_BYTES: usize = 1 << 20;

/// Lists and maps within each other.
const MAX_DEPTH: usize = 64;

/// Nodes of one document: 100,000 pairs.
const MAX_NODES: usize = 200_000;

/// What goes behind a text, for the parser not to look behind its end: where libyaml finds the NUL that it
/// keeps there, version 0.3.0 panics. A document ends so anyway.
const END: &str = "\n...\n";

/// A document, if there is one that can be looked at, and what was noticed on the way.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// None if the file cannot be looked at: `findings` says why. Without records if it says nothing.
    pub(super) tree: Option<Tree>,
    pub(super) findings: Vec<Finding>,
}

/// A list or map that is not complete.
struct Open {
    index: usize,
    /// The key that waits for its value.
    key: Option<usize>,
}

/// Builds a tree from events.
#[derive(Default)]
struct Builder<'t> {
    text: &'t str,
    tree: Tree,
    open: Vec<Open>,
    anchors: HashMap<String, usize>,
    has_alias: bool,
    findings: Vec<Finding>,
}

/// Parses the first document of `text`.
pub(super) fn parse(text: &str) -> Parsed {
    let mut builder = Builder {
        text,
        ..Builder::default()
    };
    let offset = if text.starts_with('\u{FEFF}') {
        let help = "save the file as UTF-8 without a byte-order mark";
        let span = Span { start: 0, end: 3 };
        let message = "the file starts with a byte-order mark, which becomes part of its first key";
        builder.find(Rule::ByteOrderMark, span, message, Some(help));
        3
    } else {
        0
    };
    // Of these, the parser makes a document only if nothing comes behind them.
    let is_blank = |line: &str| {
        let line = line.trim_start_matches([' ', '\r', '\u{FEFF}']);
        line.is_empty() || line.starts_with('#')
    };
    if text.split('\n').all(is_blank) {
        return Parsed {
            tree: Some(Tree::default()),
            findings: builder.findings,
        };
    }
    if let Some(at) = tag_before_comma(text) {
        let span = builder.span(at, at + 1);
        let message = "nothing is looked at: a tag stands before a comma here";
        builder.find(Rule::NotChecked, span, message, Some("remove it"));
        return Parsed {
            tree: None,
            findings: builder.findings,
        };
    }
    let input = [
        text.as_bytes().get(offset..).unwrap_or_default(),
        END.as_bytes(),
    ];
    let input = input.concat();
    let mut input = input.as_slice();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input(&mut input);
    let complete = loop {
        match parser.parse() {
            Ok(event) => match builder.take(event, offset) {
                Step::More => {}
                Step::Done => break true,
                Step::TooMuch => break false,
            },
            Err(error) => {
                let finding = syntax(text, offset, &error);
                builder.findings.push(finding);
                break false;
            }
        }
    };
    if complete {
        // Of what comes after the first document, only that it is there.
        let more = match parser.parse() {
            Ok(event) if matches!(event.data, EventData::DocumentStart { .. }) => {
                Some(event.start_mark)
            }
            Ok(_) => None,
            Err(error) => error.problem_mark(),
        };
        if let Some(mark) = more {
            let start = to_offset(mark.index, offset);
            let span = builder.span(start, start + 3);
            builder.find(
                Rule::SecondDocument,
                span,
                "a second document starts here: agent 1.x ignores it, agent 2.x refuses the file",
                Some("remove it"),
            );
        }
    }
    Parsed {
        tree: complete.then_some(builder.tree),
        findings: builder.findings,
    }
}

/// What is to be done after an event.
enum Step {
    More,
    Done,
    TooMuch,
}

fn to_offset(mark: u64, offset: usize) -> usize {
    usize::try_from(mark)
        .unwrap_or(usize::MAX)
        .saturating_add(offset)
}

impl Builder<'_> {
    fn find(&mut self, rule: Rule, span: Span, message: impl Into<String>, help: Option<&str>) {
        self.findings.push(Finding {
            rule,
            span,
            message: message.into(),
            help: help.map(str::to_owned),
        });
    }

    /// `start..end` without white space at its end, and within the text.
    fn span(&self, start: usize, end: usize) -> Span {
        span(self.text, start, end)
    }

    fn take(&mut self, event: Event, offset: usize) -> Step {
        let start = to_offset(event.start_mark.index, offset);
        let end = to_offset(event.end_mark.index, offset);
        let span = self.span(start, end);
        match event.data {
            EventData::Scalar {
                anchor,
                tag,
                value,
                style,
                ..
            } => {
                let plain = style == ScalarStyle::Plain;
                let mut value = value;
                if end > self.text.len() && !self.text.ends_with('\n') && value.ends_with('\n') {
                    // That of `END`, which a block of text took for its own.
                    value.pop();
                }
                if plain
                    && tag.is_none()
                    && super::scalar::resolve(&value) == super::scalar::Value::Date
                {
                    self.find(
                        Rule::Date,
                        span,
                        format!("{value} is a date to agent 1.x, which refuses dates on Ruby 3.1 and later"),
                        Some("put it in quotes"),
                    );
                }
                let kind = Kind::Scalar { text: value, plain };
                return self.add(span, anchor, tag, kind, false);
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                return self.add(span, anchor, tag, Kind::List(Vec::new()), true);
            }
            EventData::MappingStart { anchor, tag, .. } => {
                return self.add(span, anchor, tag, Kind::Map(Vec::new()), true);
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let text = self.text;
                    let record = &mut self.tree.records[open.index];
                    record.span.end = self::span(text, record.span.start, end).end;
                }
            }
            EventData::Alias { anchor } => {
                let target = self.anchors.get(&anchor).copied();
                if target.is_none() {
                    self.find(
                        Rule::UnknownAlias,
                        span,
                        format!("*{anchor} is an alias to YAML, and stands for nothing"),
                        Some("put it in quotes, if it is meant as it stands"),
                    );
                } else if !self.has_alias {
                    self.has_alias = true;
                    self.find(
                        Rule::Alias,
                        span,
                        format!(
                            "*{anchor} is an alias, which agent 1.x refuses on Ruby 3.1 and later"
                        ),
                        Some("write out what it stands for"),
                    );
                }
                return self.add(span, None, None, Kind::Alias(target), false);
            }
            EventData::DocumentEnd { .. } | EventData::StreamEnd => return Step::Done,
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
        }
        Step::More
    }

    /// Puts a node where it belongs.
    fn add(
        &mut self,
        span: Span,
        anchor: Option<String>,
        tag: Option<String>,
        kind: Kind,
        opens: bool,
    ) -> Step {
        let index = self.tree.records.len();
        if index >= MAX_NODES || (opens && self.open.len() >= MAX_DEPTH) {
            let what = if opens && self.open.len() >= MAX_DEPTH {
                format!("nothing is looked at: lists and maps are more than {MAX_DEPTH} deep here")
            } else {
                format!("nothing is looked at: there are more than {MAX_NODES} values")
            };
            self.find(Rule::NotChecked, span, what, None);
            return Step::TooMuch;
        }
        if let Some(tag) = tag.as_deref().filter(|tag| !is_text(tag)) {
            let message = format!("the tag {tag} is nothing that the agents agree on");
            self.find(Rule::Tag, span, message, Some("remove it"));
        }
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, index);
        }
        self.tree.records.push(Record { span, tag, kind });
        if let Some(parent) = self.open.last_mut() {
            match &mut self.tree.records[parent.index].kind {
                Kind::List(items) => items.push(index),
                Kind::Map(pairs) => match parent.key.take() {
                    Some(key) => pairs.push((key, index)),
                    None => parent.key = Some(index),
                },
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            }
        }
        if opens {
            self.open.push(Open { index, key: None });
        }
        Step::More
    }
}

/// Where a tag may stand right before a comma, at which the parser of version 0.3.0 panics. Quotes and
/// comments are not told apart: nobody tags an AppSpec.
fn tag_before_comma(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let may_begin = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"!./-_)".contains(byte))
    };
    let ends_at_comma = |at: usize| {
        let is_tag =
            |byte: &&u8| byte.is_ascii_alphanumeric() || b"-;/?:@&=+$.%!~*'()_<>[]#".contains(byte);
        let rest = bytes.get(at..).unwrap_or_default();
        let len = rest.iter().take_while(is_tag).count();
        rest.get(len) == Some(&b',')
    };
    let tags = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'!');
    let mut tags = tags.map(|(at, _)| at).filter(|&at| may_begin(at));
    tags.find(|&at| ends_at_comma(at))
}

fn is_text(tag: &str) -> bool {
    matches!(tag, "!" | "!str" | "tag:yaml.org,2002:str")
}

/// A part of `text`: within it, from character to character, without white space at its end.
fn span(text: &str, start: usize, end: usize) -> Span {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let end = start + text[start..end].trim_end().len();
    Span { start, end }
}

/// What the parser does not take.
fn syntax(text: &str, offset: usize, error: &Error) -> Finding {
    let mark = error.problem_mark();
    let start = match (mark, error.kind()) {
        (Some(mark), _) => to_offset(mark.index, offset),
        // The reader's own complaint has no place to ask for.
        (None, ErrorKind::Reader) => forbidden(text).unwrap_or(0),
        (None, _) => 0,
    };
    let next = text.get(start..).and_then(|rest| rest.chars().next());
    let len = next.map_or(0, char::len_utf8);
    let span = Span {
        start: start.min(text.len()),
        end: (start + len).min(text.len()),
    };
    let span = if text.is_char_boundary(span.start) && text.is_char_boundary(span.end) {
        span
    } else {
        self::span(text, span.start, span.end)
    };
    if next == Some('\t') {
        return Finding {
            rule: Rule::Tab,
            span,
            message: "a tab indents this line, which YAML does not allow".to_owned(),
            help: Some("indent with spaces".to_owned()),
        };
    }
    let mut message = error.problem().to_owned();
    if let Some(context) = error.context() {
        message.push(' ');
        message.push_str(context);
    }
    let help = match next {
        Some('@' | '`' | '%') => Some("put the value in quotes"),
        _ if message.starts_with("mapping values are not allowed") => {
            Some("put the value in quotes, or check how the line is indented")
        }
        _ => None,
    };
    Finding {
        rule: Rule::Syntax,
        span,
        message,
        help: help.map(str::to_owned),
    }
}

/// The first character that YAML does not know.
fn forbidden(text: &str) -> Option<usize> {
    let is_allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}')
            || c > '\u{FFFF}'
    };
    text.char_indices()
        .find(|(_, c)| !is_allowed(*c))
        .map(|(at, _)| at)
}
