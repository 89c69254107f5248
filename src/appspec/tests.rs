//! What is found, row by row and sample by sample.

mod samples;
mod table;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::archive::plan::Options;
use crate::cancel::Cancel;

/// Files that are said to be there.
pub(super) struct Fake(Vec<(String, u32, &'static [u8])>);

impl Fake {
    pub(super) fn new(files: &[(&str, u32, &'static [u8])]) -> Self {
        let files = files.iter();
        let mut files: Vec<_> = files
            .map(|(name, mode, head)| ((*name).to_owned(), *mode, *head))
            .collect();
        files.sort();
        Self(files)
    }

    /// Scripts and sources that are as they should be.
    pub(super) fn of(names: &[&str]) -> Self {
        let files: Vec<_> = names
            .iter()
            .map(|name| (*name, 0o755, &b"#!/bin/sh\n"[..]))
            .collect();
        Self::new(&files)
    }
}

impl Bundle for Fake {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, index: usize) -> &[u8] {
        self.0[index].0.as_bytes()
    }

    fn mode(&self, index: usize) -> u32 {
        self.0[index].1
    }

    fn absence(&self, _: &str) -> Option<Absence> {
        None
    }

    fn collision(&self) -> (Option<(String, String)>, usize) {
        (None, 0)
    }

    fn head(&self, index: usize) -> Option<Vec<u8>> {
        Some(self.0[index].2.to_vec())
    }
}

/// "rule@line:column" of each finding.
pub(super) fn found(report: &Report) -> Vec<String> {
    let findings = report.findings.iter();
    findings
        .map(|finding| {
            let Position { line, column } = report.position(finding.span.start);
            format!("{}@{line}:{column}", finding.rule.id())
        })
        .collect()
}

fn instances(text: &str, bundle: &Fake) -> Report {
    let path = Path::new("appspec.yml");
    lint(path, text.as_bytes(), Some(Kind::Instances), Some(bundle))
}

fn alone(name: &str, text: &str, kind: Option<Kind>) -> Report {
    lint(Path::new(name), text.as_bytes(), kind, None)
}

#[track_caller]
fn message(report: &Report, rule: Rule) -> String {
    let finding = report.findings.iter().find(|finding| finding.rule == rule);
    let finding = finding.unwrap_or_else(|| panic!("{}: {:?}", rule.id(), report.findings));
    match &finding.help {
        Some(help) => format!("{}; {help}", finding.message),
        None => finding.message.clone(),
    }
}

fn plan(source: &Path, ignore_hidden: bool) -> Plan {
    let options = Options {
        ignore_hidden,
        threads: 1,
        ..Options::default()
    };
    Plan::scan(source, &options, &Cancel::new()).unwrap()
}

fn write(dir: &Path, name: &str, content: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

const HEAD: &str = "version: 0.0\nos: linux\n";

#[test]
fn only_the_exact_name_at_the_root_counts() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "sub/x", "");
    write(dir.path(), "AppSpec.yml", "");
    let missing = require(&plan(&dir.path().join("sub/.."), false)).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("{} was not found", dir.path().join("appspec.yml").display())
    );
    assert_eq!(missing.hint(), None);
    write(dir.path(), "appspec.yml", "");
    assert_eq!(require(&plan(dir.path(), false)), Ok(()));
}

#[test]
fn what_is_there_instead_is_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/b/appspec.yml", "");
    write(dir.path(), "build/appspec.yml", "");
    let missing = require(&plan(dir.path(), false)).unwrap_err();
    let build = dir.path().join("build");
    let build = build.display();
    assert_eq!(
        missing.hint().unwrap(),
        format!("found in {build}/; did you mean --source {build}?")
    );
    write(dir.path(), "appspec.yaml", "");
    let missing = require(&plan(dir.path(), false)).unwrap_err();
    assert!(missing.misnamed);
    assert!(missing.hint().unwrap().ends_with("rename it"));
}

#[test]
fn a_plan_says_why_something_is_not_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let appspec = format!(
        "{HEAD}files:\n  - source: .env\n    destination: /srv\n  - source: link/x\n    \
         destination: /srv\n  - source: empty\n    destination: /srv\n  - source: Real\n    \
         destination: /srv\n  - source: none\n    destination: /srv\n"
    );
    write(dir.path(), "appspec.yml", &appspec);
    write(dir.path(), ".env", "");
    write(dir.path(), "real/x", "");
    fs::create_dir(dir.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    let report = lint_bundle(&plan(dir.path(), true), Some(Kind::Instances)).unwrap();
    let helps: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.rule, Rule::SourceNotFound);
            finding.help.as_deref().unwrap_or_default()
        })
        .collect();
    assert!(helps[0].contains("--ignore-hidden-files"), "{helps:?}");
    assert!(
        helps[1].contains("below a symbolic link to a directory"),
        "{helps:?}"
    );
    assert!(
        helps[2].contains("left out of the bundle, or empty"),
        "{helps:?}"
    );
    assert_eq!(helps[3], "`real` is there; names are case-sensitive");
    assert_eq!(helps[4], "");
    // The file that is left out is there when it is not.
    let report = lint_bundle(&plan(dir.path(), false), Some(Kind::Instances)).unwrap();
    assert_eq!(report.findings.len(), 4);
}

#[test]
fn scripts_are_looked_at_but_not_through_a_link_that_came_later() {
    let dir = tempfile::tempdir().unwrap();
    let appspec = format!("{HEAD}hooks:\n  AfterInstall:\n    - location: run.sh\n");
    write(dir.path(), "appspec.yml", &appspec);
    write(dir.path(), "run.sh", "#!/bin/sh\r\necho\r\n");
    let plan = plan(dir.path(), false);
    let report = lint_bundle(&plan, None).unwrap();
    assert_eq!(
        found(&report),
        ["script-not-executable@5:17", "crlf-shebang@5:17"]
    );
    // What took its place is not what was planned; packing says so.
    fs::rename(dir.path().join("run.sh"), dir.path().join("other")).unwrap();
    std::os::unix::fs::symlink("other", dir.path().join("run.sh")).unwrap();
    let report = lint_bundle(&plan, None).unwrap();
    assert_eq!(found(&report), ["script-not-executable@5:17"]);
    fs::remove_file(dir.path().join("run.sh")).unwrap();
    assert!(!lint_bundle(&plan, None).unwrap().has_errors());
}

/// Directories are compared by what is in them.
#[test]
fn two_files_for_one_place_are_found_in_directories() {
    let bundle = Fake::of(&["a/x", "a/sub/y", "b/x", "b/z", "c/y", "d/w", "x"]);
    let of = |files: &[(&str, &str)]| {
        let files: String = files
            .iter()
            .map(|(from, to)| format!("  - source: {from}\n    destination: {to}\n"))
            .collect();
        let report = instances(&format!("{HEAD}files:\n{files}"), &bundle);
        report
            .findings
            .into_iter()
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(&[("a", "/srv"), ("b", "/srv/")]),
        ["`/srv/x` is copied twice: from `a` before, and from here"]
    );
    assert_eq!(
        of(&[("c", "/srv/sub"), ("a", "/srv")]),
        ["`/srv/sub/y` is copied twice: from `c` before, and from here"]
    );
    assert_eq!(of(&[("x", "/srv"), ("a", "/srv/.")]).len(), 1);
    assert_eq!(of(&[("x", "/srv"), ("x", "/srv/../srv")]).len(), 1);
    for good in [
        &[("a", "/srv"), ("d", "/srv")][..],
        &[("a", "/srv"), ("b", "/srv-2")],
        &[("a", "/srv"), ("x", "/srv/sub")],
        &[("a", "/srv/a"), ("b", "/srv/b"), ("c", "/srv/a")],
    ] {
        assert_eq!(of(good), [""; 0], "{good:?}");
    }
}

#[test]
fn windows_has_its_own_rules() {
    let bundle = Fake::of(&["Scripts/Stop.BAT", "site/index.html"]);
    let text = "version: 0.0\nos: windows\nfiles:\n  - source: \\Site\\Index.html\n    \
                destination: c:\\inetpub\n  - source: site\n    destination: site\nhooks:\n  \
                ApplicationStop:\n    - location: \\scripts\\stop.bat\n      runas: admin\n    - \
                location: scripts\\start.bat\n";
    let report = instances(text, &bundle);
    assert_eq!(
        found(&report),
        [
            "relative-destination@7:18",
            "ignored-on-windows@11:7",
            "script-not-found@12:17"
        ]
    );
}

#[test]
fn what_is_missing_comes_with_a_hint() {
    let bundle = Fake::of(&["scripts/Install.sh", "dist/app.js", "scripts/run.sh"]);
    let of = |location: &str| {
        let text = format!("{HEAD}hooks:\n  AfterInstall:\n    - location: {location}\n");
        message(&instances(&text, &bundle), Rule::ScriptNotFound)
    };
    assert_eq!(
        of("scripts/install.sh"),
        "hooks.AfterInstall[0].location `scripts/install.sh` is not in the bundle; \
         `scripts/Install.sh` is there; names are case-sensitive"
    );
    assert!(of("scripts/run.sh --fast").contains("a location is a path alone"));
    assert!(of("scripts\\run.sh").ends_with("write `scripts/run.sh`"));
    assert!(of("scripts").ends_with("is a directory"));
    assert!(of("/opt/x").ends_with("locations begin at the root of the bundle"));
    let text = format!("{HEAD}files:\n  - source: dist/*\n    destination: /srv\n");
    assert!(
        message(&instances(&text, &bundle), Rule::Wildcard).contains("wildcards are not expanded")
    );
    let text = format!("{HEAD}files:\n  - source: dist/app.js/\n    destination: /srv\n");
    assert!(message(&instances(&text, &bundle), Rule::SourceNotFound).contains("remove the slash"));
}

#[test]
fn the_kind_is_told_by_resources() {
    for text in [
        "version: 0.0\nResources:\n  - f:\n",
        "resources : []",
        "\u{FEFF}Resources:\r\n",
        "\"Resources\": []",
        "{\"version\": 0.0, \"Resources\" : [{}]}",
        "{\"a\\\"b\":{\"x\":[1]},\"resources\":[]}",
        // Not YAML; whoever checks it says so.
        "Resources: [",
        "{\"Resources\": \"\\ud83d\\ude00\"}",
    ] {
        assert_eq!(kind(text.as_bytes()), Kind::Resources, "{text}");
    }
    for text in [
        "",
        "version: 0.0\nos: linux\n",
        "files:\n  Resources: x\n",
        "# Resources:\n",
        "Resources",
        "{\"files\": {\"Resources\": 1}}",
        "{\"a\": \"Resources\"}",
        "os: linux\nResources: []\n",
        "a: [",
    ] {
        assert_eq!(kind(text.as_bytes()), Kind::Instances, "{text}");
    }
}

#[test]
fn an_appspec_for_another_platform_is_one_finding() {
    let lambda = "version: 0.0\nResources:\n  - f:\n      Type: x\n";
    let report = alone("appspec.yml", lambda, Some(Kind::Instances));
    assert_eq!(found(&report), ["platform@2:1"]);
    assert!(
        message(&report, Rule::Platform).starts_with("this is a Lambda/ECS AppSpec (Resources:)")
    );
    let report = alone("appspec.yml", HEAD, Some(Kind::Resources));
    assert_eq!(found(&report), ["platform@1:1"]);
}

#[test]
fn json_is_json() {
    let of = |name: &str, text: &str| found(&alone(name, text, None));
    let ecs = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service",
        "Properties": {"TaskDefinition": "<TASK_DEFINITION>", "LoadBalancerInfo": {
        "ContainerName": "c", "ContainerPort": 80}}}}]}"#;
    assert_eq!(of("appspec.json", ecs), [""; 0]);
    assert_eq!(
        of("a.JSON", "{\n  \"version\": 0.0,\n}"),
        ["json-syntax@3:1"]
    );
    assert_eq!(of("a.json", "version: 0.0\n"), ["json-syntax@1:1"]);
    assert_eq!(of("a.json", ""), ["json-syntax@1:1"]);
    // To a parser of YAML, half of a pair is no character.
    assert_eq!(
        of("a.json", "{\"a\": \"\\ud83d\\ude00\"}"),
        ["not-checked@1:10"]
    );
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(
        of("a.json", &deep)[0].split('@').next(),
        Some("not-checked")
    );
}

#[test]
fn a_file_without_bounds_ends_somewhere() {
    let rules = |text: &str| {
        let report = alone("appspec.yml", text, Some(Kind::Instances));
        report
            .findings
            .iter()
            .map(|finding| finding.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(rules(&"a".repeat(MAX_BYTES + 1)), [Rule::NotChecked]);
    assert_eq!(rules(&"[".repeat(100_000)), [Rule::NotChecked]);
    assert_eq!(rules(&"[\n".repeat(100_000)), [Rule::NotChecked]);
    assert_eq!(rules(&"- ".repeat(100_000)), [Rule::NotChecked]);
    assert_eq!(rules(&"- a\n".repeat(250_000)), [Rule::NotChecked]);
    // A million laughs: each line stands for ten times the one before.
    let mut laughs = format!("{HEAD}x: &a [ha]\n");
    for (line, name) in ('b'..='i').zip('a'..) {
        laughs.push_str(&format!(
            "x{line}: &{line} [{}]\n",
            format!("*{name},").repeat(10)
        ));
    }
    assert!(rules(&laughs).contains(&Rule::Alias));
    // Many lists that are one long one.
    let scripts = "  - {location: x}\n".repeat(1200);
    let mut many = format!("{HEAD}all: &all\n{scripts}hooks:\n");
    for event in 0..1200 {
        many.push_str(&format!("  e{event}: *all\n"));
    }
    let rules = rules(&many);
    assert!(rules.len() <= 1002, "{}", rules.len());
    assert!(rules.contains(&Rule::NotChecked));
}

#[test]
fn a_node_that_holds_itself_is_no_trap() {
    let text =
        format!("{HEAD}files: &f\n  - *f\nhooks: &h\n  AfterInstall: &l\n    - *h\n    - *l\n");
    let report = alone("appspec.yml", &text, Some(Kind::Instances));
    assert!(report.has_errors());
}

/// At its end the parser looked for a NUL that libyaml keeps there, and panicked.
#[test]
fn a_block_of_text_may_be_the_end() {
    for tail in [
        "x: |\n  a",
        "x: >-\n  a",
        "file_exists_behavior: |\n  RETAIN",
        "x: |",
        "x: !",
        "%",
    ] {
        let report = alone(
            "appspec.yml",
            &format!("{HEAD}{tail}"),
            Some(Kind::Instances),
        );
        let wrong = report
            .findings
            .iter()
            .any(|finding| finding.rule == Rule::FileExistsBehavior);
        assert!(!wrong, "{tail}: {:?}", report.findings);
    }
    // Nor does it take a tag that stands before a comma.
    let report = alone("appspec.yml", "{a: \"b\"!, c: d}", Some(Kind::Instances));
    assert_eq!(found(&report), ["not-checked@1:8"]);
}

proptest! {
    /// Lines of an AppSpec, cut and put together anew.
    #[test]
    fn findings_are_within_the_text(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("version: 0.0".to_owned()),
                Just("os: linux".to_owned()),
                Just("files:".to_owned()),
                Just("  - source: a".to_owned()),
                Just("    destination: é\t".to_owned()),
                Just("hooks:".to_owned()),
                Just("  AfterInstall: &x".to_owned()),
                Just("    - location: *x".to_owned()),
                Just("      timeout: \"3\"".to_owned()),
                Just("{ a: [b, ".to_owned()),
                Just("}]".to_owned()),
                "[ -~é]{0,8}",
            ],
            0..12,
        ),
        newline in prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("\u{2028}")],
    ) {
        let text = lines.join(newline);
        let bundle = Fake::of(&["a"]);
        let report = lint(Path::new("appspec.yml"), text.as_bytes(), None, Some(&bundle));
        prop_assert_eq!(&report.text, &text);
        for finding in &report.findings {
            prop_assert!(report.text.get(finding.span.start..finding.span.end).is_some());
            prop_assert!(!finding.message.contains('\n'));
        }
        prop_assert_eq!(found(&report), found(&lint(Path::new("appspec.yml"), text.as_bytes(), None, Some(&bundle))));
    }
}

#[test]
fn names_and_paths_that_windows_does_not_tell_or_take() {
    let dir = tempfile::tempdir().unwrap();
    let appspec = dir.path().join("appspec.yml");
    let (fits, long) = ("x".repeat(158), "y".repeat(159));
    let short_in_characters = "\u{e9}".repeat(120);
    for name in ["tree", "Tree", &fits, &long, &short_in_characters] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let report = |os: &str| {
        fs::write(&appspec, format!("version: 0.0\nos: {os}\n")).unwrap();
        lint_bundle(&plan(dir.path(), false), None).unwrap()
    };
    assert_eq!(found(&report("linux")), [""; 0]);
    let windows = report("windows");
    // Some file systems do not tell case either.
    if !dir.path().join("TREE").exists() {
        let said = message(&windows, Rule::CaseCollision);
        assert!(said.starts_with("Tree and tree are one name"), "{said}");
        assert!(windows.has_errors());
    }
    let said = message(&windows, Rule::LongPath);
    assert_eq!(said, format!("{long} is too long for Windows"));
}
