//! Tests of what depends on the files of the bundle, the operating system or the platform.

use super::*;
use crate::archive::plan::Symlinks;

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
