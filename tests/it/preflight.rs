//! What `hoist push` checks before the first byte.

use hoist::endpoint::faults::{Fault, Operation, Reply};

use crate::support::{Run as _, Scene, Server, Tree, noise};

/// All operations that a push cannot do without.
const NEEDED: [Operation; 5] = [
    Operation::PutObject,
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::CompleteMultipartUpload,
    Operation::RegisterApplicationRevision,
];

/// The small revision, and an endpoint with this application, and the bucket in this region.
fn scene(platform: Option<&str>, region: &str) -> Scene {
    let server = Server::start();
    match region {
        "us-east-1" => server.make_bucket("bucket"),
        _ => server.make_bucket_in("bucket", region),
    }
    if let Some(platform) = platform {
        server.make_application("App", platform);
    }
    let tree = Scene::new().tree;
    Scene { tree, server }
}

/// An answer to HeadBucket.
fn reply(status: u16, headers: &'static [(&'static str, &'static str)]) -> Fault {
    let body = "<html>no such page</html>";
    Fault::Reply(Reply {
        status,
        headers,
        body,
    })
}

#[test]
fn a_missing_application_is_found_before_the_first_byte() {
    let scene = scene(None, "us-east-1");
    let done = scene.push(&[]).fails(254);
    assert_eq!(
        done.stderr.lines().next().unwrap(),
        "hoist: An error occurred (ApplicationDoesNotExistException) when calling the \
         GetApplication operation: No application found for name: App"
    );
    done.says("nothing was uploaded")
        .says("aws deploy create-application --application-name App");
    assert_eq!(scene.count(Operation::PutObject), 0);
}

#[test]
fn an_application_for_functions_takes_no_bundle() {
    let scene = scene(Some("Lambda"), "us-east-1");
    let done = scene.push(&[]).fails(255);
    let expected = "hoist: the application App is for the compute platform Lambda, which takes an \
                    AppSpec file for Lambda, in YAML or JSON: this is a bundle\n";
    assert!(done.stderr.starts_with(expected), "{done}");
    assert!(scene.stored().is_none());
}

#[test]
fn a_bucket_in_another_region_is_refused_and_both_regions_are_named() {
    let scene = scene(Some("Server"), "eu-west-1");
    let done = scene.push(&[]).fails(255);
    let expected = "hoist: the bucket bucket is in eu-west-1, and CodeDeploy is asked in us-east-1";
    assert!(done.stderr.starts_with(expected), "{done}");
    done.says("--region eu-west-1")
        .says("a bucket in us-east-1");
}

#[test]
fn a_refusal_of_s3_that_names_another_region_is_understood() {
    for status in [301, 400, 403] {
        let scene = Scene::new();
        let elsewhere = reply(status, &[("x-amz-bucket-region", "ap-south-1")]);
        scene.on(Operation::HeadBucket, .., elsewhere);
        let done = scene.push(&[]).fails(255);
        done.says("is in ap-south-1").says("us-east-1");
        assert_eq!(scene.count(Operation::PutObject), 0, "{status}");
    }
}

#[test]
fn a_refusal_of_s3_that_names_this_region_is_enough() {
    let scene = Scene::new();
    let here = reply(403, &[("x-amz-bucket-region", "us-east-1")]);
    scene.on(Operation::HeadBucket, .., here);
    scene.push(&[]).ok().is_silent_about("note:");
}

#[test]
fn checks_that_are_denied_are_noted_and_stop_nothing() {
    let large = Tree::revision();
    large.file("noise.bin", noise(9 << 20, 1));
    for scene in [Scene::new(), Scene::of(large)] {
        for options in [
            &[][..],
            &["--no-overwrite", "--s3-location", "s3://bucket/new/key.zip"],
        ] {
            scene.forget();
            let denied = Operation::ALL.iter().copied();
            let denied = denied.filter(|operation| !NEEDED.contains(operation));
            let denied: Vec<_> = denied
                .filter(|operation| *operation != Operation::ListApplicationRevisions)
                .collect();
            scene.deny(&denied);
            let done = scene.push(options).ok();
            assert!(
                done.stdout
                    .starts_with("To deploy with this revision, run:\n")
            );
            let notes = done.stderr.lines().filter(|line| line.contains("note:"));
            let notes: Vec<_> = notes.collect();
            assert_eq!(notes.len(), 2 + options.len().min(1), "{done}");
            for (note, about) in [
                ("the bucket's region", "HeadBucket"),
                ("App", "GetApplication"),
            ] {
                let is = |line: &&&str| {
                    line.starts_with("hoist: note: not checked: ")
                        && line.contains(note)
                        && line.contains(about)
                        && line.contains("AccessDenied")
                };
                assert_eq!(notes.iter().filter(is).count(), 1, "{done}");
            }
            assert!(scene.is_registered());
        }
    }
}

#[test]
fn a_store_without_these_operations_takes_a_push() {
    for status in [404, 405, 501] {
        let scene = Scene::new();
        // A 404 of HeadBucket cannot be told from that of a bucket that is not there.
        if status != 404 {
            scene.on(Operation::HeadBucket, .., reply(status, &[]));
        }
        scene.on(Operation::GetApplication, .., reply(status, &[]));
        let done = scene.push(&[]).ok();
        done.says("note: not checked: whether the application App");
    }
}

#[test]
fn only_what_the_options_need_is_asked() {
    use Operation::{GetApplication, HeadBucket, HeadObject};

    let scene = Scene::new();
    for (key, option, expected) in [
        ("a", None, &[HeadBucket, GetApplication][..]),
        (
            "b",
            Some("--no-overwrite"),
            &[HeadBucket, GetApplication, HeadObject],
        ),
        ("c", Some("--no-preflight"), &[]),
    ] {
        scene.forget();
        let mut push = scene.push(&["--s3-location", &format!("s3://bucket/{key}")]);
        push.args(option).ok();
        let mut asked = scene.operations();
        asked.retain(|operation| !NEEDED.contains(operation));
        let mut expected = expected.to_vec();
        asked.sort();
        expected.sort();
        assert_eq!(asked, expected, "{option:?}");
    }
}

#[test]
fn an_error_in_the_source_is_reported_before_one_of_the_services() {
    let scene = scene(None, "us-east-1");
    std::fs::remove_file(scene.tree.path().join("appspec.yml")).unwrap();
    let done = scene.push(&[]).fails(255);
    assert!(
        done.stderr.contains("appspec.yml was not found\n"),
        "{done}"
    );
}

#[test]
fn names_and_descriptions_are_measured_before_anything_is_asked() {
    let scene = Scene::new();
    let long = "x".repeat(101);
    for name in ["", "two words", &long] {
        let done = scene.push(&["--application-name", name]).fails(252);
        done.says("cannot be the name of an application");
    }
    let done = scene.push(&["--description", &"x".repeat(513)]).fails(252);
    done.says("the description has 513 characters");
    assert_eq!(scene.operations(), []);
    let done = scene.push(&["--description", &"x".repeat(300)]).ok();
    let expected = "hoist: warning: the description has 300 characters";
    assert!(done.stderr.starts_with(expected), "{done}");
}
