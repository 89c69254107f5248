//! Patterns select what they select in git: `git check-ignore` judges the same names by the same files.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use hoist::archive::plan::{DirectoryRules, Pattern, Rules};

use crate::support::missing;

/// How many files of patterns are made.
const FILES: u64 = 1500;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a>(&mut self, all: &[&'a [u8]]) -> &'a [u8] {
        all[self.below(all.len())]
    }
}

/// Components of names.
const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"ab",
    b"ba",
    b"abc",
    b"A",
    b"aab",
    b"a.py",
    b"a.py{}",
    b"{id}",
    b"{a,b}",
    b"a{b",
    b"a}",
    b"{{cookiecutter.slug}}",
    b".a",
    b"a b",
    b"a ",
    b" a",
    b" ",
    b"#a",
    b"!a",
    b"\\",
    b"a\\b",
    b"a\\",
    b"[a]",
    b"[",
    b"]",
    b"*",
    b"**",
    b"a*b",
    b"?",
    b"-",
    b"^",
    b"1",
    b"a1",
    b"_",
    b"\t",
    b"a\t",
    b"a\r",
    b"\xc3\xa9",
    b"a\xff",
    b"\xff",
    b"\xef\xbb\xbfa",
    b"a:b",
    b"a,b",
    b"a-b",
    b"\x0b",
    b"~",
];

/// Pieces of patterns.
const PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"ab",
    b"A",
    b".",
    b"/",
    b"/",
    b"/",
    b"*",
    b"*",
    b"**",
    b"**/",
    b"/**",
    b"/**/",
    b"**/**/",
    b"***",
    b"?",
    b"[ab]",
    b"[a-c]",
    b"[!a]",
    b"[^a]",
    b"[^!a]",
    b"[]a]",
    b"[]-a]",
    b"[a-]",
    b"[-a]",
    b"[z-a]",
    b"[a",
    b"[",
    b"]",
    b"[!]",
    b"[]",
    b"[a\\]]",
    b"[\\a-c]",
    b"[a-\\c]",
    b"[\\\\]",
    b"[/]",
    b"[a/]",
    b"[!b/]",
    b"[[:alpha:]]",
    b"[![:alpha:]]",
    b"[[:digit:][:upper:]_]",
    b"[[:space:]]",
    b"[[:blank:]]",
    b"[[:punct:]]",
    b"[[:print:]]",
    b"[[:graph:]]",
    b"[[:cntrl:]]",
    b"[[:xdigit:]]",
    b"[[:alnum:]]",
    b"[[:lower:]]",
    b"[[:word:]]",
    b"[[:alpha]",
    b"[[:alpha]]",
    b"[[:",
    b"[[:]",
    b"[a[:digit:]-z]",
    b"[\xc3\xa9]",
    b"[\x80-\xff]",
    b"[ -~]",
    b"{",
    b"}",
    b"{a,b}",
    b"{}",
    b"{id}",
    b",",
    b"\\",
    b"\\\\",
    b"\\a",
    b"\\*",
    b"\\?",
    b"\\[",
    b"\\/",
    b"\\ ",
    b"\\#",
    b"\\!",
    b"!",
    b"#",
    b" ",
    b"  ",
    b"\t",
    b"\r",
    b"-",
    b"^",
    b"\xff",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b"\0",
];

fn name(dice: &mut Dice) -> Vec<u8> {
    let depth = 1 + dice.below(4);
    // A few names at each depth, so that directories are shared and stars match.
    let all = if dice.one_in(2) { &NAMES[..8] } else { NAMES };
    let components: Vec<_> = (0..depth).map(|_| dice.of(all)).collect();
    components.join(&b'/')
}

/// A line made of pieces, or a name that is changed in places.
fn line(dice: &mut Dice, names: &[Vec<u8>]) -> Vec<u8> {
    let mut line = Vec::new();
    if dice.one_in(6) {
        line.push(b'!');
    }
    if dice.one_in(3) {
        for _ in 0..=dice.below(5) {
            line.extend(dice.of(PIECES));
        }
    } else {
        let name = &names[dice.below(names.len())];
        let components: Vec<_> = name.split(|byte| *byte == b'/').collect();
        let begin = dice.below(components.len());
        let end = begin + 1 + dice.below(components.len() - begin);
        if dice.one_in(3) {
            line.push(b'/');
        }
        let rate = 2 + dice.below(6);
        for byte in components[begin..end].join(&b'/') {
            match dice.below(4) {
                0 if dice.one_in(rate) => line.extend(dice.of(PIECES)),
                1 if dice.one_in(rate) => line.extend([b'\\', byte]),
                2 if dice.one_in(rate) => line.extend(dice.of(&[b"*", b"**", b"?", b"*?"])),
                3 if dice.one_in(rate) => line.extend([byte, b'*']),
                _ => line.push(byte),
            }
        }
        if dice.one_in(4) {
            line.extend(dice.of(&[
                b"/", b"/", b"//", b" ", b"\\ ", b"\\", b"/**", b"/*", b" \\", b"\t",
            ]));
        }
    }
    line.retain(|byte| *byte != b'\n');
    line
}

/// A directory with a file of patterns, and perhaps one more below it.
struct Scene {
    lines: Vec<Vec<u8>>,
    text: Vec<u8>,
    below: Option<(&'static str, Vec<u8>)>,
    names: Vec<Vec<u8>>,
}

impl Scene {
    fn new(dice: &mut Dice) -> Self {
        let mut names: Vec<_> = (0..32).map(|_| name(dice)).collect();
        names.sort_unstable();
        names.dedup();
        let file = |dice: &mut Dice| {
            let count = 1 + dice.below(5);
            let lines: Vec<_> = (0..count).map(|_| line(dice, &names)).collect();
            let ending: &[u8] = if dice.one_in(4) { b"\r\n" } else { b"\n" };
            let begin: &[u8] = if dice.one_in(8) { b"\xef\xbb\xbf" } else { b"" };
            let end = if dice.one_in(2) { ending } else { b"" };
            let text = [begin, &lines.join(ending), end].concat();
            (lines, text)
        };
        let (lines, text) = file(dice);
        let below = dice
            .one_in(4)
            .then(|| (["a", "ab"][dice.below(2)], file(dice).1));
        // The directory is made, so it cannot be asked for as a file.
        names.retain(|name| {
            below
                .as_ref()
                .is_none_or(|(below, _)| name != below.as_bytes())
        });
        Self {
            lines,
            text,
            below,
            names,
        }
    }

    /// Whether hoist leaves a name out by files of patterns.
    fn files_leave_out(&self, name: &[u8]) -> bool {
        let rules = Rules::new(&[], false, true);
        let top = DirectoryRules::default().with_file(b"", &self.text);
        leaves_out(&rules, top, name, |within, path| match &self.below {
            Some((directory, text)) if path == directory.as_bytes() => {
                within.with_file(&[path, b"/"].concat(), text)
            }
            _ => within,
        })
    }

    /// The lines as patterns of the command line, if they can be.
    fn options(&self) -> Option<Vec<Pattern>> {
        let special = |line: &Vec<u8>| {
            line.starts_with(b"!")
                || line.starts_with(b"#")
                || line.ends_with(b"\r")
                || line.contains(&0)
        };
        if self.below.is_some() || self.text.starts_with(b"\xef") || self.lines.iter().any(special)
        {
            return None;
        }
        // What is refused must match nothing in git.
        let patterns = self.lines.iter().map(Pattern::exclude);
        Some(patterns.filter_map(Result::ok).collect())
    }
}

fn leaves_out(
    rules: &Rules,
    top: DirectoryRules,
    name: &[u8],
    enter: impl Fn(DirectoryRules, &[u8]) -> DirectoryRules,
) -> bool {
    let mut within = top;
    for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        match rules.enter(&within, &name[..at]) {
            Some(rules) => within = enter(rules, &name[..at]),
            None => return true,
        }
    }
    !rules.includes(&within, name)
}

#[test]
fn patterns_leave_out_what_git_ignores() {
    let mut dice = Dice(20_261_128);
    let scenes: Vec<_> = (0..FILES).map(|_| Scene::new(&mut dice)).collect();
    let dir = tempfile::tempdir().unwrap();
    let git = || {
        let mut git = Command::new("git");
        git.current_dir(&dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        git.env("HOME", dir.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C");
        git.args([
            "-c",
            "core.ignoreCase=false",
            "-c",
            "core.precomposeUnicode=false",
        ]);
        git
    };
    if !git()
        .args(["init", "--quiet", "--template="])
        .status()
        .is_ok_and(|status| status.success())
    {
        return missing("git", "it cannot make a repository");
    }
    let mut asked = Vec::new();
    for (number, scene) in scenes.iter().enumerate() {
        let top = dir.path().join(number.to_string());
        fs::create_dir(&top).unwrap();
        fs::write(top.join(".gitignore"), &scene.text).unwrap();
        if let Some((below, text)) = &scene.below {
            fs::create_dir(top.join(below)).unwrap();
            fs::write(top.join(below).join(".gitignore"), text).unwrap();
        }
        for name in &scene.names {
            asked.extend([format!("{number}/").as_bytes(), name, b"\0"].concat());
        }
    }
    let mut judge = git();
    judge.args(["check-ignore", "--no-index", "-z", "--stdin"]);
    let mut judge = judge
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = judge.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&asked).unwrap());
    let said = judge.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(said.status.success(), "{said:?}");
    let mut ignored: Vec<_> = said.stdout.split(|byte| *byte == 0).collect();
    ignored.sort_unstable();

    let (mut pairs, mut left_out, mut different) = (0, 0, Vec::new());
    for (number, scene) in scenes.iter().enumerate() {
        let options = scene.options();
        let options = options.map(|patterns| Rules::new(&patterns, false, false));
        for name in &scene.names {
            let asked = [format!("{number}/").as_bytes(), name].concat();
            let by_git = ignored.binary_search(&asked.as_slice()).is_ok();
            let by_options = options.as_ref().map(|rules| {
                leaves_out(rules, DirectoryRules::default(), name, |within, _| within)
            });
            for (how, by_hoist) in [
                ("file", Some(scene.files_leave_out(name))),
                ("options", by_options),
            ] {
                let Some(by_hoist) = by_hoist else { continue };
                pairs += 1;
                left_out += u64::from(by_git);
                if by_hoist != by_git {
                    different.push(format!(
                        "{} by {how} {} {}: git {by_git}",
                        name.escape_ascii(),
                        scene.text.escape_ascii(),
                        scene
                            .below
                            .iter()
                            .map(|(_, text)| text.escape_ascii().to_string())
                            .collect::<String>(),
                    ));
                }
            }
        }
    }
    eprintln!(
        "{pairs} pairs of {FILES} files of patterns and {} names, {left_out} left out: {} different",
        scenes.iter().map(|scene| scene.names.len()).sum::<usize>(),
        different.len()
    );
    // Both answers are frequent, or the test would show little.
    assert!(
        pairs > 40_000 && left_out * 6 > pairs && left_out * 2 < pairs,
        "{left_out} of {pairs}"
    );
    assert!(
        different.is_empty(),
        "{}\n{}",
        different.len(),
        different[..different.len().min(20)].join("\n")
    );
}
