//! `hoist push --destination`: one pass, several buckets and regions, and what is there and said when one of
//! them fails.

use std::fs;
use std::path::Path;
use std::process::Command;

use hoist::endpoint::faults::{Fault, Operation, Refusal, When};
use serde_json::Value;

use crate::rig::revisions;
use crate::support::{Done, Run as _, Scene, Server, aws, shell, wait_until};

const REGIONS: [(&str, &str); 3] = [
    ("us-east-1", "bucket"),
    ("us-west-2", "west"),
    ("eu-west-1", "europe"),
];

const WEST: &str = "region=us-west-2,s3-location=s3://west/key.zip";
const EU: &str = "region=eu-west-1,s3-location=s3://europe/key.zip";
const DENIED: Fault = Fault::Refuse(Refusal::AccessDenied);

/// A revision, and an endpoint with a bucket and the application `App` in each of three regions.
fn scene_of(is_large: bool) -> Scene {
    let scene = Scene::of_size(is_large);
    for (region, bucket) in &REGIONS[1..] {
        scene.make_bucket_in(bucket, region);
        scene.make_application_in("App", "Server", region);
    }
    scene
}

fn scene() -> Scene {
    scene_of(false)
}

impl Scene {
    /// A push to all three regions.
    fn push_to_three(&self, arguments: &[&str]) -> Command {
        let mut command = self.push(&["--destination", WEST, EU]);
        command.args(arguments);
        command
    }

    fn bytes_in(&self, bucket: &str) -> Option<Vec<u8>> {
        bytes_in(self.dir(), bucket)
    }

    /// The regions in which a revision of `App` is registered.
    fn registered_in(&self) -> Vec<&'static str> {
        let regions = REGIONS.iter().map(|(region, _)| *region);
        regions
            .filter(|region| !revisions(self.dir(), region).is_empty())
            .collect()
    }

    /// Lets a fault happen to all requests of an operation that are signed for a region.
    fn in_region(&self, region: &'static str, operation: Operation, fault: Fault) {
        self.choose(move |request| {
            let is_there = request.region.as_deref() == Some(region);
            (request.operation == operation && is_there).then_some(fault)
        });
    }

    /// There is neither an object, nor an upload, nor a revision, in any region.
    #[track_caller]
    fn assert_nothing_is_anywhere(&self) {
        for (_, bucket) in REGIONS {
            assert!(
                self.bytes_in(bucket).is_none(),
                "there is an object in {bucket}"
            );
        }
        assert_eq!(self.uploads(), [""; 0], "there are uploads");
        assert_eq!(self.registered_in(), [""; 0], "there are revisions");
    }
}

fn bytes_in(dir: &Path, bucket: &str) -> Option<Vec<u8>> {
    fs::read(dir.join("buckets").join(bucket).join("objects/key.zip")).ok()
}

/// The lines on standard error, without the name of the command.
fn lines(done: &Done) -> Vec<&str> {
    let lines = done.stderr.lines();
    lines
        .map(|line| line.strip_prefix("hoist: ").unwrap_or(line))
        .collect()
}

#[test]
fn three_regions_get_the_same_bytes_in_one_pass_and_register_them() {
    for is_large in [false, true] {
        let scene = scene_of(is_large);
        let done = scene.push_to_three(&["--verify"]).ok();
        let packed = scene.packed();
        for (region, bucket) in REGIONS {
            assert!(
                scene.bytes_in(bucket) == Some(packed.clone()),
                "{region}: other bytes"
            );
            assert_eq!(revisions(scene.dir(), region), [done.etag()], "{region}");
        }
        let steps: Vec<&str> = done.stdout.lines().collect();
        assert_eq!(steps.len(), 6, "{done}");
        for (step, (region, bucket)) in steps.chunks(2).zip(REGIONS) {
            assert_eq!(step[0], "To deploy with this revision, run:");
            let expected = format!(
                "aws deploy create-deployment --application-name App --s3-location \
                 bucket={bucket},key=key.zip,bundleType=zip,eTag={} --deployment-group-name \
                 <deployment-group-name> --deployment-config-name <deployment-config-name> \
                 --description <description> --region {region}",
                done.etag()
            );
            assert_eq!(step[1], expected);
        }
        assert_eq!(lines(&done).len(), 1, "{done}");
        let parts = if is_large {
            ", 2 parts, "
        } else {
            ", 1 part, "
        };
        done.says(parts);
    }
}

#[test]
fn a_copy_is_made_by_s3_itself_and_has_the_same_etag() {
    for is_large in [false, true] {
        let scene = scene_of(is_large);
        let copied = format!("{EU},copy-from=us-east-1");
        let mut push = scene.push(&["--destination", WEST, "--destination", &copied]);
        let done = push.args(["--output", "json"]).ok();
        let packed = scene.packed();
        for (region, bucket) in REGIONS {
            assert!(
                scene.bytes_in(bucket) == Some(packed.clone()),
                "{region}: other bytes"
            );
        }
        let json = done.json();
        let etags: Vec<_> = rows(&json).iter().map(|row| row["etag"].clone()).collect();
        assert!(etags.iter().all(|etag| *etag == json["etag"]), "{etags:?}");
        assert_eq!(json["destinations"][2]["copied_from"], "us-east-1");
        done.is_silent_about("note:");
        let uploaded = scene.of(Operation::UploadPart);
        assert!(
            uploaded
                .iter()
                .all(|part| !part.place.starts_with("europe"))
        );
        assert!(scene.count(Operation::UploadPartCopy) > 0);
    }
}

fn rows(json: &Value) -> &[Value] {
    json["destinations"].as_array().unwrap()
}

#[test]
fn json_and_outputs_have_a_list_besides_what_they_have_of_one_destination() {
    let scene = scene();
    let dir = tempfile::tempdir().unwrap();
    let (outputs, steps) = (dir.path().join("outputs"), dir.path().join("summary"));
    fs::write(&outputs, "").unwrap();
    fs::write(&steps, "").unwrap();
    let west = format!("{WEST},application-name=West,description='in the west'");
    scene.make_application_in("West", "Server", "us-west-2");
    let mut push = scene.push(&["--destination", &west, EU, "--output", "json"]);
    push.args(["--github-output", "--description", "about it"]);
    push.env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &steps);
    let json = push.ok().json();
    let west = &rows(&json)[1];
    let etag = json["etag"].as_str().unwrap();
    let location = serde_json::json!({
        "bucket": "west", "key": "key.zip", "bundleType": "zip", "eTag": etag,
    });
    let expected = serde_json::json!({
        "region": "us-west-2",
        "application": "West",
        "description": "in the west",
        "bucket": "west",
        "key": "key.zip",
        "revision": location,
        "etag": etag,
        "version": null,
        "copied_from": null,
        "registered": true,
        "verified": false,
        "error": null,
        "create_deployment": {
            "applicationName": "West",
            "revision": {"revisionType": "S3", "s3Location": location},
        },
    });
    assert_eq!(west, &expected);
    assert_eq!(json["revision"]["bucket"], "bucket");
    assert_eq!(json["application"], "App");
    assert_eq!(rows(&json)[2]["description"], "about it");

    let written = fs::read_to_string(&outputs).unwrap();
    assert!(written.contains("\nbucket\n"), "{written}");
    let (_, list) = written.split_once("destinations<<").unwrap();
    let list: Value = serde_json::from_str(list.lines().nth(1).unwrap()).unwrap();
    assert_eq!(list, json["destinations"]);
    let summary = fs::read_to_string(&steps).unwrap();
    assert!(
        summary.contains(
            "| <code>us-west-2</code> | <code>West</code> | <code>s3://west/key.zip</code> |"
        ),
        "{summary}"
    );
    // With one destination nothing is added.
    fs::write(&outputs, "").unwrap();
    let mut push = scene.push(&["--output", "json", "--github-output"]);
    let json = push.env("GITHUB_OUTPUT", &outputs).ok().json();
    assert!(json.get("destinations").is_none());
    let written = fs::read_to_string(&outputs).unwrap();
    assert!(!written.contains("destinations"), "{written}");
}

#[test]
fn a_dry_run_lists_all_destinations_and_asks_nothing() {
    let scene = scene();
    let copied = format!("{EU},copy-from=us-west-2");
    let push = |more: &[&str]| {
        let mut push = scene.push(&["--destination", WEST, &copied, "--dry-run"]);
        push.args(more).ok()
    };
    let done = push(&[]);
    done.prints("as zip to s3://bucket/key.zip: at most")
        .prints("Would push it to s3://west/key.zip in us-west-2, too; and register it with App.\n")
        .prints("Would have S3 copy it from us-west-2 to s3://europe/key.zip in eu-west-1, too;");
    let json = push(&["--output", "json"]).json();
    assert_eq!(rows(&json).len(), 3);
    assert_eq!(rows(&json)[2]["copied_from"], "us-west-2");
    assert_eq!(scene.operations(), []);
}

#[test]
fn all_problems_of_all_destinations_are_told_before_a_byte_is_sent() {
    let scene = Scene::new();
    scene.make_bucket_in("west", "us-west-2");
    scene.make_bucket_in("europe", "ap-south-1");
    scene.make_application_in("App", "Server", "eu-west-1");
    let done = scene.push_to_three(&["--keep-going"]).fails(255);
    done.is_silent_about("nothing was uploaded");
    let said = lines(&done);
    let of = |region: &str| {
        let lines = said.iter().filter(|line| line.starts_with(region));
        lines.copied().collect::<Vec<_>>().join("\n")
    };
    assert!(
        of("us-west-2: ").contains("ApplicationDoesNotExistException"),
        "{done}"
    );
    assert!(
        of("eu-west-1: ").contains("the bucket europe is in ap-south-1"),
        "{done}"
    );
    // Advice on a destination names its keys, and its region in a command.
    let west = of("us-west-2: ");
    for text in [
        "check application-name=, region= and the account",
        "create-application --application-name App --compute-platform Server --region us-west-2",
    ] {
        assert!(done.stderr.contains(text), "{text}: {west}");
    }
    done.says("use region=ap-south-1, or use a bucket in eu-west-1");
    scene.forget();
    let done = scene.push_to_three(&[]).fails(255);
    let said = lines(&done);
    assert!(
        said.iter()
            .any(|line| line.starts_with("us-west-2: An error occurred (Application"))
    );
    assert!(
        said.iter()
            .any(|line| line.starts_with("eu-west-1: the bucket europe is in ap-south-1"))
    );
    assert_eq!(
        done.stderr.matches("nothing was uploaded").count(),
        1,
        "{done}"
    );
    assert_eq!(*said.last().unwrap(), "nothing was uploaded", "{done}");
    // Advice names what the user writes for that destination, and the command makes the application there.
    let of_west = "us-west-2: check application-name=, region= and the account, or run: aws deploy \
                   create-application --application-name App --compute-platform Server --region us-west-2";
    assert!(said.contains(&of_west), "{done}");
    assert!(
        said.contains(&"eu-west-1: use region=ap-south-1, or use a bucket in eu-west-1"),
        "{done}"
    );
    let sent = [Operation::PutObject, Operation::CreateMultipartUpload];
    assert!(
        !scene
            .operations()
            .iter()
            .any(|operation| sent.contains(operation))
    );
    done.is_silent_about("us-east-1: ");
}

#[test]
fn a_region_that_cannot_be_reached_by_its_settings_is_named_with_the_others() {
    let scene = scene();
    let profiles = ["nobody-has-this", "nor-this"].map(|name| format!(",profile={name}"));
    let west = format!("{WEST}{}", profiles[0]);
    let eu = format!("{EU}{}", profiles[1]);
    let done = scene
        .push(&["--region", "us-east-1", "--destination", &west, &eu])
        .done();
    assert_ne!(done.code, Some(0), "{done}");
    let said = lines(&done);
    assert!(
        said[0].starts_with("us-west-2: ") && said[0].contains("nobody-has-this"),
        "{done}"
    );
    assert!(
        said[1].starts_with("eu-west-1: ") && said[1].contains("nor-this"),
        "{done}"
    );
}

#[test]
fn a_failed_upload_in_one_region_ends_all_and_leaves_nothing() {
    let scene = scene_of(true);
    scene.in_region("us-west-2", Operation::UploadPart, DENIED);
    let done = scene.push_to_three(&[]).fails(255);
    let said = lines(&done);
    assert!(said[0].starts_with("us-west-2: Failed to upload"), "{done}");
    assert!(said[0].contains("AccessDenied"), "{done}");
    assert_eq!(
        *said.last().unwrap(),
        "the revision is registered in no destination"
    );
    assert_eq!(done.stdout, "");
    scene.assert_nothing_is_anywhere();
}

#[test]
fn keep_going_finishes_the_others_prints_them_and_fails() {
    let scene = scene_of(true);
    let dir = tempfile::tempdir().unwrap();
    let outputs = dir.path().join("outputs");
    fs::write(&outputs, "").unwrap();
    for output in ["text", "json"] {
        scene.in_region("us-west-2", Operation::UploadPart, DENIED);
        let mut push = scene.push_to_three(&["--keep-going", "--output", output]);
        push.arg("--github-output").env("GITHUB_OUTPUT", &outputs);
        let done = push.fails(255);
        let said = lines(&done);
        assert!(said[0].starts_with("us-west-2: Failed to upload"), "{done}");
        let last = said.last().unwrap();
        assert_eq!(
            *last, "2 of 3 destinations have the revision: us-east-1, eu-west-1",
            "{done}"
        );
        assert_eq!(scene.registered_in(), ["us-east-1", "eu-west-1"]);
        assert!(scene.bytes_in("west").is_none());
        assert_eq!(scene.uploads(), [""; 0]);
        let written = fs::read_to_string(&outputs).unwrap();
        assert!(written.starts_with("destinations<<"), "{written}");
        if output == "text" {
            assert_eq!(
                done.stdout
                    .matches("To deploy with this revision, run:")
                    .count(),
                2
            );
            assert!(!done.stdout.contains("us-west-2"), "{done}");
            continue;
        }
        let json = done.json();
        assert_eq!(rows(&json)[0]["registered"], true);
        assert_eq!(rows(&json)[1]["registered"], false);
        assert_eq!(rows(&json)[1]["create_deployment"], Value::Null);
        let error = rows(&json)[1]["error"].as_str().unwrap();
        assert!(error.contains("AccessDenied"), "{error}");
    }
}

#[test]
fn after_a_failed_registration_the_printed_command_finishes_the_work() {
    let scene = scene();
    let register = Operation::RegisterApplicationRevision;
    scene.in_region("us-west-2", register, DENIED);
    let done = scene.push_to_three(&[]).fails(254);
    assert_eq!(done.stdout, "");
    let said = lines(&done);
    assert!(
        said[0].starts_with("us-west-2: An error occurred (AccessDenied"),
        "{done}"
    );
    assert_eq!(
        *said.last().unwrap(),
        "2 of 3 destinations have the revision: us-east-1, eu-west-1"
    );
    assert_eq!(scene.registered_in(), ["us-east-1", "eu-west-1"]);
    let command = said[1].strip_prefix(
        "us-west-2: the bundle is in S3, at s3://west/key.zip; to register it, run: ",
    );
    let command = command.unwrap_or_else(|| panic!("{done}"));
    scene.forget();
    scene.point(&mut shell(command)).ok();
    assert_eq!(
        scene.registered_in(),
        ["us-east-1", "us-west-2", "eu-west-1"]
    );
    let etags = |region| revisions(scene.dir(), region);
    assert_eq!(etags("us-west-2"), etags("us-east-1"));
}

#[test]
fn an_object_that_is_not_what_was_sent_keeps_all_regions_from_registering() {
    let scene = scene();
    scene.choose(|request| {
        let is_read = request.operation == Operation::GetObject;
        (is_read && request.region.as_deref() == Some("eu-west-1")).then_some(DENIED)
    });
    let done = scene.push_to_three(&["--verify"]).fails(255);
    assert_eq!(scene.registered_in(), [""; 0]);
    let said = lines(&done);
    assert!(
        said[0].starts_with("eu-west-1: s3://europe/key.zip is not registered"),
        "{done}"
    );
    for (region, bucket) in &REGIONS[..2] {
        let expected =
            format!("{region}: the bundle is in S3, at s3://{bucket}/key.zip, and not registered");
        assert!(
            said.iter().any(|line| line.starts_with(&expected)),
            "{done}"
        );
    }
    assert_eq!(
        *said.last().unwrap(),
        "the revision is registered in no destination"
    );
}

#[test]
fn a_signal_leaves_no_upload_in_any_region() {
    let scene = scene_of(true);
    scene.in_region(
        "eu-west-1",
        Operation::UploadPart,
        Fault::Stall(When::BeforeBody),
    );
    let push = scene.push_to_three(&[]).start();
    let is_stalled = || {
        let parts = scene.of(Operation::UploadPart);
        parts
            .iter()
            .any(|part| part.region.as_deref() == Some("eu-west-1"))
    };
    wait_until("a part is on its way to Europe", is_stalled);
    push.signal("INT");
    let done = push.end();
    assert_eq!(done.code, Some(130), "{done}");
    assert_eq!(
        lines(&done),
        ["stopped; nothing is registered, and no upload is left"]
    );
    scene.assert_nothing_is_anywhere();
}

#[test]
fn each_upload_that_is_left_is_named_with_the_command_that_aborts_it_there() {
    let scene = scene_of(true);
    scene.choose(|request| {
        let is_denied = match request.operation {
            Operation::UploadPart => request.region.as_deref() == Some("us-west-2"),
            Operation::AbortMultipartUpload => request.region.as_deref() != Some("us-east-1"),
            _ => false,
        };
        is_denied.then_some(DENIED)
    });
    let done = scene.push_to_three(&[]).fails(255);
    let left = scene.uploads();
    assert_eq!(left.len(), 2, "{done}");
    for (region, bucket) in &REGIONS[1..] {
        let line = lines(&done)
            .into_iter()
            .find(|line| line.starts_with(&format!("{region}: its parts are still stored")));
        let line = line.unwrap_or_else(|| panic!("{region}: {done}"));
        let (_, command) = line.split_once("run: ").unwrap();
        let is_named = left.iter().any(|id| {
            command == format!(
                "aws s3api abort-multipart-upload --bucket {bucket} --key key.zip --upload-id {id} \
                 --region {region}"
            )
        });
        assert!(is_named, "{left:?}: {done}");
    }
}

#[test]
fn a_push_that_is_stopped_while_s3_copies_says_once_that_nothing_is_registered() {
    let scene = scene_of(true);
    let copy = Operation::UploadPartCopy;
    scene.in_region("us-west-2", copy, Fault::Stall(When::BeforeBody));
    let west = format!("{WEST},copy-from=us-east-1");
    let mut push = scene.push(&["--region", "us-east-1", "--destination", &west]);
    let push = push.start();
    wait_until("S3 copies", || !scene.of(copy).is_empty());
    push.signal("INT");
    let done = push.end();
    assert_eq!(done.code, Some(130), "{done}");
    let said = lines(&done);
    assert_eq!(said.len(), 2, "{done}");
    assert!(
        said[0].starts_with("stopped; nothing is registered"),
        "{done}"
    );
    let stored = "us-east-1: the bundle is in S3, at s3://bucket/key.zip, and not registered; to \
                  register it, run: hoist register";
    assert!(said[1].starts_with(stored), "{done}");
    assert_eq!(scene.registered_in(), [""; 0]);
}

#[test]
fn a_stopped_push_does_not_say_that_no_upload_is_left_where_one_is() {
    let scene = scene_of(true);
    scene.choose(|request| match request.operation {
        Operation::UploadPart if request.region.as_deref() == Some("eu-west-1") => {
            Some(Fault::Stall(When::BeforeBody))
        }
        Operation::AbortMultipartUpload if request.region.as_deref() == Some("us-west-2") => {
            Some(DENIED)
        }
        _ => None,
    });
    let push = scene.push_to_three(&[]).start();
    let is_sent = |region| {
        let parts = scene.of(Operation::UploadPart);
        parts
            .iter()
            .any(|part| part.region.as_deref() == Some(region))
    };
    wait_until("parts are on their way", || {
        is_sent("eu-west-1") && is_sent("us-west-2")
    });
    push.signal("INT");
    let done = push.end();
    assert_eq!(done.code, Some(130), "{done}");
    let said = lines(&done);
    assert_eq!(said[0], "stopped; nothing is registered", "{done}");
    assert!(
        said[1].starts_with("us-west-2: its parts are still stored"),
        "{done}"
    );
    assert_eq!((said.len(), scene.uploads().len()), (2, 1), "{done}");
}

#[test]
fn destinations_may_be_at_endpoints_of_their_own() {
    let scene = Scene::new();
    let other = Server::start();
    // The same names: they are others' there.
    other.make_bucket_in("bucket", "us-west-2");
    other.make_application_in("App", "Server", "us-west-2");
    let west = format!(
        "region=us-west-2,s3-location=s3://bucket/key.zip,endpoint-url={}",
        other.url()
    );
    let done = scene
        .push(&["--destination", &west, "--endpoint-url", scene.url()])
        .ok();
    assert!(scene.stored() == other.stored() && scene.is_registered());
    assert_eq!(revisions(other.dir(), "us-west-2"), [done.etag()]);
    done.prints(&format!(
        "--region us-east-1 --endpoint-url {}\n",
        scene.url()
    ));
    done.prints(&format!(
        "--region us-west-2 --endpoint-url {}\n",
        other.url()
    ));
}

#[test]
fn one_endpoint_in_the_process_serves_all_regions() {
    let scene = Scene::new();
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("state");
    let mut push = crate::support::hoist();
    push.args([
        "push",
        "--application-name",
        "App",
        "--s3-location",
        "s3://bucket/key.zip",
        "--source",
    ]);
    push.arg(scene.tree.path()).arg("--local").arg(&local);
    push.args(["--destination", WEST, &format!("{EU},copy-from=us-east-1")]);
    push.ok();
    for (region, bucket) in REGIONS {
        assert!(bytes_in(&local, bucket) == Some(scene.packed()), "{region}");
        assert_eq!(revisions(&local, region).len(), 1, "{region}");
    }
    let profile = format!("{WEST},profile=west");
    push.args(["--destination", &profile])
        .fails(252)
        .says("--local needs no profile");
}

#[test]
fn one_bandwidth_limit_holds_for_all_destinations_together() {
    let scene = scene_of(true);
    let done = scene
        .push_to_three(&["--bandwidth-limit", "10M", "--output", "json"])
        .ok();
    // 30 MiB at 10 MiB a second.
    let seconds = done.json()["seconds"].as_f64().unwrap();
    assert!(seconds > 2.5, "{seconds}");
}

#[test]
fn keep_going_needs_a_destination() {
    let scene = Scene::new();
    scene
        .push(&["--keep-going"])
        .fails(252)
        .says("--destination");
}

/// With the placeholders filled in.
#[test]
fn each_printed_command_deploys_in_its_region() {
    let scene = scene();
    let done = scene.push_to_three(&["--endpoint-url", scene.url()]).ok();
    let commands = done.stdout.lines().filter(|line| line.starts_with("aws "));
    for (command, (region, _)) in commands.zip(REGIONS) {
        let Some(mut group) = aws() else {
            return;
        };
        group.args([
            "deploy",
            "create-deployment-group",
            "--application-name",
            "App",
        ]);
        group.args(["--deployment-group-name", "Production", "--region", region]);
        group.args([
            "--service-role-arn",
            "arn:aws:iam::000000000000:role/deploy",
        ]);
        scene.point(&mut group).env("AWS_REGION", region).ok();
        let command = command
            .replace("<deployment-group-name>", "Production")
            .replace("<deployment-config-name>", "CodeDeployDefault.AllAtOnce")
            .replace("<description>", "'a test'");
        let created = scene.point(&mut shell(&command)).ok();
        created.prints("deploymentId");
    }
}

#[test]
fn the_location_in_a_printed_command_can_be_read_by_the_aws_cli() {
    let scene = Scene::new();
    scene.make_bucket_in("west", "us-west-2");
    scene.make_application_in("App", "Server", "us-west-2");
    let west = "region=us-west-2,s3-location='s3://west/it is, a=key.zip'";
    let done = scene.push(&["--destination", west]).ok();
    let command = done.stdout.lines().last().unwrap();
    let (_, location) = command.split_once("--s3-location ").unwrap();
    let (location, _) = location.split_once(" --deployment-group-name").unwrap();
    assert_eq!(
        location,
        format!(
            "'bucket=west,key=\"it is, a=key.zip\",bundleType=zip,eTag={}'",
            done.etag()
        )
    );
}
