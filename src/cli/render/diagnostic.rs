//! Findings in an AppSpec file for people: each with the lines that it is about.

use std::path::{Component, Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use hoist::appspec::{Finding, Report, Severity};
use hoist::error::shown;

/// The most lines that are shown of one finding.
const LINES: usize = 3;

/// Draws all findings, or those of one severity.
pub(crate) fn draw(report: &Report, only: Option<Severity>, colored: bool) -> String {
    let renderer = if colored {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = String::new();
    for finding in &report.findings {
        if only.is_none_or(|severity| severity == finding.severity()) {
            text.push_str(&draw_one(report, finding, &renderer));
            text.push('\n');
        }
    }
    text
}

fn draw_one(report: &Report, finding: &Finding, renderer: &Renderer) -> String {
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&finding.message).id(finding.rule.id());
    let path = name(&report.path);
    let lines = Lines::around(report, finding);
    let mut group = Group::with_title(title);
    group = match &lines {
        Some(lines) => group.element(
            Snippet::source(lines.text)
                .line_start(lines.first)
                .path(&path)
                .annotation(AnnotationKind::Primary.span(lines.marked.clone())),
        ),
        None => group.element(Origin::path(&path)),
    };
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// The lines that a finding is about, and which part of them is marked.
struct Lines<'t> {
    text: &'t str,
    /// The number of the first line.
    first: usize,
    marked: std::ops::Range<usize>,
}

impl<'t> Lines<'t> {
    /// None if the text is empty.
    fn around(report: &'t Report, finding: &Finding) -> Option<Self> {
        let text = report.text.as_str();
        let span = finding.span;
        if text.is_empty() {
            return None;
        }
        let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(start..)?;
        let ends = rest.split_inclusive('\n').scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        });
        let wanted = (span.end - start).max(1);
        let end = ends
            .take(LINES)
            .find(|end| *end >= wanted)
            .or_else(|| rest.split_inclusive('\n').next().map(str::len))
            .unwrap_or(0);
        let text = rest.get(..end)?;
        let text = text.trim_end_matches(['\r', '\n']);
        let to = (span.end - start).min(text.len());
        Some(Self {
            text,
            first: report.position(span.start).line,
            marked: (span.start - start).min(to)..to,
        })
    }
}

/// The name of a file in messages: relative to the working directory if it is below, and in quotes and
/// escaped if it has characters that a terminal or a CI service would interpret.
pub(crate) fn name(path: &Path) -> String {
    shown(&relative(path)).to_string()
}

/// A path without `.`, relative to the working directory if it is below.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    let plain: PathBuf = below
        .unwrap_or(path)
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    if plain.as_os_str().is_empty() {
        return path.to_owned();
    }
    plain
}

#[cfg(test)]
mod tests {
    use hoist::appspec::{Kind, lint};

    use super::*;

    fn drawn(text: &str) -> String {
        let report = lint(
            Path::new("./dir/appspec.yml"),
            text.as_bytes(),
            Some(Kind::Instances),
            None,
        );
        draw(&report, None, false)
    }

    #[test]
    fn a_finding_shows_its_line() {
        assert_eq!(
            drawn("version: 0.0\nos: Linux\n"),
            "error[os]: os must be linux or windows, lower case, not `Linux`\n \
             --> dir/appspec.yml:2:5\n  |\n2 | os: Linux\n  |     ^^^^^\n"
        );
    }

    #[test]
    fn control_characters_of_the_file_do_not_reach_the_terminal() {
        let text = drawn("version: 0.0\nos: linux\n\"a\u{202E}b\": \"c\"\nfiles: *x\n");
        assert!(!text.contains('\u{202E}'), "{text}");
    }

    #[test]
    fn long_and_empty_texts_are_drawn() {
        let many = "- a\n".repeat(100);
        for text in [
            "",
            "\n",
            "- a\n- b\n",
            "version: 0.0",
            "x\n\n",
            &many,
            "a: [\n",
        ] {
            let text = drawn(text);
            assert!(text.contains("appspec.yml"), "{text}");
            assert!(text.lines().count() < 30, "{text}");
        }
    }
}
