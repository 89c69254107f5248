//! An AppSpec file as a tree of nodes that know their place in the text.
//!
//! The nodes are in one vector, and an alias is the index of its target. Nothing is copied, so a file
//! whose aliases refer to aliases needs no more memory than its text. The checks descend a fixed number
//! of levels, so a node that contains itself does no harm.

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
    /// The index of the target. None if the anchor does not exist.
    Alias(Option<usize>),
}

/// A node, or the target of an alias.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    tree: &'a Tree,
    /// Where the node, or the alias, is written.
    span: Span,
    record: &'a Record,
}

/// What a node is, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    List,
    Map,
    Nothing,
}

impl Tree {
    /// The outermost node of the document.
    pub(super) fn root(&self) -> Option<Node<'_>> {
        (!self.records.is_empty()).then(|| self.node(0))
    }

    fn node(&self, index: usize) -> Node<'_> {
        let written = &self.records[index];
        let record = match written.kind {
            // The target of an alias is never another alias.
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

    /// The value of a scalar to agent 1.x. None for a list or mapping.
    pub(super) fn value(self) -> Option<Value<'a>> {
        let (text, plain) = match &self.record.kind {
            Kind::Scalar { text, plain } => (text, plain),
            // An alias without a target is reported once, by the parser.
            Kind::Alias(_) => return Some(Value::Unknown),
            Kind::List(_) | Kind::Map(_) => return None,
        };
        Some(match self.record.tag.as_deref() {
            None if *plain => resolve(text),
            None | Some("!" | "!str" | "tag:yaml.org,2002:str") => Value::Text(text),
            Some(_) => Value::Unknown,
        })
    }

    /// The text of a scalar without quotes and tag. None for any other node.
    pub(super) fn plain(self) -> Option<&'a str> {
        match &self.record.kind {
            Kind::Scalar { text, plain: true } if self.record.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is written where the value belongs, as in `files:`.
    pub(super) fn is_bare(self) -> bool {
        self.plain() == Some("")
    }

    /// Whether the node is a list that agent 1.x reads as a mapping.
    pub(super) fn is_ordered_map(self) -> bool {
        let tag = self.record.tag.as_deref();
        self.shape() == Shape::List && matches!(tag, Some("!omap" | "tag:yaml.org,2002:omap"))
    }

    /// The text of a scalar.
    pub(super) fn text(self) -> Option<&'a str> {
        match &self.record.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar; for other nodes the name of their shape. For messages.
    pub(super) fn text_or_shape(self) -> &'a str {
        self.text().unwrap_or(self.shape().name())
    }

    /// Whether agent 1.x takes the value for missing.
    pub(super) fn is_false(self) -> bool {
        self.value().is_some_and(Value::is_false)
    }

    /// The items of a list.
    pub(super) fn items(self) -> Option<impl ExactSizeIterator<Item = Node<'a>>> {
        match &self.record.kind {
            Kind::List(items) => Some(items.iter().map(move |&item| self.tree.node(item))),
            _ => None,
        }
    }

    /// The pairs of a mapping.
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

impl From<Node<'_>> for Span {
    fn from(node: Node<'_>) -> Self {
        node.span
    }
}

impl Shape {
    /// The name with its article.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Scalar => "a single value",
            Self::List => "a list",
            Self::Map => "a mapping of keys",
            Self::Nothing => "nothing",
        }
    }
}
