//! Workflow commands of GitHub Actions, which become annotations: `::warning file=a.yml,line=3::text`.
//!
//! The runner takes any line of a step's output for a command if it begins with `::`, on both streams.
//! So whatever comes from outside is escaped here, as actions/toolkit does (`escapeData`,
//! `escapeProperty`), and a message takes one line.

use std::env;

/// Whether this process runs in a step of a workflow ("Default environment variables", GitHub Actions).
pub(crate) fn is_running() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A command with its line end. `level` is `error`, `warning` or `notice`.
pub(crate) fn annotation(level: &str, properties: &[(&str, &str)], message: &str) -> String {
    let mut text = format!("::{level}");
    for (index, (name, value)) in properties.iter().enumerate() {
        text.push(if index == 0 { ' ' } else { ',' });
        text.push_str(name);
        text.push('=');
        text.push_str(&property(value));
    }
    text.push_str("::");
    text.push_str(&data(message));
    text.push('\n');
    text
}

/// Escapes the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_its_command() {
        let properties = [("file", "a,b:c/appspec.yml"), ("line", "2")];
        assert_eq!(
            annotation("error", &properties, "100%\r\n::error::x"),
            "::error file=a%2Cb%3Ac/appspec.yml,line=2::100%25%0D%0A::error::x\n"
        );
        assert_eq!(annotation("warning", &[], "a, b"), "::warning::a, b\n");
    }
}
