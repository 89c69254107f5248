//! An AppSpec file as a tree of nodes that know where they stand.
//!
//! The nodes lie in one vector, and an alias is the number of the node that it stands for: nothing is
//! copied, so a file of aliases of aliases is no larger than what it says. Whoever looks at the tree
//! goes down a fixed number of steps, so a node that holds itself is no trap.

use super::report::Span;
use super::scalar::{Value, resolve};

/// All nodes of a document.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) records: Vec<Record>,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) span: Span,
    pub(super) tag: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<usize>),
    /// Keys and values.
    Map(Vec<(usize, usize)>),
    /// What it stands for. None if that is nothing.
    Alias(Option<usize>),
}

/// One node, or the one that an alias stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    tree: &'a Tree,
    /// Where it is written.
    span: Span,
    record: &'a Record,
}

/// What a node is, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    List,
    Map,
    Nothing,
}

impl Tree {
    /// The document's only node that is in no other.
    pub(super) fn root(&self) -> Option<Node<'_>> {
        (!self.records.is_empty()).then(|| self.node(0))
    }

    fn node(&self, index: usize) -> Node<'_> {
        let written = &self.records[index];
        let record = match written.kind {
            // An alias stands for a node, never for another alias.
            Kind::Alias(Some(target)) => &self.records[target],
            _ => written,
        };
        Node {
            tree: self,
            span: written.span,
            record,
        }
    }
}

impl<'a> Node<'a> {
    pub(super) fn span(self) -> Span {
        self.span
    }

    pub(super) fn shape(self) -> Shape {
        match self.record.kind {
            Kind::Scalar { .. } => Shape::Scalar,
            Kind::List(_) => Shape::List,
            Kind::Map(_) => Shape::Map,
            Kind::Alias(_) => Shape::Nothing,
        }
    }

    /// What agent 1.x makes of a scalar. None if it is none.
    pub(super) fn value(self) -> Option<Value<'a>> {
        let (text, plain) = match &self.record.kind {
            Kind::Scalar { text, plain } => (text, plain),
            // Of what an alias that stands for nothing might be, nothing is said.
            Kind::Alias(_) => return Some(Value::Unknown),
            Kind::List(_) | Kind::Map(_) => return None,
        };
        Some(match self.record.tag.as_deref() {
            None if *plain => resolve(text),
            None | Some("!" | "!str" | "tag:yaml.org,2002:str") => Value::Text(text),
            Some(_) => Value::Unknown,
        })
    }

    /// The text of a scalar that stands there without quotes. None if it is none, or tagged.
    pub(super) fn plain(self) -> Option<&'a str> {
        match &self.record.kind {
            Kind::Scalar { text, plain: true } if self.record.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar, whatever it is.
    pub(super) fn text(self) -> Option<&'a str> {
        match &self.record.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether agent 1.x takes it for nothing at all.
    pub(super) fn is_false(self) -> bool {
        self.value().is_some_and(Value::is_false)
    }

    /// What is in a list.
    pub(super) fn items(self) -> Option<impl ExactSizeIterator<Item = Node<'a>>> {
        match &self.record.kind {
            Kind::List(items) => Some(items.iter().map(move |&item| self.tree.node(item))),
            _ => None,
        }
    }

    /// What is in a map.
    pub(super) fn pairs(self) -> Option<impl ExactSizeIterator<Item = (Node<'a>, Node<'a>)>> {
        match &self.record.kind {
            Kind::Map(pairs) => Some(
                pairs
                    .iter()
                    .map(move |&(key, value)| (self.tree.node(key), self.tree.node(value))),
            ),
            _ => None,
        }
    }
}

impl Shape {
    /// With its article.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Scalar => "a single value",
            Self::List => "a list",
            Self::Map => "a mapping of keys",
            Self::Nothing => "nothing",
        }
    }
}
