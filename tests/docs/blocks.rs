//! The fenced blocks of a Markdown file, and the commands in them.

/// The lines between two fences.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) file: String,
    /// The line of its first fence.
    pub(crate) line: usize,
    /// The word behind the fence.
    pub(crate) tag: String,
    pub(crate) lines: Vec<String>,
    /// Whether only blank lines separate it from the block before.
    pub(crate) follows: bool,
}

impl Block {
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    pub(crate) fn first(&self) -> &str {
        self.lines.first().map_or("", |line| line.trim())
    }

    /// The place as messages name it.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// All blocks of `text`. Lines lose the indentation of their fence.
pub(crate) fn blocks(file: &str, text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut open, mut follows) = (None::<Block>, false);
    let mut indent = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(tag)) => {
                indent = line.len() - line.trim_start().len();
                open = Some(Block {
                    file: file.to_owned(),
                    line: number,
                    tag: tag.trim().to_owned(),
                    lines: Vec::new(),
                    follows,
                });
            }
            (None, None) => follows &= line.trim().is_empty(),
            (Some(_), Some("")) => {
                found.extend(open.take());
                follows = true;
            }
            (Some(block), _) => block
                .lines
                .push(line.get(indent..).unwrap_or("").to_owned()),
        }
    }
    assert!(open.is_none(), "{file}: a fence is not closed");
    found
}

/// A command, and the lines of its documented output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) command: String,
    pub(crate) prints: Vec<String>,
}

/// The commands of a block. None if the block has anything but commands of hoist or `aws deploy` and their
/// output.
///
/// If a line has the prompt `$ `, lines with it are commands and other lines are output; otherwise every
/// line is a command. A backslash at the end continues a command.
pub(crate) fn commands(lines: &[String]) -> Option<Vec<Shown>> {
    let prompts = lines.iter().any(|line| line.starts_with("$ "));
    let mut found: Vec<Shown> = Vec::new();
    let mut continues = false;
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let begins = if prompts {
            line.strip_prefix("$ ")
        } else {
            Some(&**line).filter(|line| !line.starts_with([' ', '#', '>']))
        };
        if continues {
            let command = &mut found.last_mut()?.command;
            command.push(' ');
            command.push_str(line.trim().trim_end_matches('\\').trim_end());
        } else if let Some(command) = begins {
            if !is_ours(command) {
                return None;
            }
            found.push(Shown {
                command: command.trim_end_matches('\\').trim().to_owned(),
                prints: Vec::new(),
            });
        } else if prompts {
            found.last_mut()?.prints.push(line.clone());
            continue;
        } else {
            return None;
        }
        continues = line.ends_with('\\');
    }
    (!found.is_empty()).then_some(found)
}

/// Whether the tests run a command.
pub(crate) fn is_ours(command: &str) -> bool {
    let command = command.trim();
    ["hoist ", "aws deploy ", "cargo run --release --locked -- "]
        .iter()
        .any(|start| command.starts_with(start))
}

#[test]
fn a_prompt_separates_commands_from_output() {
    let of = |text: &str| {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        commands(&lines)
    };
    let shown = |command: &str, prints: &[&str]| Shown {
        command: command.to_owned(),
        prints: prints.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(
        of("$ hoist a \\\n    --b c\nsaid\n\n$ hoist d"),
        Some(vec![
            shown("hoist a --b c", &["said"]),
            shown("hoist d", &[])
        ])
    );
    assert_eq!(
        of("hoist a\naws deploy push"),
        Some(vec![shown("hoist a", &[]), shown("aws deploy push", &[])])
    );
    assert_eq!(of("hoist a\nrm -r b"), None);
    assert_eq!(of("[section]"), None);
    assert_eq!(of(""), None);
}

#[test]
fn a_block_follows_another_if_only_blank_lines_separate_them() {
    let text =
        "1. One:\n\n   ```sh\n   hoist a\n     b\n   ```\n\n```\nc\n```\nText.\n```json\n{}\n```";
    let found = blocks("f.md", text);
    let of = |n: usize| {
        (
            found[n].line,
            &*found[n].tag,
            found[n].text(),
            found[n].follows,
        )
    };
    assert_eq!(of(0), (3, "sh", "hoist a\n  b".to_owned(), false));
    assert_eq!(of(1), (8, "", "c".to_owned(), true));
    assert_eq!(of(2), (12, "json", "{}".to_owned(), false));
}
