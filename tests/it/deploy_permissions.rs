//! What each permission of docs/iam.md is for when a revision is deployed: deployments with exactly these, and
//! with all but one.

use hoist::endpoint::faults::{Action, EventFault, Fault, Operation, When};
use serde_json::json;

use crate::support::{Done, Run as _, Scene};

use Action as A;

/// Creating a deployment. The configuration is that of the deployment group.
const CREATE: [Action; 2] = [A::CreateDeployment, A::GetDeploymentConfig];

/// Waiting for its end, and saying why targets fail.
const WAIT: [Action; 3] = [
    A::GetDeployment,
    A::ListDeploymentTargets,
    A::BatchGetDeploymentTargets,
];

/// A revision that does not need to be looked up.
const NAMED: [&str; 2] = [
    "--s3-location",
    "bucket=bucket,key=key.zip,bundleType=zip,eTag=\"0\"",
];

/// A registered revision, and the deployment group `Fleet` of one instance.
fn fleet() -> Scene {
    let scene = Scene::new();
    let input = json!({
        "applicationName": "App",
        "deploymentGroupName": "Fleet",
        "serviceRoleArn": "arn:aws:iam::000000000000:role/r",
        "deploymentConfigName": "CodeDeployDefault.AllAtOnce",
        "ec2TagFilters": [{ "Key": "Name", "Value": "web-1", "Type": "KEY_AND_VALUE" }],
    });
    let scope = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/codedeploy/aws4_request";
    let headers = [
        ("X-Amz-Target", "CodeDeploy_20141006.CreateDeploymentGroup"),
        ("Authorization", scope),
    ];
    scene.ask("POST /", &headers, &input.to_string());
    scene.push(&["--quiet"]).ok();
    scene
}

/// An event of the instance goes wrong.
fn on_event(scene: &Scene, fault: EventFault) {
    let faults = scene.faults.clone();
    drop(faults.on_event(.., "i-web-1", "AfterInstall", fault));
}

/// `hoist deploy` to `Fleet` with these permissions and no others.
fn deployed(scene: &Scene, allowed: &[Action], arguments: &[&str]) -> Done {
    scene.faults.allow(allowed.iter().copied());
    let words = [
        "deploy",
        "--application-name",
        "App",
        "--deployment-group-name",
        "Fleet",
    ];
    scene.hoist(&[&words, arguments].concat()).done()
}

fn without(all: &[Action], missing: Action) -> Vec<Action> {
    let others = all.iter().copied().filter(|action| *action != missing);
    others.collect()
}

#[test]
fn a_deployment_that_is_waited_for_needs_six_permissions() {
    let all = [&[A::ListApplicationRevisions], &CREATE[..], &WAIT].concat();
    let failing = || {
        let scene = fleet();
        on_event(&scene, EventFault::script_failed("x.sh", "the reason"));
        scene
    };
    let arguments = ["--latest", "--wait"];
    let expected = deployed(&failing(), &all, &arguments);
    assert_ne!(expected.code, Some(0), "{expected}");
    expected.says("the reason");
    for missing in &all {
        let scene = failing();
        let done = deployed(&scene, &without(&all, *missing), &arguments);
        assert_ne!(done.code, Some(0), "{missing}: {done}");
        done.says(missing.name()).is_silent_about("the reason");
        let created = !done.stdout.is_empty();
        match missing {
            // It is created, and the message says how to watch it.
            A::GetDeployment => done.says("hoist deploy --watch d-"),
            // It ends as it would, and only the reasons are missing.
            A::ListDeploymentTargets | A::BatchGetDeploymentTargets => {
                assert_eq!(done.code, expected.code, "{done}");
                done.says("why one fails, is not known")
            }
            _ => {
                assert!(!created, "{missing}: {done}");
                continue;
            }
        };
        assert!(created, "{missing}: {done}");
    }
}

#[test]
fn a_deployment_that_is_left_alone_needs_to_be_created_only() {
    for missing in CREATE {
        let scene = fleet();
        let arguments = [&["--no-wait"], &NAMED[..]].concat();
        let done = deployed(&scene, &without(&CREATE, missing), &arguments);
        assert_ne!(done.code, Some(0), "{done}");
        done.says(missing.name());
        let done = deployed(&scene, &CREATE, &arguments);
        assert_eq!(done.code, Some(0), "{done}");
        assert!(!done.stderr.contains("note:"), "{done}");
    }
    // The ETag of an object that is named by its address is looked up.
    for (more, noted) in [(&[][..], true), (&[A::GetObject], false)] {
        let arguments = ["--no-wait", "--s3-location", "s3://bucket/key.zip"];
        let done = deployed(&fleet(), &[&CREATE[..], more].concat(), &arguments);
        assert_eq!(done.code, Some(0), "{done}");
        assert_eq!(done.stderr.contains("without an ETag"), noted, "{done}");
    }
}

#[test]
fn a_deployment_that_runs_is_stopped_with_one_more() {
    let scene = fleet();
    on_event(&scene, EventFault::Hang);
    let running = deployed(&scene, &CREATE, &[&["--no-wait"], &NAMED[..]].concat());
    assert_eq!(running.code, Some(0), "{running}");
    let arguments = [&["--no-wait", "--if-active", "stop"], &NAMED[..]].concat();
    let done = deployed(&scene, &CREATE, &arguments);
    assert_ne!(done.code, Some(0), "{done}");
    done.says(A::StopDeployment.name());
    let done = deployed(
        &scene,
        &[&CREATE[..], &[A::StopDeployment]].concat(),
        &arguments,
    );
    assert_eq!(done.code, Some(0), "{done}");
    done.says("stopping deployment ");
}

#[test]
fn the_deployment_of_a_lost_answer_is_found_with_one_more() {
    for (more, is_found) in [(&[][..], false), (&[A::ListDeployments], true)] {
        let scene = fleet();
        let lost = Fault::Reset(When::AfterCommit);
        scene.on(Operation::CreateDeployment, 1..=1, lost);
        let arguments = [&["--no-wait"], &NAMED[..]].concat();
        let allowed = [&CREATE[..], &[A::GetDeployment], more].concat();
        let done = deployed(&scene, &allowed, &arguments);
        assert_eq!(done.code == Some(0), is_found, "{done}");
        if !is_found {
            done.says(A::ListDeployments.name());
        }
    }
}

#[test]
fn a_push_that_deploys_needs_the_permissions_of_both() {
    let scene = fleet();
    let push = [A::PutObject, A::RegisterApplicationRevision];
    let all = [&push[..], &CREATE, &WAIT].concat();
    scene.faults.allow(all);
    let done = scene.push(&["--deploy-to", "Fleet"]).ok();
    done.says(" succeeded in ");
    // What else is asked before the upload adds notes.
    done.says(A::GetDeploymentGroup.name())
        .says(A::GetApplication.name());
    assert_eq!(scene.count(Operation::CreateDeployment), 1);

    scene.faults.allow(push);
    let done = scene.push(&["--deploy-to", "Fleet"]).done();
    assert_ne!(done.code, Some(0), "{done}");
    done.says("codedeploy:CreateDeployment").prints("");
    scene.faults.heal();
    assert!(scene.is_registered());
}
