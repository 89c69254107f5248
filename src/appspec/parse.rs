//! Parses an AppSpec file into a tree, as the agents do.
//!
//! Both agents parse with libyaml: 1.x through Ruby's Psych, 2.x through serde_yaml, which contains a
//! translation of libyaml to Rust. `libyaml-safer` is such a translation too, so it refuses what the
//! agents refuse, with their messages. A parser of YAML 1.2 would refuse files that the agents run, for
//! example a flow collection whose bracket closes in the first column. Like Psych, the parser stops at
//! the end of the first document, and what follows is not checked.
//!
//! Three limits hold: [`MAX_BYTES`] (the AppSpec files of the largest public revisions are below a tenth
//! of it, but any file can have the name), [`MAX_DEPTH`] (nothing in an AppSpec file is deeper than 8)
//! and [`MAX_NODES`]. The agents have no such limits, so a file beyond them is only reported as not
//! checked.

use std::collections::HashMap;

use libyaml_safer::{Encoding, Error, ErrorKind, Event, EventData, Parser, ScalarStyle};

use super::report::{Finding, Rule, Span};
use super::scalar::{Value, resolve};
use super::tree::{Kind, Record, Tree};

/// The size of the largest file that is checked.
pub const MAX_BYTES: usize = 1 << 20;

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 64;

/// The most nodes of one document: 100,000 pairs.
const MAX_NODES: usize = 200_000;

/// Ends the document explicitly. libyaml reads a NUL behind the end of its input; `libyaml-safer` 0.3.0 has
/// none there and panics.
const END: &str = "\n...\n";

/// The parsed document and the findings of the parser.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// None if the file cannot be checked; `findings` says why. Without records if the file is empty.
    pub(super) tree: Option<Tree>,
    pub(super) findings: Vec<Finding>,
}

/// A list or mapping whose end was not read yet.
struct Open {
    index: usize,
    /// The key whose value comes next.
    key: Option<usize>,
}

/// Builds the tree from the events of the parser.
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
    let offset = text.strip_prefix('\u{FEFF}').map_or(0, |rest| {
        if mark_indents(rest) {
            let help = "save the file as UTF-8 without a byte-order mark";
            let span = Span { start: 0, end: 3 };
            let message = "the file starts with a byte-order mark, which indents its first line";
            builder.report(Rule::ByteOrderMark, span, message, Some(help));
        }
        text.len() - rest.len()
    });
    // The parser makes an empty document of blank lines and comments, but not with `END` behind them.
    let is_blank = |line: &str| {
        let line = line.trim_start_matches([' ', '\r', '\u{FEFF}']);
        line.is_empty() || line.starts_with('#')
    };
    if text.split('\n').all(is_blank) {
        return builder.finish(true);
    }
    if let Some(at) = tag_before_comma(text) {
        let span = builder.span(at, at + 1);
        let message = "the file is not checked: a tag stands before a comma here";
        builder.report(Rule::NotChecked, span, message, Some("remove it"));
        return builder.finish(false);
    }
    let input = [text.get(offset..).unwrap_or_default(), END].concat();
    let mut input = input.as_bytes();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input(&mut input);
    let complete = loop {
        match parser.parse() {
            Ok(event) => match builder.handle(event, offset) {
                Step::Continue => {}
                Step::Done => break true,
                Step::LimitReached => break false,
            },
            Err(error) => {
                let finding = syntax_error(text, offset, &error);
                builder.findings.push(finding);
                break false;
            }
        }
    };
    if complete {
        // A second document is reported, but not checked.
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
            let message =
                "a second document starts here: agent 1.x ignores it, agent 2.x refuses the file";
            builder.report(Rule::SecondDocument, span, message, Some("remove it"));
        }
    }
    builder.finish(complete)
}

/// Whether a byte-order mark before `rest` does harm: libyaml skips it, but counts it as a column. That
/// does not matter to a comment, a blank line, or a mapping in braces.
fn mark_indents(rest: &str) -> bool {
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.trim_start_matches(' ');
    !line.is_empty() && !line.starts_with(['#', '{'])
}

/// What follows an event.
enum Step {
    Continue,
    Done,
    LimitReached,
}

fn to_offset(mark: u64, offset: usize) -> usize {
    usize::try_from(mark)
        .unwrap_or(usize::MAX)
        .saturating_add(offset)
}

impl Builder<'_> {
    fn finish(self, can_be_checked: bool) -> Parsed {
        Parsed {
            tree: can_be_checked.then_some(self.tree),
            findings: self.findings,
        }
    }

    fn report(&mut self, rule: Rule, span: Span, message: impl Into<String>, help: Option<&str>) {
        self.findings.push(Finding::new(rule, span, message, help));
    }

    /// See [`span`].
    fn span(&self, start: usize, end: usize) -> Span {
        span(self.text, start, end)
    }

    fn handle(&mut self, event: Event, offset: usize) -> Step {
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
                    // A block scalar at the end of the text includes the line feed of `END`.
                    value.pop();
                }
                if plain && tag.is_none() && resolve(&value) == Value::Date {
                    let message = format!(
                        "{value} is a date to agent 1.x, which refuses dates on Ruby 3.1 and later"
                    );
                    self.report(Rule::Date, span, message, Some("put it in quotes"));
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
                    let message =
                        format!("*{anchor} is an alias to YAML, and no anchor has that name");
                    let help = "put it in quotes if it is meant as text";
                    self.report(Rule::UnknownAlias, span, message, Some(help));
                } else if !self.has_alias {
                    self.has_alias = true;
                    let message = format!(
                        "*{anchor} is an alias, which agent 1.x refuses on Ruby 3.1 and later"
                    );
                    let help = "write out what it stands for";
                    self.report(Rule::Alias, span, message, Some(help));
                }
                return self.add(span, None, None, Kind::Alias(target), false);
            }
            EventData::DocumentEnd { .. } | EventData::StreamEnd => return Step::Done,
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
        }
        Step::Continue
    }

    /// Adds a node to the tree, below the innermost open list or mapping.
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
            let why = if opens && self.open.len() >= MAX_DEPTH {
                format!("lists and mappings are more than {MAX_DEPTH} deep here")
            } else {
                format!("it has more than {MAX_NODES} values")
            };
            let message = format!("the file is not checked: {why}");
            self.report(Rule::NotChecked, span, message, None);
            return Step::LimitReached;
        }
        if let Some(tag) = tag.as_deref().filter(|tag| !is_text(tag)) {
            let message = format!("the agents do not agree on the tag {tag}");
            self.report(Rule::Tag, span, message, Some("remove it"));
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
        Step::Continue
    }
}

/// The place of a tag right before a comma, at which `libyaml-safer` 0.3.0 panics. Quoted text and comments
/// are not recognized, since AppSpec files have no tags.
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

/// A range within `text`, rounded to whole characters, without white space at its end.
fn span(text: &str, start: usize, end: usize) -> Span {
    let start = text.floor_char_boundary(start.min(text.len()));
    let end = text.ceil_char_boundary(end.clamp(start, text.len()));
    let end = start + text[start..end].trim_end().len();
    Span { start, end }
}

/// The finding for an error of the parser.
fn syntax_error(text: &str, offset: usize, error: &Error) -> Finding {
    let mark = error.problem_mark();
    let start = match (mark, error.kind()) {
        (Some(mark), _) => to_offset(mark.index, offset),
        // An error of the reader has no place.
        (None, ErrorKind::Reader) => forbidden(text).unwrap_or(0),
        (None, _) => 0,
    };
    let next = text.get(start..).and_then(|rest| rest.chars().next());
    let len = next.map_or(0, char::len_utf8);
    let span = match next {
        Some(_) => Span {
            start,
            end: start + len,
        },
        None => self::span(text, start, start),
    };
    if next == Some('\t') {
        let message = "a tab indents this line, which YAML does not allow";
        return Finding::new(Rule::Tab, span, message, Some("indent with spaces"));
    }
    let mut message = error.problem().to_owned();
    if let Some(context) = error.context() {
        message.push(' ');
        message.push_str(context);
    }
    let help = match next {
        Some('@' | '`' | '%') => Some("put the value in quotes"),
        _ if message.starts_with("found unknown escape character") => {
            Some("in double quotes, a backslash begins an escape; write the value in single quotes")
        }
        _ if message.starts_with("mapping values are not allowed") => {
            Some("put the value in quotes, or check how the line is indented")
        }
        _ => None,
    };
    Finding::new(Rule::Syntax, span, message, help)
}

/// The first character that YAML does not allow.
fn forbidden(text: &str) -> Option<usize> {
    let is_allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}')
            || c > '\u{FFFF}'
    };
    text.char_indices()
        .find(|(_, c)| !is_allowed(*c))
        .map(|(at, _)| at)
}
