//! What all checks share: they report findings, read mappings, and guess which name was meant.
//!
//! Aliases let a file of one mebibyte ask for endless work, and such a file can have a million mistakes.
//! So steps and findings are counted, and both are limited.

use super::bundle::Bundle;
use super::report::{Finding, Rule, Span};
use super::scalar::Value;
use super::tree::{Node, Shape};

/// The most findings that are kept.
const MAX_FINDINGS: usize = 1000;

/// The most values that are checked; a value that is checked twice counts twice.
const MAX_STEPS: usize = 1_000_000;

/// The state of a check while it runs.
pub(super) struct Check<'b> {
    /// The files of the bundle, if they are known.
    pub(super) bundle: Option<&'b dyn Bundle>,
    /// The type of the archive, as `zip`, if it is known.
    pub(super) bundle_type: Option<&'static str>,
    pub(super) findings: Vec<Finding>,
    steps: usize,
}

/// A mapping: its pairs as they are written, of which the last with a key counts.
pub(super) struct Map<'a> {
    pairs: Vec<(Node<'a>, Node<'a>)>,
    ignores_case: bool,
    /// Where a finding about a missing key points.
    pub(super) head: Span,
}

impl<'a> Map<'a> {
    /// The value of a key. If the key is there twice, the last value counts, as the agents read it.
    pub(super) fn get(&self, name: &str) -> Option<Node<'a>> {
        self.find(name).map(|(_, value)| value)
    }

    /// Where a key is written.
    pub(super) fn key(&self, name: &str) -> Option<Span> {
        self.find(name).map(|(key, _)| key.span())
    }

    fn find(&self, name: &str) -> Option<(Node<'a>, Node<'a>)> {
        let is_name =
            |key: &str| key == name || self.ignores_case && key.eq_ignore_ascii_case(name);
        let mut pairs = self.pairs.iter().rev();
        let found =
            pairs.find(|(key, _)| matches!(key.value(), Some(Value::Text(text)) if is_name(text)));
        found.copied()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> {
        self.pairs.iter().copied()
    }
}

/// The keys that a mapping may have.
pub(super) enum Keys<'k> {
    /// Only these, in this spelling.
    Exactly(&'k [&'k str]),
    /// Only these, in upper or lower case.
    InAnyCase(&'k [&'k str]),
    /// Only these, and others that programs beside the agents read.
    Also(&'k [&'k str], &'k [&'k str]),
    /// Any key: the author of the file chooses them.
    Any,
}

impl<'b> Check<'b> {
    pub(super) fn new(bundle: Option<&'b dyn Bundle>) -> Self {
        Self {
            bundle,
            bundle_type: None,
            findings: Vec::new(),
            steps: 0,
        }
    }

    pub(super) fn report(&mut self, rule: Rule, at: impl Into<Span>, message: impl Into<String>) {
        self.push(Finding::new(rule, at.into(), message, None));
    }

    pub(super) fn report_with_help(
        &mut self,
        rule: Rule,
        at: impl Into<Span>,
        message: impl Into<String>,
        help: impl AsRef<str>,
    ) {
        self.push(Finding::new(rule, at.into(), message, Some(help.as_ref())));
    }

    fn push(&mut self, finding: Finding) {
        match self.findings.len() {
            MAX_FINDINGS.. => {}
            len if len + 1 == MAX_FINDINGS => {
                let message = "the file has more findings from here on, which are not shown";
                let last = Finding::new(Rule::NotChecked, finding.span, message, None);
                self.findings.push(last);
            }
            _ => self.findings.push(finding),
        }
    }

    /// Counts a step. Returns whether the check may go on.
    pub(super) fn count_step(&mut self, span: Span) -> bool {
        self.steps += 1;
        if self.steps == MAX_STEPS {
            let message = "the file is not checked from here on: it is too long";
            self.report(Rule::NotChecked, span, message);
        }
        self.steps < MAX_STEPS
    }

    /// Reads a mapping and reports what is wrong with its keys. Returns None if the node is not a
    /// mapping.
    pub(super) fn map<'a>(&mut self, node: Node<'a>, keys: &Keys<'_>) -> Option<Map<'a>> {
        let written = node.pairs()?;
        let mut pairs = Vec::with_capacity(written.len());
        for (key, value) in written {
            if !self.count_step(key.span()) {
                return None;
            }
            if key.value() != Some(Value::Text("<<")) {
                pairs.push((key, value));
                continue;
            }
            let help = "write out what it merges";
            let message = "agent 2.x does not know merge keys: it sees a key called <<";
            self.report_with_help(Rule::MergeKey, key, message, help);
            // Psych lets the first mapping of a list win, and in `pairs` the last one wins.
            let mut merged: Vec<Node<'_>> = value.items().into_iter().flatten().collect();
            merged.reverse();
            merged.push(value);
            for map in merged {
                for pair in map.pairs().into_iter().flatten() {
                    if !self.count_step(key.span()) {
                        return None;
                    }
                    pairs.push(pair);
                }
            }
        }
        let head = pairs.first().map_or(node.span(), |(key, _)| key.span());
        self.report_duplicate_keys(node);
        self.report_unknown_keys(&pairs, keys);
        let ignores_case = matches!(keys, Keys::InAnyCase(_));
        Some(Map {
            pairs,
            ignores_case,
            head,
        })
    }

    /// Looks only at the keys that are written in the mapping: a merged key may repeat one of them.
    fn report_duplicate_keys(&mut self, map: Node<'_>) {
        let mut seen: Vec<(&str, Span)> = map
            .pairs()
            .into_iter()
            .flatten()
            .filter_map(|(key, _)| Some((key.text()?, key.span())))
            .filter(|(name, _)| *name != "<<")
            .collect();
        seen.sort_unstable();
        for pair in seen.windows(2) {
            let ((name, _), (again, span)) = (pair[0], pair[1]);
            if name == again {
                let message = format!(
                    "{} is there twice, and only the last one counts",
                    quote(name)
                );
                let help = "keep one of them; agent 2.x refuses a file that has a key other than an event's \
                     twice";
                self.report_with_help(Rule::DuplicateKey, span, message, help);
            }
        }
    }

    fn report_unknown_keys(&mut self, pairs: &[(Node<'_>, Node<'_>)], keys: &Keys<'_>) {
        let (known, others, in_any_case): (&[&str], &[&str], bool) = match keys {
            Keys::Exactly(known) => (known, &[], false),
            Keys::InAnyCase(known) => (known, &[], true),
            Keys::Also(known, others) => (known, others, false),
            Keys::Any => return,
        };
        for (key, _) in pairs {
            let name = match key.value() {
                Some(Value::Text(name)) => name,
                _ => key.text().unwrap_or_default(),
            };
            let is_known = known
                .iter()
                .chain(others)
                .any(|&known| known == name || in_any_case && known.eq_ignore_ascii_case(name));
            if is_known {
                continue;
            }
            let message = format!("{} has no meaning here", quote(name));
            let help = match nearest(name, known) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("the keys here are {}", known.join(", ")),
            };
            self.report_with_help(Rule::UnknownKey, *key, message, help);
        }
    }

    /// Reads the mapping that `what` must be. Reports anything else.
    pub(super) fn required_map<'a>(
        &mut self,
        node: Node<'a>,
        what: &str,
        keys: &Keys<'_>,
    ) -> Option<Map<'a>> {
        let map = self.map(node, keys);
        if map.is_none() && node.shape() != Shape::Map {
            self.report_wrong_type(node, what, Shape::Map);
        }
        map
    }

    /// The items of the list at `key`; a missing list is an empty one.
    pub(super) fn list<'a>(&mut self, map: &Map<'a>, key: &str) -> Vec<Node<'a>> {
        match map.get(key) {
            Some(value) => self.items(value, key),
            None => Vec::new(),
        }
    }

    /// The items of a list, as agent 1.x iterates over it. `key` names the list.
    pub(super) fn items<'a>(&mut self, value: Node<'a>, key: &str) -> Vec<Node<'a>> {
        if let Some(items) = value.items() {
            return items.collect();
        }
        let is_empty = value.pairs().is_some_and(|pairs| pairs.len() == 0);
        if value.is_bare() {
            // Both agents take it for an empty list.
        } else if is_empty || value.is_false() {
            let message = format!(
                "{key} is not a list: agent 1.x takes it for an empty one, agent 2.x refuses it"
            );
            let help = format!("remove {key}, or write [] behind it");
            self.report_with_help(Rule::EmptyValue, value, message, help);
        } else if value.value() != Some(Value::Unknown) {
            self.report_wrong_type(value, key, Shape::List);
        }
        Vec::new()
    }

    /// The text that both agents read. Reports any other value, except one that is missing.
    pub(super) fn text<'a>(&mut self, node: Node<'a>, what: &str) -> Option<&'a str> {
        match node.value() {
            Some(Value::Text(text)) => return Some(text),
            // The parser reports dates, tags and aliases.
            Some(Value::Nil | Value::Date | Value::Unknown) => {}
            Some(_) => {
                let text = quote(node.text().unwrap_or_default());
                let message = format!(
                    "{what} must be text, and agent 1.x does not take {text} for text without quotes"
                );
                self.report_with_help(Rule::NotText, node, message, "put it in quotes");
            }
            None => self.report_wrong_type(node, what, Shape::Scalar),
        }
        None
    }

    /// Reports a value that must have another shape.
    pub(super) fn report_wrong_type(&mut self, node: Node<'_>, what: &str, expected: Shape) {
        if node.shape() != Shape::Nothing {
            let (expected, found) = (expected.name(), node.shape().name());
            let message = format!("{what} must be {expected}, and this is {found}");
            self.report(Rule::WrongType, node, message);
        }
    }
}

/// Words of the file as a message shows them: on one line, shortened, with control characters escaped.
pub(super) fn quote(text: &str) -> String {
    quote_part(text, 80)
}

/// As [`quote`], with at most so many characters of the text.
pub(super) fn quote_part(text: &str, max_chars: usize) -> String {
    match text {
        "" => "`\"\"`".to_owned(),
        text => format!("`{}`", in_one_line(text, max_chars)),
    }
}

/// A word of the file without quotes, for a command or a name with dots.
pub(super) fn plain(text: &str) -> String {
    in_one_line(text, 80)
}

fn in_one_line(text: &str, max_chars: usize) -> String {
    let mut quoted = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == max_chars {
            quoted.push('…');
            break;
        }
        // The ranges are of characters that change how the rest of the line is displayed.
        if c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
        {
            quoted.extend(c.escape_unicode());
        } else {
            quoted.push(c);
        }
    }
    quoted
}

/// The candidate that `word` probably stands for, if one is similar.
pub(super) fn nearest<'k>(word: &str, candidates: &[&'k str]) -> Option<&'k str> {
    // A long word is no misspelling of a key, and the distance would take long to compute.
    if word.len() > 40 {
        return None;
    }
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let plain_word = plain(word);
    let distances = candidates.iter().map(|candidate| {
        let distance = strsim::damerau_levenshtein(&plain_word, &plain(candidate));
        (distance, *candidate)
    });
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + candidate.len() / 6).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_matched_with_the_nearest() {
        let events = [
            "BeforeInstall",
            "AfterInstall",
            "ApplicationStart",
            "ApplicationStop",
        ];
        for (misspelled, meant) in [
            ("Before Install", "BeforeInstall"),
            ("beforeinstall", "BeforeInstall"),
            ("AftreInstall", "AfterInstall"),
            ("Application_Stop", "ApplicationStop"),
        ] {
            assert_eq!(nearest(misspelled, &events), Some(meant), "{misspelled}");
        }
        for other in ["", "CustomEvent", "Deploy", &"Install".repeat(10)] {
            assert_eq!(nearest(other, &events), None, "{other}");
        }
        assert_eq!(nearest("owerwrite", &["owner"]), None);
        assert_eq!(
            nearest("soruce", &["source", "destination"]),
            Some("source")
        );
    }

    #[test]
    fn quoted_words_stay_on_one_line_and_are_shortened() {
        assert_eq!(quote("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\u{a}b`");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 83);
        assert_eq!(quote(""), "`\"\"`");
    }
}
