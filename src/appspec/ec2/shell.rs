//! Tells what a shell makes of a path without quotes: both agents, and agent 1.x more often, put paths
//! into a command line as they are.

/// The first character that keeps a shell from taking `path` for one word that means itself.
///
/// Wildcards are not among them: a shell replaces `a*.sh` with the file of that name.
pub(super) fn special(path: &str) -> Option<char> {
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek();
        let is_special = match c {
            ' ' | '\t' | '\n' | '\'' | '"' | ';' | '&' | '|' | '(' | ')' | '<' | '>' | '`'
            | '\\' => true,
            '$' => next.is_some_and(|&c| c.is_ascii_alphanumeric() || "_{('\"*@#?$!-".contains(c)),
            _ => false,
        };
        if is_special {
            return Some(c);
        }
    }
    None
}

/// A character as a message names it.
pub(super) fn name(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' => "a line end".to_owned(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_characters_of_the_shell_is_not_one_word() {
        for (path, c) in [
            ("my script.sh", ' '),
            ("a;b", ';'),
            ("it's", '\''),
            ("$HOME/a", '$'),
            ("a(1).sh", '('),
            ("a>b", '>'),
            ("a\\b", '\\'),
        ] {
            assert_eq!(special(path), Some(c), "{path}");
        }
        for path in [
            "scripts/run.sh",
            "a*.sh",
            "a$.sh",
            "a~b#c=d%e{f}[g]!",
            "é",
            "a$",
        ] {
            assert_eq!(special(path), None, "{path}");
        }
    }
}
