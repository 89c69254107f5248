//! What all checks share: where findings go, how a map is read, which name somebody meant.
//!
//! A file of one mebibyte can ask for work without end through aliases, and have a million mistakes. So
//! steps and findings are counted, and both end.

use super::bundle::Bundle;
use super::report::{Finding, Rule, Span};
use super::scalar::Value;
use super::tree::{Node, Shape};

/// Findings that are kept.
const MAX_FINDINGS: usize = 1000;

/// Values that are looked at, one more often than once.
const MAX_STEPS: usize = 1_000_000;

/// A check while it runs.
pub(super) struct Check<'b> {
    /// What the AppSpec speaks of, if that is known.
    pub(super) bundle: Option<&'b dyn Bundle>,
    pub(super) findings: Vec<Finding>,
    steps: usize,
}

/// A map: its keys in the order in which they count, the last one first.
pub(super) struct Map<'a> {
    pairs: Vec<(Node<'a>, Node<'a>)>,
    /// Where to point if something is not there.
    pub(super) head: Span,
}

impl<'a> Map<'a> {
    /// The value of a key; of two, the last, as the agents have it.
    pub(super) fn get(&self, name: &str) -> Option<Node<'a>> {
        self.find(|key| key == name).map(|(_, value)| value)
    }

    /// The same, in any case.
    pub(super) fn get_in_any_case(&self, name: &str) -> Option<Node<'a>> {
        self.find(|key| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Where a key is written.
    pub(super) fn key(&self, name: &str) -> Option<Span> {
        self.find(|key| key == name).map(|(key, _)| key.span())
    }

    fn find(&self, is: impl Fn(&str) -> bool) -> Option<(Node<'a>, Node<'a>)> {
        let mut pairs = self.pairs.iter().rev();
        let found =
            pairs.find(|(key, _)| matches!(key.value(), Some(Value::Text(text)) if is(text)));
        found.copied()
    }

    /// Keys and values that count.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> {
        self.pairs.iter().copied()
    }
}

/// The keys that a map may have.
pub(super) enum Keys<'k> {
    /// These, spelled so.
    Exactly(&'k [&'k str]),
    /// These, in any case.
    InAnyCase(&'k [&'k str]),
    /// Whatever the file's author wants.
    Any,
}

impl<'b> Check<'b> {
    pub(super) fn new(bundle: Option<&'b dyn Bundle>) -> Self {
        Self {
            bundle,
            findings: Vec::new(),
            steps: 0,
        }
    }

    pub(super) fn find(&mut self, rule: Rule, span: Span, message: impl Into<String>) {
        self.push(rule, span, message.into(), None);
    }

    pub(super) fn find_with(
        &mut self,
        rule: Rule,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(rule, span, message.into(), Some(help.into()));
    }

    fn push(&mut self, rule: Rule, span: Span, message: String, help: Option<String>) {
        let (rule, message, help) = match self.findings.len() {
            MAX_FINDINGS.. => return,
            len if len + 1 == MAX_FINDINGS => {
                let text = "there is more to find from here on".to_owned();
                (Rule::NotChecked, text, None)
            }
            _ => (rule, message, help),
        };
        self.findings.push(Finding {
            rule,
            span,
            message,
            help,
        });
    }

    /// Whether to go on: counts a step.
    pub(super) fn step(&mut self, span: Span) -> bool {
        self.steps += 1;
        if self.steps == MAX_STEPS {
            self.find(Rule::NotChecked, span, "nothing is looked at from here on");
        }
        self.steps < MAX_STEPS
    }

    /// Reads a map, and says what is wrong with its keys. None if the node is none.
    pub(super) fn map<'a>(&mut self, node: Node<'a>, keys: &Keys<'_>) -> Option<Map<'a>> {
        let written = node.pairs()?;
        let mut pairs = Vec::with_capacity(written.len());
        for (key, value) in written {
            if !self.step(key.span()) {
                return None;
            }
            if key.value() != Some(Value::Text("<<")) {
                pairs.push((key, value));
                continue;
            }
            let help = "write out what it merges";
            let message = "agent 2.x does not know merge keys: it sees a key called <<";
            self.find_with(Rule::MergeKey, key.span(), message, help);
            // As Psych merges: of a list, the first counts most.
            let lists = value.items().into_iter().flatten();
            let mut merged: Vec<Node<'_>> = lists.collect();
            merged.reverse();
            merged.push(value);
            for map in merged {
                for pair in map.pairs().into_iter().flatten() {
                    if !self.step(key.span()) {
                        return None;
                    }
                    pairs.push(pair);
                }
            }
        }
        let head = pairs.first().map_or(node.span(), |(key, _)| key.span());
        self.twice(node);
        self.unknown(&pairs, keys);
        Some(Map { pairs, head })
    }

    /// What is merged may be there twice.
    fn twice(&mut self, map: Node<'_>) {
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
                self.find_with(
                    Rule::DuplicateKey,
                    span,
                    format!("{} is there twice, and only the last one counts", quote(name)),
                    "keep one of them; agent 2.x refuses a file that has a key other than an event's \
                     twice",
                );
            }
        }
    }

    fn unknown(&mut self, pairs: &[(Node<'_>, Node<'_>)], keys: &Keys<'_>) {
        let (known, in_any_case): (&[&str], bool) = match keys {
            Keys::Exactly(known) => (known, false),
            Keys::InAnyCase(known) => (known, true),
            Keys::Any => return,
        };
        for (key, _) in pairs {
            let name = match key.value() {
                Some(Value::Text(name)) => name,
                _ => key.text().unwrap_or_default(),
            };
            let is_known = known
                .iter()
                .any(|&known| known == name || in_any_case && known.eq_ignore_ascii_case(name));
            if is_known {
                continue;
            }
            let message = format!("{} means nothing here", quote(name));
            match nearest(name, known) {
                Some(meant) => {
                    self.find_with(
                        Rule::UnknownKey,
                        key.span(),
                        message,
                        format!("did you mean {meant}?"),
                    );
                }
                None => self.find_with(
                    Rule::UnknownKey,
                    key.span(),
                    message,
                    format!("the keys here are {}", known.join(", ")),
                ),
            }
        }
    }

    /// The list at `key`, as agent 1.x goes over it: nothing at all is an empty one.
    pub(super) fn list<'a>(&mut self, map: &Map<'a>, key: &str) -> Vec<Node<'a>> {
        match map.get(key) {
            Some(value) => self.items(value, key),
            None => Vec::new(),
        }
    }

    /// The same of the value of a key.
    pub(super) fn items<'a>(&mut self, value: Node<'a>, key: &str) -> Vec<Node<'a>> {
        if let Some(items) = value.items() {
            return items.collect();
        }
        let is_empty = value.pairs().is_some_and(|pairs| pairs.len() == 0);
        if is_empty || value.is_false() {
            self.find_with(
                Rule::EmptyValue,
                value.span(),
                format!(
                    "{key} is no list: agent 1.x takes it for an empty one, agent 2.x refuses that"
                ),
                format!("remove {key}, or write [] behind it"),
            );
        } else if value.value() != Some(Value::Unknown) {
            self.wrong(value, key, Shape::List);
        }
        Vec::new()
    }

    /// A value is of the wrong kind.
    pub(super) fn wrong(&mut self, node: Node<'_>, what: &str, expected: Shape) {
        if node.shape() == Shape::Nothing {
            return;
        }
        let is = node.shape().name();
        let expected = expected.name();
        // Of a list or map, its first line says enough.
        self.find(
            Rule::WrongType,
            node.span(),
            format!("{what} must be {expected}, and this is {is}"),
        );
    }
}

/// A word of the file in a message: on one line, and not for ever.
pub(super) fn quote(text: &str) -> String {
    const MOST: usize = 80;
    let mut quoted = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == MOST {
            quoted.push('…');
            break;
        }
        // Also what only changes how the rest is shown.
        if c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
        {
            quoted.extend(c.escape_unicode());
        } else {
            quoted.push(c);
        }
    }
    quoted.push('`');
    quoted
}

/// Which of the candidates `word` may stand for, if one is near.
pub(super) fn nearest<'k>(word: &str, candidates: &[&'k str]) -> Option<&'k str> {
    // Nobody means a long word by another, and distance takes time.
    if word.len() > 40 {
        return None;
    }
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let plain_word = plain(word);
    let best = candidates
        .iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&plain_word, &plain(candidate));
            (distance, *candidate)
        })
        .min_by_key(|(distance, _)| *distance);
    best.filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 6)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        let events = [
            "BeforeInstall",
            "AfterInstall",
            "ApplicationStart",
            "ApplicationStop",
        ];
        for (slip, meant) in [
            ("Before Install", "BeforeInstall"),
            ("beforeinstall", "BeforeInstall"),
            ("AftreInstall", "AfterInstall"),
            ("Application_Stop", "ApplicationStop"),
        ] {
            assert_eq!(nearest(slip, &events), Some(meant), "{slip}");
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
    fn what_a_file_says_cannot_break_a_message() {
        assert_eq!(quote("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\u{a}b`");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 83);
    }
}
