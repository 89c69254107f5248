//! Tests of the findings as a whole; `table` has the documented cases and `samples` whole files.

mod generated;
mod samples;
mod table;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::archive::plan::Options;
use crate::cancel::Cancel;

/// The type in a mode that makes a file of [`Fake`] a kept link, whose text is its content.
const LINK: u32 = 0o120_000;

/// A bundle of files that do not exist on the disk: name, mode, first bytes.
struct Fake(Vec<(String, u32, &'static [u8])>);

impl Fake {
    fn new(files: &[(&str, u32, &'static [u8])]) -> Self {
        let owned = |(name, mode, head): &(&str, u32, _)| ((*name).to_owned(), *mode, *head);
        let mut files: Vec<_> = files.iter().map(owned).collect();
        files.sort();
        Self(files)
    }

    /// A bundle of executable scripts.
    fn of(names: &[&'static str]) -> Self {
        let script = |name: &&'static str| (*name, 0o755, &b"#!/bin/sh\n"[..]);
        Self::new(&names.iter().map(script).collect::<Vec<_>>())
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
        self.0[index].1 & 0o7777
    }

    fn link(&self, index: usize) -> Option<&[u8]> {
        let (_, mode, text) = &self.0[index];
        (mode & LINK == LINK).then_some(*text)
    }

    fn absence(&self, _: &str) -> Option<Absence> {
        None
    }

    fn collision(&self) -> (Option<(String, String)>, usize) {
        (None, 0)
    }

    fn head(&self, index: usize) -> Option<Vec<u8>> {
        let (name, _, content) = &self.0[index];
        let Some(text) = self.link(index) else {
            return Some(content.to_vec());
        };
        let target = self.find(bundle::resolve_link(name.as_bytes(), text)?.as_bytes())?;
        Some(self.0[target].2.to_vec())
    }
}

/// "rule@line:column" of each finding.
fn found(report: &Report) -> Vec<String> {
    let place = |finding: &Finding| {
        let Position { line, column } = report.position(finding.span.start);
        format!("{}@{line}:{column}", finding.rule.id())
    };
    report.findings.iter().map(place).collect()
}

fn instances(text: &str, bundle: &Fake) -> Report {
    let path = Path::new("appspec.yml");
    lint(path, text.as_bytes(), Some(Kind::Instances), Some(bundle))
}

/// Checks a file without its bundle.
fn alone(name: &str, text: &str, kind: Option<Kind>) -> Report {
    lint(Path::new(name), text.as_bytes(), kind, None)
}

/// The message and the help of the first finding of a rule.
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
fn only_appspec_yml_at_the_root_is_an_appspec_file() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "sub/x", "");
    write(dir.path(), "AppSpec.yml", "");
    let missing = require(&plan(&dir.path().join("sub/.."), false)).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("{} was not found", dir.path().join("appspec.yml").display())
    );
    assert!(missing.misnamed.is_none() && missing.elsewhere.is_none());
    write(dir.path(), "appspec.yml", "");
    assert_eq!(require(&plan(dir.path(), false)), Ok(()));
}

#[test]
fn a_missing_appspec_file_comes_with_the_nearest_one_and_a_misnamed_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/b/appspec.yml", "");
    write(dir.path(), "build/appspec.yml", "");
    let missing = require(&plan(dir.path(), false)).unwrap_err();
    assert_eq!(missing.elsewhere, Some(dir.path().join("build")));
    assert!(missing.misnamed.is_none() && !missing.excluded);
    write(dir.path(), "appspec.yaml", "");
    let missing = require(&plan(dir.path(), false)).unwrap_err();
    assert_eq!(missing.misnamed.as_deref(), Some("appspec.yaml"));
    fs::rename(
        dir.path().join("appspec.yaml"),
        dir.path().join("AppSpec.yml"),
    )
    .unwrap();
    let missing = require(&plan(dir.path(), false)).unwrap_err();
    assert_eq!(missing.misnamed.as_deref(), Some("AppSpec.yml"));
}

#[test]
fn the_help_says_why_a_source_is_not_in_the_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let sources = [".env", "link/x", "empty", "Real", "none"];
    let files = sources.map(|source| format!("  - {{source: {source}, destination: /srv}}\n"));
    let appspec = format!("{HEAD}files:\n{}", files.concat());
    write(dir.path(), "appspec.yml", &appspec);
    write(dir.path(), ".env", "");
    write(dir.path(), "real/x", "");
    fs::create_dir(dir.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    let report = lint_bundle(&plan(dir.path(), true), Some(Kind::Instances)).unwrap();
    assert_eq!(report.findings.len(), sources.len());
    for (finding, help) in report.findings.iter().zip([
        "it is in the source, but hidden: names that start with a dot are left out",
        "it is below a symbolic link to a directory, which is left out of the bundle",
        "it is in the source, but left out of the bundle, or empty",
        "`real` is there; names are case-sensitive",
        "",
    ]) {
        assert_eq!(finding.rule, Rule::SourceNotFound);
        assert_eq!(finding.help.as_deref().unwrap_or_default(), help);
    }
    // With hidden files, `.env` is in the bundle.
    let report = lint_bundle(&plan(dir.path(), false), Some(Kind::Instances)).unwrap();
    assert_eq!(report.findings.len(), 4);
}

#[test]
fn a_script_is_read_but_not_through_a_link_that_appeared_after_the_walk() {
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
    // The link is not the file that was planned; the packer reports that later.
    fs::rename(dir.path().join("run.sh"), dir.path().join("other")).unwrap();
    std::os::unix::fs::symlink("other", dir.path().join("run.sh")).unwrap();
    let report = lint_bundle(&plan, None).unwrap();
    assert_eq!(found(&report), ["script-not-executable@5:17"]);
    fs::remove_file(dir.path().join("run.sh")).unwrap();
    assert!(!lint_bundle(&plan, None).unwrap().has_errors());
}

#[test]
fn two_files_with_one_destination_are_found_inside_of_directories_too() {
    let bundle = Fake::of(&["a/x", "a/sub/y", "b/x", "b/z", "c/y", "d/w", "x"]);
    let of = |files: &[(&str, &str)]| {
        let files: String = files
            .iter()
            .map(|(from, to)| format!("  - source: {from}\n    destination: {to}\n"))
            .collect();
        let findings = instances(&format!("{HEAD}files:\n{files}"), &bundle).findings;
        Vec::from_iter(findings.into_iter().map(|finding| finding.message))
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
fn on_windows_backslashes_separate_and_case_is_ignored() {
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
fn a_missing_script_or_source_comes_with_advice() {
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
    assert!(of("scripts/run.sh --fast").contains("a location is a path without arguments"));
    assert!(of("scripts\\run.sh").ends_with("write `scripts/run.sh`"));
    assert!(of("scripts").ends_with("is a directory"));
    assert!(of("/opt/x").ends_with("locations begin at the root of the bundle"));
    let text = format!("{HEAD}files:\n  - source: dist/*\n    destination: /srv\n");
    let wildcard = message(&instances(&text, &bundle), Rule::Wildcard);
    assert!(wildcard.contains("wildcards are not expanded"));
    let text = format!("{HEAD}files:\n  - source: dist/app.js/\n    destination: /srv\n");
    assert!(message(&instances(&text, &bundle), Rule::SourceNotFound).contains("remove the slash"));
}

#[test]
fn a_file_with_resources_is_for_lambda_or_ecs_whatever_else_it_has() {
    for text in [
        "version: 0.0\nResources:\n  - f:\n",
        "resources : []",
        "\u{FEFF}Resources:\r\n",
        "\"Resources\": []",
        "{\"version\": 0.0, \"Resources\" : [{}]}",
        "{\"a\\\"b\":{\"x\":[1]},\"resources\":[]}",
        "os: linux\nResources: []\n",
        // These are not YAML, which the check reports later.
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
        "a: [",
    ] {
        assert_eq!(kind(text.as_bytes()), Kind::Instances, "{text}");
    }
}

#[test]
fn an_appspec_file_for_another_platform_has_exactly_one_finding() {
    let lambda = "version: 0.0\nResources:\n  - f:\n      Type: x\n";
    let report = alone("appspec.yml", lambda, Some(Kind::Instances));
    assert_eq!(found(&report), ["platform@2:1"]);
    let lambda = message(&report, Rule::Platform);
    assert!(lambda.starts_with("this is a Lambda/ECS AppSpec (Resources:)"));
    let report = alone("appspec.yml", HEAD, Some(Kind::Resources));
    assert_eq!(found(&report), ["platform@1:1"]);
}

#[test]
fn a_json_file_is_checked_as_json() {
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
    // A parser of YAML does not accept half of a surrogate pair.
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
fn size_depth_and_number_of_findings_are_limited() {
    let rules = |text: &str| {
        let findings = alone("appspec.yml", text, Some(Kind::Instances)).findings;
        Vec::from_iter(findings.iter().map(|finding| finding.rule))
    };
    for (text, count) in [
        ("a", MAX_BYTES + 1),
        ("[", 100_000),
        ("[\n", 100_000),
        ("- ", 100_000),
        ("- a\n", 250_000),
    ] {
        assert_eq!(rules(&text.repeat(count)), [Rule::NotChecked], "{text}");
    }
    // The "billion laughs" attack: each line refers to the one before ten times.
    let mut laughs = format!("{HEAD}x: &a [ha]\n");
    for (line, name) in ('b'..='i').zip('a'..) {
        laughs.push_str(&format!(
            "x{line}: &{line} [{}]\n",
            format!("*{name},").repeat(10)
        ));
    }
    assert!(rules(&laughs).contains(&Rule::Alias));
    // Many events share one long list.
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
fn a_node_that_contains_itself_does_not_loop() {
    let text =
        format!("{HEAD}files: &f\n  - *f\nhooks: &h\n  AfterInstall: &l\n    - *h\n    - *l\n");
    let report = alone("appspec.yml", &text, Some(Kind::Instances));
    assert!(report.has_errors());
}

/// `libyaml-safer` panicked at the end of such a text, where libyaml reads a NUL.
#[test]
fn a_file_may_end_within_a_scalar_a_tag_or_a_directive() {
    for tail in [
        "x: |\n  a",
        "x: >-\n  a",
        "file_exists_behavior: |\n  RETAIN",
        "x: |",
        "x: !",
        "%",
    ] {
        let text = format!("{HEAD}{tail}");
        let findings = alone("appspec.yml", &text, Some(Kind::Instances)).findings;
        let mut rules = findings.iter().map(|finding| finding.rule);
        assert!(
            rules.all(|rule| rule != Rule::FileExistsBehavior),
            "{tail}: {findings:?}"
        );
    }
    // `libyaml-safer` panics at a tag before a comma, too.
    let report = alone("appspec.yml", "{a: \"b\"!, c: d}", Some(Kind::Instances));
    assert_eq!(found(&report), ["not-checked@1:8"]);
}

proptest! {
    /// The input is lines of an AppSpec file in any order.
    #[test]
    fn findings_are_within_the_text_and_on_one_line(
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
fn on_windows_names_that_differ_only_in_case_and_long_paths_are_reported() {
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
    // Some file systems ignore case themselves.
    if !dir.path().join("TREE").exists() {
        let said = message(&windows, Rule::CaseCollision);
        assert!(said.starts_with("`Tree` and `tree` are one name"), "{said}");
        assert!(windows.has_errors());
    }
    let said = message(&windows, Rule::LongPath);
    assert_eq!(said, format!("`{long}` is too long for Windows"));
}

#[test]
fn on_windows_names_that_it_does_not_allow_are_reported() {
    let refused = |name: &'static str| {
        let bundle = Fake::of(&["appspec.yml", name]);
        let report = instances("version: 0.0\nos: windows\n", &bundle);
        assert_eq!(found(&instances(HEAD, &bundle)), [""; 0], "{name}");
        found(&report) == ["windows-name@2:5"]
    };
    for name in [
        "con",
        "a/NUL.txt",
        "Aux.tar.gz",
        "com1",
        "lpt9.x",
        "a:b",
        "what?",
        "a*",
        "a<b",
        "x|y",
        "dir./x",
        "a.",
        "a ",
        "back\\slash",
        "tab\t",
    ] {
        assert!(refused(name), "{name}");
    }
    for name in [
        "console", "com", "com0", "a.con", ".hidden", "a b/c", "x.y.z", "\u{e9}",
    ] {
        assert!(!refused(name), "{name}");
    }
}

#[test]
fn on_windows_escapes_in_double_quotes_and_archives_that_are_no_zip_are_reported() {
    let bundle = Fake::of(&["a", "run.bat"]);
    let text = "version: 0.0\nos: windows\nfiles:\n  - source: a\n    destination: \"c:\\temp\\new\"\nhooks:\n  \
                AfterInstall:\n    - location: \"\\run.bat\"\n";
    assert_eq!(
        found(&instances(text, &bundle)),
        [
            "windows-escape@5:18",
            "windows-escape@8:17",
            "script-not-found@8:17"
        ]
    );
    let refused = instances("version: 0.0\nos: windows\nx: \"c:\\inetpub\"\n", &bundle);
    assert!(message(&refused, Rule::Syntax).contains("single quotes"));
    let of = |os: &str, bundle_type| {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            "appspec.yml",
            &format!("version: 0.0\nos: {os}\n"),
        );
        found(&lint_archive(&plan(dir.path(), false), None, bundle_type).unwrap())
    };
    assert_eq!(of("windows", Some("tgz")), ["bundle-type-for-windows@2:5"]);
    assert_eq!(of("windows", Some("tar")), ["bundle-type-for-windows@2:5"]);
    for (os, bundle_type) in [
        ("windows", Some("zip")),
        ("windows", None),
        ("linux", Some("tgz")),
    ] {
        assert_eq!(of(os, bundle_type), [""; 0], "{os} {bundle_type:?}");
    }
}

#[test]
fn the_network_configuration_of_ecs_has_lists_and_enabled_or_disabled() {
    let of = |network: &str| {
        let text = format!(
            "version: 0.0\nResources:\n  - s:\n      Type: AWS::ECS::Service\n      Properties:\n        \
             TaskDefinition: t\n        LoadBalancerInfo: {{ContainerName: c, ContainerPort: 80}}\n        \
             NetworkConfiguration: {network}\n"
        );
        let report = alone("appspec.yaml", &text, None);
        Vec::from_iter(report.findings.into_iter().map(|finding| finding.message))
    };
    let vpc = |subnets: &str, groups: &str, public: &str| {
        of(&format!(
            "{{AwsvpcConfiguration: {{Subnets: {subnets}, SecurityGroups: {groups}, AssignPublicIp: {public}}}}}"
        ))
    };
    assert_eq!(vpc("[subnet-1, subnet-2]", "[sg-1]", "ENABLED"), [""; 0]);
    assert_eq!(vpc("[<SUBNET>]", "<GROUPS>", "\"<PUBLIC>\""), [""; 0]);
    assert_eq!(
        of("{awsvpcConfiguration: {subnets: [a], securityGroups: [b], assignPublicIp: DISABLED}}"),
        [""; 0]
    );
    for (subnets, groups, public, said) in [
        ("subnet-1", "[sg-1]", "ENABLED", "Subnets should be a list"),
        (
            "[s]",
            "{a: b}",
            "ENABLED",
            "SecurityGroups should be a list",
        ),
        (
            "[]",
            "[sg-1]",
            "ENABLED",
            "Subnets should have at least one item",
        ),
        ("[1]", "[sg-1]", "ENABLED", "an item of Subnets should be"),
        (
            "[s]",
            "[sg-1]",
            "enabled",
            "AssignPublicIp should be ENABLED or DISABLED",
        ),
        (
            "[s]",
            "[sg-1]",
            "true",
            "AssignPublicIp should be ENABLED or DISABLED",
        ),
        (
            "[s]",
            "[sg-1]",
            "no",
            "AssignPublicIp should be ENABLED or DISABLED",
        ),
        (
            "[s]",
            "[sg-1]",
            "[ENABLED]",
            "AssignPublicIp should be ENABLED or DISABLED",
        ),
        (
            "[s]",
            "~",
            "ENABLED",
            "AwsvpcConfiguration needs either all or none",
        ),
    ] {
        let found = vpc(subnets, groups, public);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(said), "{found:?}");
    }
    for network in ["{}", "{Subnets: [a]}", "x"] {
        assert!(!of(network).is_empty(), "{network}");
    }
}

#[test]
fn an_os_beside_resources_is_a_key_without_meaning() {
    let text = "version: 0.0\nos: linux\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      Properties:\n        \
                {Name: n, Alias: a, CurrentVersion: \"1\", TargetVersion: \"2\"}\n";
    assert_eq!(
        found(&alone("appspec.yml", text, None)),
        ["unknown-key@2:1"]
    );
    let pushed = alone("appspec.yml", text, Some(Kind::Instances));
    assert_eq!(found(&pushed), ["platform@3:1"]);
}

/// Without the bundle, a source may be a file or a directory.
#[test]
fn a_file_alone_is_reported_only_for_what_is_wrong_with_any_bundle() {
    let of = |rest: &str| found(&alone("appspec.yml", &format!("{HEAD}{rest}"), None));
    let files = "files:\n  - {source: /, destination: /srv/app}\npermissions:\n";
    for good in [
        "  - {object: /srv/app, pattern: \"*.sh\", mode: 755}\n",
        "  - {object: /srv/app, mode: 755}\n  - {object: /srv/app/x, mode: 644}\n",
        "  - {object: /srv/app/x, pattern: \"*\", mode: 755}\n",
        "  - {object: /srv, mode: 644, type: [file]}\n  - {object: /srv, mode: 755, type: [directory]}\n",
        "  - {object: /srv/app, acls: [\"d:u:bob:r\"], type: [directory]}\n",
    ] {
        assert_eq!(of(&format!("{files}{good}")), [""; 0], "{good}");
    }
    for (bad, rule) in [
        (
            "  - {object: /srv, mode: 755}\n  - {object: /srv/app, mode: 644}\n",
            "permission-twice@7:6",
        ),
        (
            "  - {object: /srv/app, acls: [\"d:u:bob:r\"]}\n",
            "default-acl-on-files@6:31",
        ),
        ("  - {object: /opt, mode: 755}\n", "reaches-nothing@6:14"),
        ("  - {object: ., mode: 755}\n", "reaches-nothing@6:14"),
        ("  - {object: /srv/ap, mode: 755}\n", "reaches-nothing@6:14"),
    ] {
        assert_eq!(of(&format!("{files}{bad}")), [rule], "{bad}");
    }
    let hook = "hooks:\n  AfterInstall:\n    - location: my script.sh\n";
    assert_eq!(of(hook), ["location-unquoted@5:17"]);
    assert_eq!(
        of(&format!("{hook}      runas: root\n")),
        ["location-characters@5:17"]
    );
}

#[test]
fn kept_links_of_a_directory_are_read_from_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let appspec = format!(
        "{HEAD}files:\n  - {{source: app, destination: /srv}}\nhooks:\n  AfterInstall:\n    - \
                           location: run.sh\n"
    );
    write(dir.path(), "appspec.yml", &appspec);
    write(dir.path(), "app/bin/tool.js", "");
    write(dir.path(), "app/tool/plain.sh", "#!/bin/sh\n");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, dir.path().join(name)).unwrap()
    };
    link("../bin/tool.js", "app/tool/tool");
    link("app/tool/plain.sh", "run.sh");
    let lint = |symlinks| {
        let options = Options {
            symlinks,
            threads: 1,
            ..Options::default()
        };
        let plan = Plan::scan(dir.path(), &options, &Cancel::new()).unwrap();
        found(&lint_bundle(&plan, None).unwrap())
    };
    use crate::archive::plan::Symlinks;
    assert_eq!(
        lint(Symlinks::Preserve),
        [
            "kept-link-second-deployment@4:14",
            "link-not-executable@7:17"
        ]
    );
    assert_eq!(lint(Symlinks::Follow), ["script-not-executable@7:17"]);
    link("..", "app/tool/up");
    assert_eq!(
        lint(Symlinks::Preserve),
        [
            "link-loop@4:14",
            "kept-link-second-deployment@4:14",
            "link-not-executable@7:17"
        ]
    );
    link("../../app", "app/bin/up");
    assert_eq!(
        lint(Symlinks::Preserve),
        [
            "link-loops@4:14",
            "kept-link-second-deployment@4:14",
            "link-not-executable@7:17"
        ]
    );
}
