//! Finds the paths in Rust source: in `use` trees and everywhere else.

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Its paths of two names or more, without those in code for tests.
    pub(crate) paths: Vec<Found>,
    /// Modules in files of their own that are for tests.
    pub(crate) test_modules: Vec<String>,
}

/// A path.
#[derive(Debug)]
pub(crate) struct Found {
    /// The line of its last name, from 1.
    pub(crate) line: usize,
    /// Its names. A glob is `*`.
    pub(crate) path: Vec<String>,
    /// The modules around it in this file.
    pub(crate) inline: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    /// `::`
    Colons,
    Mark(char),
}

use Token::{Colons, Mark, Name};

pub(crate) fn scan(text: &str) -> Scanned {
    let (tokens, test_modules) = without_tests(&tokens(&code(text)));
    Scanned {
        paths: paths(&tokens),
        test_modules,
    }
}

/// `text` with spaces for comments and literals.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut index = 0;
    while index < chars.len() {
        let end = match (at(index), at(index + 1)) {
            ('/', '/') => (index..chars.len())
                .find(|&index| at(index) == '\n')
                .unwrap_or(chars.len()),
            ('/', '*') => block_comment_end(&chars, index),
            ('"', _) => string_end(&chars, index + 1),
            ('\'', '\\') => (index + 3..chars.len())
                .find(|&index| at(index) == '\'')
                .map_or(chars.len(), |index| index + 1),
            ('\'', _) if at(index + 2) == '\'' => index + 3,
            (first, _) if is_name(first) => {
                let rest = chars[index..].iter();
                let name: String = rest.take_while(|char| is_name(**char)).collect();
                let after = index + name.chars().count();
                match raw_string_end(&chars, after) {
                    Some(end) if ["r", "br", "cr"].contains(&name.as_str()) => end,
                    _ => {
                        out.push_str(&name);
                        index = after;
                        continue;
                    }
                }
            }
            (other, _) => {
                out.push(other);
                index += 1;
                continue;
            }
        };
        let blanked = chars[index..end].iter();
        out.extend(blanked.map(|char| if *char == '\n' { '\n' } else { ' ' }));
        index = end;
    }
    out
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut index) = (0, start);
    while index < chars.len() {
        match chars[index..] {
            ['/', '*', ..] => depth += 1,
            ['*', '/', ..] => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            break;
        }
    }
    index
}

fn string_end(chars: &[char], mut index: usize) -> usize {
    while index < chars.len() {
        match chars[index] {
            '"' => return index + 1,
            '\\' => index += 2,
            _ => index += 1,
        }
    }
    chars.len()
}

/// The end of `#"..."#`, with any number of `#`.
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start..]
        .iter()
        .take_while(|char| **char == '#')
        .count();
    if chars.get(start + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let from = start + hashes + 1;
    let found = chars[from..]
        .windows(close.len())
        .position(|window| window == close);
    Some(found.map_or(chars.len(), |position| from + position + close.len()))
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Tokens and their lines.
fn tokens(code: &str) -> Vec<(Token, usize)> {
    let mut tokens = Vec::new();
    for (line, number) in code.lines().zip(1..) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let len = if is_name(first) {
                let end = rest.find(|char| !is_name(char)).unwrap_or(rest.len());
                tokens.push((Name(rest[..end].to_owned()), number));
                end
            } else if rest.starts_with("::") {
                tokens.push((Colons, number));
                2
            } else {
                tokens.push((Mark(first), number));
                first.len_utf8()
            };
            rest = rest[len..].trim_start();
        }
    }
    tokens
}

type Tokens = [(Token, usize)];

/// Leaves out items under `#[cfg(test)]` and names the modules among them.
fn without_tests(tokens: &Tokens) -> (Vec<(Token, usize)>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut index = 0;
    while index < tokens.len() {
        let end = attribute_end(tokens, index);
        if !end.is_some_and(|end| is_for_tests(&tokens[index..end])) {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        if mark(tokens, index + 1) == Some('!') {
            // The whole file.
            return (Vec::new(), modules);
        }
        while let Some(end) = attribute_end(tokens, index) {
            index = end;
        }
        let end = item_end(tokens, index);
        if let [.., (Name(word), _), (Name(name), _), (Mark(';'), _)] = &tokens[index..end]
            && word == "mod"
        {
            modules.push(name.clone());
        }
        index = end;
    }
    (kept, modules)
}

fn mark(tokens: &Tokens, index: usize) -> Option<char> {
    match tokens.get(index)?.0 {
        Mark(mark) => Some(mark),
        _ => None,
    }
}

/// The end of the attribute that starts at `index`, if one does.
fn attribute_end(tokens: &Tokens, index: usize) -> Option<usize> {
    let open = match (mark(tokens, index)?, mark(tokens, index + 1)?) {
        ('#', '[') => index + 1,
        ('#', '!') if mark(tokens, index + 2) == Some('[') => index + 2,
        _ => return None,
    };
    let mut depth = 0;
    (open..tokens.len()).find_map(|index| {
        depth += change(tokens, index);
        (depth == 0).then_some(index + 1)
    })
}

/// What a token does to the number of open brackets.
fn change(tokens: &Tokens, index: usize) -> i32 {
    match mark(tokens, index) {
        Some('(' | '[' | '{') => 1,
        Some(')' | ']' | '}') => -1,
        _ => 0,
    }
}

/// `cfg(test)`, or `cfg(all(test, ...))`.
fn is_for_tests(attribute: &Tokens) -> bool {
    let names: Vec<&str> = attribute
        .iter()
        .filter_map(|(token, _)| match token {
            Name(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    match names[..] {
        ["cfg", "test"] => true,
        ["cfg", "all", ..] => {
            names.contains(&"test") && !names.contains(&"any") && !names.contains(&"not")
        }
        _ => false,
    }
}

/// The end of the item that starts at `index`.
fn item_end(tokens: &Tokens, start: usize) -> usize {
    let mut depth = 0;
    for index in start..tokens.len() {
        depth += change(tokens, index);
        let closed = depth == 0 && matches!(mark(tokens, index), Some('}' | ';'));
        if closed {
            return index + 1;
        }
        if depth < 0 {
            // A field or a variant: whatever surrounds it ends here.
            return index;
        }
    }
    tokens.len()
}

fn paths(tokens: &Tokens) -> Vec<Found> {
    let mut found = Vec::new();
    // Names of the modules around, each with the depth of its brackets.
    let mut inline: Vec<(String, i32)> = Vec::new();
    let (mut depth, mut index) = (0, 0);
    while index < tokens.len() {
        let around = || inline.iter().map(|(name, _)| name.clone()).collect();
        match &tokens[index..] {
            // Not the `use<>` of a bound.
            [(Name(word), _), (next, _), ..] if word == "use" && *next != Mark('<') => {
                let mut leaves = Vec::new();
                index = use_tree(tokens, index + 1, &[], &mut leaves);
                for (path, line) in leaves {
                    let inline = around();
                    found.push(Found { line, path, inline });
                }
            }
            [(Name(word), _), (Name(name), _), (Mark('{'), _), ..] if word == "mod" => {
                depth += 1;
                inline.push((name.clone(), depth));
                index += 3;
            }
            [(Name(_), _), (Colons, _), (Name(_), _), ..] => {
                let mut path = Vec::new();
                let mut line = 0;
                while let Some((Name(name), at)) = tokens.get(index) {
                    path.push(name.clone());
                    line = *at;
                    index += 1;
                    match &tokens[index..] {
                        [(Colons, _), (Name(_), _), ..] => index += 1,
                        _ => break,
                    }
                }
                let inline = around();
                found.push(Found { line, path, inline });
            }
            _ => {
                depth += change(tokens, index);
                while inline.last().is_some_and(|(_, open)| *open > depth) {
                    inline.pop();
                }
                index += 1;
            }
        }
    }
    found
}

/// Adds the paths of the tree at `index` to `leaves`. Returns where it ends.
fn use_tree(
    tokens: &Tokens,
    mut index: usize,
    prefix: &[String],
    leaves: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut last = 0;
    while let Some((token, line)) = tokens.get(index) {
        match token {
            Name(name) if name == "as" => index += 1,
            Name(name) if name == "self" && !path.is_empty() => last = *line,
            Name(name) => {
                path.push(name.clone());
                last = *line;
            }
            Mark('*') => {
                path.push("*".to_owned());
                last = *line;
            }
            Mark('{') => {
                index += 1;
                while mark(tokens, index).is_none_or(|mark| mark != '}') && index < tokens.len() {
                    index = use_tree(tokens, index, &path, leaves);
                    if mark(tokens, index) == Some(',') {
                        index += 1;
                    }
                }
                return index + 1;
            }
            Mark(_) => break,
            Colons => {}
        }
        index += 1;
    }
    if last != 0 {
        leaves.push((path, last));
    }
    index
}
