//! Recognises the AppSpec files that are a whole revision: those of Lambda and ECS.
//!
//! They say `Resources`, which those for instances do not ("AppSpec file structure", AWS CodeDeploy
//! user guide). Nothing else is looked at.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::FileError;
use crate::limits::MIB;

/// No AppSpec file is larger.
const MAX: u64 = MIB;

/// Whether the file, not read so far, is an AppSpec for Lambda or ECS.
pub(super) fn is_lambda_or_ecs(path: &Path, file: &File) -> Result<bool, FileError> {
    let mut text = Vec::new();
    file.take(MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| FileError::new("read", path, error))?;
    Ok(text.len() as u64 <= MAX && has_resources(&text))
}

/// Whether `Resources` is a key of the document, in any case, as the user guide has it.
fn has_resources(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    if text.trim_ascii_start().starts_with(b"{") {
        return json_keys(text).any(is_resources);
    }
    text.split(|&byte| byte == b'\n').any(|line| {
        let key = line.split(|&byte| byte == b':').next();
        line.contains(&b':') && key.is_some_and(|key| is_resources(unquoted(key)))
    })
}

fn is_resources(key: &[u8]) -> bool {
    key.eq_ignore_ascii_case(b"Resources")
}

/// A key as it stands at the start of a line, without its quotes.
fn unquoted(key: &[u8]) -> &[u8] {
    let key = key.trim_ascii_end();
    [b"\"", b"'"]
        .iter()
        .find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(key)
}

/// The keys of the outermost object, escapes and all.
fn json_keys(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut at, mut depth) = (0_usize, 0_u32);
    std::iter::from_fn(move || {
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    let start = at;
                    while let Some(&byte) = text.get(at).filter(|&&byte| byte != b'"') {
                        at += if byte == b'\\' { 2 } else { 1 };
                    }
                    let string = text.get(start..at)?;
                    at += 1;
                    let rest = text.get(at..).unwrap_or_default().trim_ascii_start();
                    if depth == 1 && rest.starts_with(b":") {
                        return Some(string);
                    }
                }
                _ => {}
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_a_key_of_the_document() {
        for text in [
            "version: 0.0\nResources:\n  - f:\n",
            "resources : []",
            "\u{FEFF}Resources:\r\n",
            "\"Resources\": []",
            "{\"version\": 0.0, \"Resources\" : [{}]}",
            " \n{\"a\\\"b\":{\"x\":[1]},\"resources\":[]}",
        ] {
            assert!(has_resources(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "version: 0.0\nos: linux\n",
            "files:\n  Resources: x\n",
            "# Resources:\n",
            "Resources",
            "\"Resources': []",
            "{\"files\": {\"Resources\": 1}}",
            "{\"a\": \"Resources\"}",
            "{\"a\": \"x\\\"Resources\": 1",
            "{\"Resources",
            "{\"\\",
        ] {
            assert!(!has_resources(text.as_bytes()), "{text}");
        }
    }
}
