//! Options that take a structure, as the AWS CLI takes them: in shorthand (`enabled=true,events=[X]`), as JSON,
//! or in a file (`file://PATH`).

use hoist::error::shown;

use super::paramfile;
use super::shorthand::{self, Pairs, Value};
use crate::cli::Failure;

/// A structure, or a part of one. Its members are taken out one by one, and none may remain.
#[derive(Debug)]
pub(crate) struct Structure {
    /// What messages name: the option, and the member within.
    name: String,
    pairs: Pairs,
    known: Vec<&'static str>,
}

impl Structure {
    /// Reads the value of `option`.
    pub(crate) fn read(option: &str, text: &str) -> Result<Self, Failure> {
        let mut text = text.to_owned();
        paramfile::read(option, &mut text)?;
        match parse(option, &text)? {
            Value::Map(pairs) => Ok(Self {
                name: option.to_owned(),
                pairs,
                known: Vec::new(),
            }),
            _ => Err(failed(option, "it is an object in JSON")),
        }
    }

    fn of(name: String, value: Value) -> Result<Self, Failure> {
        match value {
            Value::Map(pairs) => Ok(Self {
                name,
                pairs,
                known: Vec::new(),
            }),
            _ => Err(Failure::usage(format!(
                "{name} takes a structure, such as {{a=b}}"
            ))),
        }
    }

    fn take(&mut self, name: &'static str) -> Result<Option<Value>, Failure> {
        self.known.push(name);
        let Some(at) = self.pairs.iter().position(|(key, _)| key == name) else {
            return Ok(None);
        };
        let (_, value) = self.pairs.remove(at);
        match self.pairs.iter().any(|(key, _)| key == name) {
            true => Err(Failure::usage(format!(
                "{}: {name} is there twice",
                self.name
            ))),
            false => Ok(Some(value)),
        }
    }

    fn name_of(&self, member: &str) -> String {
        format!("{}: {member}", self.name)
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Failure> {
        let value = self.take(name)?;
        value
            .map(|value| text(&self.name_of(name), value))
            .transpose()
    }

    /// A text that is one of `names`.
    pub(crate) fn one_of(
        &mut self,
        name: &'static str,
        names: &[&str],
    ) -> Result<Option<String>, Failure> {
        let value = self.text(name)?;
        value
            .map(|value| known(&self.name_of(name), value, names))
            .transpose()
    }

    /// True or false.
    pub(crate) fn switch(&mut self, name: &'static str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.take(name)? else {
            return Ok(None);
        };
        let (Value::Text(text) | Value::Other(text)) = &value else {
            return Err(Failure::usage(format!(
                "{} is true or false",
                self.name_of(name)
            )));
        };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Failure::usage(format!(
                "{} is true or false",
                self.name_of(name)
            ))),
        }
    }

    /// Texts. One alone needs no brackets.
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Failure> {
        let list = self.take(name)?.map(list).unwrap_or_default();
        let of = self.name_of(name);
        list.into_iter().map(|value| text(&of, value)).collect()
    }

    /// Texts that are some of `names`.
    pub(crate) fn some_of(
        &mut self,
        name: &'static str,
        names: &[&str],
    ) -> Result<Vec<String>, Failure> {
        let of = self.name_of(name);
        let texts = self.texts(name)?.into_iter();
        texts.map(|value| known(&of, value, names)).collect()
    }

    /// Structures. One alone needs no brackets.
    pub(crate) fn structures(&mut self, name: &'static str) -> Result<Vec<Self>, Failure> {
        let list = self.take(name)?.map(list).unwrap_or_default();
        let of = self.name_of(name);
        list.into_iter()
            .map(|value| Self::of(of.clone(), value))
            .collect()
    }

    /// Lists of structures.
    pub(crate) fn lists_of_structures(
        &mut self,
        name: &'static str,
    ) -> Result<Vec<Vec<Self>>, Failure> {
        let lists = self.take(name)?.map(list).unwrap_or_default();
        let of = self.name_of(name);
        let lists = lists.into_iter().map(|value| {
            let list = list(value).into_iter();
            list.map(|value| Self::of(of.clone(), value)).collect()
        });
        lists.collect()
    }

    /// Another structure.
    pub(crate) fn structure(&mut self, name: &'static str) -> Result<Option<Self>, Failure> {
        let value = self.take(name)?;
        value
            .map(|value| Self::of(self.name_of(name), value))
            .transpose()
    }

    /// Fails if there are members that were not taken.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let unknown: Vec<String> = self
            .pairs
            .iter()
            .map(|(key, _)| shown(key).to_string())
            .collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(Failure::usage(format!(
                "{}: unknown: {}; it has {}",
                self.name,
                unknown.join(", "),
                self.known.join(", ")
            ))),
        }
    }
}

/// A value of `option` in shorthand or, if it begins like that, in JSON.
pub(super) fn parse(option: &str, text: &str) -> Result<Value, Failure> {
    if text.trim_start().starts_with(['[', '{']) {
        return serde_json::from_str(text).map_err(|error| {
            let problem = format!("Invalid JSON: {}", shown(&error.to_string()));
            failed(option, &problem)
        });
    }
    let from_file = |path: &std::path::Path| {
        let mut value = format!("file://{}", path.display());
        let content = paramfile::read(option, &mut value);
        content.map_err(|failure| failure.lines.join("; "))?;
        Ok(value)
    };
    let pairs = shorthand::parse(text, &from_file)
        .map_err(|error| failed(option, &format!("{error} in {}", shown(text.trim_end()))))?;
    Ok(Value::Map(pairs))
}

pub(super) fn failed(option: &str, problem: &str) -> Failure {
    Failure::usage(format!("Error parsing parameter '{option}': {problem}"))
}

/// The elements of a list, or the value alone.
pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::List(list) => list,
        one => vec![one],
    }
}

fn text(name: &str, value: Value) -> Result<String, Failure> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Failure::usage(format!("{name} takes a text"))),
    }
}

fn known(name: &str, value: String, names: &[&str]) -> Result<String, Failure> {
    match names.contains(&value.as_str()) {
        true => Ok(value),
        false => Err(Failure::usage(format!(
            "{name} takes {}, not {}",
            names.join(", "),
            shown(&value)
        ))),
    }
}
