//! Revisions for Lambda and ECS are an AppSpec file alone, and the platform of the application is that of
//! what is pushed.

use std::fs;
use std::path::Path;

use crate::support::{APPSPEC, Done, Run as _, Server, Tree, hoist};

/// The example of AWS's user guide, "AppSpec file example for an AWS Lambda deployment".
const LAMBDA: &str = include_str!("../../examples/lambda/MyAppSpecFile.yaml");
const LAMBDA_JSON: &str = include_str!("../../examples/lambda/MyAppSpecFile.json");

const ECS: &str = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service",
    "Properties": {"TaskDefinition": "t", "LoadBalancerInfo": {"ContainerName": "c",
    "ContainerPort": 80}}}}]}"#;

/// An endpoint with the bucket `bucket` and the application `App` for this platform.
fn server(platform: &str) -> Server {
    let server = Server::start();
    server.make_bucket("bucket");
    server.make_application("App", platform);
    server
}

/// A directory with these files.
fn tree(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::new();
    for (name, text) in files {
        tree.file(name, text);
    }
    tree
}

/// The command of the guide, in `tree`, with the state of its endpoint in `dir`.
fn push(tree: &Tree, key: &str, dir: &Path) -> std::process::Command {
    let mut push = hoist();
    push.args(["push", "--application-name", "MyLambdaApplicationName"])
        .args(["--s3-location", &format!("s3://codedeploydemobucket/{key}")])
        .args(["--source", ".", "--local"])
        .arg(dir)
        .current_dir(tree.path());
    push
}

/// The application of the endpoint in `dir`.
fn application(dir: &Path) -> String {
    let file = "codedeploy/us-east-1/MyLambdaApplicationName.json";
    let folded = "codedeploy/us-east-1";
    fs::read_to_string(dir.join(file)).unwrap_or_else(|_| {
        let entry = fs::read_dir(dir.join(folded)).unwrap().next().unwrap();
        fs::read_to_string(entry.unwrap().path()).unwrap()
    })
}

#[test]
fn the_guides_lambda_example_works_with_local() {
    let server_appspec = ("appspec.yml", APPSPEC);
    for (files, key, stored, bundle, platform) in [
        (
            &[("MyAppSpecFile.yaml", LAMBDA)][..],
            "MyAppSpecFile.yaml",
            LAMBDA,
            "YAML",
            "Lambda",
        ),
        (
            &[("MyAppSpecFile.yaml", LAMBDA), server_appspec],
            "MyAppSpecFile.yaml",
            LAMBDA,
            "YAML",
            "Lambda",
        ),
        (
            &[("MyAppSpecFile.yml", LAMBDA)],
            "dir/MyAppSpecFile.yml",
            LAMBDA,
            "YAML",
            "Lambda",
        ),
        (
            &[("MyAppSpecFile.json", LAMBDA_JSON), ("package.json", "{}")],
            "MyAppSpecFile.json",
            LAMBDA_JSON,
            "JSON",
            "Lambda",
        ),
        (
            &[("appspec.yaml", LAMBDA), server_appspec],
            "MyAppSpecFile.yaml",
            LAMBDA,
            "YAML",
            "Lambda",
        ),
        (
            &[("service.json", ECS), server_appspec],
            "service.json",
            ECS,
            "JSON",
            "ECS",
        ),
    ] {
        let (tree, dir) = (tree(files), tempfile::tempdir().unwrap());
        let done = push(&tree, key, dir.path()).ok();
        done.prints(&format!("key={key},bundleType={bundle},eTag="));
        done.is_silent_about("warning");
        let objects = dir.path().join("buckets/codedeploydemobucket/objects");
        let object = fs::read_dir(&objects).unwrap().count();
        assert_eq!(object, 1, "{key}");
        let kept = hoist::endpoint::Endpoint::object_path(dir.path(), "codedeploydemobucket", key);
        assert_eq!(fs::read_to_string(kept).unwrap(), stored, "{key}");
        let application = application(dir.path());
        let expected = format!(r#""platform":"{platform}""#);
        assert!(application.contains(&expected), "{application}");
        assert!(application.contains(bundle), "{application}");
        // Again, as on the next day.
        push(&tree, key, dir.path()).ok();
    }
}

#[test]
fn an_application_of_local_keeps_its_platform() {
    let lambda = tree(&[("f.yaml", LAMBDA), ("appspec.yml", APPSPEC)]);
    let dir = tempfile::tempdir().unwrap();
    push(&lambda, "f.yaml", dir.path()).ok();
    let done = push(&lambda, "f.zip", dir.path()).fails(255);
    done.says(
        "the application MyLambdaApplicationName is for the compute platform Lambda, which takes an \
         AppSpec file for Lambda, in YAML or JSON: this is a bundle",
    );
    done.says("another directory for --local");
    let ecs = tree(&[("s.json", ECS)]);
    let done = push(&ecs, "s.json", dir.path()).fails(255);
    done.says("this is an AppSpec file for ECS");
}

#[test]
fn several_appspec_files_are_listed_unless_the_key_names_one() {
    let tree = tree(&[
        ("f.yaml", LAMBDA),
        ("s.json", ECS),
        ("appspec.yml", APPSPEC),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let done = push(&tree, "MyAppSpecFile.yaml", dir.path()).fails(255);
    done.says(
        ". has 2 AppSpec files for Lambda or ECS, and none has the name \
         of the key, MyAppSpecFile.yaml: f.yaml (Lambda), \
         s.json (ECS)",
    );
    done.says("name one of them with --source, or end --s3-location in its name");
    assert!(!dir.path().join("buckets").exists(), "nothing was begun");
    let none = Tree::new();
    none.file("readme", "");
    let done = push(&none, "MyAppSpecFile.yaml", dir.path()).fails(255);
    done.says(". has no MyAppSpecFile.yaml and no other AppSpec file for Lambda or ECS");
    done.says("--source");
}

/// Each kind of revision to each kind of application.
#[test]
fn an_application_takes_revisions_of_its_own_platform_only() {
    let tree = tree(&[
        ("lambda.yaml", LAMBDA),
        ("lambda.json", LAMBDA_JSON),
        ("ecs.json", ECS),
        ("appspec.yml", APPSPEC),
    ]);
    let file = |name: &str| tree.path().join(name);
    let sources = [
        (tree.path().to_owned(), "lambda.yaml", "Lambda"),
        (tree.path().to_owned(), "lambda.json", "Lambda"),
        (tree.path().to_owned(), "ecs.json", "ECS"),
        (file("lambda.yaml"), "k.yaml", "Lambda"),
        (file("ecs.json"), "k.json", "ECS"),
        (tree.path().to_owned(), "k.zip", "Server"),
        (tree.path().to_owned(), "k", "Server"),
    ];
    for platform in ["Server", "Lambda", "ECS"] {
        let server = server(platform);
        for (source, key, wanted) in &sources {
            let location = format!("s3://bucket/{key}");
            let mut push = server.push_of(source, &["--s3-location", &location]);
            if wanted == &platform {
                push.ok();
                continue;
            }
            let done = push.fails(255);
            let is = match *wanted {
                "Server" => "this is a bundle".to_owned(),
                other => format!("this is an AppSpec file for {other}"),
            };
            done.says(&format!("is for the compute platform {platform}"));
            done.says(&is);
            assert!(!server.object(key).exists(), "{platform} {key}");
        }
    }
}

#[test]
fn a_missing_application_is_made_with_the_platform_of_the_revision() {
    let server = Server::start();
    server.make_bucket("bucket");
    let tree = tree(&[
        ("f.yaml", LAMBDA),
        ("s.json", ECS),
        ("appspec.yml", APPSPEC),
    ]);
    for (key, platform) in [("f.yaml", "Lambda"), ("s.json", "ECS"), ("k.zip", "Server")] {
        let location = format!("s3://bucket/{key}");
        let done = server.push_of(tree.path(), &["--s3-location", &location]);
        let done = { done }.fails(254);
        done.says(&format!("--compute-platform {platform}"));
    }
}

/// Of a push or registration that succeeds, whether it warns of the key.
fn warns(done: &Done) -> bool {
    done.stderr.contains("warning: the key ")
}

#[test]
fn a_key_whose_ending_is_another_types_is_warned_of() {
    let tree = tree(&[
        ("f.yaml", LAMBDA),
        ("f.json", LAMBDA_JSON),
        ("appspec.yml", APPSPEC),
    ]);
    let (bundles, functions) = (server("Server"), server("Lambda"));
    let file = |name: &str| tree.path().join(name);
    let dir = tree.path().to_owned();
    for (server, source, key, options, warned) in [
        (&bundles, dir.clone(), "a.zip", &[][..], false),
        (&bundles, dir.clone(), "a", &[], false),
        (
            &bundles,
            dir.clone(),
            "a.war",
            &["--bundle-type", "tgz"],
            false,
        ),
        (
            &bundles,
            dir.clone(),
            "a.TAR.GZ",
            &["--bundle-type", "tgz"],
            false,
        ),
        (
            &bundles,
            dir.clone(),
            "a.tgz",
            &["--bundle-type", "zip"],
            true,
        ),
        (
            &bundles,
            dir.clone(),
            "a.zip",
            &["--bundle-type", "tgz"],
            true,
        ),
        (
            &bundles,
            dir.clone(),
            "a.yaml",
            &["--bundle-type", "zip"],
            true,
        ),
        (&functions, file("f.yaml"), "a.yml", &[], false),
        (&functions, file("f.yaml"), "a.zip", &[], true),
        (&functions, file("f.yaml"), "a.json", &[], true),
        (&functions, file("f.json"), "a.yaml", &[], true),
        (&functions, file("f.json"), "a.json", &[], false),
        (&functions, dir.clone(), "f.json", &[], false),
    ] {
        let location = format!("s3://bucket/{key}");
        let mut push = server.push_of(&source, &["--s3-location", &location]);
        let done = push.args(options).ok();
        assert_eq!(warns(&done), warned, "{key} {options:?}\n{done}");
        let mut push = server.push_of(&source, &["--s3-location", &location, "--dry-run"]);
        assert_eq!(warns(&push.args(options).ok()), warned, "{key} {options:?}");
    }
    let mut push = bundles.push_of(&dir, &["--bundle-type", "tgz", "--quiet"]);
    assert_eq!(push.ok().stderr, "");
    let register = |options: &[&str]| {
        let mut register = bundles.hoist(&["register", "--application-name", "App"]);
        register.args(options).ok()
    };
    let zip = ["--s3-location", "s3://bucket/a.zip"];
    assert!(!warns(&register(&zip)));
    assert!(warns(&register(
        &[&zip[..], &["--bundle-type", "tgz"]].concat()
    )));
}

#[test]
fn register_verify_and_clean_use_the_state_of_local() {
    let tree = tree(&[("f.yaml", LAMBDA), ("appspec.yml", APPSPEC)]);
    let state = tempfile::tempdir().unwrap();
    push(&tree, "f.yaml", state.path()).ok();
    let run = |words: &[&str]| {
        let mut command = hoist();
        command.args(words).arg("--local").arg(state.path());
        command
    };
    let of = |application: &'static str, key: &'static str| {
        [
            "register",
            "--application-name",
            application,
            "--s3-location",
            key,
        ]
    };
    // Another application is made for the platform of the object.
    run(&of("Other", "s3://codedeploydemobucket/f.yaml")).ok();
    let done = run(&of("Other", "s3://codedeploydemobucket/none.yaml")).fails(255);
    done.says("is not there");
    let applications = state.path().join("codedeploy/us-east-1");
    let texts = fs::read_dir(applications).unwrap();
    for text in texts.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()) {
        assert!(text.contains(r#""platform":"Lambda""#), "{text}");
    }

    let mut bundle = run(&["push", "--application-name", "Server"]);
    bundle.args(["--s3-location", "s3://codedeploydemobucket/a.zip"]);
    bundle.arg("--source").arg(tree.path()).ok();
    let done = run(&["verify", "s3://codedeploydemobucket/a.zip"]).ok();
    done.prints("is whole");
    run(&["verify", "s3://codedeploydemobucket/b.zip"]).fails(255);
    run(&["verify", "a.zip"])
        .fails(252)
        .says("--local is about an object");
    let done = run(&["clean", "s3://codedeploydemobucket"]).ok();
    done.prints("aborted 0 uploads");
    run(&["clean", "s3://no-bucket"])
        .fails(255)
        .says("NoSuchBucket");
}

#[test]
fn verify_and_clean_make_no_state() {
    let dir = tempfile::tempdir().unwrap();
    for missing in [dir.path().to_owned(), dir.path().join("none")] {
        for words in [["verify", "s3://b/k.zip"], ["clean", "s3://b/k.zip"]] {
            let mut command = hoist();
            let done = command.args(words).arg("--local").arg(&missing).fails(255);
            done.says("has no state of an endpoint; hoist push --local DIR makes it");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
