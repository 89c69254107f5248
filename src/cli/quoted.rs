//! Errors of the parser of arguments, which repeat arguments as they are: here with control characters
//! escaped, because an argument may be a name from outside, and a line end in it would begin a line that
//! CI services take for a command.

use std::error::Error as _;
use std::io::{self, Write as _};

use clap::error::{ContextKind, ContextValue, Error};
use hoist::error::{is_unsafe, shown};

/// Prints an error, or the help that was asked for.
pub(super) fn print(mut error: Error) -> io::Result<()> {
    let unsafe_values: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| Some((kind, escaped(value)?)))
        .collect();
    for (kind, value) in unsafe_values {
        error.insert(kind, value);
    }
    // What a check of a value says is not in the context.
    let source = error.source().map(ToString::to_string);
    match source.filter(|text| text.contains(is_unsafe)) {
        Some(text) => {
            let text = error.to_string().replace(&text, &shown(&text).to_string());
            io::stderr().lock().write_all(text.as_bytes())
        }
        None => error.print(),
    }
}

/// The value with its texts escaped, if one of them needs that.
fn escaped(value: &ContextValue) -> Option<ContextValue> {
    let one = |text: &String| shown(text).to_string();
    match value {
        ContextValue::String(text) if text.contains(is_unsafe) => {
            Some(ContextValue::String(one(text)))
        }
        ContextValue::Strings(texts) if texts.iter().any(|text| text.contains(is_unsafe)) => {
            Some(ContextValue::Strings(texts.iter().map(one).collect()))
        }
        _ => None,
    }
}
